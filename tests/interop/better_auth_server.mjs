// npm `@better-auth/oauth-provider`, a plugin of npm `better-auth`, with its tables in memory; and browsers of its users.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { oauthProvider } from '@better-auth/oauth-provider'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { getAuthTables } from 'better-auth/db'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins/jwt'

export const audience = 'https://api.example'
export const redirectUri = 'https://app.example/callback'
const resources = [
  { identifier: audience },
  { identifier: `${audience}/ES256`, signingAlgorithm: 'ES256' },
  { identifier: `${audience}/RS256`, signingAlgorithm: 'RS256' },
  { identifier: 'https://other.example', dpopBoundAccessTokensRequired: true },
]

// Access tokens for a resource are JWTs if the plugin `jwt` is there, and opaque otherwise.
export async function startServer({ opaque }) {
  const server = http.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${server.address().port}`
  const issuer = `${origin}/api/auth`
  const provider = oauthProvider({
    disableJwtPlugin: opaque,
    loginPage: '/sign-in',
    consentPage: '/consent',
    scopes: ['openid', 'offline_access', 'notes:read'],
    resources,
    clientPrivileges: () => true,
  })
  // `GET /token` of the plugin gives everybody who is signed in a JWT with this issuer and audience.
  const keys = jwt({ jwks: { keyPairConfigs: [{ alg: 'ES256' }, { alg: 'RS256' }] }, jwt: { issuer, audience } })
  const options = {
    baseURL: origin,
    secret: randomBytes(32).toString('base64'),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    telemetry: { enabled: false },
    plugins: opaque ? [provider] : [keys, provider],
  }
  const tables = Object.fromEntries(Object.keys(getAuthTables(options)).map((table) => [table, []]))
  const auth = betterAuth({ ...options, database: memoryAdapter(tables) })
  // As frameworks route it. The metadata are below the issuer then, and not where RFC 8414 has them.
  const handle = toNodeHandler(auth)
  server.on('request', (request, response) =>
    request.url.startsWith('/api/auth/') ? handle(request, response) : response.writeHead(404).end())
  const admin = await signUp(issuer, 'admin')
  return { issuer, addClient: (metadata) => addClient(auth, admin, metadata), signUp: (name) => signUp(issuer, name) }
}

async function addClient(auth, { cookie }, metadata) {
  const headers = new Headers({ Cookie: cookie })
  const client = await auth.api.adminCreateOAuthClient({ headers, body: metadata })
  for (const { identifier } of resources) {
    await auth.api.adminLinkClientResource({ headers, params: { identifier, client_id: client.client_id } })
  }
  return client
}

async function request(url, cookie, content) {
  const post = { method: 'POST', body: JSON.stringify(content) }
  const headers = { 'Content-Type': 'application/json', Origin: new URL(url).origin, Cookie: cookie }
  const response = await fetch(url, { ...(content && post), headers })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response
}

async function signUp(issuer, name) {
  const account = { email: `${name}@app.example`, password: 'correct horse battery staple', name }
  const response = await request(`${issuer}/sign-up/email`, '', account)
  const cookie = response.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ')
  const json = async (url, content) => (await request(url, cookie, content)).json()
  // Consents to what the page of the server shows, and returns where the browser is sent to.
  const authorize = async (url) => {
    const page = new URL((await json(url)).url, issuer)
    const consent = await json(`${issuer}/oauth2/consent`, { accept: true, oauth_query: page.search.slice(1) })
    return new URL(consent.url)
  }
  const signOut = () => json(`${issuer}/sign-out`, {})
  const sessionToken = async () => (await json(`${issuer}/token`)).token
  return { id: (await response.json()).user.id, cookie, authorize, signOut, sessionToken }
}
