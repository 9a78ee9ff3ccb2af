//! Signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864, RFC 9964).

use std::fmt;

/// An asymmetric signature algorithm. There is no variant for `none`, HMAC, `RS1`, `RSA1_5` and `ES256K`, so that they cannot
/// be allowed by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519, under its fully specified name (RFC 9864).
    Ed25519,
    /// Ed25519, under its older polymorphic name (RFC 8037). `Ed448` is not implemented.
    EdDSA,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    PS256,
    /// RSASSA-PSS with SHA-384 and a salt of 48 bytes.
    PS384,
    /// RSASSA-PSS with SHA-512 and a salt of 64 bytes.
    PS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// ML-DSA-44 (RFC 9964). In no default allowlist. Only `aws-lc-rs` verifies it.
    #[cfg(feature = "ml-dsa")]
    MlDsa44,
    /// ML-DSA-65 (RFC 9964). In no default allowlist. Only `aws-lc-rs` verifies it.
    #[cfg(feature = "ml-dsa")]
    MlDsa65,
    /// ML-DSA-87 (RFC 9964). In no default allowlist. Only `aws-lc-rs` verifies it.
    #[cfg(feature = "ml-dsa")]
    MlDsa87,
}

/// The kind of key that an algorithm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// An elliptic curve key on the given curve.
    Ec(super::Curve),
    /// An RSA key.
    Rsa,
    /// An Ed25519 key.
    Ed25519,
    /// An ML-DSA key of the given parameter set.
    #[cfg(feature = "ml-dsa")]
    MlDsa(super::MlDsa),
}

impl Algorithm {
    /// All algorithms except ML-DSA, in the order in which challenges list them. The same with every feature.
    pub const ALL: [Self; 11] = [
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::Ed25519,
        Self::EdDSA,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
    ];

    /// The algorithms of ML-DSA: none without the feature `ml-dsa`.
    pub const ML_DSA: &'static [Self] = &[
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa44,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa65,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa87,
    ];

    /// Returns all algorithms that are compiled in: those of [`ALL`](Self::ALL), then those of [`ML_DSA`](Self::ML_DSA).
    pub fn compiled_in() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::ML_DSA.iter().copied())
    }

    /// Returns the algorithm with this name. Names are case-sensitive (RFC 7515 §4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::compiled_in().find(|alg| alg.name() == name)
    }

    /// Returns the registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::Ed25519 => "Ed25519",
            Self::EdDSA => "EdDSA",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44 => super::MlDsa::MlDsa44.name(),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa65 => super::MlDsa::MlDsa65.name(),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa87 => super::MlDsa::MlDsa87.name(),
        }
    }

    /// Returns the kind of key that the algorithm needs.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::ES256 => Family::Ec(super::Curve::P256),
            Self::ES384 => Family::Ec(super::Curve::P384),
            Self::ES512 => Family::Ec(super::Curve::P521),
            Self::Ed25519 | Self::EdDSA => Family::Ed25519,
            Self::PS256 | Self::PS384 | Self::PS512 | Self::RS256 | Self::RS384 | Self::RS512 => Family::Rsa,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44 => Family::MlDsa(super::MlDsa::MlDsa44),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa65 => Family::MlDsa(super::MlDsa::MlDsa65),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa87 => Family::MlDsa(super::MlDsa::MlDsa87),
        }
    }

    /// Returns whether both are the same algorithm. [`Ed25519`](Self::Ed25519) and [`EdDSA`](Self::EdDSA) are.
    #[must_use]
    pub fn is_same_as(self, other: Self) -> bool {
        self == other || (self.family() == Family::Ed25519 && other.family() == Family::Ed25519)
    }

    /// Returns whether the algorithm is ML-DSA. Without the feature `ml-dsa`, none is.
    #[must_use]
    pub const fn is_ml_dsa(self) -> bool {
        match self.family() {
            Family::Ec(_) | Family::Rsa | Family::Ed25519 => false,
            #[cfg(feature = "ml-dsa")]
            Family::MlDsa(_) => true,
        }
    }

    /// Returns the parameter set, if this is ML-DSA.
    #[cfg(feature = "ml-dsa")]
    pub(super) const fn ml_dsa(self) -> Option<super::MlDsa> {
        match self.family() {
            Family::MlDsa(set) => Some(set),
            Family::Ec(_) | Family::Rsa | Family::Ed25519 => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

crate::names::parsed!("an algorithm", Algorithm, Algorithm::compiled_in());

/// An allowlist of algorithms. It contains both names of Ed25519 or neither (RFC 9864 §4.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// No algorithm.
    pub const EMPTY: Self = Self(0);
    /// The default for proofs: ES256, ES384, Ed25519 (both names), PS256, RS256.
    pub const PROOF: Self = Self::EMPTY
        .with(Algorithm::ES256)
        .with(Algorithm::ES384)
        .with(Algorithm::Ed25519)
        .with(Algorithm::PS256)
        .with(Algorithm::RS256);
    /// The default for access tokens. It is equal to [`PROOF`](Self::PROOF).
    pub const TOKEN: Self = Self::PROOF;
    /// The default for HTTP message signatures: ES256, ES384, Ed25519 (both names), PS512, RS256, which are the algorithms of
    /// RFC 9421 §3.3.
    pub const SIGNATURE: Self = Self::EMPTY
        .with(Algorithm::ES256)
        .with(Algorithm::ES384)
        .with(Algorithm::Ed25519)
        .with(Algorithm::PS512)
        .with(Algorithm::RS256);
    /// The algorithms that FAPI 2.0 §5.4.1 allows: ES256, Ed25519 (both names), PS256.
    pub const FAPI: Self = Self::EMPTY.with(Algorithm::ES256).with(Algorithm::Ed25519).with(Algorithm::PS256);

    /// Adds an algorithm. Adding one name of Ed25519 adds both.
    #[must_use]
    pub const fn with(self, alg: Algorithm) -> Self {
        match alg {
            Algorithm::Ed25519 | Algorithm::EdDSA => Self(self.0 | Algorithm::Ed25519.bit() | Algorithm::EdDSA.bit()),
            _ => Self(self.0 | alg.bit()),
        }
    }

    /// Returns whether the algorithm is allowed.
    #[must_use]
    pub const fn contains(self, alg: Algorithm) -> bool {
        self.0 & alg.bit() != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether every algorithm of this set is also in `other`.
    #[must_use]
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Returns how much longer than usual a compact JWS can be because of its signature, in bytes: the length of the largest
    /// ML-DSA signature of these algorithms, encoded. 0 without ML-DSA.
    #[must_use]
    pub fn signature_room(self) -> usize {
        #[cfg(feature = "ml-dsa")]
        return self.largest_ml_dsa().map_or(0, super::MlDsa::signature_segment_len);
        #[cfg(not(feature = "ml-dsa"))]
        0
    }

    /// Returns how much longer than usual the encoded header of a proof can be because of its key, in bytes: the length of the
    /// largest ML-DSA key of these algorithms, encoded in its JWK and again in the header. 0 without ML-DSA.
    #[must_use]
    pub fn key_room(self) -> usize {
        #[cfg(feature = "ml-dsa")]
        return self.largest_ml_dsa().map_or(0, super::MlDsa::embedded_key_len);
        #[cfg(not(feature = "ml-dsa"))]
        0
    }

    #[cfg(feature = "ml-dsa")]
    fn largest_ml_dsa(self) -> Option<super::MlDsa> {
        self.iter().filter_map(Algorithm::ml_dsa).max()
    }

    /// Returns the algorithms, in the order in which challenges list them.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::compiled_in().filter(move |alg| self.contains(*alg))
    }

    /// Returns the names separated by single spaces: the value of the `algs` parameter (RFC 9449 §7.1).
    #[must_use]
    pub fn names(self) -> String {
        self.iter().map(Algorithm::name).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JOSE-08, JOSE-28: by case, and none of the legacy algorithms.
    #[test]
    fn accepts_exact_algorithm_names_only() {
        for alg in Algorithm::compiled_in() {
            assert_eq!(Algorithm::from_name(alg.name()), Some(alg));
        }
        for name in
            ["none", "None", "nOnE", "", "es256", " ES256", "ES256 ", "HS256", "ES256K", "RSA1_5", "RS1", "Ed448"]
        {
            assert_eq!(Algorithm::from_name(name), None, "JOSE-28 {name:?}");
        }
        let compiled_in = cfg!(feature = "ml-dsa");
        assert_eq!(Algorithm::from_name("ML-DSA-44").is_some(), compiled_in, "absent without its feature");
        for name in ["ML-DSA-45", "ml-dsa-44", "MLDSA44", "ML-DSA", "ML-DSA-44 ", "HashML-DSA-44", "SLH-DSA-SHA2-128s"]
        {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
    }

    /// DPOP-40, DPOP-44: ML-DSA is in no default, and only naming it makes room for it.
    #[test]
    fn only_sets_with_ml_dsa_need_room() {
        for set in [AlgorithmSet::PROOF, AlgorithmSet::TOKEN, AlgorithmSet::SIGNATURE, AlgorithmSet::FAPI] {
            assert!(!set.names().contains("ML-DSA"));
            assert_eq!((set.key_room(), set.signature_room()), (0, 0));
        }
        #[cfg(feature = "ml-dsa")]
        for (alg, key, signature) in
            [(Algorithm::MlDsa44, 2334, 3227), (Algorithm::MlDsa65, 3471, 4412), (Algorithm::MlDsa87, 4608, 6170)]
        {
            // The largest one counts.
            let set = AlgorithmSet::PROOF.with(Algorithm::MlDsa44).with(alg);
            assert_eq!((set.key_room(), set.signature_room()), (key, signature), "{alg}");
        }
    }

    /// JOSE-09: `Ed25519` and `EdDSA`.
    #[test]
    fn both_names_of_ed25519_go_together() {
        let set: AlgorithmSet = [Algorithm::EdDSA].into_iter().collect();
        assert_eq!(set.names(), "Ed25519 EdDSA");
        assert!(!set.contains(Algorithm::ES256));
        assert_eq!(AlgorithmSet::PROOF.names(), "ES256 ES384 Ed25519 EdDSA PS256 RS256");
    }
}
