//! Calls of protected resources with certificate-bound tokens (RFC 8705 §3).

use std::fmt;

use http::Method;
use http::header::AUTHORIZATION;

use crate::client_certificate::ClientCertificate;
use crate::error::{ClientError, UrlError};
use crate::header::sensitive;
use crate::options::ClientOptions;
use crate::redaction::redacted;
use crate::transport::Transport;
use crate::url::checked_url;

/// An HTTP client that presents a certificate-bound access token under the scheme `Bearer`, over TLS with that
/// certificate. Redirects are not followed: the caller gets them as responses. `Debug` does not show the token.
///
/// ```no_run
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{ClientCertificate, MtlsClient};
///
/// let (chain, key) = (std::fs::read_to_string("client.pem")?, std::fs::read_to_string("client.key")?);
/// let client = MtlsClient::new(ClientCertificate::from_pem(&chain, &key)?, "the-token")?;
/// let notes = client.send(client.get("https://api.example/notes")?).await?;
/// # drop(notes);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MtlsClient {
    transport: Transport,
    token: String,
}

impl MtlsClient {
    /// Builds a client for this token and the certificate that it is bound to.
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(certificate: ClientCertificate, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Self::with_options(certificate, access_token, &ClientOptions::default())
    }

    /// As [`new`](Self::new), with these options.
    ///
    /// # Errors
    /// [`ClientError::Options`], or [`ClientError::Http`] when TLS cannot be set up.
    pub fn with_options(
        certificate: ClientCertificate,
        access_token: impl Into<String>,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let transport = Transport::for_reqwest_callers(options, certificate)?;
        Ok(Self::with_transport(transport, access_token.into()))
    }

    pub(crate) const fn with_transport(transport: Transport, token: String) -> Self {
        Self { transport, token }
    }

    /// Sends a request of [`request`](Self::request). Unlike `reqwest::RequestBuilder::send`, it logs a failure, and
    /// the error has URL and cause.
    ///
    /// # Errors
    /// [`ClientError::Http`].
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        Ok(self.transport.send(request.build()?, None).await?)
    }

    /// Starts a GET request.
    ///
    /// # Errors
    /// As for [`request`](Self::request).
    pub fn get(&self, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        self.request(Method::GET, url)
    }

    /// Starts a POST request.
    ///
    /// # Errors
    /// As for [`request`](Self::request).
    pub fn post(&self, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        self.request(Method::POST, url)
    }

    /// Starts a request with any method, to be completed by the caller.
    ///
    /// # Errors
    /// [`ClientError::Url`] when the URL is not https, because a client certificate needs TLS.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        let url = checked_url(url.as_ref(), false)?;
        if url.scheme() != "https" {
            return Err(UrlError::NotHttps { url: redacted(&url) }.into());
        }
        let authorization = sensitive(format!("Bearer {}", self.token))?;
        Ok(self.transport.client(&url).request(method, url).header(AUTHORIZATION, authorization))
    }
}

impl fmt::Debug for MtlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtlsClient").finish_non_exhaustive()
    }
}
