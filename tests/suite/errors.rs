//! Statuses and challenges (RFC 9449 §7.1, RFC 6750 §3, RFC 9728 §5.1).

use tower_pop::Mode;

use crate::support::{Expected, NOW, api, api_with, request};

const METADATA: &str = r#"resource_metadata="https://api.example/.well-known/oauth-protected-resource""#;
const ALGS: &str = r#"algs="ES256 ES384 Ed25519 EdDSA PS256 RS256""#;

fn bare() -> http::Request<()> {
    http::Request::get("/notes").body(()).unwrap()
}

/// ERR-01, ERR-02, ERR-04, ERR-09, META-11: each challenge names the metadata, and none has an error.
#[tokio::test]
async fn a_request_without_credentials_gets_a_challenge_for_every_enabled_scheme() {
    let answer = api().send(bare()).await.is(Expected::NoCredentials, "ERR-02");
    assert_eq!(answer.challenges(), [format!("DPoP {ALGS}, {METADATA}")], "META-05 META-11");
    let mixed = api_with(|builder| builder.mode(Mode::AllowBearer));
    let answer = mixed.send(bare()).await.is(Expected::NoCredentials, "ERR-02");
    let bearer = format!("Bearer realm=\"https://api.example\", {METADATA}");
    assert_eq!(answer.challenges(), [format!("DPoP {ALGS}, {METADATA}"), bearer], "ERR-04 ERR-09 D-12 D-13");
}

/// ERR-03: where the scheme is ambiguous, every challenge has the error.
#[tokio::test]
async fn the_error_stands_in_the_challenge_of_the_scheme_used() {
    let api = api_with(|builder| builder.mode(Mode::AllowBearer));
    let mut bearer = request("garbage", "x");
    bearer.headers_mut().insert("authorization", "Bearer garbage".parse().unwrap());
    let answer = api.send(bearer).await.is(Expected::Token, "ERR-03");
    assert!(answer.challenges()[0].contains("error") && !answer.challenges()[1].contains("error"), "ERR-03 Fig 17");
    let answer = api.with("garbage", "x").await.is(Expected::Proof, "ERR-03");
    assert!(answer.challenges()[0].contains("error") && !answer.challenges()[1].contains("error"), "ERR-03");
    let mut both = request("a", "x");
    both.headers_mut().append("authorization", "Bearer b".parse().unwrap());
    let answer = api.send(both).await.is(Expected::BadRequest, "ATK-03 Fig 19");
    assert!(
        answer.challenges().iter().all(|challenge| challenge.contains("invalid_request")),
        "ERR-03 ambiguous: in all"
    );
}

/// ERR-03, ERR-09, D-13: some clients read only the first challenge.
#[tokio::test]
async fn the_challenge_of_the_scheme_used_comes_first() {
    let api = api_with(|builder| builder.mode(Mode::AllowBearer).reject_token_in_query());
    let send = async |path: &str, authorization: &[&str]| {
        let mut request = http::Request::get(path).body(()).unwrap();
        for value in authorization {
            request.headers_mut().append("authorization", value.parse().unwrap());
        }
        api.send(request).await
    };
    let bound = format!("Bearer {}", api.token().mint());
    for (row, path, authorization, first, error) in [
        ("a token that is not valid", "/notes", &["Bearer garbage"][..], "Bearer", "invalid_token"),
        ("in any case", "/notes", &["bEARER garbage"], "Bearer", "invalid_token"),
        ("a bound token as Bearer", "/notes", &[&*bound], "Bearer", "invalid_token"),
        ("DPoP without a proof", "/notes", &["DPoP garbage"], "DPoP", "invalid_dpop_proof"),
        ("malformed Bearer", "/notes", &["Bearer a b"], "Bearer", "invalid_request"),
        ("malformed DPoP", "/notes", &["DPoP a, b"], "DPoP", "invalid_request"),
        ("Bearer, then DPoP", "/notes", &["Bearer a", "DPoP b"], "Bearer", "invalid_request"),
        ("DPoP, then Bearer", "/notes", &["DPoP a", "Bearer b"], "DPoP", "invalid_request"),
        ("a token in the query", "/notes?access_token=a", &["Bearer b"], "Bearer", "invalid_request"),
        ("the same without a scheme", "/notes?access_token=a", &[], "DPoP", "invalid_request"),
        ("a scheme that is not enabled", "/notes", &["PoP a"], "DPoP", "invalid_token"),
        ("another scheme", "/notes", &["Basic a"], "DPoP", ""),
        ("no credentials", "/notes", &[], "DPoP", ""),
    ] {
        let answer = send(path, authorization).await;
        let challenges = answer.challenges();
        let schemes: Vec<&str> = challenges.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let expected = if first == "DPoP" { ["DPoP", "Bearer"] } else { ["Bearer", "DPoP"] };
        assert_eq!(schemes, expected, "D-13 ERR-03 ERR-09 {row}");
        assert!(challenges[0].contains(error), "D-13 ERR-03 {row}: {challenges:?}");
        assert_eq!(challenges[0].contains("error="), !error.is_empty(), "ERR-02 {row}: {challenges:?}");
    }
    let strict = self::api();
    let mut bearer = bare();
    bearer.headers_mut().insert("authorization", "Bearer a".parse().unwrap());
    let answer = strict.send(bearer).await.is(Expected::Token, "Bearer is no scheme here");
    assert!(answer.challenges().len() == 1 && answer.challenges()[0].starts_with("DPoP "), "CNF-12");
}

/// ERR-05, ERR-06, ERR-08: each error has its status and code, and no parameter occurs twice.
#[tokio::test]
async fn every_challenge_is_well_formed() {
    let api = api_with(|builder| builder.mode(Mode::AllowBearer));
    let token = api.token().mint();
    let answers = [
        api.send(bare()).await,
        api.with("garbage", &api.proof("garbage").mint()).await.is(Expected::Token, "ERR-06"),
        api.with_proof(|proof| proof.method("PUT")).await.is(Expected::Proof, "ERR-06"),
        api.with(&token, "").await,
        api.with(&token, &api.proof(&token).issued_at(NOW - 100).mint()).await,
    ];
    for answer in answers {
        for challenge in answer.challenges() {
            let (scheme, parameters) = challenge.split_once(' ').unwrap();
            assert!(scheme == "DPoP" || scheme == "Bearer");
            let mut names = Vec::new();
            for parameter in parameters.split("\", ") {
                let (name, value) = parameter.split_once("=\"").unwrap();
                assert!(!names.contains(&name), "ERR-08 {challenge}");
                names.push(name);
                let quoted = value.trim_end_matches('"').bytes();
                assert!(quoted.clone().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "ERR-07");
            }
        }
    }
}

/// ERR-07, ERR-10, X-66: no byte of a token, proof or claim reaches the response.
#[tokio::test]
async fn reflects_nothing_of_a_request() {
    let api = api();
    let evil = "EVIL\r\nSet-Cookie: a=b\"\\\u{1f600}";
    let token = api.token();
    for answer in [
        api.with_token(&token.clone().claim("iss", evil).mint()).await,
        api.with_token(&token.clone().audience(evil).mint()).await,
        api.with_token(&token.clone().header("kid", evil).mint()).await,
        api.with_token(&token.clone().header("alg", evil).mint()).await,
        api.with_proof(|proof| proof.claim("htm", evil)).await,
        api.with_proof(|proof| proof.claim("htu", evil)).await,
        api.with_proof(|proof| proof.header("typ", evil)).await,
        api.with("EVIL", "EVIL").await,
    ] {
        assert_eq!(answer.status, 401);
        let text = format!("{:?}", answer.headers);
        assert!(!text.contains("EVIL") && !answer.headers.contains_key("set-cookie"), "ERR-07 X-66 {text}");
    }
}

/// ERR-15: RFC 9457, with the error in the extensions of the response.
#[tokio::test]
async fn bodies_for_axum_are_problem_documents() {
    use axum::{Router, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let api = api();
    let app =
        || Router::new().route("/notes", get(|| async { "notes" })).layer(tower_pop::PopLayer::new(api.cfg.clone()));
    let send = |request: http::Request<()>| {
        let app = app();
        async move {
            let response = app.oneshot(request.map(|()| axum::body::Body::empty())).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        }
    };
    let (parts, body) = send(request("garbage", "x")).await;
    assert_eq!(parts.headers["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let expected = serde_json::json!({
        "status": 401, "title": "Unauthorized", "error": "invalid_dpop_proof", "detail": "The DPoP proof is not valid",
    });
    assert_eq!(problem, expected, "ERR-15");
    assert_eq!(parts.extensions.get::<tower_pop::Error>().unwrap().code(), "proof.not_compact");
    let token = api.token().mint();
    let (parts, body) = send(request(&token, &api.proof(&token).mint())).await;
    assert_eq!((parts.status.as_u16(), &body[..]), (200, &b"notes"[..]), "the twin");
}

#[tokio::test]
async fn a_rejection_handler_renders_its_own_response_and_keeps_the_challenge() {
    use tower::{Layer, ServiceExt, service_fn};
    let api = api();
    let layer = tower_pop::PopLayer::new(api.cfg.clone())
        .on_rejection(|rejection, _| rejection.to_response().map(|()| rejection.error().code().to_owned()));
    let inner = service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::from("inner")))
    });
    let response = layer.layer(inner).oneshot(bare()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_str()), (401, "credential.missing"));
    assert!(response.headers().contains_key("www-authenticate"));
    let token = api.token().mint();
    let response = layer.layer(inner).oneshot(request(&token, &api.proof(&token).mint())).await.unwrap();
    assert_eq!(response.body(), "inner", "the twin");
}
