//! The confirmation claim (RFC 7800): which keys a token is bound to.
//!
//! Every registered method is known. A token with a method that is not verified here is rejected: a constraint that cannot
//! be checked is never ignored. Unregistered members are ignored beside a method that is verified.
//!
//! | member | the key | proven by |
//! |---|---|---|
//! | `jkt` | the thumbprint of a DPoP key | a DPoP proof |
//! | `x5t#S256` | the thumbprint of a certificate | mutual TLS |
//! | `jwk` | a public key | an HTTP message signature, or a signed HTTP request |
//! | `kid` | the thumbprint of a public key that the proof holds | a signed HTTP request |
//! | `jwe` | a symmetric key, encrypted for this server | an HMAC over the request, in either form |

mod public;
mod shared;

use std::fmt;
use std::sync::Arc;

pub use self::public::PublicPopKey;
pub use self::shared::SharedPopKey;

use crate::ConfirmationError;
use crate::jose::crypto::CryptoBackend;
use crate::jose::{CertThumbprint, Json, JwkThumbprint, Malformed, RsaLimits};

/// Methods that are known but not verified.
const UNSUPPORTED: [&str; 4] = ["jku", "htsk", "osc", "tbh"];
/// Methods that stand for a key. RFC 7800 §3.1 allows one of the first three; `kid` names one of them.
const KEYS: [&str; 4] = ["jwk", "jwe", "jku", "kid"];

/// How the keys of confirmations are read.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ConfirmationPolicy {
    /// The bounds on RSA keys.
    pub rsa: RsaLimits,
    /// The library that verifies signatures.
    pub backend: CryptoBackend,
    /// Whether the claims come from an authenticated introspection response, which may hold a symmetric key as it is.
    pub symmetric_key_in_clear: bool,
}

/// What a token is bound to: one requirement or more. A request must meet all of them. Cheap to clone.
#[derive(Clone)]
pub struct Confirmation {
    jkt: Option<JwkThumbprint>,
    x5t: Option<CertThumbprint>,
    key: Option<Key>,
}

/// The key that a token names itself. There is at most one.
#[derive(Clone)]
enum Key {
    /// `jwk`.
    Public(Arc<PublicPopKey>),
    /// `kid`.
    Thumbprint(JwkThumbprint),
    /// `jwe`, or a symmetric `jwk` of an introspection response.
    Shared(Arc<SharedPopKey>),
}

/// One key that a token is bound to, and that a proof shows possession of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requirement {
    /// `jkt`: the key of the DPoP proof has this thumbprint (RFC 9449 §6.1).
    DpopKey(JwkThumbprint),
    /// `x5t#S256`: the client's certificate has this thumbprint (RFC 8705 §3.1).
    Certificate(CertThumbprint),
    /// `jwk` or `kid`: the key with this thumbprint signed the request (RFC 7800 §3.2, §3.4).
    SigningKey(JwkThumbprint),
    /// `jwe`: the symmetric key of this token made the MAC of the request (RFC 7800 §3.3).
    SharedKey,
}

impl Confirmation {
    /// Reads the value of `cnf`.
    ///
    /// # Errors
    /// Any [`ConfirmationError`] except [`ConfirmationError::Missing`].
    pub fn parse(cnf: &Json<'_>, policy: ConfirmationPolicy) -> Result<Self, ConfirmationError> {
        let cnf = cnf.as_object().ok_or(ConfirmationError::NotObject)?;
        if KEYS.iter().filter(|name| cnf.contains(name)).count() > 1 {
            return Err(ConfirmationError::SeveralKeys);
        }
        if UNSUPPORTED.iter().any(|name| cnf.contains(name)) {
            return Err(ConfirmationError::Unsupported);
        }
        let jkt = thumbprint(cnf.get("jkt"), JwkThumbprint::parse)?;
        let x5t = thumbprint(cnf.get("x5t#S256"), CertThumbprint::parse)?;
        let key = if let Some(jwk) = cnf.get("jwk") {
            let jwk = jwk.as_object().ok_or(ConfirmationError::Malformed)?;
            if jwk.get("kty").and_then(Json::as_str) == Some("oct") || jwk.contains("k") {
                Some(Key::Shared(Arc::new(SharedPopKey::in_clear(jwk, policy)?)))
            } else {
                Some(Key::Public(Arc::new(PublicPopKey::parse(jwk, policy)?)))
            }
        } else if let Some(jwe) = cnf.get("jwe") {
            let jwe = jwe.as_str().ok_or(ConfirmationError::Malformed)?;
            Some(Key::Shared(Arc::new(SharedPopKey::wrapped(jwe)?)))
        } else if let Some(kid) = cnf.get("kid") {
            let kid = kid.as_str().ok_or(ConfirmationError::Malformed)?;
            // Nothing resolves other identifiers.
            Some(Key::Thumbprint(JwkThumbprint::parse(kid).map_err(|_| ConfirmationError::Unsupported)?))
        } else {
            None
        };
        if jkt.is_none() && x5t.is_none() && key.is_none() {
            return Err(ConfirmationError::NoKnownMethod);
        }
        if let (Some(jkt), Some(Key::Public(key))) = (&jkt, &key)
            && jkt != key.thumbprint()
        {
            return Err(ConfirmationError::Contradiction);
        }
        Ok(Self { jkt, x5t, key })
    }

    /// Returns `jkt`: the thumbprint of the DPoP key (RFC 9449 §6.1).
    #[must_use]
    pub const fn jkt(&self) -> Option<&JwkThumbprint> {
        self.jkt.as_ref()
    }

    /// Returns `x5t#S256`: the thumbprint of the client's certificate (RFC 8705 §3.1).
    #[must_use]
    pub const fn x5t(&self) -> Option<&CertThumbprint> {
        self.x5t.as_ref()
    }

    /// Returns `jwk`: the client's public key (RFC 7800 §3.2).
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicPopKey> {
        match &self.key {
            Some(Key::Public(key)) => Some(key),
            _ => None,
        }
    }

    /// Returns `kid`: the thumbprint of the client's public key (RFC 7800 §3.4).
    #[must_use]
    pub const fn key_thumbprint(&self) -> Option<&JwkThumbprint> {
        match &self.key {
            Some(Key::Thumbprint(thumbprint)) => Some(thumbprint),
            _ => None,
        }
    }

    /// Returns the symmetric key of the token: `jwe` (RFC 7800 §3.3), or a `jwk` of an introspection response.
    #[must_use]
    pub fn shared_key(&self) -> Option<&SharedPopKey> {
        match &self.key {
            Some(Key::Shared(key)) => Some(key),
            _ => None,
        }
    }

    /// Returns everything that a request must prove.
    pub fn requirements(&self) -> impl Iterator<Item = Requirement> + use<> {
        let key = self.key.as_ref().map(|key| match key {
            Key::Public(key) => Requirement::SigningKey(*key.thumbprint()),
            Key::Thumbprint(thumbprint) => Requirement::SigningKey(*thumbprint),
            Key::Shared(_) => Requirement::SharedKey,
        });
        [self.jkt.map(Requirement::DpopKey), self.x5t.map(Requirement::Certificate), key].into_iter().flatten()
    }
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.requirements()).finish()
    }
}

fn thumbprint<T>(
    member: Option<&Json<'_>>,
    parse: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<Option<T>, ConfirmationError> {
    let read = |value: &Json<'_>| parse(value.as_str()?).ok();
    member.map(|value| read(value).ok_or(ConfirmationError::Malformed)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{JsonLimits, Object};

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const OTHER: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    /// The key with that thumbprint (RFC 9449 §4.1).
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA""#;

    fn read(claims: &str) -> Result<Option<Confirmation>, ConfirmationError> {
        let claims = Object::parse(claims.as_bytes(), JsonLimits::TOKEN).unwrap();
        claims.get("cnf").map(|cnf| Confirmation::parse(cnf, ConfirmationPolicy::default())).transpose()
    }

    /// CNF-03, CNF-06, CNF-16: a `cnf` within another claim binds nothing.
    #[test]
    fn accepts_a_jkt_alone_and_beside_unknown_members() {
        let jkt = JwkThumbprint::parse(JKT).unwrap();
        for claims in [format!(r#"{{"cnf":{{"jkt":"{JKT}"}}}}"#), format!(r#"{{"cnf":{{"jkt":"{JKT}","foo":1}}}}"#)] {
            let bound = read(&claims).unwrap().unwrap();
            assert!(bound.requirements().eq([Requirement::DpopKey(jkt)]));
        }
        assert!(read("{}").unwrap().is_none());
        assert!(read(&format!(r#"{{"act":{{"cnf":{{"jkt":"{JKT}"}}}}}}"#)).unwrap().is_none(), "CNF-16");
    }

    /// MTLS-08, CNF-05: a token can be bound to a certificate alone, and to a key and a certificate.
    #[test]
    fn names_every_requirement() {
        let jkt = JwkThumbprint::parse(JKT).unwrap();
        let x5t = CertThumbprint::of_der(b"own");
        let bound = read(&format!(r#"{{"cnf":{{"x5t#S256":"{x5t}"}}}}"#)).unwrap().unwrap();
        assert_eq!((bound.jkt(), bound.x5t()), (None, Some(&x5t)));
        assert!(bound.requirements().eq([Requirement::Certificate(x5t)]));
        let both = read(&format!(r#"{{"cnf":{{"jkt":"{JKT}","x5t#S256":"{x5t}"}}}}"#)).unwrap().unwrap();
        assert!(both.requirements().eq([Requirement::DpopKey(jkt), Requirement::Certificate(x5t)]));
    }

    /// Each row names what it proves.
    #[test]
    fn rejects_a_confirmation_when_it_cannot_be_verified() {
        use ConfirmationError as E;
        let jwk = format!(r#"{{"jkt":"{JKT}","x5t#S256":"{JKT}","jwk":{{}}}}"#);
        let bad_x5t = format!(r#"{{"jkt":"{JKT}","x5t#S256":null}}"#);
        let hex = r#"{"x5t#S256":"3f2b1c00000000000000000000000000000000000000000000000000000000aa"}"#;
        let padded = format!(r#"{{"jkt":"{JKT}="}}"#);
        let upper = format!(r#"{{"JKT":"{JKT}"}}"#);
        let private = format!(r#"{{"jwk":{{{EC},"d":"x"}}}}"#);
        let other_key = format!(r#"{{"jkt":"{OTHER}","jwk":{{{EC}}}}}"#);
        for (row, cnf, error) in [
            ("CNF-01", "null", E::NotObject),
            ("CNF-01", "[]", E::NotObject),
            ("CNF-01", "\"x\"", E::NotObject),
            ("CNF-02", r#"{"jwk":{},"jwe":"x"}"#, E::SeveralKeys),
            ("CNF-03", r#"{"foo":1}"#, E::NoKnownMethod),
            ("CNF-04", "{}", E::NoKnownMethod),
            ("CNF-05", &jwk, E::Malformed),
            ("CNF-05", &bad_x5t, E::Malformed),
            ("MTLS-05 hex", hex, E::Malformed),
            ("MTLS-05 padded", r#"{"x5t#S256":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I="}"#, E::Malformed),
            ("MTLS-05 standard", r#"{"x5t#S256":"0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#, E::Malformed),
            ("MTLS-05 space", r#"{"x5t#S256":" 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#, E::Malformed),
            (
                "MTLS-06 RFC 8705 figure 2",
                r#"{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}"#,
                E::Malformed,
            ),
            ("CNF-06", &padded, E::Malformed),
            ("CNF-06", r#"{"jkt":["x"]}"#, E::Malformed),
            ("CNF-06", r#"{"jkt":null}"#, E::Malformed),
            ("CNF-07", &private, E::Malformed),
            ("CNF-05", &other_key, E::Contradiction),
            ("CNF-02", r#"{"jwk":{},"kid":"x"}"#, E::SeveralKeys),
            ("CNF-08", r#"{"jwk":{"kty":"oct","k":"x"}}"#, E::SymmetricKeyInClear),
            ("CNF-09", r#"{"kid":1}"#, E::Malformed),
            ("CNF-09", r#"{"kid":"' OR 1=1"}"#, E::Unsupported),
            ("CNF-09", r#"{"kid":"../key"}"#, E::Unsupported),
            ("CNF-10", r#"{"jku":"http://169.254.169.254"}"#, E::Unsupported),
            ("CNF-13", &upper, E::NoKnownMethod),
            ("CNF-14", r#"{"osc":{}}"#, E::Unsupported),
            ("CNF-14", r#"{"tbh":"x"}"#, E::Unsupported),
            ("CNF-15", r#"{"htsk":{}}"#, E::Unsupported),
        ] {
            assert_eq!(read(&format!("{{\"cnf\":{cnf}}}")).unwrap_err(), error, "{row} {cnf}");
        }
    }

    /// CNF-05, CNF-07, CNF-09, SIG-11, SHR-04: by a public key, by the thumbprint of one, and beside `jkt` for the same key.
    #[test]
    fn accepts_public_keys_and_their_thumbprints() {
        let jkt = JwkThumbprint::parse(JKT).unwrap();
        let jwk = read(&format!(r#"{{"cnf":{{"jwk":{{{EC}}}}}}}"#)).unwrap().unwrap();
        assert!(jwk.requirements().eq([Requirement::SigningKey(jkt)]));
        assert_eq!(jwk.public_key().map(PublicPopKey::thumbprint), Some(&jkt));
        let both = read(&format!(r#"{{"cnf":{{"jkt":"{JKT}","jwk":{{{EC}}}}}}}"#)).unwrap().unwrap();
        assert!(both.requirements().eq([Requirement::DpopKey(jkt), Requirement::SigningKey(jkt)]));
        let kid = read(&format!(r#"{{"cnf":{{"kid":"{JKT}"}}}}"#)).unwrap().unwrap();
        assert!(kid.requirements().eq([Requirement::SigningKey(jkt)]));
    }

    /// SYM-01, CNF-08: a symmetric key in clear comes from an introspection response only.
    #[test]
    fn accepts_symmetric_keys_in_clear_from_introspection_only() {
        let key = r#"{"cnf":{"jwk":{"kty":"oct","k":"ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE"}}}"#;
        assert_eq!(read(key).unwrap_err(), ConfirmationError::SymmetricKeyInClear);
        let claims = Object::parse(key.as_bytes(), JsonLimits::TOKEN).unwrap();
        let policy = ConfirmationPolicy { symmetric_key_in_clear: true, ..ConfirmationPolicy::default() };
        let bound = Confirmation::parse(claims.get("cnf").unwrap(), policy).unwrap();
        assert!(bound.requirements().eq([Requirement::SharedKey]));
        assert_eq!(format!("{bound:?}"), "[SharedKey]");
    }
}
