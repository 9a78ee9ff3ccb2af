//! The metadata document of the protected resource (RFC 9728), made once from the configuration. Clients get it without
//! credentials, so it is mounted outside of the layer:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use tower_pop::{PopConfig, PopLayer};
//!
//! let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
//! let app: Router = Router::new()
//!     .route("/notes", get(|| async { "notes" }))
//!     .layer(PopLayer::new(cfg.clone()))
//!     .merge(cfg.metadata_route());
//! # }
//! # Ok::<(), tower_pop::ConfigError>(())
//! ```

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use pop_core::policy::DpopPolicy;
use pop_core::target::Origin;
use tower_service::Service;

use crate::error::ConfigError;
use crate::origin::OriginPolicy;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The settings of the document, as the builder collects them.
#[derive(Debug, Default)]
pub(crate) struct MetadataDraft {
    pub(crate) resource: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// The document, and its URL.
#[derive(Debug)]
pub(crate) struct Metadata {
    document: serde_json::Map<String, serde_json::Value>,
    url: String,
    path: String,
    /// The path of the public key-encryption keys, if there are any.
    keys_path: Option<String>,
    /// Whether some route accepts tokens that are not bound to a DPoP key.
    accepts_other_tokens: AtomicBool,
}

/// Which tokens are accepted in addition to those that are bound to a DPoP key.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) unbound: bool,
    pub(crate) certificate_bound: bool,
    /// Tokens whose key signs requests without DPoP.
    pub(crate) signed: bool,
    /// Tokens with a symmetric key that is encrypted for this resource.
    pub(crate) symmetric: bool,
}

impl Metadata {
    /// Makes the document.
    ///
    /// # Errors
    /// [`ConfigError::Resource`] for a resource that is not under a public origin, or has a query or fragment.
    pub(crate) fn new(
        draft: &MetadataDraft,
        origins: &OriginPolicy,
        audiences: &[Box<str>],
        issuers: &[&str],
        dpop: Option<&DpopPolicy>,
        accepted: &Accepted,
    ) -> Result<Self, ConfigError> {
        let resource = resource(draft, origins, audiences)?;
        let (origin, path) = split(&resource).ok_or_else(|| ConfigError::Resource(resource.clone()))?;
        let path = if path == "/" { "" } else { path };
        let keys_path = accepted.symmetric.then(|| format!("{WELL_KNOWN}-jwks{path}"));
        let path = format!("{WELL_KNOWN}{path}");
        let url = format!("{origin}{path}");
        let keys_url = keys_path.as_ref().map(|path| format!("{origin}{path}"));
        let mut document = serde_json::Map::new();
        document.insert("resource".into(), resource.into());
        document.insert("authorization_servers".into(), issuers.into());
        document.insert("bearer_methods_supported".into(), ["header"].as_slice().into());
        if let Some(dpop) = dpop {
            let algorithms: Vec<&str> = dpop.algorithms.iter().map(pop_core::jose::Algorithm::name).collect();
            document.insert("dpop_signing_alg_values_supported".into(), algorithms.into());
        }
        if let Some(keys_url) = keys_url {
            document.insert("jwks_uri".into(), keys_url.into());
        }
        if accepted.certificate_bound {
            document.insert("tls_client_certificate_bound_access_tokens".into(), true.into());
        }
        if !draft.scopes.is_empty() {
            document.insert("scopes_supported".into(), draft.scopes.as_slice().into());
        }
        if let Some(name) = &draft.name {
            document.insert("resource_name".into(), name.as_str().into());
        }
        let accepts_other_tokens = AtomicBool::new(accepted.unbound || accepted.certificate_bound || accepted.signed);
        Ok(Self { document, url, path, keys_path, accepts_other_tokens })
    }

    /// Returns the absolute URL of the document, for `resource_metadata` in challenges.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the path of the public key-encryption keys, if there are any.
    pub(crate) fn keys_path(&self) -> Option<&str> {
        self.keys_path.as_deref()
    }

    /// Notes that some route accepts tokens without proof: the document says so from now on.
    pub(crate) fn bearer_is_accepted(&self) {
        self.accepts_other_tokens.store(true, Ordering::Relaxed);
    }

    fn to_json(&self) -> String {
        let mut document = self.document.clone();
        let required = !self.accepts_other_tokens.load(Ordering::Relaxed);
        document.insert("dpop_bound_access_tokens_required".into(), required.into());
        serde_json::Value::Object(document).to_string()
    }
}

/// Returns the resource identifier: the configured one, or else the first audience under a public origin, or else the
/// default origin.
fn resource(draft: &MetadataDraft, origins: &OriginPolicy, audiences: &[Box<str>]) -> Result<String, ConfigError> {
    let is_public = |url: &str| Origin::of(url).is_ok_and(|origin| origins.allowed.contains(&origin));
    let is_plain = |url: &str| !url.contains(['?', '#']);
    if let Some(resource) = &draft.resource {
        let acceptable = is_public(resource) && is_plain(resource);
        return if acceptable { Ok(resource.clone()) } else { Err(ConfigError::Resource(resource.clone())) };
    }
    let audience = audiences.iter().find(|audience| is_public(audience) && is_plain(audience));
    let origin = origins.allowed.first().map(Origin::as_str).unwrap_or_default();
    Ok(audience.map_or(origin, |audience| audience).to_owned())
}

/// Splits a URL into origin and path.
fn split(resource: &str) -> Option<(&str, &str)> {
    let host_at = resource.find("://")? + 3;
    let path_at = resource.get(host_at..)?.find('/').map_or(resource.len(), |at| host_at + at);
    resource.split_at_checked(path_at)
}

/// A tower service for the metadata document of the resource (RFC 9728). It responds to GET and HEAD with the document, and to
/// other methods with 405. Mount it at [`path`](MetadataService::path), outside of the layer.
///
/// ```
/// use tower_pop::PopConfig;
///
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
/// assert_eq!(cfg.metadata_service().path(), "/.well-known/oauth-protected-resource");
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MetadataService {
    metadata: Arc<Metadata>,
}

impl MetadataService {
    pub(crate) const fn new(metadata: Arc<Metadata>) -> Self {
        Self { metadata }
    }

    /// Returns the path at which clients look for the document (RFC 9728 §3.1).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.metadata.path
    }
}

/// Responds to GET and HEAD with a JSON document that everyone may read, and to other methods with 405.
pub(crate) fn respond(
    method: &Method,
    content_type: &'static str,
    cache_control: &'static str,
    json: impl FnOnce() -> String,
) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let body = if method == Method::HEAD { String::new() } else { json() };
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(respond(request.method(), "application/json", "public, max-age=3600", || self.metadata.to_json())))
    }
}
