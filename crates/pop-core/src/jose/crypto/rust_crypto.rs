//! Signature verification with the pure Rust crates.

use rsa::signature::Verifier;
use rsa::{BoxedUint, pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};

use crate::jose::{Algorithm, Curve, PublicKey};

#[derive(Clone)]
pub(super) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    Rs256(pkcs1v15::VerifyingKey<Sha256>),
    Rs384(pkcs1v15::VerifyingKey<Sha384>),
    Rs512(pkcs1v15::VerifyingKey<Sha512>),
    Ps256(pss::VerifyingKey<Sha256>),
    Ps384(pss::VerifyingKey<Sha384>),
    Ps512(pss::VerifyingKey<Sha512>),
}

impl Key {
    /// Imports a key. Returns `None` if the key is invalid or does not fit the algorithm.
    pub(super) fn import(key: &PublicKey, algorithm: Algorithm) -> Option<Self> {
        match key {
            PublicKey::Ec(point) => {
                let sec1 = point.as_sec1();
                match point.curve() {
                    Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1).ok().map(Self::P256),
                    Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(sec1).ok().map(Self::P384),
                    Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(sec1).ok().map(Self::P521),
                }
            }
            PublicKey::Rsa { n, e } => {
                let n = BoxedUint::from_be_slice_vartime(n);
                let e = BoxedUint::from_be_slice_vartime(e);
                let key = rsa::PublicKey::new(n, e).ok()?;
                Some(match algorithm {
                    Algorithm::RS256 => Self::Rs256(pkcs1v15::VerifyingKey::new(key)),
                    Algorithm::RS384 => Self::Rs384(pkcs1v15::VerifyingKey::new(key)),
                    Algorithm::RS512 => Self::Rs512(pkcs1v15::VerifyingKey::new(key)),
                    Algorithm::PS256 => Self::Ps256(pss::VerifyingKey::new(key)),
                    Algorithm::PS384 => Self::Ps384(pss::VerifyingKey::new(key)),
                    Algorithm::PS512 => Self::Ps512(pss::VerifyingKey::new(key)),
                    _ => return None,
                })
            }
            PublicKey::Ed25519(point) => ed25519_dalek::VerifyingKey::from_bytes(point).ok().map(Self::Ed25519),
            #[cfg(feature = "ml-dsa")]
            PublicKey::MlDsa(_) => None,
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        fn check<S, K: Verifier<S>>(key: &K, message: &[u8], signature: Option<S>) -> bool {
            signature.is_some_and(|signature| key.verify(message, &signature).is_ok())
        }
        match self {
            Self::P256(key) => check(key, message, p256::ecdsa::Signature::from_slice(signature).ok()),
            Self::P384(key) => check(key, message, p384::ecdsa::Signature::from_slice(signature).ok()),
            Self::P521(key) => check(key, message, p521::ecdsa::Signature::from_slice(signature).ok()),
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rs256(key) => check(key, message, pkcs1v15::Signature::try_from(signature).ok()),
            Self::Rs384(key) => check(key, message, pkcs1v15::Signature::try_from(signature).ok()),
            Self::Rs512(key) => check(key, message, pkcs1v15::Signature::try_from(signature).ok()),
            Self::Ps256(key) => check(key, message, pss::Signature::try_from(signature).ok()),
            Self::Ps384(key) => check(key, message, pss::Signature::try_from(signature).ok()),
            Self::Ps512(key) => check(key, message, pss::Signature::try_from(signature).ok()),
        }
    }
}
