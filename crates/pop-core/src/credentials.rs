//! The credentials of a request (RFC 9110 §11.4, RFC 9449 §7.1).
//!
//! 1. There is one `Authorization` field line, or none. Two are rejected.
//! 2. It is `scheme 1*SP token68`; schemes compare without case. A tab, a comma or parameters make it malformed.
//! 3. An unknown scheme counts as no credentials. A scheme that carries access tokens but is not enabled is rejected.
//!
//! Tokens in the query or in a form body never authenticate.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::CredentialError;

/// An authentication scheme that carries access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `DPoP` (RFC 9449 §7.1).
    Dpop,
    /// `HTTPSig`: an HTTP message signature by the key of the token (draft-richer-oauth-httpsig).
    HttpSig,
    /// `PoP`: a signed HTTP request, which holds the access token, or an access token with an HMAC message signature
    /// (draft-ietf-oauth-signed-http-request).
    Pop,
    /// `Bearer` (RFC 6750 §2.1).
    Bearer,
}

impl Scheme {
    /// All schemes, in the order in which challenges name them.
    pub const ALL: [Self; 4] = [Self::Dpop, Self::HttpSig, Self::Pop, Self::Bearer];

    /// Returns the name as challenges write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpop => "DPoP",
            Self::HttpSig => "HTTPSig",
            Self::Pop => "PoP",
            Self::Bearer => "Bearer",
        }
    }

    /// Returns whether the proofs of this scheme can carry a server-provided nonce.
    #[must_use]
    pub const fn uses_nonces(self) -> bool {
        match self {
            Self::Dpop | Self::Pop => true,
            Self::HttpSig | Self::Bearer => false,
        }
    }

    /// Returns whether requests under this scheme can carry a message signature in addition to their proof.
    #[must_use]
    pub const fn takes_signature(self) -> bool {
        match self {
            Self::Dpop | Self::Bearer => true,
            Self::HttpSig | Self::Pop => false,
        }
    }

    /// Finds a scheme by its name, ignoring case.
    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes()))
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Dpop => 1,
            Self::Bearer => 1 << 1,
            Self::HttpSig => 1 << 2,
            Self::Pop => 1 << 3,
        }
    }
}

/// A set of schemes: those that a resource accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchemeSet(u8);

impl SchemeSet {
    /// No scheme.
    pub const EMPTY: Self = Self(0);
    /// `DPoP` alone.
    pub const DPOP: Self = Self(Scheme::Dpop.bit());

    /// Adds a scheme.
    #[must_use]
    pub const fn with(self, scheme: Scheme) -> Self {
        Self(self.0 | scheme.bit())
    }

    /// Returns whether a scheme is in the set.
    #[must_use]
    pub const fn contains(self, scheme: Scheme) -> bool {
        self.0 & scheme.bit() != 0
    }
}

/// Where a request carries its access token.
#[derive(Clone, Copy)]
enum PresentedToken<'r> {
    /// In `Authorization`, after the scheme.
    InHeader(&'r str),
}

/// The credentials of a request, as received. `Debug` shows the scheme only.
#[derive(Clone, Copy)]
pub struct Credentials<'r> {
    scheme: Scheme,
    token: PresentedToken<'r>,
}

impl<'r> Credentials<'r> {
    /// Reads the credentials from the header fields. `accepted` are the schemes that the resource accepts.
    ///
    /// # Errors
    /// [`CredentialError::Missing`], [`CredentialError::Duplicated`], [`CredentialError::Malformed`] or
    /// [`CredentialError::SchemeNotEnabled`].
    pub fn from_headers(headers: &'r HeaderMap, accepted: SchemeSet) -> Result<Self, CredentialError> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let field = fields.next().ok_or(CredentialError::Missing)?;
        if fields.next().is_some() {
            return Err(CredentialError::Duplicated);
        }
        let (scheme, token) = split(field)?;
        if accepted.contains(scheme) {
            Ok(Self { scheme, token: PresentedToken::InHeader(token) })
        } else {
            Err(CredentialError::SchemeNotEnabled)
        }
    }

    /// Returns the scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the access token as received, wherever the request carries it.
    #[must_use]
    pub const fn token(&self) -> &'r str {
        match self.token {
            PresentedToken::InHeader(token) => token,
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Returns the scheme of the first `Authorization` field line, if it is a known one, even if the credentials are not
/// acceptable. Use it only for challenges.
#[must_use]
pub fn scheme_used(headers: &HeaderMap) -> Option<Scheme> {
    let field = headers.get(AUTHORIZATION)?.as_bytes();
    Scheme::named(field.split(|byte| matches!(byte, b' ' | b'\t' | b',')).next()?)
}

/// Splits the field into its scheme and its token.
fn split(field: &HeaderValue) -> Result<(Scheme, &str), CredentialError> {
    let field = std::str::from_utf8(field.as_bytes()).map_err(|_| CredentialError::Malformed)?;
    let end = field.find([' ', '\t', ',']).unwrap_or(field.len());
    let (scheme, rest) = field.split_at_checked(end).ok_or(CredentialError::Malformed)?;
    let scheme = match Scheme::named(scheme.as_bytes()) {
        Some(scheme) => scheme,
        None if scheme.is_empty() => return Err(CredentialError::Malformed),
        None => return Err(CredentialError::Missing),
    };
    let token = rest.trim_start_matches(' ');
    if token.len() == rest.len() || !is_token68(token) {
        return Err(CredentialError::Malformed);
    }
    Ok((scheme, token))
}

/// Returns whether a string is a `token68` of RFC 9110 §11.2.
pub(crate) fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=').as_bytes();
    let all = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & is_token68_character(*byte));
    // Sixty-four at a time without a branch between them.
    let (blocks, rest) = body.as_chunks::<64>();
    !body.is_empty() && blocks.iter().all(|block| all(block)) && all(rest)
}

/// The characters of `token68` before its padding.
const fn is_token68_character(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26
        || byte.wrapping_sub(b'0') < 10
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// Returns whether a query has an `access_token` parameter (RFC 6750 §2.3), percent-encoded or not.
#[must_use]
pub fn has_token_in_query(query: &str) -> bool {
    query.split(['&', ';']).any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        percent_decode_str(name).eq("access_token".bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: SchemeSet = SchemeSet::DPOP.with(Scheme::Bearer);

    fn headers(authorization: &[&str]) -> HeaderMap {
        authorization.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    /// ATK-01, ATK-02: `Bearer` only where it is enabled.
    #[test]
    fn accepts_schemes_in_any_case_and_several_spaces() {
        for value in ["DPoP a.b.c", "dpop a.b.c", "DPOP a.b.c", "DPoP   a.b.c", "DPoP a~+/-_.=="] {
            let headers = headers(&[value]);
            assert_eq!(Credentials::from_headers(&headers, SchemeSet::DPOP).unwrap().scheme(), Scheme::Dpop, "{value}");
        }
        let headers = headers(&["bearer abc"]);
        assert_eq!(Credentials::from_headers(&headers, BOTH).unwrap().scheme(), Scheme::Bearer);
        let rejected = Credentials::from_headers(&headers, SchemeSet::DPOP);
        assert_eq!(rejected.unwrap_err(), CredentialError::SchemeNotEnabled);
    }

    /// Each row names what it proves.
    #[test]
    fn rejects_what_is_not_one_token68() {
        use CredentialError as E;
        for (row, values, error) in [
            ("DPOP-31", &[][..], E::Missing),
            ("ATK-01", &["Basic dTpw"], E::Missing),
            ("ATK-01", &["Negotiate"], E::Missing),
            ("ATK-02", &[""], E::Malformed),
            ("ATK-02", &["DPoP"], E::Malformed),
            ("ATK-02", &["DPoP "], E::Malformed),
            ("ATK-02", &["DPoP\ta.b.c"], E::Malformed),
            ("ATK-02", &["DPoP a b"], E::Malformed),
            ("ATK-02", &["DPoP tok,x=y"], E::Malformed),
            ("ATK-02", &["DPoP ="], E::Malformed),
            ("ATK-02", &["DPoP a=b"], E::Malformed),
            ("ATK-02", &["DPoP \"abc\""], E::Malformed),
            ("ATK-03", &["Bearer a", "DPoP b"], E::Duplicated),
            ("ATK-03", &["DPoP a", "DPoP a"], E::Duplicated),
            ("ATK-04", &["Bearer a, DPoP b"], E::Malformed),
            ("SIG-03", &["HTTPSig abc"], E::SchemeNotEnabled),
            ("SHR-01", &["PoP abc"], E::SchemeNotEnabled),
        ] {
            let headers = headers(values);
            let rejected = Credentials::from_headers(&headers, BOTH);
            assert_eq!(rejected.unwrap_err(), error, "{row} {values:?}");
        }
    }

    /// ATK-02: at every position and length.
    #[test]
    fn a_token_holds_the_characters_of_token68_only() {
        let characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        for length in [1, 16, 64, 65, 200] {
            for byte in 0..=0x7f {
                let text = format!("{}{}", "a".repeat(length - 1), char::from(byte));
                let expected = characters.contains(char::from(byte)) || byte == b'=' && length > 1;
                assert_eq!(is_token68(&text), expected, "{text:?}");
            }
        }
    }

    /// ATK-05: in any percent-encoding of the name.
    #[test]
    fn finds_tokens_in_the_query() {
        for query in
            ["a=1&access_token=x", "access_token", "a&access%5Ftoken=x", "%61ccess%5ftoke%6E=", "a=1;access_token=x"]
        {
            assert!(has_token_in_query(query), "ATK-05 {query}");
        }
        for query in
            ["my_access_token=x&a=access_token", "access%255Ftoken=x", "access_token%3Dx", "access_tokens=1", ""]
        {
            assert!(!has_token_in_query(query), "ATK-05 {query}");
        }
    }
}
