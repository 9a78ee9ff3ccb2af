//! The one origin that a layer or a middleware presents its token to.

use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;
use pop_core::target::{Origin, TargetError};
use reqwest::Url;

use crate::error::{UrlError, UrlSyntaxError};
use crate::redaction::{redacted, redacted_str};
use crate::url::{checked_url, origin_of, path_and_query};

/// An origin: https, or http on loopback.
#[derive(Clone)]
pub(crate) struct Destination(Origin);

impl Destination {
    /// Parses an origin. A trailing `/` is allowed.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let url = checked_url(text, false)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let source = UrlSyntaxError::origin(TargetError::NotAnOrigin);
            return Err(UrlError::Syntax { url: redacted_str(text), source });
        }
        Ok(Self(origin_of(&url)?))
    }

    pub(crate) const fn origin(&self) -> &Origin {
        &self.0
    }

    /// Returns the URL if it is within the origin.
    pub(crate) fn checked(&self, url: &Url) -> Result<Url, UrlError> {
        let checked = checked_url(url.as_str(), false)?;
        if origin_of(&checked)? == self.0 { Ok(checked) } else { Err(UrlError::OtherOrigin { url: redacted(url) }) }
    }

    /// Returns the URL of a request, whose URI may have a path and a query only.
    #[cfg(feature = "tower")]
    pub(crate) fn url_of(&self, uri: &Uri) -> Result<Url, UrlError> {
        let text = match (uri.scheme(), uri.authority()) {
            (None, None) if uri.path().starts_with('/') => format!("{}{uri}", self.0),
            _ => uri.to_string(),
        };
        let url = Url::parse(&text)
            .map_err(|error| UrlError::Syntax { url: redacted_str(&text), source: UrlSyntaxError::parse(error) })?;
        self.checked(&url)
    }
}

/// Gives a URI the path and the query of a URL: what is sent is what the proof names.
#[cfg(feature = "tower")]
pub(crate) fn set_path_and_query(uri: &mut Uri, url: &Url) {
    let sent = path_and_query(url);
    if uri.path_and_query().is_some_and(|own| own.as_str() == sent) {
        return;
    }
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(sent).ok().or(parts.path_and_query);
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
