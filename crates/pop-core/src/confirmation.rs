//! The confirmation claim (RFC 7800): which keys a token is bound to.
//!
//! Every registered method is known. A token with a method that is not verified here is rejected: a constraint that cannot
//! be checked is never ignored. Unregistered members are ignored beside a method that is verified.

use crate::ConfirmationError;
use crate::jose::{CertThumbprint, Json, JwkThumbprint, Malformed, Object};

/// Methods that are known but not verified yet.
const UNSUPPORTED: [&str; 7] = ["jwk", "jwe", "jku", "kid", "htsk", "osc", "tbh"];
/// Methods that stand for a key. RFC 7800 §3.1 allows one of them.
const KEYS: [&str; 3] = ["jwk", "jwe", "jku"];

/// What a token is bound to: one requirement or more. A request must meet all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    jkt: Option<JwkThumbprint>,
    x5t: Option<CertThumbprint>,
}

/// One key that a token is bound to, and that a proof shows possession of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requirement {
    /// `jkt`: the key of the DPoP proof has this thumbprint (RFC 9449 §6.1).
    DpopKey(JwkThumbprint),
    /// `x5t#S256`: the client's certificate has this thumbprint (RFC 8705 §3.1).
    Certificate(CertThumbprint),
}

impl Confirmation {
    /// Reads the value of `cnf`.
    ///
    /// # Errors
    /// Any [`ConfirmationError`] except [`ConfirmationError::Missing`].
    pub fn parse(cnf: &Json<'_>) -> Result<Self, ConfirmationError> {
        let cnf = cnf.as_object().ok_or(ConfirmationError::NotObject)?;
        if KEYS.iter().filter(|name| cnf.contains(name)).count() > 1 {
            return Err(ConfirmationError::SeveralKeys);
        }
        let is_symmetric = |jwk: &Object<'_>| jwk.get("kty").and_then(Json::as_str) == Some("oct") || jwk.contains("k");
        if cnf.get("jwk").and_then(Json::as_object).is_some_and(is_symmetric) {
            return Err(ConfirmationError::SymmetricKeyInClear);
        }
        if UNSUPPORTED.iter().any(|name| cnf.contains(name)) {
            return Err(ConfirmationError::Unsupported);
        }
        let jkt = thumbprint(cnf.get("jkt"), JwkThumbprint::parse)?;
        let x5t = thumbprint(cnf.get("x5t#S256"), CertThumbprint::parse)?;
        if jkt.is_none() && x5t.is_none() {
            return Err(ConfirmationError::NoKnownMethod);
        }
        Ok(Self { jkt, x5t })
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

    /// Returns everything that a request must prove.
    pub fn requirements(&self) -> impl Iterator<Item = Requirement> + use<> {
        let Self { jkt, x5t } = *self;
        [jkt.map(Requirement::DpopKey), x5t.map(Requirement::Certificate)].into_iter().flatten()
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
    use crate::jose::JsonLimits;

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn read(claims: &str) -> Result<Option<Confirmation>, ConfirmationError> {
        let claims = Object::parse(claims.as_bytes(), JsonLimits::TOKEN).unwrap();
        claims.get("cnf").map(Confirmation::parse).transpose()
    }

    /// CNF-03, CNF-06, CNF-16: a `cnf` within another claim binds nothing.
    #[test]
    fn accepts_a_jkt_alone_and_beside_unknown_members() {
        let jkt = JwkThumbprint::parse(JKT).unwrap();
        for claims in [format!(r#"{{"cnf":{{"jkt":"{JKT}"}}}}"#), format!(r#"{{"cnf":{{"jkt":"{JKT}","foo":1}}}}"#)] {
            assert_eq!(read(&claims), Ok(Some(Confirmation { jkt: Some(jkt), x5t: None })));
        }
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(&format!(r#"{{"act":{{"cnf":{{"jkt":"{JKT}"}}}}}}"#)), Ok(None), "CNF-16");
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
        for (row, cnf, error) in [
            ("CNF-01", "null", E::NotObject),
            ("CNF-01", "[]", E::NotObject),
            ("CNF-01", "\"x\"", E::NotObject),
            ("CNF-02", r#"{"jwk":{},"jwe":"x"}"#, E::SeveralKeys),
            ("CNF-03", r#"{"foo":1}"#, E::NoKnownMethod),
            ("CNF-04", "{}", E::NoKnownMethod),
            ("CNF-05", &jwk, E::Unsupported),
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
            ("CNF-07", r#"{"jwk":{"kty":"EC","d":"x"}}"#, E::Unsupported),
            ("CNF-08", r#"{"jwk":{"kty":"oct","k":"x"}}"#, E::SymmetricKeyInClear),
            ("CNF-09", r#"{"kid":"' OR 1=1"}"#, E::Unsupported),
            ("CNF-10", r#"{"jku":"http://169.254.169.254"}"#, E::Unsupported),
            ("CNF-13", &upper, E::NoKnownMethod),
            ("CNF-14", r#"{"osc":{}}"#, E::Unsupported),
            ("CNF-14", r#"{"tbh":"x"}"#, E::Unsupported),
            ("CNF-15", r#"{"htsk":{}}"#, E::Unsupported),
        ] {
            assert_eq!(read(&format!("{{\"cnf\":{cnf}}}")), Err(error), "{row} {cnf}");
        }
    }
}
