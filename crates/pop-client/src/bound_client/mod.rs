//! Calls of protected resources: `client.get(url).send()` signs each request with what its token needs, keeps the newest
//! nonce, responds to one nonce challenge, and follows redirects within the origin only.

mod attempt;
mod call;
mod client;
mod redirect;
mod request_builder;

pub use self::client::BoundClient;
pub use self::request_builder::RequestBuilder;
