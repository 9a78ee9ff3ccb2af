// panva's `oidc-provider`: over plain HTTP for everything, and over TLS as well for tokens bound to client certificates.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import Provider from 'oidc-provider'

export const audience = 'https://api.example'
// Every character here is written differently in client_secret_basic (RFC 6749 §2.3.1) than plainly.
export const secret = 'secret: 100% + more & more of it'

const signingKey = (alg, type, options) => {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }
}

const client = (client_id, more) => ({
  client_id,
  client_secret: secret,
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  ...more,
})

// A resource says what its tokens are like: https://AUDIENCE/FORMAT?ttl=SECONDS&typ=TYPE, where FORMAT is `opaque` or an `alg`.
function getResourceServerInfo(_ctx, resource) {
  const { origin, pathname, searchParams } = new URL(resource)
  const format = pathname.slice(1)
  return {
    audience: origin,
    scope: 'notes:read notes:write',
    accessTokenTTL: Number(searchParams.get('ttl') ?? 300),
    accessTokenFormat: format === 'opaque' ? 'opaque' : 'jwt',
    jwt: { sign: { alg: format } },
  }
}

function customizeJwt(_ctx, token, jwt) {
  const typ = new URL(token.resourceServer.identifier()).searchParams.get('typ')
  if (typ) jwt.header = { typ }
}

const features = {
  clientCredentials: { enabled: true },
  devInteractions: { enabled: false },
  dPoP: { enabled: true },
  introspection: { enabled: true, allowedPolicy: (_ctx, { clientId }) => clientId === 'api' },
  jwtIntrospection: { enabled: true },
  mTLS: {
    enabled: true,
    certificateBoundAccessTokens: true,
    getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
  },
  resourceIndicators: { enabled: true, getResourceServerInfo },
  revocation: { enabled: true, allowedPolicy: (_ctx, { clientId }, token) => clientId === token.clientId },
}

// `tls` holds the PEM of `cert` and `key`.
export async function startProvider(tls) {
  const plain = http.createServer().listen(0, '127.0.0.1')
  const mutual = https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }).listen(0, '127.0.0.1')
  await Promise.all([once(plain, 'listening'), once(mutual, 'listening')])
  const issuer = `http://127.0.0.1:${plain.address().port}`
  const provider = new Provider(issuer, {
    clients: [
      client('demo'),
      client('demo-mtls', { tls_client_certificate_bound_access_tokens: true }),
      client('api', { grant_types: [], introspection_signed_response_alg: 'ES256' }),
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [signingKey('ES256', 'ec', { namedCurve: 'P-256' }), signingKey('RS256', 'rsa', { modulusLength: 2048 })] },
    discovery: { mtls_endpoint_aliases: { token_endpoint: `https://127.0.0.1:${mutual.address().port}/token` } },
    // Without a user it puts `sub` (RFC 9068 §2.2) into JWTs, and not into the answers about opaque tokens.
    extraTokenClaims: (_ctx, token) => ({ sub: token.clientId }),
    ttl: { ClientCredentials: (_ctx, token) => token.resourceServer.accessTokenTTL },
    formats: { customizers: { jwt: customizeJwt } },
    features,
  })
  provider.on('server_error', (_ctx, error) => console.error(error))
  for (const server of [plain, mutual]) server.on('request', provider.callback())
  const stop = () => {
    for (const server of [plain, mutual]) {
      server.close()
      server.closeAllConnections()
    }
  }
  return { issuer, stop }
}
