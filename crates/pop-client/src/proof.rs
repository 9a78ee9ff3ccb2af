//! DPoP proofs (RFC 9449 §4.2).

use std::time::{SystemTime, UNIX_EPOCH};

use pop_core::jose::encode;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{DpopKey, KeyError};

/// A proof in the making. Every one gets a fresh `jti` of 128 random bits and the current time.
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
    /// A proof for a request with this method, exactly as sent, to this URL. The URL is read as browsers and `reqwest` read
    /// it; `htu` has no query, fragment or userinfo, and in its path only characters that RFC 3986 allows there.
    pub const fn new(method: &'p str, url: &'p str) -> Self {
        Self { method, url, access_token: None, nonce: None, issued_at: None }
    }

    /// Adds `ath`, the hash of the access token sent along. Always at a resource server, never at a token endpoint.
    pub const fn access_token(mut self, token: &'p str) -> Self {
        self.access_token = Some(token);
        self
    }

    /// Adds the server's newest nonce.
    pub const fn nonce(mut self, nonce: Option<&'p str>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Sets `iat`, in seconds since the epoch. Defaults to the current time.
    pub const fn issued_at(mut self, seconds: u64) -> Self {
        self.issued_at = Some(seconds);
        self
    }

    /// Signs the proof.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot sign, or there is no randomness for `jti`.
    pub fn sign(&self, key: &DpopKey) -> Result<String, KeyError> {
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk() });
        let mut claims = json!({
            "jti": random_id()?,
            "htm": self.method,
            "htu": crate::url::htu(self.url),
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

/// 128 random bits as base64url.
pub(crate) fn random_id() -> Result<String, KeyError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| KeyError)?;
    Ok(encode(bytes))
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
