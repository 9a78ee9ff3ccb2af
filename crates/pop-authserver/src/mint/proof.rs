//! DPoP proofs (RFC 9449 §4.2).

use pop_client::DpopKey;
use pop_core::jose::encode;
use serde_json::json;
use sha2::{Digest, Sha256};
use tower_pop::clock::{Clock, SystemClock};

use super::jws::{JwsDraft, jws_methods};
use crate::random::random_id;

/// Builds a DPoP proof. It has the method `GET`, a random `jti` and the current time, unless a method changes that.
/// `htu` and `ath` are absent until [`url`](Self::url) and [`for_token`](Self::for_token) set them.
///
/// ```
/// use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
///
/// let server = TestAuthServer::offline("https://as.example");
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let token = server.token().bound_to(&key).mint();
/// let proof = server.proof(&key).method("POST").url("https://api.example/notes").for_token(&token);
/// let (valid, for_another_url) = (proof.mint(), proof.clone().url("https://other.example/").mint());
/// let without_jti = proof.without("jti").mint();
/// # drop((valid, for_another_url, without_jti));
/// # Ok::<(), pop_authserver::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "call mint()"]
pub struct ProofMint {
    draft: JwsDraft,
}

/// Starts a proof with this key, at the time of the system clock. [`AuthServer::proof`](crate::AuthServer::proof) uses
/// the clock of a server.
///
/// # Panics
/// When the operating system gives no random bytes.
pub fn proof(key: &DpopKey) -> ProofMint {
    ProofMint::new(key, SystemClock::default().now())
}

impl ProofMint {
    pub(crate) fn new(key: &DpopKey, now: u64) -> Self {
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk() });
        let claims = json!({ "jti": random_id(), "htm": "GET", "iat": now });
        Self { draft: JwsDraft::new(key, header, claims) }
    }

    jws_methods!();

    /// Sets `htm`. Defaults to `GET`.
    pub fn method(self, method: &str) -> Self {
        self.claim("htm", method)
    }

    /// Sets `htu` to exactly this string.
    pub fn url(self, url: &str) -> Self {
        self.claim("htu", url)
    }

    /// Sets `ath` to the hash of this access token.
    pub fn for_token(self, token: &str) -> Self {
        self.claim("ath", encode(Sha256::digest(token)))
    }

    /// Sets `iat`, in seconds since the epoch. Defaults to the current time.
    pub fn issued_at(self, seconds: u64) -> Self {
        self.claim("iat", seconds)
    }

    /// Sets `jti`. Defaults to 128 random bits.
    pub fn jti(self, jti: &str) -> Self {
        self.claim("jti", jti)
    }

    /// Sets `nonce`. Defaults to none.
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }
}
