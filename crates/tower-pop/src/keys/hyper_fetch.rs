//! Fetching with hyper over rustls and the platform's trust store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{FetchError, FetchRequest, FetchResponse, HttpFetch};

/// The default [`HttpFetch`]: HTTP/1.1 and 2, TLS by rustls, no redirects, no cookies, no proxies. Needs a tokio runtime
/// when it is used, not when it is made.
#[derive(Clone)]
pub struct HyperFetch {
    https: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl HyperFetch {
    /// A client that trusts what the platform trusts.
    ///
    /// # Errors
    /// When the platform's trust store cannot be set up.
    pub fn new() -> Result<Self, std::io::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)?
            .https_or_http() // which URLs are acceptable is decided before
            .enable_all_versions()
            .build();
        Ok(Self { https: Client::builder(TokioExecutor::new()).build(connector) })
    }
}

impl HttpFetch for HyperFetch {
    fn get(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let client = self.https.clone();
        Box::pin(async move {
            let timeout = request.timeout;
            tokio::time::timeout(timeout, get(client, request)).await.unwrap_or(Err(FetchError::Timeout))
        })
    }
}

async fn get(
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    request: FetchRequest,
) -> Result<FetchResponse, FetchError> {
    let max_len = request.max_len;
    let request = Request::get(request.url)
        .header(ACCEPT, "application/json, application/jwk-set+json")
        .body(Empty::new())
        .map_err(|_| FetchError::Url)?;
    let response = client.request(request).await.map_err(|_| FetchError::Connection)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let cache_control =
        response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let body = Limited::new(response.into_body(), max_len)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { FetchError::TooLong } else { FetchError::Connection })?;
    Ok(FetchResponse { body: body.to_bytes(), cache_control })
}

impl fmt::Debug for HyperFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HyperFetch")
    }
}
