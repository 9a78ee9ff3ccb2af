//! Every code of a rejection that an inspected request can cause: `inspect` names the check that fails.

mod dpop;
mod envelope;
mod jws;
mod request;
mod signature;
mod token;

use pop_core::CODES;
use serde_json::Value;

use crate::inspect::{NOW, Setup, URL};
use crate::support::poplayer;

/// One request that is rejected with a code; or that is accepted, if there is none.
pub(crate) struct Case {
    code: String,
    url: String,
    arguments: Vec<String>,
}

impl Case {
    /// A request with these arguments.
    pub(crate) fn new(code: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { code: code.to_owned(), url: URL.to_owned(), arguments }
    }

    /// A request with a DPoP proof.
    pub(crate) fn dpop(code: &str, token: &str, proof: &str) -> Self {
        Self::new(code, &["--token", token, "--proof", proof])
    }

    /// A request with this header.
    pub(crate) fn header(code: &str, lines: &[String]) -> Self {
        let arguments: Vec<_> = lines.iter().flat_map(|line| ["-H", line]).collect();
        Self::new(code, &arguments)
    }

    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn to(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }
}

/// The codes that no inspected request causes, and why.
const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("token.inactive", "the authorization server says so when it is asked"),
    (
        "proof.header_parameter",
        "the layer reads `alg`, `typ` and `jwk` alone, and a wrong type counts as a wrong value",
    ),
    ("envelope.header_parameter", "the layer reads `alg` and `typ` alone, and a wrong type counts as a wrong value"),
    ("envelope.encrypted", "five segments are an access token, not an envelope: `token.not_compact`"),
    ("envelope.target", "the layer rejects such a path before it reads the envelope: `credential.dot_segments`"),
    ("envelope.key_algorithm", "the layer takes the key of the token for the algorithm of the envelope, or rejects it"),
    ("signature.nonce_used", "depends on earlier requests"),
    ("content.incomplete", "depends on the connection"),
    ("content.late", "depends on the connection"),
    ("content.unread", "depends on how the server mounts the layer"),
    ("replay.replayed", "depends on earlier requests"),
    ("replay.key_quota", "depends on earlier requests"),
    ("replay.full", "depends on earlier requests"),
    ("replay.unavailable", "depends on the replay store"),
    ("claim.shape", "depends on a type of the handler"),
    ("unavailable.keys", "depends on the authorization server"),
    ("unavailable.key_refresh", "depends on the authorization server"),
    ("unavailable.introspection", "depends on the authorization server"),
];

#[test]
fn inspect_names_the_check_of_every_code() {
    let setup = Setup::new("codes");
    let mut cases = token::cases(&setup);
    cases.extend(request::cases(&setup));
    cases.extend(dpop::cases(&setup));
    cases.extend(envelope::cases(&setup));
    cases.extend(signature::cases(&setup));
    let explained = poplayer(&["explain", "--json"]).json();
    let explained = |code: &str| -> Value {
        explained.as_array().unwrap().iter().find(|entry| entry["code"] == code).unwrap().clone()
    };
    let mut wrong = Vec::new();
    for entry in CODES {
        let of_code: Vec<_> = cases.iter().filter(|case| case.code == entry.code).collect();
        let reason = NOT_APPLICABLE.iter().find(|(code, _)| *code == entry.code);
        assert_eq!(of_code.is_empty(), reason.is_some(), "{} needs a request or a reason", entry.code);
        assert!(explained(entry.code)["check"].is_string() && explained(entry.code)["remedy"].is_string());
        wrong.extend(of_code.iter().filter_map(|case| run(&setup, case, &explained(entry.code)["check"]).err()));
    }
    let good: Vec<_> = cases.iter().filter(|case| case.code.is_empty()).collect();
    assert!(good.len() >= 6, "a good request of each kind");
    wrong.extend(good.iter().filter_map(|case| run(&setup, case, &Value::Null).err()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Inspects a request. `check` is the one that must fail.
fn run(setup: &Setup, case: &Case, check: &Value) -> Result<(), String> {
    let now = NOW.to_string();
    let mut arguments = vec!["inspect", "--json", "--at", &now, "--jwks", &setup.jwks, "--url", &case.url];
    arguments.extend(case.arguments.iter().map(String::as_str));
    let ran = poplayer(&arguments);
    if ran.status == 2 {
        return Err(format!("{}: {}", case.code, ran.err));
    }
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "fail").collect();
    let expected = if case.code.is_empty() {
        ran.status == 0 && failed.is_empty()
    } else {
        let named = failed.iter().any(|failed| failed["code"] == *case.code && failed["check"] == *check);
        let complete = failed.iter().all(|failed| {
            ["found", "wanted", "remedy", "reference"].iter().all(|name| failed[*name].as_str().is_some())
        });
        ran.status == 1 && report["code"] == *case.code && named && complete
    };
    if expected { Ok(()) } else { Err(format!("{:?}: {} {failed:?}", case.code, report["code"])) }
}
