//! Key agreement by ephemeral-static Diffie-Hellman (RFC 7518 §4.6, RFC 8037 §3.2).

use aws_lc_rs::agreement::{self, Algorithm, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use serde_json::{Map, Value};

use super::Key;
use super::error::UnusableKey;
use super::member::{private, required, text};
use crate::jose::jwk::PRIVATE_MEMBERS;
use crate::jose::{Curve, EcPoint, JwkError, Object, base64url};

/// A public key for key agreement. Whether the point is on its curve is checked by [`is_valid`](Self::is_valid) and
/// [`derive`].
pub(super) enum PublicPoint {
    Ec(EcPoint),
    X25519([u8; 32]),
}

impl PublicPoint {
    /// Reads the public members of a JWK.
    pub(super) fn read(object: &Object<'_>) -> Result<Self, UnusableKey> {
        let crv = text(object, "crv").unwrap_or_default();
        match text(object, "kty") {
            Some("EC") => {
                let curve = Curve::from_name(crv).ok_or(JwkError::Curve)?;
                Ok(Self::Ec(EcPoint::new(curve, required(object, "x")?, required(object, "y")?)?))
            }
            Some("OKP") if crv == "X25519" => {
                let x = base64url::decode_array(required(object, "x")?).map_err(|_| JwkError::Member)?;
                Ok(Self::X25519(x))
            }
            Some("OKP") => Err(JwkError::Curve.into()),
            _ => Err(UnusableKey::Algorithm),
        }
    }

    /// Reads a JWK that must be public.
    pub(super) fn read_public(object: &Object<'_>) -> Result<Self, UnusableKey> {
        if PRIVATE_MEMBERS.iter().any(|name| object.contains(name)) {
            return Err(JwkError::PrivateMember.into());
        }
        Self::read(object)
    }

    /// Reads a private JWK. The public members must belong to the private one.
    pub(super) fn read_private(object: &Object<'_>) -> Result<(PrivateKey, Self), UnusableKey> {
        let public = Self::read(object)?;
        let d = private(object, "d")?;
        let key = PrivateKey::from_private_key(public.algorithm(), &d).map_err(|_| UnusableKey::Inconsistent)?;
        let computed = key.compute_public_key().map_err(|_| UnusableKey::Inconsistent)?;
        if computed.as_ref() == public.as_bytes() { Ok((key, public)) } else { Err(UnusableKey::Inconsistent) }
    }

    /// Generates a private key on the curve of this key. Returns it with its public half.
    pub(super) fn generate_peer(&self) -> Option<(PrivateKey, Self)> {
        let private = PrivateKey::generate(self.algorithm()).ok()?;
        let bytes = private.compute_public_key().ok()?;
        let public = match self {
            Self::Ec(point) => {
                let (x, y) = bytes.as_ref().get(1..)?.split_at_checked(point.curve().coordinate_len())?;
                Self::Ec(EcPoint::new(point.curve(), &base64url::encode(x), &base64url::encode(y)).ok()?)
            }
            Self::X25519(_) => Self::X25519(bytes.as_ref().try_into().ok()?),
        };
        Some((private, public))
    }

    /// Returns whether the crypto library accepts the key: a point is on its curve.
    pub(super) fn is_valid(&self) -> bool {
        ParsedPublicKey::try_from(UnparsedPublicKey::new(self.algorithm(), self.as_bytes())).is_ok()
    }

    /// Returns `kty`, `crv` and the coordinates.
    pub(super) fn to_jwk(&self) -> Map<String, Value> {
        let members = match self {
            Self::Ec(point) => vec![
                ("kty", "EC".to_owned()),
                ("crv", point.curve().name().to_owned()),
                ("x", base64url::encode(point.x())),
                ("y", base64url::encode(point.y())),
            ],
            Self::X25519(x) => {
                vec![("kty", "OKP".to_owned()), ("crv", "X25519".to_owned()), ("x", base64url::encode(x))]
            }
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    /// Returns the encoding that the crypto library reads: `0x04 ‖ x ‖ y`, or the u-coordinate.
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ec(point) => point.as_sec1(),
            Self::X25519(x) => x,
        }
    }

    fn algorithm(&self) -> &'static Algorithm {
        match self {
            Self::Ec(point) => match point.curve() {
                Curve::P256 => &agreement::ECDH_P256,
                Curve::P384 => &agreement::ECDH_P384,
                Curve::P521 => &agreement::ECDH_P521,
            },
            Self::X25519(_) => &agreement::X25519,
        }
    }
}

/// Derives a key from the secret that both sides share. `algorithm` is `enc` if the key encrypts the content, else `alg` (RFC
/// 7518 §4.6.2). Returns `None` if the peer's key is on another curve, not on its curve, or of small order.
pub(super) fn derive(private: &PrivateKey, peer: &PublicPoint, algorithm: &str, apu: &[u8], apv: &[u8]) -> Option<Key> {
    let peer = UnparsedPublicKey::new(peer.algorithm(), peer.as_bytes());
    agreement::agree(private, peer, (), |secret| {
        let mut key = Key::default();
        concat_kdf(secret, algorithm, apu, apv, key.as_mut_slice()).map(|()| key).ok_or(())
    })
    .ok()
}

/// The Concat KDF with SHA-256 (RFC 7518 §4.6.2).
fn concat_kdf(secret: &[u8], algorithm: &str, apu: &[u8], apv: &[u8], key: &mut [u8]) -> Option<()> {
    let mut info = Vec::new();
    for part in [algorithm.as_bytes(), apu, apv] {
        info.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend(part);
    }
    info.extend(u32::try_from(key.len()).ok()?.checked_mul(8)?.to_be_bytes());
    let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    sskdf_digest(sha256, secret, &info, key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::JsonLimits;

    const ALICE: &str = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps","d":"0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"}"#;
    const BOB: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

    fn object(jwk: &str) -> Object<'_> {
        Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap()
    }

    fn pair(jwk: &str) -> (PrivateKey, PublicPoint) {
        PublicPoint::read_private(&object(jwk)).unwrap()
    }

    /// RFC 7518 appendix C, from the private keys to the derived key of 128 bits, on either side.
    #[test]
    fn derives_the_key_of_the_rfc() {
        let ((alice, alice_public), (bob, bob_public)) = (pair(ALICE), pair(BOB));
        for (private, peer) in [(&alice, &bob_public), (&bob, &alice_public)] {
            let derive = |apu: &[u8], apv: &[u8]| {
                let peer = UnparsedPublicKey::new(peer.algorithm(), peer.as_bytes());
                let mut key = [0; 16];
                agreement::agree(private, peer, (), |secret| {
                    concat_kdf(secret, "A128GCM", apu, apv, &mut key).ok_or(())
                })
                .unwrap();
                base64url::encode(key)
            };
            assert_eq!(derive(b"Alice", b"Bob"), "VqqN6vgjbSBcIijNcacQGg");
            assert_ne!(derive(b"Bob", b"Alice"), "VqqN6vgjbSBcIijNcacQGg");
            assert_ne!(derive(b"", b""), "VqqN6vgjbSBcIijNcacQGg");
        }
    }

    /// RFC 8037 appendix A.6: the X25519 secret, as the input of the same derivation.
    #[test]
    fn x25519_agrees_as_in_the_rfc() {
        let private = r#"{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
            "d":"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo"}"#;
        let bob = r#"{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}"#;
        let ((private, _), peer) = (pair(private), PublicPoint::read_public(&object(bob)).unwrap());
        let secret = agreement::agree(&private, UnparsedPublicKey::new(peer.algorithm(), peer.as_bytes()), (), |z| {
            Ok::<_, ()>(base64url::encode(z))
        });
        assert_eq!(secret.unwrap(), "Sl2dW6TOLeFyjjv0gDUPJeB-IclH0Z4zdvCbPB4WF0I");
    }

    /// Invalid-curve and small-order attacks, and keys of another curve.
    #[test]
    fn agrees_only_with_valid_keys_of_the_same_curve() {
        let ((alice, _), (_, bob)) = (pair(ALICE), pair(BOB));
        assert!(bob.is_valid() && derive(&alice, &bob, "A256GCM", b"", b"").is_some());
        let off_curve = BOB.replace("\"y\":\"e8l", "\"y\":\"f8l").replace("\"d\"", "\"z\"");
        let off_curve = PublicPoint::read_public(&object(&off_curve)).unwrap();
        assert!(!off_curve.is_valid() && derive(&alice, &off_curve, "A256GCM", b"", b"").is_none());
        let other = PublicPoint::X25519([9; 32]);
        assert!(other.is_valid() && derive(&alice, &other, "A256GCM", b"", b"").is_none());
        let (private, public) = other.generate_peer().unwrap();
        assert!(derive(&private, &public, "A256GCM", b"", b"").is_some());
        for small_order in [[0; 32], std::array::from_fn(|at| u8::from(at == 0))] {
            assert!(derive(&private, &PublicPoint::X25519(small_order), "A256GCM", b"", b"").is_none());
        }
    }

    /// The public members of a private key are what is published.
    #[test]
    fn rejects_private_keys_whose_parts_do_not_belong_together() {
        for (wrong, error) in [
            (ALICE.replace("\"d\":\"0_N", "\"d\":\"0_M"), UnusableKey::Inconsistent),
            (ALICE.replace("\"x\":\"gI0", "\"x\":\"hI0"), UnusableKey::Inconsistent),
            (ALICE.replace("\"d\":\"0_Nx", "\"d\":\"ANPzcW"), UnusableKey::Jwk(JwkError::Member)),
            (ALICE.replace("\"d\"", "\"z\""), UnusableKey::PublicOnly),
            (ALICE.replace("\"y\"", "\"z\""), UnusableKey::Jwk(JwkError::Member)),
            (ALICE.replace("P-256", "P-384"), UnusableKey::Jwk(JwkError::Member)),
            (ALICE.replace("P-256", "secp256k1"), UnusableKey::Jwk(JwkError::Curve)),
            (ALICE.replace("\"EC\"", "\"OKP\""), UnusableKey::Jwk(JwkError::Curve)),
        ] {
            assert_eq!(PublicPoint::read_private(&object(&wrong)).err(), Some(error), "{wrong}");
        }
        assert_eq!(
            PublicPoint::read_public(&object(ALICE)).err(),
            Some(UnusableKey::Jwk(JwkError::PrivateMember)),
            "an epk with its private half"
        );
    }
}
