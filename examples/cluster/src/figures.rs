//! What became of requests, in figures.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use crate::load::{Event, Kind, Outcome};

/// Requests of a stretch of time.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    counts: BTreeMap<(Kind, Outcome), u64>,
    /// How long responses to valid requests took.
    times: Vec<Duration>,
}

impl Figures {
    /// Counts these events.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut figures = Self::default();
        for event in events {
            *figures.counts.entry((event.kind, event.outcome)).or_default() += 1;
            if event.kind == Kind::Valid && event.outcome != Outcome::NoAnswer {
                figures.times.push(event.took);
            }
        }
        figures.times.sort_unstable();
        figures
    }

    /// Adds the counts of others.
    pub fn add(&mut self, others: &Self) {
        for (row, count) in &others.counts {
            *self.counts.entry(*row).or_default() += count;
        }
    }

    fn count(&self, which: impl Fn(Kind, Outcome) -> bool) -> u64 {
        self.counts.iter().filter(|((kind, outcome), _)| which(*kind, *outcome)).map(|(_, count)| count).sum()
    }

    /// Valid requests that were accepted.
    pub fn accepted(&self) -> u64 {
        self.count(|kind, outcome| kind == Kind::Valid && outcome == Outcome::Accepted)
    }

    /// Valid requests that were not.
    pub fn refused(&self) -> u64 {
        self.count(|kind, outcome| kind == Kind::Valid && outcome != Outcome::Accepted)
    }

    /// Valid requests that were rejected with something else than 503. The fault is the server's: this must not be.
    pub fn wrongly_rejected(&self) -> u64 {
        self.count(|kind, outcome| {
            kind == Kind::Valid && matches!(outcome, Outcome::Rejected(status, _) if status != 503)
        })
    }

    /// Attacks that got a response.
    pub fn attacks(&self) -> u64 {
        self.count(|kind, outcome| kind != Kind::Valid && outcome != Outcome::NoAnswer)
    }

    /// Attacks that were accepted: this must not be.
    pub fn attacks_accepted(&self) -> u64 {
        self.count(|kind, outcome| kind != Kind::Valid && outcome == Outcome::Accepted)
    }

    /// How long the response to a valid request took, at this quantile.
    pub fn time(&self, quantile: f64) -> Duration {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = (self.times.len().saturating_sub(1) as f64 * quantile) as usize;
        self.times.get(at).copied().unwrap_or_default()
    }

    /// A line for each kind of request and outcome.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for kind in Kind::ALL {
            for ((_, outcome), count) in self.counts.iter().filter(|((of, _), _)| *of == kind) {
                let is_wrong = kind != Kind::Valid && *outcome == Outcome::Accepted;
                let mark = if is_wrong { "  <- NOT AS EXPECTED" } else { "" };
                let outcome = match outcome {
                    Outcome::Accepted => "200".to_owned(),
                    Outcome::Rejected(status, code) => format!("{status} {code}"),
                    Outcome::NoAnswer => "no answer".to_owned(),
                };
                let _ = writeln!(table, "  {:28}{outcome:36}{count:>9}{mark}", kind.name());
            }
        }
        table
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table())?;
        writeln!(f, "valid requests: {} accepted, {} refused", self.accepted(), self.refused())?;
        let accepted = self.attacks_accepted();
        write!(f, "attacks: {} rejected, {accepted} accepted", self.attacks() - accepted)
    }
}

/// When the last valid request was sent that was not accepted, after this time: how long recovery took.
pub fn recovery(events: &[Event], healed: Instant) -> Duration {
    let refused = |event: &&Event| event.kind == Kind::Valid && event.outcome != Outcome::Accepted;
    let last = events.iter().filter(refused).map(|event| event.at).max();
    last.map_or(Duration::ZERO, |last| last.saturating_duration_since(healed))
}
