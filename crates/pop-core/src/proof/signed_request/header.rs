//! The JOSE header of an envelope.

use crate::SignedRequestError;
use crate::jose::{Algorithm, Found, HeaderError, Json, JsonLimits, Parameters};
use crate::policy::{EnvelopeForm, SignedRequestPolicy};

/// The algorithm of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvelopeAlgorithm {
    /// A signature by an asymmetric key.
    Asymmetric(Algorithm),
    /// HMAC with SHA-256, by a symmetric key.
    Hs256,
}

/// Reads `typ` and `alg`. Other parameters, such as `kid`, are ignored: the access token names the key.
pub(super) fn read(header: &[u8], policy: &SignedRequestPolicy) -> Result<EnvelopeAlgorithm, SignedRequestError> {
    let header = Parameters::parse::<SignedRequestError>(header, JsonLimits::PROOF)?;
    if header.has_b64 {
        return Err(HeaderError::Encoding.into());
    }
    let typ = header.typ.json();
    let accepted = match typ.map(Json::as_str) {
        Some(typ) => typ.is_some_and(|typ| typ.eq_ignore_ascii_case("pop")),
        None => policy.form == EnvelopeForm::Entra,
    };
    if !accepted {
        return Err(HeaderError::Type(Found::of(typ)).into());
    }
    match header.alg() {
        Some("HS256") => Ok(EnvelopeAlgorithm::Hs256),
        Some(name) => match Algorithm::from_name(name) {
            Some(alg) if policy.algorithms.contains(alg) => Ok(EnvelopeAlgorithm::Asymmetric(alg)),
            _ => Err(HeaderError::Algorithm.into()),
        },
        None => Err(HeaderError::Algorithm.into()),
    }
}
