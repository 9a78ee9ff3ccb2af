//! The HTTP client of a configuration.

use std::sync::Arc;

use crate::error::ConfigError;
#[cfg(feature = "http-client")]
use crate::error::HttpClientError;
use crate::keys::HttpFetch;

/// The HTTP client, created when the first issuer needs it.
pub(super) struct HttpClient {
    pub(super) fetch: Option<Arc<dyn HttpFetch>>,
}

impl HttpClient {
    pub(super) fn get(&mut self) -> Result<Arc<dyn HttpFetch>, ConfigError> {
        match &self.fetch {
            Some(fetch) => Ok(Arc::clone(fetch)),
            None => Ok(Arc::clone(self.fetch.insert(default_fetch()?))),
        }
    }
}

#[cfg(feature = "http-client")]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    let fetch = crate::keys::HyperFetch::new().map_err(|error| ConfigError::HttpClient(HttpClientError::new(error)))?;
    Ok(Arc::new(fetch))
}

#[cfg(not(feature = "http-client"))]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    Err(ConfigError::NoHttpClient)
}
