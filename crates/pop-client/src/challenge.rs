//! `WWW-Authenticate` as servers write it (RFC 9110 §11.6.1): several lines, several challenges in one line, any case.

use std::fmt;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

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
    fn cli_07_survives_what_is_no_challenge() {
        for line in ["", ",", "=", "\"", "a=\"", "DPoP", "DPoP error", "DPoP ,,,", "\\\"=,\""] {
            let challenges = read(&[line]);
            assert!(challenges.iter().all(|challenge| challenge.error().is_none()), "{line:?}");
        }
    }
}
