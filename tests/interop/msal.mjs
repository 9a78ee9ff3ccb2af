// The example API against the code that signs requests in MSAL: `PopTokenGenerator` of npm `@azure/msal-common`, and its
// `AuthenticationHeaderParser`, which takes nonces from responses.
// Usage: node msal.mjs PROTECTED_API_PROGRAM
import assert from 'node:assert/strict'
import * as crypto from 'node:crypto'
import { AuthenticationHeaderParser, Logger, PopTokenGenerator, StubPerformanceClient } from '@azure/msal-common'
import * as jose from 'jose'
import { finish, test } from './harness.mjs'
import { accepted, common, content, rejected, send, token } from './issuer.mjs'
import { startApi } from './program.mjs'

const [program] = process.argv.slice(2)
const start = (...more) => startApi(program, [...common, '--proofs', 'pop', ...more])
const entra = await start('--preset', 'entra')
const encode = (value) => Buffer.from(value).toString('base64url')
const PSS = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }

// A client of MSAL with its own key, and what MSAL leaves to its platforms.
async function newClient() {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' })
  const kid = await jose.calculateJwkThumbprint(jwk)
  const platform = {
    createNewGuid: () => crypto.randomUUID(),
    base64UrlEncode: encode,
    signTokenBindingJwt: async (header, payload) => {
      const input = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`
      const key = { key: privateKey, ...(header.alg === 'PS256' ? PSS : {}) }
      return `${input}.${crypto.sign('sha256', input, key).toString('base64url')}`
    },
  }
  const keyManager = { provisionTokenBindingKey: async () => kid, getTokenBindingPublicKeyJwk: async () => jwk }
  const generator = new PopTokenGenerator(platform, keyManager, new StubPerformanceClient())
  const { reqCnfString } = await generator.generateCnf({ correlationId: 'c' }, new Logger({}))
  const at = await token(JSON.parse(Buffer.from(reqCnfString, 'base64url').toString()))
  const request = async (base, method, path, more = {}) => {
    const parameters = { resourceRequestMethod: method, resourceRequestUri: `${base}${path}`, correlationId: 'c', ...more }
    const jws = await generator.signPopToken(more.at ?? at, kid, parameters)
    return { method, url: `${base}${path}`, headers: { Authorization: `PoP ${jws}` } }
  }
  return { at, request }
}
const { at, request } = await newClient()
const target = ['m', 'u', 'p']
const targetAndQuery = [...target, 'q']

await test('SHR-04 SHR-07 SHR-08 PopTokenGenerator of MSAL: methods, paths, queries and content', async () => {
  await accepted(await request(entra, 'get', '/whoami'), undefined, 'pop', target)
  await accepted(await request(entra, 'GET', '/whoami/Some/Path?Name=Value&b=%C3%A9'), undefined, 'pop', targetAndQuery)
  await accepted(await request(entra, 'POST', '/echo'), content)
  const other = await request(entra, 'GET', '/whoami?a=1')
  await rejected({ ...other, url: `${entra}/whoami?a=2` }, undefined, 'invalid_proof')
  await rejected({ ...other, url: `${entra}/whoami/b?a=1` }, undefined, 'invalid_proof')
  await rejected({ ...other, method: 'POST' }, undefined, 'invalid_proof')
  await accepted(other, undefined, 'pop', targetAndQuery)
  await rejected(other, undefined, 'invalid_proof')
})

await test('SHR-02 PopTokenGenerator of MSAL: PS256, and claims of the client', async () => {
  const more = { shrOptions: { header: { alg: 'PS256' } }, shrClaims: '{"device":1}' }
  await accepted(await request(entra, 'GET', '/whoami', more), undefined, 'pop', target)
})

await test('SHR-04 SHR-05 SHR-14 PopTokenGenerator of MSAL: the token of another client, and a token alone', async () => {
  const thief = await newClient()
  await rejected(await thief.request(entra, 'GET', '/whoami', { at }), undefined, 'invalid_token')
  await accepted(await thief.request(entra, 'GET', '/whoami'), undefined, 'pop', target)
  for (const scheme of ['Bearer', 'PoP']) {
    const { status } = await send({ method: 'GET', url: `${entra}/whoami`, headers: { Authorization: `${scheme} ${at}` } })
    assert.equal(status, 401, scheme)
  }
})

await test('SHR-06 PopTokenGenerator of MSAL: accepted with --preset entra only', async () => {
  const draft = await start('--signed-body', 'off')
  await rejected(await request(draft, 'GET', '/whoami'), undefined, 'invalid_proof')
})

await test('SHR-11 SHR-13 AuthenticationHeaderParser of MSAL: takes our nonces from challenges and from answers', async () => {
  const strict = await start('--preset', 'entra', '--nonce', 'required')
  const nonceOf = ({ headers }) => new AuthenticationHeaderParser(Object.fromEntries(headers)).getShrNonce()
  // Without a nonce it makes one up. It adds no `jti`, so only the nonce tells equal requests of one second apart.
  const get = (shrNonce) => request(strict, 'GET', '/whoami?a=1', { shrNonce })
  const refused = await rejected(await get(undefined), undefined, 'invalid_proof')
  const first = await accepted(await get(nonceOf(refused)), undefined, 'pop', targetAndQuery)
  await accepted(await get(nonceOf(first)), undefined, 'pop', targetAndQuery)
  const again = await rejected(await get('made up'), undefined, 'invalid_proof')
  const last = await get(nonceOf(again))
  await accepted(last, undefined, 'pop', targetAndQuery)
  await rejected(last, undefined, 'invalid_proof')
})

finish()
