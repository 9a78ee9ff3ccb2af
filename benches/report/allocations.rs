//! Heap allocations of a warm request, counted by the bench of that name.

use std::process::Command;

use crate::{Report, Target};

pub(crate) fn rows(report: &mut Report) {
    const NAMES: [&str; 3] = ["warm request", "opaque token, cached answer", "certificate on the connection"];
    let row_name = |name: &str| format!("allocations: {name}");
    if !report.full || !NAMES.iter().any(|name| report.wants(&row_name(name), true)) {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["bench", "--quiet", "--bench", "allocations"])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for name in NAMES {
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        match count {
            Some(count) => report.row(&row_name(name), count, Target::AtMost(6.0)),
            None => report.missing(&row_name(name), "they were not counted"),
        }
    }
}
