//! Which tokens, and which clients' keys and certificates, the authorization server called active a moment ago.

use std::time::Duration;

use moka::sync::Cache;
use pop_core::claims::AccessToken;
use pop_core::proof::dpop::AccessTokenHash;

/// How long a token or a key is remembered after the last active answer.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Tokens, and as many keys, that are remembered.
const CAPACITY: u64 = 100_000;

/// What the client of a request has proven to hold, by its thumbprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Prover {
    /// The key of a DPoP proof.
    Key([u8; 32]),
    /// The certificate of the connection.
    Certificate([u8; 32]),
}

/// What is known of a token before the server is asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The token was active a moment ago.
    Token,
    /// The token is new; the key or certificate that proves it belonged to an active token a moment ago.
    Prover(Prover),
    /// Nothing is known.
    Unknown,
}

/// The memory behind [`Standing`]. Only answers of the authorization server write to it.
pub(super) struct Standings {
    tokens: Cache<AccessTokenHash, ()>,
    provers: Cache<Prover, ()>,
}

impl Standings {
    pub(super) fn new() -> Self {
        Self {
            tokens: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED_FOR).build(),
            provers: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED_FOR).build(),
        }
    }

    pub(super) fn of(&self, hash: &AccessTokenHash, prover: Option<Prover>) -> Standing {
        if self.tokens.contains_key(hash) {
            return Standing::Token;
        }
        match prover {
            Some(prover) if self.provers.contains_key(&prover) => Standing::Prover(prover),
            _ => Standing::Unknown,
        }
    }

    pub(super) fn active(&self, hash: AccessTokenHash, token: &AccessToken) {
        self.tokens.insert(hash, ());
        if let Some(confirmation) = token.confirmation() {
            let key = confirmation.jkt.map(|jkt| Prover::Key(*jkt.as_bytes()));
            let certificate = confirmation.x5t.map(|x5t| Prover::Certificate(*x5t.as_bytes()));
            for prover in [key, certificate].into_iter().flatten() {
                self.provers.insert(prover, ());
            }
        }
    }

    /// Takes the standing of a token that is not active, and of the prover that vouched for a new one: a client that makes up
    /// tokens loses its place after the first.
    pub(super) fn inactive(&self, hash: &AccessTokenHash, standing: Standing) {
        self.tokens.invalidate(hash);
        if let Standing::Prover(prover) = standing {
            self.provers.invalidate(&prover);
        }
    }
}
