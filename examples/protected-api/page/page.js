// The page: a call, attacks, and what came back.

import { decoded, newKey, proof } from './proof.js'
import { discover, finish, returned, start } from './sign-in.js'

const element = (id) => document.getElementById(id)
const back = returned()
const api = back?.pending.api ?? new URLSearchParams(location.search).get('api') ?? location.origin
const notes = `${api}/notes`

let session // the key and the token
let nonce // the newest of the API
let last // the last good request, for the replay

/** Sends a request. The newest nonce of the API is kept, and a challenge for one is answered once. */
async function send({ method, url, headers }, again) {
  const response = await fetch(url, { method, headers, body: method === 'POST' ? 'stolen' : undefined })
  nonce = response.headers.get('DPoP-Nonce') ?? nonce
  const challenge = response.headers.get('WWW-Authenticate') ?? ''
  if (again && challenge.includes('use_dpop_nonce')) return send(await again())
  return { request: { method, url, headers }, response, challenge, text: await response.text() }
}

const signed = async (method, url, claims = {}, key = session.key) => ({
  method,
  url,
  headers: {
    Authorization: `DPoP ${session.token}`,
    DPoP: await proof(key, { method, url, token: session.token, nonce, ...claims }),
  },
})

const calls = {
  'Read the notes': {
    what: 'The token, and a proof for this request: GET /notes, now.',
    accepted: true,
    make: async () => (last = await signed('GET', notes)),
  },
}

const attacks = {
  'Replay the request': {
    what: 'The last good request once more, byte by byte. Its proof was used.',
    make: async () => last ?? Promise.reject(new Error('read the notes first: there is nothing to replay')),
    once: true,
  },
  'Use the stolen token': {
    what: 'The token, with a proof by the key of a thief. The token is bound to another key.',
    make: async () => signed('GET', notes, {}, await newKey()),
  },
  'Use it as a bearer token': {
    what: 'The token under the scheme Bearer, without a proof.',
    make: async () => ({ method: 'GET', url: notes, headers: { Authorization: `Bearer ${session.token}` } }),
  },
  'Change the method': {
    what: 'A proof for GET, sent with POST.',
    make: async () => ({ ...(await signed('GET', notes)), method: 'POST' }),
  },
  'Change the URL': {
    what: 'A proof for /notes, sent to /whoami.',
    make: async () => ({ ...(await signed('GET', notes)), url: `${api}/whoami` }),
  },
  'Use an old proof': {
    what: 'A proof that was made an hour ago.',
    make: async () => signed('GET', notes, { issuedAt: Math.floor(Date.now() / 1000) - 3600 }),
  },
}

/** Reads why a request was rejected: one of the challenges says it, the one for the scheme of the request. */
function reason(challenge) {
  const found = challenge.match(/error="([^"]*)", error_description="([^"]*)"/)
  return found ? `${found[2]} (${found[1]})` : 'The response does not say why.'
}

function add(list, term, ...texts) {
  list.append(Object.assign(document.createElement('dt'), { textContent: term }))
  for (const textContent of texts) {
    const description = document.createElement('dd')
    description.append(Object.assign(document.createElement('pre'), { textContent }))
    list.append(description)
  }
}

function show(name, { what, accepted = false }, { request, response, challenge, text }) {
  const expected = response.ok === accepted
  const verdict = response.ok ? 'accepted' : 'rejected'
  const article = document.createElement('article')
  article.className = expected ? 'expected' : 'unexpected'
  const title = `${name}: ${response.status}, ${verdict}${expected ? '' : '. THIS SHOULD NOT HAPPEN'}`
  article.append(Object.assign(document.createElement('h3'), { textContent: title }))
  article.append(Object.assign(document.createElement('p'), { textContent: what }))
  const list = document.createElement('dl')
  const fields = Object.entries(request.headers).map(([field, value]) => `${field}: ${value}`)
  if (!response.ok) add(list, 'Why', reason(challenge))
  add(list, 'Request', [`${request.method} ${request.url}`, ...fields].join('\n'))
  if (request.headers.DPoP) add(list, 'Proof, decoded', decoded(request.headers.DPoP))
  add(list, 'Response', `${response.status}\n${challenge && `WWW-Authenticate: ${challenge}\n`}\n${text}`)
  article.append(list)
  element('none').hidden = true
  element('log').prepend(article)
}

function button(list, name, action) {
  const item = document.createElement('li')
  const press = Object.assign(document.createElement('button'), { type: 'button', textContent: name, disabled: true })
  const id = name.replaceAll(' ', '-').toLowerCase()
  const description = Object.assign(document.createElement('span'), { textContent: action.what, id })
  press.setAttribute('aria-describedby', description.id)
  press.addEventListener('click', async () => {
    try {
      show(name, action, await send(await action.make(), action.once ? undefined : action.make))
    } catch (error) {
      status(`${name}: ${error.message}`)
    }
  })
  item.append(press, description)
  element(list).append(item)
}

const status = (text) => {
  element('session').textContent = text
}

async function load() {
  element('api').textContent = api
  for (const [name, action] of Object.entries(calls)) button('calls', name, action)
  for (const [name, action] of Object.entries(attacks)) button('attacks', name, action)
  const server = await discover(api)
  element('sign-in').addEventListener('click', () => start(api, server).catch((error) => status(error.message)))
  element('sign-in').disabled = false
  if (!back) return status('Not signed in.')
  session = await finish(back, server)
  status('Signed in: there is a token that is bound to the key of this page.')
  for (const press of document.querySelectorAll('li button')) press.disabled = false
}

load().catch((error) => status(`It does not work: ${error.message}.`))
