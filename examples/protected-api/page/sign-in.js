// Gets a bound token: authorization code with PKCE (RFC 7636), `iss` in the response (RFC 9207), DPoP at the token endpoint.

import { newKey, proof, random, saveKey, savedKey, sha256 } from './proof.js'

const CLIENT = 'demo-page'
const redirectUri = location.origin + location.pathname

async function json(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
  return response.json()
}

/** Finds the authorization server of an API (RFC 9728, RFC 8414). */
export async function discover(api) {
  const resource = await json(`${api}/.well-known/oauth-protected-resource`)
  if (resource.resource !== api) throw new Error(`the API calls itself ${resource.resource}`)
  const issuer = new URL(resource.authorization_servers[0])
  const path = issuer.pathname === '/' ? '' : issuer.pathname
  const server = await json(`${issuer.origin}/.well-known/oauth-authorization-server${path}`)
  if (server.issuer !== resource.authorization_servers[0]) throw new Error(`the server calls itself ${server.issuer}`)
  return server
}

/** Leaves this page for the authorization server. */
export async function start(api, server) {
  const key = await newKey()
  await saveKey(key)
  const pending = { api, verifier: random(), state: random() }
  sessionStorage.setItem('pending', JSON.stringify(pending))
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT,
    redirect_uri: redirectUri,
    scope: 'notes:read notes:write',
    resource: api,
    state: pending.state,
    code_challenge: await sha256(pending.verifier),
    code_challenge_method: 'S256',
  })
  location.assign(`${server.authorization_endpoint}?${query}`)
}

/** Returns the API that the page signed in for before a redirect, if this is one back. */
export function returned() {
  const query = new URLSearchParams(location.search)
  const pending = JSON.parse(sessionStorage.getItem('pending') ?? 'null')
  if (!pending || !query.has('state')) return null
  sessionStorage.removeItem('pending') // whatever happens: a response counts once
  history.replaceState(null, '', redirectUri)
  return { query, pending }
}

/** Exchanges the code for a token. */
export async function finish({ query, pending }, server) {
  if (query.get('state') !== pending.state) throw new Error('the response is not to the request of this page')
  if (query.get('iss') !== server.issuer) throw new Error('the response comes from another server')
  if (query.has('error')) throw new Error(`the authorization server says ${query.get('error')}`)
  const key = await savedKey()
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: CLIENT,
    code: query.get('code'),
    redirect_uri: redirectUri,
    code_verifier: pending.verifier,
  })
  const url = server.token_endpoint
  const send = async (nonce) =>
    fetch(url, { method: 'POST', headers: { DPoP: await proof(key, { method: 'POST', url, nonce }) }, body })
  let response = await send()
  let answer = await response.json()
  if (answer.error === 'use_dpop_nonce') {
    response = await send(response.headers.get('DPoP-Nonce'))
    answer = await response.json()
  }
  if (!response.ok) throw new Error(`the token endpoint says ${answer.error}: ${answer.error_description ?? ''}`)
  if (answer.token_type !== 'DPoP') throw new Error(`the token is a ${answer.token_type} token`)
  return { key, token: answer.access_token }
}
