//! The web pages that may call the API (CORS).

use axum::http::HeaderValue;
use clap::Args;
use pop_core::target::Origin;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_pop::cors;

#[derive(Debug, Args)]
pub(crate) struct CorsArgs {
    /// The origin of web pages that may call the API, such as `https://app.example`, or `*` for every origin.
    /// Repeatable.
    #[arg(long, env = "POP_CORS_ORIGIN", value_delimiter = ',', value_parser = origin)]
    cors_origin: Vec<HeaderValue>,
}

impl CorsArgs {
    /// Returns the origins, without `*`.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.cors_origin.iter().filter_map(|origin| origin.to_str().ok()).filter(|origin| *origin != "*")
    }

    /// Returns the layer that lets browsers send proofs and read challenges and nonces, if an origin is set.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let origins = match self.cors_origin.as_slice() {
            [] => return None,
            any if any.iter().any(|origin| origin == "*") => AllowOrigin::from(Any),
            origins => AllowOrigin::list(origins.to_vec()),
        };
        let layer = CorsLayer::new().allow_origin(origins).allow_methods(Any);
        // An application adds the other header fields that its pages send and read.
        Some(layer.allow_headers(cors::allow_headers([])).expose_headers(cors::expose_headers([])))
    }
}

/// Parses an origin in the form that browsers send.
fn origin(text: &str) -> Result<HeaderValue, String> {
    if text != "*" {
        let origin = Origin::parse(text).map_err(|error| error.to_string())?;
        if origin.as_str() != text {
            return Err(format!("browsers write it as {origin}"));
        }
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
}
