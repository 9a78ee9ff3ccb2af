// The key of this page, and what is signed with it. The private key is not extractable: scripts can use it, not copy it.

const encoder = new TextEncoder()
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

export const sha256 = async (text) => base64url(await crypto.subtle.digest('SHA-256', encoder.encode(text)))

export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

export const newKey = () => crypto.subtle.generateKey(ECDSA, false, ['sign'])

/** Signs a DPoP proof (RFC 9449 §4.2) for one request. */
export async function proof(key, { method, url, token, nonce, issuedAt }) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', key.publicKey)
  const target = new URL(url)
  const claims = {
    jti: random(),
    htm: method,
    htu: target.origin + target.pathname,
    iat: issuedAt ?? Math.floor(Date.now() / 1000),
    ...(token && { ath: await sha256(token) }),
    ...(nonce && { nonce }),
  }
  const part = (value) => base64url(encoder.encode(JSON.stringify(value)))
  const message = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${part(claims)}`
  return `${message}.${base64url(await crypto.subtle.sign(ECDSA, key.privateKey, encoder.encode(message)))}`
}

/** Returns header and claims of a JWT as text, for people. */
export function decoded(jwt) {
  const part = (text) => {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    return JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), null, 1)
  }
  return jwt.split('.').slice(0, 2).map(part).join('\n')
}

// A database can keep a key that is not extractable. Nothing else survives the redirect to the authorization server and back.
const store = (mode, use) =>
  new Promise((resolve, reject) => {
    const opening = indexedDB.open('poplayer-demo', 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const request = use(opening.result.transaction('keys', mode).objectStore('keys'))
      request.onerror = () => reject(request.error)
      request.onsuccess = () => {
        opening.result.close()
        resolve(request.result)
      }
    }
  })

export const saveKey = (key) => store('readwrite', (keys) => keys.put(key, 'own'))
export const savedKey = () => store('readonly', (keys) => keys.get('own'))
