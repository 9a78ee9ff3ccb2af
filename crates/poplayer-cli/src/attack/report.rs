//! The result of an attack: as a table, JSON and JUnit XML.

use serde_json::{Value, json};

use super::runner::{Finding, Outcome};
use super::vectors::{Must, Vector};
use crate::output::{Colour, Output};

const fn must(vector: &Vector) -> &'static str {
    match vector.must {
        Must::Accept => "accept",
        Must::Reject => "reject",
    }
}

/// Returns the result in a word, and what the server did.
fn described(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Passed(Some(status)) => ("pass", format!("status {}", status.as_u16())),
        Outcome::Passed(None) => ("pass", "the connection ended".to_owned()),
        Outcome::Failed(status) => ("fail", format!("status {}", status.as_u16())),
        Outcome::Unclear(why) => ("unclear", why.clone()),
        Outcome::Skipped(why) => ("skipped", (*why).to_owned()),
    }
}

/// Prints what would be sent.
pub(super) fn list(corpus: &[Vector], output: Output) {
    if output.is_json() {
        let all = corpus.iter().map(|vector| {
            json!({
                "name": vector.name, "what": vector.what, "reference": vector.reference, "must": must(vector),
            })
        });
        output.document(&all.collect());
    } else {
        for vector in corpus {
            let Vector { name, what, reference, .. } = vector;
            output.line(format!("{:<6}  {name:<20} {what}  ({reference})", must(vector)));
        }
    }
}

/// Prints the result.
pub(super) fn print(findings: &[Finding], url: &str, output: Output) {
    if output.is_json() {
        output.document(&document(findings, url));
        return;
    }
    for Finding { vector, outcome, .. } in findings {
        let (result, server) = described(outcome);
        let colour = match outcome {
            Outcome::Passed(_) => Colour::Green,
            Outcome::Failed(_) | Outcome::Unclear(_) => Colour::Red,
            Outcome::Skipped(_) => Colour::Dim,
        };
        let mark = output.paint(colour, &format!("{result:<7}"));
        let Vector { name, what, reference, .. } = vector;
        output.line(format!("{mark}  must {:<6}  {name:<20} {what}  ({reference}): {server}", must(vector)));
    }
    let count = |word: &str| findings.iter().filter(|finding| described(&finding.outcome).0 == word).count();
    let (failed, unclear) = (count("fail"), count("unclear"));
    let text = format!("{} passed, {failed} failed, {unclear} unclear, {} skipped", count("pass"), count("skipped"));
    output.line("");
    output.line(output.paint(if failed + unclear == 0 { Colour::Green } else { Colour::Red }, &text));
}

fn document(findings: &[Finding], url: &str) -> Value {
    let results = findings.iter().map(|finding| {
        let (result, server) = described(&finding.outcome);
        json!({
            "name": finding.vector.name, "what": finding.vector.what, "reference": finding.vector.reference,
            "must": must(finding.vector), "result": result, "server": server,
        })
    });
    let passed = findings.iter().all(|finding| finding.outcome.is_good());
    json!({ "target": url, "passed": passed, "results": results.collect::<Vec<_>>() })
}

/// Returns the result as JUnit XML, as CI systems read it.
pub(super) fn junit(findings: &[Finding], url: &str) -> String {
    let count = |word: &str| findings.iter().filter(|finding| described(&finding.outcome).0 == word).count();
    let seconds = |finding: &Finding| finding.took.as_secs_f64();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"poplayer attack {}\" tests=\"{}\" failures=\"{}\" \
         errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
        escaped(url),
        findings.len(),
        count("fail"),
        count("unclear"),
        count("skipped"),
        findings.iter().map(seconds).sum::<f64>(),
    );
    for finding in findings {
        let Vector { name, what, reference, .. } = finding.vector;
        let (_, server) = described(&finding.outcome);
        let message = escaped(&format!("must {}: {what} ({reference}): {server}", must(finding.vector)));
        let inner = match &finding.outcome {
            Outcome::Passed(_) => String::new(),
            Outcome::Failed(_) => format!("<failure message=\"{message}\"/>"),
            Outcome::Unclear(_) => format!("<error message=\"{message}\"/>"),
            Outcome::Skipped(_) => format!("<skipped message=\"{message}\"/>"),
        };
        let time = seconds(finding);
        xml.push_str(&format!(
            "  <testcase classname=\"poplayer.attack\" name=\"{name}\" time=\"{time:.3}\">{inner}</testcase>\n"
        ));
    }
    xml.push_str("</testsuite>\n");
    xml
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        // XML 1.0 §2.2 has no place for these.
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
