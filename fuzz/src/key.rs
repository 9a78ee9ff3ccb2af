//! Keys that sign. Ed25519, because it signs the same text in the same way every time, and fast.

use ed25519_dalek::{Signer, SigningKey};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, encode};
use sha2::{Digest, Sha256};

/// The library that verifies signatures: the one whose branches the fuzzer sees.
pub const BACKEND: CryptoBackend = CryptoBackend::RustCrypto;

pub struct Key(SigningKey, VerifyingKey);

impl Key {
    pub fn fixed(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let jwk = jwk(&key);
        let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).expect("JSON");
        let public = Jwk::parse(&object, RsaLimits::default()).expect("a key");
        let public = VerifyingKey::new(public.key(), Algorithm::Ed25519, BACKEND).expect("a key");
        Self(key, public)
    }

    /// The public key, its members in the order of RFC 7638 §3.
    pub fn jwk(&self) -> String {
        jwk(&self.0)
    }

    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.1
    }

    pub fn thumbprint(&self) -> String {
        sha256(self.jwk())
    }

    /// A compact JWS of this header and payload, whatever they say.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        jws(header, payload, |message| self.sign_bytes(message))
    }

    pub fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

fn jwk(key: &SigningKey) -> String {
    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(key.verifying_key().as_bytes()))
}

/// A compact JWS of this header and payload, signed by a function.
pub fn jws(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// SHA-256 as `ath`, `jkt` and `x5t#S256` spell it.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    encode(Sha256::digest(bytes))
}
