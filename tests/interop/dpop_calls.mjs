// Calls of an example API that explains its rejections, with DPoP-bound tokens. npm `dpop` makes the proofs, one by one.
import assert from 'node:assert/strict'
import * as dpop from 'dpop'

export const newKeys = () => dpop.generateKeyPair('ES256')

const prove = (api, token, keys) => dpop.generateProof(keys, `${api}/whoami`, 'GET', undefined, token)

function send(api, { scheme = 'DPoP', token, proof }) {
  const headers = { Authorization: `${scheme} ${token}`, ...(proof && { DPoP: proof }) }
  return fetch(`${api}/whoami`, { headers })
}

async function content(response) {
  const body = await response.json()
  assert.equal(response.status, 200, body.code)
  return body
}

export async function accepted(api, token, keys) {
  return content(await send(api, { token, proof: await prove(api, token, keys) }))
}

async function rejected(api, credentials, status, code, error) {
  const response = await send(api, credentials)
  const body = await response.json()
  assert.deepEqual([response.status, body.code], [status, code])
  if (error) assert.match(response.headers.get('www-authenticate'), new RegExp(`^DPoP error="${error}"`))
}

// The proof is right: it is the token that must not pass.
export async function refused(api, token, keys, code) {
  await rejected(api, { token, proof: await prove(api, token, keys) }, 401, code, 'invalid_token')
}

export async function unavailable(api, token, keys, code) {
  await rejected(api, { token, proof: await prove(api, token, keys) }, 503, code)
}

// Uses the token in each wrong way, and in the right one. Returns what the API answers to that.
export async function acceptedWithProofOnly(api, token, keys) {
  const proof = await prove(api, token, keys)
  const byAnother = await prove(api, token, await newKeys())
  const forAnother = await prove(api, `${token}A`, keys)
  await rejected(api, { scheme: 'Bearer', token }, 401, 'credential.scheme_not_enabled', 'invalid_token')
  await rejected(api, { scheme: 'Bearer', token, proof }, 401, 'credential.scheme_not_enabled', 'invalid_token')
  await rejected(api, { token }, 401, 'proof.missing', 'invalid_dpop_proof')
  await rejected(api, { token, proof: byAnother }, 401, 'binding.key_mismatch', 'invalid_token')
  await rejected(api, { token, proof: forAnother }, 401, 'proof.ath_mismatch', 'invalid_dpop_proof')
  const answer = await content(await send(api, { token, proof }))
  await rejected(api, { token, proof }, 401, 'replay.replayed', 'invalid_dpop_proof')
  return { ...answer, proof: answer.proof.kind }
}
