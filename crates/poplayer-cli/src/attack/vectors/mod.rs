//! The requests of an attack, in order: a thing that a server must check, in good and in bad requests.

mod certificate;
mod dpop;

pub(super) use self::certificate::CERTIFICATE;
pub(super) use self::dpop::DPOP;
use super::requests::{Attempt, Requests};
use crate::failure::Failure;

/// What a server must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    Accept,
    Reject,
}

/// When a request makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// If the server wants nonces. The request is about them.
    Nonces,
}

/// One request, or several of which the last one counts. The ones before it must be accepted.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) reference: &'static str,
    pub(super) must: Must,
    pub(super) when: When,
    /// `None` if the token is not of the kind that the request needs.
    pub(super) attempts: fn(&Requests) -> Result<Option<Vec<Attempt>>, Failure>,
}

macro_rules! vectors {
    ($($must:ident $when:ident $name:literal: $what:literal, $reference:literal, $attempts:expr;)*) => {
        &[$(Vector {
            name: $name, what: $what, reference: $reference, must: Must::$must, when: When::$when, attempts: $attempts,
        }),*]
    };
}

use vectors;

fn one(attempt: Result<Attempt, Failure>) -> Result<Option<Vec<Attempt>>, Failure> {
    Ok(Some(vec![attempt?]))
}
