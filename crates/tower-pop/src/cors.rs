//! Header lists for a CORS layer, so that browsers can send proofs and read challenges and nonces (RFC 9449 §7.1, §8).
//! Put the CORS layer outside of [`PopLayer`](crate::PopLayer): it must see preflights, which carry no credentials, and
//! must add its headers to our refusals too.

use http::HeaderName;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use crate::rejection::DPOP_NONCE;

/// `Access-Control-Allow-Headers`: `Authorization` and `DPoP`.
pub const ALLOW_HEADERS: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("dpop")];

/// `Access-Control-Expose-Headers`: `WWW-Authenticate` and `DPoP-Nonce`.
pub const EXPOSE_HEADERS: [HeaderName; 2] = [WWW_AUTHENTICATE, DPOP_NONCE];
