// The example API against an authorization server that others wrote: npm `oidc-provider`, with npm `openid-client` as client.
// Usage: node oidc_provider.mjs PROTECTED_API_PROGRAM
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import * as client from 'openid-client'
import { certificate, fetchWith } from './certificates.mjs'
import { finish, test } from './harness.mjs'
import { startApi as startProgram } from './program.mjs'
import { audience, secret, startProvider } from './provider.mjs'

const [program] = process.argv.slice(2)

const server = certificate('server')
const own = certificate('own')
const renewed = certificate('renewed', own)
const foreign = certificate('foreign')
const { issuer, stop } = await startProvider(server)

function startApi(flags) {
  const tls = ['--tls-cert', server.certPath, '--tls-key', server.keyPath, '--client-cert-any']
  return startProgram(program, ['--issuer', issuer, '--issuer-profile', 'oidc-provider', '--audience', audience, ...tls, ...flags])
}

// Somebody with a certificate, a DPoP key, both or neither.
async function person({ cert, keys }) {
  const id = cert ? 'demo-mtls' : 'demo'
  const metadata = { use_mtls_endpoint_aliases: cert !== undefined }
  const config = await client.discovery(new URL(issuer), id, metadata, client.ClientSecretBasic(secret), {
    [client.customFetch]: fetchWith(server, cert),
    execute: [client.allowInsecureRequests],
  })
  return { id, config, options: keys && { DPoP: client.getDPoPHandle(config, keys) } }
}

async function obtain(who, format, resource = audience) {
  const parameters = { scope: 'notes:read', resource: `${resource}/${format}` }
  const answer = await client.clientCredentialsGrant(who.config, parameters, who.options)
  return answer.access_token
}

async function call(who, api, token) {
  const url = new URL(`${api}/whoami`)
  try {
    return await client.fetchProtectedResource(who.config, token, url, 'GET', undefined, undefined, who.options)
  } catch (error) {
    if (error instanceof client.WWWAuthenticateChallengeError) return error.response
    throw error
  }
}

async function accepted(who, api, token) {
  const response = await call(who, api, token)
  assert.equal(response.status, 200)
  return response.json()
}

async function refused(who, api, token, how) {
  const response = await call(who, api, token)
  assert.equal(response.status, 401, how)
  assert.match(response.headers.get('www-authenticate'), /error="invalid_token"/, how)
}

const keys = await client.randomDPoPKeyPair('ES256')
const nobody = await person({})
const prover = await person({ keys })
const otherProver = await person({ keys: await client.randomDPoPKeyPair('ES256') })
const holder = await person({ cert: own })
const otherHolder = await person({ cert: foreign })
const laterHolder = await person({ cert: renewed })
const both = await person({ cert: own, keys })
const jkt = await prover.options.DPoP.calculateThumbprint()
const x5t = { 'x5t#S256': own.thumbprint }

const bindings = [
  {
    name: 'DPOP-28 DPoP-bound',
    owner: prover,
    cnf: { jkt },
    proof: { kind: 'dpop', jkt, covered: [] },
    others: { 'as Bearer': nobody, 'proof by another key': otherProver },
  },
  {
    name: 'MTLS-01 MTLS-02 MTLS-03 MTLS-04 certificate-bound',
    owner: holder,
    cnf: x5t,
    proof: { kind: 'mtls', jkt: null, jti: null, ...x5t, covered: [] },
    others: { 'no certificate': nobody, 'another one': otherHolder, 'renewed one': laterHolder, 'as DPoP': both },
  },
]

const endpoint = nobody.config.serverMetadata().introspection_endpoint
const asking = ['--introspection-url', endpoint, '--introspection-client-id', 'api', '--introspection-client-secret']
const apis = {
  jwt: await startApi([]),
  asked: await startApi([...asking, secret]),
  signed: await startApi([...asking, secret, '--introspection-jwt']),
  jwtFirst: await startApi([...asking, secret, '--jwt-first']),
  wrongSecret: await startApi([...asking, `${secret}!`]),
}

const modes = [
  ['ATK-07', 'ES256 JWT, verified', apis.jwt, 'ES256'],
  ['ATK-07', 'RS256 JWT, verified', apis.jwt, 'RS256'],
  ['INTRO-01 INTRO-03 INTRO-04', 'opaque, asked about', apis.asked, 'opaque'],
  ['INTRO-10 INTRO-11', 'opaque, signed answers', apis.signed, 'opaque'],
  ['ATK-07', 'ES256 JWT, where JWTs come first', apis.jwtFirst, 'ES256'],
  ['INTRO-04', 'opaque, where JWTs come first', apis.jwtFirst, 'opaque'],
]

// These wait, so they begin before everything else and are awaited after it.
async function refusedWithin(seconds, token) {
  const end = Date.now() + seconds * 1000
  while ((await call(prover, apis.asked, token)).status === 200) {
    assert.ok(Date.now() < end, `still accepted after ${seconds} s`)
    await sleep(200)
  }
  await refused(prover, apis.asked, token)
}

async function revokedAfterUse() {
  const token = await obtain(prover, 'opaque')
  await accepted(prover, apis.asked, token)
  await client.tokenRevocation(prover.config, token)
  await accepted(prover, apis.asked, token)
  await refusedWithin(12, token)
}

async function expiredWhileKnown() {
  const token = await obtain(prover, 'opaque?ttl=4')
  await accepted(prover, apis.asked, token)
  await refusedWithin(6, token)
}

const waits = Promise.allSettled([revokedAfterUse(), expiredWhileKnown()])

const answers = []
for (const [rows, mode, api, format] of modes) {
  for (const { name, owner, cnf, proof, others } of bindings) {
    await test(`${rows} ${name}: ${mode}`, async () => {
      const token = await obtain(owner, format)
      const othersRefused = async (when) => {
        for (const [how, other] of Object.entries(others)) await refused(other, api, token, `${how}, ${when}`)
      }
      await othersRefused('first seen')
      const answer = await accepted(owner, api, token)
      const jti = proof.kind === 'dpop' ? answer.proof.jti : null
      assert.notEqual(jti, undefined)
      const subject = { iss: issuer, sub: owner.id, client_id: owner.id }
      assert.deepEqual(answer, { ...subject, aud: [audience], scope: 'notes:read', cnf, proof: { ...proof, jti } })
      await othersRefused('known')
      answers.push({ name, answer: { ...answer, proof: { ...answer.proof, jti: jti && 'any' } } })
    })
  }
}

await test('INTRO-03 opaque tokens and JWTs look the same to the application', () => {
  for (const { name } of bindings) {
    const [first, ...rest] = answers.filter((answered) => answered.name === name).map(({ answer }) => answer)
    assert.equal(rest.length, modes.length - 1)
    for (const other of rest) assert.deepEqual(other, first)
  }
})

await test('ATK-07 a JWT that differs in `typ` alone', async () => {
  await refused(prover, apis.jwt, await obtain(prover, 'ES256?typ=JWT'))
  await accepted(prover, apis.jwt, await obtain(prover, 'ES256?typ=application/at%2Bjwt'))
})

for (const [rows, api, format] of [['ATK-10', apis.jwt, 'ES256'], ['INTRO-03', apis.asked, 'opaque']]) {
  await test(`${rows} a token for another audience: ${format}`, async () => {
    await refused(prover, api, await obtain(prover, format, 'https://other.example'))
    await accepted(prover, api, await obtain(prover, format))
  })
}

await test('INTRO-02 a token that was revoked before its first use', async () => {
  const [revoked, other] = [await obtain(prover, 'opaque'), await obtain(prover, 'opaque')]
  await client.tokenRevocation(prover.config, revoked)
  await refused(prover, apis.asked, revoked)
  await accepted(prover, apis.asked, other)
})

await test('INTRO-07 the server refuses to be asked: with a wrong secret', async () => {
  const token = await obtain(prover, 'opaque')
  assert.equal((await call(prover, apis.wrongSecret, token)).status, 503)
  await accepted(prover, apis.asked, token)
})

await test('INTRO-07 X-63 the server refuses to be asked about JWTs, which leaves opaque tokens alone', async () => {
  for (let count = 0; count < 12; count += 1) {
    assert.equal((await call(prover, apis.asked, await obtain(prover, 'ES256'))).status, 503)
  }
  await accepted(prover, apis.asked, await obtain(prover, 'opaque'))
})

const [revoked, expired] = await waits
for (const [name, { reason }] of [['the configured time', revoked], ['`exp`', expired]]) {
  await test(`INTRO-06 an answer holds until ${name} and no longer`, () => assert.ifError(reason))
}

await test('INTRO-07 ATK-27 the server is gone: what is known is served, the rest is 503', async () => {
  const known = [[apis.jwt, await obtain(prover, 'ES256')], [apis.asked, await obtain(prover, 'opaque')]]
  for (const [api, token] of known) await accepted(prover, api, token)
  const unknown = await obtain(prover, 'opaque')
  stop()
  for (const [api, token] of known) await accepted(prover, api, token)
  assert.equal((await call(prover, apis.asked, unknown)).status, 503)
})

finish()
