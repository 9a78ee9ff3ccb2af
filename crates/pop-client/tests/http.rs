//! The client against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use pop_client::{
    Algorithm, Challenge, ClientAuthentication, ClientError, DpopClient, DpopKey, ResourceMetadata, TokenClient,
};
use pop_core::jose::CompactJws;
use serde_json::{Value, json};

struct Seen {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    /// Header and claims of the proof.
    fn proof(&self) -> (Value, Value) {
        let jws = CompactJws::split(self.headers["dpop"].to_str().unwrap(), 8192).unwrap().decode().unwrap();
        (serde_json::from_slice(jws.header()).unwrap(), serde_json::from_slice(jws.payload()).unwrap())
    }

    fn claim(&self, name: &str) -> Value {
        self.proof().1[name].clone()
    }
}

/// Answers to give in order, and what was seen.
type Script = Arc<Mutex<(VecDeque<Response>, Vec<Seen>)>>;

async fn server(answers: Vec<Response>) -> (String, Script) {
    let script: Script = Arc::new(Mutex::new((answers.into(), Vec::new())));
    let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, script)
}

async fn answer(
    State(script): State<Script>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.lock().unwrap();
    script.1.push(Seen { method, path: uri.to_string(), headers, body });
    script.0.pop_front().unwrap_or_else(|| StatusCode::IM_A_TEAPOT.into_response())
}

fn seen(script: &Script) -> Vec<Seen> {
    std::mem::take(&mut script.lock().unwrap().1)
}

fn ok() -> Response {
    StatusCode::OK.into_response()
}

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
        let refused = client().get(&url).send().await;
        assert!(matches!(refused, Err(ClientError::Nonce(_))), "CLI-06 {nonces:?} {refused:?}");
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
        let refused = || {
            let body = Json(json!({ "error": "invalid_grant", "error_description": "expired" }));
            (StatusCode::BAD_REQUEST, body).into_response()
        };
        let token = Json(json!({ "access_token": "at", "token_type": "DPoP", "refresh_token": "rotated" }));
        let answers = vec![with_nonces(token.into_response(), nonces), with_nonces(refused(), nonces)];
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
    let refusal = || {
        let headers = [
            ("www-authenticate", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\""),
            ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ];
        (StatusCode::UNAUTHORIZED, headers).into_response()
    };
    let ((wrong, _), (right, script)) = (server(vec![refusal(), ok()]).await, server(vec![ok()]).await);
    let client = client().follow_server_clock();
    client.get(&wrong).send().await.unwrap();
    client.get(&right).send().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(seen(&script)[0].claim("iat").as_u64().unwrap().abs_diff(now) < 60, "CLI-10");
}

/// CLI-24, CLI-11: `client_secret_post` and `private_key_jwt`.
#[tokio::test]
async fn sends_a_secret_in_the_form_and_a_kid_in_the_assertion() {
    let field = |seen: &Seen, name: &str| -> Vec<String> {
        form_urlencoded::parse(&seen.body).filter(|(own, _)| own == name).map(|(_, value)| value.into_owned()).collect()
    };
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    for (authentication, kid) in [
        (ClientAuthentication::PrivateKeyJwt(key.clone()), Value::Null),
        (ClientAuthentication::PrivateKeyJwtWithKid { key, kid: "k1".to_owned() }, json!("k1")),
    ] {
        let (client, script) = token_client(vec![token("DPoP")], authentication).await;
        client.client_credentials(None, None).await.unwrap();
        let assertion = field(&seen(&script)[0], "client_assertion").remove(0);
        let jws = CompactJws::split(&assertion, 8192).unwrap().decode().unwrap();
        let header: Value = serde_json::from_slice(jws.header()).unwrap();
        assert_eq!(header["kid"], kid, "CLI-24");
    }
    let authentication = ClientAuthentication::SecretPost("s3cret &=".to_owned());
    let (client, script) = token_client(vec![token("DPoP")], authentication).await;
    client.client_credentials(None, None).await.unwrap();
    let seen = &seen(&script)[0];
    assert_eq!(
        (field(seen, "client_id"), field(seen, "client_secret")),
        (vec!["app".to_owned()], vec!["s3cret &=".to_owned()])
    );
    assert!(!seen.headers.contains_key("authorization"), "CLI-24");
    assert!(!format!("{client:?}").contains("s3cret"), "CLI-11");
}

/// CLI-24: each parameter once (RFC 9126).
#[tokio::test]
async fn pushes_an_authorization_request_authenticated_and_with_a_proof() {
    let (url, script) = server(vec![]).await;
    let document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/authorize"),
        "pushed_authorization_request_endpoint": format!("{url}/par"), "require_pushed_authorization_requests": true,
    });
    let ask = || {
        let body = Json(json!({ "error": "use_dpop_nonce" }));
        (StatusCode::BAD_REQUEST, [("dpop-nonce", "n1")], body).into_response()
    };
    let pushed = |body: Value| (StatusCode::CREATED, [("dpop-nonce", "n2")], Json(body)).into_response();
    let good = pushed(json!({ "request_uri": "urn:example:1", "expires_in": "60" }));
    script.lock().unwrap().0.extend([Json(document).into_response(), ask(), good]);
    for (authentication, secrets) in
        [(ClientAuthentication::SecretPost("s3cret".to_owned()), 1), (ClientAuthentication::None, 0)]
    {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::builder(&url, "app").authentication(authentication).build(key).await.unwrap();
        assert!(client.requires_push(), "CLI-24");
        let request = client.authorize("http://127.0.0.1/callback", Some("a b"), Some("https://api.example")).unwrap();
        let pushed_request = client.push(request.clone()).await.unwrap();
        let query = pushed_request.url.query().unwrap();
        assert_eq!(query, "client_id=app&request_uri=urn%3Aexample%3A1", "CLI-24");
        let requests = seen(&script);
        let last = requests.last().unwrap();
        assert_eq!(
            (last.path.as_str(), last.claim("htu"), last.claim("nonce")),
            ("/par", json!(format!("{url}/par")), json!("n1"))
        );
        let form: Vec<(String, String)> = form_urlencoded::parse(&last.body).into_owned().collect();
        let value = |name: &str| -> Vec<&str> {
            form.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(value("client_id"), ["app"], "CLI-24 once");
        assert_eq!(value("client_secret").len(), secrets, "CLI-24");
        assert_eq!(value("dpop_jkt"), [client.key().thumbprint().to_string()], "CLI-24");
        for (name, sent) in request.url.query_pairs() {
            assert_eq!(value(&name), [sent], "CLI-24 {name}");
        }
        let document = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
            "pushed_authorization_request_endpoint": format!("{url}/par"),
            "require_pushed_authorization_requests": true,
        });
        let good = pushed(json!({ "request_uri": "urn:example:1" }));
        script.lock().unwrap().0.extend([Json(document).into_response(), ask(), good]);
    }
    let (client, script) = token_client(vec![], ClientAuthentication::None).await;
    let request = client.authorize("http://127.0.0.1/callback", None, None).unwrap();
    assert!(!client.requires_push());
    assert!(matches!(client.push(request).await, Err(ClientError::Response(_))), "CLI-24 no such endpoint");
    assert!(seen(&script).is_empty());
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
    let refused = client.post(&url).stream(stream()).send().await;
    assert!(matches!(refused, Err(ClientError::BodyNotReplayable)), "CLI-08");
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
    let refusal = "DPoP error=\"insufficient_scope\", scope=\"a b\", algs=\"ES256\"";
    let (url, _) = server(vec![(StatusCode::FORBIDDEN, [("www-authenticate", refusal)]).into_response()]).await;
    let answer = client().get(&url).send().await.unwrap();
    let challenges = Challenge::from_headers(answer.headers());
    assert_eq!((challenges[0].error(), challenges[0].parameter("scope")), (Some("insufficient_scope"), Some("a b")));
}

/// CLI-10: once for each request.
#[tokio::test]
async fn follows_the_clock_of_the_server_when_configured() {
    let refusal = || {
        let headers = [
            ("www-authenticate", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\""),
            ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ];
        (StatusCode::UNAUTHORIZED, headers).into_response()
    };
    let (url, script) = server(vec![refusal(), ok()]).await;
    assert_eq!(client().follow_server_clock().get(&url).send().await.unwrap().status(), 200);
    assert_eq!(seen(&script)[1].claim("iat").as_u64().unwrap() / 60, 1_800_000_000 / 60, "CLI-10");
    let (url, script) = server(vec![refusal(), ok()]).await;
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401, "off by default");
    let (url, second) = server(vec![refusal(), refusal(), ok()]).await;
    assert_eq!(client().follow_server_clock().get(&url).send().await.unwrap().status(), 401, "once only");
    assert_eq!((seen(&script).len(), seen(&second).len()), (1, 2));
}

fn metadata(issuer: &str) -> Response {
    let (token, authorize) = (format!("{issuer}/token"), format!("{issuer}/authorize"));
    Json(json!({ "issuer": issuer, "token_endpoint": token, "authorization_endpoint": authorize })).into_response()
}

async fn token_client(answers: Vec<Response>, authentication: ClientAuthentication) -> (TokenClient, Script) {
    let (url, script) = server(vec![]).await;
    script.lock().unwrap().0.push_back(metadata(&url));
    script.lock().unwrap().0.extend(answers);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let client = TokenClient::discover(&url, "app", authentication, key).await.unwrap();
    seen(&script);
    (client, script)
}

fn token(token_type: &str) -> Response {
    Json(json!({ "access_token": "at", "token_type": token_type, "expires_in": 60 })).into_response()
}

/// CLI-04: `token_type` must be `DPoP`, in any case.
#[tokio::test]
async fn rejects_a_token_of_another_type() {
    for (token_type, accepted) in [("DPoP", true), ("dpop", true), ("Bearer", false), ("N_A", false)] {
        let (client, _) = token_client(vec![token(token_type)], ClientAuthentication::None).await;
        match client.client_credentials(None, None).await {
            Ok(token) => assert!(accepted && token.access_token == "at", "{token_type}"),
            Err(error) => assert!(!accepted && matches!(error, ClientError::TokenType), "{token_type} {error}"),
        }
    }
}

/// CLI-05, X-46: once.
#[tokio::test]
async fn answers_a_nonce_challenge_of_the_token_endpoint() {
    let ask = || {
        let body = Json(json!({ "error": "use_dpop_nonce" }));
        (StatusCode::BAD_REQUEST, [("dpop-nonce", "n1")], body).into_response()
    };
    let (client, script) = token_client(vec![ask(), token("DPoP")], ClientAuthentication::None).await;
    client.client_credentials(None, None).await.unwrap();
    let requests = seen(&script);
    assert_eq!((requests[0].claim("nonce"), requests[1].claim("nonce")), (Value::Null, json!("n1")));
    assert_eq!(requests[1].claim("ath"), Value::Null, "no ath at the token endpoint");
    let (client, _) = token_client(vec![ask(), ask(), token("DPoP")], ClientAuthentication::None).await;
    assert!(matches!(client.client_credentials(None, None).await, Err(ClientError::NonceLoop)), "X-46");
}

/// CLI-12, CLI-19, X-74: the audience of the assertion is the issuer alone.
#[tokio::test]
async fn authenticates_and_refreshes_with_the_same_key() {
    let authentication = ClientAuthentication::PrivateKeyJwt(DpopKey::generate(Algorithm::ES256).unwrap());
    let (client, script) = token_client(vec![token("DPoP"), token("DPoP")], authentication).await;
    client.client_credentials(Some("a b"), Some("https://api.example")).await.unwrap();
    client.refresh("refresh").await.unwrap();
    let requests = seen(&script);
    assert_eq!(requests[0].proof().0["jwk"], requests[1].proof().0["jwk"], "CLI-12");
    let form: Vec<(String, String)> = form_urlencoded::parse(&requests[0].body).into_owned().collect();
    let value = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap();
    let assertion = value("client_assertion");
    let jws = CompactJws::split(&assertion, 8192).unwrap().decode().unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    let endpoint = requests[0].claim("htu");
    assert_eq!(claims["aud"], endpoint.as_str().unwrap().trim_end_matches("/token"), "CLI-19 X-74 the issuer alone");
    assert_eq!((value("scope"), value("resource")), ("a b".to_owned(), "https://api.example".to_owned()));
}

/// CLI-13, CLI-19: `issuer`, `state` and `iss`.
#[tokio::test]
async fn rejects_metadata_and_authorization_responses_of_another_issuer() {
    let (url, script) = server(vec![]).await;
    script.lock().unwrap().0.push_back(metadata("https://other.example"));
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let refused = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await;
    assert!(matches!(refused, Err(ClientError::WrongMetadata("issuer"))), "CLI-13");

    let (client, _) = token_client(vec![token("DPoP")], ClientAuthentication::None).await;
    let request = client.authorize("http://127.0.0.1/callback", Some("a"), None).unwrap();
    let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    let value = |name: &str| query.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(value("code_challenge_method"), "S256");
    assert_eq!(value("dpop_jkt"), client.key().thumbprint().to_string());
    let issuer = request.url.origin().ascii_serialization();
    let back = |state: &str, iss: &str| format!("http://127.0.0.1/callback?code=c&state={state}&iss={iss}");
    for (row, url) in [
        ("state", back("other", &issuer)),
        ("iss", back(&value("state"), "https://evil.example")),
        ("nothing", "http://127.0.0.1/callback".to_owned()),
    ] {
        let refused = client.exchange(&request, &url).await;
        assert!(matches!(refused, Err(ClientError::AuthorizationResponse(_))), "CLI-19 {row}");
    }
    client.exchange(&request, &back(&value("state"), &issuer)).await.unwrap();

    // RFC 9207 §2.4: whether a missing `iss` is a mix-up depends on what the server promises.
    for promised in [false, true] {
        let (url, script) = server(vec![]).await;
        let document = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/authorize"),
            "authorization_response_iss_parameter_supported": promised,
        });
        script.lock().unwrap().0.extend([Json(document).into_response(), token("DPoP")]);
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await.unwrap();
        let request = client.authorize("http://127.0.0.1/callback", None, None).unwrap();
        let state = request.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let without = client.exchange(&request, &format!("http://127.0.0.1/callback?code=c&state={state}")).await;
        match without {
            Ok(_) => assert!(!promised, "CLI-19"),
            Err(error) => assert!(promised && matches!(error, ClientError::AuthorizationResponse(_)), "CLI-19 {error}"),
        }
    }
}

/// CLI-07: and names an algorithm that it accepts.
#[tokio::test]
async fn rejects_a_key_when_the_server_does_not_accept_its_algorithm() {
    for (names, expected) in [
        (json!(["ES256"]), Ok(())),
        (json!(["RS256", "EdDSA"]), Err(Some(Algorithm::EdDSA))),
        (json!(["HS256"]), Err(None)),
    ] {
        let (url, script) = server(vec![]).await;
        let document = json!({ "issuer": url, "token_endpoint": format!("{url}/token"), "dpop_signing_alg_values_supported": names });
        script.lock().unwrap().0.push_back(Json(document).into_response());
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let found = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await.map(drop);
        let found = found.map_err(|error| match error {
            ClientError::Algorithm { preferred } => preferred,
            other => panic!("{other}"),
        });
        assert_eq!(found, expected, "CLI-07 {names}");
    }
}

/// CLI-14: scopes, `acr_values` and `max_age`.
#[tokio::test]
async fn a_new_authorization_asks_for_what_is_missing_and_loses_no_scope() {
    let (client, _) = token_client(vec![], ClientAuthentication::None).await;
    let line = "DPoP error=\"insufficient_user_authentication\", acr_values=\"phr mfa\", max_age=\"60\", scope=\"b c\"";
    let headers: HeaderMap = [(http::header::WWW_AUTHENTICATE, line.parse().unwrap())].into_iter().collect();
    let lacking = Challenge::from_headers(&headers)[0].lacking().unwrap();
    let plain = client.authorize("http://127.0.0.1/callback", Some("a b"), None).unwrap();
    let request = plain.clone().to_satisfy(&lacking);
    let value = |name: &str| {
        let found: Vec<String> =
            request.url.query_pairs().filter(|(own, _)| own == name).map(|(_, value)| value.into_owned()).collect();
        found.join("|")
    };
    assert_eq!(
        (value("acr_values"), value("max_age"), value("scope")),
        ("phr mfa".into(), "60".into(), "a b c".into())
    );
    for (name, expected) in plain.url.query_pairs().filter(|(name, _)| name != "scope") {
        assert_eq!(value(&name), expected, "CLI-14 {name} stays");
    }
}

/// CLI-20: it is sent and never looked into.
#[tokio::test]
async fn an_access_token_may_be_any_string() {
    let odd = "a.b.c~not-a-jwt+/=";
    let answer = Json(json!({ "access_token": odd, "token_type": "DPoP" })).into_response();
    let (client, _) = token_client(vec![answer], ClientAuthentication::None).await;
    let token = client.client_credentials(None, None).await.unwrap();
    let (url, script) = server(vec![ok()]).await;
    assert_eq!(client.http_client(&token).get(&url).send().await.unwrap().status(), 200);
    assert_eq!(seen(&script)[0].headers["authorization"], format!("DPoP {odd}"), "CLI-20");
}

/// CLI-13, META-12, META-01: otherwise a server could speak for another one.
#[tokio::test]
async fn resource_metadata_must_name_the_requested_resource() {
    let (url, script) = server(vec![]).await;
    for (resource, accepted) in [(format!("{url}/notes"), true), ("https://other.example".to_owned(), false)] {
        script.lock().unwrap().0.push_back(Json(json!({ "resource": resource })).into_response());
        let answer = ResourceMetadata::fetch(&format!("{url}/notes")).await;
        assert_eq!(answer.is_ok(), accepted, "CLI-13 META-12 {resource}");
    }
    assert_eq!(seen(&script)[0].path, "/.well-known/oauth-protected-resource/notes", "META-01");
}

/// CLI-11: of all clients and responses.
#[tokio::test]
async fn debug_output_hides_tokens_and_secrets() {
    let (client, _) = token_client(vec![token("DPoP")], ClientAuthentication::SecretBasic("s3cret".into())).await;
    let token = client.client_credentials(None, None).await.unwrap();
    let text = format!("{client:?} {token:?} {:?}", client.http_client(&token));
    assert!(!text.contains("s3cret") && !text.contains("\"at\""), "{text}");
}
