//! The confirmation claim (RFC 7800): which key a token is bound to.
//!
//! Every registered method is recognised. Those that are not verified here make the token unusable: a constraint that
//! cannot be checked is never ignored. Members that nobody registered are ignored beside a method that is verified.

use crate::jose::{CertThumbprint, Json, JwkThumbprint, Malformed, Object};
use crate::{BindingError, ConfirmationError};

/// Methods that are known but not verified yet.
const UNSUPPORTED: [&str; 7] = ["jwk", "jwe", "jku", "kid", "htsk", "osc", "tbh"];
/// Methods that stand for a key; RFC 7800 §3.1 allows one of them.
const KEYS: [&str; 3] = ["jwk", "jwe", "jku"];

/// What a token is bound to: at least one method. Every method it names must be satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// The thumbprint of the DPoP key (RFC 9449 §6.1).
    pub jkt: Option<JwkThumbprint>,
    /// The thumbprint of the client's certificate, `x5t#S256` (RFC 8705 §3.1).
    pub x5t: Option<CertThumbprint>,
}

impl Confirmation {
    /// Reads the value of `cnf`.
    ///
    /// # Errors
    /// Any [`ConfirmationError`] but [`ConfirmationError::Missing`].
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

    /// Checks the certificate that the client proved to hold in the TLS handshake, where the token is bound to one. A
    /// token that is not does not care.
    ///
    /// # Errors
    /// [`BindingError::CertificateMissing`] or [`BindingError::CertificateMismatch`].
    pub fn check_certificate(&self, certificate: Option<&CertThumbprint>) -> Result<(), BindingError> {
        match (&self.x5t, certificate) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(BindingError::CertificateMissing),
            (Some(bound), Some(certificate)) if bound == certificate => Ok(()),
            (Some(_), Some(_)) => Err(BindingError::CertificateMismatch),
        }
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
    use crate::token_claims::TokenClaims;

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn read(claims: &str) -> Result<Option<Confirmation>, ConfirmationError> {
        TokenClaims::parse(claims.as_bytes(), JsonLimits::TOKEN).unwrap().confirmation()
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

    /// MTLS-01, MTLS-02, MTLS-08: also beside a `jkt`.
    #[test]
    fn requires_the_certificate_that_is_named() {
        let (own, other) = (CertThumbprint::of_der(b"own"), CertThumbprint::of_der(b"other"));
        let bound = read(&format!(r#"{{"cnf":{{"x5t#S256":"{own}"}}}}"#)).unwrap().unwrap();
        assert_eq!((bound.jkt, bound.x5t), (None, Some(own)));
        assert_eq!(bound.check_certificate(Some(&own)), Ok(()));
        assert_eq!(bound.check_certificate(Some(&other)), Err(BindingError::CertificateMismatch));
        assert_eq!(bound.check_certificate(None), Err(BindingError::CertificateMissing));
        let both = read(&format!(r#"{{"cnf":{{"jkt":"{JKT}","x5t#S256":"{own}"}}}}"#)).unwrap().unwrap();
        assert_eq!(both.check_certificate(None), Err(BindingError::CertificateMissing));
        assert!(both.jkt.is_some());
        let unbound = read(&format!(r#"{{"cnf":{{"jkt":"{JKT}"}}}}"#)).unwrap().unwrap();
        assert_eq!(unbound.check_certificate(Some(&other)), Ok(()), "a certificate that is not asked for");
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
