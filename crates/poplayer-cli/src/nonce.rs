//! What a response says about nonces.

use http::{HeaderMap, StatusCode};
use pop_client::reqwest::Url;
use pop_client::{Challenge, NonceMemory, Role};

use crate::http_client::origin;
use crate::token::Binding;

/// Returns the nonce of a response, if it has one that can be used.
pub(crate) fn nonce_of(binding: Binding, url: &Url, headers: &HeaderMap) -> Option<String> {
    let (nonces, origin) = (NonceMemory::default(), origin(url)?);
    let learned = match binding {
        Binding::Pop | Binding::PopThumbprint => nonces.learn_for_envelopes(&origin, headers),
        _ => nonces.learn(Role::ResourceServer, &origin, headers),
    };
    if learned == Ok(true) { nonces.newest(Role::ResourceServer, &origin) } else { None }
}

/// Returns whether a response asks for a nonce: by an error (RFC 9449 §9), or by a nonce in the challenge of `PoP`.
pub(crate) fn asks_for_nonce(binding: Binding, status: StatusCode, headers: &HeaderMap) -> bool {
    let asks = |challenge: &Challenge| match binding {
        Binding::Pop | Binding::PopThumbprint => {
            challenge.is("PoP")
                && challenge.parameter("nonce").is_some()
                && !matches!(challenge.error(), Some("invalid_token" | "insufficient_scope"))
        }
        _ => challenge.is("DPoP") && challenge.error() == Some("use_dpop_nonce"),
    };
    status == StatusCode::UNAUTHORIZED && Challenge::from_headers(headers).iter().any(asks)
}
