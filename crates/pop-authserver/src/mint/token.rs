//! Access tokens (RFC 9068).

use pop_client::DpopKey;
use pop_core::jose::{CertThumbprint, ContentEncryption, Recipient, SharedKey};
use serde_json::{Map, Value, json};

use super::jws::{JwsDraft, jws_methods};
use crate::cnf;
use crate::random::random_id;

/// Seconds that a token is valid, unless a builder sets `exp`.
const LIFETIME: u64 = 300;

/// Builds an access token. It is valid for 300 seconds, for the subject `alice`, the client `app` and the first
/// audience of its server, unless a method changes that. [`without`](Self::without)`("aud")` removes the audience.
///
/// ```
/// use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
///
/// let server = TestAuthServer::offline("https://as.example");
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let token = server.token().scope("notes:read").bound_to(&key);
/// let (valid, expired) = (token.mint(), token.clone().expires_in(-3600).mint());
/// let of_another_issuer = token.clone().claim("iss", "https://other.example").mint();
/// let without_jti = token.clone().without("jti").mint();
/// let forged = token.tampered_signature().mint();
/// # drop((valid, expired, of_another_issuer, without_jti, forged));
/// # Ok::<(), pop_authserver::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "call mint()"]
pub struct TokenMint {
    draft: JwsDraft,
    now: u64,
}

impl TokenMint {
    pub(crate) fn new(issuer: &str, key: &DpopKey, kid: &str, now: u64) -> Self {
        let header = json!({ "typ": "at+jwt", "alg": key.algorithm().name(), "kid": kid });
        let claims = json!({
            "iss": issuer, "sub": "alice", "client_id": "app", "jti": random_id(), "iat": now, "exp": now + LIFETIME,
        });
        Self { draft: JwsDraft::new(key, header, claims), now }
    }

    jws_methods!();

    /// Returns the claims, for an opaque token.
    pub(crate) fn into_claims(self) -> Map<String, Value> {
        self.draft.claims
    }

    /// Sets `sub`. Defaults to `alice`.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Sets `client_id`. Defaults to `app`.
    pub fn client_id(self, client_id: &str) -> Self {
        self.claim("client_id", client_id)
    }

    /// Sets `aud`. Defaults to the first audience of the server.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `scope`: scopes separated by spaces. Defaults to none.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Binds the token to a key: sets `cnf` to its `jkt` (RFC 9449 §6.1). Replaces an earlier binding.
    pub fn bound_to(self, key: &DpopKey) -> Self {
        self.claim("cnf", cnf::jkt(key.thumbprint()))
    }

    /// Binds the token to a key: sets `cnf` to its public `jwk`, with `alg` (RFC 7800 §3.2), for message signatures and
    /// signed requests. Replaces an earlier binding.
    ///
    /// ```
    /// use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
    ///
    /// let key = DpopKey::generate(Algorithm::Ed25519)?;
    /// let token = TestAuthServer::offline("https://as.example").token().bound_to_jwk(&key);
    /// assert!(token.payload_text().contains(r#""cnf":{"jwk":{"alg":"Ed25519""#));
    /// # Ok::<(), pop_authserver::KeyError>(())
    /// ```
    pub fn bound_to_jwk(self, key: &DpopKey) -> Self {
        self.claim("cnf", cnf::jwk_of(key))
    }

    /// Binds the token to a key: sets `cnf` to a `kid` that is its thumbprint (RFC 7800 §3.4, RFC 7638), for signed
    /// requests that have the key in their own `cnf`. Replaces an earlier binding.
    ///
    /// ```
    /// use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
    ///
    /// let key = DpopKey::generate(Algorithm::RS256)?;
    /// let token = TestAuthServer::offline("https://as.example").token().bound_to_kid(&key);
    /// assert!(token.payload_text().contains(&format!(r#""cnf":{{"kid":"{}"}}"#, key.thumbprint())));
    /// # Ok::<(), pop_authserver::KeyError>(())
    /// ```
    pub fn bound_to_kid(self, key: &DpopKey) -> Self {
        self.claim("cnf", cnf::kid(key.thumbprint()))
    }

    /// Binds the token to a certificate: sets `cnf` to its `x5t#S256` (RFC 8705 §3.1). Replaces an earlier binding.
    pub fn bound_to_certificate(self, certificate_der: &[u8]) -> Self {
        self.claim("cnf", json!({ "x5t#S256": CertThumbprint::of_der(certificate_der).to_string() }))
    }

    /// Binds the token to a symmetric key: sets `cnf` to a `jwe` of the key for a resource server (RFC 7800 §3.3), with the
    /// content encryption `A256GCM`. Replaces an earlier binding. [`claim`](Self::claim) sets a defective one.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    ///
    /// ```
    /// use pop_authserver::{Recipient, SharedKey, TestAuthServer};
    /// use pop_core::jose::{JsonLimits, Object};
    ///
    /// let kek = br#"{"kty": "oct", "kid": "2026", "alg": "A256KW", "k": "GawgguFyGrWKav7AX4VKUgGawgguFyGrWKav7AX4VKU"}"#;
    /// let recipient = Recipient::parse(&Object::parse(kek, JsonLimits::PROOF)?)?;
    /// let key = SharedKey::new([7; 32])?;
    /// let token = TestAuthServer::offline("https://as.example").token().bound_to_shared_key(&key, &recipient);
    /// assert!(token.payload_text().contains(r#""cnf":{"jwe":"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bound_to_shared_key(self, key: &SharedKey, recipient: &Recipient) -> Self {
        match recipient.encrypt(key.to_jwk().as_bytes(), ContentEncryption::A256Gcm) {
            Ok(jwe) => self.claim("cnf", cnf::jwe(jwe)),
            Err(error) => panic!("the key cannot be encrypted: {error}"),
        }
    }

    /// Sets `exp` relative to the clock of the server, in seconds. A negative number makes an expired token. Defaults
    /// to 300 seconds.
    pub fn expires_in(self, seconds: i64) -> Self {
        let expires_at = self.now.saturating_add_signed(seconds);
        self.claim("exp", expires_at)
    }
}
