// The example API against an authorization server that others wrote: npm `@better-auth/oauth-provider`, with npm
// `openid-client` as client.
// Usage: node better_auth.mjs PROTECTED_API_PROGRAM
import assert from 'node:assert/strict'
import * as jose from 'jose'
import * as client from 'openid-client'
import { mintAccessToken } from './access_token.mjs'
import { audience, redirectUri, startServer } from './better_auth_server.mjs'
import { accepted, acceptedWithProofOnly, newKeys, refused, unavailable } from './dpop_calls.mjs'
import { finish, test } from './harness.mjs'
import { startApi } from './program.mjs'

const [program] = process.argv.slice(2)

const scope = 'openid offline_access notes:read'
const signed = await startServer({ opaque: false })
const opaque = await startServer({ opaque: true })

async function parties(server) {
  const machine = { grant_types: ['client_credentials'], client_credentials_scopes: ['notes:read'] }
  const web = { grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [redirectUri], scope }
  const [service, app, api] = [await server.addClient(machine), await server.addClient(web), await server.addClient(machine)]
  const discover = ({ client_id, client_secret }) =>
    client.discovery(new URL(server.issuer), client_id, undefined, client.ClientSecretBasic(client_secret), {
      execute: [client.allowInsecureRequests],
    })
  const asking = ['--introspection-url', `${server.issuer}/oauth2/introspect`, '--introspection-client-id', api.client_id]
  asking.push('--introspection-client-secret', api.client_secret)
  return { service: await discover(service), app: await discover(app), asking }
}

const atSigned = await parties(signed)
const atOpaque = await parties(opaque)

const start = (server, resource, flags = []) =>
  startApi(program, ['--issuer', server.issuer, '--audience', resource, '--explain', ...flags])

const apis = {
  jwt: await start(signed, audience),
  jwtAsked: await start(signed, audience, atSigned.asking),
  jwtFirst: await start(signed, audience, [...atSigned.asking, '--jwt-first']),
  opaque: await start(opaque, audience, atOpaque.asking),
  opaqueFirst: await start(opaque, audience, [...atOpaque.asking, '--jwt-first']),
}

const withProofs = (config, keys) => keys && { DPoP: client.getDPoPHandle(config, keys) }
const idOf = (config) => config.clientMetadata().client_id

async function obtain(config, keys, parameters = { resource: audience }) {
  const answer = await client.clientCredentialsGrant(config, { scope: 'notes:read', ...parameters }, withProofs(config, keys))
  return answer.access_token
}

async function signIn(config, server, keys) {
  const user = await server.signUp(`alice-${crypto.randomUUID()}`)
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    scope,
    resource: audience,
    redirect_uri: redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const location = await user.authorize(url)
  const proofs = withProofs(config, keys)
  return { user, tokens: await client.authorizationCodeGrant(config, location, { pkceCodeVerifier }, undefined, proofs) }
}

const keys = await newKeys()
const jkt = await client.getDPoPHandle(atSigned.service, keys).calculateThumbprint()
const answerOf = (server, sub, client_id, aud, granted) => {
  const token = { iss: server.issuer, sub, client_id, aud, scope: granted }
  return { ...token, cnf: { jkt }, proof: 'dpop' }
}

for (const [alg, resource] of [['EdDSA', audience], ['ES256', `${audience}/ES256`], ['RS256', `${audience}/RS256`]]) {
  await test(`ATK-07 DPOP-28 ${alg} JWT of a client, verified`, async () => {
    const api = resource === audience ? apis.jwt : await start(signed, resource)
    const token = await obtain(atSigned.service, keys, { resource })
    const { typ, ...header } = jose.decodeProtectedHeader(token)
    assert.deepEqual([typ, header.alg], ['at+jwt', alg])
    const id = idOf(atSigned.service)
    const answer = await acceptedWithProofOnly(api, token, keys)
    assert.deepEqual(answer, answerOf(signed, id, id, [resource], 'notes:read'))
  })
}

await test('DPOP-29 a token that was requested without a proof', async () => {
  await refused(apis.jwt, await obtain(atSigned.service, undefined), keys, 'confirmation.missing')
  await accepted(apis.jwt, await obtain(atSigned.service, keys), keys)
})

await test('DPOP-29 the server issues no such token for a resource that requires proofs', async () => {
  const strict = { resource: 'https://other.example' }
  await assert.rejects(obtain(atSigned.service, undefined, strict), { error: 'invalid_dpop_proof' })
  assert.ok(await obtain(atSigned.service, keys, strict))
})

await test('ATK-10 a token for another audience', async () => {
  await refused(apis.jwt, await obtain(atSigned.service, keys, { resource: 'https://other.example' }), keys, 'token.audience')
  await accepted(apis.jwt, await obtain(atSigned.service, keys), keys)
})

const modes = [
  ['ATK-07 JWT of a user, verified', signed, atSigned, apis.jwt],
  ['INTRO-03 INTRO-04 JWT of a user, asked about', signed, atSigned, apis.jwtAsked],
  ['INTRO-03 INTRO-04 opaque token of a user', opaque, atOpaque, apis.opaque],
]
for (const [name, server, { app }, api] of modes) {
  await test(`DPOP-28 ${name}, and the refreshed one`, async () => {
    const { user, tokens } = await signIn(app, server, keys)
    const expected = answerOf(server, user.id, idOf(app), [audience, `${server.issuer}/oauth2/userinfo`], scope)
    assert.deepEqual(await acceptedWithProofOnly(api, tokens.access_token, keys), expected)
    const refreshed = await client.refreshTokenGrant(app, tokens.refresh_token, undefined, withProofs(app, keys))
    assert.notEqual(refreshed.access_token, tokens.access_token)
    assert.deepEqual(await acceptedWithProofOnly(api, refreshed.access_token, keys), expected)
  })
}

await test('ATK-07 ATK-19 no other token of a sign-in: ID, refresh and session token', async () => {
  const { user, tokens } = await signIn(atSigned.app, signed, keys)
  const sessionToken = await user.sessionToken()
  assert.equal(jose.decodeJwt(sessionToken).aud, audience)
  for (const token of [tokens.id_token, sessionToken]) {
    await refused(apis.jwt, token, keys, 'token.typ')
    await refused(apis.jwtAsked, token, keys, 'token.inactive')
  }
  await refused(apis.jwt, tokens.refresh_token, keys, 'token.not_compact')
  await refused(apis.jwtAsked, tokens.refresh_token, keys, 'token.inactive')
  for (const api of [apis.jwt, apis.jwtAsked]) await accepted(api, tokens.access_token, keys)
})

await test('INTRO-03 an opaque token of a client has no `sub`', async () => {
  const answer = await acceptedWithProofOnly(apis.opaque, await obtain(atOpaque.service, keys), keys)
  assert.deepEqual(answer, answerOf(opaque, null, idOf(atOpaque.service), [audience], 'notes:read'))
})

await test('INTRO-03 a token without a resource is opaque at both servers, and not for this API', async () => {
  for (const [{ service }, api] of [[atSigned, apis.jwtFirst], [atOpaque, apis.opaque]]) {
    const token = await obtain(service, keys, {})
    assert.doesNotMatch(token, /\./)
    await refused(api, token, keys, 'token.inactive')
    await accepted(api, await obtain(service, keys), keys)
  }
})

await test('INTRO-02 an opaque token that was revoked before its first use', async () => {
  const [revoked, other] = [await obtain(atOpaque.service, keys), await obtain(atOpaque.service, keys)]
  await client.tokenRevocation(atOpaque.service, revoked)
  await refused(apis.opaque, revoked, keys, 'token.inactive')
  await accepted(apis.opaque, other, keys)
})

await test('INTRO-02 a JWT cannot be revoked; it ends with the session where the server is asked', async () => {
  const { user, tokens } = await signIn(atSigned.app, signed, keys)
  const token = tokens.access_token
  await assert.rejects(client.tokenRevocation(atSigned.app, token), { error: 'unsupported_token_type' })
  await user.signOut()
  await refused(apis.jwtAsked, token, keys, 'token.inactive')
  await accepted(apis.jwt, token, keys)
})

// A JWT that an attacker made up, bound to a key of the attacker.
async function forge({ issuer }, own) {
  const { privateKey } = await jose.generateKeyPair('ES256')
  const cnf = { jkt: await client.getDPoPHandle(atSigned.service, own).calculateThumbprint() }
  return mintAccessToken({ issuer, audience, cnf, key: privateKey, kid: 'forged' })
}

await test('INTRO-07 X-63 the server answers 500 about forged JWTs; where JWTs come first, it is not asked', async () => {
  const own = await newKeys()
  await unavailable(apis.jwtAsked, await forge(signed, own), own, 'unavailable.introspection')
  await unavailable(apis.opaque, await forge(opaque, own), own, 'unavailable.introspection')
  for (let count = 0; count < 12; count += 1) {
    await refused(apis.jwtFirst, await forge(signed, own), own, 'token.unknown_key')
    await unavailable(apis.opaqueFirst, await forge(opaque, own), own, 'unavailable.keys')
  }
  for (const [{ service }, api] of [[atSigned, apis.jwtFirst], [atOpaque, apis.opaqueFirst]]) {
    const newcomer = await newKeys()
    await accepted(api, await obtain(service, newcomer), newcomer)
  }
})

finish()
