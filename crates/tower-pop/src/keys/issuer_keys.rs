//! The keys of an issuer, wherever they come from.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::JwkSet;

use super::remote::{KeyLookup, Refresh, RemoteKeys};
use super::snapshot::KeySnapshot;
use crate::clock::Moment;

/// Where the keys of an issuer come from.
#[derive(Clone)]
pub(crate) enum IssuerKeys {
    /// From the configuration.
    Static(Arc<KeySnapshot>),
    /// From the issuer's `jwks_uri`.
    Remote(Arc<RemoteKeys>),
}

impl IssuerKeys {
    pub(crate) fn fixed(keys: JwkSet) -> Self {
        Self::Static(Arc::new(KeySnapshot { keys, generation: 0 }))
    }

    /// Returns the keys for a token. `refreshed` says that they were fetched for this token: it then causes no other fetch
    /// for its `kid`.
    pub(crate) fn lookup(&self, kid: Option<&str>, refreshed: bool) -> KeyLookup {
        match self {
            Self::Static(snapshot) => KeyLookup::Ready(Arc::clone(snapshot)),
            Self::Remote(keys) => keys.lookup(kid, refreshed),
        }
    }

    /// Returns whether there are keys, after a fetch if there were none and one is due.
    pub(crate) async fn load(&self) -> bool {
        match self.lookup(None, false) {
            KeyLookup::Ready(_) => true,
            KeyLookup::Fetch(refresh) => {
                refresh.run().await.is_ok() && matches!(self.lookup(None, true), KeyLookup::Ready(_))
            }
            KeyLookup::Failed(_) => false,
        }
    }

    /// Returns a refresh for a signature that does not verify with the keys of this snapshot, if one is due.
    pub(crate) fn refresh_after_failure(&self, snapshot: &KeySnapshot) -> Option<Refresh> {
        match self {
            Self::Static(_) => None,
            Self::Remote(keys) => keys.refresh_after_failure(snapshot),
        }
    }

    /// Returns whether tokens that were verified with this generation still count as verified.
    pub(crate) fn is_current(&self, generation: u64, now: Moment) -> bool {
        match self {
            Self::Static(_) => true,
            Self::Remote(keys) => keys.is_current(generation, now),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static(_) => "static keys",
            Self::Remote(_) => "remote keys",
        })
    }
}
