//! The default HTTP client: hyper over rustls, with the trust store of the platform.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::CertificateError;

use pop_core::jose::{Json, JsonLimits, Object};

use super::fetch::{ConnectionCause, ConnectionFailure, FetchError, FetchRequest, FetchResponse, HttpFetch};

/// The maximum length of an error response in bytes.
const MAX_ERROR_LEN: usize = 4096;

/// The default [`HttpFetch`]: HTTP/1.1 and HTTP/2 with TLS by rustls, without redirects, cookies and proxies. Needs a tokio
/// runtime when it sends a request, not when it is created.
///
/// Create one to share its connections between configurations:
///
/// ```
/// use tower_pop::PopConfig;
/// use tower_pop::keys::HyperFetch;
///
/// let client = HyperFetch::new()?;
/// let notes = PopConfig::builder("https://as.example", "https://notes.example").http_fetch(client.clone()).build()?;
/// let files = PopConfig::builder("https://as.example", "https://files.example").http_fetch(client).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HyperFetch {
    https: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HyperFetch {
    /// Creates a client that trusts the certificates that the platform trusts.
    ///
    /// # Errors
    /// If the trust store of the platform cannot be set up.
    pub fn new() -> Result<Self, io::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(provider)?;
        // Plain http is allowed here: the configuration decides which URLs are acceptable.
        Ok(Self::with_connector(connector.https_or_http().enable_all_versions().build()))
    }

    /// Creates a client with this TLS configuration: with other trust anchors, or with a client certificate for the
    /// authorization server ([`Introspection::mutual_tls`](crate::Introspection::mutual_tls)).
    ///
    /// # Panics
    /// If [`alpn_protocols`](rustls::ClientConfig::alpn_protocols) of the configuration is not empty. For configurations that are
    /// not written in code, use [`try_with_tls`](Self::try_with_tls).
    #[must_use]
    pub fn with_tls(config: rustls::ClientConfig) -> Self {
        Self::try_with_tls(config).unwrap_or_else(|error| panic!("HyperFetch::with_tls: {error}"))
    }

    /// Creates a client with this TLS configuration.
    ///
    /// # Errors
    /// If [`alpn_protocols`](rustls::ClientConfig::alpn_protocols) of the configuration is not empty: the client sets it.
    pub fn try_with_tls(config: rustls::ClientConfig) -> Result<Self, io::Error> {
        if !config.alpn_protocols.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the TLS configuration has ALPN protocols"));
        }
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_all_versions();
        Ok(Self::with_connector(connector.build()))
    }

    fn with_connector(connector: HttpsConnector<HttpConnector>) -> Self {
        Self { https: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl HttpFetch for HyperFetch {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let client = self.https.clone();
        Box::pin(async move {
            let timeout = request.timeout;
            tokio::time::timeout(timeout, send(client, request)).await.unwrap_or(Err(FetchError::Timeout))
        })
    }
}

async fn send(
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    request: FetchRequest,
) -> Result<FetchResponse, FetchError> {
    let FetchRequest { url, accept, authorization, form, max_len, .. } = request;
    let authenticated = form.is_some();
    let mut builder = match form {
        Some(_) => Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
        None => Request::get(url),
    };
    builder = builder.header(ACCEPT, accept);
    if let Some(authorization) = authorization {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    let request = builder.body(Full::from(form.unwrap_or_default())).map_err(|_| FetchError::Url)?;
    let response = client.request(request).await.map_err(|error| not_connected(&error, ConnectionCause::Other))?;
    if response.status() != StatusCode::OK {
        let status = response.status().as_u16();
        let rejected = authenticated && matches!(status, 400 | 401 | 403) && rejects_client(response).await;
        return Err(if rejected { FetchError::ClientRejected(status) } else { FetchError::Status(status) });
    }
    let content_type = text(response.headers(), CONTENT_TYPE);
    let cache_control = text(response.headers(), CACHE_CONTROL);
    let age = age(response.headers());
    let body = Limited::new(response.into_body(), max_len).collect().await.map_err(|error| {
        match error.is::<LengthLimitError>() {
            true => FetchError::TooLong,
            false => not_connected(&*error, ConnectionCause::Closed),
        }
    })?;
    Ok(FetchResponse { body: body.to_bytes(), content_type, cache_control, age })
}

/// Returns the maximum `Age` of a response. Values that are not numbers are ignored (RFC 9111 §5.1).
fn age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(AGE).iter().filter_map(|value| value.to_str().ok());
    let digits = values.flat_map(|value| value.split(',')).map(str::trim);
    let numbers = digits.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.map(|text| text.parse().unwrap_or(u64::from(u32::MAX))).max().map(Duration::from_secs)
}

/// Returns the error of a failed connection, with its kind and the messages of the error and all its sources.
fn not_connected(error: &(dyn StdError + 'static), default: ConnectionCause) -> FetchError {
    let (mut cause, mut detail) = (default, String::new());
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !detail.contains(&text) {
            detail += if detail.is_empty() { "" } else { ": " };
            detail += &text;
        }
        // The innermost error is the most precise one.
        cause = cause_of(error).unwrap_or(cause);
        // The source of an io::Error that wraps another error is the source of that error, not the error itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    FetchError::NotConnected(ConnectionFailure::new(cause, &detail))
}

fn cause_of(error: &(dyn StdError + 'static)) -> Option<ConnectionCause> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidCertificate(error) => match error {
                // BadSignature: another authority has the same name.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => ConnectionCause::UntrustedAuthority,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    ConnectionCause::HostName
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => ConnectionCause::CertificateTime,
                _ => ConnectionCause::Certificate,
            },
            rustls::Error::InvalidMessage(_) => ConnectionCause::NotTls,
            _ => ConnectionCause::Tls,
        });
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            ErrorKind::ConnectionRefused => Some(ConnectionCause::Refused),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NotConnected => {
                Some(ConnectionCause::Unreachable)
            }
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Some(ConnectionCause::Closed),
            _ => None,
        };
    }
    // hyper-util does not export the connector's error type.
    (error.to_string() == "dns error").then_some(ConnectionCause::NameNotFound)
}

/// Returns whether an error response rejects the client credentials of the request (RFC 6749 §5.2): by its `error`, or, if it
/// has none, by a challenge for Basic.
async fn rejects_client<B>(response: Response<B>) -> bool
where
    B: http_body::Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
    let basic = challenges
        .filter_map(|challenge| challenge.to_str().ok()?.split(' ').next())
        .any(|scheme| scheme.eq_ignore_ascii_case("Basic"));
    let body = Limited::new(response.into_body(), MAX_ERROR_LEN).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let error = Object::parse(&body, JsonLimits::DOCUMENT).ok();
    match error.as_ref().and_then(|error| error.get("error").and_then(Json::as_str)) {
        Some(error) => matches!(error, "invalid_client" | "unauthorized_client"),
        None => basic,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

impl fmt::Debug for HyperFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HyperFetch")
    }
}
