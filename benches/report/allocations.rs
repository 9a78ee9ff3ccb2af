//! Heap allocations of a warm request, counted by the bench of that name.

use std::process::Command;

use crate::{Report, Target};

pub(crate) fn rows(report: &mut Report) {
    const ROWS: [(&str, &str, f64); 7] = [
        ("allocations: ", "warm request", 6.0),
        ("allocations: ", "opaque token, cached answer", 6.0),
        ("allocations: ", "certificate on the connection", 6.0),
        ("allocations: ", "message signature", 30.0),
        ("allocations: ", "envelope", 30.0),
        ("allocations: ", "warm HMAC request", 30.0),
        ("memory: ", "request with content of 16 MiB / its content", 1.05),
    ];
    let wanted = ROWS.map(|(of, name, target)| (format!("{of}{name}"), name, target));
    let wanted: Vec<_> = wanted.into_iter().filter(|(row, ..)| report.full && report.wants(row, true)).collect();
    if wanted.is_empty() {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["bench", "--quiet", "--bench", "allocations"])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for (row, name, target) in wanted {
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        match count {
            Some(count) => report.row(&row, count, Target::AtMost(target)),
            None => report.missing(&row, "they were not counted"),
        }
    }
}
