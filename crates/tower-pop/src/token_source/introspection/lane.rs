//! Two lanes to the introspection endpoint: one for tokens and keys that were active a moment ago, one for all others. Each has
//! its own permits, queue and circuit breaker. Made-up tokens fill the second lane only.
//!
//! New tokens of known keys may also be made up. They get at most half of the first lane, and their failures count for the
//! circuit of the second.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::Shared;
use pop_core::Error;
use pop_core::access_token::{AccessToken, AccessTokenHash};
use pop_core::confirmation::Requirement;
use tokio::sync::Semaphore;

use super::breaker::{Attempt, Breaker};
use super::priority::Priority;
use crate::clock::Clock;
use crate::meter;

/// The number of tokens that may wait for each request that may be open.
const WAITING: usize = 4;
/// The number of new tokens of one key or certificate that may be open in the lane of known clients.
const NEW_TOKENS_OF_A_KEY: usize = 2;

/// The result of an introspection, as all requests with the token get it.
pub(super) type IntrospectionResult = Result<Arc<AccessToken>, Error>;
/// An introspection that is open or waiting.
pub(super) type Pending = Shared<Pin<Box<dyn Future<Output = IntrospectionResult> + Send>>>;

/// The lane of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneKind {
    Known,
    Unknown,
}

impl Priority {
    pub(super) const fn lane(self) -> LaneKind {
        match self {
            Self::KnownToken | Self::KnownKey(_) => LaneKind::Known,
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

    /// Returns whether tokens of this priority are not introspected at the moment.
    pub(super) fn are_closed_to(&self, priority: Priority) -> bool {
        self.get(priority.lane()).breaker.is_open()
    }

    /// Returns an attempt if the circuit allows one. Only tokens that were active before can open or probe the circuit of the
    /// lane of known clients.
    pub(super) fn attempt(&self, priority: Priority) -> Option<Attempt<'_>> {
        match priority {
            Priority::KnownToken => self.known.breaker.attempt(),
            Priority::KnownKey(_) => (!self.known.breaker.is_open()).then(|| self.unknown.breaker.observe()),
            Priority::Unknown => self.unknown.breaker.attempt(),
        }
    }

    /// Reports for metrics which circuits have opened and not closed again, also while one waits for a probe.
    pub(super) fn report(&self, issuer: &str) {
        meter::introspection_breaker(issuer, "known", self.known.breaker.has_tripped());
        meter::introspection_breaker(issuer, "unknown", self.unknown.breaker.has_tripped());
    }

    /// Closes both circuits: a token was active, so the server works.
    pub(super) fn server_works(&self) {
        self.known.breaker.close();
        self.unknown.breaker.close();
    }
}

/// The introspection requests that are open or waiting.
#[derive(Default)]
pub(super) struct OpenRequests {
    requests: HashMap<AccessTokenHash, OpenRequest>,
    known: usize,
    unknown: usize,
    keys: HashMap<Requirement, usize>,
    /// The part of `known` whose tokens are new.
    new_tokens: usize,
}

struct OpenRequest {
    pending: Pending,
    priority: Priority,
}

impl OpenRequests {
    /// Returns the pending request for this token.
    pub(super) fn get(&self, hash: &AccessTokenHash) -> Option<Pending> {
        let request = self.requests.get(hash).filter(|request| request.pending.peek().is_none())?;
        Some(request.pending.clone())
    }

    /// Returns the priority that a token gets. A new token of a known key that finds no place in the lane of known clients loses
    /// its priority, so that made-up tokens cannot fill that lane.
    pub(super) fn priority(&self, priority: Priority, permits: usize) -> Priority {
        let Priority::KnownKey(key) = priority else {
            return priority;
        };
        let open = self.keys.get(&key).copied().unwrap_or_default();
        let fits = open < NEW_TOKENS_OF_A_KEY && self.new_tokens < (permits / 2).max(1);
        if fits { priority } else { Priority::Unknown }
    }

    /// Returns whether every place of a lane with this many permits is taken.
    pub(super) const fn is_full(&self, lane: LaneKind, permits: usize) -> bool {
        let taken = match lane {
            LaneKind::Known => self.known,
            LaneKind::Unknown => self.unknown,
        };
        taken >= permits.saturating_mul(1 + WAITING)
    }

    pub(super) fn insert(&mut self, hash: AccessTokenHash, pending: Pending, priority: Priority) {
        self.remove(&hash);
        *self.taken(priority.lane()) += 1;
        if let Priority::KnownKey(key) = priority {
            *self.keys.entry(key).or_default() += 1;
            self.new_tokens += 1;
        }
        self.requests.insert(hash, OpenRequest { pending, priority });
    }

    pub(super) fn remove(&mut self, hash: &AccessTokenHash) {
        let Some(request) = self.requests.remove(hash) else {
            return;
        };
        *self.taken(request.priority.lane()) -= 1;
        if let Priority::KnownKey(key) = request.priority
            && let Some(open) = self.keys.get_mut(&key)
        {
            *open -= 1;
            self.new_tokens -= 1;
            if *open == 0 {
                self.keys.remove(&key);
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
