//! Symmetric keys: HMAC message signatures and HS256 envelopes under `PoP`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use http::header::AUTHORIZATION;
use http::{Method, Request};
use pop_authserver::{ContentEncryption, Recipient};
use pop_client::Envelope;
use pop_core::jose::{JsonLimits, Object, SharedKey, encode};
use pop_core::proof::message_signature::SignatureProfile;
use serde_json::{Value, json};
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{ConfigError, Introspection, IssuerConfig, KeyEncryptionKeys, ProofKind};

use super::message::Draft;
use super::{CONTENT, Resource};
use crate::support::{ISSUER, NOW};

const KEYS: [u8; 2] = [1, 2];

/// A key-encryption key of the resource.
fn kek(number: u8) -> Value {
    json!({ "kty": "oct", "kid": format!("kek-{number}"), "alg": "A256KW", "k": encode([number; 32]) })
}

pub(super) fn key_encryption_keys(numbers: &[u8]) -> KeyEncryptionKeys {
    let keys: Vec<_> = numbers.iter().map(|number| kek(*number)).collect();
    KeyEncryptionKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn resource() -> Resource {
    Resource::new(|builder| {
        builder.proofs([ProofKind::Hmac, ProofKind::SignedRequest]).key_encryption_keys(key_encryption_keys(&KEYS))
    })
}

/// Encrypts a JWK for the resource.
fn wrapped(number: u8, jwk: &Value) -> String {
    let kek = kek(number).to_string();
    let recipient = Recipient::parse(&Object::parse(kek.as_bytes(), JsonLimits::TOKEN).unwrap()).unwrap();
    recipient.encrypt(jwk.to_string().as_bytes(), ContentEncryption::A256Gcm).unwrap()
}

fn jwk(key: &[u8]) -> Value {
    json!({ "kty": "oct", "k": encode(key), "alg": "HS256" })
}

pub(super) const KEY: [u8; 32] = [7; 32];

/// That key, encrypted for the resource.
pub(super) fn wrapped_key(number: u8) -> String {
    wrapped(number, &jwk(&KEY))
}

fn hmac<'t>(resource: &'t Resource, token: &str, content: &'static str, nonce: &'static str) -> Draft<'t> {
    let mut draft = Draft::new(SignatureProfile::Hmac, "PoP", token, content, &resource.key);
    draft.nonce = Some(nonce);
    draft
}

fn mac(draft: Draft<'_>, key: &[u8]) -> Request<http_body_util::Full<bytes::Bytes>> {
    let key = SharedKey::new(key).unwrap();
    draft.sign_with("sig1", |base| key.sign(base).to_vec())
}

/// Publishes the keys of the issuer, once there are any.
#[derive(Clone, Default)]
struct Published(Arc<OnceLock<String>>);

impl HttpFetch for Published {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let keys = self.0.get().cloned().ok_or(FetchError::Status(404));
        Box::pin(async { keys.map(FetchResponse::new) })
    }
}

/// SYM-01: no key is unwrapped for a token that is not verified, and the first request waits for the keys of the issuer.
#[tokio::test]
async fn accepts_the_first_request_whose_token_cannot_be_verified_yet() {
    let published = Published::default();
    let configure = |builder: tower_pop::PopConfigBuilder| {
        let builder = builder.proofs([ProofKind::Hmac]).key_encryption_keys(key_encryption_keys(&KEYS));
        builder.http_fetch(published.clone())
    };
    let issuer = |_| IssuerConfig::new(ISSUER).jwks_uri("https://as.example/jwks");
    let resource = Resource::of(issuer, configure).unwrap();
    published.0.set(resource.server.jwks_json()).unwrap();
    let token = resource.token(json!({ "jwe": wrapped(1, &jwk(&KEY)) }));
    resource.send(mac(hmac(&resource, &token, "", "one"), &KEY)).await.accepted("", "the first request");
}

/// SYM-01, SYM-04, SYM-07, SYM-08, SHR-04: in both forms, with content, and once.
#[tokio::test]
async fn accepts_a_mac_by_the_key_that_was_wrapped_for_this_resource() {
    let resource = resource();
    let token = resource.token(json!({ "jwe": wrapped(1, &jwk(&KEY)) }));
    for (content, nonce) in [("", "one"), (CONTENT, "two")] {
        let answer = resource.send(mac(hmac(&resource, &token, content, nonce), &KEY)).await.accepted(content, nonce);
        let verified = answer.token.unwrap();
        assert_eq!(verified.proof().kind(), ProofKind::Hmac);
        assert!(!format!("{verified:?}").contains(&encode(KEY)), "SYM-12");
        let again = resource.send(mac(hmac(&resource, &token, content, nonce), &KEY)).await;
        again.rejected("PoP ", "invalid_proof", "SYM-08 the nonce was used");
    }
    let envelope = Envelope::new("GET", "https://api.example/notes", &token).issued_at(NOW);
    let signed = envelope.sign(&SharedKey::new(KEY).unwrap()).unwrap();
    let request = || {
        let request =
            Request::builder().method(Method::GET).uri("/notes").header(AUTHORIZATION, format!("PoP {signed}"));
        request.body(http_body_util::Full::default()).unwrap()
    };
    let verified = resource.send(request()).await.accepted("", "HS256 envelope").token.unwrap();
    assert_eq!(verified.proof().kind(), ProofKind::SignedRequest);
    resource.send(request()).await.rejected("PoP ", "invalid_proof", "again");
}

/// SYM-01 to SYM-07, SYM-09 to SYM-11, X-28, X-61: one error for whatever is wrong with the key.
#[tokio::test]
async fn rejects_a_token_whose_key_cannot_be_used() {
    let resource = resource();
    let good = wrapped(1, &jwk(&KEY));
    let public = json!({ "jwk": resource.key.public_jwk() });
    let tampered = format!("{}AAAA", good.get(..good.len() - 4).unwrap());
    let mut codes = Vec::new();
    for (row, cnf) in [
        ("SYM-01 in clear", json!({ "jwk": jwk(&KEY) })),
        (
            "SYM-03 RSA1_5",
            json!({ "jwe": header(&json!({ "alg": "RSA1_5", "enc": "A256GCM", "kid": "kek-1" }), &good) }),
        ),
        (
            "SYM-03 PBES2",
            json!({ "jwe": header(&json!({ "alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "kid": "kek-1", "p2c": 1_000_000_000 }), &good) }),
        ),
        (
            "SYM-03 zip",
            json!({ "jwe": header(&json!({ "alg": "A256KW", "enc": "A256GCM", "kid": "kek-1", "zip": "DEF" }), &good) }),
        ),
        ("SYM-04 alg", json!({ "jwe": wrapped(1, &json!({ "kty": "oct", "k": encode(KEY), "alg": "A128KW" })) })),
        ("SYM-05 short", json!({ "jwe": wrapped(1, &jwk(&KEY[..16])) })),
        ("SYM-11 tag", json!({ "jwe": tampered })),
        ("SYM-13 another key", json!({ "jwe": wrapped(3, &jwk(&KEY)) })),
        ("SYM-07 public key", public),
        ("jkt", json!({ "jkt": resource.key.thumbprint().to_string() })),
    ] {
        let token = resource.token(cnf);
        let answer = resource.send(mac(hmac(&resource, &token, "", "n"), &KEY)).await;
        codes.push(answer.rejected("PoP ", "invalid_token", row).code);
    }
    assert!(codes[1..8].iter().all(|code| *code == Some("confirmation.not_unwrapped")), "SYM-11 {codes:?}");
    let several = resource.unbound().claim("aud", json!(["https://api.example", "https://other.example"]));
    let token = several.claim("cnf", json!({ "jwe": good.clone() })).mint();
    let answer = resource.send(mac(hmac(&resource, &token, "", "n"), &KEY)).await;
    assert_eq!(answer.rejected("PoP ", "invalid_token", "SYM-06").code, Some("confirmation.several_audiences"));
    let token = resource.unbound().claim("cnf", json!({ "jwe": good.clone() })).tampered_signature().mint();
    let answer = resource.send(mac(hmac(&resource, &token, "", "n"), &KEY)).await;
    answer.rejected("PoP ", "invalid_token", "SYM-02");
    let token = resource.token(json!({ "jwe": good }));
    for (row, request) in [
        ("SYM-09 another key", mac(hmac(&resource, &token, "", "n"), &[8; 32])),
        (
            "SYM-09 truncated",
            hmac(&resource, &token, "", "n")
                .sign_with("sig1", |base| SharedKey::new(KEY).unwrap().sign(base)[..16].to_vec()),
        ),
        ("SYM-09 empty", hmac(&resource, &token, "", "n").sign_with("sig1", |_| Vec::new())),
        (
            "SYM-10 public key as secret",
            mac(hmac(&resource, &token, "", "n"), resource.key.public_jwk().to_string().as_bytes()),
        ),
    ] {
        resource.send(request).await.rejected("PoP ", "invalid_proof", row);
    }
    resource.send(mac(hmac(&resource, &token, "", "n"), &KEY)).await.accepted("", "its twin");
}

/// Another header before the same segments.
fn header(header: &Value, jwe: &str) -> String {
    format!("{}.{}", encode(header.to_string()), jwe.split_once('.').unwrap().1)
}

/// SYM-12, SYM-13: with overlap; a key that is gone ends what was unwrapped with it.
#[tokio::test]
async fn keys_rotate_and_a_removed_key_ends_what_it_unwrapped() {
    let resource = resource();
    let tokens = KEYS.map(|number| resource.token(json!({ "jwe": wrapped(number, &jwk(&KEY)) })));
    let send = async |token: &str, nonce| resource.send(mac(hmac(&resource, token, "", nonce), &KEY)).await;
    for token in &tokens {
        send(token, token.rsplit('.').next().map_or("", |_| if token == &tokens[0] { "a" } else { "b" }))
            .await
            .accepted("", "both");
    }
    resource.cfg.set_key_encryption_keys(key_encryption_keys(&[2, 3]));
    send(&tokens[0], "c").await.rejected("PoP ", "invalid_token", "SYM-13 removed");
    send(&tokens[1], "d").await.accepted("", "kept");
    resource.cfg.set_key_encryption_keys(key_encryption_keys(&[1]));
    send(&tokens[0], "e").await.accepted("", "back again");
    send(&tokens[1], "f").await.rejected("PoP ", "invalid_token", "removed now");
}

/// SYM-07, SHR-14: each kind must be turned on.
#[tokio::test]
async fn the_configuration_says_which_form_is_accepted() {
    let keys = || key_encryption_keys(&KEYS);
    let hmac_only = Resource::new(|builder| builder.proofs([ProofKind::Hmac]).key_encryption_keys(keys()));
    let token = hmac_only.token(json!({ "jwe": wrapped(1, &jwk(&KEY)) }));
    let signed = Envelope::new("GET", "https://api.example/notes", &token).issued_at(NOW);
    let signed = signed.sign(&SharedKey::new(KEY).unwrap()).unwrap();
    let request = Request::get("/notes").header(AUTHORIZATION, format!("PoP {signed}"));
    let answer = hmac_only.send(request.body(http_body_util::Full::default()).unwrap()).await;
    answer.rejected("PoP ", "invalid_token", "an envelope");
    hmac_only.send(mac(hmac(&hmac_only, &token, "", "n"), &KEY)).await.accepted("", "its twin");
    let without_keys =
        tower_pop::PopConfig::builder("https://as.example", "https://api.example").proofs([ProofKind::Hmac]);
    let error = without_keys.build().unwrap_err().to_string();
    assert!(error.contains("hmac") && error.contains("key_encryption_keys"), "{error}");
}

/// SYM-01, SYM-14, CNF-08: a key in an introspection response, over TLS and where it is turned on.
#[tokio::test]
async fn a_key_may_come_in_an_introspection_response_over_tls() {
    let response = |cnf: Value| {
        json!({ "active": true, "aud": "https://api.example", "sub": "a", "client_id": "c", "token_type": "PoP", "cnf": cnf }).to_string()
    };
    let config = |endpoint: &str, cnf: Value, keys: bool| {
        let introspection =
            Introspection::at(endpoint).client_secret_basic("api", "secret").http_fetch(Says(response(cnf)));
        let introspection = if keys { introspection.symmetric_keys() } else { introspection };
        Resource::of(
            move |issuer| issuer.introspection(introspection),
            |builder| {
                let builder = builder.proofs([ProofKind::Hmac]);
                if keys { builder } else { builder.key_encryption_keys(key_encryption_keys(&KEYS)) }
            },
        )
    };
    let endpoint = "https://as.example/introspect";
    for (row, cnf, keys, accepted) in [
        ("in clear", json!({ "jwk": jwk(&KEY) }), true, true),
        ("not turned on", json!({ "jwk": jwk(&KEY) }), false, false),
        ("SYM-05", json!({ "jwk": jwk(&KEY[..31]) }), true, false),
        ("wrapped", json!({ "jwe": wrapped(1, &jwk(&KEY)) }), false, true),
    ] {
        let resource = config(endpoint, cnf, keys).unwrap();
        let answer = resource.send(mac(hmac(&resource, "opaque", "", "n"), &KEY)).await;
        if accepted {
            let token = answer.accepted("", row).token.unwrap();
            assert_eq!(token.proof().kind(), ProofKind::Hmac);
            assert!(!token.claims::<Value>().unwrap().to_string().contains(&encode(KEY)), "SYM-12 {row}");
        } else {
            answer.rejected("PoP ", "invalid_token", row);
        }
    }
    let error = config("http://127.0.0.1/introspect", json!({}), true).map(drop).unwrap_err();
    assert!(matches!(error, ConfigError::IntrospectedKeys(_)), "SYM-14 {error}");
}

/// An endpoint with one response.
struct Says(String);

impl HttpFetch for Says {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let response = FetchResponse::new(self.0.clone()).content_type("application/json");
        Box::pin(std::future::ready(Ok(response)))
    }
}
