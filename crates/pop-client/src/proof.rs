//! DPoP proofs (RFC 9449 §4.2).

use pop_core::jose::{KeyError, SigningKey as DpopKey, encode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::clock::unix_now;
use crate::random::random_id;
use crate::url;

/// Builds a DPoP proof. Every signature gets a new `jti` of 128 random bits, and the current time.
///
/// [`DpopClient`](crate::DpopClient) makes proofs itself. This builder is for applications that send requests with
/// another HTTP client.
///
/// ```
/// use pop_client::{Algorithm, DpopKey, Proof};
///
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let proof = Proof::new("GET", "https://api.example/notes").access_token("the-token").nonce(Some("n1")).sign(&key)?;
/// assert_eq!(proof.split('.').count(), 3); // the value of the header field `DPoP`
/// # Ok::<(), pop_client::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a proof is made by sign()"]
pub struct Proof<'p> {
    method: &'p str,
    url: &'p str,
    access_token: Option<&'p str>,
    nonce: Option<&'p str>,
    issued_at: Option<u64>,
}

impl<'p> Proof<'p> {
    /// Starts a proof for a request with this method, in the same case as sent, to this URL. The URL is read as
    /// browsers and `reqwest` read it. `htu` has no query, fragment or userinfo, and its path has only characters that
    /// RFC 3986 allows.
    pub const fn new(method: &'p str, url: &'p str) -> Self {
        Self { method, url, access_token: None, nonce: None, issued_at: None }
    }

    /// Sets `ath`, the hash of the access token in the request. Required at resource servers. Must not be used at token
    /// endpoints, where there is no access token. Defaults to none.
    pub const fn access_token(mut self, token: &'p str) -> Self {
        self.access_token = Some(token);
        self
    }

    /// Sets `nonce`, the newest nonce of the server. Defaults to none.
    pub const fn nonce(mut self, nonce: Option<&'p str>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Sets `iat`, in seconds since the epoch. Defaults to the current time of this machine.
    pub const fn issued_at(mut self, seconds: u64) -> Self {
        self.issued_at = Some(seconds);
        self
    }

    /// Signs the proof.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot sign, or the operating system gives no random bytes for `jti`.
    pub fn sign(&self, key: &DpopKey) -> Result<String, KeyError> {
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk() });
        let mut claims = json!({
            "jti": random_id()?,
            "htm": self.method,
            "htu": url::htu(self.url),
            "iat": self.issued_at.unwrap_or_else(unix_now),
        });
        if let Some(token) = self.access_token {
            claims["ath"] = encode(Sha256::digest(token)).into();
        }
        if let Some(nonce) = self.nonce {
            claims["nonce"] = nonce.into();
        }
        key.sign_jws(&header.to_string(), &claims.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pop_core::jose::{Algorithm, CompactJws};
    use serde_json::Value;

    /// CLI-01, CLI-02: with a new `jti` in each proof.
    #[test]
    fn holds_what_rfc_9449_requires() {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let proof = Proof::new("POST", "https://api.example/notes?a=1#f").access_token("token").nonce(Some("n"));
        let (one, other) = (proof.sign(&key).unwrap(), proof.sign(&key).unwrap());
        let read = |proof: &str| -> (Value, Value) {
            let jws = CompactJws::split(proof, 8192).unwrap().decode().unwrap();
            (serde_json::from_slice(jws.header()).unwrap(), serde_json::from_slice(jws.payload()).unwrap())
        };
        let (header, claims) = read(&one);
        assert_eq!(header, json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk() }));
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["htu"], "https://api.example/notes");
        assert_eq!(claims["ath"], encode(Sha256::digest("token")));
        assert_eq!(claims["nonce"], "n");
        assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
        assert_ne!(claims["jti"], read(&other).1["jti"], "every proof has its own jti");
        assert!(claims["iat"].as_u64().unwrap().abs_diff(unix_now()) < 5);
    }
}
