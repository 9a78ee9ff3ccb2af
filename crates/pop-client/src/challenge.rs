//! `WWW-Authenticate` as servers write it (RFC 9110 §11.6.1): several lines, several challenges in one line, any case.

use std::fmt;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use pop_core::jose::Algorithm;

/// One challenge. Parameter names are lower-case; unknown ones are kept and ignored.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// All challenges of a response, in order. What cannot be read is left out.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Vec<Self> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        lines.filter_map(|line| line.to_str().ok()).flat_map(parse_line).collect()
    }

    /// Whether the challenge is of this scheme, in any case.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The `error` code.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// The algorithms that the server accepts for proofs.
    pub fn algorithms(&self) -> impl Iterator<Item = &str> {
        self.parameter("algs").unwrap_or_default().split(' ').filter(|name| !name.is_empty())
    }

    /// The algorithm to generate a key for, out of those that the server accepts; `None` when there is none in common.
    #[must_use]
    pub fn preferred_algorithm(&self) -> Option<Algorithm> {
        preferred(self.algorithms())
    }

    /// What the request lacked although token and proof were right; `None` for every other refusal.
    #[must_use]
    pub fn lacking(&self) -> Option<Lacking> {
        let text = |name: &str| self.parameter(name).map(str::to_owned);
        match self.error()? {
            "insufficient_scope" => Some(Lacking::Scope(text("scope").unwrap_or_default())),
            "insufficient_user_authentication" => Some(Lacking::Authentication {
                acr_values: text("acr_values"),
                max_age: self.parameter("max_age").and_then(|seconds| seconds.parse().ok()),
                scope: text("scope"),
            }),
            _ => None,
        }
    }
}

/// What a request lacked although its token and proof were right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lacking {
    /// Scopes: `insufficient_scope` (RFC 6750 §3.1).
    Scope(String),
    /// A stronger or more recent authentication of the user: `insufficient_user_authentication` (RFC 9470 §3).
    Authentication {
        /// Classes of which one is needed, the preferred one first, separated by spaces.
        acr_values: Option<String>,
        /// Seconds since the authentication.
        max_age: Option<u64>,
        /// Scopes that are missing too.
        scope: Option<String>,
    },
}

impl Lacking {
    /// The scopes to ask for by one who holds these already: none is lost by asking for more.
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

/// The first algorithm of ours that is among these names: ES256, Ed25519, then the others that resources usually take.
pub(crate) fn preferred<'n>(names: impl Iterator<Item = &'n str>) -> Option<Algorithm> {
    let names: Vec<&str> = names.collect();
    use Algorithm::{ES256, ES384, ES512, Ed25519, EdDSA, PS256, RS256};
    [ES256, Ed25519, EdDSA, ES384, ES512, PS256, RS256].into_iter().find(|algorithm| names.contains(&algorithm.name()))
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({}, {:?})", self.scheme, self.error())
    }
}

fn parse_line(line: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for element in split_outside_quotes(line) {
        // An element starts a challenge (`Scheme`, `Scheme name=value`) or continues one (`name=value`).
        let (head, rest) = element.split_once(' ').map_or((element, ""), |(head, rest)| (head, rest.trim()));
        let starts = !head.contains('=');
        if starts {
            challenges.push(Challenge { scheme: head.to_owned(), parameters: Vec::new() });
        }
        let parameter = if starts { rest } else { element };
        if let (Some(challenge), Some((name, value))) = (challenges.last_mut(), parameter.split_once('=')) {
            challenge.parameters.push((name.trim().to_ascii_lowercase(), unquote(value.trim())));
        }
    }
    challenges
}

fn split_outside_quotes(line: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(line.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(line.get(start..).unwrap_or_default().trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(character);
            escaped = false;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&'static str]) -> Vec<Challenge> {
        let headers = lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_static(line))).collect();
        Challenge::from_headers(&headers)
    }

    #[test]
    fn cli_07_reads_challenges_however_they_are_laid_out() {
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

    #[test]
    fn cli_07_picks_an_algorithm_that_the_server_accepts() {
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

    #[test]
    fn cli_14_says_what_is_lacking() {
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

    #[test]
    fn cli_07_survives_what_is_no_challenge() {
        for line in ["", ",", "=", "\"", "a=\"", "DPoP", "DPoP error", "DPoP ,,,", "\\\"=,\""] {
            let challenges = read(&[line]);
            assert!(challenges.iter().all(|challenge| challenge.error().is_none()), "{line:?}");
        }
    }
}
