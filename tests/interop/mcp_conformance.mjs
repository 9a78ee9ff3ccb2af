// What an MCP server must accept and reject when tokens are bound by DPoP (SEP-1932, RFC 9449 §4.3): the checks that the
// conformance project of the Model Context Protocol proposes for servers (modelcontextprotocol/conformance, pull request
// 395), written anew. No version that is published has them.
// Usage: node mcp_conformance.mjs SERVER
import assert from 'node:assert/strict'
import * as crypto from 'node:crypto'
import { once } from 'node:events'
import * as http from 'node:http'
import { text } from 'node:stream/consumers'
import * as jose from 'jose'
import { finish, test } from './harness.mjs'
import { startApi } from './program.mjs'

const [program] = process.argv.slice(2)
const now = () => Math.floor(Date.now() / 1000)
const hash = (token) => crypto.createHash('sha256').update(token).digest('base64url')
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

async function keyPair() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await jose.exportJWK(publicKey)
  return { privateKey, jwk, privateJwk: await jose.exportJWK(privateKey), jkt: await jose.calculateJwkThumbprint(jwk) }
}

// An authorization server that serves its metadata and its key.
const issuing = await keyPair()
const documents = http.createServer((request, response) => {
  const metadata = { issuer, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token` }
  const keys = [{ ...issuing.jwk, kid: 'issuer', alg: 'ES256', use: 'sig' }]
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(request.url === '/jwks' ? { keys } : metadata))
})
documents.listen(0, '127.0.0.1')
await once(documents, 'listening')
const issuer = `http://127.0.0.1:${documents.address().port}`

const key = await keyPair()
const otherKey = await keyPair()
const mint = (url, { audience = url, jkt = key.jkt } = {}) =>
  new jose.SignJWT({ client_id: 'app', scope: 'profile', cnf: { jkt } })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'issuer' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('alice')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(issuing.privateKey)

function prove(url, token, nonce, { header, claims, sign }) {
  const head = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk, ...header }
  const fresh = { jti: crypto.randomUUID(), htm: 'POST', htu: url, iat: now(), ath: hash(token), nonce, ...claims }
  const input = `${encoded(head)}.${encoded(fresh)}` // members that are undefined are left out
  const es256 = () => crypto.sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${(sign ?? ((_, signature) => signature()))(input, es256).toString('base64url')}`
}

const client = { name: 'conformance', version: '1' }
const of = (key) => `io.modelcontextprotocol/${key}`
const meta = { [of('protocolVersion')]: '2026-07-28', [of('clientInfo')]: client, [of('clientCapabilities')]: {} }
const probes = {
  initialize: { params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: client }, headers: {} },
  'server/discover': {
    params: { _meta: meta },
    headers: { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'server/discover' },
  },
}

async function send(url, method, authorization, dpop) {
  const { params, headers } = probes[method]
  const accepted = { Accept: 'application/json, text/event-stream', 'Content-Type': 'application/json' }
  const request = http.request(url, {
    method: 'POST',
    headers: { ...accepted, ...headers, Authorization: authorization, DPoP: dpop },
  })
  request.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
  const [response] = await once(request, 'response', { signal: AbortSignal.timeout(10_000) })
  const challenge = response.headers['www-authenticate'] ?? ''
  return { status: response.statusCode, challenge, nonce: response.headers['dpop-nonce'], text: await text(response) }
}

const hmac = (input) => crypto.createHmac('sha256', 'a shared secret of some length').update(input).digest()
const tampered = (_, signature) => {
  const bytes = signature()
  bytes[10] ^= 1
  return bytes
}

// Each differs from the request that is accepted in one thing.
const rejections = {
  'a tampered signature': { sign: tampered },
  'no jti': { claims: { jti: undefined } },
  'no htm': { claims: { htm: undefined } },
  'no htu': { claims: { htu: undefined } },
  'no iat': { claims: { iat: undefined } },
  'no ath': { claims: { ath: undefined } },
  'no jwk': { header: { jwk: undefined } },
  'another typ': { header: { typ: 'jwt' } },
  'the htu of another server': { claims: { htu: 'https://other.example/mcp' } },
  'the htm GET': { claims: { htm: 'GET' } },
  'the ath of another token': { claims: { ath: hash('another token') } },
  'a private key in jwk': { header: { jwk: key.privateJwk } },
  'the algorithm none': { header: { alg: 'none' }, sign: () => Buffer.alloc(0) },
  'a symmetric algorithm': { header: { alg: 'HS256' }, sign: hmac },
  'an iat 303 s ago': { claims: { iat: () => now() - 303 } },
  'an iat 310 s ahead': { claims: { iat: () => now() + 310 } },
  'a proof that is no JWT': { proof: 'this is no JWT' },
  'two proofs': { twice: true },
  'the scheme Bearer': { scheme: 'Bearer' },
  'a token of another key': { token: { jkt: otherKey.jkt } },
  'a token for another audience': { token: { audience: 'https://other.example/mcp' } },
}

for (const nonce of ['off', 'required']) {
  const url = await startApi(program, ['--issuer', issuer, '--nonce', nonce])
  let held // the newest nonce of the server

  async function request(method, change) {
    const token = await mint(url, change.token)
    const claims = { ...change.claims }
    if (typeof claims.iat === 'function') claims.iat = claims.iat()
    const proof = () => change.proof ?? prove(url, token, held, { ...change, claims })
    const proofs = change.twice ? [proof(), proof()] : proof()
    const response = await send(url, method, `${change.scheme ?? 'DPoP'} ${token}`, proofs)
    held = response.nonce ?? held
    return response
  }
  async function accepts(method, change = {}) {
    let response = await request(method, change)
    if (response.challenge.includes('use_dpop_nonce')) response = await request(method, change)
    assert.equal(response.status, 200, response.challenge)
    assert.match(response.text, /"result"/)
  }
  async function rejects(method, change) {
    await accepts(method)
    const response = await request(method, change)
    assert.equal(response.status, 401)
    assert.match(response.challenge, /(^|, )DPoP /)
    assert.doesNotMatch(response.challenge, /use_dpop_nonce/, 'the proof itself is at fault')
    return response
  }
  const check = (name, body) =>
    test(`nonces ${nonce}: ${name}`, async () => {
      for (const method of Object.keys(probes)) await body(method)
    })

  await check('accepts a valid proof', accepts)
  for (const [name, change] of Object.entries(rejections)) await check(`rejects ${name}`, (method) => rejects(method, change))
  await check('a challenge says what is wrong and where the metadata is', async (method) => {
    const { challenge } = await rejects(method, rejections['a tampered signature'])
    assert.match(challenge, /^DPoP .*error="invalid_dpop_proof"/)
    assert.match(challenge, /resource_metadata="http:[^"]+\/.well-known\/oauth-protected-resource\/mcp"/)
  })
  await check('accepts proofs whose iat is 290 s ago or ahead', async (method) => {
    await accepts(method, { claims: { iat: () => now() - 290 } })
    await accepts(method, { claims: { iat: () => now() + 290 } })
  })
  await check(nonce === 'off' ? 'asks for no nonce' : 'asks for a nonce, and accepts no other', async (method) => {
    const none = await request(method, { claims: { nonce: undefined } })
    if (nonce === 'off') return assert.equal(none.status, 200)
    for (const response of [none, await request(method, { claims: { nonce: 'of-another-server' } })]) {
      assert.equal(response.status, 401)
      assert.match(response.challenge, /^DPoP .*error="use_dpop_nonce"/)
      assert.ok(response.nonce)
    }
    await accepts(method)
  })
}

finish()
