//! URLs that the client does not use.

use std::fmt;
use std::str::FromStr;

use pop_core::target::TargetError;
use reqwest::Url;

/// A URL that the client does not use. URLs are read as browsers read them, so `é` and spaces are allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The string is not a URL, or not one of the required form.
    #[error("{url:?} is not a usable URL")]
    Syntax {
        /// The string without query and userinfo.
        url: String,
        /// What is wrong with it.
        source: UrlSyntaxError,
    },
    /// The scheme is neither `https` nor `http`.
    #[error("{url:?} is neither https nor http")]
    Scheme {
        /// The URL without query and userinfo.
        url: String,
    },
    /// Plain http beyond loopback, without
    /// [`DangerousClientOptions::allow_http`](crate::DangerousClientOptions::allow_http).
    #[error("{url:?} is plain http beyond loopback")]
    PlainHttp {
        /// The URL without query and userinfo.
        url: String,
    },
    /// The URL has a user name or a password: a secret that would appear in logs and proofs.
    #[error("{url:?} has a user name or a password")]
    Userinfo {
        /// The URL without query and userinfo.
        url: String,
    },
    /// The request goes to another origin than the one that a layer or middleware presents its token to.
    #[error("{url:?} is beyond the origin that the token is for")]
    OtherOrigin {
        /// The URL without query and userinfo.
        url: String,
    },
    /// Plain http where https is required: with a client certificate, or for the endpoints of an https issuer.
    #[error("{url:?} is not https")]
    NotHttps {
        /// The URL without query and userinfo.
        url: String,
    },
}

/// What is wrong with a string that is not a usable URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlSyntaxError(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Parse(<Url as FromStr>::Err),
    Origin(TargetError),
    /// RFC 8414 §2
    IssuerWithQuery,
}

impl UrlSyntaxError {
    pub(crate) const fn parse(error: <Url as FromStr>::Err) -> Self {
        Self(Kind::Parse(error))
    }

    pub(crate) const fn origin(error: TargetError) -> Self {
        Self(Kind::Origin(error))
    }

    pub(crate) const fn issuer_with_query() -> Self {
        Self(Kind::IssuerWithQuery)
    }
}

impl fmt::Display for UrlSyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Parse(error) => error.fmt(f),
            Kind::Origin(error) => error.fmt(f),
            Kind::IssuerWithQuery => f.write_str("an issuer must not have a query or a fragment"),
        }
    }
}

impl std::error::Error for UrlSyntaxError {}
