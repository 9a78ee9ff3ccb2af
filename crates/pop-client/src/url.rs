//! Which URLs the client uses, and their encoding: read as browsers read them, sent in the characters of RFC 3986.
//!
//! The path that a proof names (`htu`) is the path that is sent. Browsers send some characters raw that RFC 3986 does
//! not allow in a path (`|`, `[`, `]`, `^`, a `%` that does not start a percent-encoding). They are percent-encoded in
//! both, because servers differ in how they read them. Queries are sent as browsers send them. Proofs do not contain
//! them.

use std::borrow::Cow;

use pop_core::target::Origin;
use reqwest::Url;

use crate::error::{UrlError, UrlSyntaxError};
use crate::redaction::{redacted, redacted_str};

/// Returns a URL that is https, or http on loopback or where that is allowed, and has no userinfo.
pub(crate) fn checked_url(text: &str, allow_http: bool) -> Result<Url, UrlError> {
    let url = Url::parse(text)
        .map_err(|error| UrlError::Syntax { url: redacted_str(text), source: UrlSyntaxError::parse(error) })?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(UrlError::Scheme { url: redacted_str(text) });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Userinfo { url: redacted_str(text) });
    }
    let origin = origin_of(&url)?;
    if !origin.is_https() && !origin.is_loopback() && !allow_http {
        return Err(UrlError::PlainHttp { url: redacted_str(text) });
    }
    Ok(strict(url))
}

/// Returns the origin of a URL.
pub(crate) fn origin_of(url: &Url) -> Result<Origin, UrlError> {
    Origin::parse(&url.origin().ascii_serialization())
        .map_err(|error| UrlError::Syntax { url: redacted(url), source: UrlSyntaxError::origin(error) })
}

/// Returns what an HTTP/1.1 request line has of a URL.
pub(crate) fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// Returns the `htu` of a request to this URL: the URL that is sent, without query and fragment. Of a string that is
/// not an http URL, only query and fragment are removed.
pub(crate) fn htu(text: &str) -> Cow<'_, str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => {
            let url = strict(url);
            Cow::Owned(format!("{}{}", url.origin().ascii_serialization(), url.path()))
        }
        _ => Cow::Borrowed(text.split(['?', '#']).next().unwrap_or_default()),
    }
}

/// Percent-encodes what RFC 3986 §3.3 does not allow in a path.
fn strict(mut url: Url) -> Url {
    if let Some(path) = strict_path(url.path()) {
        url.set_path(&path);
    }
    url
}

fn strict_path(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_plain = |at: usize, byte: u8| match byte {
        b'%' => is_digit(at + 1) && is_digit(at + 2),
        _ => byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte),
    };
    if bytes.iter().enumerate().all(|(at, byte)| is_plain(at, *byte)) {
        return None;
    }
    let mut strict = String::with_capacity(path.len() + 8);
    for (at, byte) in bytes.iter().enumerate() {
        if is_plain(at, *byte) {
            strict.push(char::from(*byte));
        } else {
            strict.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-18, CLI-21: syntax, scheme, plain http and userinfo have separate errors.
    #[test]
    fn reads_urls_as_browsers_do_and_says_what_is_wrong_with_others() {
        for (text, expected) in [
            ("https://api.example/notes?filter[name]=x|y z", "https://api.example/notes?filter[name]=x|y%20z"),
            ("https://api.example/a|b[c]^d", "https://api.example/a%7Cb%5Bc%5D%5Ed"),
            ("https://api.example/caf\u{e9} x", "https://api.example/caf%C3%A9%20x"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example/"),
            ("https://API.example:443/100%/%2f", "https://api.example/100%25/%2f"),
            ("https://api.example/a/../b//c", "https://api.example/b//c"),
            ("http://[::1]:80/", "http://[::1]/"),
            ("http://localhost/", "http://localhost/"),
        ] {
            assert_eq!(checked_url(text, false).unwrap().as_str(), expected, "CLI-21 {text}");
        }
        type Test = fn(&UrlError) -> bool;
        let rows: [(&str, Test); 8] = [
            ("nonsense", |error| matches!(error, UrlError::Syntax { .. })),
            ("https://", |error| matches!(error, UrlError::Syntax { .. })),
            ("https://a b.example/", |error| matches!(error, UrlError::Syntax { .. })),
            ("ftp://127.0.0.1/", |error| matches!(error, UrlError::Scheme { .. })),
            ("data:text/plain,x", |error| matches!(error, UrlError::Scheme { .. })),
            ("http://api.example/", |error| matches!(error, UrlError::PlainHttp { .. })),
            ("https://user:secret@api.example/", |error| matches!(error, UrlError::Userinfo { .. })),
            ("https://user@api.example/", |error| matches!(error, UrlError::Userinfo { .. })),
        ];
        for (text, expected) in rows {
            let error = checked_url(text, false).unwrap_err();
            assert!(expected(&error) && !error.to_string().contains("secret"), "CLI-21 {text}: {error}");
        }
        assert!(checked_url("http://api.example/", true).is_ok(), "CLI-18 by option");
        assert!(checked_url("ftp://api.example/", true).is_err(), "CLI-18 the option is for http alone");
    }

    /// CLI-02: without query, fragment and userinfo.
    #[test]
    fn htu_is_the_url_that_is_sent() {
        for (text, expected) in [
            ("https://api.example/notes?a=1#f", "https://api.example/notes"),
            ("https://b\u{fc}cher.example/a|b?c", "https://xn--bcher-kva.example/a%7Cb"),
            ("https://user:secret@api.example", "https://api.example/"),
            ("not a URL?x", "not a URL"),
        ] {
            assert_eq!(htu(text), expected, "CLI-02");
        }
    }
}
