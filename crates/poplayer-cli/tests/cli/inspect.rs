//! `inspect`: the report, its input, and what it never shows.

use pop_authserver::{Algorithm, DpopKey, ProofMint, TestAuthServer};
use serde_json::Value;

use crate::support::{Folder, Ran, poplayer, poplayer_with};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const URL: &str = "https://api.example/notes";

/// An issuer, and a client with a key and a token.
pub(crate) struct Setup {
    pub(crate) folder: Folder,
    pub(crate) server: TestAuthServer,
    pub(crate) key: DpopKey,
    pub(crate) token: String,
    pub(crate) jwks: String,
}

impl Setup {
    pub(crate) fn new(test: &str) -> Self {
        let folder = Folder::new(test);
        let server = TestAuthServer::offline_at("https://as.example", NOW);
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let token = server.token().scope("notes:read").bound_to(&key).mint();
        let jwks = folder.file("jwks.json", server.jwks_json());
        Self { folder, server, key, token, jwks }
    }

    pub(crate) fn proof(&self) -> ProofMint {
        self.server.proof(&self.key).url(URL).for_token(&self.token)
    }

    fn inspect(&self, token: &str, proof: &str, more: &[&str]) -> Ran {
        let mut arguments = vec!["inspect", "--json", "--url", URL, "--at", "1800000000", "--jwks", &self.jwks];
        arguments.extend(["--token", token, "--proof", proof]);
        arguments.extend(more);
        poplayer(&arguments)
    }
}

/// The check of this name in a report.
pub(crate) fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn a_good_request_passes_every_check() {
    let setup = Setup::new("inspect-good");
    let ran = setup.inspect(&setup.token, &setup.proof().mint(), &[]);
    let report = ran.json();
    assert_eq!((ran.status, &report["accepted"]), (0, &true.into()), "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["result"], "pass", "{check}");
    }
    assert_eq!(check(&report, "htm")["found"], "GET");
    assert!(
        report["checks"].as_array().unwrap().iter().all(|check| check["check"] != "nonce"),
        "no nonce is asked for"
    );
    assert_eq!(report["not_checked"], serde_json::json!(["replay", "nonce"]), "only the server knows");
    assert_eq!(report["token"]["claims"]["iss"], "https://as.example");
    assert_eq!(report["proof"]["claims"]["htu"], URL);
}

/// Every check that fails is shown, with the value found and the value wanted.
#[test]
fn names_each_failing_check_with_both_values() {
    let setup = Setup::new("inspect-values");
    let stranger = DpopKey::generate(Algorithm::ES256).unwrap();
    let proof = setup.proof().method("PUT").url("https://api.example/other").issued_at(NOW - 3600);
    let ran = setup.inspect(&setup.token, &proof.mint(), &["-X", "POST"]);
    let report = ran.json();
    assert_eq!((ran.status, &report["code"]), (1, &"proof.htm_mismatch".into()), "the verdict of the layer");
    let htm = check(&report, "htm");
    assert_eq!((&htm["result"], &htm["found"], &htm["wanted"]), (&"fail".into(), &"PUT".into(), &"POST".into()));
    assert!(htm["reference"] == "RFC 9449 §4.3 (8)" && htm["remedy"].as_str().unwrap().contains("its method as sent"));
    let htu = check(&report, "htu");
    assert_eq!((&htu["found"], &htu["wanted"]), (&"https://api.example/other".into(), &URL.into()));
    assert!(check(&report, "proof-times")["found"].as_str().unwrap().contains("3600 s in the past"));
    assert_eq!(check(&report, "token-signature")["result"], "pass");
    assert_eq!(check(&report, "ath")["result"], "pass");
    assert_eq!(check(&report, "binding")["result"], "not reached");

    let proof = setup.server.proof(&stranger).url(URL).for_token(&setup.token).mint();
    let report = setup.inspect(&setup.token, &proof, &[]).json();
    let binding = check(&report, "binding");
    assert_eq!((&binding["result"], &binding["code"]), (&"fail".into(), &"binding.key_mismatch".into()));
    assert!(binding["found"].as_str().unwrap().contains(&stranger.thumbprint().to_string()), "{binding}");
    assert!(binding["wanted"].as_str().unwrap().contains(&setup.key.thumbprint().to_string()), "{binding}");
}

/// DPOP-44: and each check that fails is named, also of proofs that are longer than 8 KiB.
#[test]
fn accepts_the_algorithms_of_the_server() {
    let mut setup = Setup::new("inspect-algorithms");
    for algorithm in [Algorithm::PS512].into_iter().chain(Algorithm::ML_DSA.iter().copied()) {
        setup.key = DpopKey::generate(algorithm).unwrap();
        setup.token = setup.server.token().scope("notes:read").bound_to(&setup.key).mint();
        let proof = setup.proof().mint();
        let (named, proofs) = (format!("ES256,{algorithm}"), "--proof-algorithms");
        let ran = setup.inspect(&setup.token, &proof, &[proofs, &named, "--token-algorithms", &named]);
        assert_eq!((ran.status, &ran.json()["accepted"]), (0, &true.into()), "{algorithm}: {ran:?}");
        let ran = setup.inspect(&setup.token, &proof, &[]);
        assert_eq!(ran.status, 1, "{algorithm} is not accepted by default");
        let ran = setup.inspect(&setup.token, &proof, &[proofs, &named, "--token-algorithms", "RS256"]);
        assert!(ran.status == 2 && ran.err.contains("no usable key"), "the issuer signs with ES256: {ran:?}");
        let wrong = setup.proof().method("PUT").url("https://other.example/").mint();
        let report = setup.inspect(&setup.token, &wrong, &[proofs, &named]).json();
        assert_eq!(
            (&check(&report, "htm")["result"], &check(&report, "htu")["result"]),
            (&"fail".into(), &"fail".into())
        );
        assert_eq!(check(&report, "proof-signature")["result"], "pass", "{algorithm}");
    }
}

/// A token is checked even if its proof cannot be read.
#[test]
fn checks_the_token_whatever_its_proof_is() {
    let setup = Setup::new("inspect-token");
    let report = setup.inspect(&setup.token, "garbage", &[]).json();
    assert_eq!(report["code"], "proof.not_compact");
    assert_eq!(check(&report, "token-times")["result"], "pass");
    let expired = setup.server.token().bound_to(&setup.key).expires_in(-3600).mint();
    let report = setup.inspect(&expired, "garbage", &[]).json();
    assert_eq!(report["code"], "proof.not_compact");
    assert_eq!(check(&report, "token-times")["code"], "token.expired");
    assert_eq!(check(&report, "token-signature")["result"], "pass");
}

#[test]
fn reads_header_lines_as_curl_prints_them() {
    let setup = Setup::new("inspect-lines");
    let (token, proof) = (&setup.token, setup.proof().mint());
    let lines = format!("Authorization: DPoP {token}\r\nDPoP: {proof}\r\n");
    let curl = format!(
        "* Connected\n> GET /notes HTTP/1.1\n> Host: api.example\n> Authorization: DPoP {token}\n> DPoP: {proof}\n>\n< HTTP/1.1 401"
    );
    let at = ["inspect", "--json", "--at", "2027-01-15T08:00:00Z", "--jwks", &setup.jwks];
    let with_url = [&at[..], &["--url", URL]].concat();
    for (input, arguments) in [(&lines, &with_url[..]), (&curl, &at[..])] {
        let ran = poplayer_with(arguments, input, &[]);
        assert_eq!((ran.status, &ran.json()["accepted"]), (0, &true.into()), "{ran:?}");
    }
    poplayer_with(&at, &lines, &[]).is_rejected("expected --url, or a request line");
    poplayer_with(&with_url, "no header line", &[]).is_rejected("expected `Name: value`");
}

/// The text has the same content, no escape sequences of colours, and none of the token.
#[test]
fn prints_text_without_colours_when_it_is_not_a_terminal() {
    let setup = Setup::new("inspect-text");
    let hostile = setup.proof().url("https://api.example/\u{1b}[2Jno").mint();
    let arguments =
        ["inspect", "--url", URL, "--at", "1800000000", "--jwks", &setup.jwks, "--token", &setup.token, "--proof"];
    let ran = poplayer(&[&arguments[..], &[&hostile]].concat());
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("FAIL  htu") && ran.out.contains("rejected: proof.htu"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

/// A proof with a private key is a mistake that the report must not spread.
#[test]
fn never_shows_a_private_key() {
    let setup = Setup::new("inspect-private");
    for member in ["d", "priv"] {
        let mut jwk = setup.key.public_jwk();
        jwk[member] = "c2VjcmV0LXNlY3JldC1zZWNyZXQ".into();
        let ran = setup.inspect(&setup.token, &setup.proof().header("jwk", jwk).mint(), &[]);
        assert_eq!(ran.json()["code"], "proof.jwk_private", "{member}");
        assert!(!ran.out.contains("c2VjcmV0"), "{}", ran.out);
    }
}

#[test]
fn says_in_one_line_what_it_expects() {
    let setup = Setup::new("inspect-bad");
    let (token, proof) = (setup.token.as_str(), setup.proof().mint());
    let with = |arguments: &[&str]| poplayer(&[&["inspect", "--token", token, "--proof", &proof], arguments].concat());
    with(&["--url", URL]).is_rejected("--issuer <URL>");
    with(&["--jwks", &setup.jwks]).is_rejected("expected --url");
    with(&["--jwks", &setup.jwks, "--url", "api.example"]).is_rejected("expected such as https://");
    with(&["--jwks", "/dev/zero", "--url", URL]).is_rejected("expected at most 1 MiB");
    with(&["--jwks", "/nowhere/jwks", "--url", URL]).is_rejected("cannot read /nowhere/jwks");
    with(&["--jwks", &setup.folder.file("bad", "{}"), "--url", URL]).is_rejected("static keys");
    poplayer(&["inspect", "--jwks", &setup.jwks, "--url", URL, "--token", "a\nb"])
        .is_rejected("expected visible ASCII");
    with(&["--jwks", &setup.jwks, "--url", URL, "--at", "soon"]).is_rejected("expected seconds");
    with(&["--jwks", &setup.jwks, "--url", URL, "--proofs", "magic"]).is_rejected("expected dpop");
    with(&["--jwks", &setup.jwks, "--url", URL, "--preset", "fapi2", "--mode", "allow-bearer"])
        .is_rejected("does not allow mode");
    with(&["--jwks", &setup.jwks, "--url", URL, "--mode", "lax"]).is_rejected("use one of");
    let twin = with(&["--jwks", &setup.jwks, "--url", URL, "--at", "1800000000", "--preset", "fapi2"]);
    assert_eq!(twin.status, 0, "{twin:?}");
}

/// The keys of the issuer come from its metadata, or from a URL. If they cannot be fetched, that is the answer.
#[test]
fn fetches_the_keys_of_the_issuer() {
    let api = crate::api::Api::start(|builder| builder, |builder| builder);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.server.token().bound_to(&key).mint();
    let url = format!("{}/echo", api.url);
    let proof = api.server.proof(&key).url(&url).for_token(&token).mint();
    let inspect = |more: &[&str]| {
        poplayer(&[&["inspect", "--json", "--url", &url, "--token", &token, "--proof", &proof], more].concat())
    };
    let (issuer, jwks) = (api.server.issuer(), format!("{}/jwks", api.server.issuer()));
    for keys in [&["--issuer", issuer][..], &["--jwks", &jwks], &["--issuer", issuer, "--jwks", &jwks]] {
        assert_eq!(inspect(keys).json()["accepted"], true, "{keys:?}");
    }
    let ran = inspect(&["--issuer", issuer, "--jwks", "http://127.0.0.1:9/jwks"]);
    let report = ran.json();
    assert_eq!((ran.status, &report["code"]), (1, &"unavailable.keys".into()), "{report:#}");
    assert_eq!(check(&report, "keys")["result"], "fail");
    assert_eq!(check(&report, "htm")["result"], "pass", "what needs no keys is checked");
}

#[test]
fn explains_codes() {
    let one = poplayer(&["explain", "proof.htu_mismatch"]);
    assert!(one.status == 0 && one.out.contains("RFC 9449 §4.3 (9)") && one.out.contains("remedy"), "{one:?}");
    let all = poplayer(&["explain", "--json"]).json();
    assert_eq!(all.as_array().unwrap().len(), pop_core::CODES.len());
    poplayer(&["explain", "nothing"]).is_rejected("expected one such as proof.htu_mismatch");
    poplayer(&["explain", "proof.replayed"]).is_rejected("expected one such as replay.replayed, ");
    poplayer(&["explain", "é.éééé"]).is_rejected("expected one such as proof.htu_mismatch");
}
