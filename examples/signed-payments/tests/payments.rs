//! The program as users run it, with a client that signs its requests.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use pop_client::Proof;
use pop_core::content::content_digest;
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use reqwest::Request;

const PAYMENT: &str = r#"{"to":"bob","cents":1000}"#;
const CHANGED: &str = r#"{"to":"eve","cents":9999}"#;

struct Api {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
    server: TestAuthServer,
    key: DpopKey,
}

impl Api {
    async fn start() -> Self {
        let server = TestAuthServer::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_signed-payments"));
        let mut child = command.args([server.issuer(), "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap().strip_prefix("ready ").unwrap().to_owned();
        Self { child, lines, url, server, key: DpopKey::generate(Algorithm::ES256).unwrap() }
    }

    /// A request with a DPoP proof, and with a signature by a key over these components.
    fn payment(&self, scope: &str, components: &[&str], by: &DpopKey) -> Request {
        let url = format!("{}/payments", self.url);
        let token = self.server.token().audience(&self.url).scope(scope).bound_to(&self.key).mint();
        let mut request = Request::new("POST".parse().unwrap(), url.parse().unwrap());
        let proof = Proof::new("POST", &url).access_token(&token).sign(&self.key).unwrap();
        for (name, value) in [
            (AUTHORIZATION, format!("DPoP {token}").parse().unwrap()),
            (CONTENT_TYPE, "application/json".parse().unwrap()),
            ("dpop".parse().unwrap(), proof.parse().unwrap()),
            ("content-digest".parse().unwrap(), content_digest(PAYMENT.as_bytes())),
        ] {
            request.headers_mut().insert(name, value);
        }
        *request.body_mut() = Some(PAYMENT.into());
        if components.is_empty() {
            return request;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let origin = Origin::parse(&self.url).unwrap();
        let head = RequestHead::new("POST", &origin, "/payments", request.headers(), now);
        let parameters = SignatureParameters::of(SignatureProfile::Request, now);
        let (input, signature) = sign(&head, "sig", components, &parameters, |base| by.sign(base)).unwrap();
        request.headers_mut().insert("signature-input", input);
        request.headers_mut().insert("signature", signature);
        request
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

async fn send(request: Request) -> (u16, String) {
    let response = reqwest::Client::new().execute(request).await.unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), challenge.unwrap_or_default())
}

const ALL: [&str; 5] = ["@method", "@target-uri", "authorization", "dpop", "content-digest"];

/// SIG-26, X-59: only what was signed reaches the handler.
#[tokio::test(flavor = "multi_thread")]
async fn accepts_a_payment_as_it_was_signed_and_no_other() {
    let mut api = Api::start().await;
    let signed = |components: &[&str]| api.payment("payments:write", components, &api.key);
    let mut changed = signed(&ALL);
    *changed.body_mut() = Some(CHANGED.into());
    let mut digest_changed = signed(&ALL);
    *digest_changed.body_mut() = Some(CHANGED.into());
    digest_changed.headers_mut().insert("content-digest", content_digest(CHANGED.as_bytes()));
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    for (row, request) in [
        ("content changed", changed),
        ("content and digest changed", digest_changed),
        ("no signature", signed(&[])),
        ("content not covered", signed(&ALL[..4])),
        ("proof not covered", signed(&["@method", "@target-uri", "authorization", "content-digest"])),
        ("signed by a thief", api.payment("payments:write", &ALL, &thief)),
    ] {
        let (status, challenge) = send(request).await;
        assert_eq!(status, 401, "{row}");
        assert!(challenge.starts_with("DPoP error=\"invalid_signature\""), "{row}: {challenge}");
    }
    let (status, challenge) = send(api.payment("payments:read", &ALL, &api.key)).await;
    assert!(status == 403 && challenge.contains("insufficient_scope"), "{challenge}");

    let payment = signed(&ALL);
    let again = payment.try_clone().unwrap();
    assert_eq!(send(payment).await.0, 202);
    let (status, challenge) = send(again).await;
    assert!(status == 401 && challenge.contains("invalid_dpop_proof"), "a replay: {challenge}");
    assert_eq!(send(signed(&ALL)).await.0, 202);
    for _ in 0..2 {
        assert_eq!(api.lines.next().unwrap().unwrap(), "app pays 1000 cents to \"bob\"");
    }
}
