//! Public JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037, RFC 9964).
//!
//! 1. EC keys on P-256, P-384 and P-521, RSA keys within [`RsaLimits`] and Ed25519 keys are accepted, each in the only
//!    encoding that its RFC allows.
//!    With the feature `ml-dsa`, ML-DSA keys are accepted too, each for the algorithm that it names.
//! 2. Keys with a private member, with coordinates of another length, with leading zero octets or with weak parameters are
//!    rejected.
//! 3. Keys in proofs are read strictly ([`Jwk::parse`]). For keys that an issuer publishes, a few deviations of common
//!    serializers are accepted ([`Jwk::parse_published`]).
//! 4. Whether a point is on its curve is not checked here, but when the key is imported for verification
//!    ([`VerifyingKey::new`](super::crypto::VerifyingKey::new)).

use std::fmt;

use super::curve::Curve;
use super::{Algorithm, Family, Json, Object, base64url};

/// Members that only private or symmetric keys have (RFC 7518 §6, RFC 9964 §3). A key that has one is rejected, whatever its
/// value.
pub(super) const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Why a JWK is rejected. Contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// There is no `jwk`, or it is not an object.
    #[error("no JWK object")]
    NotObject,
    /// A member that only a private or symmetric key has is present (RFC 9449 §4.3 check 7).
    #[error("a private member is present")]
    PrivateMember,
    /// `kty` is missing, not a string, or not EC, RSA, OKP or, with the feature `ml-dsa`, AKP.
    #[error("unsupported kty")]
    KeyType,
    /// `crv` is missing or not one of P-256, P-384, P-521, Ed25519.
    #[error("unsupported crv")]
    Curve,
    /// A required member is missing, not a string, not canonical base64url or not of the prescribed length.
    #[error("malformed key member")]
    Member,
    /// The RSA modulus or exponent has a leading zero octet, which would be a second encoding of the same key (RFC 7518
    /// §6.3.1.1). See [`RsaLimits::allow_leading_zero`].
    #[error("the RSA modulus or exponent has a leading zero octet")]
    LeadingZero,
    /// The RSA modulus is even, or its size is outside [`RsaLimits`].
    #[error("the RSA modulus is even, too short or too long")]
    RsaModulus,
    /// The RSA exponent is even, below 3 or longer than 32 bits.
    #[error("the RSA exponent is even, 1 or too long")]
    RsaExponent,
    /// The point is not on its curve, or has a small order.
    #[error("invalid point")]
    Point,
    /// `alg`, `kty` or `crv` of the key does not fit the algorithm of the signature.
    #[error("the key does not fit the algorithm")]
    Algorithm,
    /// `use` is not `sig`, or `key_ops` does not list `verify`.
    #[error("the key must not be used to verify signatures")]
    Usage,
}

/// Limits on RSA keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RsaLimits {
    max_bits: u32,
    leading_zero: bool,
}

impl RsaLimits {
    /// The minimum length of a modulus, in bits. It cannot be configured (RFC 7518 §3.3).
    pub const MIN_BITS: u32 = 2048;

    /// Accepts moduli of 2048 to `max_bits` bits. `max_bits` is clamped to 2048..=8192.
    #[must_use]
    pub const fn up_to(max_bits: u32) -> Self {
        let max_bits = if max_bits > 8192 { 8192 } else { max_bits };
        Self { max_bits: if max_bits < Self::MIN_BITS { Self::MIN_BITS } else { max_bits }, leading_zero: false }
    }

    /// Accepts one zero octet before the modulus of a key that an issuer publishes, although RFC 7518 §6.3.1.1 forbids it. Some
    /// libraries write the sign octet of their big integers. Off by default.
    ///
    /// The octet is removed, so that key, thumbprint and signatures are those of the modulus without it. [`Jwk::parse`], which
    /// reads the keys of proofs, ignores this option.
    #[must_use]
    pub const fn allow_leading_zero(mut self) -> Self {
        self.leading_zero = true;
        self
    }
}

/// Accepts 2048 to 4096 bits, without a leading zero octet.
impl Default for RsaLimits {
    fn default() -> Self {
        Self::up_to(4096)
    }
}

/// A point in uncompressed SEC 1 form. Its coordinates have their full length. Whether it is on the curve is not checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EcPoint {
    curve: Curve,
    sec1: [u8; 133],
}

impl EcPoint {
    pub(super) fn new(curve: Curve, x: &str, y: &str) -> Result<Self, JwkError> {
        let len = curve.coordinate_len();
        let mut sec1 = [0; 133];
        sec1[0] = 4;
        let (to_x, to_y) = sec1[1..=2 * len].split_at_mut(len);
        for (text, coordinate) in [(x, to_x), (y, to_y)] {
            if text.len() != (len * 4).div_ceil(3) {
                return Err(JwkError::Member);
            }
            match curve {
                Curve::P256 => coordinate.copy_from_slice(&decode::<32>(text)?),
                Curve::P384 => coordinate.copy_from_slice(&decode::<48>(text)?),
                Curve::P521 => coordinate.copy_from_slice(&decode::<66>(text)?),
            }
        }
        Ok(Self { curve, sec1 })
    }

    /// Reads `0x04 ‖ x ‖ y`.
    pub(crate) fn from_sec1(curve: Curve, bytes: &[u8]) -> Option<Self> {
        let is_uncompressed = bytes.len() == 1 + 2 * curve.coordinate_len() && bytes.first() == Some(&4);
        let mut sec1 = [0; 133];
        sec1.get_mut(..bytes.len()).filter(|_| is_uncompressed)?.copy_from_slice(bytes);
        Some(Self { curve, sec1 })
    }

    /// Returns the curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns `0x04 ‖ x ‖ y`.
    #[must_use]
    pub fn as_sec1(&self) -> &[u8] {
        &self.sec1[..=2 * self.curve.coordinate_len()]
    }

    pub(crate) fn x(&self) -> &[u8] {
        &self.sec1[1..=self.curve.coordinate_len()]
    }

    pub(crate) fn y(&self) -> &[u8] {
        let len = self.curve.coordinate_len();
        &self.sec1[1 + len..=2 * len]
    }
}

impl fmt::Debug for EcPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EcPoint({})", self.curve.name())
    }
}

/// The public key of a JWK.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublicKey {
    /// An elliptic curve point.
    Ec(EcPoint),
    /// An RSA key. Modulus and exponent are big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Box<[u8]>,
        /// The exponent.
        e: Box<[u8]>,
    },
    /// An Ed25519 key: the encoded point (RFC 8032 §5.1.2).
    Ed25519([u8; 32]),
    /// An ML-DSA key.
    #[cfg(feature = "ml-dsa")]
    MlDsa(super::MlDsaPublicKey),
}

impl PublicKey {
    /// Returns the kind of key.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Ec(point) => Family::Ec(point.curve()),
            Self::Rsa { .. } => Family::Rsa,
            Self::Ed25519(_) => Family::Ed25519,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa(key) => Family::MlDsa(key.parameter_set()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.family())
    }
}

/// A public JWK, with its `kid` and `alg`.
#[derive(Debug, Clone)]
pub struct Jwk {
    key: PublicKey,
    kid: Option<Box<str>>,
    alg: Option<Box<str>>,
}

impl Jwk {
    /// Reads a JWK from its JSON object, strictly. Unknown members are ignored (RFC 7517 §4).
    ///
    /// # Errors
    /// Any [`JwkError`] except [`JwkError::Point`]. [`JwkError::Algorithm`] only if `alg` of an AKP key is not ML-DSA.
    pub fn parse(object: &Object<'_>, rsa: RsaLimits) -> Result<Self, JwkError> {
        Self::read(object, rsa, Reader::Strict)
    }

    /// Reads a JWK of a key set that an issuer publishes.
    ///
    /// It differs from [`parse`](Self::parse) only as follows, because some serializers write every member that they know:
    ///
    /// - A member that is `null` counts as absent. This includes private members.
    /// - An empty `use`, `alg` or `key_ops` counts as absent.
    /// - A leading zero octet of an RSA modulus is removed if `rsa` allows it.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_published(object: &Object<'_>, rsa: RsaLimits) -> Result<Self, JwkError> {
        Self::read(object, rsa, Reader::Tolerant)
    }

    fn read(object: &Object<'_>, rsa: RsaLimits, reader: Reader) -> Result<Self, JwkError> {
        if PRIVATE_MEMBERS.iter().any(|name| reader.get(object, name).is_some()) {
            return Err(JwkError::PrivateMember);
        }
        let key = match text(object, "kty").ok_or(JwkError::KeyType)? {
            "EC" => {
                let curve = text(object, "crv").and_then(Curve::from_name).ok_or(JwkError::Curve)?;
                let (x, y) = (member(object, "x")?, member(object, "y")?);
                PublicKey::Ec(EcPoint::new(curve, x, y)?)
            }
            "OKP" => match text(object, "crv") {
                Some("Ed25519") => PublicKey::Ed25519(decode(member(object, "x")?)?),
                _ => return Err(JwkError::Curve),
            },
            "RSA" => rsa_key(member(object, "n")?, member(object, "e")?, rsa, reader)?,
            #[cfg(feature = "ml-dsa")]
            "AKP" => {
                let set = super::MlDsa::from_name(member(object, "alg")?).ok_or(JwkError::Algorithm)?;
                let key = super::MlDsaPublicKey::decode(set, member(object, "pub")?);
                PublicKey::MlDsa(key.map_err(|_| JwkError::Member)?)
            }
            _ => return Err(JwkError::KeyType),
        };
        check_usage(object, reader)?;
        Ok(Self {
            key,
            kid: reader.optional_text(object, "kid")?.map(Into::into),
            alg: reader.optional_text(object, "alg")?.filter(|alg| !reader.is_absent(alg)).map(Into::into),
        })
    }

    /// Returns the key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the `kid` member.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the `alg` member.
    #[must_use]
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// Returns whether the key may be used with an algorithm: `kty` and `crv` fit it, and `alg`, if present, names it (RFC 8725
    /// §3.1).
    #[must_use]
    pub fn serves(&self, alg: Algorithm) -> bool {
        self.key.family() == alg.family()
            && self.alg.as_deref().is_none_or(|name| Algorithm::from_name(name).is_some_and(|own| own.is_same_as(alg)))
    }
}

/// How `null` and empty members are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Every member that is present counts, whatever its value.
    Strict,
    /// `null` and empty values count as absent.
    Tolerant,
}

impl Reader {
    fn get<'o, 'a>(self, object: &'o Object<'a>, name: &str) -> Option<&'o Json<'a>> {
        object.get(name).filter(|value| self == Self::Strict || **value != Json::Null)
    }

    fn optional_text<'o>(self, object: &'o Object<'_>, name: &str) -> Result<Option<&'o str>, JwkError> {
        self.get(object, name).map(|value| value.as_str().ok_or(JwkError::Member)).transpose()
    }

    fn is_absent(self, value: &str) -> bool {
        self == Self::Tolerant && value.is_empty()
    }
}

/// Reads modulus and exponent of an RSA key, as [`Jwk::parse`] does.
#[cfg(feature = "aws-lc-rs")]
pub(super) fn rsa_public(n: &str, e: &str, limits: RsaLimits) -> Result<PublicKey, JwkError> {
    rsa_key(n, e, limits, Reader::Strict)
}

fn rsa_key(n: &str, e: &str, limits: RsaLimits, reader: Reader) -> Result<PublicKey, JwkError> {
    let leading_zero = limits.leading_zero && reader == Reader::Tolerant;
    // 8192 bits are 1,366 characters, or 1,367 with a leading octet. Longer values are rejected before they are decoded.
    let max_len = if leading_zero { 1367 } else { 1366 };
    if n.len() > max_len || e.len() > 8 {
        return Err(if n.len() > max_len { JwkError::RsaModulus } else { JwkError::RsaExponent });
    }
    let mut n = base64url::decode(n).map_err(|_| JwkError::Member)?;
    let e = base64url::decode(e).map_err(|_| JwkError::Member)?;
    if leading_zero && n.len() > 1 && n.first() == Some(&0) {
        n.remove(0);
    }
    let (Some(&n_first), Some(&n_last)) = (n.first(), n.last()) else {
        return Err(JwkError::Member);
    };
    let (Some(&e_first), Some(&e_last)) = (e.first(), e.last()) else {
        return Err(JwkError::Member);
    };
    if n_first == 0 || e_first == 0 {
        return Err(JwkError::LeadingZero);
    }
    let bits = u32::try_from(n.len()).unwrap_or(u32::MAX).saturating_mul(8) - n_first.leading_zeros();
    if n_last % 2 == 0 || !(RsaLimits::MIN_BITS..=limits.max_bits).contains(&bits) {
        return Err(JwkError::RsaModulus);
    }
    if e_last % 2 == 0 || e.len() > 4 || e == [1] {
        return Err(JwkError::RsaExponent);
    }
    Ok(PublicKey::Rsa { n: n.into(), e: e.into() })
}

fn check_usage(object: &Object<'_>, reader: Reader) -> Result<(), JwkError> {
    let for_signatures = |usage: &str| usage == "sig" || reader.is_absent(usage);
    if reader.get(object, "use").is_some_and(|usage| !usage.as_str().is_some_and(for_signatures)) {
        return Err(JwkError::Usage);
    }
    match reader.get(object, "key_ops") {
        None => Ok(()),
        Some(Json::Array(operations)) if operations.is_empty() && reader == Reader::Tolerant => Ok(()),
        Some(Json::Array(operations)) if operations.iter().any(|op| op.as_str() == Some("verify")) => Ok(()),
        Some(_) => Err(JwkError::Usage),
    }
}

fn text<'o>(object: &'o Object<'_>, name: &str) -> Option<&'o str> {
    object.get(name).and_then(Json::as_str)
}

fn member<'o>(object: &'o Object<'_>, name: &str) -> Result<&'o str, JwkError> {
    text(object, name).ok_or(JwkError::Member)
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], JwkError> {
    base64url::decode_array(text).map_err(|_| JwkError::Member)
}
