//! Keys that sign. Ed25519, because it signs the same text in the same way every time, and fast.

use ed25519_dalek::{Signer, SigningKey};
use pop_core::jose::encode;
use sha2::{Digest, Sha256};

pub struct Key(SigningKey);

impl Key {
    pub fn fixed(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// The public key, its members in the order of RFC 7638 §3.
    pub fn jwk(&self) -> String {
        format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(self.0.verifying_key().as_bytes()))
    }

    pub fn thumbprint(&self) -> String {
        sha256(self.jwk())
    }

    /// A compact JWS of this header and payload, whatever they say.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(payload));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", encode(signature.to_bytes()))
    }
}

/// SHA-256 as `ath`, `jkt` and `x5t#S256` spell it.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    encode(Sha256::digest(bytes))
}
