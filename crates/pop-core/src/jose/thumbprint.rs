//! SHA-256 thumbprints of keys (RFC 7638) and certificates (RFC 8705 §3.1).

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::jwk::PublicKey;
use super::{Malformed, base64url};
use crate::constant_time;

fn text<'b>(digest: &[u8; 32], buffer: &'b mut [u8; 43]) -> &'b str {
    std::str::from_utf8(base64url::encode_onto(digest, buffer)).unwrap_or_default()
}

macro_rules! thumbprint {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Reads 43 characters of canonical base64url.
            ///
            /// # Errors
            /// [`Malformed::NotBase64url`] for every other length, alphabet or spelling: hex and padding never match.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                base64url::decode_array(text).map(Self)
            }

            /// The digest.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// In constant time.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                constant_time::equal(&self.0, &other.0)
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        /// base64url, 43 characters.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text(&self.0, &mut [0; 43]))
            }
        }

        /// As `Display`, and as the members of `cnf` have it.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.serialize_str(text(&self.0, &mut [0; 43]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

thumbprint! {
    /// The RFC 7638 SHA-256 thumbprint of a public key: the value of `cnf.jkt` (RFC 9449 §6.1).
    JwkThumbprint
}

thumbprint! {
    /// The SHA-256 digest of a certificate's DER: the value of `cnf.x5t#S256` (RFC 8705 §3.1).
    CertThumbprint
}

impl CertThumbprint {
    /// Hashes a certificate's DER as received: it is compared, never interpreted (RFC 8705 §3.1).
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl JwkThumbprint {
    /// Hashes the required members of a key in lexicographic order, without whitespace.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        let mut hash = Sha256::new();
        let mut buffer = [0_u8; 88];
        match key {
            PublicKey::Ec(point) => {
                hash.update(b"{\"crv\":\"");
                hash.update(point.curve().name());
                hash.update(b"\",\"kty\":\"EC\",\"x\":\"");
                hash.update(base64url::encode_onto(point.x(), &mut buffer));
                hash.update(b"\",\"y\":\"");
                hash.update(base64url::encode_onto(point.y(), &mut buffer));
            }
            PublicKey::Rsa { n, e } => {
                hash.update(b"{\"e\":\"");
                hash.update(base64url::encode(e));
                hash.update(b"\",\"kty\":\"RSA\",\"n\":\"");
                hash.update(base64url::encode(n));
            }
            PublicKey::Ed25519(x) => {
                hash.update(b"{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
                hash.update(base64url::encode_onto(x, &mut buffer));
            }
        }
        hash.update(b"\"}");
        Self(hash.finalize().into())
    }

    /// The thumbprint URI (RFC 9278 §3).
    #[must_use]
    pub fn to_uri(&self) -> String {
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{self}")
    }
}
