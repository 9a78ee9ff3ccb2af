//! `poplayer explain`: the meaning of a code, and what to do about it.

use clap::Args;
use pop_core::{CODES, help};
use serde_json::json;

use crate::Passed;
use crate::failure::Failure;
use crate::inspect::check_of;
use crate::output::{Colour, Output};

/// Explains a code of a rejection.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The code, such as `proof.htu_mismatch`, or a part of it. Without it, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Returns up to three codes that have the beginning of a word of this one. The last word counts most.
fn similar(part: &str) -> String {
    let mut found: Vec<&str> = Vec::new();
    for word in part.rsplit(['.', '_']) {
        if let Some(beginning) = word.get(..word.len().min(6)).filter(|beginning| beginning.len() >= 4) {
            let codes = CODES.iter().map(|entry| entry.code).filter(|code| code.contains(beginning));
            found.extend(codes.filter(|code| !found.contains(code)).collect::<Vec<_>>());
        }
    }
    found.truncate(3);
    if found.is_empty() { "proof.htu_mismatch".to_owned() } else { found.join(", ") }
}

pub(crate) fn run(arguments: &ExplainArguments, output: &Output) -> Result<Passed, Failure> {
    let part = arguments.code.as_deref().unwrap_or_default();
    let found: Vec<_> = match help(part) {
        Some(exact) => vec![exact],
        None => CODES.iter().filter(|entry| entry.code.contains(part)).collect(),
    };
    if found.is_empty() {
        return Err(Failure::input(format!("no code contains {part:?}: expected one such as {}", similar(part))));
    }
    let reference = |code: &str| check_of(code).map(|check| check.reference);
    if output.is_json() {
        let entries = found.iter().map(|entry| {
            json!({
                "code": entry.code, "meaning": entry.meaning, "remedy": entry.remedy,
                "reference": reference(entry.code), "check": check_of(entry.code).map(|check| check.name),
            })
        });
        output.document(&entries.collect());
        return Ok(true);
    }
    for entry in found {
        output.line(output.paint(Colour::Bold, entry.code));
        output.line(format!("  meaning    {}", entry.meaning));
        if let Some(reference) = reference(entry.code) {
            output.line(format!("  reference  {reference}"));
        }
        output.line(format!("  remedy     {}", entry.remedy));
    }
    Ok(true)
}
