//! The request itself: credentials, target, certificate field, content.

use super::Case;
use crate::inspect::{Setup, URL};

pub(super) fn cases(setup: &Setup) -> Vec<Case> {
    let token = setup.token.as_str();
    let dpop = || Case::dpop("", token, &setup.proof().mint());
    let code = |code: &str, case: Case| Case { code: code.to_owned(), ..case };
    let lines = |code: &str, lines: &[&str]| {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        Case::header(code, &lines)
    };
    let own = format!("Authorization: DPoP {token}");
    let long = format!("Client-Cert: :{}:", "AAAA".repeat(5000));
    vec![
        lines("credential.missing", &["X-Own: 1"]),
        lines("credential.missing", &["Authorization: Basic dTpw"]),
        lines("credential.duplicated", &[&own, &own]),
        lines("credential.malformed", &["Authorization: DPoP"]),
        code(
            "credential.token_in_query",
            dpop().to(&format!("{URL}?access_token=x")).with(&["--reject-token-in-query"]),
        ),
        dpop().to(&format!("{URL}?access_token=x")),
        code("credential.target", dpop().with(&["-H", "Host: api.example", "-H", "Host: other.example"])),
        code("credential.dot_segments", dpop().to("https://api.example/a/../notes")),
        code("credential.early_data", dpop().with(&["-H", "Early-Data: 1", "--reject-early-data"])),
        dpop().with(&["-H", "Early-Data: 1"]),
        code(
            "credential.client_certificate",
            dpop().with(&["-H", "Client-Cert: garbage", "--certificate-field", "Client-Cert"]),
        ),
        code(
            "credential.client_certificate_too_large",
            dpop().with(&["-H", &long, "--certificate-field", "Client-Cert"]),
        ),
    ]
}
