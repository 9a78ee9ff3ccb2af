//! The URIs of requests, which may have a path and a query only.

use http::Uri;
use http::uri::{Authority, PathAndQuery};
use pop_core::target::TargetError;
use reqwest::Url;

use super::destination::Destination;
use crate::error::{UrlError, UrlSyntaxError};
use crate::redaction::redacted_str;
use crate::url::path_and_query;

/// Returns the URL of a request. Gives the URI the path and the query of the URL, so that what is sent is what the proof
/// names.
pub(super) fn url_of(uri: &mut Uri, destination: &Destination) -> Result<Url, UrlError> {
    let text = match (uri.scheme(), uri.authority()) {
        (None, None) if uri.path().starts_with('/') => format!("{}{uri}", destination.origin()),
        _ => uri.to_string(),
    };
    let url = Url::parse(&text)
        .map_err(|error| UrlError::Syntax { url: redacted_str(&text), source: UrlSyntaxError::parse(error) })?;
    let url = destination.checked(&url)?;
    let sent = path_and_query(&url);
    let host_differs = uri.authority().is_some_and(|own| own.as_str() != url.authority());
    if host_differs || uri.path_and_query().is_none_or(|own| own.as_str() != sent) {
        *uri = changed(uri, &url, &sent).ok_or_else(|| {
            let source = UrlSyntaxError::origin(TargetError::NotAnOrigin);
            UrlError::Syntax { url: redacted_str(&text), source }
        })?;
    }
    Ok(url)
}

/// Returns the URI as the proof names it: an origin has one form, `http://127.1` another.
fn changed(uri: &Uri, url: &Url, sent: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    if parts.authority.is_some() {
        parts.authority = Some(Authority::try_from(url.authority()).ok()?);
    }
    parts.path_and_query = Some(PathAndQuery::try_from(sent).ok()?);
    Uri::from_parts(parts).ok()
}
