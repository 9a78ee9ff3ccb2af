//! Signature verification with `aws-lc-rs`.

use aws_lc_rs::digest;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters};

use super::der::EcdsaSigValue;
#[cfg(feature = "ml-dsa")]
use crate::jose::MlDsa;
use crate::jose::{Algorithm, PublicKey};

#[derive(Clone)]
pub(super) struct Key {
    key: ParsedPublicKey,
    /// The digest of an ECDSA key; `None` for other keys.
    ecdsa: Option<&'static digest::Algorithm>,
}

impl Key {
    /// Imports a key. Returns `None` if the key is invalid or does not fit the algorithm.
    pub(super) fn import(key: &PublicKey, algorithm: Algorithm) -> Option<Self> {
        match key {
            PublicKey::Ec(point) => {
                let (verification, digest) = match algorithm {
                    Algorithm::ES256 => (&signature::ECDSA_P256_SHA256_ASN1, &digest::SHA256),
                    Algorithm::ES384 => (&signature::ECDSA_P384_SHA384_ASN1, &digest::SHA384),
                    Algorithm::ES512 => (&signature::ECDSA_P521_SHA512_ASN1, &digest::SHA512),
                    _ => return None,
                };
                let key = ParsedPublicKey::new(verification, point.as_sec1()).ok()?;
                Some(Self { key, ecdsa: Some(digest) })
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
                let key = PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()?;
                Some(Self { key, ecdsa: None })
            }
            PublicKey::Ed25519(point) => {
                Some(Self { key: ParsedPublicKey::new(&signature::ED25519, point).ok()?, ecdsa: None })
            }
            #[cfg(feature = "ml-dsa")]
            PublicKey::MlDsa(key) => {
                let verification = match key.parameter_set() {
                    MlDsa::MlDsa44 => &signature::ML_DSA_44,
                    MlDsa::MlDsa65 => &signature::ML_DSA_65,
                    MlDsa::MlDsa87 => &signature::ML_DSA_87,
                };
                Some(Self { key: ParsedPublicKey::new(verification, key.as_bytes()).ok()?, ecdsa: None })
            }
        }
    }

    /// Verifies a signature. An ECDSA signature is converted to DER here and verified over a digest. The library could convert
    /// the two numbers of a JWS, but it would use big integers and about a dozen allocations.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = self.ecdsa else {
            return self.key.verify_sig(message, signature).is_ok();
        };
        let Some(signature) = EcdsaSigValue::new(signature) else {
            return false;
        };
        self.key.verify_digest_sig(&digest::digest(algorithm, message), signature.as_der()).is_ok()
    }
}
