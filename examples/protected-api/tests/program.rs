//! The program as a person runs it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use http::Method;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use pop_client::{ClientAuthentication, TokenClient};
use serde_json::{Value, json};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
    command.args(["--listen", "127.0.0.1:0", "--authserver-listen", "127.0.0.1:0"]).args(args);
    command
}

#[test]
fn the_demonstration_shows_what_is_expected_in_every_configuration() {
    for args in [
        &[][..],
        &["--nonce", "required"],
        &["--preset", "fapi2"],
        &["--preset", "mcp", "--nonce", "required"],
        &["--mode", "optional"],
        &["--mode", "allow-bearer"],
    ] {
        let output = program(args).arg("--once").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{args:?}\n{text}");
        assert!(text.contains("33 of 33 as expected") && !text.contains("NOT AS EXPECTED"), "{args:?}\n{text}");
        assert!(text.contains("stolen token, proof by the thief's key          401 invalid_token"), "{text}");
    }
}

#[test]
fn contradictions_are_named_at_start() {
    for (args, part) in [
        (&["--preset", "fapi2", "--mode", "report-only"][..], "Fapi2"),
        (&["--proof-max-age", "9999"], "proof_max_age is 9999"),
        (&["--issuer", "http://as.example"], "http://as.example"),
        (&["--issuer", "https://as.example", "--public-url", "http://api.example"], "http://api.example"),
    ] {
        let output = program(args).arg("--once").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "{args:?}: {text}");
    }
}

#[test]
fn as_01_the_development_server_stays_on_loopback() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
    let output =
        command.args(["--listen", "127.0.0.1:0", "--authserver-listen", "0.0.0.0:0", "--once"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("not on loopback"), "AS-01 {text}");
}

/// The API for an authorization server of ours, until it is dropped.
struct Api {
    child: Child,
    url: String,
    server: TestAuthServer,
}

impl Api {
    async fn start(args: &[&str]) -> Self {
        let audience = "https://notes.example";
        let builder = TestAuthServer::defaults().audience(audience);
        let server = TestAuthServer::start_with(builder).await;
        let mut command = program(&["--issuer", server.issuer(), "--audience", audience]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url = ready.trim().strip_prefix("ready ").unwrap().to_owned();
        Self { child, url, server }
    }

    async fn client(&self, scope: &str) -> pop_client::DpopClient {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::discover(self.server.issuer(), "app", ClientAuthentication::None, key).await.unwrap();
        let token = client.client_credentials(Some(scope), Some("https://notes.example")).await.unwrap();
        client.http_client(&token)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_an_issuer_that_is_already_there() {
    let api = Api::start(&["--nonce", "required"]).await;
    let client = api.client("notes:read").await;
    for method in [Method::GET, Method::POST, Method::DELETE, Method::PATCH] {
        let answer = client.request(method.clone(), format!("{}/whoami?q=1", api.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{method}");
        let who: Value = answer.json().await.unwrap();
        assert_eq!((&who["iss"], &who["sub"]), (&json!(api.server.issuer()), &json!("app")));
        assert_eq!((&who["aud"], &who["scope"]), (&json!(["https://notes.example"]), &json!("notes:read")));
        assert_eq!(who["proof"]["kind"], "dpop");
        assert_eq!(who["proof"]["jkt"], who["cnf"]["jkt"]);
        assert!(who["proof"]["jti"].is_string());
    }
    assert_eq!(client.get(format!("{}/notes", api.url)).send().await.unwrap().status(), 200);
    assert_eq!(client.post(format!("{}/notes", api.url)).body("x").send().await.unwrap().status(), 403);
    let plain = reqwest::Client::new();
    for (path, status) in
        [("/healthz", 200), ("/.well-known/oauth-protected-resource", 200), ("/notes", 401), ("/x", 404)]
    {
        assert_eq!(plain.get(format!("{}{path}", api.url)).send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dpop_36_nonce_16_browsers_can_read_challenges_and_nonces() {
    let api = Api::start(&["--nonce", "required"]).await;
    let plain = reqwest::Client::new();
    let url = format!("{}/notes", api.url);
    let preflight = plain
        .request(Method::OPTIONS, &url)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,dpop")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200, "DPOP-36 a true preflight reaches the CORS layer");
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("dpop"), "{allowed}");
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.server.token().audience("https://notes.example").bound_to(&key).mint();
    let refused = plain
        .get(&url)
        .header("origin", "https://app.example")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof(&key).url(&url).for_token(&token).mint())
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("dpop-nonce"));
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("www-authenticate") && exposed.contains("dpop-nonce"), "NONCE-16 {exposed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_large_header_lists_work() {
    let api = Api::start(&[]).await;
    let h2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/whoami", api.url);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token =
        api.server.token().audience("https://notes.example").bound_to(&key).claim("pad", "x".repeat(9_000)).mint();
    let send = |url: &str, host: Option<&str>| {
        let mut request = h2
            .get(url)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof(&key).url(url).for_token(&token).mint())
            .header("x-large", "x".repeat(20_000));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.send()
    };
    let answer = send(&url, None).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    assert_eq!(send(&url, Some("evil.example")).await.unwrap().status(), 400, "DPOP-21 :authority and Host differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_can_come_from_a_file() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let server = TestAuthServer::offline("https://as.example");
    let file = std::env::temp_dir().join(format!("poplayer-jwks-{}.json", std::process::id()));
    std::fs::write(&file, server.jwks_json()).unwrap();
    let args = ["--issuer", "https://as.example", "--audience", "https://notes.example", "--jwks-file"];
    let mut child = program(&args).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let url = format!("{}/whoami", ready.trim().strip_prefix("ready ").unwrap());
    let call = |token: String| {
        let proof = proof(&key).url(&url).for_token(&token).mint();
        reqwest::Client::new().get(&url).header("authorization", format!("DPoP {token}")).header("dpop", proof).send()
    };
    let token = server.token().audience("https://notes.example").bound_to(&key);
    let good = call(token.clone().mint()).await.unwrap().status();
    let bad = call(token.expires_in(-100).mint()).await.unwrap().status();
    let _ = (child.kill(), child.wait(), std::fs::remove_file(file));
    assert_eq!((good.as_u16(), bad.as_u16()), (200, 401));
}
