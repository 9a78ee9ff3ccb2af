//! JOSE headers (RFC 7515 §4): the parameters that are read, and those that make a JWS invalid.

use super::{Algorithm, Found, Json, JsonLimits, Malformed, Member, Object, WrongType};

/// Why a JOSE header is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// `alg` is missing, not a string, unknown, or not on the allowlist.
    #[error("algorithm not allowed")]
    Algorithm,
    /// `typ` is missing, not a string, or another type.
    #[error("wrong typ")]
    Type(Found),
    /// `crit` is present. No extension is implemented, so that the JWS must be rejected (RFC 7515 §4.1.11).
    #[error("crit is not supported")]
    Critical,
    /// The header has `b64: false`, `zip` or `enc`. JWTs must not use `b64: false` (RFC 7797 §7), and compression and
    /// encryption are not supported (RFC 8725 §3.6).
    #[error("unencoded, compressed or encrypted payload")]
    Encoding,
    /// A parameter has the wrong JSON type.
    #[error("parameter of the wrong type")]
    Parameter,
}

impl From<WrongType> for HeaderError {
    fn from(_: WrongType) -> Self {
        Self::Parameter
    }
}

/// The header parameters that are used, whatever the algorithm is. Other parameters are ignored.
pub(crate) struct Parameters<'h> {
    alg: Member<'h>,
    pub(crate) typ: Member<'h>,
    kid: Member<'h>,
    jwk: Member<'h>,
    /// Whether there is `b64`. It is true then.
    pub(crate) has_b64: bool,
}

impl<'h> Parameters<'h> {
    /// Parses a decoded header. Rejects every parameter that changes how the payload or the signature is read.
    pub(crate) fn parse<E: From<Malformed> + From<HeaderError>>(json: &'h [u8], limits: JsonLimits) -> Result<Self, E> {
        let [mut alg, mut typ, mut kid, mut jwk, mut b64] = [const { Member::ABSENT }; 5];
        let (mut critical, mut encoded) = (false, false);
        Object::walk(json, limits, &mut |name, value| match name {
            "alg" => alg = value.into(),
            "typ" => typ = value.into(),
            "kid" => kid = value.into(),
            "jwk" => jwk = value.into(),
            "b64" => b64 = value.into(),
            "crit" => critical = true,
            "zip" | "enc" => encoded = true,
            _ => {}
        })?;
        if critical {
            return Err(HeaderError::Critical.into());
        }
        if encoded || b64.json().is_some_and(|b64| *b64 != Json::Bool(true)) {
            return Err(HeaderError::Encoding.into());
        }
        Ok(Self { alg, typ, kid, jwk, has_b64: b64.json().is_some() })
    }

    /// Returns `alg` if it is a string.
    pub(crate) fn alg(&self) -> Option<&str> {
        self.alg.json().and_then(Json::as_str)
    }
}

/// The header parameters that are used. Other parameters are ignored. `Debug` shows only the algorithm.
pub struct JoseHeader<'h> {
    /// The signature algorithm.
    pub alg: Algorithm,
    typ: Member<'h>,
    kid: Member<'h>,
    jwk: Member<'h>,
}

impl<'h> JoseHeader<'h> {
    /// Parses a decoded header. Rejects every parameter that changes how the payload or the signature is read.
    ///
    /// # Errors
    /// Any [`Malformed`] that concerns JSON, and [`HeaderError::Critical`], [`HeaderError::Encoding`] or
    /// [`HeaderError::Algorithm`].
    pub fn parse<E: From<Malformed> + From<HeaderError>>(json: &'h [u8], limits: JsonLimits) -> Result<Self, E> {
        let parameters = Parameters::parse::<E>(json, limits)?;
        let alg = parameters.alg().and_then(Algorithm::from_name).ok_or(HeaderError::Algorithm)?;
        let Parameters { typ, kid, jwk, .. } = parameters;
        Ok(Self { alg, typ, kid, jwk })
    }

    /// Returns the `typ` parameter.
    #[must_use]
    pub const fn typ(&self) -> Option<&Json<'h>> {
        self.typ.json()
    }

    /// Returns the `kid` parameter.
    ///
    /// # Errors
    /// [`HeaderError::Parameter`] if it is not a string.
    pub fn kid(&self) -> Result<Option<&str>, HeaderError> {
        Ok(self.kid.text("kid")?)
    }

    /// Returns the `jwk` parameter if it is an object.
    #[must_use]
    pub fn jwk(&self) -> Option<&Object<'h>> {
        self.jwk.json().and_then(Json::as_object)
    }
}

impl std::fmt::Debug for JoseHeader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoseHeader({})", self.alg)
    }
}

/// Returns whether `typ` is the expected media type, ignoring case. The prefix `application/` is optional (RFC 7515 §4.1.9).
pub(crate) fn is_media_type(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => typ.get(PREFIX.len()..).unwrap_or_default(),
        _ => typ,
    };
    subtype.eq_ignore_ascii_case(expected)
}
