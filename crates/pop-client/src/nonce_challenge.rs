//! How servers ask for a nonce. For DPoP proofs (RFC 9449 §8, §9): by a challenge, or only by an OAuth error in the body.
//! For signed requests: by a challenge that has the nonce.

use http::{HeaderMap, StatusCode};

use crate::challenge::Challenge;
use crate::json;

const USE_NONCE: &str = "use_dpop_nonce";

/// Returns whether a response with this status can ask for a nonce. RFC 9449 uses 400 and 401; servers of both roles
/// use either.
pub(crate) fn may_ask_for_nonce(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
}

/// Returns whether a challenge asks for a nonce.
pub(crate) fn challenge_asks_for_nonce(headers: &HeaderMap) -> bool {
    Challenge::has_error(headers, "DPoP", USE_NONCE)
}

/// Returns whether a body is the OAuth error that asks for a nonce.
pub(crate) fn body_asks_for_nonce(body: &[u8]) -> bool {
    json::object(body).is_some_and(|error| error.get("error").is_some_and(|code| code == USE_NONCE))
}

/// Returns whether a response asks for a nonce in signed requests. A challenge for another reason can have a nonce, too.
pub(crate) fn signed_request_asks_for_nonce(status: StatusCode, headers: &HeaderMap) -> bool {
    let asks = |challenge: &Challenge| {
        challenge.is("PoP")
            && challenge.parameter("nonce").is_some()
            && !matches!(challenge.error(), Some("invalid_token" | "insufficient_scope"))
    };
    status == StatusCode::UNAUTHORIZED && Challenge::from_headers(headers).iter().any(asks)
}

/// Returns whether a response asks for a nonce, by a challenge or in its body.
pub(crate) fn asks_for_nonce(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
    may_ask_for_nonce(status) && (challenge_asks_for_nonce(headers) || body_asks_for_nonce(body))
}
