//! Keys and signatures through `aws-lc-rs`.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters};

use crate::jose::{Algorithm, PublicKey};

pub(super) type Key = ParsedPublicKey;

pub(super) fn import(key: &PublicKey, algorithm: Algorithm) -> Option<Key> {
    match key {
        PublicKey::Ec(point) => {
            let verification = match algorithm {
                Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
                Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
                _ => return None,
            };
            ParsedPublicKey::new(verification, point.as_sec1()).ok()
        }
        PublicKey::Rsa { n, e } => {
            let parameters: &'static RsaParameters = match algorithm {
                Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
                Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
                Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
                _ => return None,
            };
            PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
        }
        PublicKey::Ed25519(point) => ParsedPublicKey::new(&signature::ED25519, point).ok(),
    }
}

pub(super) fn verify(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    key.verify_sig(message, signature).is_ok()
}
