//! What can go wrong for a client. No error holds a token, a proof, a secret or the query of a URL.

use std::error::Error;
use std::fmt;
use std::io;

use http::StatusCode;
use reqwest::Url;

use crate::nonce::MalformedNonce;
use crate::{Algorithm, KeyError};

/// Why a token request or a call of a protected resource failed. [`source`](Error::source) leads to the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The authorization server's metadata does not list the key's algorithm for proofs.
    #[error("the authorization server takes no proofs by this key's algorithm")]
    Algorithm {
        /// The algorithm to generate a key for instead, if there is one in common.
        preferred: Option<Algorithm>,
    },
    /// An option has a value that cannot work.
    #[error("unusable option: {0}")]
    Options(String),
    /// No complete exchange with the server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The connection broke while a large body was sent. The server may have rejected the request early, or processed it.
    /// The client repeats idempotent requests by itself (RFC 9110 §9.2.2). Whether another one may be repeated is the
    /// caller's decision; a repetition fetches a nonce first.
    #[error("the connection broke while the body was sent, so the server may have processed the request: {0}")]
    Interrupted(#[source] HttpError),
    /// A URL that the client does not send tokens or secrets to (RFC 9449 §2).
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The server asked for a nonce, and its `DPoP-Nonce` is missing, empty, malformed or repeated (RFC 9449 §8.1).
    #[error("the server asks for a nonce, but sends none that is usable")]
    Nonce(#[source] MalformedNonce),
    /// The server asked for another nonce again, although it was given its newest one.
    #[error("the server keeps asking for another nonce")]
    NonceLoop,
    /// The body is a stream that cannot be sent a second time.
    #[error("the request has to be sent again, but its body is a stream: fetch a nonce first, by warm_up()")]
    BodyNotReplayable,
    /// More redirects within the origin than are followed.
    #[error("too many redirects")]
    Redirect,
    /// The authorization server answered with an OAuth error (RFC 6749 §4.1.2.1, §5.2).
    #[error("the authorization server rejected the request: {}", OAuthText(status.as_ref(), code, description.as_deref()))]
    OAuth {
        /// The status of the response; `None` for an error in the redirect from the authorization endpoint.
        status: Option<StatusCode>,
        /// The `error` code.
        code: String,
        /// `error_description`. Characters that RFC 6749 does not allow there are replaced by `?`.
        description: Option<String>,
    },
    /// A response with a status that the protocol does not provide, and without an OAuth error.
    #[error("{url} answered {status}: {what}")]
    Status {
        /// The URL without its query.
        url: String,
        /// The status.
        status: StatusCode,
        /// What was expected instead.
        what: &'static str,
    },
    /// A response that is larger than the limit in [`ClientOptions`](crate::ClientOptions).
    #[error("the response of {url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL without its query.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The authorization server's answer is not what RFC 6749 prescribes.
    #[error("unusable answer: {0}")]
    Response(&'static str),
    /// The token is of another type than `DPoP` (RFC 9449 §5), or, with a client certificate, than `Bearer`: it is not
    /// bound as it must be.
    #[error("the authorization server issued a token of another type than was asked for")]
    TokenType,
    /// Metadata names another issuer or resource than was asked for (RFC 8414 §3.3, RFC 9728 §3.3).
    #[error("the metadata is of another {0}")]
    WrongMetadata(&'static str),
    /// No well-known URL of the issuer has usable metadata.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The redirect back from the authorization endpoint is not an answer to this request (`state`, `iss`; RFC 9207).
    #[error("the authorization response is not an answer to this request: {0}")]
    AuthorizationResponse(&'static str),
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(HttpError::new(None, error))
    }
}

/// Status, code and description of an OAuth error.
struct OAuthText<'e>(Option<&'e StatusCode>, &'e str, Option<&'e str>);

impl fmt::Display for OAuthText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)?;
        if let Some(description) = self.2 {
            write!(f, ": {description}")?;
        }
        self.0.map_or(Ok(()), |status| write!(f, " (status {})", status.as_u16()))
    }
}

/// A URL that the client does not use. URLs are read as browsers read them, so that `é` and spaces are no errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not a URL.
    #[error("{url:?} is not a URL: {reason}")]
    Syntax {
        /// The text without query and userinfo.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another scheme than `https` and `http`.
    #[error("{url:?} is neither https nor http")]
    Scheme {
        /// The text without query and userinfo.
        url: String,
    },
    /// Plain http beyond loopback, without [`DangerousClientOptions::allow_http`](crate::DangerousClientOptions::allow_http).
    #[error("{url:?} is plain http beyond loopback")]
    PlainHttp {
        /// The text without query and userinfo.
        url: String,
    },
    /// A user name or a password in the URL: a secret that would end up in logs and proofs.
    #[error("{url:?} has a user name or a password in it")]
    Userinfo {
        /// The text without query and userinfo.
        url: String,
    },
    /// Plain http where only https makes sense: with a client certificate, or for the endpoints of an https issuer.
    #[error("{url:?} is not https")]
    NotHttps {
        /// The text without query and userinfo.
        url: String,
    },
}

/// No complete HTTP exchange: which URL, what failed, and the cause as [`source`](Error::source).
#[derive(Debug)]
pub struct HttpError {
    url: Option<String>,
    failure: HttpFailure,
    source: Option<reqwest::Error>,
}

/// What failed in an HTTP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFailure {
    /// The host name has no address.
    UnknownHost,
    /// Nothing listens at that address and port.
    Refused,
    /// The server's certificate is not issued by a CA that this client trusts.
    UntrustedCertificate,
    /// The server's certificate is for other names.
    CertificateName,
    /// The server's certificate has expired, or is not valid yet.
    CertificateTime,
    /// The server does not speak TLS on that port.
    NotTls,
    /// Another failure of the TLS handshake.
    Tls,
    /// A time limit of [`ClientOptions`](crate::ClientOptions) or of the caller's `reqwest` settings passed.
    Timeout,
    /// The connection broke before the response was complete.
    Broken,
    /// A certificate, key or client setting that cannot be used.
    Setting,
    /// Another failure; see the source.
    Other,
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => "no such host name",
            Self::Refused => "connection refused",
            Self::UntrustedCertificate => "the server's certificate is not issued by a trusted CA",
            Self::CertificateName => "the server's certificate is for another name",
            Self::CertificateTime => "the server's certificate has expired or is not valid yet",
            Self::NotTls => "the server does not speak TLS on this port",
            Self::Tls => "the TLS handshake failed",
            Self::Timeout => "timed out",
            Self::Broken => "the connection broke before the response was complete",
            Self::Setting => "unusable certificate, key or client setting",
            Self::Other => "no complete HTTP exchange",
        })
    }
}

impl HttpError {
    pub(crate) fn new(url: Option<&Url>, error: reqwest::Error) -> Self {
        let url = url.or(error.url()).map(shown);
        Self { url, failure: classify(&error), source: Some(error.without_url()) }
    }

    pub(crate) fn timeout(url: &Url) -> Self {
        Self { url: Some(shown(url)), failure: HttpFailure::Timeout, source: None }
    }

    /// The URL without its query, where the failure has one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What failed.
    #[must_use]
    pub const fn failure(&self) -> HttpFailure {
        self.failure
    }

    /// Whether no connection was made: nothing was sent.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.source.as_ref().is_some_and(reqwest::Error::is_connect)
    }

    /// Whether a connection ended while a request was sent on it.
    pub(crate) fn broke(&self) -> bool {
        let settled = matches!(self.failure, HttpFailure::Timeout | HttpFailure::Setting);
        !settled
            && !self.is_connect()
            && self.source.as_ref().is_some_and(|error| error.is_request() || error.is_body())
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => write!(f, "{url}: {}", self.failure),
            None => self.failure.fmt(f),
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// Where metadata was looked for, and what was there instead.
#[derive(Debug)]
pub struct DiscoveryError {
    pub(crate) issuer: String,
    pub(crate) attempts: Vec<(String, ClientError)>,
}

impl DiscoveryError {
    /// The issuer that was asked for.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URLs that were tried, in order, with the reason why each had no usable metadata.
    pub fn attempts(&self) -> impl Iterator<Item = (&str, &ClientError)> {
        self.attempts.iter().map(|(url, error)| (url.as_str(), error))
    }
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no usable metadata of {}", self.issuer)?;
        self.attempts.iter().try_for_each(|(url, error)| write!(f, "; {url}: {error}"))
    }
}

impl Error for DiscoveryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.attempts.last().map(|(_, error)| error as _)
    }
}

/// The URL without query, fragment and userinfo, for errors and logs.
pub(crate) fn shown(url: &Url) -> String {
    shown_text(url.as_str())
}

/// As [`shown`], of a text that may be no URL.
pub(crate) fn shown_text(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let at = url.find("//").map_or(0, |at| at + 2);
    let (scheme, rest) = url.split_at_checked(at).unwrap_or(("", url));
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}").chars().take(200).collect()
}

/// An error with all its causes, for logs.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn classify(error: &reqwest::Error) -> HttpFailure {
    if error.is_timeout() {
        return HttpFailure::Timeout;
    }
    if error.is_builder() {
        return HttpFailure::Setting;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = classify_one(error) {
            return failure;
        }
        cause = error.source();
    }
    let incomplete = !error.is_connect() && (error.is_request() || error.is_body() || error.is_decode());
    if incomplete { HttpFailure::Broken } else { HttpFailure::Other }
}

fn classify_one(error: &(dyn Error + 'static)) -> Option<HttpFailure> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(classify_tls(tls));
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // The inner error of an `io::Error` is not its source.
        if let Some(failure) = io.get_ref().and_then(|inner| classify_one(inner)) {
            return Some(failure);
        }
        return match io.kind() {
            io::ErrorKind::ConnectionRefused => Some(HttpFailure::Refused),
            io::ErrorKind::TimedOut => Some(HttpFailure::Timeout),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(HttpFailure::Broken),
            _ => None,
        };
    }
    // The connector's error has no type of its own for this.
    error.to_string().starts_with("dns error").then_some(HttpFailure::UnknownHost)
}

fn classify_tls(error: &rustls::Error) -> HttpFailure {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => HttpFailure::UntrustedCertificate,
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            HttpFailure::CertificateName
        }
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => HttpFailure::CertificateTime,
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => HttpFailure::NotTls,
        _ => HttpFailure::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-11: both may hold secrets.
    #[test]
    fn shows_urls_without_query_and_userinfo() {
        for (url, expected) in [
            ("https://as.example/token?code=secret", "https://as.example/token"),
            ("https://user:secret@as.example/token#secret", "https://as.example/token"),
            ("https://user:se@cret@as.example", "https://as.example"),
            ("user:secret@host/path", "host/path"),
            ("http://[::1]:9400/a@b", "http://[::1]:9400/a@b"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(shown_text(url), expected, "CLI-11");
        }
    }
}
