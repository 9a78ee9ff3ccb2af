//! The confirmation claim (RFC 7800): which key a token is bound to.
//!
//! Every registered method is recognised. Those that are not verified here make the token unusable: a constraint that
//! cannot be checked is never ignored. Members that nobody registered are ignored beside a method that is verified.

use crate::ConfirmationError;
use crate::jose::{Json, JwkThumbprint, Object};

/// Methods that are known but not verified yet.
const UNSUPPORTED: [&str; 8] = ["x5t#S256", "jwk", "jwe", "jku", "kid", "htsk", "osc", "tbh"];
/// Methods that stand for a key; RFC 7800 §3.1 allows one of them.
const KEYS: [&str; 3] = ["jwk", "jwe", "jku"];

/// What a token is bound to. Every method it names must be satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// The thumbprint of the DPoP key (RFC 9449 §6.1).
    pub jkt: JwkThumbprint,
}

impl Confirmation {
    /// Reads `cnf` from a token's claims; `None` when there is no such claim.
    ///
    /// # Errors
    /// Any [`ConfirmationError`] but [`ConfirmationError::Missing`].
    pub fn from_claims(claims: &Object<'_>) -> Result<Option<Self>, ConfirmationError> {
        let Some(cnf) = claims.get("cnf") else {
            return Ok(None);
        };
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
        let jkt = cnf.get("jkt").ok_or(ConfirmationError::NoKnownMethod)?;
        let jkt = jkt.as_str().ok_or(ConfirmationError::Malformed)?;
        let jkt = JwkThumbprint::parse(jkt).map_err(|_| ConfirmationError::Malformed)?;
        Ok(Some(Self { jkt }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::JsonLimits;

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn read(claims: &str) -> Result<Option<Confirmation>, ConfirmationError> {
        Confirmation::from_claims(&Object::parse(claims.as_bytes(), JsonLimits::TOKEN).unwrap())
    }

    #[test]
    fn cnf_03_cnf_06_accepts_a_jkt_alone_and_beside_unknown_members() {
        let jkt = JwkThumbprint::parse(JKT).unwrap();
        for claims in [format!(r#"{{"cnf":{{"jkt":"{JKT}"}}}}"#), format!(r#"{{"cnf":{{"jkt":"{JKT}","foo":1}}}}"#)] {
            assert_eq!(read(&claims), Ok(Some(Confirmation { jkt })));
        }
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(&format!(r#"{{"act":{{"cnf":{{"jkt":"{JKT}"}}}}}}"#)), Ok(None), "cnf_16");
    }

    #[test]
    fn rejects_what_cannot_be_checked() {
        use ConfirmationError as E;
        let x5t = format!(r#"{{"jkt":"{JKT}","x5t#S256":"{JKT}"}}"#);
        let padded = format!(r#"{{"jkt":"{JKT}="}}"#);
        let upper = format!(r#"{{"JKT":"{JKT}"}}"#);
        for (row, cnf, error) in [
            ("cnf_01", "null", E::NotObject),
            ("cnf_01", "[]", E::NotObject),
            ("cnf_01", "\"x\"", E::NotObject),
            ("cnf_02", r#"{"jwk":{},"jwe":"x"}"#, E::SeveralKeys),
            ("cnf_03", r#"{"foo":1}"#, E::NoKnownMethod),
            ("cnf_04", "{}", E::NoKnownMethod),
            ("cnf_05", &x5t, E::Unsupported),
            ("cnf_06", &padded, E::Malformed),
            ("cnf_06", r#"{"jkt":["x"]}"#, E::Malformed),
            ("cnf_06", r#"{"jkt":null}"#, E::Malformed),
            ("cnf_07", r#"{"jwk":{"kty":"EC","d":"x"}}"#, E::Unsupported),
            ("cnf_08", r#"{"jwk":{"kty":"oct","k":"x"}}"#, E::SymmetricKeyInClear),
            ("cnf_09", r#"{"kid":"' OR 1=1"}"#, E::Unsupported),
            ("cnf_10", r#"{"jku":"http://169.254.169.254"}"#, E::Unsupported),
            ("cnf_13", &upper, E::NoKnownMethod),
            ("cnf_14", r#"{"osc":{}}"#, E::Unsupported),
            ("cnf_14", r#"{"tbh":"x"}"#, E::Unsupported),
            ("cnf_15", r#"{"htsk":{}}"#, E::Unsupported),
        ] {
            assert_eq!(read(&format!("{{\"cnf\":{cnf}}}")), Err(error), "{row} {cnf}");
        }
    }
}
