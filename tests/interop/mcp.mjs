// The MCP server of examples/mcp-server against the client in TypeScript that the Model Context Protocol publishes,
// `@modelcontextprotocol/client`, whose `DpopSession` makes the proofs; and against the example's own client, in Rust.
// Usage: node mcp.mjs SERVER RUST_CLIENT
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { Client, DpopSession, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { finish, test } from './harness.mjs'
import { startApi } from './program.mjs'

const [program, rustClient] = process.argv.slice(2)

// A client that the development authorization server knows. The user approves at once.
class Provider {
  redirectUrl = 'http://127.0.0.1/callback'
  clientMetadata = { redirect_uris: [this.redirectUrl], client_name: 'interop' }
  authorizations = []
  constructor(dpop) {
    this.dpop = () => dpop
  }
  clientInformation() {
    return { client_id: 'demo' }
  }
  tokens() {
    return this.saved
  }
  saveTokens(tokens) {
    this.saved = tokens
  }
  saveDiscoveryState(state) {
    this.discovered = state
  }
  discoveryState() {
    return this.discovered
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
  async redirectToAuthorization(url) {
    this.authorizations.push(url)
    const answer = await fetch(url, { redirect: 'manual' })
    this.callback = new URL(answer.headers.get('location')).searchParams
  }
}

// Connects as the user's program would: the first attempt ends in an authorization request.
async function connect(url, provider, versionNegotiation) {
  const create = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
  const client = () => new Client({ name: 'interop', version: '1' }, { versionNegotiation })
  const first = create()
  await assert.rejects(client().connect(first), UnauthorizedError)
  await first.finishAuth(provider.callback)
  const connected = client()
  const transport = create()
  await connected.connect(transport)
  return { client: connected, transport }
}

const text = (result) => result.content.map((part) => part.text).join()
const add = { name: 'add_note', arguments: { text: 'buy milk' } }

for (const nonce of ['off', 'required']) {
  const url = await startApi(program, ['--nonce', nonce])

  for (const mode of ['legacy', 'auto']) {
    for (const alg of ['ES256', 'EdDSA', 'PS256']) {
      await test(`META-11 @modelcontextprotocol/client, nonces ${nonce}, ${mode}, ${alg}: discovery, token, tools`, async () => {
        const session = await DpopSession.create({ alg })
        const provider = new Provider(session)
        const { client } = await connect(url, provider, { mode })
        assert.equal(client.getProtocolEra(), mode === 'auto' ? 'modern' : 'legacy')
        assert.equal(provider.saved.token_type.toLowerCase(), 'dpop')
        assert.equal(provider.authorizations[0].searchParams.get('resource'), url)
        const { tools } = await client.listTools()
        assert.deepEqual(tools.map((tool) => tool.name).sort(), ['add_note', 'whoami'])
        assert.match(text(await client.callTool({ name: 'whoami', arguments: {} })), /^user .+, client demo$/)
        assert.equal(session.nonceFor(url) !== undefined, nonce === 'required')
        await client.close()
      })
    }

    await test(`SCOPE-01 @modelcontextprotocol/client, nonces ${nonce}, ${mode}: asks for the scope that a tool needs`, async () => {
      const provider = new Provider(await DpopSession.create())
      const { client, transport } = await connect(url, provider, { mode })
      assert.equal(provider.saved.scope, 'profile')
      await assert.rejects(client.callTool(add), UnauthorizedError)
      assert.equal(provider.authorizations[1].searchParams.get('scope'), 'profile notes:write')
      await transport.finishAuth(provider.callback)
      assert.equal(text(await client.callTool(add)), 'noted: buy milk')
      await client.close()
    })
  }

  await test(`DPOP-30 @modelcontextprotocol/client, nonces ${nonce}: a token that is not bound is rejected`, async () => {
    const provider = new Provider()
    await assert.rejects(connect(url, provider, { mode: 'auto' }), { message: /401/ })
    assert.equal(provider.saved.token_type.toLowerCase(), 'bearer')
  })

  await test(`CLI-05 rmcp with pop-client, nonces ${nonce}: discovery, token, tools`, () => {
    const output = (...scope) => execFileSync(rustClient, [url, ...scope], { encoding: 'utf8', timeout: 20_000 })
    assert.match(output(), /^whoami: user demo, client demo\nadd_note: noted: buy milk$/m)
    assert.match(output('profile'), /^whoami: user demo, client demo\nadd_note: .*error="insufficient_scope".*scope="notes:write"/m)
  })
}

finish()
