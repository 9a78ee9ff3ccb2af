//! Which URI a request was sent to, as its client saw it (RFC 9110 §7.1).
//!
//! 1. Scheme and authority come from configuration: a fixed origin, or one of an allowlist that `Host` (`:authority` in
//!    HTTP/2) or, from a trusted proxy, `X-Forwarded-Host` and `X-Forwarded-Proto` choose from.
//! 2. Two `Host` lines, or a `Host` that contradicts `:authority` or an absolute target, are refused.
//! 3. The path is the one on the wire: what a router's `nest` stripped is put back, a prefix that a proxy stripped is
//!    configured. An extension that names the target before it was stripped is believed only as far as stripping goes: the
//!    present path is its end. Extensions can be copied to another request.
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

/// The request target before a router stripped a prefix of its path. Put it into the request extensions outside of the router;
/// with feature `axum`, `Router::nest` is undone without it.
///
/// It is believed only where the present path is its end, because extensions can be copied to another request. Other rewriting
/// belongs inside of the layer, and so does a router that leaves `/` of a prefix without a slash.
///
/// # Security
/// A handler that makes requests of its own from one that it got should not copy the extensions: to a path that is an end of the
/// first one's, the target would go along.
#[derive(Debug, Clone)]
pub struct OriginalTarget(pub Uri);

/// How the public origin of a request is found.
#[derive(Debug)]
pub(crate) struct OriginPolicy {
    /// Never empty; the first one is the default.
    pub(crate) allowed: Vec<Origin>,
    /// Whether the request chooses, or the first origin is always meant.
    pub(crate) by_host: bool,
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) missing_address: Arc<MissingAddressWarning>,
    pub(crate) path_prefix: String,
}

impl OriginPolicy {
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

    /// The path with query as the client sent it.
    pub(crate) fn path<'r>(&self, parts: &'r Parts) -> Result<Cow<'r, str>, CredentialError> {
        let uri = original_uri(parts);
        // `OPTIONS *` and CONNECT have no path; neither is something a proof can name.
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
            let own_scheme = if origin.is_https() { "https" } else { "http" };
            scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(own_scheme)) && is_at(origin, host)
        })
    }

    /// Two spellings of an authority are the same when they are, in the scheme of our own origin, the same origin.
    fn same_authority(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
            || self.allowed.iter().any(|origin| {
                let scheme = if origin.is_https() { "https" } else { "http" };
                let parse = |authority: &str| Origin::parse(&format!("{scheme}://{authority}"));
                matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
            })
    }
}

fn is_at(origin: &Origin, host: &str) -> bool {
    if origin.authority().eq_ignore_ascii_case(host) {
        return true;
    }
    let scheme = if origin.is_https() { "https" } else { "http" };
    Origin::parse(&format!("{scheme}://{host}")).is_ok_and(|other| other == *origin)
}

fn single_host(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    single(headers, HOST.as_str())
}

/// The only line of a field; several lines, or a list in one, are refused.
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

fn original_uri(parts: &Parts) -> &Uri {
    let present = &parts.uri;
    if let Some(OriginalTarget(uri)) = parts.extensions.get() {
        return if ends_with(uri, present) { uri } else { present };
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = parts.extensions.get()
        && (ends_with(uri, present) || is_root_of_nest(uri, parts))
    {
        return uri;
    }
    present
}

/// Whether the present target is what is left of the original one when a prefix of its path is stripped.
fn ends_with(original: &Uri, present: &Uri) -> bool {
    original.path().ends_with(present.path()) && original.query() == present.query()
}

/// Whether the original path is that of the nested router itself. Of `/api` nothing is left but `/`, which is not its end.
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
