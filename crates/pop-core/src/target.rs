//! The request's target URI, and the comparison of a proof's `htu` with it (RFC 9449 §4.3 check 9).
//!
//! 1. The query and the fragment are ignored on both sides.
//! 2. Both URIs are normalised by RFC 3986 §6.2.2 and §6.2.3: case of scheme and host, default port, empty path, dot segments,
//!    case of percent-encodings, and percent-encodings that are not needed. Nothing else is normalised: the case of the path,
//!    `%2F`, `//` and a trailing slash are significant.
//! 3. `htu` must be an absolute `http` or `https` URI without userinfo that uses only the characters of RFC 3986. Input that
//!    a browser would repair is rejected. There are two exceptions. On both sides, `|`, `[`, `]` and `^` in a path are equal to
//!    their percent-encodings, because browsers send them unencoded. In `htu`, `ws` and `wss` are equal to `http` and `https`,
//!    the schemes of the WebSocket handshake (RFC 6455 §4.1).
//! 4. Dot segments in the request target are rejected. Dot segments in `htu` are resolved. See [`has_dot_segments`].
//!
//! The scheme and the authority of the request come from an [`Origin`]. It is made from the configuration, or from a proxy that
//! the configuration trusts, never from an untrusted request.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use fluent_uri::Uri;
use fluent_uri::normalize::Normalizer;
use percent_encoding::{AsciiSet, utf8_percent_encode};

/// Why a URI is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The string is not an absolute URI of RFC 3986.
    #[error("not an absolute URI")]
    Syntax,
    /// The scheme is neither `http` nor `https`.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// There is no authority, the host is empty, the port is not a number up to 65535, or there is userinfo.
    #[error("the authority is missing, has no host, has an invalid port or has userinfo")]
    Authority,
    /// The path of a request target has dot segments.
    #[error("the path has dot segments")]
    DotSegments,
    /// The URI has a path, a query or a fragment where an origin is expected.
    #[error("an origin has only scheme, host and port")]
    NotAnOrigin,
}

/// A normalised origin: scheme, host and port, such as `https://api.example`. It has no trailing slash and no default port.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// Parses an origin. A trailing `/` is allowed.
    ///
    /// # Errors
    /// Any [`TargetError`] except [`TargetError::DotSegments`].
    pub fn parse(origin: &str) -> Result<Self, TargetError> {
        let (normalised, path) = normalise(origin)?;
        let plain = path == "/" && !origin.contains(['?', '#']);
        if plain { Ok(normalised) } else { Err(TargetError::NotAnOrigin) }
    }

    /// Returns the origin of an absolute URI.
    ///
    /// # Errors
    /// [`TargetError::Syntax`], [`TargetError::Scheme`] or [`TargetError::Authority`].
    pub fn of(uri: &str) -> Result<Self, TargetError> {
        normalise(uri).map(|(origin, _)| origin)
    }

    /// Returns the origin as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host, and the port unless it is the default.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Returns whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Returns whether the host is `localhost`, an address in 127.0.0.0/8 or `::1`.
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

/// The target URI of one request. Origin and path are normalised; the query is kept as received.
#[derive(Debug, Clone)]
pub struct RequestTarget<'r> {
    origin: &'r Origin,
    path: Cow<'r, str>,
    path_as_received: &'r str,
    query: Option<&'r str>,
}

impl<'r> RequestTarget<'r> {
    /// Joins the origin with the path and the query that the client sent.
    ///
    /// # Errors
    /// [`TargetError::Syntax`] if the path is not an absolute path of RFC 3986, such as `*`, an authority, or a path with
    /// unencoded non-ASCII characters. [`TargetError::DotSegments`] if the path has dot segments.
    pub fn new(origin: &'r Origin, path_and_query: &'r str) -> Result<Self, TargetError> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        if is_normal_path(path) {
            return Ok(Self { origin, path: Cow::Borrowed(path), path_as_received: path, query });
        }
        if !path.is_empty() && !path.starts_with('/') {
            return Err(TargetError::Syntax);
        }
        if has_dot_segments(path) {
            return Err(TargetError::DotSegments);
        }
        let (_, normal) = normalise(&format!("{origin}{}", encode_browser_path(path)))?;
        Ok(Self { origin, path: Cow::Owned(normal), path_as_received: path, query })
    }

    /// Returns the origin.
    #[must_use]
    pub const fn origin(&self) -> &'r Origin {
        self.origin
    }

    /// Returns the normalised path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path as received. Of an empty path, this is `/` (RFC 9110 §4.2.3).
    #[must_use]
    pub const fn path_as_received(&self) -> &'r str {
        if self.path_as_received.is_empty() { "/" } else { self.path_as_received }
    }

    /// Returns the query as received, without the question mark. A DPoP proof does not cover it.
    #[must_use]
    pub const fn query(&self) -> Option<&'r str> {
        self.query
    }

    /// Returns whether `htu` names this target. Queries and fragments are ignored.
    ///
    /// # Errors
    /// [`TargetError::Syntax`], [`TargetError::Scheme`] or [`TargetError::Authority`] if `htu` is not an absolute `http` or
    /// `https` URI without userinfo.
    pub fn matches(&self, htu: &str) -> Result<bool, TargetError> {
        // Nearly every client sends the normalised form, which needs no parser.
        if htu.strip_prefix(self.origin.as_str()) == Some(&*self.path) {
            return Ok(true);
        }
        let (origin, path) = normalise(&http_uri(htu))?;
        Ok(origin == *self.origin && path == self.path)
    }
}

/// Writes origin and path, without the query.
impl fmt::Display for RequestTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Returns whether a path is known to be normalised: it has only characters of RFC 3986 §3.3, no percent-encodings and no dot
/// segments.
fn is_normal_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    path.starts_with('/') && path.bytes().all(plain) && !path.contains("/.") && !path.starts_with("//")
}

/// Returns whether a path has a dot segment, plain or percent-encoded: `/a/../b`, `/a/.`, `/%2e%2E/b`. A query or a fragment
/// after the path is ignored.
///
/// # Security
/// RFC 3986 §5.2.4 resolves dot segments, but routers don't. A proof for `/b` would match a request to `/a/../b`, which the
/// router handles as a path below `/a`.
#[must_use]
pub fn has_dot_segments(path_and_query: &str) -> bool {
    // Every dot segment has one of these bytes, and most targets have neither.
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

/// Returns the `htu` of a proof as an http(s) URI. The query and the fragment are removed before the URI is parsed, because
/// they are not compared: invalid characters in them do not matter.
fn http_uri(htu: &str) -> Cow<'_, str> {
    let htu = htu.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = htu.split_once("://").unwrap_or(("", htu));
    let scheme = match scheme {
        ws if ws.eq_ignore_ascii_case("ws") => "http",
        wss if wss.eq_ignore_ascii_case("wss") => "https",
        other => other,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match encode_browser_path(path) {
        Cow::Borrowed(_) if htu.starts_with(scheme) => Cow::Borrowed(htu),
        path => Cow::Owned(format!("{scheme}://{authority}{path}")),
    }
}

/// Percent-encodes the characters of a path that the URL Standard leaves unencoded, although RFC 3986 does not allow them in
/// paths.
fn encode_browser_path(path: &str) -> Cow<'_, str> {
    const RAW: AsciiSet = AsciiSet::EMPTY.add(b'|').add(b'[').add(b']').add(b'^');
    // Non-ASCII characters are kept here. The parser rejects them.
    if !path.is_ascii() {
        return Cow::Borrowed(path);
    }
    utf8_percent_encode(path, &RAW).into()
}

/// Returns the normalised origin and path of an absolute http(s) URI.
fn normalise(uri: &str) -> Result<(Origin, String), TargetError> {
    let uri = Uri::parse(uri).map_err(|_| TargetError::Syntax)?;
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
