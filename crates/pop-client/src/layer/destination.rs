//! The one origin that a layer or a middleware presents its token to.

use std::fmt;

use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use pop_core::target::{Origin, TargetError};
use reqwest::Url;

use crate::error::{UrlError, UrlSyntaxError};
use crate::redaction::{redacted, redacted_str};
use crate::url::{checked_url, origin_of};

/// An origin: https, or http on loopback.
#[derive(Clone)]
pub(super) struct Destination(Origin);

impl Destination {
    /// Parses an origin. A trailing `/` is allowed.
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let url = checked_url(text, false)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let source = UrlSyntaxError::origin(TargetError::NotAnOrigin);
            return Err(UrlError::Syntax { url: redacted_str(text), source });
        }
        Ok(Self(origin_of(&url)?))
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.0
    }

    /// Returns the URL if it is within the origin.
    pub(super) fn checked(&self, url: &Url) -> Result<Url, UrlError> {
        let checked = checked_url(url.as_str(), false)?;
        if origin_of(&checked)? == self.0 { Ok(checked) } else { Err(UrlError::OtherOrigin { url: redacted(url) }) }
    }

    /// Checks that the field `Host`, if it is set, names the origin: a gateway may look at nothing else.
    pub(super) fn check_host(&self, headers: &HeaderMap) -> Result<(), UrlError> {
        let scheme = if self.0.is_https() { "https" } else { "http" };
        let named = |host: &HeaderValue| Origin::parse(&format!("{scheme}://{}", host.to_str().ok()?)).ok();
        if headers.get_all(HOST).iter().all(|host| named(host).as_ref() == Some(&self.0)) {
            Ok(())
        } else {
            Err(UrlError::OtherOrigin { url: format!("the field Host of a request to {}", self.0) })
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
