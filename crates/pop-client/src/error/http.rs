//! Failed HTTP exchanges, and why they failed.

use std::error::Error;
use std::{fmt, io};

use reqwest::Url;

use crate::redaction::redacted;

/// An HTTP exchange that was not completed: the URL, what failed, and the cause as [`source`](Error::source).
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
    /// The server's certificate has expired or is not valid yet.
    CertificateTime,
    /// The server does not speak TLS on that port.
    NotTls,
    /// Another failure of the TLS handshake.
    Tls,
    /// A timeout of [`ClientOptions`](crate::ClientOptions) or of the caller's `reqwest` settings elapsed.
    Timeout,
    /// The connection broke before the response was complete.
    Broken,
    /// A certificate, a key or a setting of the HTTP client is unusable.
    Setting,
    /// Another failure. The source says which.
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
            Self::Setting => "a certificate, a key or a setting of the HTTP client is unusable",
            Self::Other => "the HTTP exchange was not completed",
        })
    }
}

impl HttpError {
    pub(crate) fn new(url: Option<&Url>, error: reqwest::Error) -> Self {
        let url = url.or(error.url()).map(redacted);
        Self { url, failure: classify(&error), source: Some(error.without_url()) }
    }

    pub(crate) fn timeout(url: &Url) -> Self {
        Self { url: Some(redacted(url)), failure: HttpFailure::Timeout, source: None }
    }

    /// Returns the URL without its query, if the failure belongs to a URL.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Returns what failed.
    #[must_use]
    pub const fn failure(&self) -> HttpFailure {
        self.failure
    }

    /// Returns whether no connection was made. Then nothing was sent.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.source.as_ref().is_some_and(reqwest::Error::is_connect)
    }

    /// Returns whether a connection ended while a request was sent on it.
    pub(crate) fn broke(&self) -> bool {
        !matches!(self.failure, HttpFailure::Timeout | HttpFailure::Setting)
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
        // The source of an `io::Error` is the source of its inner error, not the inner error.
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
    // The connector has no public type for this error.
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
