//! Two lanes to the introspection endpoint: one for tokens and keys that were active a moment ago, one for all others. Each has
//! permits, waiting places and a circuit breaker of its own. Made-up tokens fill the second lane only.
//!
//! New tokens of known keys may be made up, too. They get at most half of the first lane, and what becomes of them is counted
//! in the second one's circuit.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::Shared;
use pop_core::Error;
use pop_core::claims::AccessToken;
use pop_core::proof::dpop::AccessTokenHash;
use tokio::sync::Semaphore;

use super::breaker::{Attempt, Breaker};
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

impl Standing {
    pub(super) const fn lane(self) -> LaneKind {
        match self {
            Self::Token | Self::Prover(_) => LaneKind::Known,
            Self::Unknown => LaneKind::Unknown,
        }
    }
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

    /// Whether a token of this standing is not asked about now.
    pub(super) fn are_closed_to(&self, standing: Standing) -> bool {
        self.get(standing.lane()).breaker.is_open()
    }

    /// Lets a request through, or not. Only a token that was active before can open or probe the circuit of the known lane.
    pub(super) fn attempt(&self, standing: Standing) -> Option<Attempt<'_>> {
        match standing {
            Standing::Token => self.known.breaker.attempt(),
            Standing::Prover(_) => (!self.known.breaker.is_open()).then(|| self.unknown.breaker.observe()),
            Standing::Unknown => self.unknown.breaker.attempt(),
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
    /// Of the known ones, those whose token is new.
    new_tokens: usize,
}

struct OpenRequest {
    pending: Pending,
    standing: Standing,
}

impl OpenRequests {
    /// The request about this token that is under way.
    pub(super) fn get(&self, hash: &AccessTokenHash) -> Option<Pending> {
        let request = self.requests.get(hash).filter(|request| request.pending.peek().is_none())?;
        Some(request.pending.clone())
    }

    /// What a standing is worth now: a new token of a known key that finds no place as such is asked about as any other. So no
    /// number of clients can fill the lane of known ones with tokens that they make up.
    pub(super) fn standing(&self, standing: Standing, permits: usize) -> Standing {
        let Standing::Prover(prover) = standing else {
            return standing;
        };
        let open = self.provers.get(&prover).copied().unwrap_or_default();
        let fits = open < NEW_TOKENS_OF_A_PROVER && self.new_tokens < (permits / 2).max(1);
        if fits { standing } else { Standing::Unknown }
    }

    /// Whether every place of a lane with this many permits is taken.
    pub(super) const fn is_full(&self, lane: LaneKind, permits: usize) -> bool {
        let taken = match lane {
            LaneKind::Known => self.known,
            LaneKind::Unknown => self.unknown,
        };
        taken >= permits.saturating_mul(1 + WAITING)
    }

    pub(super) fn insert(&mut self, hash: AccessTokenHash, pending: Pending, standing: Standing) {
        self.remove(&hash);
        *self.taken(standing.lane()) += 1;
        if let Standing::Prover(prover) = standing {
            *self.provers.entry(prover).or_default() += 1;
            self.new_tokens += 1;
        }
        self.requests.insert(hash, OpenRequest { pending, standing });
    }

    pub(super) fn remove(&mut self, hash: &AccessTokenHash) {
        let Some(request) = self.requests.remove(hash) else {
            return;
        };
        *self.taken(request.standing.lane()) -= 1;
        if let Standing::Prover(prover) = request.standing
            && let Some(open) = self.provers.get_mut(&prover)
        {
            *open -= 1;
            self.new_tokens -= 1;
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
