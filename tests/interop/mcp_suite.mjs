// The client of examples/mcp-server against the conformance suite of the Model Context Protocol, which judges how clients
// make DPoP proofs (`@modelcontextprotocol/conformance`). For servers, no published version of the suite does.
// Usage: node mcp_suite.mjs RUST_CLIENT
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { finish, test } from './harness.mjs'

const rustClient = resolve(process.argv[2])
const here = (file) => fileURLToPath(new URL(file, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'poplayer-interop-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function run(scenario, command) {
  const suite = here('node_modules/@modelcontextprotocol/conformance/dist/index.js')
  const args = [suite, 'client', '--scenario', scenario, '--command', command]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 })
  return { status, text: stdout + stderr }
}

for (const [scenario, checks] of [['auth/dpop', 11], ['auth/dpop-nonce', 13]]) {
  await test(`CLI-05 rmcp with pop-client, ${scenario}: ${checks} of ${checks} checks`, () => {
    const { status, text } = run(scenario, rustClient)
    assert.equal(status, 0, text)
    assert.match(text, new RegExp(`^Passed: ${checks}/${checks}, 0 failed, 0 warnings$`, 'm'), text)
  })

  await test(`${scenario}: the suite rejects a client that does nothing`, () => {
    const { status, text } = run(scenario, 'true')
    assert.notEqual(status, 0, text)
    assert.match(text, /[1-9]\d* failed/, text)
  })
}

finish()
