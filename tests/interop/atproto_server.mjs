// npm `@atproto/oauth-provider`, the authorization server of the AT Protocol; and browsers of its users.
import { createSecretKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { oauthMiddleware } from '@atproto/oauth-provider/middleware'
import { JoseKey, OAuthProvider } from '@atproto/oauth-provider/provider'
import { MemoryStore } from './atproto_store.mjs'

// The last one is not of the AT Protocol.
export const scope = 'atproto transition:generic rpc:com.example.notes.list?aud=* notes:read'
export const redirectUri = 'http://127.0.0.1/callback'
// The identifier of a client is the URL of its metadata. On loopback, the URL itself contains them.
export const clientId = `http://localhost?${new URLSearchParams({ scope, redirect_uri: redirectUri })}`

const signingKey = (alg) =>
  alg === 'HS256' ? JoseKey.fromKeyLike(createSecretKey(randomBytes(32)), undefined, alg) : JoseKey.generate([alg], alg)

export async function startServer(alg, options) {
  const server = http.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${server.address().port}`
  const store = new MemoryStore()
  const provider = new OAuthProvider({ issuer, keyset: [await signingKey(alg)], store, ...options })
  server.on('request', oauthMiddleware(provider))
  // `pds` is the audience of all access tokens for the account.
  return { issuer, signUp: (name, pds) => new Browser(issuer, store.addAccount(name, pds)) }
}

// `fetch` of Node.js cannot send the header fields by which browsers tell what a request is for.
class Browser {
  constructor(issuer, account) {
    Object.assign(this, { issuer, account, cookies: new Map() })
  }

  async send(url, { method, headers, body }) {
    const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ')
    const request = http.request(url, { method, headers: { Cookie: cookie, ...headers } }).end(body)
    const [response] = await once(request, 'response')
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      this.cookies.set(name, value)
    }
    const text = Buffer.concat(await response.toArray()).toString()
    if (response.statusCode >= 400) throw new Error(`${url}: ${response.statusCode} ${text}`)
    return { text, location: response.headers.location }
  }

  navigate(url, headers) {
    const fields = { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', ...headers }
    return this.send(url, { headers: fields })
  }

  async post(page, path, content, token) {
    const headers = {
      'Content-Type': 'application/json',
      'Sec-Fetch-Site': 'same-origin',
      'Sec-Fetch-Mode': 'same-origin',
      'X-CSRF-Token': this.cookies.get('csrf-token'),
      Origin: this.issuer,
      Referer: page,
      ...(token && { Authorization: `Bearer ${token}` }),
    }
    const url = `${this.issuer}/@atproto/oauth-provider/~api${path}`
    const { text } = await this.send(url, { method: 'POST', headers, body: JSON.stringify(content) })
    return JSON.parse(text)
  }

  // Signs in and consents, and returns where the browser is sent to. The page calls the server with a token of its own.
  async authorize(page) {
    const { did, handle, password } = this.account
    await this.navigate(page)
    const { ephemeralToken } = await this.post(page, '/sign-in', { locale: 'en', username: handle, password })
    const { url } = await this.post(page, '/consent', { did }, ephemeralToken)
    const { location } = await this.navigate(url, { 'Sec-Fetch-Site': 'same-origin', Referer: page })
    return { location: new URL(location), ephemeralToken }
  }
}
