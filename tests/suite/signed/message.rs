//! HTTP message signatures: under `HTTPSig`, with HMAC under `PoP`, and in addition to DPoP.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use pop_authserver::{Algorithm, DpopKey, ProofMint, proof};
use pop_core::content::content_digest;
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::{Value, json};
use tower_pop::{CryptoBackend, IatPolicy, NoncePolicy, ProofKind, SignedContent, StaticClientKeys};

use super::{CONTENT, Resource};
use crate::support::{AUDIENCE, NOW};

const PATH: &str = "/notes?a=1";
const COMPONENTS: [&str; 3] = ["@method", "@target-uri", "authorization"];

/// A request that is to be signed.
pub(super) struct Draft<'k> {
    pub(super) profile: SignatureProfile,
    pub(super) request: Request<Full<Bytes>>,
    pub(super) components: Vec<&'static str>,
    pub(super) created: u64,
    pub(super) nonce: Option<&'static str>,
    pub(super) keyid: Option<String>,
    pub(super) alg: Option<&'static str>,
    pub(super) tag: Option<&'static str>,
    pub(super) key: &'k DpopKey,
}

impl<'k> Draft<'k> {
    /// A request as its profile demands it.
    pub(super) fn new(
        profile: SignatureProfile,
        scheme: &str,
        token: &str,
        content: &'static str,
        key: &'k DpopKey,
    ) -> Self {
        let method = if content.is_empty() { Method::GET } else { Method::POST };
        let authorization = format!("{scheme} {token}");
        let request = Request::builder().method(method).uri(PATH).header(AUTHORIZATION, authorization);
        let mut request = request.body(Full::from(content)).unwrap();
        let mut components = COMPONENTS.to_vec();
        if !content.is_empty() {
            request.headers_mut().insert("content-digest", content_digest(content.as_bytes()));
            components.push("content-digest");
        }
        let nonce = Some("n-0S6_WzA2Mj");
        Self { profile, request, components, created: NOW, nonce, keyid: None, alg: None, tag: None, key }
    }

    pub(super) fn dpop(mut self, proof: &ProofMint) -> Self {
        self.request.headers_mut().insert("dpop", proof.mint().parse().unwrap());
        self.components.push("dpop");
        self
    }

    pub(super) fn without(mut self, component: &str) -> Self {
        self.components.retain(|name| *name != component);
        self
    }

    pub(super) fn sign(self) -> Request<Full<Bytes>> {
        let key = self.key;
        self.sign_with("sig1", |base| key.sign(base).unwrap())
    }

    pub(super) fn sign_with(mut self, label: &str, key: impl FnOnce(&[u8]) -> Vec<u8>) -> Request<Full<Bytes>> {
        let origin = Origin::parse(AUDIENCE).unwrap();
        let (method, headers) = (self.request.method().clone(), self.request.headers().clone());
        let head = RequestHead::new(method.as_str(), &origin, PATH, &headers, NOW);
        let mut parameters = SignatureParameters::of(self.profile, self.created);
        parameters.nonce = self.nonce;
        parameters.keyid = self.keyid.as_deref();
        parameters.alg = self.alg;
        if let Some(tag) = self.tag {
            parameters.tag = Some(tag);
        }
        let key = |base: &[u8]| Ok::<_, std::convert::Infallible>(key(base));
        let (input, signature) = sign(&head, label, &self.components, &parameters, key).unwrap();
        self.request.headers_mut().append("signature-input", input);
        self.request.headers_mut().append("signature", signature);
        self.request
    }
}

fn resource(kinds: &[ProofKind]) -> Resource {
    Resource::new(|builder| builder.proofs(kinds.iter().copied()))
}

fn jwk(key: &DpopKey, alg: &str) -> Value {
    let mut jwk = key.public_jwk();
    jwk["alg"] = json!(alg);
    json!({ "jwk": jwk })
}

/// SIG-03, SIG-06, SIG-12, SIG-15, SIG-25: with every algorithm of RFC 9421 for public keys, without and with content.
#[tokio::test]
async fn accepts_a_signature_by_the_key_of_the_token() {
    let resource = resource(&[ProofKind::HttpSig]);
    for algorithm in [Algorithm::Ed25519, Algorithm::ES256, Algorithm::ES384, Algorithm::RS256, Algorithm::PS512] {
        let key = DpopKey::generate(algorithm).unwrap();
        for content in ["", CONTENT] {
            let token = resource.token(jwk(&key, algorithm.name()));
            let mut draft = Draft::new(SignatureProfile::HttpSig, "httpsig", &token, content, &key);
            draft.nonce = Some(if content.is_empty() { "one" } else { "two" });
            let answer = resource.send(draft.sign()).await.accepted(content, algorithm.name());
            let verified = answer.token.unwrap();
            assert_eq!(verified.proof().kind(), ProofKind::HttpSig);
            let covered: Vec<_> = verified.proof().covered().map(|name| name.trim_matches('"').to_owned()).collect();
            let digest = ["content-digest"].into_iter().filter(|_| !content.is_empty());
            assert_eq!(covered, COMPONENTS.into_iter().chain(digest).collect::<Vec<_>>(), "SIG-25");
        }
    }
}

/// SIG-04 to SIG-10, SIG-20, SIG-21, SIG-23, SIG-27, REPLAY-16, X-60: each change alone makes a good signature a bad one.
#[tokio::test]
async fn rejects_a_signature_that_does_not_cover_the_request() {
    let resource = resource(&[ProofKind::HttpSig]);
    let key = &resource.key;
    let token = resource.token(jwk(key, "ES256"));
    let draft = || Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, CONTENT, key);
    let changed = |change: fn(&mut Request<Full<Bytes>>)| {
        let mut request = draft().sign();
        change(&mut request);
        request
    };
    let with = |change: fn(&mut Draft<'_>)| {
        let mut draft = draft();
        change(&mut draft);
        draft.sign()
    };
    for (row, request) in [
        ("SIG-06 method", draft().without("@method").sign()),
        ("SIG-06 target", draft().without("@target-uri").sign()),
        ("SIG-06 authorization", draft().without("authorization").sign()),
        ("SIG-23 content not covered", draft().without("content-digest").sign()),
        ("SIG-04 tag", with(|draft| draft.tag = Some("other"))),
        ("SIG-07 too old", with(|draft| draft.created = NOW - 61)),
        ("SIG-07 in the future", with(|draft| draft.created = NOW + 31)),
        ("SIG-09 no nonce", with(|draft| draft.nonce = None)),
        ("SIG-10 keyid", with(|draft| draft.keyid = Some("key".to_owned()))),
        ("SIG-10 alg", with(|draft| draft.alg = Some("ecdsa-p256-sha256"))),
        ("SIG-21 query", changed(|request| *request.uri_mut() = "/notes?a=2".parse().unwrap())),
        ("SIG-20 method", changed(|request| *request.method_mut() = Method::PUT)),
        ("SIG-23 content", changed(|request| *request.body_mut() = Full::from("other"))),
        (
            "SIG-23 digest",
            changed(|request| {
                request.headers_mut().insert("content-digest", content_digest(b"other"));
            }),
        ),
        ("SIG-01 no input", changed(|request| drop(request.headers_mut().remove("signature-input")))),
        ("SIG-01 no signature", changed(|request| drop(request.headers_mut().remove("signature")))),
        (
            "SIG-02 malformed",
            changed(|request| {
                request.headers_mut().insert("signature-input", HeaderValue::from_static("sig1=(\"@method"));
            }),
        ),
    ] {
        let answer = resource.send(request).await.rejected("HTTPSig ", "invalid_signature", row);
        assert!(answer.headers.contains_key("accept-signature"), "SIG-27 {row}");
    }
    resource.send(with(|draft| draft.created = NOW - 60)).await.accepted(CONTENT, "its twin, as old as allowed");
    let again = resource.send(draft().sign()).await.rejected("HTTPSig ", "invalid_signature", "SIG-09 used nonce");
    assert_eq!(again.code, Some("replay.replayed"));
}

/// SIG-05: a bad signature with the tag, and one with another tag.
#[tokio::test]
async fn every_signature_with_the_tag_counts_and_no_other() {
    let resource = resource(&[ProofKind::HttpSig]);
    let key = &resource.key;
    let token = resource.token(jwk(key, "ES256"));
    let two = |tag: Option<&'static str>| {
        let mut second = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", key);
        second.request = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", key).sign();
        second.tag = tag;
        second.sign_with("sig2", |_| vec![1; 64])
    };
    resource.send(two(None)).await.rejected("HTTPSig ", "invalid_signature", "SIG-05");
    resource.send(two(Some("other"))).await.accepted("", "SIG-05 another tag");
}

/// SIG-03, SIG-11 to SIG-14, SHR-14, SYM-07: the token decides which key and which scheme.
#[tokio::test]
async fn rejects_a_token_that_does_not_ask_for_a_signature() {
    let resource = resource(&[ProofKind::HttpSig, ProofKind::Dpop, ProofKind::SignedRequest]);
    let key = &resource.key;
    let thumbprint = key.thumbprint().to_string();
    let plain = json!({ "jwk": key.public_jwk() });
    let ed25519 = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let p521 = DpopKey::generate(Algorithm::ES512).unwrap();
    for (row, cnf, key) in [
        ("SIG-11 jkt", json!({ "jkt": thumbprint }), key),
        ("SIG-11 kid", json!({ "kid": thumbprint }), key),
        ("SIG-11 htsk", json!({ "htsk": { "alg": "ed25519", "pub": ":AA==:" } }), key),
        ("SIG-12 no alg", plain, key),
        ("SIG-12 EdDSA", jwk(&ed25519, "EdDSA"), &ed25519),
        ("SIG-13 oct", json!({ "jwk": { "kty": "oct", "k": "AA", "alg": "HS256" } }), key),
        ("SIG-14 ES512", jwk(&p521, "ES512"), &p521),
    ] {
        let token = resource.token(cnf);
        let request = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", key).sign();
        resource.send(request).await.rejected("HTTPSig ", "invalid_token", row);
    }
    let token = resource.token(jwk(key, "ES256"));
    let request = Draft::new(SignatureProfile::HttpSig, "PoP", &token, "", key).sign();
    resource.send(request).await.rejected("PoP ", "invalid_token", "SHR-14 PoP");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let request = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", &other).sign();
    resource.send(request).await.rejected("HTTPSig ", "invalid_signature", "another key");
    let request = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", key).sign();
    resource.send(request).await.accepted("", "its twin");
}

fn with_signature_required() -> Resource {
    Resource::new(tower_pop::PopConfigBuilder::require_message_signature)
}

fn dpop_request<'k>(resource: &'k Resource, content: &'static str, jti: &str) -> Draft<'k> {
    let token = resource.server.token().audience(AUDIENCE).scope("notes:read").bound_to(&resource.key).mint();
    let method = if content.is_empty() { "GET" } else { "POST" };
    let proof = proof(&resource.key).method(method).url("https://api.example/notes").for_token(&token).issued_at(NOW);
    Draft::new(SignatureProfile::Request, "DPoP", &token, content, &resource.key).dpop(&proof.claim("jti", jti))
}

/// SIG-26, REPLAY-16, X-59, DPOP-38: in addition to DPoP, with the key of the proof, without `keyid` and with its thumbprint.
#[tokio::test]
async fn a_signature_in_addition_to_dpop_protects_the_content() {
    let resource = with_signature_required();
    let thumbprint = resource.key.thumbprint().to_string();
    for (row, keyid, nonce, content) in
        [("GET", None, None, ""), ("POST", None, Some("a"), CONTENT), ("keyid", Some(thumbprint), Some("b"), CONTENT)]
    {
        let mut draft = dpop_request(&resource, content, row);
        (draft.keyid, draft.nonce) = (keyid, nonce);
        let token = resource.send(draft.sign()).await.accepted(content, row).token.unwrap();
        assert_eq!(token.proof().kind(), ProofKind::Dpop);
        assert!(token.proof().covered().any(|name| name.contains("dpop")), "{row}");
    }
    let mut used = dpop_request(&resource, CONTENT, "used nonce");
    used.nonce = Some("a");
    let used = resource.send(used.sign()).await.rejected("DPoP ", "invalid_signature", "the nonce is single-use");
    assert_eq!(used.code, Some("signature.nonce_used"));
    let mut changed = dpop_request(&resource, CONTENT, "changed").sign();
    *changed.body_mut() = Full::from("other");
    resource.send(changed).await.rejected("DPoP ", "invalid_signature", "content");
    let uncovered = dpop_request(&resource, CONTENT, "dpop").without("dpop").sign();
    resource.send(uncovered).await.rejected("DPoP ", "invalid_signature", "SIG-26");
    let mut none = dpop_request(&resource, "", "none").sign();
    none.headers_mut().remove("signature");
    none.headers_mut().remove("signature-input");
    let none = resource.send(none).await.rejected("DPoP ", "invalid_signature", "no signature");
    assert!(none.headers["accept-signature"].to_str().unwrap().contains("tag=\"fapi-2-request\""));
    let mut unknown = dpop_request(&resource, "", "unknown");
    unknown.keyid = Some("unknown".to_owned());
    resource.send(unknown.sign()).await.rejected("DPoP ", "invalid_signature", "an unknown keyid");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let mut thief = dpop_request(&resource, "", "thief");
    thief.key = &other;
    resource.send(thief.sign()).await.rejected("DPoP ", "invalid_signature", "another key");
}

/// NONCE-12, SIG-26: where the nonce dates the DPoP proof, its `iat` does not count when the content has arrived either.
#[tokio::test]
async fn content_is_in_time_while_the_nonce_of_the_proof_is() {
    let resource = Resource::new(|builder| {
        let builder = builder.nonce(NoncePolicy::Required).iat_policy(IatPolicy::NonceOnly);
        builder.require_message_signature()
    });
    let token = resource.server.token().audience(AUDIENCE).scope("notes:read").bound_to(&resource.key).mint();
    let mint = || proof(&resource.key).method("POST").url("https://api.example/notes").for_token(&token);
    let sign = |proof: &ProofMint| {
        let mut draft = Draft::new(SignatureProfile::Request, "DPoP", &token, CONTENT, &resource.key).dpop(proof);
        draft.nonce = None;
        draft.sign()
    };
    let first = resource.send(sign(&mint().issued_at(NOW))).await.rejected("DPoP ", "use_dpop_nonce", "no nonce");
    let nonce = first.headers["dpop-nonce"].to_str().unwrap();
    for (row, iat) in [("now", NOW), ("slow", NOW - 3600), ("fast", NOW + 3600)] {
        resource.send(sign(&mint().nonce(nonce).issued_at(iat))).await.accepted(CONTENT, row);
    }
}

/// With a key that the client registered.
#[tokio::test]
async fn a_signature_in_addition_can_be_by_a_registered_key() {
    let registered = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let mut jwk = registered.public_jwk();
    (jwk["kid"], jwk["alg"]) = (json!("own"), json!("Ed25519"));
    let parse = |client: &str| {
        let json = json!({ client: { "keys": [jwk.clone()] } }).to_string();
        StaticClientKeys::parse(json.as_bytes(), Default::default(), CryptoBackend::default()).unwrap()
    };
    for (client, accepted) in [("client", true), ("another", false)] {
        let resource = Resource::new(|builder| builder.require_message_signature().client_keys(parse(client)));
        let token = resource.server.token().audience(AUDIENCE).client_id("client").bound_to(&resource.key).mint();
        let dpop = proof(&resource.key).url("https://api.example/notes").for_token(&token).issued_at(NOW);
        let mut draft = Draft::new(SignatureProfile::Request, "DPoP", &token, "", &registered).dpop(&dpop);
        draft.keyid = Some("own".to_owned());
        let answer = resource.send(draft.sign()).await;
        if accepted {
            answer.accepted("", client);
        } else {
            answer.rejected("DPoP ", "invalid_signature", client);
        }
    }
}

/// SIG-23: the rules for content apply to message signatures as well.
#[tokio::test]
async fn a_digest_field_that_is_present_must_be_covered() {
    for (rule, digest, accepted) in [
        (SignedContent::IfPresent, true, false),
        (SignedContent::IfPresent, false, true),
        (SignedContent::Off, true, true),
        (SignedContent::Required, false, false),
    ] {
        let resource = Resource::new(|builder| builder.proofs([ProofKind::HttpSig]).signed_content(rule));
        let token = resource.token(jwk(&resource.key, "ES256"));
        let draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, CONTENT, &resource.key);
        let mut request = draft.without("content-digest").sign();
        if !digest {
            request.headers_mut().remove("content-digest");
        }
        let (answer, row) = (resource.send(request).await, format!("{rule} {digest}"));
        if accepted {
            answer.accepted(CONTENT, &row);
        } else {
            answer.rejected("HTTPSig ", "invalid_signature", &row);
        }
    }
}

/// SIG-23, X-60: a digest that is signed in another form does not count as covered, and is not ignored.
#[tokio::test]
async fn a_digest_that_is_signed_in_another_form_is_verified_too() {
    for rule in [SignedContent::Off, SignedContent::IfPresent, SignedContent::Required] {
        for component in [r#""content-digest";key="sha-256""#, r#""content-digest";sf"#, r#""content-digest";bs"#] {
            let resource = Resource::new(|builder| builder.proofs([ProofKind::HttpSig]).signed_content(rule));
            let token = resource.token(jwk(&resource.key, "ES256"));
            let sign = |nonce| {
                let mut draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, CONTENT, &resource.key);
                draft.components.retain(|name| *name != "content-digest");
                draft.components.push(component);
                draft.nonce = Some(nonce);
                draft.sign()
            };
            let mut changed = sign("changed");
            *changed.body_mut() = Full::from("other");
            resource.send(changed).await.rejected("HTTPSig ", "invalid_signature", component);
            let unchanged = resource.send(sign("unchanged")).await;
            assert_eq!(unchanged.status == 200, rule == SignedContent::Off, "{rule} {component}");
        }
    }
}
