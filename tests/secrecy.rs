//! No token, proof, nonce key or claim value appears in logs, errors, `Debug` output or responses.
//!
//! A separate program, because it sets the subscriber of the whole process.
#![allow(clippy::unwrap_used)]

#[path = "suite/support.rs"]
#[allow(dead_code)]
mod support;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use pop_authserver::{Client, TestAuthServer};
use tower::ServiceExt;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{ClientCertificates, Introspection, Mode, NoncePolicy, PopLayer};
use tracing_subscriber::fmt::MakeWriter;

use support::{ISSUER, NOW, api_for, api_with, issuer, request};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Gives each request the next of its replies.
struct Replies(Mutex<Vec<Result<FetchResponse, FetchError>>>);

impl HttpFetch for Replies {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let reply = self.0.lock().unwrap().pop().unwrap_or(Err(FetchError::Timeout));
        Box::pin(std::future::ready(reply))
    }
}

/// Opaque tokens: collects the output and the secrets that must not be in it.
async fn introspected(seen: &mut String, secrets: &mut Vec<String>) {
    let json = |text: &str| Ok(FetchResponse::new(text.to_owned()).content_type("application/json"));
    let replies = vec![
        json(r#"{"active":true,"aud":"https://api.example","sub":"s3cret-subject","cnf":{"jkt":"x"}}"#),
        json(r#"{"active":false}"#),
        json("<s3cret-html>"),
        Err(FetchError::Status(500)),
    ];
    let count = replies.len();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let introspection = Introspection::at("https://as.example/introspect")
        .client_secret_basic("api", "s3cret-secret")
        .http_fetch(Replies(Mutex::new(replies)));
    let issuer = issuer(&server).introspection(introspection);
    let certificates = ClientCertificates::from_connection();
    let api = api_for(server, issuer, |builder| builder.client_certificates(certificates));
    for number in 0..=count {
        let token = format!("opaque-token-number-{number}");
        let answer = api.with_token(&token).await;
        *seen += &format!("{:?} {:?} {:?}", answer.headers, answer.code, answer.token);
        secrets.push(token);
    }
    *seen += &format!("{:?}", api.cfg);
}

/// The bodies of axum applications: problem documents.
async fn bodies(seen: &mut String, secrets: &mut Vec<String>) {
    let api = api_with(|builder| builder);
    let app = axum::Router::new().layer(PopLayer::new(api.cfg.clone()));
    let token = api.token().claim("secret", "s3cret-claim").expires_in(-3600).mint();
    let good = api.token().claim("secret", "s3cret-claim").mint();
    for (token, proof) in [(&token, api.proof(&token)), (&good, api.proof(&good).claim("htm", "s3cret-method"))] {
        let proof = proof.mint();
        let request = request(token, &proof).map(|()| axum::body::Body::empty());
        let response = app.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        *seen += std::str::from_utf8(&body).unwrap();
        secrets.extend([token.clone(), proof]);
    }
}

/// Through our HTTP client, because its libraries log, too.
async fn over_http(secrets: &mut Vec<String>) {
    let builder = TestAuthServer::defaults().client(Client::confidential("api", "s3cret-secret").introspects("x"));
    let server = TestAuthServer::start_with(builder).await;
    let introspection = Introspection::at(server.introspection_endpoint()).client_secret_basic("api", "s3cret-secret");
    let issuer = tower_pop::IssuerConfig::new(server.issuer()).introspection(introspection);
    let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer, |builder| builder);
    let token = "opaque-token-over-http";
    api.with_token(token).await.is(support::Expected::Token, "not active");
    assert_eq!(server.introspections(), 1, "the server got the request");
    secrets.push(token.to_owned());
}

/// ATK-30, ERR-11, X-68: no token, proof, key, secret or claim value in logs, responses, bodies and `Debug` output.
#[tokio::test]
async fn nothing_secret_is_written_anywhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut seen = String::new();
    let mut secrets = Vec::new();
    for mode in [Mode::Required, Mode::ReportOnly] {
        let api = api_with(|builder| {
            builder.mode(mode).nonce(NoncePolicy::Required).nonce_keys([*b"the nonce key, 32 bytes long ..."])
        });
        let secret = |token: pop_authserver::TokenMint| token.claim("secret", "s3cret-claim").subject("s3cret-subject");
        for token in
            [secret(api.token()), secret(api.token()).expires_in(-3600), secret(api.token()).tampered_signature()]
        {
            let token = token.mint();
            for proof in [api.proof(&token), api.proof(&token).method("PUT"), api.proof(&token).tampered_signature()] {
                let proof = proof.claim("secret", "s3cret-proof").mint();
                let request = request(&token, &proof);
                let answer = api.send(request).await;
                seen += &format!("{:?} {:?} {:?}", answer.headers, answer.code, answer.token);
                secrets.extend([token.clone(), proof]);
            }
        }
        seen += &format!("{:?}", api.cfg);
    }
    introspected(&mut seen, &mut secrets).await;
    bodies(&mut seen, &mut secrets).await;
    over_http(&mut secrets).await;
    assert!(seen.contains("\"title\"") || seen.contains("\"detail\""), "the bodies were read");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("no usable introspection response") || log.contains("introspection failed"), "{log}");
    assert!(log.contains("proof.htm_mismatch") && log.contains("token.expired"), "the log says what happened: {log}");
    secrets.push("YXBpOnMzY3JldC1zZWNyZXQ".to_owned()); // api:s3cret-secret as it travels in `Authorization: Basic`
    for (name, text) in [("log", &log), ("output", &seen)] {
        assert!(!text.contains("s3cret"), "{name}: {text}");
        assert!(!text.contains("the nonce key"), "{name}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{name}");
            for part in secret.split('.') {
                assert!(!text.contains(part), "{name} has a segment of a token or proof");
            }
        }
    }
}

/// ERR-11: the message of an error has no value of a request.
#[test]
fn errors_display_fixed_messages() {
    use pop_core::ReplayError;
    let error = tower_pop::Error::Replay(ReplayError::KeyQuota { retry_after: 3 });
    assert_eq!(error.to_string(), "replay: this key has used its share of the store");
    assert_eq!(error.code(), "replay.key_quota");
}
