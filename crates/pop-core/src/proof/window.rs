//! The window of time in which a proof is accepted. It is the same rule for every kind, whatever the claim is called.

use std::time::Duration;

use crate::{DpopError, SignatureError, SignedRequestError};

/// The year 2286 in seconds, or 26 April 1970 in milliseconds: a larger time cannot mean seconds.
const MILLISECONDS_FROM: u64 = 10_000_000_000;

/// Why a time is not within the window.
pub(super) enum OutsideWindow {
    TooOld { age: u64 },
    InFuture { ahead: u64 },
    Milliseconds,
}

/// Checks that a proof of this time is recent: at most `max_age` old, and at most `clock_skew` in the future. Times are in seconds
/// since the epoch.
pub(super) fn check(time: u64, now: u64, max_age: Duration, clock_skew: Duration) -> Result<(), OutsideWindow> {
    let (age, ahead) = (now.saturating_sub(time), time.saturating_sub(now));
    if age > max_age.as_secs() {
        return Err(OutsideWindow::TooOld { age });
    }
    if ahead > clock_skew.as_secs() {
        return Err(match time {
            MILLISECONDS_FROM.. => OutsideWindow::Milliseconds,
            _ => OutsideWindow::InFuture { ahead },
        });
    }
    Ok(())
}

macro_rules! from_outside_window {
    ($($error:ident),*) => {
        $(impl From<OutsideWindow> for $error {
            fn from(outside: OutsideWindow) -> Self {
                match outside {
                    OutsideWindow::TooOld { age } => Self::TooOld { age },
                    OutsideWindow::InFuture { ahead } => Self::InFuture { ahead },
                    OutsideWindow::Milliseconds => Self::Milliseconds,
                }
            }
        })*
    };
}

from_outside_window!(DpopError, SignatureError, SignedRequestError);
