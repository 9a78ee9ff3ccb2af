//! The request's target URI, and the comparison of a proof's `htu` with it (RFC 9449 §4.3 check 9).
//!
//! 1. Query and fragment are left out of both sides.
//! 2. Both are normalised by RFC 3986 §6.2.2 and §6.2.3: case of scheme and host, default port, empty path, dot segments,
//!    case and need of percent-encodings. And no further: path case, `%2F`, `//` and a trailing slash are significant.
//! 3. `htu` must be an absolute `http` or `https` URI without userinfo, in RFC 3986's own characters: what browsers would
//!    repair is rejected. Two exceptions, on both sides: `|`, `[`, `]` and `^` stand in paths as browsers send them, and mean
//!    their percent-encodings; `ws` and `wss` in `htu` mean `http` and `https`, the schemes of the handshake (RFC 6455 §4.1).
//! 4. A request target with dot segments is rejected, where one in `htu` is resolved: see [`has_dot_segments`].
//!
//! Scheme and authority of the request come from an [`Origin`], made from configuration or from a proxy that the
//! configuration trusts, never from an arbitrary request.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use fluent_uri::Uri;
use fluent_uri::normalize::Normalizer;
use percent_encoding::{AsciiSet, utf8_percent_encode};

/// Why a text is no usable URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not an absolute URI by RFC 3986.
    #[error("not an absolute URI")]
    Syntax,
    /// Neither `http` nor `https`.
    #[error("neither http nor https")]
    Scheme,
    /// No authority, an empty host, or userinfo.
    #[error("no plain authority")]
    Authority,
    /// A request target whose path has dot segments.
    #[error("dot segments")]
    DotSegments,
    /// An origin with a path, query or fragment.
    #[error("more than scheme, host and port")]
    NotAnOrigin,
}

/// Scheme, host and port, normalised: `https://api.example`, without a trailing slash and without the default port.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// Reads an origin; a trailing `/` is allowed.
    ///
    /// # Errors
    /// Any [`TargetError`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let (origin, path) = normalise(text)?;
        let plain = path == "/" && !text.contains(['?', '#']);
        if plain { Ok(origin) } else { Err(TargetError::NotAnOrigin) }
    }

    /// The origin of an absolute URI.
    ///
    /// # Errors
    /// Any [`TargetError`] but [`TargetError::NotAnOrigin`].
    pub fn of(uri: &str) -> Result<Self, TargetError> {
        normalise(uri).map(|(origin, _)| origin)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the host is `localhost`, in 127.0.0.0/8 or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let authority = self.authority();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.0)
    }
}

/// The target URI of one request: origin and path normalised, the query as received.
#[derive(Debug, Clone)]
pub struct RequestTarget<'r> {
    origin: &'r Origin,
    path: Cow<'r, str>,
    query: Option<&'r str>,
}

impl<'r> RequestTarget<'r> {
    /// Joins the origin with the path and query as the client sent them.
    ///
    /// # Errors
    /// [`TargetError::Syntax`] when the path is not an absolute path of RFC 3986: `*`, an authority, raw non-ASCII.
    /// [`TargetError::DotSegments`] when it has some.
    pub fn new(origin: &'r Origin, path_and_query: &'r str) -> Result<Self, TargetError> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        if is_normal_path(path) {
            return Ok(Self { origin, path: Cow::Borrowed(path), query });
        }
        if !path.is_empty() && !path.starts_with('/') {
            return Err(TargetError::Syntax);
        }
        if has_dot_segments(path) {
            return Err(TargetError::DotSegments);
        }
        let (_, path) = normalise(&format!("{origin}{}", browsers_path(path)))?;
        Ok(Self { origin, path: Cow::Owned(path), query })
    }

    /// The origin.
    #[must_use]
    pub const fn origin(&self) -> &'r Origin {
        self.origin
    }

    /// The normalised path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the query as received, without the question mark. A DPoP proof does not cover it.
    #[must_use]
    pub const fn query(&self) -> Option<&'r str> {
        self.query
    }

    /// Returns whether `htu` names this target; queries and fragments are ignored.
    ///
    /// # Errors
    /// A [`TargetError`] when `htu` is not a usable URI at all.
    pub fn matches(&self, htu: &str) -> Result<bool, TargetError> {
        // The spelling that nearly every client sends needs no parser.
        if htu.strip_prefix(self.origin.as_str()) == Some(&*self.path) {
            return Ok(true);
        }
        let (origin, path) = normalise(&http_uri(htu))?;
        Ok(origin == *self.origin && path == self.path)
    }
}

/// Origin and path, without the query.
impl fmt::Display for RequestTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Whether normalising would leave the path as it is: only characters of RFC 3986 §3.3, no escapes, no dot segments.
fn is_normal_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    path.starts_with('/') && path.bytes().all(plain) && !path.contains("/.") && !path.starts_with("//")
}

/// Whether a path has a dot segment, plain or percent-encoded: `/a/../b`, `/a/.`, `/%2e%2E/b`. RFC 3986 §5.2.4 resolves these,
/// but routers don't: a request to `/a/../b` is compared as `/b` and handled as something below `/a`. A query after the path is
/// left out.
#[must_use]
pub fn has_dot_segments(path_and_query: &str) -> bool {
    // Most targets hold none of the bytes that every dot segment has.
    if !path_and_query.bytes().any(|byte| matches!(byte, b'.' | b'%')) {
        return false;
    }
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(is_dot_segment)
}

fn is_dot_segment(segment: &str) -> bool {
    let mut dots = 0;
    let mut rest = segment.as_bytes();
    loop {
        rest = match rest {
            [] => return dots == 1 || dots == 2,
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
}

/// The `htu` of a proof as an http(s) URI without query and fragment, which are no part of the comparison, whatever is in them.
fn http_uri(htu: &str) -> Cow<'_, str> {
    let htu = htu.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = htu.split_once("://").unwrap_or(("", htu));
    let scheme = match scheme {
        ws if ws.eq_ignore_ascii_case("ws") => "http",
        wss if wss.eq_ignore_ascii_case("wss") => "https",
        other => other,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match browsers_path(path) {
        Cow::Borrowed(_) if htu.starts_with(scheme) => Cow::Borrowed(htu),
        path => Cow::Owned(format!("{scheme}://{authority}{path}")),
    }
}

/// A path in which the characters are percent-encoded that the URL standard leaves alone and RFC 3986 does not have in paths.
fn browsers_path(path: &str) -> Cow<'_, str> {
    const RAW: AsciiSet = AsciiSet::EMPTY.add(b'|').add(b'[').add(b']').add(b'^');
    // Bytes beyond ASCII stay as they are, and are rejected.
    if !path.is_ascii() {
        return Cow::Borrowed(path);
    }
    utf8_percent_encode(path, &RAW).into()
}

fn normalise(text: &str) -> Result<(Origin, String), TargetError> {
    let uri = Uri::parse(text).map_err(|_| TargetError::Syntax)?;
    let scheme = uri.scheme().as_str();
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(TargetError::Scheme);
    }
    let authority = uri.authority().ok_or(TargetError::Authority)?;
    if authority.has_userinfo() || authority.host().is_empty() {
        return Err(TargetError::Authority);
    }
    if authority.port().is_some_and(|port| !port.as_str().is_empty() && port.as_str().parse::<u16>().is_err()) {
        return Err(TargetError::Authority);
    }
    let uri = Normalizer::new().normalize(&uri).map_err(|_| TargetError::Syntax)?;
    let authority = uri.authority().ok_or(TargetError::Authority)?;
    let origin = Origin(format!("{}://{}", uri.scheme(), authority.as_str()).into());
    let path = uri.path().as_str();
    Ok((origin, if path.is_empty() { "/".to_owned() } else { path.to_owned() }))
}
