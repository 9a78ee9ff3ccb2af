//! The algorithms of JWE that are allowed (RFC 7518 §4.1, §5.1).

use std::fmt;

/// A key management algorithm, the `alg` of a JWE. There is no variant for `RSA1_5`, RSA-OAEP with SHA-1 and PBES2, so that they
/// cannot be allowed by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyManagement {
    /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
    RsaOaep256,
    /// Ephemeral-static Diffie-Hellman. The derived key encrypts the content.
    EcdhEs,
    /// Ephemeral-static Diffie-Hellman. The derived key wraps the content key with AES-256.
    EcdhEsA256Kw,
    /// AES key wrap with a shared 256-bit key (RFC 3394).
    A256Kw,
    /// Key wrap by AES-GCM with a shared 256-bit key.
    A256GcmKw,
    /// The shared 256-bit key encrypts the content. Allowed with [`ContentEncryption::A256Gcm`] only.
    Dir,
}

impl KeyManagement {
    /// All algorithms.
    pub const ALL: [Self; 6] =
        [Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA256Kw, Self::A256Kw, Self::A256GcmKw, Self::Dir];

    /// Returns the algorithm with this name. Names are case-sensitive (RFC 7516 §4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Returns the registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::A256Kw => "A256KW",
            Self::A256GcmKw => "A256GCMKW",
            Self::Dir => "dir",
        }
    }

    /// Returns whether the algorithm is allowed with this content encryption.
    #[must_use]
    pub const fn allows(self, enc: ContentEncryption) -> bool {
        !matches!((self, enc), (Self::Dir, ContentEncryption::A128CbcHs256))
    }
}

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A content encryption algorithm, the `enc` of a JWE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentEncryption {
    /// AES-128 in CBC mode with HMAC-SHA-256 (RFC 7518 §5.2.3).
    A128CbcHs256,
    /// AES-256 in Galois/counter mode.
    A256Gcm,
}

impl ContentEncryption {
    /// All algorithms.
    pub const ALL: [Self; 2] = [Self::A128CbcHs256, Self::A256Gcm];

    /// Returns the algorithm with this name. Names are case-sensitive (RFC 7516 §4.1.2).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.name() == name)
    }

    /// Returns the registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256Gcm => "A256GCM",
        }
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
