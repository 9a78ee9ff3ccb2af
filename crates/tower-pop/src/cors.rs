//! Header lists for a CORS layer, so that browsers can send proofs and read challenges and nonces (RFC 9449 §7.1, §8).
//! They cover calls with JSON bodies and the Model Context Protocol; an application adds fields of its own.
//!
//! Put the CORS layer outside of [`PopLayer`](crate::PopLayer): it must see preflights, which carry no credentials, and
//! must add its headers to our rejections too. With `tower_http::cors::CorsLayer`:
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
//!     .layer(cors); // after PopLayer, which is outside of it
//! # }
//! # Ok::<(), tower_pop::ConfigError>(())
//! ```
//!
//! Do not allow all headers with `*`: that does not cover `Authorization` (Fetch, "CORS non-wildcard request-header name").

use http::HeaderName;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::rejection::DPOP_NONCE;

const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// `Access-Control-Allow-Headers`: `Authorization` and `DPoP`; `Content-Type` and `Accept`, for JSON; and what clients of
/// the Model Context Protocol send: `MCP-Protocol-Version`, `Mcp-Session-Id`, `Mcp-Method`, `Mcp-Name` and
/// `Last-Event-ID`.
pub const ALLOW_HEADERS: [HeaderName; 9] = [
    AUTHORIZATION,
    HeaderName::from_static("dpop"),
    CONTENT_TYPE,
    ACCEPT,
    MCP_PROTOCOL_VERSION,
    MCP_SESSION_ID,
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("last-event-id"),
];

/// `Access-Control-Expose-Headers`: `WWW-Authenticate`, `DPoP-Nonce` and `Retry-After` of our responses, and
/// `Mcp-Session-Id` and `MCP-Protocol-Version` of an MCP server's.
pub const EXPOSE_HEADERS: [HeaderName; 5] =
    [WWW_AUTHENTICATE, DPOP_NONCE, RETRY_AFTER, MCP_SESSION_ID, MCP_PROTOCOL_VERSION];

/// [`ALLOW_HEADERS`] and the fields that requests of the application carry besides.
#[must_use]
pub fn allow_headers(own: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    with(&ALLOW_HEADERS, own)
}

/// [`EXPOSE_HEADERS`] and the fields of responses that pages of the application read besides.
#[must_use]
pub fn expose_headers(own: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    with(&EXPOSE_HEADERS, own)
}

fn with(ours: &[HeaderName], own: impl IntoIterator<Item = HeaderName>) -> Vec<HeaderName> {
    let mut all = ours.to_vec();
    for name in own {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
