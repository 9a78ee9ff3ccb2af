// The example API against signed requests that others make, and others against what our client signs: npm
// `http-message-signatures`, `jose` and `dpop`.
// Usage: node signatures.mjs PROTECTED_API_PROGRAM OURS_PROGRAM
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import * as crypto from 'node:crypto'
import * as dpop from 'dpop'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import * as jose from 'jose'
import { finish, test } from './harness.mjs'
import { accepted, audience, common, content, digest, now, otherContent, rejected, send, token } from './issuer.mjs'
import { file, startApi } from './program.mjs'

const [program, ours] = process.argv.slice(2)

// The key-encryption keys of the API, made by jose.
const keks = []
for (const [alg, crv] of [
  ['RSA-OAEP-256'],
  ['ECDH-ES', 'P-256'],
  ['ECDH-ES', 'X25519'],
  ['ECDH-ES+A256KW', 'P-256'],
  ['ECDH-ES+A256KW', 'P-384'],
  ['ECDH-ES+A256KW', 'P-521'],
  ['ECDH-ES+A256KW', 'X25519'],
]) {
  const { privateKey } = await jose.generateKeyPair(alg, { crv, extractable: true })
  keks.push({ ...(await jose.exportJWK(privateKey)), alg, kid: crv ? `${alg} ${crv}` : alg })
}
for (const alg of ['A256KW', 'A256GCMKW', 'dir']) {
  keks.push({ kty: 'oct', k: crypto.randomBytes(32).toString('base64url'), alg, kid: alg })
}
const api = await startApi(program, [...common, '--proofs', 'dpop,httpsig,pop,hmac', '--kek-file', file('kek.json', { keys: keks })])

// npm http-message-signatures signs.
const components = ['@method', '@target-uri', 'authorization']
const withContent = [...components, 'content-digest']
async function signed(key, tag, authorization, method, path, body, more = {}) {
  const digestField = body ? { 'Content-Digest': `sha-256=:${digest(body).toString('base64')}:` } : {}
  const message = { method, url: `${more.api ?? api}${path}`, headers: { Authorization: authorization, ...digestField, ...more.headers } }
  const fields = [...(body ? withContent : components), ...(more.fields ?? [])]
  const params = more.params ?? ['created', 'nonce', 'tag']
  const paramValues = { nonce: crypto.randomBytes(16).toString('base64url'), tag, ...more.values }
  return httpbis.signMessage({ key, fields, params, paramValues, name: more.name }, message)
}

const signatureKeys = [
  ['ed25519', 'Ed25519', ['ed25519']],
  ['ecdsa-p256-sha256', 'ES256', ['ec', { namedCurve: 'P-256' }]],
  ['ecdsa-p384-sha384', 'ES384', ['ec', { namedCurve: 'P-384' }]],
  ['rsa-v1_5-sha256', 'RS256', ['rsa', { modulusLength: 2048 }]],
  ['rsa-pss-sha512', 'PS512', ['rsa', { modulusLength: 2048 }]],
]
for (const [algorithm, alg, type] of signatureKeys) {
  await test(`SIG-03 SIG-06 SIG-23 http-message-signatures, ${algorithm}: GET, POST, and what is changed on the way`, async () => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync(...type)
    const key = createSigner(privateKey, algorithm)
    if (algorithm === 'rsa-pss-sha512') {
      // The library makes the longest salt that fits. RFC 9421 §3.3.1 requires 64 bytes.
      const padding = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }
      key.sign = async (data) => crypto.sign('sha512', data, { key: privateKey, ...padding })
    }
    const authorization = `HTTPSig ${await token({ jwk: { ...publicKey.export({ format: 'jwk' }), alg } })}`
    const get = () => signed(key, 'httpsig-oauth', authorization, 'GET', '/whoami/a%20b?b=2&a=%C3%A9')
    await accepted(await get(), undefined, 'httpsig', components)
    const post = () => signed(key, 'httpsig-oauth', authorization, 'POST', '/echo?a=1', content)
    const request = await post()
    await accepted(request, content)
    await rejected(request, content, 'invalid_signature')
    await rejected(await post(), otherContent, 'invalid_signature')
    await rejected({ ...(await post()), method: 'PUT' }, content, 'invalid_signature')
    await rejected({ ...(await post()), url: `${api}/echo?a=2` }, content, 'invalid_signature')
    await rejected(await signed(key, 'other', authorization, 'POST', '/echo', content), content, 'invalid_signature')
    const named = { params: ['created', 'nonce', 'tag', 'keyid'], values: { keyid: 'a' } }
    await rejected(await signed(key, 'httpsig-oauth', authorization, 'GET', '/whoami', undefined, named), undefined, 'invalid_signature')
  })
}

await test('SIG-07 SIG-15 http-message-signatures: old signatures, and ECDSA signatures in ASN.1', async () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = createSigner(privateKey, 'ecdsa-p256-sha256')
  const authorization = `HTTPSig ${await token({ jwk: { ...publicKey.export({ format: 'jwk' }), alg: 'ES256' } })}`
  const get = (signer, age) => {
    const values = { created: new Date(Date.now() - age * 1000) }
    return signed(signer, 'httpsig-oauth', authorization, 'GET', '/whoami', undefined, { values })
  }
  await accepted(await get(key, 50), undefined, 'httpsig', components)
  await rejected(await get(key, 62), undefined, 'invalid_signature')
  await rejected(await get(key, -3600), undefined, 'invalid_signature')
  const asn1 = { ...key, sign: async (data) => crypto.sign('sha256', data, privateKey) }
  await rejected(await get(asn1, 0), undefined, 'invalid_signature')
})

// A request with two signatures with the tag, and one with another tag.
await test('SIG-05 http-message-signatures: several signatures', async () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519')
  const key = createSigner(privateKey, 'ed25519')
  const authorization = `HTTPSig ${await token({ jwk: { ...publicKey.export({ format: 'jwk' }), alg: 'Ed25519' } })}`
  const other = createSigner(crypto.generateKeyPairSync('ed25519').privateKey, 'ed25519')
  for (const [second, tag, status] of [[key, 'httpsig-oauth', 200], [other, 'other', 200], [other, 'httpsig-oauth', 401]]) {
    const nonce = crypto.randomUUID()
    const first = await signed(key, 'httpsig-oauth', authorization, 'GET', '/whoami', undefined, { values: { nonce } })
    const config = { fields: components, params: ['created', 'nonce', 'tag'], paramValues: { nonce, tag }, name: 'second' }
    const both = await httpbis.signMessage({ key: second, ...config }, first)
    assert.equal((await send(both)).status, status)
  }
})

// jose encrypts the symmetric key, for the public keys that the API publishes where there are any.
const shared = crypto.randomBytes(32)
const sharedJwk = (k = shared) => JSON.stringify({ kty: 'oct', k: k.toString('base64url'), alg: 'HS256' })
const { jwks_uri } = await (await fetch(`${api}/.well-known/oauth-protected-resource`)).json()
const { keys: published } = await (await fetch(jwks_uri)).json()
async function encrypted(kek, enc, header = {}, plaintext = sharedJwk()) {
  const jwk = published.find(({ kid }) => kid === kek.kid) ?? kek
  const jwe = new jose.CompactEncrypt(new TextEncoder().encode(plaintext))
  const key = kek.kty === 'oct' ? Buffer.from(kek.k, 'base64url') : await jose.importJWK(jwk, kek.alg)
  return jwe.setProtectedHeader({ alg: kek.alg, enc, kid: kek.kid, ...header }).encrypt(key)
}
const mac = createSigner(shared, 'hmac-sha256')

await test('META-13 the public key-encryption keys are published without private parts', () => {
  assert.deepEqual(published.map(({ kid }) => kid), keks.filter(({ kty }) => kty !== 'oct').map(({ kid }) => kid))
  for (const jwk of published) assert.equal(jwk.d ?? jwk.p ?? jwk.k, undefined)
})

for (const kek of keks) {
  for (const enc of ['A256GCM', 'A128CBC-HS256']) {
    if (kek.alg === 'dir' && enc !== 'A256GCM') continue // not allowed, and the key would not fit
    await test(`SYM-01 SYM-03 SYM-07 jose, ${kek.kid} with ${enc}: HMAC message signature and HS256 envelope`, async () => {
      const at = await token({ jwe: await encrypted(kek, enc) })
      const get = () => signed(mac, 'oauth-pop-hmac', `PoP ${at}`, 'GET', '/whoami')
      await accepted(await get(), undefined, 'hmac', components)
      const post = await signed(mac, 'oauth-pop-hmac', `PoP ${at}`, 'POST', '/echo', content)
      await rejected(post, otherContent, 'invalid_proof')
      await accepted(post, content)
      const wrong = createSigner(crypto.randomBytes(32), 'hmac-sha256')
      await rejected(await signed(wrong, 'oauth-pop-hmac', `PoP ${at}`, 'GET', '/whoami'), undefined, 'invalid_proof')
      await accepted(await envelope('HS256', shared, at, 'GET', '/whoami'), undefined, 'pop', ['m', 'u', 'p'])
      const enveloped = await envelope('HS256', shared, at, 'POST', '/echo', { body: content })
      await rejected(enveloped, otherContent, 'invalid_proof')
      await accepted(enveloped, content)
    })
  }
}

await test('SYM-03 SYM-04 SYM-05 jose: keys and algorithms that are not accepted', async () => {
  const kek = keks.find(({ alg }) => alg === 'A256KW')
  const password = keks.find(({ kty }) => kty === 'oct')
  const pbes2 = new jose.CompactEncrypt(new TextEncoder().encode(sharedJwk()))
    .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', kid: password.kid })
    .encrypt(Buffer.from(password.k, 'base64url'))
  for (const jwe of [
    await pbes2,
    await encrypted(kek, 'A256CBC-HS512'),
    await encrypted(kek, 'A256GCM', { kid: 'other' }),
    await encrypted(kek, 'A256GCM', {}, sharedJwk(shared.subarray(0, 16))),
    await encrypted(kek, 'A256GCM', {}, 'not a JWK'),
    (await encrypted(kek, 'A256GCM')).slice(0, -4),
  ]) {
    const request = await signed(mac, 'oauth-pop-hmac', `PoP ${await token({ jwe })}`, 'GET', '/whoami')
    await rejected(request, undefined, 'invalid_token')
  }
})

await test('SYM-06 SYM-09 SYM-10 jose: two audiences, MACs that are cut short, and envelopes that are not HS256', async () => {
  const jwe = await encrypted(keks.find(({ alg }) => alg === 'A256KW'), 'A256GCM')
  const both = await token({ jwe }, [audience, 'https://other.example'])
  await rejected(await signed(mac, 'oauth-pop-hmac', `PoP ${both}`, 'GET', '/whoami'), undefined, 'invalid_token')
  const at = await token({ jwe })
  const short = { ...mac, sign: async (data) => (await mac.sign(data)).subarray(0, 16) }
  await rejected(await signed(short, 'oauth-pop-hmac', `PoP ${at}`, 'GET', '/whoami'), undefined, 'invalid_proof')
  await accepted(await signed(mac, 'oauth-pop-hmac', `PoP ${at}`, 'GET', '/whoami'), undefined, 'hmac', components)
  const { privateKey } = await jose.generateKeyPair('ES256')
  await rejected(await envelope('HS512', crypto.randomBytes(64), at, 'GET', '/whoami'), undefined, 'invalid_proof')
  await rejected(await envelope('ES256', privateKey, at, 'GET', '/whoami'), undefined, 'invalid_token')
  await accepted(await envelope('HS256', shared, at, 'GET', '/whoami'), undefined, 'pop', ['m', 'u', 'p'])
})

// jose makes envelopes.
async function envelope(alg, key, at, method, path, { body, claims, header = { typ: 'pop' }, base = api } = {}) {
  const { host, pathname, search } = new URL(`${base}${path}`)
  const query = search.slice(1)
  const names = query && query.split('&').map((parameter) => parameter.split('=')[0])
  const payload = {
    at,
    ts: now(),
    m: method,
    u: host,
    p: pathname,
    q: query ? [names, digest(query).toString('base64url')] : undefined,
    b: body && digest(body).toString('base64url'),
    nonce: crypto.randomUUID(),
    ...claims,
  }
  const jws = await new jose.SignJWT(payload).setProtectedHeader({ alg, ...header }).sign(key)
  return { method, url: `${base}${path}`, headers: { Authorization: `PoP ${jws}` } }
}

for (const alg of ['ES256', 'ES384', 'Ed25519', 'PS256', 'RS256']) {
  await test(`SHR-01 SHR-04 SHR-10 jose, ${alg}: envelopes with the key in the token, and with its thumbprint`, async () => {
    const { privateKey, publicKey } = await jose.generateKeyPair(alg)
    const jwk = await jose.exportJWK(publicKey)
    const byKey = await token({ jwk })
    const byThumbprint = await token({ kid: await jose.calculateJwkThumbprint(jwk) })
    const covered = ['m', 'u', 'p', 'q']
    await accepted(await envelope(alg, privateKey, byKey, 'GET', '/whoami/x%20y?b=2&a=%C3%A9'), undefined, 'pop', covered)
    const own = { claims: { cnf: { jwk } } }
    await accepted(await envelope(alg, privateKey, byThumbprint, 'GET', '/whoami?a=1', own), undefined, 'pop', covered)
    await rejected(await envelope(alg, privateKey, byThumbprint, 'GET', '/whoami?a=1'), undefined, 'invalid_token')
    const thief = await jose.generateKeyPair(alg)
    const stolen = { claims: { cnf: { jwk: await jose.exportJWK(thief.publicKey) } } }
    await rejected(await envelope(alg, thief.privateKey, byThumbprint, 'GET', '/whoami', stolen), undefined, 'invalid_token')
    const post = await envelope(alg, privateKey, byKey, 'POST', '/echo', { body: content })
    await rejected(post, otherContent, 'invalid_proof')
    await rejected({ ...post, method: 'PUT' }, content, 'invalid_proof')
    await accepted(post, content)
    await rejected(post, content, 'invalid_proof')
    await rejected(await envelope(alg, privateKey, byKey, 'GET', '/whoami', { header: {} }), undefined, 'invalid_proof')
    await rejected(await envelope(alg, thief.privateKey, byKey, 'GET', '/whoami'), undefined, 'invalid_proof')
  })
}

await test('SHR-02 SHR-09 SYM-10 jose: header fields in envelopes, and algorithms that are confused', async () => {
  const { privateKey, publicKey } = await jose.generateKeyPair('ES256')
  const jwk = await jose.exportJWK(publicKey)
  const at = await token({ jwk })
  const claims = { h: [['content-type', 'x-a'], digest('content-type: application/json\nx-a: 1').toString('base64url')] }
  const fields = await envelope('ES256', privateKey, at, 'GET', '/whoami', { claims })
  const withField = (value) => ({ ...fields, headers: { ...fields.headers, 'X-A': value } })
  await rejected(fields, undefined, 'invalid_proof')
  await rejected(withField('2'), undefined, 'invalid_proof')
  await accepted(withField('1'), undefined, 'pop', ['m', 'u', 'p', 'h'])
  // The public key as the key of a MAC.
  for (const key of [Buffer.from(JSON.stringify(jwk)), Buffer.from(await jose.exportSPKI(publicKey))]) {
    await rejected(await envelope('HS256', key, at, 'GET', '/whoami'), undefined, 'invalid_token')
  }
  const { url, headers } = await envelope('ES256', privateKey, at, 'GET', '/whoami')
  const [, payload] = headers.Authorization.split('.')
  const none = `${Buffer.from('{"alg":"none","typ":"pop"}').toString('base64url')}.${payload}.`
  await rejected({ method: 'GET', url, headers: { Authorization: `PoP ${none}` } }, undefined, 'invalid_proof')
  await accepted({ method: 'GET', url, headers }, undefined, 'pop', ['m', 'u', 'p'])
})

await test('SIG-26 X-59 dpop and http-message-signatures: a signature in addition to DPoP', async () => {
  const keys = await dpop.generateKeyPair('ES256', { extractable: true })
  const pem = crypto.KeyObject.from(keys.privateKey)
  const jkt = await jose.calculateJwkThumbprint(await jose.exportJWK(keys.publicKey))
  const strict = await startApi(program, [...common, '--message-signature', 'required'])
  const at = await token({ jkt })
  const proven = async (body, more) => {
    const proof = await dpop.generateProof(keys, `${strict}/echo`, 'POST', undefined, at)
    const rest = { api: strict, headers: { DPoP: proof }, fields: ['dpop'], ...more }
    return signed(createSigner(pem, 'ecdsa-p256-sha256'), 'fapi-2-request', `DPoP ${at}`, 'POST', '/echo?a=1', body, rest)
  }
  const full = { params: ['created', 'keyid', 'alg', 'tag'], values: { keyid: jkt } }
  await accepted(await proven(content), content)
  await accepted(await proven(content, full), content)
  await rejected(await proven(content), otherContent, 'invalid_signature')
  await rejected({ ...(await proven(content)), url: `${strict}/echo?a=2` }, content, 'invalid_signature')
  await rejected(await proven(content, { ...full, values: { keyid: 'unknown' } }), content, 'invalid_signature')
  await rejected(await proven(content, { fields: [] }), content, 'invalid_signature')
})

// The other direction.
const recipients = { keys: [...published, ...keks.filter(({ kty }) => kty === 'oct')] }
const made = JSON.parse(execFileSync(ours, [file('recipients.json', recipients)], { encoding: 'utf8' }))

for (const { alg, jwk, content, ...message } of made.messages) {
  await test(`CLI-16 http-message-signatures verifies what our client signs: ${alg}`, async () => {
    const key = jwk.k ? Buffer.from(jwk.k, 'base64url') : crypto.createPublicKey({ key: jwk, format: 'jwk' })
    const keyLookup = async () => ({ algs: [alg], verify: createVerifier(key, alg) })
    const verify = (request) => httpbis.verifyMessage({ keyLookup, requiredParams: ['created', 'nonce', 'tag'] }, request)
    assert.equal(await verify(message), true)
    assert.equal(await verify({ ...message, method: 'PUT' }), false)
    assert.equal(await verify({ ...message, headers: { ...message.headers, 'x-list': ['a', 'b'] } }), false)
    assert.equal(message.headers['content-digest'], `sha-256=:${digest(content).toString('base64')}:`)
  })
}

for (const { alg, jwk, envelope } of made.envelopes) {
  await test(`CLI-16 jose verifies the envelopes of our client: ${alg}`, async () => {
    const key = jwk.k ? Buffer.from(jwk.k, 'base64url') : await jose.importJWK(jwk, alg)
    const { payload, protectedHeader } = await jose.jwtVerify(envelope, key, { typ: 'pop', algorithms: [alg] })
    assert.deepEqual([payload.at, payload.m, payload.u, payload.p], ['the-token', 'POST', 'api.example', '/notes%20a'])
    assert.deepEqual(payload.q, [['b', 'a'], digest('b=2&a=%C3%A9').toString('base64url')])
    assert.equal(payload.b, digest(made.messages[0].content).toString('base64url'))
    assert.deepEqual(payload.cnf, jwk.k ? undefined : { jwk })
    assert.equal(protectedHeader.alg, alg)
  })
}

await test('AS-17 jose decrypts the keys that our authorization server encrypts', async () => {
  assert.equal(made.jwes.length, 2 * keks.length - 1)
  for (const { kid, alg, enc, jwe } of made.jwes) {
    const kek = keks.find((kek) => kek.kid === kid)
    const key = kek.kty === 'oct' ? Buffer.from(kek.k, 'base64url') : await jose.importJWK(kek, alg)
    const { plaintext, protectedHeader } = await jose.compactDecrypt(jwe, key)
    assert.equal(JSON.parse(new TextDecoder().decode(plaintext)).k, made.key, `${kid} ${enc}`)
    assert.deepEqual([protectedHeader.alg, protectedHeader.enc, protectedHeader.kid], [alg, enc, kid])
  }
})

finish()
