//! Tests of whole JWEs. `vectors.json` has a key for each algorithm and curve, and JWEs that two independent implementations
//! made for these keys.

mod keys;
mod round_trip;
mod tamper;
mod vectors;

use serde_json::{Value, json};

use super::{KeyEncryptionKeys, KeyEncryptionKeysError, Recipient, UnusableKey};
use crate::jose::{JsonLimits, Object};

/// The plaintext of the vectors: the key of RFC 7800 §3.3 (V-04) as a JWK.
const KEY: &str = "ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE";

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

/// The private keys of the vectors.
fn jwks() -> Vec<Value> {
    vectors()["jwks"]["keys"].as_array().unwrap().clone()
}

pub(super) fn private_jwk(kid: &str) -> Value {
    jwks().into_iter().find(|key| key["kid"] == kid).unwrap()
}

fn parse(keys: &[Value]) -> Result<KeyEncryptionKeys, KeyEncryptionKeysError> {
    KeyEncryptionKeys::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn keys() -> KeyEncryptionKeys {
    parse(&jwks()).unwrap()
}

pub(super) fn without_private_members(mut jwk: Value) -> Value {
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

fn read_recipient(jwk: &Value) -> Result<Recipient, UnusableKey> {
    Recipient::parse(&Object::parse(jwk.to_string().as_bytes(), JsonLimits::PROOF).unwrap())
}

/// The other side of each private key.
fn recipients() -> Vec<Recipient> {
    jwks().into_iter().map(|jwk| read_recipient(&without_private_members(jwk)).unwrap()).collect()
}

fn recipient(kid: &str) -> Recipient {
    recipients().into_iter().find(|recipient| recipient.kid() == kid).unwrap()
}

/// Returns the JWE with a segment replaced.
fn with_segment(jwe: &str, at: usize, segment: &str) -> String {
    let mut segments: Vec<&str> = jwe.split('.').collect();
    segments[at] = segment;
    segments.join(".")
}
