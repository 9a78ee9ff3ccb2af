//! Signing keys for proofs, client assertions and, in development, access tokens. Requires the feature `signing`.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
#[cfg(feature = "ml-dsa")]
use aws_lc_rs::signature::PqdsaKeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};

#[cfg(feature = "ml-dsa")]
mod ml_dsa;

use super::{Algorithm, Family, JsonLimits, Jwk, JwkThumbprint, Object, PublicKey, RsaLimits, encode};

/// Generating, reading or using a key failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key does not fit the algorithm, or the operating system gave no random bytes")]
pub struct KeyError;

/// A private key and the one algorithm that it signs with. Cheap to clone. `Debug` shows the algorithm and the thumbprint.
///
/// # Security
/// The private key stays inside the crypto library, which erases it from memory.
///
/// Use a different key for each authorization server. If two servers share a key, a malicious one can give the client a token
/// that was stolen from it, and the client makes valid proofs for that token (RFC 9449 §11, "cuckoo token").
#[derive(Clone)]
pub struct SigningKey {
    inner: Arc<Inner>,
}

struct Inner {
    algorithm: Algorithm,
    pair: Pair,
    jwk: Value,
    public_key: PublicKey,
    thumbprint: JwkThumbprint,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    #[cfg(feature = "ml-dsa")]
    MlDsa(PqdsaKeyPair),
}

impl SigningKey {
    /// Generates a key. RSA keys have 2048 bits.
    ///
    /// # Errors
    /// [`KeyError`] if the operating system returns no random bytes.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm.family() {
            Family::Ec(_) => Pair::Ec(EcdsaKeyPair::generate(ecdsa(algorithm)?).map_err(|_| KeyError)?),
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(|_| KeyError)?),
            Family::Rsa => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?),
            #[cfg(feature = "ml-dsa")]
            Family::MlDsa(set) => Pair::MlDsa(PqdsaKeyPair::generate(ml_dsa::algorithm(set)).map_err(|_| KeyError)?),
        };
        Self::new(algorithm, pair)
    }

    /// Reads a private key in PKCS#8 DER. An ML-DSA key must have its seed (RFC 9881 §6).
    ///
    /// # Errors
    /// [`KeyError`] if it is not a key for the algorithm.
    pub fn from_pkcs8_der(der: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm.family() {
            Family::Ec(_) => Pair::Ec(EcdsaKeyPair::from_pkcs8(ecdsa(algorithm)?, der).map_err(|_| KeyError)?),
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError)?),
            Family::Rsa => Pair::Rsa(RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError)?),
            #[cfg(feature = "ml-dsa")]
            Family::MlDsa(set) => Pair::MlDsa(ml_dsa::from_pkcs8(set, der)?),
        };
        Self::new(algorithm, pair)
    }

    fn new(algorithm: Algorithm, pair: Pair) -> Result<Self, KeyError> {
        let jwk = pair.public_jwk(algorithm);
        let text = jwk.to_string();
        let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).map_err(|_| KeyError)?;
        let public_key = Jwk::parse(&object, RsaLimits::up_to(8192)).map_err(|_| KeyError)?.key().clone();
        let thumbprint = public_key.thumbprint();
        Ok(Self { inner: Arc::new(Inner { algorithm, pair, jwk, public_key, thumbprint }) })
    }

    /// Returns the private key in PKCS#8 DER. Keep it secret.
    ///
    /// # Errors
    /// [`KeyError`] if the crypto library cannot export it.
    pub fn to_pkcs8_der(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        let der = match &self.inner.pair {
            Pair::Ec(pair) => pair.to_pkcs8v1().map_err(|_| KeyError)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8().map_err(|_| KeyError)?.as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError)?;
                der.as_ref().to_vec()
            }
            #[cfg(feature = "ml-dsa")]
            Pair::MlDsa(pair) => return ml_dsa::to_pkcs8(pair),
        };
        Ok(zeroize::Zeroizing::new(der))
    }

    /// Returns the algorithm that the key signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.inner.algorithm
    }

    /// Returns the public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.inner.public_key
    }

    /// Returns the public key as a JWK. It has only the members that the thumbprint covers.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        self.inner.jwk.clone()
    }

    /// Returns the thumbprint of the public key (RFC 7638): the value of `cnf.jkt` and `dpop_jkt`.
    #[must_use]
    pub fn thumbprint(&self) -> JwkThumbprint {
        self.inner.thumbprint
    }

    /// Signs a message. The signature has the format of RFC 7518 §3. That of ML-DSA is randomized ("hedged", FIPS 204 §3.4).
    ///
    /// # Errors
    /// [`KeyError`] if the crypto library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.inner.pair {
            Pair::Ec(pair) => Ok(pair.sign(&random, message).map_err(|_| KeyError)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa(self.inner.algorithm)?, &random, message, &mut signature).map_err(|_| KeyError)?;
                Ok(signature)
            }
            #[cfg(feature = "ml-dsa")]
            Pair::MlDsa(pair) => ml_dsa::sign(pair, message),
        }
    }

    /// Returns a compact JWS of the header and the payload, which are not changed. The caller must set `alg` in the header.
    ///
    /// # Errors
    /// [`KeyError`] if the crypto library fails.
    pub fn sign_jws(&self, header: &str, payload: &str) -> Result<String, KeyError> {
        let mut jws = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(jws.as_bytes())?;
        jws.push('.');
        jws.push_str(&encode(signature));
        Ok(jws)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.inner.algorithm, self.inner.thumbprint)
    }
}

impl Pair {
    fn public_jwk(&self, algorithm: Algorithm) -> Value {
        match (self, algorithm.family()) {
            (Self::Ec(pair), Family::Ec(curve)) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(curve.coordinate_len());
                json!({ "kty": "EC", "crv": curve.name(), "x": encode(x), "y": encode(y) })
            }
            (Self::Ed25519(pair), _) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
            (Self::Rsa(pair), _) => {
                let key = pair.public_key();
                let n = encode(key.modulus().big_endian_without_leading_zero());
                let e = encode(key.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": n, "e": e })
            }
            #[cfg(feature = "ml-dsa")]
            (Self::MlDsa(pair), _) => {
                json!({ "kty": "AKP", "alg": algorithm.name(), "pub": encode(pair.public_key().as_ref()) })
            }
            (Self::Ec(_), _) => Value::Null, // `SigningKey::new` rejects it
        }
    }
}

fn ecdsa(algorithm: Algorithm) -> Result<&'static signature::EcdsaSigningAlgorithm, KeyError> {
    match algorithm {
        Algorithm::ES256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => Ok(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => Ok(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => Err(KeyError),
    }
}

fn rsa(algorithm: Algorithm) -> Result<&'static dyn RsaEncoding, KeyError> {
    match algorithm {
        Algorithm::RS256 => Ok(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Ok(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Ok(&signature::RSA_PKCS1_SHA512),
        Algorithm::PS256 => Ok(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Ok(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Ok(&signature::RSA_PSS_SHA512),
        _ => Err(KeyError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::crypto::{CryptoBackend, VerifyingKey};

    #[test]
    fn every_algorithm_signs_what_the_resource_server_verifies() {
        for algorithm in Algorithm::compiled_in() {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap(), algorithm).unwrap();
            assert_eq!(again.thumbprint(), key.thumbprint());
            let jwk = key.public_jwk().to_string();
            let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
            let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
            let public = VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::default()).unwrap();
            let signature = again.sign(b"message").unwrap();
            assert!(public.verify(b"message", &signature).is_ok(), "{algorithm}");
            assert!(public.verify(b"another message", &signature).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey(ES256, {})", key.thumbprint()));
        assert!(SigningKey::from_pkcs8_der(b"nonsense", Algorithm::ES256).is_err());
    }
}
