//! What the product costs to compile.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use crate::{Report, Target};

pub(crate) fn rows(report: &mut Report) {
    let (crates_name, seconds_name) = ("build: crates of tower-pop, default features", "build: seconds from nothing");
    if !report.full || (!report.wants(crates_name, false) && !report.wants(seconds_name, false)) {
        return;
    }
    let cargo = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
        command
    };
    let tree = cargo(&["tree", "-p", "tower-pop", "-e", "normal,build", "--prefix", "none", "--no-dedupe"]).output();
    let tree = tree.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(" (").next()).collect();
    report.row(crates_name, crates.len() as f64, Target::None);
    let folder = std::env::temp_dir().join(format!("poplayer-build-{}", std::process::id()));
    let start = Instant::now();
    let built = cargo(&["build", "--quiet", "-p", "tower-pop"]).env("CARGO_TARGET_DIR", &folder).status();
    let seconds = start.elapsed().as_secs_f64();
    let _ = std::fs::remove_dir_all(folder);
    match built {
        Ok(status) if status.success() => report.row(seconds_name, seconds, Target::None),
        _ => report.missing(seconds_name, "it does not build"),
    }
}
