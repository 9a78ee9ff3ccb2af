//! `WWW-Authenticate` as servers write it (RFC 9110 §11.6.1): several lines, several challenges in one line, any case.
//!
//! This module uses no other module of the crate, so that it can be fuzzed alone.

use std::fmt;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use pop_core::jose::Algorithm;

/// A challenge of a response. The names of parameters are lower-case. Unknown parameters are kept.
///
/// ```
/// use http::header::WWW_AUTHENTICATE;
/// use http::{HeaderMap, HeaderValue};
/// use pop_client::{Algorithm, Challenge};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"DPoP error="invalid_token", algs="ES256 RS256""#));
/// let challenges = Challenge::from_headers(&headers);
/// assert!(challenges[0].is("dpop"));
/// assert_eq!(challenges[0].error(), Some("invalid_token"));
/// assert_eq!(challenges[0].preferred_algorithm(), Some(Algorithm::ES256));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads all challenges of a response, in order. Skips what cannot be parsed, and replaces bytes that are not
    /// UTF-8.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Vec<Self> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        lines.flat_map(|line| parse_line(&String::from_utf8_lossy(line.as_bytes()))).collect()
    }

    /// Returns whether a challenge of the response with this scheme has this `error` code.
    pub(crate) fn has_error(headers: &HeaderMap, scheme: &str, error: &str) -> bool {
        let matches = |challenge: &Self| challenge.is(scheme) && challenge.error() == Some(error);
        Self::from_headers(headers).iter().any(matches)
    }

    /// Reads `Authentication-Info` (RFC 7615 §3), which has parameters as a challenge, but no scheme.
    pub(crate) fn authentication_info(headers: &HeaderMap) -> Self {
        let mut info = Self::default();
        for line in headers.get_all("authentication-info") {
            let line = format!("info {}", String::from_utf8_lossy(line.as_bytes()));
            info.parameters.extend(parse_line(&line).into_iter().flat_map(|challenge| challenge.parameters));
        }
        info
    }

    /// Returns whether the challenge has this scheme, in any case.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Returns the value of a parameter. `name` must be lower-case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns the values of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns the `error` code.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// Returns the algorithms that the server accepts for proofs (RFC 9449 §5.1, `algs`).
    pub fn algorithms(&self) -> impl Iterator<Item = &str> {
        self.parameter("algs").unwrap_or_default().split(' ').filter(|name| !name.is_empty())
    }

    /// Returns the algorithm to generate a key for. Returns `None` if the server lists no algorithm that this crate
    /// supports.
    #[must_use]
    pub fn preferred_algorithm(&self) -> Option<Algorithm> {
        preferred(self.algorithms())
    }

    /// Returns what the request lacks if its token and proof are valid. Returns `None` for all other challenges.
    ///
    /// [`AuthorizationRequest::to_satisfy`](crate::AuthorizationRequest::to_satisfy) requests it.
    #[must_use]
    pub fn lacking(&self) -> Option<Lacking> {
        let owned = |name: &str| self.parameter(name).map(str::to_owned);
        match self.error()? {
            "insufficient_scope" => Some(Lacking::Scope(owned("scope").unwrap_or_default())),
            "insufficient_user_authentication" => Some(Lacking::Authentication {
                acr_values: owned("acr_values"),
                max_age: self.parameter("max_age").and_then(|seconds| seconds.parse().ok()),
                scope: owned("scope"),
            }),
            _ => None,
        }
    }
}

/// What a request lacks although its token and proof are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lacking {
    /// These scopes, separated by spaces: `insufficient_scope` (RFC 6750 §3.1).
    Scope(String),
    /// A stronger or more recent authentication of the user: `insufficient_user_authentication` (RFC 9470 §3).
    Authentication {
        /// The authentication context classes of which one is needed, the preferred one first, separated by spaces.
        acr_values: Option<String>,
        /// The maximum time since the authentication, in seconds.
        max_age: Option<u64>,
        /// The scopes that are missing too, separated by spaces.
        scope: Option<String>,
    },
}

impl Lacking {
    /// Returns the scopes to request for a client that has the scopes `held`: those first, then the missing ones. No
    /// scope is lost. Scopes are separated by spaces.
    #[must_use]
    pub fn scope_beside(&self, held: &str) -> String {
        let needed = match self {
            Self::Scope(scope) => scope,
            Self::Authentication { scope, .. } => scope.as_deref().unwrap_or_default(),
        };
        let mut union: Vec<&str> = Vec::new();
        for scope in held.split(' ').chain(needed.split(' ')).filter(|scope| !scope.is_empty()) {
            if !union.contains(&scope) {
                union.push(scope);
            }
        }
        union.join(" ")
    }
}

/// Returns the first supported algorithm that is among these names: ES256, Ed25519, then others that resource servers
/// commonly accept, and ML-DSA last, whose proofs are large.
pub(crate) fn preferred<'n>(names: impl Iterator<Item = &'n str>) -> Option<Algorithm> {
    let names: Vec<&str> = names.collect();
    use Algorithm::{ES256, ES384, ES512, Ed25519, EdDSA, PS256, RS256};
    let ml_dsa = Algorithm::ML_DSA.iter().copied();
    let mut by_preference = [ES256, Ed25519, EdDSA, ES384, ES512, PS256, RS256].into_iter().chain(ml_dsa);
    by_preference.find(|algorithm| names.contains(&algorithm.name()))
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({}, {:?})", self.scheme, self.error())
    }
}

/// Parses RFC 9110 §11.6.1 leniently: whitespace around `=` and missing commas do not matter.
fn parse_line(line: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = line;
    // Whether the last item was a scheme without a comma after it. A word that follows is its `token68`.
    let mut after_scheme = false;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', ',']);
        after_scheme &= !rest.get(..rest.len() - trimmed.len()).unwrap_or_default().contains(',');
        rest = trimmed;
        if rest.is_empty() {
            return challenges;
        }
        let name;
        (name, rest) = word(rest);
        match rest.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value_and_rest) => {
                let value;
                (value, rest) = read_value(value_and_rest.trim_start_matches([' ', '\t']));
                if let Some(challenge) = challenges.last_mut().filter(|_| !name.is_empty()) {
                    challenge.parameters.push((name.to_ascii_lowercase(), value));
                }
                after_scheme = false;
            }
            None if rest.starts_with('"') => (_, rest) = read_value(rest),
            None if after_scheme => after_scheme = false,
            None => {
                challenges.push(Challenge { scheme: name.to_owned(), parameters: Vec::new() });
                after_scheme = true;
            }
        }
    }
}

/// Splits before whitespace, a comma, a quote or an equals sign.
fn word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t', ',', '=', '"']).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Reads a quoted string and removes its quotes and escapes, or reads a word that may contain equals signs.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&'static str]) -> Vec<Challenge> {
        let headers = lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_static(line))).collect();
        Challenge::from_headers(&headers)
    }

    /// CLI-07: and names in any case.
    #[test]
    fn reads_challenges_on_one_line_or_several() {
        for lines in [
            &[r#"dPoP error="use_dpop_nonce", ALGS="ES256 EdDSA", x=y"#, r#"Bearer realm="a, b""#][..],
            &[r#"dPoP error="use_dpop_nonce", algs="ES256 EdDSA", x=y, Bearer realm="a, b""#],
        ] {
            let challenges = read(lines);
            assert_eq!(challenges.len(), 2, "{lines:?}");
            assert!(challenges[0].is("DPoP") && challenges[1].is("bearer"));
            assert_eq!(challenges[0].error(), Some("use_dpop_nonce"));
            assert_eq!(challenges[0].algorithms().collect::<Vec<_>>(), ["ES256", "EdDSA"]);
            assert_eq!(challenges[0].parameter("x"), Some("y"));
            assert_eq!(challenges[1].parameter("realm"), Some("a, b"));
        }
        assert_eq!(read(&[r#"Bearer realm="a\"b\\c""#])[0].parameter("realm"), Some(r#"a"b\c"#));
    }

    /// CLI-07: neither whitespace around `=` nor a missing comma hides a challenge.
    #[test]
    fn reads_challenges_with_any_whitespace() {
        for line in [
            r#"DPoP error="use_dpop_nonce", algs="ES256""#,
            r#"DPoP error = "use_dpop_nonce", algs = "ES256""#,
            r#"DPoP algs="ES256", error ="use_dpop_nonce""#,
            r#"DPoP algs="ES256", error= "use_dpop_nonce""#,
            "DPoP\talgs\t=\t\"ES256\"\t,\terror\t=\t\"use_dpop_nonce\"",
            r#"DPoP   algs=ES256 ,, error  =  use_dpop_nonce"#,
            r#"DPoP algs="ES256" error="use_dpop_nonce""#,
            r#"Negotiate YII=, DPoP algs="ES256",error="use_dpop_nonce""#,
            r#"Negotiate abc== , dpop ALGS = "ES256",Error = "use_dpop_nonce""#,
            r#"NTLM abc, DPoP algs="ES256", error="use_dpop_nonce""#,
            r#"Basic realm = "a, DPoP error=x", DPoP algs="ES256", error="use_dpop_nonce""#,
            r#"Basic, DPoP algs="ES256", error="use_dpop_nonce""#,
        ] {
            let headers = [(WWW_AUTHENTICATE, HeaderValue::from_static(line))].into_iter().collect();
            let challenges = Challenge::from_headers(&headers);
            let dpop: Vec<_> = challenges.iter().filter(|challenge| challenge.is("DPoP")).collect();
            assert_eq!(dpop.len(), 1, "CLI-07 {line} {challenges:?}");
            assert_eq!(dpop[0].error(), Some("use_dpop_nonce"), "CLI-07 {line}");
            assert_eq!(dpop[0].algorithms().collect::<Vec<_>>(), ["ES256"], "CLI-07 {line}");
        }
        let latin = HeaderValue::from_bytes(b"DPoP realm=\"caf\xe9\", error=\"use_dpop_nonce\"").unwrap();
        assert!(Challenge::has_error(&[(WWW_AUTHENTICATE, latin)].into_iter().collect(), "DPoP", "use_dpop_nonce"));
        let hidden = HeaderValue::from_static(r#"Bearer realm="DPoP error=\"use_dpop_nonce\"""#);
        assert!(!Challenge::has_error(&[(WWW_AUTHENTICATE, hidden)].into_iter().collect(), "DPoP", "use_dpop_nonce"));
    }

    /// CLI-07: out of `algs`.
    #[test]
    fn picks_an_algorithm_that_the_server_accepts() {
        for (line, expected) in [
            (r#"DPoP algs="RS256 ES384 ES256""#, Some(Algorithm::ES256)),
            (r#"DPoP algs="PS256 EdDSA""#, Some(Algorithm::EdDSA)),
            (r#"DPoP algs="RS256""#, Some(Algorithm::RS256)),
            (r#"DPoP algs="ES256K none HS256""#, None),
            ("DPoP", None),
        ] {
            let headers = [(WWW_AUTHENTICATE, HeaderValue::from_static(line))].into_iter().collect();
            assert_eq!(Challenge::from_headers(&headers)[0].preferred_algorithm(), expected, "{line}");
        }
    }

    /// CLI-14: scopes, or a stronger authentication.
    #[test]
    fn says_what_is_missing() {
        let scope = read(&[r#"DPoP error="insufficient_scope", scope="a b""#])[0].lacking().unwrap();
        assert_eq!(scope, Lacking::Scope("a b".to_owned()));
        assert_eq!(scope.scope_beside("c b"), "c b a", "the union, in the order of what is held");
        let line = r#"DPoP error="insufficient_user_authentication", acr_values="phr mfa", max_age="60", scope="a""#;
        let strong = read(&[line])[0].lacking().unwrap();
        let (acr_values, scope) = (Some("phr mfa".to_owned()), Some("a".to_owned()));
        assert_eq!(strong, Lacking::Authentication { acr_values, max_age: Some(60), scope });
        assert_eq!(strong.scope_beside(""), "a");
        for line in [r#"DPoP error="invalid_token""#, r#"DPoP algs="ES256""#] {
            let headers = [(WWW_AUTHENTICATE, HeaderValue::from_static(line))].into_iter().collect();
            assert_eq!(Challenge::from_headers(&headers)[0].lacking(), None, "{line}");
        }
    }

    /// CLI-07: without a panic.
    #[test]
    fn ignores_strings_that_are_no_challenge() {
        for line in ["", ",", "=", "\"", "a=\"", "DPoP", "DPoP error", "DPoP ,,,", "\\\"=,\""] {
            let challenges = read(&[line]);
            assert!(challenges.iter().all(|challenge| challenge.error().is_none()), "{line:?}");
        }
    }
}
