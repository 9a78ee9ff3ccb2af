// ML-DSA (RFC 9964) in both directions: npm `jose` and `openid-client` on the ML-DSA of Node.js, which is that of OpenSSL.
// Needs Node.js 24 or newer.
// Usage: node ml_dsa.mjs PROTECTED_API_PROGRAM OURS_PROGRAM
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import * as crypto from 'node:crypto'
import { createInterface } from 'node:readline'
import * as jose from 'jose'
import * as client from 'openid-client'
import { mintAccessToken } from './access_token.mjs'
import { finish, test } from './harness.mjs'
import { audience, now, send } from './issuer.mjs'
import { file, startApi } from './program.mjs'

const [program, ours] = process.argv.slice(2)
const algorithms = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']
const issuer = 'https://as.example'

async function generate(alg) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  const [jwk, privateJwk] = await Promise.all([jose.exportJWK(publicKey), jose.exportJWK(privateKey)])
  return { alg, privateKey, jwk: { ...jwk, alg }, privateJwk, jkt: await jose.calculateJwkThumbprint({ ...jwk, alg }) }
}

const accept = ['--proof-algorithms', algorithms.join(), '--token-algorithms', algorithms.join()]
const apiFor = (jwks) =>
  startApi(program, ['--issuer', issuer, '--audience', audience, '--jwks-file', file('jwks.json', jwks), ...accept])

const token = ({ alg, privateKey }, jkt) => mintAccessToken({ issuer, audience, cnf: { jkt }, key: privateKey, alg })

const prove = (key, url, accessToken, header = {}) =>
  new jose.SignJWT({ htm: 'GET', htu: url, jti: crypto.randomUUID(), ath: crypto.createHash('sha256').update(accessToken).digest('base64url') })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...header })
    .setIssuedAt(now())
    .sign(key.privateKey)

// Another first character of the signature, which has no unused bits.
function altered(jws) {
  const at = jws.lastIndexOf('.') + 1
  return `${jws.slice(0, at)}${jws[at] === 'A' ? 'B' : 'A'}${jws.slice(at + 1)}`
}

for (const alg of algorithms) {
  await test(`DPOP-44 jose, ${alg}: proofs and tokens, and what is changed in them`, async () => {
    const [issuing, key, other] = [await generate(alg), await generate(alg), await generate(alg)]
    const url = `${await apiFor({ keys: [{ ...issuing.jwk, kid: 'issuer' }] })}/whoami`
    const bound = await token(issuing, key.jkt)
    const call = async (proof, accessToken = bound) => {
      const answer = await send({ method: 'GET', url, headers: { Authorization: `DPoP ${accessToken}`, DPoP: proof } })
      return `${answer.status} ${/error="([^"]*)"/.exec(answer.challenge ?? '')?.[1] ?? ''}`.trim()
    }
    const fresh = (header) => prove(key, url, bound, header)
    const proof = await fresh()
    assert.equal(await call(altered(proof)), '401 invalid_dpop_proof', 'altered')
    assert.equal(await call(proof), '200')
    assert.equal(await call(proof), '401 invalid_dpop_proof', 'again')
    assert.equal(await call(await prove(other, url, bound)), '401 invalid_token', 'another key')
    assert.equal(await call(await fresh({ jwk: other.jwk })), '401 invalid_dpop_proof', 'signed by another key')
    assert.equal(await call(await fresh({ jwk: key.privateJwk })), '401 invalid_dpop_proof', 'DPOP-07 X-05')
    const { alg: _, ...unnamed } = key.jwk
    assert.equal(await call(await fresh({ jwk: unnamed })), '401 invalid_dpop_proof', 'no alg')
    const forged = altered(bound)
    assert.equal(await call(await prove(key, url, forged), forged), '401 invalid_token', 'an altered token')
    const foreign = await token(other, key.jkt)
    assert.equal(await call(await prove(key, url, foreign), foreign), '401 invalid_token', 'a token of another issuer')
    assert.equal(await call(await fresh()), '200', 'the twin')
  })
}

const { ml_dsa: made } = JSON.parse(execFileSync(ours, [file('no-keys.json', { keys: [] })], { maxBuffer: 1 << 24 }))
for (const { alg, jkt, private: privateJwk, jwks, proof, token: accessToken } of made) {
  await test(`JOSE-15 DPOP-44 ${alg} of ours: jose verifies proof and token, and uses the seed`, async () => {
    const { jwk } = jose.decodeProtectedHeader(proof)
    const { priv: seed, ...publicJwk } = privateJwk
    assert.deepEqual(jwk, publicJwk)
    assert.equal(Buffer.from(seed, 'base64url').length, 32)
    assert.equal(await jose.calculateJwkThumbprint(jwk), jkt)
    const publicKey = await jose.importJWK(jwk, alg)
    const verified = await jose.jwtVerify(proof, publicKey, { typ: 'dpop+jwt', algorithms: [alg] })
    assert.equal(verified.payload.ath, crypto.createHash('sha256').update(accessToken).digest('base64url'))
    await assert.rejects(jose.jwtVerify(altered(proof), publicKey), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
    const keys = jose.createLocalJWKSet(jwks)
    const { payload } = await jose.jwtVerify(accessToken, keys, { typ: 'at+jwt', issuer, audience })
    assert.equal(payload.cnf.jkt, jkt)
    await assert.rejects(jose.jwtVerify(altered(accessToken), keys), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
    // The seed is the same key to both: jose signs with it for the public key that our client derived.
    const privateKey = await jose.importJWK(privateJwk, alg)
    const url = `${await apiFor(jwks)}/whoami`
    const headers = { Authorization: `DPoP ${accessToken}`, DPoP: await prove({ alg, jwk, privateKey }, url, accessToken) }
    assert.equal((await send({ method: 'GET', url, headers })).status, 200)
  })
}
assert.equal(made.length, algorithms.length)

// The development authorization server, for a client that others wrote.
const child = spawn(program, ['--listen', '127.0.0.1:0', '--authserver-listen', '127.0.0.1:0', '--proof-algorithms', ['ES256', ...algorithms].join()])
process.on('exit', () => child.kill('SIGKILL'))
const urls = {}
for await (const line of createInterface({ input: child.stdout })) {
  const [, name, url] = /^(authorization server|protected API) +(\S+)/.exec(line) ?? []
  if (name) urls[name] = url
  if (line.includes('still serving')) break
}
for (const alg of algorithms) {
  await test(`DPOP-44 openid-client, ${alg}: token request, GET, POST`, async () => {
    const config = await client.discovery(new URL(urls['authorization server']), 'demo', undefined, client.None(), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
    })
    assert.ok(config.serverMetadata().dpop_signing_alg_values_supported.includes(alg))
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg))
    const { access_token, token_type } = await client.clientCredentialsGrant(config, { scope: 'notes:read notes:write' }, { DPoP })
    assert.equal(token_type, 'dpop')
    const url = new URL(`${urls['protected API']}/notes?a=1`)
    const call = (method, body) => client.fetchProtectedResource(config, access_token, url, method, body, new Headers(), { DPoP })
    assert.equal((await call('GET')).status, 200)
    assert.equal((await call('POST', 'hello')).status, 201)
  })
}

finish()
