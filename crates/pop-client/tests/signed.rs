//! Requests that are signed otherwise than by DPoP alone, against scripted servers on 127.0.0.1.
//! `pop-authserver/tests/signed_calls.rs` has those that a real resource verifies.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use pop_client::pop_core::content::content_digest;
use pop_client::pop_core::jose::CompactJws;
use pop_client::pop_core::target::Origin;
use pop_client::{BoundClient, BoundToken, ClientError, NonceMemory, ProofMethod, Role, SharedKey};
use serde_json::Value;

use support::key;
use support::script::{Seen, ok, seen, server};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

fn client(proof: ProofMethod) -> BoundClient {
    BoundClient::new(BoundToken::new("the-token", proof)).unwrap()
}

fn shared() -> ProofMethod {
    ProofMethod::SharedKey(Arc::new(SharedKey::new([7; 32]).unwrap()))
}

/// What signs the request itself.
fn signers() -> [BoundClient; 5] {
    [
        client(ProofMethod::HttpSig(key())),
        client(ProofMethod::Pop(key())),
        client(ProofMethod::PopThumbprint(key())),
        client(shared()),
        client(ProofMethod::Dpop(key())).with_message_signature(),
    ]
}

fn is_envelope(client: &BoundClient) -> bool {
    format!("{client:?}").contains("Pop")
}

fn unauthorized(challenge: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

/// The claims of an envelope.
fn claims(seen: &Seen) -> Value {
    let envelope = seen.headers["authorization"].to_str().unwrap().strip_prefix("PoP ").unwrap();
    serde_json::from_slice(CompactJws::split(envelope, 8192).unwrap().decode().unwrap().payload()).unwrap()
}

/// The time of a proof.
fn time(seen: &Seen) -> u64 {
    match seen.headers.get("signature-input") {
        Some(input) => {
            let input = input.to_str().unwrap();
            input.split("created=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
        }
        None => claims(seen)["ts"].as_u64().unwrap(),
    }
}

fn stream() -> reqwest::Body {
    let parts = ["stre", "amed"].map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(part.as_bytes()))));
    reqwest::Body::wrap(StreamBody::new(futures_util::stream::iter(parts)))
}

/// CLI-05, SHR-11, SHR-13: with any other parameters, once for each request, and apart for each origin.
#[tokio::test]
async fn answers_a_nonce_challenge_for_envelopes_once() {
    for challenge in [
        r#"PoP nonce="n1", error="invalid_proof""#,
        r#"pop NONCE="n1""#,
        r#"Bearer realm="a", PoP error="use_nonce", nonce="n1""#,
    ] {
        let next = ([("authentication-info", r#"nextnonce="n2", x=y"#)], "").into_response();
        let (url, script) = server(vec![unauthorized(challenge), next, ok()]).await;
        let (other, other_script) = server(vec![ok()]).await;
        let client = client(ProofMethod::Pop(key()));
        assert_eq!(client.post(&url).body("x").send().await.unwrap().status(), 200, "{challenge}");
        client.get(&url).send().await.unwrap();
        client.get(&other).send().await.unwrap();
        let seen = seen(&script);
        let nonces: Vec<_> = seen.iter().map(|seen| claims(seen)["nonce"].clone()).collect();
        assert_eq!(nonces, [Value::Null, "n1".into(), "n2".into()], "CLI-05 {challenge}");
        assert_eq!(claims(&seen[0])["b"], claims(&seen[1])["b"], "{challenge}");
        assert_ne!(claims(&seen[0])["jti"], claims(&seen[1])["jti"], "SHR-11 {challenge}");
        assert_eq!(claims(&support::script::seen(&other_script)[0])["nonce"], Value::Null, "CLI-05 {challenge}");
    }
    let again = || unauthorized(r#"PoP nonce="n1", error="invalid_proof""#);
    let (url, script) = server(vec![again(), again(), ok()]).await;
    let looping = client(ProofMethod::Pop(key())).get(&url).send().await;
    assert!(matches!(looping, Err(ClientError::NonceLoop)), "X-46 {looping:?}");
    assert_eq!(seen(&script).len(), 2, "X-46");
}

/// CLI-05: a token that is not valid does not become valid with a nonce, and other kinds have nonces of their own.
#[tokio::test]
async fn sends_no_request_again_for_a_nonce_that_would_not_help() {
    let challenge = r#"PoP nonce="n1", error="invalid_token""#;
    let (url, script) = server(vec![unauthorized(challenge), ok()]).await;
    let envelopes = client(ProofMethod::Pop(key()));
    assert_eq!(envelopes.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(envelopes.get(&url).send().await.unwrap().status(), 200);
    let seen = seen(&script);
    assert_eq!((seen.len(), &claims(&seen[1])["nonce"]), (2, &"n1".into()), "CLI-05 from any response");
    for client in [client(ProofMethod::HttpSig(key())), client(shared())] {
        let (url, script) = server(vec![unauthorized(r#"PoP nonce="n1", error="invalid_proof""#), ok()]).await;
        assert_eq!(client.get(&url).send().await.unwrap().status(), 401, "{client:?}");
        assert_eq!(support::script::seen(&script).len(), 1, "{client:?}");
    }
}

/// CLI-06: none, an empty one, several, or other characters.
#[tokio::test]
async fn a_challenge_for_envelopes_without_a_usable_nonce_is_an_error() {
    for challenge in [
        r#"PoP nonce="", error="invalid_proof""#,
        r#"PoP nonce="a b", error="invalid_proof""#,
        r#"PoP nonce="n1", error="invalid_proof", PoP nonce="n2""#,
    ] {
        let (url, script) = server(vec![unauthorized(challenge), ok()]).await;
        let rejected = client(ProofMethod::Pop(key())).get(&url).send().await;
        assert!(matches!(rejected, Err(ClientError::Nonce(_))), "CLI-06 {challenge} {rejected:?}");
        assert_eq!(seen(&script).len(), 1, "CLI-06 {challenge}");
    }
    let (memory, origin) = (NonceMemory::default(), Origin::parse("https://api.example").unwrap());
    let learn = |fields: &[(HeaderName, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        memory.learn_for_envelopes(&origin, &headers)
    };
    let info = HeaderName::from_static("authentication-info");
    assert_eq!(learn(&[(WWW_AUTHENTICATE, r#"DPoP nonce="n1""#)]), Ok(false));
    assert_eq!(learn(&[(info.clone(), "x=y, NextNonce = n1")]), Ok(true));
    assert!(learn(&[(info.clone(), "nextnonce=n2"), (info.clone(), "nextnonce=n3")]).is_err(), "CLI-06");
    assert!(learn(&[(info.clone(), "nextnonce=n2, nextnonce=n2")]).is_err(), "CLI-06");
    assert!(learn(&[(info, "nextnonce=n2"), (WWW_AUTHENTICATE, r#"PoP nonce="n2", nonce="n2""#)]).is_err(), "CLI-06");
    assert_eq!(memory.newest(Role::ResourceServer, &origin).as_deref(), Some("n1"), "CLI-06 it replaces nothing");
}

/// CLI-16, CLI-08: content is covered or the request is not sent. A caller may know the digest of a stream.
#[tokio::test]
async fn sends_no_stream_that_the_proof_cannot_cover() {
    for client in signers() {
        let (url, script) = server(vec![ok(), ok()]).await;
        let rejected = client.post(&url).stream(stream()).send().await;
        assert!(matches!(rejected, Err(ClientError::StreamNotCovered)), "CLI-16 {client:?} {rejected:?}");
        assert!(seen(&script).is_empty(), "CLI-16 {client:?}");
        let request = client.post(&url).stream(stream()).header(CONTENT_DIGEST, content_digest(b"streamed"));
        if is_envelope(&client) {
            assert!(matches!(request.send().await, Err(ClientError::StreamNotCovered)), "CLI-16 {client:?}");
        } else {
            request.send().await.unwrap();
            let seen = seen(&script);
            let input = seen[0].headers["signature-input"].to_str().unwrap();
            assert!(input.contains("\"content-digest\"") && seen[0].body == "streamed", "CLI-16 {client:?}");
        }
        client.post(&url).stream("bytes").send().await.unwrap();
        assert_eq!(seen(&script)[0].body, "bytes", "CLI-16 {client:?} not every body is a stream");
    }
    let (url, script) = server(vec![ok()]).await;
    client(ProofMethod::Dpop(key())).post(&url).stream(stream()).send().await.unwrap();
    assert_eq!(seen(&script)[0].body, "streamed", "its twin");
}

/// CLI-09, CLI-16: each redirect has its own proof, which covers what is left of the request.
#[tokio::test]
async fn signs_redirects_within_the_origin_anew() {
    for client in signers() {
        for (status, keeps_content) in [(303, false), (302, false), (307, true), (308, true)] {
            let row = format!("CLI-09 {client:?} {status}");
            let redirect = (StatusCode::from_u16(status).unwrap(), [(LOCATION, "/moved?x=1")]).into_response();
            let (url, script) = server(vec![redirect, ok()]).await;
            let request = client.post(format!("{url}/here")).json(&1).header(ACCEPT, HeaderValue::from_static("a/b"));
            assert_eq!(request.cover(CONTENT_TYPE).cover(ACCEPT).send().await.unwrap().status(), 200, "{row}");
            let seen = seen(&script);
            assert_eq!(
                (seen[1].method.as_str(), &*seen[1].path),
                (if keeps_content { "POST" } else { "GET" }, "/moved?x=1")
            );
            if is_envelope(&client) {
                let (first, second) = (claims(&seen[0]), claims(&seen[1]));
                assert_eq!((&second["p"], second.get("b").is_some()), (&"/moved".into(), keeps_content), "{row}");
                assert_eq!(second["h"][0].as_array().unwrap().len(), if keeps_content { 2 } else { 1 }, "{row}");
                assert_ne!(first["jti"], second["jti"], "{row}");
            } else {
                let (first, second) = (&seen[0].headers["signature-input"], &seen[1].headers["signature-input"]);
                assert_eq!(seen[1].headers.get_all("signature").iter().count(), 1, "{row}");
                let second_text = second.to_str().unwrap();
                assert_eq!(second_text.contains("\"content-digest\""), keeps_content, "{row}");
                assert_eq!(second_text.contains("\"content-type\""), keeps_content, "{row}");
                assert!(second_text.contains("\"accept\"") && first != second, "{row}");
            }
        }
        let (other, other_script) = server(vec![ok()]).await;
        let away = (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, format!("{other}/steal"))]).into_response();
        let (url, _) = server(vec![away]).await;
        assert_eq!(client.get(&url).send().await.unwrap().status(), 307, "CLI-09 {client:?}");
        assert!(seen(&other_script).is_empty(), "CLI-09 {client:?} nothing was sent there");
        let plain = client.get("http://api.example/").send().await;
        assert!(matches!(plain, Err(ClientError::Url(_))), "CLI-18 {client:?}");
    }
}

/// CLI-10: by the `Date` of the server that rejected the proof, if configured.
#[tokio::test]
async fn follows_the_clock_of_the_server_with_every_proof() {
    for client in signers() {
        let challenge = match () {
            () if is_envelope(&client) || format!("{client:?}").contains("Shared") => r#"PoP error="invalid_proof""#,
            () if format!("{client:?}").contains("Dpop") => r#"DPoP error="invalid_signature""#,
            () => r#"HTTPSig error="invalid_signature""#,
        };
        let rejection = || {
            let mut response = unauthorized(challenge);
            response.headers_mut().insert(DATE, HeaderValue::from_static("Fri, 15 Jan 2027 08:00:00 GMT"));
            response
        };
        let (url, script) = server(vec![rejection(), ok()]).await;
        assert_eq!(client.get(&url).send().await.unwrap().status(), 401, "off by default");
        script.lock().unwrap().0.push_front(rejection());
        let following = client.clone().follow_server_clock();
        assert_eq!(following.get(&url).send().await.unwrap().status(), 200, "CLI-10 {client:?}");
        let seen = seen(&script);
        assert_eq!(seen.len(), 3, "CLI-10 {client:?}");
        assert_eq!(time(&seen[2]) / 60, 1_800_000_000 / 60, "CLI-10 {client:?}");
    }
}

/// CLI-03, CLI-16, CLI-17: under the scheme of the token, with the key where the server has only its thumbprint.
#[tokio::test]
async fn presents_each_token_under_its_scheme() {
    let key = key();
    for (proof, starts) in [
        (ProofMethod::Dpop(key.clone()), "DPoP the-token"),
        (ProofMethod::HttpSig(key.clone()), "HTTPSig the-token"),
        (ProofMethod::Pop(key.clone()), "PoP ey"),
        (ProofMethod::PopThumbprint(key.clone()), "PoP ey"),
        (shared(), "PoP the-token"),
    ] {
        let (url, script) = server(vec![ok()]).await;
        let is_thumbprint = matches!(proof, ProofMethod::PopThumbprint(_));
        let client = client(proof);
        let with_own = client.get(&url).header(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer mine"));
        with_own.send().await.unwrap();
        let seen = seen(&script);
        let values: Vec<_> = seen[0].headers.get_all("authorization").iter().collect();
        assert!(values.len() == 1 && values[0].to_str().unwrap().starts_with(starts), "CLI-03 {client:?}");
        if is_envelope(&client) {
            let cnf = is_thumbprint.then(|| serde_json::json!({ "jwk": key.public_jwk() }));
            assert_eq!((claims(&seen[0]).get("cnf"), &claims(&seen[0])["at"]), (cnf.as_ref(), &"the-token".into()));
        }
        assert!(!format!("{client:?}").contains("the-token"), "CLI-11");
    }
}
