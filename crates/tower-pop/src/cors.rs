//! Header lists for a CORS layer, so that browsers can send proofs and read challenges and nonces (RFC 9449 §7.1, §8).
//! The lists cover requests with JSON bodies and the Model Context Protocol. Applications add their own fields.
//!
//! Put the CORS layer outside of [`PopLayer`](crate::PopLayer). It must see preflights, which carry no credentials, and it
//! must add its header fields to rejections of the layer too. With `tower_http::cors::CorsLayer`:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::post};
//! use http::{HeaderName, HeaderValue, Method};
//! use tower_http::cors::CorsLayer;
//! use tower_pop::{PopConfig, PopLayer, cors};
//!
//! let tenant = HeaderName::from_static("x-tenant");
//! let cors = CorsLayer::new()
//!     .allow_origin(HeaderValue::from_static("https://app.example"))
//!     .allow_methods([Method::GET, Method::POST])
//!     .allow_headers(cors::allow_headers([tenant]))
//!     .expose_headers(cors::expose_headers([]));
//! let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
//! let app: Router = Router::new()
//!     .route("/notes", post(|| async { "written" }))
//!     .layer(PopLayer::new(cfg))
//!     .layer(cors); // added last: the outermost layer
//! # }
//! # Ok::<(), tower_pop::ConfigError>(())
//! ```
//!
//! Do not allow all header fields with `*`: it does not cover `Authorization` (Fetch, "CORS non-wildcard request-header
//! name").

use http::HeaderName;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::rejection::DPOP_NONCE;

const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The fields for `Access-Control-Allow-Headers`: `Authorization`, `DPoP`, `Signature`, `Signature-Input` and `Content-Digest`; `Content-Type` and `Accept` for JSON; and
/// `MCP-Protocol-Version`, `Mcp-Session-Id`, `Mcp-Method`, `Mcp-Name` and `Last-Event-ID`, which clients of the Model Context
/// Protocol send.
pub const ALLOW_HEADERS: [HeaderName; 12] = [
    AUTHORIZATION,
    HeaderName::from_static("dpop"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
    HeaderName::from_static("content-digest"),
    CONTENT_TYPE,
    ACCEPT,
    MCP_PROTOCOL_VERSION,
    MCP_SESSION_ID,
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("last-event-id"),
];

/// The fields for `Access-Control-Expose-Headers`: `WWW-Authenticate`, `DPoP-Nonce`, `Accept-Signature`, `Authentication-Info`
/// and `Retry-After` of responses of the layer, and `Mcp-Session-Id` and `MCP-Protocol-Version` of responses of an MCP server.
pub const EXPOSE_HEADERS: [HeaderName; 7] = [
    WWW_AUTHENTICATE,
    DPOP_NONCE,
    HeaderName::from_static("accept-signature"),
    HeaderName::from_static("authentication-info"),
    RETRY_AFTER,
    MCP_SESSION_ID,
    MCP_PROTOCOL_VERSION,
];

/// Returns [`ALLOW_HEADERS`] and the given request fields of the application, without duplicates.
///
/// ```
/// use http::HeaderName;
/// use http::header::AUTHORIZATION;
/// use tower_pop::cors;
///
/// let allowed = cors::allow_headers([HeaderName::from_static("x-tenant")]);
/// assert!(allowed.contains(&AUTHORIZATION) && allowed.contains(&HeaderName::from_static("x-tenant")));
/// ```
#[must_use]
pub fn allow_headers(application: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    merge(&ALLOW_HEADERS, application)
}

/// Returns [`EXPOSE_HEADERS`] and the given response fields that pages of the application read, without duplicates.
///
/// ```
/// use http::header::{ETAG, WWW_AUTHENTICATE};
/// use tower_pop::cors;
///
/// let exposed = cors::expose_headers([ETAG]);
/// assert!(exposed.contains(&WWW_AUTHENTICATE) && exposed.contains(&ETAG));
/// ```
#[must_use]
pub fn expose_headers(application: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    merge(&EXPOSE_HEADERS, application)
}

fn merge(defaults: &[HeaderName], application: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    let mut all = defaults.to_vec();
    for name in application {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
