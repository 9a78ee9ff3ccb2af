//! Proofs of possession: a closed set of kinds, one module for each.
//!
//! | kind | scheme | the key |
//! |---|---|---|
//! | [`DpopProof`] | `DPoP` | in the proof; the token holds its thumbprint |
//! | [`MessageSignature`] | `HTTPSig`; with HMAC: `PoP`; in addition: `DPoP`, `Bearer` | in the token; in addition: that of the DPoP proof, or one that the client registered |
//! | [`SignedRequest`] | `PoP` | in the token, or in the proof with its thumbprint in the token |
//! | a client certificate | any | proven by the TLS handshake |
//!
//! Every kind passes the same steps, in this order: [`Proof::verify`], the [binding](crate::binding), [`Proof::check_freshness`]
//! and [`Proof::replay_entry`]. If the token must be fetched or introspected first, [`Proof::precheck`] comes before that.
//!
//! The set is closed because it is small and critical to security: each step is a `match` without `_`, so that the compiler
//! names every place that a new kind has to fill in.

mod client_keys;
pub mod dpop;
mod evidence;
mod freshness;
mod key;
pub mod message_signature;
mod proofs;
pub mod signed_request;
mod text;
mod verify;
mod window;

use std::sync::Arc;

pub use self::client_keys::{ClientKey, ClientKeys, ClientKeysError, StaticClientKeys};
pub use self::dpop::DpopProof;
pub use self::evidence::{ProofKind, ProofOfPossession};
pub use self::key::{NoProofKeyCache, ProofKey, ProofKeyCache};
pub use self::message_signature::{MessageSignature, SignatureProfile};
pub(crate) use self::proofs::{AllProven, Fresh};
pub use self::proofs::{ProofReader, Proofs};
pub use self::signed_request::{PopCredentials, SignedRequest};

use crate::access_token::AccessTokenHash;
use crate::confirmation::Requirement;
use crate::jose::crypto::VerifyingKey;
use crate::jose::{KeyEncryptionKeys, SharedKey};
use crate::nonce::NonceKeys;
use crate::policy::ProofPolicy;

/// One proof of possession, parsed but not verified.
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // short-lived; a box would cost every DPoP request an allocation
pub enum Proof<'r> {
    /// A DPoP proof (RFC 9449).
    Dpop(DpopProof<'r>),
    /// An HTTP message signature (RFC 9421) by the key of the token.
    MessageSignature(Box<MessageSignature<'r>>),
    /// A signed HTTP request (draft-ietf-oauth-signed-http-request).
    SignedRequest(Box<SignedRequest<'r>>),
}

/// The key that a proof over the request itself is verified with.
#[derive(Debug, Clone, Copy)]
pub enum PopKey<'k> {
    /// A public key, imported for one algorithm.
    Public(&'k VerifyingKey),
    /// A symmetric key, for HMAC with SHA-256.
    Shared(&'k SharedKey),
}

impl PopKey<'_> {
    fn verifies(self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify(message, signature).is_ok(),
            Self::Shared(key) => key.verify(message, signature),
        }
    }
}

/// What a verified proof shows.
#[derive(Debug, Clone, Copy)]
pub struct Proven {
    requirement: Requirement,
}

impl Proven {
    pub(crate) const fn of(requirement: Requirement) -> Self {
        Self { requirement }
    }

    /// Returns the requirement of a confirmation that the proof meets.
    #[must_use]
    pub const fn requirement(&self) -> Requirement {
        self.requirement
    }
}

/// What proofs are checked against, beside the request.
#[derive(Clone, Copy)]
pub struct ProofContext<'c> {
    /// The options for each kind.
    pub policy: &'c ProofPolicy,
    /// The hash of the access token.
    pub token: &'c AccessTokenHash,
    /// The keys of server-provided nonces, if the request must have one. Without them, a nonce in a proof is not compared with them.
    pub nonces: Option<&'c NonceKeys>,
    /// The keys that unwrap symmetric keys of tokens. Without them, tokens with such keys are rejected.
    pub key_encryption_keys: Option<&'c KeyEncryptionKeys>,
    /// The keys that clients registered for signatures in addition to another proof.
    pub client_keys: Option<&'c dyn ClientKeys>,
}

impl Proof<'_> {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> ProofKind {
        match self {
            Self::Dpop(_) => ProofKind::Dpop,
            Self::MessageSignature(proof) => match proof.profile() {
                SignatureProfile::Hmac => ProofKind::Hmac,
                SignatureProfile::HttpSig | SignatureProfile::Request | SignatureProfile::TokenRequest => {
                    ProofKind::HttpSig
                }
            },
            Self::SignedRequest(_) => ProofKind::SignedRequest,
        }
    }

    /// Returns the requirement that the proof meets once it is verified, if it does not depend on the token.
    #[must_use]
    pub fn requirement(&self) -> Option<Requirement> {
        match self {
            Self::Dpop(proof) => Some(Requirement::DpopKey(*proof.thumbprint())),
            Self::SignedRequest(proof) => proof.embedded_key().map(|key| Requirement::SigningKey(*key.thumbprint())),
            Self::MessageSignature(_) => None,
        }
    }

    /// Returns the encoded header and the key of a proof whose key did not come from the cache.
    #[must_use]
    pub fn new_key(&self) -> Option<(&str, &Arc<ProofKey>)> {
        match self {
            Self::Dpop(proof) => proof.new_key(),
            Self::MessageSignature(_) | Self::SignedRequest(_) => None,
        }
    }

    /// Returns whether this is the proof that a verified request had.
    #[must_use]
    pub fn is(&self, verified: &ProofOfPossession) -> bool {
        match self {
            Self::Dpop(proof) => {
                verified.key_thumbprint() == Some(proof.thumbprint()) && verified.jti() == Some(proof.jti())
            }
            // It is verified anew, and the replay store rejects it.
            Self::MessageSignature(_) | Self::SignedRequest(_) => false,
        }
    }
}

impl std::fmt::Debug for ProofContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProofContext").field("policy", &self.policy).finish_non_exhaustive()
    }
}
