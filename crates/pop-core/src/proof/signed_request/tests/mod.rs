//! Envelopes that differ from an accepted one in one point.

mod credentials;
mod entra;
#[cfg(feature = "signing")]
mod keys;
mod request;
mod tamper;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;
use crate::jose::{SharedKey, encode};
use crate::target::Origin;

const NOW: u64 = 1_800_000_000;
const CONTENT: &[u8] = b"{\"title\":\"x\"}";
/// The members of an envelope, in their order, as JSON.
type Payload = Vec<(&'static str, String)>;

fn shared_key() -> SharedKey {
    SharedKey::new([7; 32]).unwrap()
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    encode(Sha256::digest(bytes))
}

/// An envelope that covers everything that there is to cover.
fn payload() -> Payload {
    let q = json!([["b", "a"], sha256("b=2&a=1")]);
    let h = json!([["content-type", "x-tenant"], sha256("content-type: application/json\nx-tenant: 7")]);
    vec![
        ("at", r#""header.payload.signature""#.to_owned()),
        ("ts", NOW.to_string()),
        ("m", r#""POST""#.to_owned()),
        ("u", r#""api.example""#.to_owned()),
        ("p", r#""/notes""#.to_owned()),
        ("q", q.to_string()),
        ("h", h.to_string()),
        ("b", format!("\"{}\"", sha256(CONTENT))),
        ("nonce", r#""n-1""#.to_owned()),
        ("jti", r#""j-1""#.to_owned()),
        ("cnf", r#"{"kid":"x"}"#.to_owned()),
    ]
}

fn with(mut payload: Payload, name: &str, value: &str) -> Payload {
    payload.iter_mut().find(|(member, _)| *member == name).expect("a member of the payload").1 = value.to_owned();
    payload
}

fn without(mut payload: Payload, name: &str) -> Payload {
    payload.retain(|(member, _)| *member != name);
    payload
}

/// Returns an envelope with this header, signed by the shared key.
fn signed(header: &str, payload: &Payload) -> String {
    let members: Vec<String> = payload.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let input = format!("{}.{}", encode(header), encode(format!("{{{}}}", members.join(","))));
    let mac = shared_key().sign(input.as_bytes());
    format!("{input}.{}", encode(mac))
}

fn envelope(payload: &Payload) -> String {
    signed(r#"{"typ":"pop","alg":"HS256"}"#, payload)
}

/// Everything is required.
fn strict() -> SignedRequestPolicy {
    let required = EnvelopeClaims::ALL.into_iter().fold(EnvelopeClaims::EMPTY, |all, (claim, _)| all.with(claim));
    SignedRequestPolicy { required, ..SignedRequestPolicy::default() }
}

/// The request that the envelope of [`payload`] is for.
#[derive(Clone)]
struct Request {
    method: &'static str,
    origin: Origin,
    target: String,
    headers: HeaderMap,
    content: Vec<u8>,
}

impl Default for Request {
    fn default() -> Self {
        let headers = [("content-type", "application/json"), ("x-tenant", "7"), ("accept", "*/*")];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Self {
            method: "POST",
            origin: Origin::parse("https://api.example").unwrap(),
            target: "/notes?a=1&b=2".to_owned(),
            headers: headers.into_iter().collect(),
            content: CONTENT.to_vec(),
        }
    }
}

impl Request {
    fn to(target: &str) -> Self {
        Self { target: target.to_owned(), ..Self::default() }
    }

    fn check(&self, read: &SignedRequest<'_>, policy: &SignedRequestPolicy) -> Result<(), &'static str> {
        let head = RequestHead::new(self.method, &self.origin, &self.target, &self.headers, NOW);
        read.check_request(&head, policy).map_err(SignedRequestError::code)?;
        let content = read.expected_content(policy).map(|expected| expected.check(&self.content).map(drop));
        content.unwrap_or(Ok(())).map_err(crate::ContentError::code)
    }
}

/// Reads credentials that must be an envelope.
fn read<'r>(text: &'r str, policy: &SignedRequestPolicy) -> Result<Box<SignedRequest<'r>>, &'static str> {
    match SignedRequest::read(text, policy).map_err(SignedRequestError::code)? {
        PopCredentials::Envelope(envelope) => Ok(envelope),
        PopCredentials::Token => Err("a token"),
    }
}

/// Passes an envelope through every step, as a server does. Returns the code of the error.
fn judge(text: &str, request: &Request, policy: &SignedRequestPolicy) -> Result<(), &'static str> {
    let envelope = read(text, policy)?;
    envelope.verify_signature(PopKey::Shared(&shared_key())).map_err(SignedRequestError::code)?;
    envelope.check_time(policy, NOW).map_err(SignedRequestError::code)?;
    request.check(&envelope, policy)
}
