// An authorization server whose keys are in a file, the options of an API that trusts it, and requests with its tokens.
import assert from 'node:assert/strict'
import * as crypto from 'node:crypto'
import * as jose from 'jose'
import { mintAccessToken } from './access_token.mjs'
import { file } from './program.mjs'

const issuer = 'https://as.example'
export const audience = 'https://api.example'
export const content = '{"note":"buy milk"}'
export const otherContent = '{"note":"buy silk"}'
export const digest = (text) => crypto.createHash('sha256').update(text).digest()
export const now = () => Math.floor(Date.now() / 1000)

const issuing = await jose.generateKeyPair('ES256')
const issuerJwk = { ...(await jose.exportJWK(issuing.publicKey)), alg: 'ES256', use: 'sig', kid: 'issuer' }
export const token = (cnf, aud = audience) =>
  mintAccessToken({ issuer, audience: aud, scope: 'notes:read notes:write', cnf, key: issuing.privateKey })
export const common = ['--issuer', issuer, '--audience', audience, '--jwks-file', file('jwks.json', { keys: [issuerJwk] })]

export async function send({ method, url, headers }, body) {
  const fields = { 'Content-Type': 'application/json', ...headers }
  const response = await fetch(url, { method, headers: fields, body: method === 'GET' ? undefined : body })
  const challenge = response.headers.get('www-authenticate')
  return { status: response.status, challenge, headers: response.headers, text: await response.text() }
}

// Without `kind`, the answer is the content.
export async function accepted(request, body, kind, covered) {
  const answer = await send(request, body)
  assert.equal(answer.status, 200, answer.challenge)
  if (kind) {
    const { proof } = JSON.parse(answer.text)
    assert.deepEqual([proof.kind, proof.covered], [kind, covered])
  } else {
    assert.equal(answer.text, body)
  }
  return answer
}

export async function rejected(request, body, error) {
  const answer = await send(request, body)
  assert.equal(answer.status, 401)
  assert.match(answer.challenge, new RegExp(`error="${error}"`))
  return answer
}
