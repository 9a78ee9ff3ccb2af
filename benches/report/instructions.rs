//! Instructions, counted by callgrind: the same on every machine of one architecture, whatever else it is doing.

use std::collections::HashMap;
use std::process::Command;

use pop_authserver::Algorithm;

use crate::support::signed::{Kind, Signed};
use crate::support::{Bare, Bench};
use crate::time::{Make, Send};
use crate::{Report, Target};

/// Operations that one count is over. The numbers in signatures are random, and so is the length of their inversion.
const COUNT: usize = 100;

/// Rows: their names, what is sent, what it is over and how many of them, and the target.
const ROWS: [(&str, &str, &str, f64, f64); 7] = [
    ("instructions: warm request / verification", "warm", "bare", 1.0, 1.05),
    ("instructions: with nonce / verification", "nonce", "bare", 1.0, 1.07),
    ("instructions: cold token / two verifications", "cold", "bare", 2.0, 1.05),
    ("instructions: message signature, Ed25519 / verification", "httpsig-ed25519", "bare-httpsig-ed25519", 1.0, 1.15),
    ("instructions: message signature, ES256 / verification", "httpsig-es256", "bare-httpsig-es256", 1.0, 1.15),
    ("instructions: envelope (m, u, p), ES256 / verification", "envelope", "bare-envelope", 1.0, 1.15),
    ("instructions: warm HMAC request / verification", "hmac", "bare", 1.0, 0.20),
];

pub(crate) fn rows(report: &mut Report) {
    let mut counts: HashMap<&str, Result<f64, String>> = HashMap::new();
    for (name, scenario, over, times, target) in ROWS {
        if !report.full || !report.wants(name, true) {
            continue;
        }
        let mut count = |scenario: &'static str| {
            let args = ["instructions", scenario, &COUNT.to_string()];
            counts.entry(scenario).or_insert_with(|| counted(&args)).clone()
        };
        match (count(over), count(scenario)) {
            (Ok(bare), Ok(ours)) => report.row(name, ours / (bare * times), Target::AtMost(target)),
            (Err(why), _) | (_, Err(why)) => report.missing(name, &why),
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
    collected(&text).filter(|_| output.status.success()).ok_or_else(|| format!("valgrind failed: {text}"))
}

/// The count in what callgrind prints at the end.
pub(crate) fn collected(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok())
}

/// What callgrind counts.
#[inline(never)]
pub(crate) fn measured_section(run: &mut dyn FnMut()) {
    run();
    std::hint::black_box(());
}

pub(crate) fn child(scenario: &str, count: usize) {
    match scenario {
        "bare" => verifications(&Bare::new(), count),
        "warm" | "nonce" | "cold" => {
            let bench = Bench::new(scenario == "nonce");
            let token = bench.token();
            bench.warm(&token);
            let make = || if scenario == "cold" { bench.request(&bench.token()) } else { bench.request(&token) };
            requests(count, &make, &|request| bench.send(request));
        }
        _ => signed(scenario, count),
    }
}

/// A proof over the request itself, or bare verifications of messages as long as those that it signs.
fn signed(scenario: &str, count: usize) {
    let (kind, algorithm) = match scenario.strip_prefix("bare-").unwrap_or(scenario) {
        "httpsig-ed25519" => (Kind::HttpSig(Algorithm::Ed25519), Algorithm::Ed25519),
        "httpsig-es256" => (Kind::HttpSig(Algorithm::ES256), Algorithm::ES256),
        "envelope" => (Kind::Envelope(Algorithm::ES256), Algorithm::ES256),
        "hmac" => (Kind::Hmac, Algorithm::ES256),
        other => panic!("unknown scenario {other:?}"),
    };
    let signed = Signed::new(kind);
    let token = signed.token();
    if scenario.starts_with("bare-") {
        verifications(&Bare::of(algorithm, signed.message(&token).len()), count);
    } else {
        signed.warm(&token);
        requests(count, &|| signed.request(&token), &|request| signed.send(request));
    }
}

fn verifications(bare: &Bare, count: usize) {
    bare.verify();
    measured_section(&mut || (0..count).for_each(|_| bare.verify()));
}

fn requests<B>(count: usize, make: Make<'_, B>, send: Send<'_, B>) {
    let mut requests: Vec<_> = (0..count).map(|_| make()).collect();
    let mut responses = Vec::with_capacity(count);
    measured_section(&mut || responses.extend(requests.drain(..).map(send)));
    assert!(responses.iter().all(|response| response.status() == 200));
}
