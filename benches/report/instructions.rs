//! Instructions, counted by callgrind: the same on every machine of one architecture, whatever else it is doing.

use std::process::Command;

use crate::support::{Bare, Bench};
use crate::{Report, Target};

/// Operations that one count is over.
const COUNT: usize = 20;

pub(crate) fn rows(report: &mut Report) {
    let rows = [
        ("instructions: warm request / verification", "warm", 1.0, 1.12),
        ("instructions: with nonce / verification", "nonce", 1.0, 1.15),
        ("instructions: cold token / two verifications", "cold", 2.0, 1.10),
    ];
    if !report.full || !rows.iter().any(|(name, ..)| report.wants(name, true)) {
        return;
    }
    let bare = counted(&["instructions", "bare", &COUNT.to_string()]);
    for (name, scenario, over, target) in rows {
        if !report.wants(name, true) {
            continue;
        }
        match (&bare, counted(&["instructions", scenario, &COUNT.to_string()])) {
            (Ok(bare), Ok(ours)) => report.row(name, ours / (bare * over), Target::AtMost(target)),
            (Err(why), _) => report.missing(name, why),
            (_, Err(why)) => report.missing(name, &why),
        }
    }
}

/// Instructions within [`measured`] of a child.
pub(crate) fn counted(args: &[&str]) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*measured_section*")
        .arg(program)
        .arg("--child")
        .args(args)
        .output()
        .map_err(|_| "valgrind is not installed".to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind failed: {text}"))
}

/// What callgrind counts.
#[inline(never)]
pub(crate) fn measured_section(run: &mut dyn FnMut()) {
    run();
    std::hint::black_box(());
}

pub(crate) fn child(scenario: &str, count: usize) {
    if scenario == "bare" {
        let bare = Bare::new();
        bare.verify();
        measured_section(&mut || (0..count).for_each(|_| bare.verify()));
        return;
    }
    let bench = Bench::new(scenario == "nonce");
    let token = bench.token();
    bench.warm(&token);
    let make = || if scenario == "cold" { bench.request(&bench.token()) } else { bench.request(&token) };
    let mut requests: Vec<_> = (0..count).map(|_| make()).collect();
    let mut responses = Vec::with_capacity(count);
    measured_section(&mut || responses.extend(requests.drain(..).map(|request| bench.send(request))));
    assert!(responses.iter().all(|response| response.status() == 200));
}
