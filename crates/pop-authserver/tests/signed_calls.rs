//! Calls with every kind of proof: from the token request of the client to the layer in front of the application.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::{Json, Router, ServiceExt};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Uri};
use pop_authserver::{Algorithm, AuthServerBuilder, Client, DpopKey, ResourceServer, TestAuthServer};
use pop_client::{BoundClient, Challenge, ClientError, TokenBinding, TokenClient, TokenRequestKey};
use serde_json::{Value, json};
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_pop::{NoncePolicy, PopConfig, PopConfigBuilder, PopLayer, ProofKind, VerifiedToken};

use support::{kek, keks};

const CONTENT: &str = r#"{"note":"buy milk"}"#;

const EVERY_BINDING: [(TokenBinding, &str); 5] = [
    (TokenBinding::Dpop, "dpop"),
    (TokenBinding::HttpSig, "httpsig"),
    (TokenBinding::Pop, "pop"),
    (TokenBinding::PopThumbprint, "pop"),
    (TokenBinding::SharedKey, "hmac"),
];

/// Changes a request on its way.
type Tamper = fn(Request) -> Request;

/// A resource that echoes content, behind something that may change requests.
struct Api {
    server: TestAuthServer,
    url: String,
    tamper: Arc<Mutex<Option<Tamper>>>,
    /// The heads of the requests that arrived, before they were changed.
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Api {
    async fn start(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Self {
        Self::start_with(TestAuthServer::defaults(), configure).await
    }

    async fn start_with(
        server: AuthServerBuilder,
        configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let jwks = json!({ "keys": [kek("api")] }).to_string();
        let resource = ResourceServer::new(&url).key_encryption_keys(&jwks).unwrap();
        let server = TestAuthServer::start_with(server.resource(resource)).await;
        let kinds = [ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac];
        let cfg = PopConfig::builder(server.issuer(), &url).proofs(kinds).key_encryption_keys(keks(&["api"]));
        let cfg = configure(cfg.explain_rejections()).build().unwrap();
        let app = Router::new().fallback(echo).layer(PopLayer::new(cfg).verify_content());
        let api = Self { server, url, tamper: Arc::default(), seen: Arc::default() };
        let (tamper, seen) = (Arc::clone(&api.tamper), Arc::clone(&api.seen));
        let between = MapRequestLayer::new(move |request: Request| {
            seen.lock().unwrap().push(request.headers().clone());
            match *tamper.lock().unwrap() {
                Some(tamper) => tamper(request),
                None => request,
            }
        });
        let app = between.layer(app);
        tokio::spawn(async move { axum::serve(listener, ServiceExt::<Request>::into_make_service(app)).await });
        api
    }

    /// A client with a token of this binding.
    async fn client(&self, binding: TokenBinding) -> BoundClient {
        let builder = TokenClient::builder(self.server.issuer(), "app").binding(binding);
        let client = builder.build(DpopKey::generate(Algorithm::ES256).unwrap()).await.unwrap();
        let token = client.client_credentials(None, Some(&self.url)).await.unwrap();
        client.bound_client(&token).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn tamper(&self, tamper: Option<Tamper>) {
        *self.tamper.lock().unwrap() = tamper;
    }

    fn seen(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Tells what was verified, and which content arrived.
async fn echo(token: VerifiedToken, content: String) -> Json<Value> {
    let covered: Vec<&str> = token.proof().covered().collect();
    Json(json!({ "kind": token.proof().kind().as_str(), "covered": covered, "content": content }))
}

async fn accepted(request: pop_client::RequestBuilder, row: &str) -> Value {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{row} {text}");
    serde_json::from_str(&text).unwrap()
}

/// Returns the code of a rejection and the first challenge.
async fn rejected(request: pop_client::RequestBuilder, row: &str) -> (String, Challenge) {
    let response = request.send().await.unwrap();
    let challenges = Challenge::from_headers(response.headers());
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 401, "{row} {text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    (problem["code"].as_str().unwrap().to_owned(), challenges[0].clone())
}

/// CLI-16, CLI-17, SYM-07: tokens of every binding are used as they need it. Two requests never have the same proof.
#[tokio::test]
async fn calls_a_resource_with_every_kind_of_token() {
    let api = Api::start(|cfg| cfg).await;
    for (binding, kind) in EVERY_BINDING {
        let client = api.client(binding).await;
        let row = format!("{binding:?}");
        for (request, content) in [
            (client.get(api.url("/notes?filter[name]=caf\u{e9} x&b=")), ""),
            (client.get(api.url("/a|b/caf\u{e9}")), ""),
            (client.post(api.url("/notes?a=1")).body(CONTENT), CONTENT),
            (client.put(api.url("/notes/1")).json(&json!({ "note": "buy milk" })), CONTENT),
            (client.patch(api.url("/notes/1")).body(""), ""),
            (client.delete(api.url("/notes/1")), ""),
        ] {
            let said = accepted(request, &row).await;
            assert_eq!((&said["kind"], &said["content"]), (&json!(kind), &json!(content)), "{row} {said}");
        }
        let seen = api.seen();
        let mut proofs: Vec<_> = seen.iter().map(|head| (&head["authorization"], head.get("signature"))).collect();
        if binding == TokenBinding::Dpop {
            proofs = seen.iter().map(|head| (&head["dpop"], None)).collect();
        }
        for (at, proof) in proofs.iter().enumerate() {
            assert!(!proofs[..at].contains(proof), "CLI-16 {row}");
        }
        assert!(!format!("{client:?}").contains("eyJ"), "CLI-11");
    }
}

/// AS-23: the key that signed the token request signs the requests to the resource.
#[tokio::test]
async fn calls_a_resource_with_the_token_of_a_signed_token_request() {
    let registered = DpopKey::generate(Algorithm::PS512).unwrap();
    let mut jwk = registered.public_jwk();
    (jwk["kid"], jwk["alg"]) = (json!("2026"), json!("PS512"));
    let client = Client::public("registered").signature_keys(&json!({ "keys": [jwk] })).unwrap();
    let api = Api::start_with(TestAuthServer::defaults().client(client), |cfg| cfg).await;
    let mut rows = vec![("registered", registered, TokenRequestKey::Registered("2026".to_owned()))];
    for algorithm in [Algorithm::Ed25519, Algorithm::ES256, Algorithm::ES384] {
        rows.push(("app", DpopKey::generate(algorithm).unwrap(), TokenRequestKey::InRequest));
    }
    for (id, key, named) in rows {
        let row = format!("AS-23 {}", key.algorithm());
        let builder = TokenClient::builder(api.server.issuer(), id).binding(TokenBinding::HttpSig);
        let client = builder.sign_token_requests(named).build(key).await.unwrap();
        let token = client.client_credentials(None, Some(&api.url)).await.unwrap();
        let bound = client.bound_client(&token).unwrap();
        let said = accepted(bound.post(api.url("/notes?a=1")).body(CONTENT), &row).await;
        assert_eq!((&said["kind"], &said["content"]), (&json!("httpsig"), &json!(CONTENT)), "{row}");
        assert!(api.seen()[0]["authorization"].to_str().unwrap().starts_with("HTTPSig "), "{row}");
        api.tamper(Some(|request| to(request, "/notes?a=2")));
        let (code, _) = rejected(bound.post(api.url("/notes?a=1")).body(CONTENT), &row).await;
        assert_eq!(code, "signature.invalid", "{row}");
        api.tamper(None);
        api.seen();
    }
}

/// CLI-16, SIG-06, SIG-10, SIG-23, SHR-07, SHR-09, SHR-10: what is covered, with and without content.
#[tokio::test]
async fn covers_the_request_the_content_and_named_fields() {
    let api = Api::start(|cfg| cfg).await;
    let signed = ["@method", "@target-uri", "authorization"];
    for (binding, plain, content) in [
        (TokenBinding::HttpSig, &signed[..], "content-digest"),
        (TokenBinding::SharedKey, &signed, "content-digest"),
        (TokenBinding::Pop, &["m", "u", "p"], "b"),
        (TokenBinding::PopThumbprint, &["m", "u", "p"], "b"),
    ] {
        let client = api.client(binding).await;
        let row = format!("{binding:?}");
        let said = accepted(client.get(api.url("/notes")), &row).await;
        assert_eq!(said["covered"], json!(plain), "CLI-16 {row}");
        let request = client.post(api.url("/notes")).json(&json!({ "note": "buy milk" }));
        let request = request.cover(CONTENT_TYPE).header(ACCEPT, HeaderValue::from_static("a/b")).cover(ACCEPT);
        let said = accepted(request, &row).await;
        let mut covered: Vec<&str> = said["covered"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        let mut expected = [plain, &[content]].concat();
        expected.extend(if content == "b" { &["h"][..] } else { &["content-type", "accept"] });
        covered.sort_unstable();
        expected.sort_unstable();
        assert_eq!(covered, expected, "CLI-16 {row}");
        let missing = client.get(api.url("/notes")).cover(CONTENT_TYPE).send().await.unwrap_err();
        assert!(matches!(missing, ClientError::Signature(_) | ClientError::Envelope(_)), "{row} {missing}");
        let input = api.seen().pop().unwrap().get("signature-input").map(|value| value.to_str().unwrap().to_owned());
        for name in ["alg=", "keyid=", "pub="] {
            assert!(!input.as_deref().unwrap_or_default().contains(name), "SIG-10 {row}");
        }
    }
}

fn set(mut request: Request, name: &'static str, value: &'static str) -> Request {
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    request
}

fn to(mut request: Request, target: &'static str) -> Request {
    *request.uri_mut() = Uri::from_static(target);
    request
}

/// CLI-16, CLI-17, X-59: the server sees every change to what is covered, and accepts the request without it.
#[tokio::test]
async fn a_change_on_the_way_is_seen() {
    let api = Api::start(|cfg| cfg).await;
    let rows: [(&str, Tamper); 7] = [
        ("method", |mut request| {
            *request.method_mut() = Method::PUT;
            request
        }),
        ("path", |request| to(request, "/other?a=1")),
        ("query", |request| to(request, "/notes?a=2")),
        ("further parameter", |request| to(request, "/notes?a=1&b=1")),
        ("content", |request| {
            let mut request = request.map(|_| Body::from(r#"{"note":"buy silk"}"#));
            request.headers_mut().remove("content-length");
            request
        }),
        ("no content", |request| {
            let mut request = request.map(|_| Body::empty());
            request.headers_mut().remove("content-length");
            request
        }),
        ("covered field", |request| set(request, "content-type", "text/html")),
    ];
    for binding in [TokenBinding::HttpSig, TokenBinding::Pop, TokenBinding::PopThumbprint, TokenBinding::SharedKey] {
        let client = api.client(binding).await;
        let error = if binding == TokenBinding::HttpSig { "invalid_signature" } else { "invalid_proof" };
        let request = || client.post(api.url("/notes?a=1")).json(&json!({ "note": "buy milk" })).cover(CONTENT_TYPE);
        for (row, tamper) in rows {
            let row = format!("{binding:?} {row}");
            api.tamper(Some(tamper));
            let (code, challenge) = rejected(request(), &row).await;
            assert_eq!(challenge.error(), Some(error), "X-59 {row} {code}");
            api.tamper(None);
            assert_eq!(accepted(request(), &row).await["content"], CONTENT, "{row}");
        }
        api.tamper(Some(|request| set(request, "x-other", "1")));
        accepted(request(), "a field that is not covered").await;
        api.tamper(None);
    }
}

/// CLI-16, SIG-26: a message signature beside DPoP, where the server demands it.
#[tokio::test]
async fn adds_a_message_signature_to_dpop() {
    let api = Api::start(PopConfigBuilder::require_message_signature).await;
    let client = api.client(TokenBinding::Dpop).await;
    let request = |client: &BoundClient| client.post(api.url("/notes?a=1")).body(CONTENT);
    let (code, challenge) = rejected(request(&client), "no signature").await;
    assert_eq!((&*code, challenge.error()), ("signature.missing", Some("invalid_signature")));
    let signing = client.clone().with_message_signature();
    let said = accepted(request(&signing), "signature").await;
    let expected = ["@method", "@target-uri", "authorization", "dpop", "content-digest"];
    assert_eq!((&said["kind"], &said["content"]), (&json!("dpop"), &json!(CONTENT)));
    assert_eq!(said["covered"], json!(expected), "SIG-26");
    accepted(signing.get(api.url("/notes")), "without content").await;
    api.tamper(Some(|request| to(request, "/notes?a=2")));
    let (code, _) = rejected(request(&signing), "X-59 query").await;
    assert_eq!(code, "signature.invalid");
    api.tamper(None);
    let uncovered = client.get(api.url("/notes")).header(ACCEPT, HeaderValue::from_static("a/b")).cover(ACCEPT);
    assert!(matches!(uncovered.send().await, Err(ClientError::FieldsNotCovered)), "rather than silently not");
    let covered = signing.get(api.url("/notes")).header(ACCEPT, HeaderValue::from_static("a/b")).cover(ACCEPT);
    accepted(covered, "a field").await;
}

/// CLI-05, SHR-11, SHR-13: asked for once, then taken from each response. Other kinds don't need one.
#[tokio::test]
async fn sends_the_nonce_of_the_server_in_envelopes() {
    let api = Api::start(|cfg| cfg.nonce(NoncePolicy::Required)).await;
    for (binding, asks) in [
        (TokenBinding::Pop, true),
        (TokenBinding::PopThumbprint, true),
        (TokenBinding::Dpop, true),
        (TokenBinding::HttpSig, false),
        (TokenBinding::SharedKey, false),
    ] {
        let (client, row) = (api.client(binding).await, format!("CLI-05 {binding:?}"));
        accepted(client.post(api.url("/notes?a=1")).body(CONTENT), &row).await;
        assert_eq!(api.seen().len(), if asks { 2 } else { 1 }, "{row}");
        for _ in 0..2 {
            accepted(client.get(api.url("/notes")), &row).await;
        }
        assert_eq!(api.seen().len(), 2, "{row}: the nonce is known");
        let large = Bytes::from(vec![b'x'; 100_000]);
        accepted(client.post(api.url("/notes")).body(large), &row).await;
        assert_eq!(api.seen().len(), 1, "{row}: sent once");
        let other = api.client(binding).await;
        assert_eq!(other.warm_up(api.url("/notes")).await.unwrap(), asks, "{row}");
        accepted(other.get(api.url("/notes")), &row).await;
        assert_eq!(api.seen().len(), 2, "{row}: warmed up");
    }
}
