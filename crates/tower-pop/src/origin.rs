//! The target URI of a request, as its client used it (RFC 9110 §7.1).
//!
//! 1. Scheme and authority come from the configuration: a fixed origin, or an allowlist of origins. `Host` (`:authority` in
//!    HTTP/2) chooses from the allowlist, or `X-Forwarded-Host` and `X-Forwarded-Proto` of a trusted proxy.
//! 2. Two `Host` lines, or a `Host` that contradicts `:authority` or an absolute target, are rejected.
//! 3. The path is the one that the client sent. A prefix that a router's `nest` removed is put back, and a prefix that a proxy
//!    removed is configured. An extension with the original target is used only if the current path is its end, because
//!    extensions can be copied to another request.
//! 4. Paths with dot segments (`/a/../b`, `%2e%2e`) are rejected. URIs are compared without them, but routers don't resolve
//!    them: a proof for `/b` would reach the handler of `/a/{*rest}`.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Uri};
use ipnet::IpNet;
use pop_core::CredentialError;
use pop_core::target::{Origin, has_dot_segments};

use crate::peer::{self, MissingAddressWarning};

/// The request target before a router removed a prefix of its path. Put it into the request extensions outside of the router.
/// With feature `axum`, the layer handles `Router::nest` without it.
///
/// ```
/// use http::Request;
/// use tower_pop::OriginalTarget;
///
/// /// Removes the prefix `/api`, and keeps the target that the proof names.
/// fn strip_prefix<B>(mut request: Request<B>) -> Result<Request<B>, http::uri::InvalidUri> {
///     let original = request.uri().clone();
///     if let Some(rest) = original.path().strip_prefix("/api") {
///         *request.uri_mut() = rest.parse()?;
///         request.extensions_mut().insert(OriginalTarget(original));
///     }
///     Ok(request)
/// }
/// ```
///
/// It is used only if the current path is the end of its path and the queries are equal, because extensions can be copied to
/// another request. Put every other rewriting of the target inside of the layer, and also a router that turns a prefix without
/// a final slash into `/`.
///
/// # Security
/// A handler that makes another request from the one it received should not copy the extensions: the original target would be
/// used for the other request too, if its path is the end of the original path.
#[derive(Debug, Clone)]
pub struct OriginalTarget(pub Uri);

/// How the public origin and the path of a request are found.
#[derive(Debug)]
pub(crate) struct OriginPolicy {
    /// The public origins, at least one. The first one is the default.
    pub(crate) allowed: Vec<Origin>,
    /// Whether the request chooses the origin. Otherwise it is always the first one.
    pub(crate) by_host: bool,
    /// The networks of trusted proxies.
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) missing_address: Arc<MissingAddressWarning>,
    /// The prefix that a proxy removed from the path.
    pub(crate) path_prefix: String,
}

impl OriginPolicy {
    /// Returns the public origin of a request.
    ///
    /// # Errors
    /// [`CredentialError::Target`] if the authority is contradictory or not on the allowlist.
    pub(crate) fn origin(&self, parts: &Parts) -> Result<&Origin, CredentialError> {
        let host = single_host(&parts.headers)?;
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        let seen = match (authority, host) {
            (Some(authority), Some(host)) if !self.same_authority(authority, host) => {
                return Err(CredentialError::Target);
            }
            (authority, host) => authority.or(host),
        };
        if !self.by_host {
            return self.allowed.first().ok_or(CredentialError::Target);
        }
        if !self.proxies.is_empty() {
            match peer::address(parts) {
                Some(peer) if peer::is_in(&self.proxies, peer) => {
                    let host = single(&parts.headers, "x-forwarded-host")?;
                    let scheme = single(&parts.headers, "x-forwarded-proto")?;
                    return host.or(seen).and_then(|host| self.find(scheme, host)).ok_or(CredentialError::Target);
                }
                Some(_) => {}
                None => self.missing_address.warn(parts),
            }
        }
        seen.and_then(|host| self.find(None, host)).ok_or(CredentialError::Target)
    }

    /// Returns path and query as the client sent them.
    ///
    /// # Errors
    /// [`CredentialError::DotSegments`], and [`CredentialError::Target`] for a target without a path.
    pub(crate) fn path<'r>(&self, parts: &'r Parts) -> Result<Cow<'r, str>, CredentialError> {
        let uri = original_uri(parts);
        // `OPTIONS *` and CONNECT have no path, so no proof can name their target.
        let path = uri.path_and_query().map(http::uri::PathAndQuery::as_str).filter(|path| path.starts_with('/'));
        match path {
            Some(path) if has_dot_segments(path) => Err(CredentialError::DotSegments),
            Some(path) if self.path_prefix.is_empty() => Ok(Cow::Borrowed(path)),
            Some(path) => Ok(Cow::Owned(format!("{}{path}", self.path_prefix))),
            None => Err(CredentialError::Target),
        }
    }

    fn find(&self, scheme: Option<&str>, host: &str) -> Option<&Origin> {
        self.allowed.iter().find(|origin| {
            scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(scheme_of(origin))) && has_authority(origin, host)
        })
    }

    /// Returns whether two authorities are equal. Different encodings are equal if they give the same origin with the scheme of
    /// a public origin.
    fn same_authority(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
            || self.allowed.iter().any(|origin| {
                let parse = |authority: &str| Origin::parse(&format!("{}://{authority}", scheme_of(origin)));
                matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
            })
    }
}

fn scheme_of(origin: &Origin) -> &'static str {
    if origin.is_https() { "https" } else { "http" }
}

/// Returns whether `host` is the authority of an origin, in any encoding.
fn has_authority(origin: &Origin, host: &str) -> bool {
    origin.authority().eq_ignore_ascii_case(host)
        || Origin::parse(&format!("{}://{host}", scheme_of(origin))).is_ok_and(|other| other == *origin)
}

fn single_host(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    single(headers, HOST.as_str())
}

/// Returns the value of a field. Several lines, or a list in one line, are rejected.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, CredentialError> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    match line.to_str() {
        Ok(value) if lines.next().is_none() && !value.contains(',') => Ok(Some(value)),
        _ => Err(CredentialError::Target),
    }
}

/// Returns the target before a router removed a prefix.
fn original_uri(parts: &Parts) -> &Uri {
    let current = &parts.uri;
    if let Some(OriginalTarget(uri)) = parts.extensions.get() {
        return if ends_with(uri, current) { uri } else { current };
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = parts.extensions.get()
        && (ends_with(uri, current) || is_root_of_nest(uri, parts))
    {
        return uri;
    }
    current
}

/// Returns whether the current target is the original one without a prefix of its path.
fn ends_with(original: &Uri, current: &Uri) -> bool {
    original.path().ends_with(current.path()) && original.query() == current.query()
}

/// Returns whether the original path is the root of the nested router. `nest` turns the path `/api` into `/`, which is not the
/// end of it.
#[cfg(feature = "axum")]
fn is_root_of_nest(original: &Uri, parts: &Parts) -> bool {
    let Some(nested) = parts.extensions.get::<axum::extract::NestedPath>() else {
        return false;
    };
    let is_parameter = |pattern: &str| pattern.starts_with('{');
    let (mut patterns, mut segments) = (nested.as_str().split('/'), original.path().split('/'));
    parts.uri.path() == "/"
        && original.query() == parts.uri.query()
        && loop {
            match (patterns.next(), segments.next()) {
                (None, None) => break true,
                (Some(pattern), Some(segment)) if pattern == segment || is_parameter(pattern) => {}
                _ => break false,
            }
        }
}
