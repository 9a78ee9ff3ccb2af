// Access tokens as RFC 9068 has them, by npm `jose`.
import * as jose from 'jose'

export const mintAccessToken = ({ issuer, audience, scope = 'notes:read', cnf, key, alg = 'ES256', kid = 'issuer' }) =>
  new jose.SignJWT({ client_id: 'app', scope, cnf })
    .setProtectedHeader({ alg, typ: 'at+jwt', kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('alice')
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key)
