//! Sending: which client for which URL, how long, and how much is read. Every failure is logged with URL and cause.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::{Request, Response, Url};

use crate::error::{ClientError, HttpError, chain, shown};
use crate::json::{self, Document};
use crate::mtls::ClientCertificate;
use crate::options::ClientOptions;
use crate::upload::Watch;

/// The HTTP clients and their limits. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    https: reqwest::Client,
    /// Without any proxy: a proxy would read what is sent.
    http: reqwest::Client,
    pub(crate) options: Arc<ClientOptions>,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// An error when it could not be read to its end: status and fields count nevertheless.
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

    /// For callers who send requests by themselves: the wait for the head is limited by the client.
    pub(crate) fn for_callers(options: &ClientOptions, certificate: ClientCertificate) -> Result<Self, ClientError> {
        Self::build(options, Some(certificate), true)
    }

    fn build(
        options: &ClientOptions,
        certificate: Option<ClientCertificate>,
        limit_reads: bool,
    ) -> Result<Self, ClientError> {
        options.check()?;
        let start = || {
            let mut builder = reqwest::Client::builder();
            if limit_reads {
                builder = builder.read_timeout(options.head_limit());
                if let Some(total) = options.total_timeout {
                    builder = builder.timeout(total);
                }
            }
            // Last: each hop needs a proof of its own, and a token goes to a server whose certificate is verified.
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
        // There is no TLS here, hence no CAs to load, unless the caller's settings ask for some.
        let http = start().no_proxy().tls_certs_only([]).build().or_else(|_| start().no_proxy().build())?;
        Ok(Self { https: https.build()?, http, options: Arc::new(options.clone()) })
    }

    /// The client for a URL.
    pub(crate) fn client(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "http" { &self.http } else { &self.https }
    }

    /// Fetches one JSON object.
    pub(crate) async fn document(&self, url: Url) -> Result<Document, ClientError> {
        let request = self.client(&url).get(url.clone()).header("accept", "application/json").build()?;
        let answer = self.exchange(request, self.options.document_timeout, self.options.max_document_len).await?;
        if answer.status != StatusCode::OK {
            let what = "no metadata";
            return Err(ClientError::Status { url: shown(&url), status: answer.status, what });
        }
        json::object(&answer.body?).ok_or(ClientError::Response("metadata is not one JSON object"))
    }

    /// Sends a request and reads the response, all within a time and up to a size.
    pub(crate) async fn exchange(
        &self,
        mut request: Request,
        timeout: Duration,
        limit: usize,
    ) -> Result<Answer, ClientError> {
        let url = request.url().clone();
        *request.timeout_mut() = Some(timeout);
        let response = self.client(&url).execute(request).await;
        let response = response.map_err(|error| failed(&url, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, &url, limit).await;
        Ok(Answer { url, status, headers, body })
    }

    /// Sends a request whose response is the caller's. The time for the head counts from the last piece of the body.
    pub(crate) async fn execute(&self, mut request: Request, watch: Option<&Watch>) -> Result<Response, HttpError> {
        let url = request.url().clone();
        if request.timeout().is_none() {
            *request.timeout_mut() = self.options.total_timeout;
        }
        let begun = Instant::now();
        let mut sent = pin!(self.client(&url).execute(request));
        loop {
            let deadline = watch.map_or(begun, Watch::last) + self.options.head_limit();
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

fn failed(url: &Url, error: reqwest::Error) -> HttpError {
    let error = HttpError::new(Some(url), error);
    log(&error);
    error
}

fn log(error: &HttpError) {
    tracing::warn!(url = error.url(), cause = chain(error), "no complete HTTP exchange");
}

async fn read(mut response: Response, url: &Url, limit: usize) -> Result<Bytes, ClientError> {
    let too_large = || ClientError::TooLarge { url: shown(url), limit };
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
