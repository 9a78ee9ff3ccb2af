//! From header fields to one presented token and its proof (RFC 9110 §11.4, RFC 9449 §7.1).
//!
//! 1. There is exactly one `Authorization` field line, or none. Two are refused, never chosen from.
//! 2. It is `scheme 1*SP token68`; schemes compare without case. A tab, a comma or parameters make it malformed.
//! 3. An unknown scheme counts as no credentials; a known one that is not enabled is refused.
//! 4. The proof is the one `DPoP` field line. It counts only together with the `DPoP` scheme.
//!
//! Tokens in the query or in a form body never authenticate.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};

use percent_encoding::percent_decode_str;

use crate::{CredentialError, ProofError};

/// The authentication scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `DPoP` (RFC 9449 §7.1).
    Dpop,
    /// `Bearer` (RFC 6750 §2.1).
    Bearer,
}

/// Credentials as presented; nothing is verified. `Debug` shows the scheme only.
#[derive(Clone, Copy)]
pub struct Presented<'r> {
    /// The scheme.
    pub scheme: Scheme,
    /// The access token as received.
    pub token: &'r str,
    /// The DPoP proof as received, or why there is none.
    pub proof: Result<&'r str, ProofError>,
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Takes the credentials from header fields.
///
/// # Errors
/// [`CredentialError::Missing`], [`CredentialError::Duplicated`], [`CredentialError::Malformed`] or
/// [`CredentialError::SchemeNotEnabled`].
pub fn present(headers: &HeaderMap, accepts_bearer: bool) -> Result<Presented<'_>, CredentialError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next().ok_or(CredentialError::Missing)?;
    if fields.next().is_some() {
        return Err(CredentialError::Duplicated);
    }
    let (scheme, token) = split(field)?;
    let scheme = match scheme {
        KnownScheme::Dpop => Scheme::Dpop,
        KnownScheme::Bearer if accepts_bearer => Scheme::Bearer,
        KnownScheme::Bearer | KnownScheme::Other => return Err(CredentialError::SchemeNotEnabled),
    };
    Ok(Presented { scheme, token, proof: the_proof(headers) })
}

/// The scheme that a request used, also where its credentials are not acceptable: of the first `Authorization` field line,
/// if it is one of ours. For challenges, and for nothing else.
#[must_use]
pub fn scheme_used(headers: &HeaderMap) -> Option<Scheme> {
    let field = headers.get(AUTHORIZATION)?.as_bytes();
    let name = field.split(|byte| matches!(byte, b' ' | b'\t' | b',')).next()?;
    match name {
        _ if name.eq_ignore_ascii_case(b"DPoP") => Some(Scheme::Dpop),
        _ if name.eq_ignore_ascii_case(b"Bearer") => Some(Scheme::Bearer),
        _ => None,
    }
}

/// The single `DPoP` field.
fn the_proof(headers: &HeaderMap) -> Result<&str, ProofError> {
    let mut fields = headers.get_all("dpop").iter();
    let field = fields.next().ok_or(ProofError::Missing)?;
    if fields.next().is_some() {
        return Err(ProofError::Duplicated);
    }
    // What else it must not hold is for the decoder of base64url to find.
    std::str::from_utf8(field.as_bytes()).map_err(|_| ProofError::Malformed(crate::jose::Malformed::NotCompact))
}

/// Schemes that carry access tokens.
enum KnownScheme {
    Dpop,
    Bearer,
    /// `PoP` and `HTTPSig`.
    Other,
}

fn split(field: &HeaderValue) -> Result<(KnownScheme, &str), CredentialError> {
    let field = std::str::from_utf8(field.as_bytes()).map_err(|_| CredentialError::Malformed)?;
    let end = field.find([' ', '\t', ',']).unwrap_or(field.len());
    let (scheme, rest) = field.split_at_checked(end).ok_or(CredentialError::Malformed)?;
    let scheme = match scheme {
        "" => return Err(CredentialError::Malformed),
        _ if scheme.eq_ignore_ascii_case("DPoP") => KnownScheme::Dpop,
        _ if scheme.eq_ignore_ascii_case("Bearer") => KnownScheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("PoP") || scheme.eq_ignore_ascii_case("HTTPSig") => KnownScheme::Other,
        _ => return Err(CredentialError::Missing),
    };
    let token = rest.trim_start_matches(' ');
    if token.len() == rest.len() || !is_token68(token) {
        return Err(CredentialError::Malformed);
    }
    Ok((scheme, token))
}

/// `token68` of RFC 9110 §11.2.
fn is_token68(text: &str) -> bool {
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

/// Whether a query holds an `access_token` parameter (RFC 6750 §2.3), percent-encoded or not, which never authenticates here.
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

    fn headers(authorization: &[&str]) -> HeaderMap {
        authorization.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    /// ATK-01, ATK-02: `Bearer` only where it is enabled.
    #[test]
    fn accepts_schemes_in_any_case_and_several_spaces() {
        for value in ["DPoP a.b.c", "dpop a.b.c", "DPOP a.b.c", "DPoP   a.b.c", "DPoP a~+/-_.=="] {
            let headers = headers(&[value]);
            assert_eq!(present(&headers, false).unwrap().scheme, Scheme::Dpop, "{value}");
        }
        let headers = headers(&["bearer abc"]);
        assert_eq!(present(&headers, true).unwrap().scheme, Scheme::Bearer);
        assert_eq!(present(&headers, false).unwrap_err(), CredentialError::SchemeNotEnabled);
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
            assert_eq!(present(&headers(values), true).unwrap_err(), error, "{row} {values:?}");
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

    /// DPOP-01, DPOP-02: not even two that are the same.
    #[test]
    fn accepts_a_single_proof_only() {
        let mut headers = headers(&["DPoP a"]);
        assert_eq!(present(&headers, false).unwrap().proof, Err(ProofError::Missing), "DPOP-01");
        headers.append("DPoP", HeaderValue::from_static("p"));
        assert_eq!(present(&headers, false).unwrap().proof, Ok("p"));
        headers.append("dPoP", HeaderValue::from_static("p"));
        assert_eq!(present(&headers, false).unwrap().proof, Err(ProofError::Duplicated));
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
