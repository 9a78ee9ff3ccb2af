//! Two lanes to the introspection endpoint: one for tokens and keys that were active a moment ago, one for all others. Each has
//! permits, waiting places and a circuit breaker of its own. Made-up tokens fill the second lane only.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::Shared;
use pop_core::Error;
use pop_core::claims::AccessToken;
use pop_core::proof::dpop::AccessTokenHash;
use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::standing::{Prover, Standing};
use crate::clock::Clock;

/// For each request that may be open, this many tokens may wait.
const WAITING: usize = 4;
/// New tokens of one key or certificate that may be open in the lane of known clients.
const NEW_TOKENS_OF_A_PROVER: usize = 2;

pub(super) type Answer = Result<Arc<AccessToken>, Error>;
pub(super) type Pending = Shared<Pin<Box<dyn Future<Output = Answer> + Send>>>;

/// Which lane a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneKind {
    Known,
    Unknown,
}

/// One lane.
pub(super) struct Lane {
    pub(super) breaker: Breaker,
    pub(super) permits: Semaphore,
}

/// Both lanes.
pub(super) struct Lanes {
    known: Lane,
    unknown: Lane,
}

impl Lanes {
    /// Each lane has this many permits.
    pub(super) fn new(permits: usize, clock: &Arc<dyn Clock>) -> Self {
        let lane = || Lane { breaker: Breaker::new(Arc::clone(clock)), permits: Semaphore::new(permits) };
        Self { known: lane(), unknown: lane() }
    }

    pub(super) const fn get(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Known => &self.known,
            LaneKind::Unknown => &self.unknown,
        }
    }

    /// The server called a token active: it is there, for both lanes.
    pub(super) fn server_is_there(&self) {
        self.known.breaker.close();
        self.unknown.breaker.close();
    }
}

/// The introspection requests that are open or wait.
#[derive(Default)]
pub(super) struct OpenRequests {
    requests: HashMap<AccessTokenHash, OpenRequest>,
    known: usize,
    unknown: usize,
    provers: HashMap<Prover, usize>,
}

struct OpenRequest {
    pending: Pending,
    lane: LaneKind,
    prover: Option<Prover>,
}

impl OpenRequests {
    /// The request about this token that is under way.
    pub(super) fn get(&self, hash: &AccessTokenHash) -> Option<Pending> {
        let request = self.requests.get(hash).filter(|request| request.pending.peek().is_none())?;
        Some(request.pending.clone())
    }

    /// The lane for a token of this standing. One client cannot fill the lane of known clients with tokens that it makes up.
    pub(super) fn lane(&self, standing: Standing) -> LaneKind {
        match standing {
            Standing::Token => LaneKind::Known,
            Standing::Unknown => LaneKind::Unknown,
            Standing::Prover(prover) => {
                let open = self.provers.get(&prover).copied().unwrap_or_default();
                if open < NEW_TOKENS_OF_A_PROVER { LaneKind::Known } else { LaneKind::Unknown }
            }
        }
    }

    /// Whether every place of a lane with this many permits is taken.
    pub(super) const fn is_full(&self, lane: LaneKind, permits: usize) -> bool {
        let taken = match lane {
            LaneKind::Known => self.known,
            LaneKind::Unknown => self.unknown,
        };
        taken >= permits.saturating_mul(1 + WAITING)
    }

    pub(super) fn insert(&mut self, hash: AccessTokenHash, pending: Pending, lane: LaneKind, standing: Standing) {
        self.remove(&hash);
        *self.taken(lane) += 1;
        let prover = match standing {
            Standing::Prover(prover) if lane == LaneKind::Known => Some(prover),
            _ => None,
        };
        if let Some(prover) = prover {
            *self.provers.entry(prover).or_default() += 1;
        }
        self.requests.insert(hash, OpenRequest { pending, lane, prover });
    }

    pub(super) fn remove(&mut self, hash: &AccessTokenHash) {
        let Some(request) = self.requests.remove(hash) else {
            return;
        };
        *self.taken(request.lane) -= 1;
        if let Some(prover) = request.prover
            && let Some(open) = self.provers.get_mut(&prover)
        {
            *open -= 1;
            if *open == 0 {
                self.provers.remove(&prover);
            }
        }
    }

    const fn taken(&mut self, lane: LaneKind) -> &mut usize {
        match lane {
            LaneKind::Known => &mut self.known,
            LaneKind::Unknown => &mut self.unknown,
        }
    }
}
