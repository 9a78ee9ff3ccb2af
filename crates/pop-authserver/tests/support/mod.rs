//! Requests to a token endpoint, with any form and any proof.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod signed;

use pop_authserver::{DpopKey, KeyEncryptionKeys, TestAuthServer, proof};
use pop_core::jose::{CompactJws, encode};
use serde_json::{Value, json};

/// The claims of a JWT.
pub(crate) fn claims(jwt: &str) -> Value {
    serde_json::from_slice(CompactJws::split(jwt, 16_384).unwrap().decode().unwrap().payload()).unwrap()
}

/// A proof for the token endpoint.
pub(crate) fn token_proof(server: &TestAuthServer, key: &DpopKey) -> String {
    proof(key).method("POST").url(&format!("{}/token", server.issuer())).mint()
}

/// Sends a token request. Returns the status and the JSON of the response.
pub(crate) async fn request(
    server: &TestAuthServer,
    form: &[(&str, &str)],
    key: Option<&DpopKey>,
    secret: Option<(&str, &str)>,
) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{}/token", server.issuer())).form(form);
    if let Some(key) = key {
        request = request.header("dpop", token_proof(server, key));
    }
    if let Some((id, secret)) = secret {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store", "AS-11");
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(crate) const API: &str = "https://api.example";
pub(crate) const OTHER: &str = "https://other.example";

/// A key-encryption key: a symmetric one whose value depends on its `kid`.
pub(crate) fn kek(kid: &str) -> Value {
    let mut bytes = [0; 32];
    bytes[..kid.len()].copy_from_slice(kid.as_bytes());
    json!({ "kty": "oct", "kid": kid, "alg": "A256KW", "k": encode(bytes) })
}

/// These keys as their owner has them.
pub(crate) fn keks(kids: &[&str]) -> KeyEncryptionKeys {
    let keys: Vec<Value> = kids.iter().map(|kid| kek(kid)).collect();
    KeyEncryptionKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// Sends a GET request as a browser does, without following redirects.
pub(crate) async fn get(url: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    client.get(url).send().await.unwrap()
}
