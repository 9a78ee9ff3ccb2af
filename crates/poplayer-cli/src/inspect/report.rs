//! The result of an inspection, as text and as JSON.

use pop_core::help;
use serde_json::{Map, Value, json};
use tower_pop::Rejection;

use super::checks::Check;
use super::values::Values;
use super::verdict::{Outcome, Verdict};
use crate::output::{Colour, Output, printable};

/// One line of the report.
struct Line {
    check: &'static Check,
    outcome: Outcome,
    found: Option<String>,
    wanted: Option<String>,
    remedy: Option<String>,
}

/// Prints the report.
pub(super) fn print(verdict: &Verdict, values: &Values<'_>, output: &Output) {
    let rejection = verdict.rejection.as_ref();
    let lines = verdict.outcomes.iter().map(|(check, outcome)| line(check, *outcome, rejection, values));
    let lines: Vec<_> = lines.collect();
    if output.is_json() {
        output.document(&document(&lines, rejection, values));
    } else {
        print_text(&lines, rejection, values, *output);
    }
}

fn line(check: &'static Check, outcome: Outcome, rejection: Option<&Rejection>, values: &Values<'_>) -> Line {
    let (found, wanted) = if outcome == Outcome::NotReached { (None, None) } else { values.of(check.name) };
    let mut line = Line { check, outcome, found, wanted, remedy: None };
    if let Outcome::Failed(code) = outcome {
        let own = rejection.filter(|rejection| rejection.error().code() == code).and_then(Rejection::explanation);
        let explained = |text: Option<&str>| text.map(ToOwned::to_owned);
        if let Some(own) = own {
            let named = |text: &str| own.claim.map_or_else(|| text.to_owned(), |claim| format!("{claim}: {text}"));
            line.found = line.found.or_else(|| own.found.as_deref().map(named));
            line.wanted = line.wanted.or_else(|| explained(own.expected.as_deref()));
            line.remedy = explained(own.remedy.as_deref());
        }
        let help = help(code);
        line.found = line.found.or_else(|| help.map(|help| help.meaning.to_owned()));
        line.wanted = line.wanted.or_else(|| Some(check.rule.to_owned()));
        line.remedy = line.remedy.or_else(|| help.map(|help| help.remedy.to_owned()));
    }
    line
}

fn print_text(lines: &[Line], rejection: Option<&Rejection>, values: &Values<'_>, output: Output) {
    for line in lines {
        let (colour, mark) = match line.outcome {
            Outcome::Passed => (Colour::Green, "pass"),
            Outcome::Failed(_) => (Colour::Red, "FAIL"),
            Outcome::NotReached => (Colour::Dim, "  - "),
        };
        let Check { name, rule, reference, .. } = line.check;
        let found = line.found.as_deref().filter(|_| line.outcome == Outcome::Passed).map(short).unwrap_or_default();
        output.line(format!("{}  {name:<20} {rule}  ({reference}){found}", output.paint(colour, mark)));
        if let Outcome::Failed(code) = line.outcome {
            let details = [("code", Some(code)), ("found", line.found.as_deref())];
            let details =
                details.into_iter().chain([("wanted", line.wanted.as_deref()), ("remedy", line.remedy.as_deref())]);
            for (name, text) in details {
                if let Some(text) = text {
                    output.line(format!("      {name:<8} {}", printable(text)));
                }
            }
        }
    }
    output.line("");
    for (what, decoded) in [("token", Some(&values.token)), ("proof", values.proof.as_ref())] {
        if let Some(decoded) = decoded {
            output.line(printable(&format!("{what} header  {}", decoded.header)));
            output.line(printable(&format!("{what} claims  {}", decoded.claims)));
        }
    }
    output.line("");
    output.line(match rejection {
        None => output.paint(Colour::Green, accepted(&values.not_checked())),
        Some(rejection) => {
            let error = rejection.oauth_error().map(|error| format!(" {error}")).unwrap_or_default();
            let text = format!("rejected: {}, status {}{error}", rejection.error().code(), rejection.status().as_u16());
            output.paint(Colour::Red, &text)
        }
    });
}

fn accepted(not_checked: &[&str]) -> &'static str {
    if not_checked.contains(&"nonce") {
        "accepted, unless the proof was used before, or the server wants a nonce: that is not checked here"
    } else {
        "accepted, unless the proof was used before: that is not checked here"
    }
}

fn document(lines: &[Line], rejection: Option<&Rejection>, values: &Values<'_>) -> Value {
    let checks = lines.iter().map(|line| {
        let (result, code) = match line.outcome {
            Outcome::Passed => ("pass", None),
            Outcome::Failed(code) => ("fail", Some(code)),
            Outcome::NotReached => ("not reached", None),
        };
        let mut check = Map::new();
        let texts = [
            ("check", Some(line.check.name)),
            ("result", Some(result)),
            ("rule", Some(line.check.rule)),
            ("reference", Some(line.check.reference)),
            ("code", code),
            ("found", line.found.as_deref()),
            ("wanted", line.wanted.as_deref()),
            ("remedy", line.remedy.as_deref()),
        ];
        check.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        Value::Object(check)
    });
    json!({
        "accepted": rejection.is_none(),
        "code": rejection.map(|rejection| rejection.error().code()),
        "status": rejection.map(|rejection| rejection.status().as_u16()),
        "error": rejection.and_then(Rejection::oauth_error),
        "checks": checks.collect::<Vec<_>>(),
        "not_checked": values.not_checked(),
        "token": values.token.to_json(),
        "proof": values.proof.as_ref().map(crate::json::Decoded::to_json),
    })
}

/// Returns a value that was found, for the end of a line.
fn short(value: &str) -> String {
    let value = printable(value);
    let kept: String = value.chars().take(60).collect();
    format!(": {kept}{}", if kept.len() < value.len() { "…" } else { "" })
}
