//! Requests to resources, against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::HashSet;

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use pop_client::{Algorithm, Challenge, ClientAuthentication, ClientError, DpopClient, DpopKey};
use serde_json::{Value, json};

use support::script::{ok, seen, server, token, token_client};

fn ask_for(nonce: &'static str) -> Response {
    let headers = [("www-authenticate", "dpop Error=\"use_dpop_nonce\", algs=\"ES256\""), ("dpop-nonce", nonce)];
    (StatusCode::UNAUTHORIZED, headers).into_response()
}

fn redirect(status: u16, to: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("location", to.to_owned())]).into_response()
}

fn client() -> DpopClient {
    DpopClient::new(DpopKey::generate(Algorithm::ES256).unwrap(), "the-token").unwrap()
}

/// CLI-01, CLI-02, CLI-03, CLI-05: each attempt has a new proof with the newest nonce.
#[tokio::test]
async fn sends_dpop_and_answers_a_nonce_challenge_once() {
    let renewed = (StatusCode::OK, [("dpop-nonce", "n2")]).into_response();
    let (url, script) = server(vec![ask_for("n1"), renewed, ok()]).await;
    let client = client();
    assert_eq!(client.get(format!("{url}/a?b=c")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{url}/a")).send().await.unwrap().status(), 200);
    let seen = seen(&script);
    let nonces: Vec<Value> = seen.iter().map(|seen| seen.claim("nonce")).collect();
    assert_eq!(nonces, [Value::Null, json!("n1"), json!("n2")], "CLI-05 the newest one, also from a 200");
    let ids: HashSet<String> = seen.iter().map(|seen| seen.claim("jti").to_string()).collect();
    assert_eq!(ids.len(), 3, "CLI-01 a new proof for each try");
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "DPoP the-token"), "CLI-03");
    assert_eq!(seen[0].claim("htu"), format!("{url}/a"), "CLI-02");
}

/// CLI-05, X-46: no loop of challenges.
#[tokio::test]
async fn gives_up_when_a_second_challenge_follows() {
    let (url, script) = server(vec![ask_for("n1"), ask_for("n2"), ok()]).await;
    assert!(matches!(client().get(&url).send().await, Err(ClientError::NonceLoop)), "X-46");
    assert_eq!(seen(&script).len(), 2);
}

/// CLI-06: none, an empty one, several, or other characters.
#[tokio::test]
async fn a_challenge_without_a_usable_nonce_is_an_error() {
    let (url, script) = server(vec![ask_for("a b")]).await;
    assert!(matches!(client().get(&url).send().await, Err(ClientError::Nonce(_))));
    for nonces in [&[][..], &[""], &["n1", "n1"], &["n1", ""], &["\u{e9}"]] {
        let challenge = [("www-authenticate", "DPoP error=\"use_dpop_nonce\"")];
        script.lock().unwrap().0.push_back(with_nonces((StatusCode::UNAUTHORIZED, challenge).into_response(), nonces));
        let rejected = client().get(&url).send().await;
        assert!(matches!(rejected, Err(ClientError::Nonce(_))), "CLI-06 {nonces:?} {rejected:?}");
    }
}

fn with_nonces(mut response: Response, nonces: &[&str]) -> Response {
    for nonce in nonces {
        response.headers_mut().append("dpop-nonce", http::HeaderValue::from_bytes(nonce.as_bytes()).unwrap());
    }
    response
}

/// CLI-06: the response reaches the caller, and the last good nonce stays.
#[tokio::test]
async fn ignores_malformed_nonces_outside_challenges() {
    for nonces in [&["n1", "n2"][..], &["n1", "n1"], &["", ""], &[""], &["a b"], &["\u{e9}"]] {
        let rejected = || {
            let body = Json(json!({ "error": "invalid_grant", "error_description": "expired" }));
            (StatusCode::BAD_REQUEST, body).into_response()
        };
        let token = Json(json!({ "access_token": "at", "token_type": "DPoP", "refresh_token": "rotated" }));
        let answers = vec![with_nonces(token.into_response(), nonces), with_nonces(rejected(), nonces)];
        let (client, _) = token_client(answers, ClientAuthentication::None).await;
        let token = client.refresh("old").await.unwrap();
        assert_eq!(token.refresh_token.as_deref(), Some("rotated"), "CLI-06 {nonces:?}");
        let error = client.refresh("old").await.unwrap_err();
        assert!(matches!(error, ClientError::OAuth { code, .. } if code == "invalid_grant"), "CLI-06 {nonces:?}");

        let forbidden = StatusCode::FORBIDDEN.into_response();
        let good = with_nonces(ok(), &["fresh"]);
        let (url, script) = server(vec![good, with_nonces(ok(), nonces), with_nonces(forbidden, nonces), ok()]).await;
        let client = self::client();
        for expected in [200, 200, 403, 200] {
            let answer = client.post(&url).body("x").send().await.unwrap();
            assert_eq!(answer.status(), expected, "CLI-06 {nonces:?}");
        }
        let seen = seen(&script);
        assert!(seen[1..].iter().all(|seen| seen.claim("nonce") == "fresh"), "CLI-06 the last good one stays");
    }
}

/// CLI-05, X-46: at both kinds of servers.
#[tokio::test]
async fn reads_nonce_challenges_from_status_400_and_401_in_header_and_body() {
    let by_challenge = |status: StatusCode| {
        let fields = [("www-authenticate", "DPoP error = use_dpop_nonce"), ("dpop-nonce", "n1")];
        (status, fields).into_response()
    };
    let by_body = |status: StatusCode| {
        let body = Json(json!({ "error": "use_dpop_nonce", "error_description": "nonce please" }));
        (status, [("dpop-nonce", "n1")], body).into_response()
    };
    let untyped = |status: StatusCode| {
        let mut response = by_body(status);
        response.headers_mut().remove("content-type");
        response
    };
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED] {
        let kinds: [&dyn Fn(StatusCode) -> Response; 3] = [&by_challenge, &by_body, &untyped];
        for (kind, ask) in kinds.iter().enumerate() {
            let row = format!("CLI-05 {status} {kind}");
            let (url, script) = server(vec![ask(status), ok()]).await;
            let answer = client().post(&url).body("x").send().await.unwrap();
            assert_eq!(answer.status(), 200, "{row} resource");
            assert_eq!(seen(&script)[1].claim("nonce"), "n1", "{row} resource");

            let (client, script) = token_client(vec![ask(status), token("DPoP")], ClientAuthentication::None).await;
            client.client_credentials(None, None).await.unwrap();
            assert_eq!(seen(&script)[1].claim("nonce"), "n1", "{row} token");
            script.lock().unwrap().0.extend([ask(status), ask(status)]);
            let looping = client.client_credentials(None, None).await;
            assert!(matches!(looping, Err(ClientError::NonceLoop)), "{row} {looping:?}");

            let (url, _) = server(vec![ask(status), ask(status), ok()]).await;
            let looping = self::client().get(&url).send().await;
            assert!(matches!(looping, Err(ClientError::NonceLoop)), "{row} X-46");
        }
    }
}

/// CLI-05: status, header, URL and body.
#[tokio::test]
async fn other_errors_reach_the_caller_whole() {
    let long = "x".repeat(100_000);
    for (row, status, body) in [
        ("an OAuth error", 401, r#"{"error":"invalid_token"}"#),
        ("an error of the application", 400, r#"{"error":{"error":"use_dpop_nonce"}}"#),
        ("another status", 403, r#"{"error":"use_dpop_nonce"}"#),
        ("no JSON", 400, "use_dpop_nonce"),
        ("nothing", 401, ""),
        ("long", 400, &long),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = (status, [("content-type", "application/json"), ("x-own", "1")], body.to_owned()).into_response();
        let (url, script) = server(vec![answer]).await;
        let answer = client().get(format!("{url}/a?b=c")).send().await.unwrap();
        assert!(answer.status() == status && answer.headers()["x-own"] == "1", "CLI-05 {row}");
        assert_eq!(answer.url().as_str(), format!("{url}/a?b=c"), "CLI-05 {row}");
        assert_eq!(answer.content_length(), Some(body.len() as u64), "CLI-05 {row}");
        assert_eq!(answer.text().await.unwrap(), body, "CLI-05 {row}");
        assert_eq!(seen(&script).len(), 1, "CLI-05 {row}");
    }
}

/// CLI-21, CLI-02: also after a redirect.
#[tokio::test]
async fn the_proof_names_the_url_that_is_sent() {
    for (path, sent) in [
        ("/notes?filter[name]=x", "/notes?filter[name]=x"),
        ("/a|b[c]^?q|=[1] \u{e9}", "/a%7Cb%5Bc%5D%5E?q|=[1]%20%C3%A9"),
        ("/a b/caf\u{e9}/%2F/100%", "/a%20b/caf%C3%A9/%2F/100%25"),
        ("/a/./b/../c", "/a/c"),
        ("?q=1#fragment", "/?q=1"),
    ] {
        let (url, script) =
            server(vec![redirect(307, &format!("/moved|{}", sent.split('?').next().unwrap())), ok()]).await;
        client().get(format!("{url}{path}")).send().await.unwrap();
        let seen = seen(&script);
        assert_eq!(seen[0].path, sent, "CLI-21");
        for seen in seen {
            let expected = format!("{url}{}", seen.path.split('?').next().unwrap());
            assert_eq!(seen.claim("htu"), expected, "CLI-21 CLI-02 {path}");
            let target = pop_core::target::Origin::parse(&url).unwrap();
            let target = pop_core::target::RequestTarget::new(&target, &seen.path).unwrap();
            assert!(target.matches(&expected).unwrap(), "CLI-21 a strict server understands it");
        }
    }
}

/// CLI-10: the clock of one server says nothing about the clock of another.
#[tokio::test]
async fn keeps_the_clocks_of_servers_apart() {
    let rejection = || {
        let headers = [
            ("www-authenticate", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\""),
            ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ];
        (StatusCode::UNAUTHORIZED, headers).into_response()
    };
    let ((wrong, _), (right, script)) = (server(vec![rejection(), ok()]).await, server(vec![ok()]).await);
    let client = client().follow_server_clock();
    client.get(&wrong).send().await.unwrap();
    client.get(&right).send().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(seen(&script)[0].claim("iat").as_u64().unwrap().abs_diff(now) < 60, "CLI-10");
}

/// A body in two parts that cannot be had a second time.
fn stream() -> reqwest::Body {
    let parts = ["stre", "amed"].map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(part.as_bytes()))));
    reqwest::Body::wrap(StreamBody::new(futures_util::stream::iter(parts)))
}

/// CLI-08: a body that cannot be repeated is not repeated.
#[tokio::test]
async fn sends_a_stream_only_once() {
    let (url, script) = server(vec![ask_for("n1"), ok()]).await;
    let client = client();
    let rejected = client.post(&url).stream(stream()).send().await;
    assert!(matches!(rejected, Err(ClientError::BodyNotReplayable)), "CLI-08");
    assert_eq!(client.post(&url).stream(stream()).send().await.unwrap().status(), 200, "the nonce is known by now");
    let seen = seen(&script);
    assert_eq!((seen.len(), &seen[1].body[..]), (2, &b"streamed"[..]));
}

/// CLI-09: with the method of RFC 9110 §15.4.
#[tokio::test]
async fn follows_redirects_within_the_origin_with_a_new_proof() {
    for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let (url, script) = server(vec![redirect(status, "/moved?x=1"), ok()]).await;
        let answer = client().post(format!("{url}/here")).body("body").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{status}");
        let seen = seen(&script);
        assert_eq!((seen[1].claim("htu"), seen[1].claim("htm")), (json!(format!("{url}/moved")), json!(method)));
        assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), (method, "/moved?x=1"));
        assert_eq!(seen[1].body.is_empty(), method == "GET", "{status}");
    }
}

/// CLI-09: such a redirect is the caller's response.
#[tokio::test]
async fn never_sends_the_token_to_another_origin() {
    let (other, other_script) = server(vec![ok()]).await;
    let (url, _) = server(vec![redirect(307, &format!("{other}/steal"))]).await;
    let answer = client().get(&url).send().await.unwrap();
    assert_eq!(
        (answer.status(), answer.headers()["location"].to_str().unwrap()),
        (StatusCode::TEMPORARY_REDIRECT, &*format!("{other}/steal"))
    );
    assert!(seen(&other_script).is_empty(), "CLI-09 nothing was sent there");
    for to in ["myapp:done", "http://api.example/", "https://[", "http://user:secret@127.0.0.1:9/", "ftp://x/"] {
        let (url, script) = server(vec![redirect(303, to), ok()]).await;
        let answer = client().post(&url).body("x").send().await.unwrap();
        assert_eq!(answer.headers()["location"], to, "CLI-09 the caller's");
        assert_eq!(seen(&script).len(), 1, "CLI-09 {to}");
    }
    let (url, script) = server((0..10).map(|_| redirect(302, "/again")).collect()).await;
    assert!(matches!(client().get(&url).send().await, Err(ClientError::Redirect)), "a loop ends");
    assert_eq!(seen(&script).len(), 6);
}

/// CLI-18, CLI-11: the error shows no password.
#[tokio::test]
async fn accepts_plain_http_for_loopback_only() {
    for url in ["http://api.example/", "ftp://127.0.0.1/", "nonsense", "http://localhost.evil.example"] {
        assert!(matches!(client().get(url).send().await, Err(ClientError::Url(_))), "{url}");
    }
    let with_password = client().get("https://user:secret@api.example/").send().await.unwrap_err();
    assert!(!with_password.to_string().contains("secret"), "CLI-11 {with_password}");
    let (url, _) = server(vec![ok()]).await;
    assert_eq!(client().get(&url).send().await.unwrap().status(), 200, "the twin");
}

/// CLI-14: the caller sees which scope is missing.
#[tokio::test]
async fn other_rejections_are_responses_with_readable_challenges() {
    let rejection = "DPoP error=\"insufficient_scope\", scope=\"a b\", algs=\"ES256\"";
    let (url, _) = server(vec![(StatusCode::FORBIDDEN, [("www-authenticate", rejection)]).into_response()]).await;
    let answer = client().get(&url).send().await.unwrap();
    let challenges = Challenge::from_headers(answer.headers());
    assert_eq!((challenges[0].error(), challenges[0].parameter("scope")), (Some("insufficient_scope"), Some("a b")));
}

/// CLI-10: once for each request.
#[tokio::test]
async fn follows_the_clock_of_the_server_when_configured() {
    let rejection = || {
        let headers = [
            ("www-authenticate", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\""),
            ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ];
        (StatusCode::UNAUTHORIZED, headers).into_response()
    };
    let (url, script) = server(vec![rejection(), ok()]).await;
    assert_eq!(client().follow_server_clock().get(&url).send().await.unwrap().status(), 200);
    assert_eq!(seen(&script)[1].claim("iat").as_u64().unwrap() / 60, 1_800_000_000 / 60, "CLI-10");
    let (url, script) = server(vec![rejection(), ok()]).await;
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401, "off by default");
    let (url, second) = server(vec![rejection(), rejection(), ok()]).await;
    assert_eq!(client().follow_server_clock().get(&url).send().await.unwrap().status(), 401, "once only");
    assert_eq!((seen(&script).len(), seen(&second).len()), (1, 2));
}
