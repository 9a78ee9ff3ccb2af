//! SHA-256 thumbprints of keys (RFC 7638) and certificates (RFC 8705 §3.1).

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::jwk::PublicKey;
use super::{Malformed, base64url, encode};
use crate::constant_time;

/// Encodes a digest into `buffer`.
fn base64url_str<'b>(digest: &[u8; 32], buffer: &'b mut [u8; 43]) -> &'b str {
    std::str::from_utf8(base64url::encode_onto(digest, buffer)).unwrap_or_default()
}

macro_rules! thumbprint {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Parses 43 characters of canonical base64url.
            ///
            /// # Errors
            /// [`Malformed::NotBase64url`] for any other length, alphabet or encoding, such as hexadecimal or padding.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                base64url::decode_array(text).map(Self)
            }

            /// Returns the digest.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// Compares in constant time.
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

        /// Writes 43 characters of base64url.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(base64url_str(&self.0, &mut [0; 43]))
            }
        }

        /// Serializes as a string of base64url: the format of the members of `cnf`.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.serialize_str(base64url_str(&self.0, &mut [0; 43]))
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
    /// The SHA-256 thumbprint of a public key (RFC 7638): the value of `cnf.jkt` (RFC 9449 §6.1).
    JwkThumbprint
}

thumbprint! {
    /// The SHA-256 digest of a certificate in DER: the value of `cnf.x5t#S256` (RFC 8705 §3.1).
    CertThumbprint
}

impl CertThumbprint {
    /// Hashes a certificate in DER, as received. The certificate is not parsed (RFC 8705 §3.1).
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Wraps a digest that was computed elsewhere.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl JwkThumbprint {
    /// Hashes the required members of a key, in lexicographic order and without whitespace (RFC 7638 §3).
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
            // RFC 9964 §6
            #[cfg(feature = "ml-dsa")]
            PublicKey::MlDsa(key) => {
                hash.update(b"{\"alg\":\"");
                hash.update(key.parameter_set().name());
                hash.update(b"\",\"kty\":\"AKP\",\"pub\":\"");
                hash.update(base64url::encode(key.as_bytes()));
            }
        }
        hash.update(b"\"}");
        Self(hash.finalize().into())
    }

    /// Returns the thumbprint URI (RFC 9278 §3).
    #[must_use]
    pub fn to_uri(&self) -> String {
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{self}")
    }
}

impl PublicKey {
    /// Returns the thumbprint of the key (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> JwkThumbprint {
        JwkThumbprint::of(self)
    }
}
impl PublicKey {
    /// Returns the key as a JWK: the members that its thumbprint covers (RFC 7638 §3.2).
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        match self {
            Self::Ec(point) => {
                let (x, y) = (encode(point.x()), encode(point.y()));
                json!({ "kty": "EC", "crv": point.curve().name(), "x": x, "y": y })
            }
            Self::Rsa { n, e } => json!({ "kty": "RSA", "n": encode(n), "e": encode(e) }),
            Self::Ed25519(x) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(x) }),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa(key) => {
                json!({ "kty": "AKP", "alg": key.parameter_set().name(), "pub": encode(key.as_bytes()) })
            }
        }
    }
}
