//! Calls of protected resources with DPoP (RFC 9449 §7): `client.get(url).send()` signs a proof for each request, keeps
//! the newest nonce, responds to one nonce challenge, and follows redirects within the origin only.

mod attempt;
mod call;
mod client;
mod error_response;
mod redirect;
mod request_builder;

pub use self::client::DpopClient;
pub use self::request_builder::RequestBuilder;
