//! `cargo bench --bench report`: what PopLayer costs, as ratios measured in one run, each beside its target.
//!
//! Rows of time are medians over rounds in which both sides of the ratio are interleaved; beside them stands the spread of the
//! rounds, from the first to the last tenth. Rows of instructions are counted
//! by callgrind. A row whose tool is missing says so and counts as short. Words after `--` select the rows whose names
//! hold one of them; `-- --machine-independent` selects those that come out alike on every machine.
#![allow(missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::cast_precision_loss)]

mod allocations;
mod build;
mod growth;
mod http_load;
mod instructions;
mod replay;
mod signed;
mod stampede;
#[path = "../support/mod.rs"]
mod support;
mod time;

use std::process::ExitCode;

/// How a measured value is judged.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Only reported.
    None,
}

/// The rows, as they are measured.
struct Report {
    /// Whether this is a bench run; otherwise everything is small and no target counts.
    full: bool,
    machine_independent: bool,
    words: Vec<String>,
    short: usize,
}

impl Report {
    /// Whether a row is wanted.
    fn wants(&self, name: &str, machine_independent: bool) -> bool {
        let selected = self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()));
        selected && (machine_independent || !self.machine_independent)
    }

    /// A row whose value is the median of several rounds. The middle eight tenths of them stand beside it.
    fn rounds(&mut self, name: &str, rounds: &[f64], target: Target) {
        let at = |tenths: usize| quantile(rounds, tenths);
        let spread = format!("{:.3}..{:.3}", at(1), at(9));
        self.write(name, at(5), target, &spread);
    }

    fn row(&mut self, name: &str, measured: f64, target: Target) {
        self.write(name, measured, target, "");
    }

    fn write(&mut self, name: &str, measured: f64, target: Target, spread: &str) {
        let (target, met) = match target {
            Target::AtMost(most) => (format!("<= {most}"), measured <= most),
            Target::AtLeast(least) => (format!(">= {least}"), measured >= least),
            Target::None => ("-".to_owned(), true),
        };
        self.short += usize::from(!met && self.full);
        let verdict = if met { "ok" } else { "short" };
        println!("{name:<66} {measured:>10.3} {target:>9} {spread:>15}  {verdict}");
    }

    /// A row that cannot be measured here.
    fn missing(&mut self, name: &str, what: &str) {
        self.short += usize::from(self.full);
        println!("{name:<66} {:>10} {:>9} {:>15}  short: {what}", "-", "-", "");
    }

    /// Small numbers where this is no bench run.
    const fn size(&self, full: usize, quick: usize) -> usize {
        if self.full { full } else { quick }
    }
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().map(String::as_str) == Some("--child") {
        child(&args[1..]);
        return ExitCode::SUCCESS;
    }
    let full = args.iter().any(|arg| arg == "--bench");
    let machine_independent = args.iter().any(|arg| arg == "--machine-independent");
    args.retain(|arg| !arg.starts_with("--"));
    let mut report = Report { full, machine_independent, words: args, short: 0 };
    println!("{:<66} {:>10} {:>9} {:>15}", "name", "measured", "target", "spread");
    time::rows(&mut report);
    signed::rows(&mut report);
    instructions::rows(&mut report);
    allocations::rows(&mut report);
    replay::rows(&mut report);
    stampede::rows(&mut report);
    growth::rows(&mut report);
    http_load::rows(&mut report);
    build::rows(&mut report);
    if report.short > 0 {
        println!("\n{} rows are short", report.short);
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// This program again, for what needs a process of its own.
fn child(args: &[String]) {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse().ok()).unwrap_or(0);
    match args.first().map(String::as_str) {
        Some("instructions") => instructions::child(args.get(1).map_or("", String::as_str), number(2)),
        Some("replay-instructions") => replay::instructions_child(number(1), number(2)),
        Some("replay-memory") => replay::memory_child(number(1), number(2)),
        Some("replay-threads") => replay::threads_child(number(1), number(2)),
        Some("bare-server") => http_load::bare_server(),
        other => panic!("unknown child {other:?}"),
    }
}

/// The median.
fn median(values: &[f64]) -> f64 {
    quantile(values, 5)
}

fn quantile(values: &[f64], tenths: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get((values.len() * tenths / 10).min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}
