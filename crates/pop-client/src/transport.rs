//! HTTP exchanges: the client for each URL, timeouts and size limits. Every failure is logged with URL and cause.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::{Request, Response, Url};

use crate::client_certificate::ClientCertificate;
use crate::error::{ClientError, HttpError, with_causes};
use crate::json::{self, Document};
use crate::options::ClientOptions;
use crate::redaction::redacted;
use crate::upload::Upload;

/// The HTTP clients and their options. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    https: reqwest::Client,
    /// Has no proxy, because a proxy would read what is sent.
    http: reqwest::Client,
    pub(crate) options: Arc<ClientOptions>,
}

/// A response that was read completely.
#[derive(Debug)]
pub(crate) struct CompleteResponse {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body, or an error if it could not be read completely. Status and header fields count nevertheless.
    pub(crate) body: Result<Bytes, ClientError>,
}

impl Transport {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        Self::build(options, None, false)
    }

    pub(crate) fn with_certificate(
        options: &ClientOptions,
        certificate: ClientCertificate,
    ) -> Result<Self, ClientError> {
        Self::build(options, Some(certificate), false)
    }

    /// For callers that send the `reqwest` requests themselves: the `reqwest` client has the timeouts.
    pub(crate) fn for_reqwest_callers(
        options: &ClientOptions,
        certificate: ClientCertificate,
    ) -> Result<Self, ClientError> {
        Self::build(options, Some(certificate), true)
    }

    fn build(
        options: &ClientOptions,
        certificate: Option<ClientCertificate>,
        has_timeouts: bool,
    ) -> Result<Self, ClientError> {
        options.check()?;
        let start = || {
            let mut builder = reqwest::Client::builder();
            if has_timeouts {
                builder = builder.read_timeout(options.head_timeout());
                if let Some(total) = options.total_timeout {
                    builder = builder.timeout(total);
                }
            }
            // After the settings of the caller: each redirect needs a new proof, and tokens must only be sent to
            // servers whose certificate is verified.
            options
                .configured(builder)
                .redirect(reqwest::redirect::Policy::none())
                .tls_danger_accept_invalid_certs(false)
                .tls_danger_accept_invalid_hostnames(false)
        };
        let https = match certificate {
            Some(certificate) => certificate.install(start()),
            None => start(),
        };
        // This client has no TLS and needs no CAs. The settings of the caller may require some, then it is built with
        // them.
        let http = start().no_proxy().tls_certs_only([]).build().or_else(|_| start().no_proxy().build())?;
        Ok(Self { https: https.build()?, http, options: Arc::new(options.clone()) })
    }

    /// Returns the client for a URL.
    pub(crate) fn client(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "http" { &self.http } else { &self.https }
    }

    /// Fetches one JSON object.
    pub(crate) async fn fetch_document(&self, url: Url) -> Result<Document, ClientError> {
        let request = self.client(&url).get(url.clone()).header("accept", "application/json").build()?;
        let response = self.exchange(request, self.options.document_timeout, self.options.max_document_len).await?;
        if response.status != StatusCode::OK {
            let what = "no metadata";
            return Err(ClientError::Status { url: redacted(&url), status: response.status, what });
        }
        json::object(&response.body?)
            .ok_or(ClientError::Response("the metadata is not a single JSON object without duplicate members"))
    }

    /// Sends a request and reads the complete response, within a timeout and a size limit.
    pub(crate) async fn exchange(
        &self,
        mut request: Request,
        timeout: Duration,
        limit: usize,
    ) -> Result<CompleteResponse, ClientError> {
        let url = request.url().clone();
        *request.timeout_mut() = Some(timeout);
        let response = self.client(&url).execute(request).await;
        let response = response.map_err(|error| failed(&url, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_limited(response, &url, limit).await;
        Ok(CompleteResponse { url, status, headers, body })
    }

    /// Sends a request whose response body the caller reads. The timeout for the head starts when the last part of the
    /// request body is taken.
    pub(crate) async fn send(&self, mut request: Request, upload: Option<&Upload>) -> Result<Response, HttpError> {
        let url = request.url().clone();
        if request.timeout().is_none() {
            *request.timeout_mut() = self.options.total_timeout;
        }
        let started_at = Instant::now();
        let mut sent = pin!(self.client(&url).execute(request));
        loop {
            let deadline = upload.map_or(started_at, Upload::last_progress) + self.options.head_timeout();
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                let error = HttpError::timeout(&url);
                log(&error);
                return Err(error);
            }
            if let Ok(outcome) = tokio::time::timeout(remaining, &mut sent).await {
                return outcome.map_err(|error| failed(&url, error));
            }
        }
    }
}

/// Logs a failure.
fn failed(url: &Url, error: reqwest::Error) -> HttpError {
    let error = HttpError::new(Some(url), error);
    log(&error);
    error
}

fn log(error: &HttpError) {
    tracing::warn!(url = error.url(), cause = with_causes(error), "an HTTP exchange was not completed");
}

/// Reads a body up to a size limit.
async fn read_limited(mut response: Response, url: &Url, limit: usize) -> Result<Bytes, ClientError> {
    let too_large = || ClientError::TooLarge { url: redacted(url), limit };
    if response.content_length().is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
