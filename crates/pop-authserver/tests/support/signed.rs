//! Token requests that are signed with an HTTP message signature (draft-richer-oauth-httpsig), in any way.

use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use pop_core::content::content_digest;
use pop_core::proof::message_signature::{RuntimeKey, SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::{Value, json};

use super::claims;

/// When requests are signed.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const FORM: &str = "grant_type=client_credentials&client_id=app";
pub(crate) const COMPONENTS: [&str; 3] = ["@method", "@target-uri", "content-digest"];

pub(crate) fn key(algorithm: Algorithm) -> DpopKey {
    DpopKey::generate(algorithm).unwrap()
}

pub(crate) fn public_jwk(key: &DpopKey) -> Value {
    let mut jwk = key.public_jwk();
    jwk["alg"] = key.algorithm().name().replace("EdDSA", "Ed25519").into();
    jwk
}

pub(crate) fn jwks(keys: &[(&str, &DpopKey)]) -> Value {
    let keys = keys.iter().map(|(kid, key)| {
        let mut jwk = public_jwk(key);
        jwk["kid"] = (*kid).into();
        jwk
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// What a client signs.
#[derive(Clone)]
pub(crate) struct Signed<'k> {
    pub(crate) key: &'k DpopKey,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) form: String,
    pub(crate) components: Vec<&'static str>,
    pub(crate) keyid: Option<&'static str>,
    pub(crate) alg: Option<&'static str>,
    pub(crate) public_key: Option<Vec<u8>>,
    pub(crate) created: Option<u64>,
    pub(crate) nonce: Option<String>,
    pub(crate) tag: &'static str,
    pub(crate) authorization: Option<&'static str>,
}

/// What the server gets.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) path: &'static str,
    pub(crate) form: String,
    pub(crate) headers: HeaderMap,
}

impl<'k> Signed<'k> {
    /// A good request, whose signature brings the key along if it can.
    pub(crate) fn by(key: &'k DpopKey) -> Self {
        static NONCE: AtomicU32 = AtomicU32::new(0);
        let runtime_key = RuntimeKey::new(key.public_key().clone(), key.algorithm()).ok();
        Self {
            key,
            method: "POST",
            path: "/token",
            form: FORM.to_owned(),
            components: COMPONENTS.to_vec(),
            keyid: None,
            alg: runtime_key.as_ref().map(RuntimeKey::alg),
            public_key: runtime_key.map(|key| key.as_bytes().to_vec()),
            created: Some(NOW),
            nonce: Some(format!("n{}", NONCE.fetch_add(1, Ordering::Relaxed))),
            tag: SignatureProfile::TokenRequest.tag(),
            authorization: None,
        }
    }

    /// A good request with a registered key.
    pub(crate) fn registered(key: &'k DpopKey, keyid: &'static str) -> Self {
        Self { keyid: Some(keyid), alg: None, public_key: None, ..Self::by(key) }
    }

    pub(crate) fn form(mut self, more: &str) -> Self {
        self.form.push_str(more);
        self
    }

    pub(crate) fn send(&self, server: &TestAuthServer) -> Sent {
        self.send_labelled(server, "s")
    }

    pub(crate) fn send_labelled(&self, server: &TestAuthServer, label: &str) -> Sent {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert("content-digest", content_digest(self.form.as_bytes()));
        if let Some(authorization) = self.authorization {
            headers.insert("authorization", HeaderValue::from_static(authorization));
        }
        let mut parameters = SignatureParameters::new(0).tag(self.tag);
        (parameters.created, parameters.nonce) = (self.created, self.nonce.as_deref());
        (parameters.keyid, parameters.alg) = (self.keyid, self.alg);
        parameters.public_key = self.public_key.as_deref();
        let origin = Origin::parse(server.issuer()).unwrap();
        let head = RequestHead::new(self.method, &origin, self.path, &headers, NOW);
        let fields = sign(&head, label, &self.components, &parameters, |base| self.key.sign(base)).unwrap();
        headers.insert("signature-input", fields.0);
        headers.insert("signature", fields.1);
        Sent { path: self.path, form: self.form.clone(), headers }
    }
}

impl Sent {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
        self
    }

    pub(crate) async fn answer(self, server: &TestAuthServer) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{}", server.issuer(), self.path));
        let response = request.headers(self.headers).body(self.form).send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store", "AS-11");
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn accepted(self, server: &TestAuthServer, row: &str) -> Value {
        let (status, body) = self.answer(server).await;
        assert_eq!((status, &body["token_type"]), (200, &json!("httpsig")), "AS-23 {row} {body}");
        claims(body["access_token"].as_str().unwrap())
    }

    /// `reason` is part of the description.
    pub(crate) async fn rejected(self, server: &TestAuthServer, row: &str, reason: &str) {
        let (status, body) = self.answer(server).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "AS-23 {row} {body}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(reason), "AS-23 {row}: {description}");
    }
}
