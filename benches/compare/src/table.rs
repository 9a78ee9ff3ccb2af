//! The rows.

use std::process::ExitCode;

use crate::contender::Entry;

/// How a measured value is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Only reported.
    None,
}

pub(crate) struct Table {
    short: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        println!("{:<88} {:>10} {:>9}  ", "name", "measured", "target");
        Self { short: 0 }
    }

    pub(crate) fn row(&mut self, name: &str, measured: f64, target: Target) {
        self.noted_row(name, measured, target, "");
    }

    fn noted_row(&mut self, name: &str, measured: f64, target: Target, note: &str) {
        let (target, met) = match target {
            Target::AtMost(most) => (format!("<= {most}"), measured <= most),
            Target::AtLeast(least) => (format!(">= {least}"), measured >= least),
            Target::None => ("-".to_owned(), true),
        };
        self.short += usize::from(!met);
        let verdict = if met { "ok" } else { "short" };
        println!("{name:<88} {measured:>10.3} {target:>9}  {verdict}{note}");
    }

    /// A row that cannot be measured.
    pub(crate) fn missing(&mut self, name: &str, why: &str) {
        self.short += 1;
        println!("{name:<88} {:>10} {:>9}  short: not measured: {why}", "-", "-");
    }

    /// Microseconds per request.
    pub(crate) fn time(&mut self, entry: &Entry<'_>) {
        let (kind, token) = (entry.kind.name(), entry.scene.algorithm.name());
        let name = format!("us/request: {}, {kind}, {token} token, {}", entry.name, entry.call.name());
        let note = match entry.lacks.as_slice() {
            [] => String::new(),
            lacks => format!(", but accepts {}", lacks.join(", and ")),
        };
        self.noted_row(&name, median(entry.seconds.clone()) * 1e6, Target::None, &note);
    }

    /// A row with a target, over the contender of this name.
    pub(crate) fn target(&mut self, name: &str, measured: Option<(f64, &str)>, target: Target) {
        match measured {
            Some((ratio, over)) => self.noted_row(name, ratio, target, &format!(" ({over})")),
            None => self.missing(name, "no contender"),
        }
    }

    pub(crate) fn verdict(&self) -> ExitCode {
        if self.short == 0 {
            return ExitCode::SUCCESS;
        }
        println!("\n{} rows are short", self.short);
        ExitCode::FAILURE
    }
}

/// The median over the rounds of one contender's time over another's.
pub(crate) fn ratio(over: &Entry<'_>, under: &Entry<'_>) -> f64 {
    median(over.seconds.iter().zip(&under.seconds).map(|(over, under)| over / under).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
