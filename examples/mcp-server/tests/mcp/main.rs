//! The MCP server behind the layer, and clients that have a proof for each request.
#![allow(clippy::unwrap_used)]

mod client;
mod rejections;
#[path = "../../examples/mcp-client/signed_http.rs"]
mod signed_http;
mod streams;
mod support;
