//! Random identifiers: `jti`, `state`, PKCE verifiers.

use pop_core::jose::{KeyError, encode};

/// Returns 128 random bits as base64url.
pub(crate) fn random_id() -> Result<String, KeyError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| KeyError)?;
    Ok(encode(bytes))
}
