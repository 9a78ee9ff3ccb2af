// Starts the example API for an issuer whose keys are in a file, with files for its options.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const folder = mkdtempSync(join(tmpdir(), 'poplayer-interop-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

export function file(name, document) {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(document))
  return path
}

// Returns the URL of the API.
export async function startApi(program, args) {
  const child = spawn(program, ['--listen', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(10_000) })
  assert.match(line, /^ready http/)
  return line.slice('ready '.length)
}
