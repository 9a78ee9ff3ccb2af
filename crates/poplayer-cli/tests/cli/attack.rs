//! `attack`: it finds each defect of a broken server, and passes correct ones.

use pop_authserver::TestAuthServer;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_pop::NoncePolicy;

use crate::api::Api;
use crate::broken::{self, Defect};
use crate::support::{Folder, Ran, poplayer, poplayer_with};

/// The names of the requests with this result.
fn with(report: &Value, result: &str) -> Vec<String> {
    let results = report["results"].as_array().unwrap();
    let named = results.iter().filter(|one| one["result"] == result);
    named.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

fn attack(url: &str, more: &[&str]) -> Ran {
    let arguments = [&["attack", url, "--client-id", "worker", "--json"], more].concat();
    poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_SECRET", "hunter2")])
}

/// One server of each kind, with the requests that it must be caught by: all of them, and no other.
#[test]
fn finds_the_defect_of_every_broken_server() {
    use Defect as D;
    let rows: &[(Defect, &[&str])] = &[
        (D::None, &[]),
        (D::NoReplayCheck, &["replay"]),
        (D::NoAth, &["ath-missing", "ath-other"]),
        (D::AthOptional, &["ath-missing"]),
        (D::NoHtm, &["htm-missing", "htm-other", "htm-case", "htm-twice"]),
        (D::HtmIgnoresCase, &["htm-case"]),
        (D::FirstMemberWins, &["htm-twice"]),
        (D::NoHtu, &["htu-missing", "htu-path", "htu-below", "htu-host", "htu-scheme"]),
        (D::HtuByPathOnly, &["htu-host", "htu-scheme"]),
        (D::HtuByPrefix, &["htu-below"]),
        (D::HtuWithQuery, &["query"]),
        (D::NoIat, &["iat-missing", "iat-old", "iat-future", "iat-string", "exp", "nbf"]),
        (D::NoMaximumAge, &["iat-old"]),
        (D::IatFromTheFuture, &["iat-future"]),
        (D::AnyTimes, &["exp", "nbf"]),
        (D::AcceptsBearer, &["bearer"]),
        (D::AcceptsBearerWithProof, &["bearer-proof"]),
        (D::NoBinding, &["other-key"]),
        (D::NoProofSignature, &["signature", "signature-stranger", "payload"]),
        (D::NoTokenSignature, &["token-signature", "token-alg-none", "token-rebound"]),
        (D::AcceptsPrivateKey, &["jwk-private"]),
        (D::AcceptsAlgNone, &["alg-none"]),
        (D::AcceptsHmac, &["alg-hmac"]),
        (D::NoTyp, &["typ-missing", "typ-other"]),
        (D::NoCrit, &["crit"]),
        (D::FirstProofOnly, &["two-proofs"]),
        (D::FirstTokenOnly, &["two-tokens"]),
        (D::TokenInQuery, &["query-token"]),
        (D::NoProof, &["no-proof"]),
        (D::NoJti, &["jti-missing"]),
        (D::SchemeWithCase, &["scheme-case"]),
        (D::RejectsUnknownClaims, &["unknown-parameters"]),
        (D::OffersNonces, &[]),
        (D::RequiresNonces, &[]),
        (D::AnyNonce, &["nonce-other"]),
    ];
    let api = Api::start(|builder| builder, |builder| builder);
    for (defect, caught) in rows {
        let url = start(&api, *defect);
        let ran = attack(&url, &["--issuer", api.server.issuer()]);
        let report = ran.json();
        assert_eq!(with(&report, "fail"), *caught, "{defect:?}");
        assert_eq!(with(&report, "unclear"), [""; 0], "{defect:?}");
        assert_eq!(ran.status, i32::from(!caught.is_empty()), "{defect:?}");
    }
}

fn start(api: &Api, defect: Defect) -> String {
    let server: &TestAuthServer = &api.server;
    api.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/notes", listener.local_addr().unwrap());
        broken::start(listener, &server.jwks_json(), defect).await;
        url
    })
}

/// A server that rejects everything, or falls over, passes nothing.
#[test]
fn a_server_that_rejects_good_requests_or_fails_does_not_pass() {
    let api = Api::start(|builder| builder, |builder| builder);
    let issuer = ["--issuer", api.server.issuer()];
    let ran = attack(&start(&api, Defect::RejectsEverySecond), &issuer);
    assert!(ran.status == 1 && !with(&ran.json(), "fail").is_empty(), "{ran:?}");
    let ran = attack(&start(&api, Defect::Panics), &issuer);
    assert_eq!(with(&ran.json(), "unclear"), ["no-credentials", "no-proof", "bearer"], "{ran:?}");
    assert_eq!(ran.status, 1);
    // The token is for another audience.
    let strict = Api::start(|builder| builder, |builder| builder.audience("https://other.example"));
    let ran = attack(&strict.echo(), &["--issuer", api.server.issuer()]);
    assert!(ran.status == 1 && ran.err.contains("rejects a good request with status 401, invalid_token"), "{ran:?}");
    assert_eq!(attack(&start(&api, Defect::None), &issuer).status, 0, "the twin");
}

#[test]
fn passes_the_layer_with_and_without_nonces() {
    for policy in [NoncePolicy::Off, NoncePolicy::Required] {
        let api = Api::start(|builder| builder, |builder| builder.nonce(policy.clone()));
        for algorithm in ["PS256", "Ed25519"] {
            let ran = attack(&api.echo(), &["--alg", algorithm]);
            assert_eq!((ran.status, &ran.json()["passed"]), (0, &true.into()), "{algorithm} {ran:?}");
        }
        let ran = attack(&api.echo(), &[]);
        let report = ran.json();
        assert_eq!((ran.status, &report["passed"]), (0, &true.into()), "{report:#}");
        let skipped = with(&report, "skipped");
        let expected: &[&str] =
            if matches!(policy, NoncePolicy::Off) { &["nonce", "nonce-missing", "nonce-other"] } else { &[] };
        assert_eq!(skipped, expected);
    }
}

#[test]
fn writes_a_table_and_junit_xml() {
    let (api, folder) = (Api::start(|builder| builder, |builder| builder), Folder::new("attack-junit"));
    let (url, junit) = (start(&api, Defect::NoReplayCheck), folder.path("report.xml"));
    let arguments = ["attack", &url, "--client-id", "worker", "--issuer", api.server.issuer(), "--junit", &junit];
    let ran = poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_SECRET", "hunter2")]);
    assert!(
        ran.status == 1 && ran.out.contains("fail     must reject  replay") && ran.out.contains("1 failed"),
        "{ran:?}"
    );
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("errors=\"0\""), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), xml.matches("</testcase>").count());
    assert!(xml.contains("name=\"replay\"") && xml.contains("<failure message=\"must reject"), "{xml}");
}

#[test]
fn gets_tokens_from_a_command() {
    let (api, folder) = (Api::start(|builder| builder, |builder| builder), Folder::new("attack-command"));
    let url = start(&api, Defect::None);
    let key = folder.path("key.pem");
    let generated = poplayer(&["keygen", "-o", &key, "--json"]).json();
    let jkt = generated["jkt"].as_str().unwrap();
    let token = api.server.token().claim("cnf", serde_json::json!({ "jkt": jkt })).mint();
    let command = format!("test \"$POPLAYER_JKT\" = {jkt} && echo {token}");
    let arguments = ["attack", &url, "--key", &key, "--token-command", &command, "--json"];
    let ran = poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_ID", "of-another-command")]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = poplayer(&["attack", &url, "--token-command", "false"]);
    assert!(ran.status == 1 && ran.err.contains("expected a command that prints a token"), "{ran:?}");
}

/// Attacks stay on this machine, unless the user says that the host is theirs.
#[test]
fn rejects_targets_beyond_this_machine() {
    for url in ["https://api.example/notes", "https://192.0.2.1/", "https://127.0.0.1.example/"] {
        poplayer(&["attack", url, "--token", "t", "--key", "k"]).is_rejected("expected --i-own-this-host");
    }
    poplayer(&["attack", "https://api.example/", "--i-own-this-host"]).is_rejected("expected --token, or --client-id");
    poplayer(&["attack"]).is_rejected("URL");
    poplayer(&["attack", "http://127.0.0.1:1/", "--binding", "pop"])
        .is_rejected("expected --binding dpop or --binding certificate");
    let list = poplayer(&["attack", "--list", "--json"]).json();
    assert!(list.as_array().unwrap().iter().any(|vector| vector["name"] == "replay" && vector["must"] == "reject"));
}
