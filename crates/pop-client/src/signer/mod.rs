//! What signs requests for one token, whatever sends them: the token, its key, the newest nonces and the clocks of
//! servers.

mod repetition;
mod response;
mod signing;

use http::HeaderName;

pub(crate) use self::repetition::{Answer, Repetitions};
pub(crate) use self::signing::Unsigned;
use crate::bound_token::BoundToken;
use crate::clock::ServerClock;
use crate::nonce::NonceMemory;

/// The token and what a proof needs. Clones share the nonces and the clocks.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) token: BoundToken,
    /// Whether a message signature is added to DPoP proofs.
    pub(crate) adds_signature: bool,
    pub(crate) nonces: NonceMemory,
    pub(crate) server_clock: Option<ServerClock>,
}

impl Signer {
    pub(crate) const fn new(token: BoundToken, nonces: NonceMemory) -> Self {
        Self { token, adds_signature: false, nonces, server_clock: None }
    }
}

/// The content of a request, as far as a proof can cover it.
#[derive(Clone, Copy)]
pub(crate) enum Content<'b> {
    None,
    Bytes(&'b [u8]),
    Stream,
}

/// What a proof covers beside the method, the URL and the token.
#[derive(Clone, Copy)]
pub(crate) struct Covered<'c> {
    pub(crate) content: Content<'c>,
    pub(crate) fields: &'c [HeaderName],
}

impl Covered<'_> {
    pub(crate) const NOTHING: Self = Self { content: Content::None, fields: &[] };
}
