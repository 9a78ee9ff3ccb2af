//! The fetches of an issuer's keys.

#[allow(dead_code)]
#[path = "../../../crates/tower-pop/src/keys/allowance.rs"]
mod allowance;
mod models;
#[allow(dead_code)]
#[path = "../../../crates/tower-pop/src/keys/remote.rs"]
mod remote;
#[path = "../../../crates/tower-pop/src/keys/skipped_keys.rs"]
mod skipped_keys;
#[path = "../../../crates/tower-pop/src/keys/snapshot.rs"]
mod snapshot;

mod caching {
    pub(super) use tower_pop::keys::JwksCaching;
}

/// An HTTP client without requests: the only URL is that of the keys.
mod fetch {
    use std::pin::Pin;

    pub(super) use tower_pop::keys::{FetchError, FetchResponse};

    pub(super) type Exchange = Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>>;

    pub(super) trait HttpFetch: Send + Sync {
        fn fetch(&self) -> Exchange;
    }

    pub(super) fn without_query(url: &str) -> &str {
        url
    }
}

mod discovery {
    use super::caching::JwksCaching;
    use super::fetch::{FetchError, FetchResponse, HttpFetch};

    pub(super) enum KeyLocation {
        Discovery,
        Uri(String),
    }

    pub(super) async fn find_jwks_uri(
        _: &str,
        fetch: &dyn HttpFetch,
        caching: &JwksCaching,
        _: bool,
    ) -> Result<String, FetchError> {
        get(fetch, String::new(), caching).await.map(|_| "https://as.example/jwks".to_owned())
    }

    pub(super) async fn get(fetch: &dyn HttpFetch, _: String, _: &JwksCaching) -> Result<FetchResponse, FetchError> {
        fetch.fetch().await
    }
}
