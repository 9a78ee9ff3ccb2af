//! Message signatures on token requests (draft-richer-oauth-httpsig): what a client signs with a key, and the tag
//! `httpsig-oauth-token-request`, asks for a token that is bound to the key.
//!
//! 1. The signature covers the method, the URL, the digest of the body, and `Authorization` if it is present.
//! 2. It is recent, and has a nonce that can be used once.
//! 3. `keyid` names a key that the client registered. Or `alg` and `pub` are the key.
//! 4. Signatures with other tags are ignored.

use pop_core::SignatureError;
use pop_core::jose::JwkThumbprint;
use pop_core::policy::SignaturePolicy;
use pop_core::proof::{MessageSignature, PopKey, SignatureProfile};
use pop_core::replay::ReplayEntry;
use pop_core::request::RequestHead;

use crate::client::Client;
use crate::cnf::Cnf;
use crate::oauth_error::OAuthError;
use crate::signature_keys::SignatureKey;

/// A valid signature that is not recorded yet.
#[derive(Debug)]
pub(super) struct VerifiedSignature {
    pub(super) key: JwkThumbprint,
    /// The key, for the token.
    pub(super) cnf: Cnf,
    pub(super) entry: ReplayEntry,
}

/// Verifies the signature of a token request. Returns `None` if the request has none.
pub(super) fn verify_signature(
    client: &Client,
    head: &RequestHead<'_>,
    body: &[u8],
) -> Result<Option<VerifiedSignature>, OAuthError> {
    let policy = SignaturePolicy::default();
    let signature = match MessageSignature::parse(SignatureProfile::TokenRequest, head, &policy) {
        Ok(signature) => signature,
        Err(SignatureError::Missing) => return Ok(None),
        Err(error) => return Err(OAuthError::invalid_signature(error)),
    };
    let SignatureKey { thumbprint, cnf, .. } =
        verify(client, &signature, head, &policy).map_err(OAuthError::invalid_signature)?;
    if signature.expected_content().is_none_or(|expected| expected.check(body).is_err()) {
        return Err(OAuthError::invalid_request("the body does not have the digest that is signed"));
    }
    let entry = signature.replay_entry(thumbprint.as_bytes(), thumbprint.into(), &policy, head.now());
    Ok(Some(VerifiedSignature { key: thumbprint, cnf, entry }))
}

fn verify(
    client: &Client,
    signature: &MessageSignature<'_>,
    head: &RequestHead<'_>,
    policy: &SignaturePolicy,
) -> Result<SignatureKey, SignatureError> {
    signature.check_time(policy, head.now())?;
    let key = match signature.runtime_key()? {
        Some(key) => SignatureKey::from_request(&key)?,
        None => registered_key(client, signature).ok_or(SignatureError::UnknownKey)?.clone(),
    };
    signature.verify_signature(PopKey::Public(&key.verifying_key), head, policy)?;
    Ok(key)
}

fn registered_key<'c>(client: &'c Client, signature: &MessageSignature<'_>) -> Option<&'c SignatureKey> {
    client.signature_keys.as_ref()?.get(signature.keyid()?)
}
