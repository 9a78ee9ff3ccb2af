//! The program as users run it.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use http::Method;
use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate, proof};
use pop_client::{ClientAuthentication, ClientCertificate, MtlsClient, TokenClient};
use serde_json::{Value, json};

use support::{AUDIENCE, Files, program};

const TOKEN: &str = "401 invalid_token";

#[test]
fn the_demonstration_shows_what_is_expected_in_every_configuration() {
    for args in [
        &[][..],
        &["--nonce", "required"],
        &["--preset", "fapi2"],
        &["--preset", "mcp", "--nonce", "required"],
        &["--mode", "optional"],
        &["--mode", "allow-bearer"],
        &["--preset", "entra", "--nonce", "required"],
        &["--message-signature", "required", "--body-limit", "1"],
    ] {
        let output = program(args).arg("--once").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{args:?}\n{text}");
        assert!(text.contains("65 of 65 as expected") && !text.contains("NOT AS EXPECTED"), "{args:?}\n{text}");
        assert!(text.contains("stolen token, proof by the thief's key          401 invalid_token"), "{text}");
        for kind in ["HTTPSig", "PoP", "PoP with HMAC", "DPoP and signature"] {
            for (what, response) in
                [("POST with content", "200"), ("content changed", "401 invalid_"), ("token with a flipped bit", TOKEN)]
            {
                let row = format!("{:<48}{response}", format!("{kind}: {what}"));
                assert!(text.contains(&row), "{row}\n{text}");
            }
        }
    }
}

#[test]
fn contradicting_flags_are_named_at_start() {
    for (args, part) in [
        (&["--preset", "fapi2", "--mode", "report-only"][..], "fapi2"),
        (&["--proof-max-age", "9999"], "proof_max_age is 9999"),
        (&["--issuer", "http://as.example"], "http://as.example"),
        (&["--issuer", "https://as.example", "--public-url", "http://api.example"], "http://api.example"),
        (&["--tls-cert", "a.pem", "--tls-key", "b.pem"], "--issuer"),
        (&["--issuer", "https://as.example", "--tls-cert", "a.pem"], "--tls-key"),
        (&["--issuer", "https://as.example", "--tls-cert", "no.pem", "--tls-key", "no.pem"], "no.pem"),
        (&["--issuer", "https://as.example", "--client-cert-any"], "--tls-cert"),
        (&["--issuer", "https://as.example", "--trusted-proxy", "10.0.0.0/8"], "--client-cert-header"),
        (
            &["--issuer", "https://as.example", "--trusted-proxy", "10.0.0.0/8", "--client-cert-header", "x-cert"],
            "x-cert",
        ),
        (&["--issuer", "https://as.example", "--trusted-proxy", "10.0.0.0/99"], "10.0.0.0/99"),
        (&["--issuer", "https://as.example", "--introspection-url", "https://as.example/i"], "client-id"),
        (&["--issuer", "https://as.example", "--issuer-profile", "keyclock"], "keycloak"),
        (&["--issuer", "https://as.example/common", "--issuer-profile", "entra"], "GUID"),
        (&["--issuer", "https://as.example", "--allow-missing", "exp"], "client_id"),
        (&["--issuer", "https://as.example", "--client-id-claim", "sub"], "\"sub\""),
        (&["--issuer-profile", "keycloak"], "--issuer"),
        (
            &[
                "--issuer",
                "https://as.example",
                "--introspection-url",
                "http://as.example/i",
                "--introspection-client-id",
                "a",
                "--introspection-client-secret",
                "b",
            ],
            "http://as.example/i",
        ),
    ] {
        let output = program(args).arg("--once").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "{args:?}: {text}");
    }
}

/// AS-01: another address ends the program.
#[test]
fn the_development_server_stays_on_loopback() {
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
        Self::start_with(|_| args.iter().map(ToString::to_string).collect()).await
    }

    async fn start_with(args: impl FnOnce(&TestAuthServer) -> Vec<String>) -> Self {
        let builder = TestAuthServer::defaults()
            .audience(AUDIENCE)
            .client(Client::public("opaque").opaque_access_tokens())
            .client(Client::confidential("api", "secret").introspects(AUDIENCE));
        let server = TestAuthServer::start_with(builder).await;
        let mut command = program(&["--issuer", server.issuer(), "--audience", AUDIENCE]);
        let mut child = command.args(args(&server)).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url = ready.trim().strip_prefix("ready ").unwrap().to_owned();
        Self { child, url, server }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with a DPoP-bound token.
async fn client(api: &Api, scope: &str) -> pop_client::DpopClient {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let client = TokenClient::discover(api.server.issuer(), "app", ClientAuthentication::None, key).await.unwrap();
    let token = client.client_credentials(Some(scope), Some(AUDIENCE)).await.unwrap();
    client.http_client(&token)
}

#[tokio::test(flavor = "multi_thread")]
async fn protects_an_api_for_an_existing_issuer() {
    let api = Api::start(&["--nonce", "required"]).await;
    let client = client(&api, "notes:read").await;
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

/// The preflight for a call of `/notes` from a page, and a call that is rejected because it has no nonce.
async fn call_from_a_page(api: &Api, origin: &str) -> [reqwest::Response; 2] {
    let plain = reqwest::Client::new();
    let url = format!("{}/notes", api.url);
    let preflight = plain
        .request(Method::OPTIONS, &url)
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,content-type,dpop");
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.server.token().audience("https://notes.example").bound_to(&key).mint();
    let rejected = plain
        .get(&url)
        .header("origin", origin)
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof(&key).url(&url).for_token(&token).mint());
    [preflight.send().await.unwrap(), rejected.send().await.unwrap()]
}

/// DPOP-36, NONCE-16: from pages of the origins that the flags name, and from no other.
#[tokio::test(flavor = "multi_thread")]
async fn browsers_can_read_challenges_and_nonces() {
    let app = "https://app.example";
    for (flags, granted) in [
        (&["--cors-origin", app, "--cors-origin", "https://b.example"][..], Some(app)),
        (&["--cors-origin", "*"], Some("*")),
        (&["--cors-origin", "https://other.example"], None),
        (&[], None),
    ] {
        let flags: Vec<&str> = flags.iter().copied().chain(["--nonce", "required"]).collect();
        let [preflight, rejected] = call_from_a_page(&Api::start(&flags).await, app).await;
        let field = |response: &reqwest::Response, name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        for response in [&preflight, &rejected] {
            assert_eq!(field(response, "access-control-allow-origin").as_deref(), granted, "{flags:?}");
        }
        assert_eq!(rejected.status(), 401, "{flags:?}");
        assert!(rejected.headers().contains_key("dpop-nonce"), "{flags:?}");
        if granted.is_some() {
            assert_eq!(preflight.status(), 200, "DPOP-36 a true preflight reaches the CORS layer");
            let allowed = field(&preflight, "access-control-allow-headers").unwrap();
            for name in ["authorization", "dpop", "content-type"] {
                assert!(allowed.contains(name), "{name} {allowed}");
            }
            let exposed = field(&rejected, "access-control-expose-headers").unwrap();
            assert!(exposed.contains("www-authenticate") && exposed.contains("dpop-nonce"), "NONCE-16 {exposed}");
        }
    }
    for wrong in ["app.example", "https://app.example/", "https://app.example/x"] {
        let output = program(&["--cors-origin", wrong]).output().unwrap();
        assert!(!output.status.success(), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(wrong), "the value is named");
    }
}

/// DPOP-21: and an `:authority` that differs from `Host` is rejected.
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
async fn keys_can_come_from_a_file() {
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

/// Tokens as Keycloak issues them: which flags accept them, and what the log says without.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_product_need_its_profile_or_its_flags() {
    let issuer = "https://login.example/realms/acme";
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let server = TestAuthServer::offline(issuer);
    let files = std::env::temp_dir().join(format!("poplayer-profiles-{}", std::process::id()));
    std::fs::create_dir_all(&files).unwrap();
    let (keys, log) = (files.join("jwks.json"), files.join("log"));
    std::fs::write(&keys, server.jwks_json()).unwrap();
    let token = server.token().audience("https://notes.example").header("typ", "JWT").claim("typ", "Bearer");
    let token = token.without("client_id").without("jti").claim("azp", "shop").bound_to(&key).mint();
    for (flags, logged) in [
        (&["--issuer-profile", "keycloak", "--allow-missing", "jti"][..], None),
        (&["--allow-typ-jwt", "--allow-missing", "client_id,jti"], None),
        (&["--allow-typ-jwt", "--allow-missing", "jti", "--client-id-claim", "azp"], None),
        (&["--preset", "mcp", "--allow-typ-jwt"], None),
        (&["--issuer-profile", "keycloak"], Some(("jti", "allow_missing_jti()"))),
        (&["--allow-typ-jwt", "--allow-missing", "jti"], Some(("client_id", "client_id_claim(..)"))),
        (&["--allow-missing", "client_id,jti"], Some(("typ", "allow_typ_jwt()"))),
    ] {
        let mut child = program(&["--issuer", issuer, "--audience", "https://notes.example", "--jwks-file"])
            .arg(&keys)
            .args(flags)
            .env("RUST_LOG", "tower_pop=debug")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url = format!("{}/whoami", ready.trim().strip_prefix("ready ").unwrap());
        let proof = proof(&key).url(&url).for_token(&token).mint();
        let request = reqwest::Client::new().get(&url).header("authorization", format!("DPoP {token}"));
        let status = request.header("dpop", proof).send().await.unwrap().status();
        let _ = (child.kill(), child.wait());
        let log = std::fs::read_to_string(&log).unwrap();
        match logged {
            None => assert!(status == 200 && !log.contains("rejected"), "{flags:?}: {status} {log}"),
            Some((claim, option)) => {
                assert_eq!(status, 401, "{flags:?}");
                assert!(log.contains(&format!("claim=\"{claim}\"")) && log.contains(option), "{flags:?}: {log}");
                assert!(!log.contains("azp=") && !log.contains("shop"), "{flags:?}: {log}");
            }
        }
    }
    std::fs::remove_dir_all(files).unwrap();
}

fn introspecting(server: &TestAuthServer, more: &[&str]) -> Vec<String> {
    let url = server.introspection_endpoint();
    let args =
        ["--introspection-url", &url, "--introspection-client-id", "api", "--introspection-client-secret", "secret"];
    args.iter().chain(more).map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_and_jwts_give_the_same_response() {
    for more in [&[][..], &["--jwt-first"], &["--introspection-jwt"], &["--introspection-jwt", "--jwt-first"]] {
        let api = Api::start_with(|server| introspecting(server, more)).await;
        let mut answers = Vec::new();
        for id in ["app", "opaque"] {
            let key = DpopKey::generate(Algorithm::ES256).unwrap();
            let authentication = ClientAuthentication::None;
            let client = TokenClient::discover(api.server.issuer(), id, authentication, key).await.unwrap();
            let token = client.client_credentials(Some("notes:read"), Some(AUDIENCE)).await.unwrap();
            assert_eq!(token.access_token.contains('.'), id == "app");
            let answer = client.http_client(&token).get(format!("{}/whoami", api.url)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{more:?} {id}");
            let mut answer: Value = answer.json().await.unwrap();
            let members: Vec<String> = answer.as_object().unwrap().keys().cloned().collect();
            assert_eq!(answer["proof"]["jkt"], answer["cnf"]["jkt"]);
            answer["cnf"] = json!({});
            answer["proof"] = json!({});
            answer["sub"] = json!("x");
            answer["client_id"] = json!("x");
            answers.push((members, answer));
        }
        assert_eq!(answers[0], answers[1], "{more:?}");
        let asked = if more.contains(&"--jwt-first") { 1 } else { 2 };
        assert_eq!(api.server.introspections(), asked, "{more:?}");
    }
}

/// MTLS-01, MTLS-02: with any certificate, or with those of one authority.
#[tokio::test(flavor = "multi_thread")]
async fn flags_turn_on_tls_with_client_certificates() {
    let files = Files::new("tls");
    let own = TestCertificate::self_signed("127.0.0.1");
    let (cert, key) = (files.write("cert.pem", own.pem()), files.write("key.pem", own.key_pem()));
    let (client, other) = (TestCertificate::self_signed("client"), TestCertificate::self_signed("other"));
    let authority = files.write("ca.pem", client.pem());
    for (args, foreign) in [(vec!["--client-cert-any"], Some(401)), (vec!["--client-ca", &authority], None)] {
        let args: Vec<&str> = ["--tls-cert", &cert, "--tls-key", &key].into_iter().chain(args).collect();
        let api = Api::start(&args).await;
        assert!(api.url.starts_with("https://127.0.0.1:"), "{}", api.url);
        let token = api.server.token().audience(AUDIENCE).bound_to_certificate(client.der()).mint();
        let call = |shown: &TestCertificate| {
            let shown = ClientCertificate::from_pem(&shown.pem(), &shown.key_pem()).unwrap();
            let caller = MtlsClient::new(shown.trust(&own.pem()).unwrap(), &token).unwrap();
            caller.get(format!("{}/whoami", api.url)).unwrap().send()
        };
        let right = call(&client).await.unwrap();
        assert_eq!(right.status(), 200, "MTLS-01 {args:?}");
        let who: Value = right.json().await.unwrap();
        assert_eq!(who["proof"]["kind"], "mtls");
        assert_eq!(who["proof"]["x5t#S256"], who["cnf"]["x5t#S256"]);
        let wrong = call(&other).await.ok().map(|answer| answer.status().as_u16());
        assert_eq!(wrong, foreign, "{args:?}: 401, or no handshake where an authority is required");
        let trusted = reqwest::Certificate::from_pem(own.pem().as_bytes()).unwrap();
        let plain = reqwest::Client::builder().tls_certs_merge([trusted]).build().unwrap();
        let none = plain.get(format!("{}/whoami", api.url)).bearer_auth(&token).send().await.unwrap();
        assert_eq!(none.status(), 401, "MTLS-02 {args:?}");
    }
}

/// MTLS-10: from the network that the flag names, and from no other.
#[tokio::test(flavor = "multi_thread")]
async fn flags_turn_on_certificates_from_proxies() {
    let client = TestCertificate::self_signed("client");
    let der = pop_core::jose::encode_standard(client.der());
    for (field, more, value) in [
        ("Client-Cert", &[][..], format!(":{der}:")),
        ("X-Ssl-Client-Der", &[], der.clone()),
        ("X-Whatever", &["--client-cert-format", "base64-der"], der.clone()),
        ("X-Forwarded-Tls-Client-Cert", &[], der.clone()),
    ] {
        for (network, status) in [("127.0.0.0/8", 200), ("192.0.2.0/24", 401)] {
            let args = ["--trusted-proxy", network, "--client-cert-header", field];
            let args: Vec<&str> = args.iter().chain(more).copied().collect();
            let api = Api::start(&args).await;
            let token = api.server.token().audience(AUDIENCE).bound_to_certificate(client.der()).mint();
            let request = reqwest::Client::new().get(format!("{}/whoami", api.url)).bearer_auth(token);
            let answer = request.header(field, &value).send().await.unwrap();
            assert_eq!(answer.status(), status, "MTLS-10 {field} from {network}");
        }
    }
}
