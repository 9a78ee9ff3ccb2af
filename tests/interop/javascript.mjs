// The example API against clients that others wrote: npm `openid-client` and `dpop`.
// Usage: node javascript.mjs ISSUER API
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import * as dpop from 'dpop'
import { finish, test } from './harness.mjs'

const [issuer, api] = process.argv.slice(2)

for (const alg of ['ES256', 'Ed25519', 'PS256', 'RS256']) {
  await test(`DPOP-05 openid-client, ${alg}: token request, GET, POST, nonces`, async () => {
    const config = await client.discovery(new URL(issuer), 'demo', undefined, client.None(), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
    })
    const keys = await client.randomDPoPKeyPair(alg)
    const DPoP = client.getDPoPHandle(config, keys)
    const token = await client.clientCredentialsGrant(config, { scope: 'notes:read notes:write' }, { DPoP })
    assert.equal(token.token_type, 'dpop')
    const call = (method, body) =>
      client.fetchProtectedResource(config, token.access_token, new URL(`${api}/notes?a=1`), method, body, new Headers(), { DPoP })
    assert.equal((await call('GET')).status, 200)
    assert.equal((await call('POST', 'hello')).status, 201)
  })
}

await test('DPOP-02 dpop: a proof made by hand passes once', async () => {
  const keys = await dpop.generateKeyPair('ES256', { extractable: false })
  const endpoint = `${issuer}/token`
  const request = async (nonce) =>
    fetch(endpoint, {
      method: 'POST',
      headers: { DPoP: await dpop.generateProof(keys, endpoint, 'POST', nonce) },
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'demo', scope: 'notes:read' }),
    })
  const { access_token } = await (await request()).json()
  const url = `${api}/notes`
  const authorization = `DPoP ${access_token}`
  const prove = (nonce) => dpop.generateProof(keys, url, 'GET', nonce, access_token)
  const first = await fetch(url, { headers: { Authorization: authorization, DPoP: await prove() } })
  const proof = await prove(first.headers.get('dpop-nonce') ?? undefined)
  const call = (method) => fetch(url, { method, headers: { Authorization: authorization, DPoP: proof } })
  assert.equal((await call('POST')).status, 401, 'another method')
  assert.equal((await call('GET')).status, 200)
  const replay = await call('GET')
  assert.equal(replay.status, 401)
  assert.match(replay.headers.get('www-authenticate'), /^DPoP .*error="invalid_dpop_proof"/)
})

finish()
