//! Why a request was rejected: for operators in the log, and for clients in the response, without any value of the request.

use pop_authserver::{ProofMint, TokenMint};
use pop_core::CODES;
use serde_json::json;
use tower::ServiceExt;
use tower_pop::{IssuerConfig, PopLayer};
use tracing::Level;

use crate::docs::{files, read};
use crate::log::Log;
use crate::support::{Api, Expected, NOW, api, api_for, api_with, request};

const SECRET: &str = "s3cret-value";

/// ERR-10, ERR-11: the log names claim, kind of value, expectation and option. The response does not, and neither has a
/// value.
#[tokio::test]
async fn the_log_names_what_is_wrong_with_a_token() {
    let api = api();
    type Change = fn(TokenMint) -> TokenMint;
    let rows: [(Change, &str, &[&str]); 22] = [
        (|t| t.without("sub"), "token.missing_claim", &["claim=\"sub\"", "found=\"nothing\"", "allow_missing_sub()"]),
        (|t| t.without("client_id"), "token.missing_claim", &["claim=\"client_id\"", "allow_missing_client_id()"]),
        (|t| t.without("jti"), "token.missing_claim", &["claim=\"jti\"", "allow_missing_jti()"]),
        (|t| t.without("iat"), "token.missing_claim", &["claim=\"iat\"", "allow_missing_iat()"]),
        (|t| t.without("exp"), "token.missing_claim", &["claim=\"exp\"", "authorization server"]),
        (|t| t.header("typ", "JWT"), "token.typ", &["claim=\"typ\"", "found=\"another type\"", "allow_typ_jwt()"]),
        (|t| t.without_header("typ"), "token.typ", &["claim=\"typ\"", "found=\"nothing\"", "expected=\"at+jwt\""]),
        (|t| t.header("typ", 1), "token.typ", &["claim=\"typ\"", "found=\"a number\""]),
        (|t| t.header("alg", SECRET), "token.alg", &["claim=\"alg\"", "token_algorithms", "expected=\"ES256"]),
        (
            |t| t.claim("iss", SECRET),
            "token.issuer",
            &["claim=\"iss\"", "another issuer", "https://as.example", ".issuer("],
        ),
        (|t| t.claim("iss", 7), "token.issuer", &["claim=\"iss\"", "found=\"a number\""]),
        (|t| t.audience(SECRET), "token.audience", &["claim=\"aud\"", "https://api.example", "`.audience(..)`"]),
        (|t| t.claim("aud", json!([SECRET])), "token.audience", &["a list without this resource"]),
        (|t| t.without("aud"), "token.audience", &["claim=\"aud\"", "found=\"nothing\""]),
        (
            |t| t.expires_in(-100),
            "token.expired",
            &["claim=\"exp\"", "100 s in the past", "at most 30 s", "token_leeway"],
        ),
        (|t| t.claim("nbf", NOW + 99), "token.not_yet_valid", &["claim=\"nbf\"", "99 s in the future"]),
        (|t| t.claim("iat", NOW + 99), "token.issued_in_future", &["claim=\"iat\"", "99 s in the future"]),
        (|t| t.claim("iat", NOW * 1000), "token.issued_in_future", &["claim=\"iat\"", "milliseconds"]),
        (
            |t| t.claim("scope", json!([SECRET])),
            "token.invalid_claim",
            &["claim=\"scope\"", "an array", "allow_scope_array()"],
        ),
        (
            |t| t.claim("sub", json!({ "a": SECRET })),
            "token.invalid_claim",
            &["claim=\"sub\"", "an object", "a string"],
        ),
        (|t| t.claim("exp", SECRET), "token.invalid_claim", &["claim=\"exp\"", "a string", "seconds since the epoch"]),
        (|t| t.without("cnf"), "confirmation.missing", &["claim=\"cnf\"", "AllowBearer"]),
    ];
    for (change, code, parts) in rows {
        let (log, _guard) = Log::capture(Level::DEBUG);
        let answer =
            api.with_token(&change(api.token().claim("secret", SECRET)).mint()).await.is(Expected::Token, code);
        let answer = answer.coded(code, code);
        let log = log.take();
        for part in parts {
            assert!(log.contains(part), "ERR-10 {code}: {part} in {log}");
        }
        assert!(log.contains(code) && !log.contains(SECRET), "ERR-11 {log}");
        let headers = format!("{:?}", answer.headers);
        assert!(!headers.contains(SECRET), "ERR-11 {headers}");
        let coarse = ["The access token is not valid", "The access token is not bound to a key"];
        assert!(coarse.iter().any(|text| headers.contains(text)), "ERR-10 tokens get coarse messages: {headers}");
    }
}

/// ERR-10: a client learns what is wrong with its own proof. The log also says what to change.
#[tokio::test]
async fn the_response_names_what_is_wrong_with_a_proof() {
    let api = api();
    type Change = fn(ProofMint) -> ProofMint;
    let rows: [(Change, &str, &str, &[&str]); 24] = [
        (|p| p.without("jti"), "proof.missing_claim", "The DPoP proof has no jti", &["claim=\"jti\""]),
        (|p| p.without("htm"), "proof.missing_claim", "The DPoP proof has no htm", &["claim=\"htm\""]),
        (|p| p.without("htu"), "proof.missing_claim", "The DPoP proof has no htu", &["claim=\"htu\""]),
        (|p| p.without("iat"), "proof.missing_claim", "The DPoP proof has no iat", &["claim=\"iat\""]),
        (
            |p| p.without("ath"),
            "proof.ath_missing",
            "The DPoP proof has no ath",
            &["claim=\"ath\"", "found=\"nothing\""],
        ),
        (|p| p.claim("iat", SECRET), "proof.invalid_claim", "iat has the wrong type", &["a string", "seconds since"]),
        (|p| p.claim("jti", 1), "proof.invalid_claim", "jti has the wrong type", &["found=\"a number\""]),
        (|p| p.jti(""), "proof.jti_length", "jti is empty or too long", &["1 to 256 bytes", "max_jti_len"]),
        (|p| p.method(SECRET), "proof.htm_mismatch", "htm is not the method of the request", &["claim=\"htm\""]),
        (
            |p| p.url("https://s3cret-value/notes"),
            "proof.htu_mismatch",
            "htu is not https://api.example/notes",
            &["claim=\"htu\"", "expected=\"https://api.example/notes\"", ".public_origin("],
        ),
        (|p| p.url(SECRET), "proof.htu_invalid", "htu is not https://api.example/notes", &["claim=\"htu\""]),
        (
            |p| p.issued_at(NOW - 95),
            "proof.iat_too_old",
            "iat is 95 s in the past",
            &["95 s in the past", "at most 60 s in the past", "clock is 95 s behind", "proof_max_age"],
        ),
        (|p| p.issued_at(NOW - 7200), "proof.iat_too_old", "iat is 7200 s in the past", &["whole hours"]),
        (|p| p.issued_at(1), "proof.iat_too_old", "in the past", &["another unit than seconds"]),
        (
            |p| p.issued_at(NOW + 45),
            "proof.iat_in_future",
            "iat is 45 s in the future",
            &["45 s in the future", "at most 30 s", "clock is 45 s ahead", "clock_skew"],
        ),
        (|p| p.issued_at(NOW + 3600), "proof.iat_in_future", "3600 s in the future", &["whole hours"]),
        (
            |p| p.issued_at(NOW * 1000),
            "proof.iat_milliseconds",
            "iat is in milliseconds instead of seconds",
            &["found=\"milliseconds\"", "NumericDate counts seconds"],
        ),
        (|p| p.claim("exp", NOW - 60), "proof.expired", "expired 60 s ago", &["claim=\"exp\""]),
        (|p| p.claim("nbf", NOW + 60), "proof.not_yet_valid", "not valid for another 60 s", &["claim=\"nbf\""]),
        (|p| p.for_token(SECRET), "proof.ath_mismatch", "ath is not the hash of the access token", &["claim=\"ath\""]),
        (|p| p.header("typ", "JWT"), "proof.typ", "typ is not dpop+jwt", &["claim=\"typ\"", "expected=\"dpop+jwt\""]),
        (|p| p.header("alg", "HS256"), "proof.alg", "alg is not accepted", &["proof_algorithms", "expected=\"ES256"]),
        (|p| p.without_header("jwk"), "proof.jwk_missing", "has no jwk", &["claim=\"jwk\""]),
        (ProofMint::tampered_signature, "proof.signature", "signature does not verify", &["DER"]),
    ];
    for (change, code, description, parts) in rows {
        let (log, _guard) = Log::capture(Level::DEBUG);
        let answer = api.with_proof(|proof| change(proof.claim("secret", SECRET))).await.is(Expected::Proof, code);
        let answer = answer.coded(code, code);
        let challenge = answer.challenges()[0];
        assert!(challenge.contains(description), "ERR-10 {code}: {description} in {challenge}");
        assert!(!challenge.contains(SECRET), "ERR-07 {challenge}");
        let log = log.take();
        for part in parts {
            assert!(log.contains(part), "ERR-10 {code}: {part} in {log}");
        }
        assert!(log.contains(code) && !log.contains(SECRET), "ERR-11 {log}");
    }
    let used = api.token().mint();
    let proof = api.proof(&used).mint();
    api.with(&used, &proof).await.is(Expected::Ok, "the twin");
    let again = api.with(&used, &proof).await.is(Expected::Proof, "replayed");
    assert!(again.challenges()[0].contains("The DPoP proof was used before"), "ERR-10");
}

/// ERR-07: the URL stands there only when it fits, and always without its query.
#[tokio::test]
async fn the_expected_url_in_a_challenge_is_canonical_and_short() {
    let api = api();
    let long = format!("/{}", "a".repeat(400));
    for (path, expected) in [
        ("/notes?q=s3cret", Some("https://api.example/notes\"")),
        ("/%7enotes|x", Some("https://api.example/~notes%7Cx\"")),
        (long.as_str(), None),
    ] {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url("https://api.example/other").mint());
        *request.uri_mut() = path.parse().unwrap();
        let answer = api.send(request).await.is(Expected::Proof, path);
        let challenge = answer.challenges()[0];
        match expected {
            Some(expected) => assert!(challenge.contains(expected), "ERR-07 {challenge}"),
            None => assert!(challenge.contains("htu is not the URL of the request"), "ERR-07 {challenge}"),
        }
        assert!(!challenge.contains("s3cret"), "ERR-07 {challenge}");
    }
}

/// ERR-10, ERR-15: with the development option the problem document has everything; without it, no more than the
/// challenge.
#[tokio::test]
async fn problem_documents_explain_rejections_when_configured() {
    use http_body_util::BodyExt;
    let problem = async |api: &Api, token: &str, proof: &str| -> serde_json::Value {
        let app = axum::Router::new().layer(PopLayer::new(api.cfg.clone()));
        let request = request(token, proof).map(|()| axum::body::Body::empty());
        let response = app.oneshot(request).await.unwrap();
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    };
    let (log, guard) = Log::capture(Level::DEBUG);
    let explaining = api_with(tower_pop::PopConfigBuilder::explain_rejections);
    assert!(log.take().contains("for development only"), "the option is logged");
    drop(guard);
    let silent = api();
    for api in [&explaining, &silent] {
        let token = api.token().without("client_id").mint();
        let document = problem(api, &token, &api.proof(&token).mint()).await;
        let proven = api.token().mint();
        let off = problem(api, &proven, &api.proof(&proven).url("https://wrong.example/").mint()).await;
        if std::ptr::eq(api, &explaining) {
            let expected = json!({
                "title": "Unauthorized", "status": 401, "detail": "The access token is not valid",
                "error": "invalid_token", "code": "token.missing_claim", "claim": "client_id", "found": "nothing",
                "remedy": "`IssuerConfig::client_id_claim(..)` if another claim names the client, or `IssuerConfig::allow_missing_client_id()`",
            });
            assert_eq!(document, expected, "ERR-15");
            assert_eq!((&off["code"], &off["claim"]), (&json!("proof.htu_mismatch"), &json!("htu")));
            assert_eq!(off["expected"], "https://api.example/notes");
        } else {
            assert_eq!(document.as_object().unwrap().len(), 4, "ERR-10 {document}");
            assert_eq!(off.as_object().unwrap().len(), 4, "ERR-10 {off}");
        }
    }
}

/// an issuer that puts symmetric keys into its tokens is an error. A forged token with one is not, because anyone
/// can make it.
#[tokio::test]
async fn logs_symmetric_keys_as_an_error_only_when_the_issuer_signed_them() {
    let symmetric = json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I" } });
    let api = api();
    let token = |mint: TokenMint| mint.claim("cnf", symmetric.clone());
    let (log, _guard) = Log::capture(Level::DEBUG);
    api.with_token(&token(api.token()).tampered_signature().mint()).await.is(Expected::Token, "forged");
    assert!(!log.take().contains("ERROR"), "X-61 a forged token");
    api.with_token(&token(api.token()).mint()).await.is(Expected::Token, "signed");
    let line = log.take();
    assert!(line.contains("ERROR") && line.contains("symmetric keys") && line.contains("https://as.example"), "{line}");
    assert!(!line.contains("c2VjcmV0"), "ERR-11 {line}");

    // Without keys in memory, the claims are checked before the signature.
    let server = pop_authserver::TestAuthServer::offline_at("https://as.example", NOW);
    let issuer = IssuerConfig::new(server.issuer()).jwks_uri("https://127.0.0.1:1/jwks");
    let api = api_for(server, issuer, |builder| builder);
    api.with_token(&token(api.token()).mint()).await.is(Expected::Token, "the signature is not verified yet");
    assert!(!log.take().contains("ERROR"), "X-61 a token that is not verified");
}

/// The table of codes in the guides, the list in the code and the codes of the errors are the same.
#[test]
fn every_code_is_documented_with_its_meaning_and_remedy() {
    const HEAD: &str = "| code | meaning | what to change |";
    let guide =
        files("docs", "md").into_iter().map(read).find(|guide| guide.contains(HEAD)).expect("the table of codes");
    let (_, table) = guide.split_once(HEAD).unwrap();
    let documented: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        CODES.iter().map(|code| format!("| `{}` | {} | {} |", code.code, code.meaning, code.remedy)).collect();
    for line in &expected {
        assert!(documented.contains(&line.as_str()), "the guide lacks: {line}");
    }
    assert_eq!(documented.len(), expected.len(), "the guide has rows that are no codes");

    let mut sources: Vec<String> = [
        "binding",
        "claim",
        "confirmation",
        "content",
        "credential",
        "dpop",
        "nonce",
        "replay",
        "signature",
        "signed_request",
        "token",
        "unavailable",
    ]
    .map(|file| read(format!("crates/pop-core/src/error/{file}.rs")))
    .into();
    sources.extend(["scope", "step_up"].map(|file| read(format!("crates/pop-core/src/{file}.rs"))));
    let mut codes: Vec<String> = sources.iter().flat_map(|source| literals(source)).collect();
    // Codes that several errors share come from macros, which each error calls with its own area.
    for shared in read("crates/pop-core/src/error/mod.rs").split("macro_rules! ").skip(1) {
        let (name, body) = shared.split_once(' ').unwrap();
        let call = format!("{name}!(\"");
        for call in sources.iter().flat_map(|source| source.split(&call).skip(1)) {
            let (area, _) = call.split_once('"').unwrap();
            let suffixes = body.split("concat!($prefix, \"").skip(1).map(|rest| rest.split('"').next().unwrap());
            codes.extend(suffixes.map(|suffix| format!("{area}{suffix}")));
        }
    }
    codes.sort();
    codes.dedup();
    let mut listed: Vec<&str> = CODES.iter().map(|code| code.code).collect();
    listed.sort_unstable();
    assert_eq!(codes, listed, "the codes of the errors, and those of error/help.rs");
}

/// String literals of the form `word.word_word`.
fn literals(source: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        text.split_once('.').is_some_and(|(area, reason)| {
            let word =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            word(area) && word(reason)
        })
    };
    source.split('"').skip(1).step_by(2).filter(is_code).map(ToOwned::to_owned).collect()
}
