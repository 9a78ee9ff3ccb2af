//! Prints what our own client signs and our own authorization server encrypts, for the implementations of others in this
//! folder to verify and decrypt. The argument is a file with a JWK Set: the key-encryption keys of the recipients.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::convert::Infallible;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
#[cfg(feature = "ml-dsa")]
use pop_authserver::TestAuthServer;
use pop_client::{Algorithm, DpopKey, Envelope, SharedKey, SignatureKey};
use pop_core::content::content_digest;
use pop_core::jose::{ContentEncryption, JsonLimits, Object, Recipient, encode};
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::{Value, json};
use tower_pop::clock::{Clock, SystemClock};

const URL: &str = "https://api.example/notes%20a?b=2&a=%C3%A9";
const CONTENT: &str = r#"{"title":"é"}"#;

/// A proof, its private key, and an access token of an issuer that signs with the same algorithm.
#[cfg(feature = "ml-dsa")]
fn ml_dsa(algorithm: Algorithm) -> Value {
    let key = DpopKey::generate(algorithm).unwrap();
    let server =
        TestAuthServer::offline_with(TestAuthServer::defaults().signing_algorithm(algorithm), "https://as.example");
    let token = server.token().audience("https://api.example").bound_to(&key).mint();
    let proof = pop_client::Proof::new("GET", URL).access_token(&token).sign(&key).unwrap();
    let private: Value = serde_json::from_str(&key.to_ml_dsa_jwk().unwrap()).unwrap();
    let jwks: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    json!({
        "alg": algorithm.name(), "jkt": key.thumbprint().to_string(), "private": private, "jwks": jwks,
        "proof": proof, "token": token,
    })
}

/// A request with a message signature.
fn message(alg: &str, profile: SignatureProfile, jwk: &Value, key: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("HTTPSig the-token"));
    headers.insert("content-digest", content_digest(CONTENT.as_bytes()));
    headers.append("x-list", HeaderValue::from_static("  a, b "));
    headers.append("x-list", HeaderValue::from_static("c"));
    let now = SystemClock::default().now();
    let origin = Origin::parse("https://api.example").unwrap();
    let target = URL.strip_prefix(origin.as_str()).unwrap();
    let components = [
        "@method",
        "@target-uri",
        "@authority",
        "@path",
        "@query",
        "authorization",
        "content-digest",
        "\"content-digest\";key=\"sha-256\"",
        "x-list",
    ];
    let parameters = SignatureParameters::of(profile, now).expires(now + 60).nonce("n-0S6_WzA2Mj").keyid("ours");
    let head = RequestHead::new("POST", &origin, target, &headers, now);
    let (input, signature) =
        sign(&head, "ours", &components, &parameters, |base| Ok::<_, Infallible>(key(base))).unwrap();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    json!({
        "alg": alg, "tag": profile.tag(), "jwk": jwk, "method": "POST", "url": URL, "content": CONTENT,
        "headers": {
            "authorization": text(&headers["authorization"]), "content-digest": text(&headers["content-digest"]),
            "x-list": ["  a, b ", "c"], "signature-input": text(&input), "signature": text(&signature),
        },
    })
}

fn envelope<'k>(alg: &str, jwk: &Value, key: impl Into<SignatureKey<'k>>) -> Value {
    let envelope = Envelope::new("POST", URL, "the-token").content(CONTENT.as_bytes()).nonce(Some("n1")).embed_key();
    json!({ "alg": alg, "jwk": jwk, "envelope": envelope.sign(key).unwrap() })
}

fn main() {
    let shared = SharedKey::new([7; 32]).unwrap();
    let oct = json!({ "kty": "oct", "k": encode(shared.expose_bytes()) });
    let (mut messages, mut envelopes, mut jwes) = (Vec::new(), Vec::new(), Vec::new());
    for (alg, algorithm) in [
        ("ed25519", Algorithm::Ed25519),
        ("ecdsa-p256-sha256", Algorithm::ES256),
        ("ecdsa-p384-sha384", Algorithm::ES384),
        ("rsa-v1_5-sha256", Algorithm::RS256),
        ("rsa-pss-sha512", Algorithm::PS512),
    ] {
        let key = DpopKey::generate(algorithm).unwrap();
        messages.push(message(alg, SignatureProfile::Request, &key.public_jwk(), |base| key.sign(base).unwrap()));
        envelopes.push(envelope(algorithm.name(), &key.public_jwk(), &key));
    }
    messages.push(message("hmac-sha256", SignatureProfile::Hmac, &oct, |base| shared.sign(base).to_vec()));
    envelopes.push(envelope("HS256", &oct, &shared));

    let keks = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let keks: Value = serde_json::from_slice(&keks).unwrap();
    for kek in keks["keys"].as_array().unwrap() {
        let json = kek.to_string();
        let recipient = Recipient::parse(&Object::parse(json.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
        for enc in [ContentEncryption::A256Gcm, ContentEncryption::A128CbcHs256] {
            // `dir` is with A256GCM only.
            if let Ok(jwe) = recipient.encrypt(shared.to_jwk().as_bytes(), enc) {
                jwes.push(json!({ "kid": kek["kid"], "alg": kek["alg"], "enc": enc.name(), "jwe": jwe }));
            }
        }
    }
    let mut ml_dsa_keys: Vec<Value> = Vec::new();
    #[cfg(feature = "ml-dsa")]
    ml_dsa_keys.extend(Algorithm::ML_DSA.iter().copied().map(ml_dsa));
    println!(
        "{}",
        json!({ "messages": messages, "envelopes": envelopes, "jwes": jwes, "key": oct["k"], "ml_dsa": ml_dsa_keys })
    );
}
