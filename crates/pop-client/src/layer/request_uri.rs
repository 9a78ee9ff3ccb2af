//! The URIs of requests, which may have a path and a query only.

use http::Uri;
use http::uri::PathAndQuery;
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
    if uri.path_and_query().is_none_or(|own| own.as_str() != sent) {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(sent).ok().or(parts.path_and_query);
        if let Ok(changed) = Uri::from_parts(parts) {
            *uri = changed;
        }
    }
    Ok(url)
}
