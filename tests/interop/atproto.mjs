// The example API against an authorization server that others wrote: npm `@atproto/oauth-provider`, with npm
// `openid-client` as client. This server requires pushed authorization requests (RFC 9126), PKCE, DPoP and nonces.
// Usage: node atproto.mjs PROTECTED_API_PROGRAM
import assert from 'node:assert/strict'
import * as dpop from 'dpop'
import * as jose from 'jose'
import * as client from 'openid-client'
import { clientId, redirectUri, scope, startServer } from './atproto_server.mjs'
import { accepted, acceptedWithProofOnly, newKeys, refused } from './dpop_calls.mjs'
import { finish, test } from './harness.mjs'
import { startApi } from './program.mjs'

const [program] = process.argv.slice(2)

const audience = 'did:web:api.example'
const granted = scope.replace(' notes:read', '')
const keys = await newKeys()

const start = ({ issuer }, aud = audience) => startApi(program, ['--issuer', issuer, '--audience', aud, '--explain'])

async function appOf({ issuer }) {
  const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
  return { config, options: { DPoP: client.getDPoPHandle(config, keys) } }
}

async function signIn({ config, options }, browser, atToken = options) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const parameters = {
    scope,
    redirect_uri: redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  const page = await client.buildAuthorizationUrlWithPAR(config, parameters, options)
  const { location, ephemeralToken } = await browser.authorize(page.href)
  const tokens = await client.authorizationCodeGrant(config, location, { pkceCodeVerifier }, undefined, atToken)
  return { ...tokens, ephemeral_token: ephemeralToken }
}

const server = await startServer('ES256')
const app = await appOf(server)
const api = await start(server)
const alice = server.signUp('alice', audience)

async function answerTo({ issuer }, did, aud, tokenScope) {
  const jkt = await app.options.DPoP.calculateThumbprint()
  const token = { iss: issuer, sub: did, client_id: clientId, aud: [aud], scope: tokenScope }
  return { ...token, cnf: { jkt }, proof: 'dpop' }
}

await test('ATK-07 DPOP-28 ES256 JWT of a user, and the refreshed one', async () => {
  const tokens = await signIn(app, alice)
  const { typ, alg } = jose.decodeProtectedHeader(tokens.access_token)
  assert.deepEqual([typ, alg, tokens.scope], ['at+jwt', 'ES256', granted])
  const expected = await answerTo(server, alice.account.did, audience, granted)
  assert.deepEqual(await acceptedWithProofOnly(api, tokens.access_token, keys), expected)
  const refreshed = await client.refreshTokenGrant(app.config, tokens.refresh_token, undefined, app.options)
  assert.notEqual(refreshed.access_token, tokens.access_token)
  assert.deepEqual(await acceptedWithProofOnly(api, refreshed.access_token, keys), expected)
})

await test('ATK-10 no other token: refresh token; token of the sign-in page, which is `at+jwt` as well', async () => {
  const tokens = await signIn(app, alice)
  assert.equal(jose.decodeProtectedHeader(tokens.ephemeral_token).typ, 'at+jwt')
  await refused(api, tokens.ephemeral_token, keys, 'token.audience')
  await refused(api, tokens.refresh_token, keys, 'token.not_compact')
  await accepted(api, tokens.access_token, keys)
})

await test('ATK-10 a token of an account at another server', async () => {
  const mallory = server.signUp('mallory', 'did:web:other.example')
  await refused(api, (await signIn(app, mallory)).access_token, keys, 'token.audience')
  await accepted(api, (await signIn(app, alice)).access_token, keys)
})

await test('DPOP-29 the server issues no token without a proof', async () => {
  await assert.rejects(signIn(app, alice, {}), ({ cause: [challenge] }) => {
    assert.deepEqual([challenge.scheme, challenge.parameters.error], ['dpop', 'invalid_dpop_proof'])
    return true
  })
  assert.equal((await signIn(app, alice)).token_type, 'dpop')
})

await test('ATK-10 a hook of the server sets the audience of an API that is not the server of the account', async () => {
  const https = 'https://api.example'
  const hooked = await startServer('ES256', { onCreateToken: ({ claims }) => ({ ...claims, aud: https }) })
  const carol = hooked.signUp('carol', audience)
  const { access_token: token } = await signIn(await appOf(hooked), carol)
  await refused(await start(hooked), token, keys, 'token.audience')
  const answer = await acceptedWithProofOnly(await start(hooked, https), token, keys)
  assert.deepEqual(answer, await answerTo(hooked, carol.account.did, https, granted))
})

await test('ATK-16 tokens of the mode `stateful` have no scopes', async () => {
  const stateful = await startServer('ES256', { accessTokenMode: 'stateful' })
  const dave = stateful.signUp('dave', audience)
  const { access_token: token } = await signIn(await appOf(stateful), dave)
  const answer = await acceptedWithProofOnly(await start(stateful), token, keys)
  assert.deepEqual(answer, await answerTo(stateful, dave.account.did, audience, ''))
})

// The programs of Bluesky use these: HS256 with a secret of its own where it holds accounts, ES256K where it signs users in.
for (const alg of ['HS256', 'ES256K']) {
  await test(`ATK-11 a server that signs with ${alg}`, async () => {
    const other = await startServer(alg)
    const { access_token: token } = await signIn(await appOf(other), other.signUp('erin', audience))
    assert.equal(jose.decodeProtectedHeader(token).alg, alg)
    await refused(await start(other), token, keys, 'token.alg')
  })
}

// `openid-client` sends no proof when it revokes a token, and this server then answers 200 and revokes nothing.
async function revoke({ config }, token) {
  const { revocation_endpoint: url } = config.serverMetadata()
  const send = async (nonce) => {
    const body = new URLSearchParams({ token, client_id: clientId })
    return fetch(url, { method: 'POST', headers: { DPoP: await dpop.generateProof(keys, url, 'POST', nonce) }, body })
  }
  const first = await send()
  assert.equal((await send(first.headers.get('dpop-nonce'))).status, 200)
}

await test('a token that was revoked is valid until `exp`: there is no endpoint to ask about it', async () => {
  const tokens = await signIn(app, alice)
  assert.equal(app.config.serverMetadata().introspection_endpoint, undefined)
  await revoke(app, tokens.access_token)
  await accepted(api, tokens.access_token, keys)
  const refreshing = client.refreshTokenGrant(app.config, tokens.refresh_token, undefined, app.options)
  await assert.rejects(refreshing, { error: 'invalid_grant' })
})

finish()
