//! Token requests that are signed with an HTTP message signature (draft-richer-oauth-httpsig).
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use pop_authserver::{Algorithm, AuthServerBuilder, Client, TestAuthServer};
use pop_core::content::content_digest;
use pop_core::proof::message_signature::{RuntimeKey, SignatureProfile};
use serde_json::{Value, json};
use tower_pop::clock::{Clock, ManualClock};

use support::signed::{COMPONENTS, FORM, NOW, Sent, Signed, jwks, key, public_jwk};

async fn start(configure: impl FnOnce(AuthServerBuilder) -> AuthServerBuilder) -> TestAuthServer {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    TestAuthServer::start_with(configure(TestAuthServer::defaults().clock(clock))).await
}
/// AS-23: by the tag alone, or with `token_type`. CNF-07: `alg` is fully specified.
#[tokio::test]
async fn a_signed_request_gets_a_token_for_the_key_in_the_signature() {
    let server = start(|builder| builder).await;
    for algorithm in [Algorithm::Ed25519, Algorithm::EdDSA, Algorithm::ES256, Algorithm::ES384] {
        let key = key(algorithm);
        for (row, request) in [
            ("the tag alone", Signed::by(&key)),
            ("token_type", Signed::by(&key).form("&token_type=httpsig")),
            ("token_type in another case", Signed::by(&key).form("&token_type=HTTPSig")),
            ("a query", Signed { path: "/token?a=1&b", ..Signed::by(&key) }),
            ("an empty query", Signed { path: "/token?", ..Signed::by(&key) }),
            (
                "more is covered",
                Signed { components: [&COMPONENTS[..], &["content-type"]].concat(), ..Signed::by(&key) },
            ),
        ] {
            let claims = request.send(&server).accepted(&server, &format!("{row} {algorithm}")).await;
            assert_eq!(claims["cnf"], json!({ "jwk": public_jwk(&key) }), "AS-23 {row} {algorithm}");
        }
    }
    for algorithm in [Algorithm::ES512, Algorithm::RS256, Algorithm::PS512] {
        let key = key(algorithm);
        let request = Signed { alg: Some("rsa-pss-sha512"), public_key: Some(vec![7; 256]), ..Signed::by(&key) };
        request.send(&server).rejected(&server, algorithm.name(), "the algorithm is not accepted").await;
    }
}

/// AS-23: `keyid` names a key of this client, and nothing else says which key it is.
#[tokio::test]
async fn a_signed_request_gets_a_token_for_a_registered_key() {
    let keys = [Algorithm::Ed25519, Algorithm::ES256, Algorithm::RS256, Algorithm::PS512, Algorithm::PS256].map(key);
    let [ed, ec, rs, ps, other] = &keys;
    let own = jwks(&[("ed", ed), ("ec", ec), ("rs", rs), ("ps", ps), ("ps256", other)]);
    let theirs = key(Algorithm::Ed25519);
    let server = start(|builder| {
        builder
            .client(Client::public("own").signature_keys(&own).unwrap())
            .client(Client::public("they").signature_keys(&jwks(&[("theirs", &theirs)])).unwrap())
    })
    .await;
    let form = || FORM.replace("app", "own");
    for (key, keyid) in [(ed, "ed"), (ec, "ec"), (rs, "rs"), (ps, "ps")] {
        let good = Signed { form: form(), ..Signed::registered(key, keyid) };
        let claims = good.send(&server).accepted(&server, keyid).await;
        assert_eq!(claims["cnf"], json!({ "jwk": public_jwk(key) }), "AS-23 {keyid}");
    }
    let good = || Signed { form: form(), ..Signed::registered(ed, "ed") };
    let point = RuntimeKey::new(ed.public_key().clone(), Algorithm::Ed25519).unwrap().as_bytes().to_vec();
    for (row, request, reason) in [
        ("keyid and alg", Signed { alg: Some("ed25519"), ..good() }, "alg is not allowed"),
        ("keyid and pub", Signed { public_key: Some(point), ..good() }, "pub is not allowed"),
        ("an unknown keyid", Signed { keyid: Some("none"), ..good() }, "keyid names no key"),
        ("an empty keyid", Signed { keyid: Some(""), ..good() }, "keyid names no key"),
        (
            "a key of another client",
            Signed { form: form(), ..Signed::registered(&theirs, "theirs") },
            "keyid names no key",
        ),
        ("another registered key", Signed { keyid: Some("ec"), ..good() }, "does not verify"),
        ("a client without keys", Signed::registered(ed, "ed"), "keyid names no key"),
        ("PS256", Signed { form: form(), ..Signed::registered(other, "ps256") }, "the algorithm is not accepted"),
    ] {
        request.send(&server).rejected(&server, row, reason).await;
    }
    let they = Signed { form: FORM.replace("app", "they"), ..Signed::registered(&theirs, "theirs") };
    they.send(&server).accepted(&server, "the twin at the other client").await;
    good().send(&server).accepted(&server, "the twin").await;
    // A client with registered keys may use another one.
    Signed { form: form(), ..Signed::by(&theirs) }
        .send(&server)
        .accepted(&server, "a key that is not registered")
        .await;
}

/// AS-23: and `Debug` of a client hides them.
#[test]
fn rejects_a_set_of_registered_keys_when_a_key_is_not_usable() {
    let (one, other) = (key(Algorithm::ES256), key(Algorithm::Ed25519));
    let good = jwks(&[("1", &one), ("2", &other)]);
    let register = |jwks: &Value| Client::public("app").signature_keys(jwks).map_err(|error| error.to_string());
    assert!(register(&good).is_ok() && register(&json!({ "keys": [] })).is_ok());
    for (name, value, problem) in [
        ("kid", Value::Null, "client app, key 1"),
        ("kid", json!("1"), "client app, key 1: another key has this kid"),
        ("alg", json!("EdDSA"), "client app, key 1: no fully specified alg that fits the key"),
        ("alg", json!("ES256"), "client app, key 1: no fully specified alg that fits the key"),
        ("d", json!("AA"), "client app, key 1: not an accepted public key"),
        ("kty", json!("oct"), "client app, key 1: not an accepted public key"),
    ] {
        let mut jwks = good.clone();
        jwks["keys"][1][name] = value;
        let error = register(&jwks).unwrap_err();
        assert!(error.starts_with(problem), "AS-23 {name}: {error}");
    }
    for set in [json!([]), json!({}), json!({ "keys": {} }), json!(null)] {
        assert!(register(&set).is_err(), "AS-23 {set}");
    }
}

/// AS-23: what must be covered, and what the parameters must be.
#[tokio::test]
async fn rejects_a_signed_request_when_its_signature_is_not_complete() {
    let server = start(|builder| builder).await;
    for algorithm in [Algorithm::Ed25519, Algorithm::ES256, Algorithm::ES384] {
        let own = key(algorithm);
        let good = || Signed::by(&own);
        let without =
            |name| Signed { components: COMPONENTS.into_iter().filter(|own| *own != name).collect(), ..good() };
        let point = good().public_key.unwrap();
        let with_pub = |bytes: &[u8]| Signed { public_key: Some(bytes.to_vec()), ..good() };
        let off_curve = [&[4][..], &vec![1; point.len() - 1]].concat();
        let off_curve = if algorithm == Algorithm::Ed25519 { [&[1][..], &[0; 31]].concat() } else { off_curve };
        let other_alg = if algorithm == Algorithm::ES256 { "ecdsa-p384-sha384" } else { "ecdsa-p256-sha256" };
        good().send(&server).accepted(&server, "the twin").await;
        for (row, request, reason) in [
            ("no method", without("@method"), "@method is not covered"),
            ("no URL", without("@target-uri"), "@target-uri is not covered"),
            ("no digest", without("content-digest"), "content-digest is not covered"),
            ("no created", Signed { created: None, ..good() }, "created is missing"),
            ("no nonce", Signed { nonce: None, ..good() }, "nonce is missing"),
            ("an empty nonce", Signed { nonce: Some(String::new()), ..good() }, "nonce is empty or too long"),
            ("no alg", Signed { alg: None, ..good() }, "alg is missing"),
            ("no pub", Signed { public_key: None, ..good() }, "pub is missing"),
            ("no key", Signed { alg: None, public_key: None, ..good() }, "alg is missing"),
            ("keyid and pub", Signed { keyid: Some("k"), ..good() }, "pub is not allowed"),
            ("a short key", with_pub(&point[..point.len() - 1]), "pub has the wrong type or value"),
            ("a long key", with_pub(&[&*point, &[0]].concat()), "pub has the wrong type or value"),
            ("a key without its first byte", with_pub(&point[1..]), "pub has the wrong type or value"),
            ("a point that is not on the curve", with_pub(&off_curve), "pub has the wrong type or value"),
            ("the alg of another key", Signed { alg: Some(other_alg), ..good() }, "pub has the wrong type or value"),
            ("an alg without an encoding", Signed { alg: Some("rsa-v1_5-sha256"), ..good() }, "the algorithm"),
            ("a symmetric alg", Signed { alg: Some("hmac-sha256"), ..good() }, "the algorithm"),
            ("a JOSE alg", Signed { alg: Some("ES256"), ..good() }, "the algorithm"),
            ("another method", Signed { method: "PUT", ..good() }, "does not verify"),
        ] {
            request.send(&server).rejected(&server, &format!("{row} {algorithm}"), reason).await;
        }
        for (row, created, reason) in [
            ("as old as allowed", NOW - 60, ""),
            ("too old", NOW - 61, "created is 61 s in the past"),
            ("as far ahead as allowed", NOW + 30, ""),
            ("too far ahead", NOW + 31, "created is 31 s in the future"),
            ("in milliseconds", NOW * 1000, "created is in milliseconds"),
        ] {
            let sent = Signed { created: Some(created), ..good() }.send(&server);
            if reason.is_empty() {
                sent.accepted(&server, row).await;
            } else {
                sent.rejected(&server, row, reason).await;
            }
        }
    }
}

/// AS-23: what was signed is what arrives.
#[tokio::test]
async fn rejects_a_signed_request_when_it_was_changed() {
    let server = start(|builder| builder).await;
    let (own, other) = (key(Algorithm::ES256), key(Algorithm::ES256));
    let sent = || Signed::by(&own).send(&server);
    let digest = |form: &str| content_digest(form.as_bytes()).to_str().unwrap().to_owned();
    let changed = format!("{FORM}&scope=more");
    let replaced = |name: &'static str, value: &str| {
        let mut sent = sent();
        sent.headers.remove(name);
        sent.with(name, value)
    };
    sent().accepted(&server, "the twin").await;
    let by_other = Signed::by(&other).send(&server).headers["signature"].to_str().unwrap().to_owned();
    for (row, sent, reason) in [
        ("another body", Sent { form: changed.clone(), ..sent() }, "the digest that is signed"),
        ("a body in another encoding", Sent { form: FORM.replace("app", "%61pp"), ..sent() }, "the digest"),
        (
            "no digest",
            Sent {
                headers: HeaderMap::from_iter(sent().headers.into_iter().filter_map(|(name, value)| {
                    name.filter(|name| name != "content-digest").map(|name| (name, value))
                })),
                ..sent()
            },
            "a covered component is not in the request",
        ),
        (
            "body and digest",
            Sent { form: changed.clone(), ..replaced("content-digest", &digest(&changed)) },
            "not verify",
        ),
        ("the digest alone", replaced("content-digest", &digest(&changed)), "does not verify"),
        ("a second digest", sent().with("content-digest", "sha-256=:AA==:"), "Content-Digest"),
        ("a query", Sent { path: "/token?a=1", ..sent() }, "does not verify"),
        (
            "another query",
            Sent { path: "/token?a=2", ..Signed { path: "/token?a=1", ..Signed::by(&own) }.send(&server) },
            "verify",
        ),
        ("the signature of another key", replaced("signature", &by_other), "does not verify"),
        (
            "no signature",
            Sent {
                headers: HeaderMap::from_iter(
                    sent()
                        .headers
                        .into_iter()
                        .filter_map(|(name, value)| name.filter(|name| name != "signature").map(|name| (name, value))),
                ),
                ..sent()
            },
            "a label is",
        ),
        ("malformed", replaced("signature-input", "("), "malformed"),
    ] {
        sent.rejected(&server, row, reason).await;
    }
    let elsewhere = start(|builder| builder).await;
    sent().rejected(&elsewhere, "another server", "does not verify").await;
    sent().accepted(&server, "the twin").await;
}

/// AS-23: and signatures with other tags are ignored.
#[tokio::test]
async fn rejects_a_signed_request_when_it_has_two_signatures_with_the_tag() {
    let server = start(|builder| builder).await;
    let (own, other) = (key(Algorithm::Ed25519), key(Algorithm::Ed25519));
    for (row, tag, by, is_accepted) in [
        ("two signatures", SignatureProfile::TokenRequest.tag(), &other, false),
        ("two signatures by one key", SignatureProfile::TokenRequest.tag(), &own, false),
        ("the tag for resources", SignatureProfile::HttpSig.tag(), &other, true),
        ("another tag", "fapi-2-request", &own, true),
    ] {
        let second = Signed { tag, ..Signed::by(by) }.send_labelled(&server, "o").headers;
        let text = |name: &str| second[name].to_str().unwrap();
        let sent = Signed::by(&own).send(&server);
        let sent = sent.with("signature-input", text("signature-input")).with("signature", text("signature"));
        if is_accepted {
            let claims = sent.accepted(&server, row).await;
            assert_eq!(claims["cnf"], json!({ "jwk": public_jwk(&own) }), "AS-23 {row}");
        } else {
            sent.rejected(&server, row, "there may be only one").await;
        }
    }
    let alone = Signed { tag: SignatureProfile::HttpSig.tag(), ..Signed::by(&own) }.send(&server);
    let (status, body) = alone.answer(&server).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")), "AS-23 another tag alone asks for nothing");
}

/// AS-23: a nonce belongs to a key, and a rejected request does not use it up.
#[tokio::test]
async fn the_nonce_of_a_signed_request_works_once() {
    let clock = Arc::new(ManualClock::at(NOW));
    let at: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let builder = TestAuthServer::defaults().clock(at).client(Client::public("narrow").scopes("a"));
    let server = TestAuthServer::start_with(builder).await;
    let (own, other) = (key(Algorithm::Ed25519), key(Algorithm::Ed25519));
    let fixed = |key| Signed { nonce: Some("once".to_owned()), ..Signed::by(key) };
    let rejected = Signed { form: FORM.replace("app", "narrow&scope=b"), ..fixed(&own) }.send(&server);
    for _ in 0..2 {
        let (status, body) = rejected.clone().answer(&server).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_scope")), "AS-23");
    }
    let sent = fixed(&own).send(&server);
    Sent { form: "grant_type=x".to_owned(), ..sent.clone() }.answer(&server).await;
    sent.clone().accepted(&server, "the nonce is not used up").await;
    sent.clone().rejected(&server, "the same request", "nonce was used before").await;
    let changed = fixed(&own).form("&scope=a").send(&server);
    changed.rejected(&server, "another request with the nonce", "nonce was used before").await;
    fixed(&other).send(&server).accepted(&server, "the nonce of another key").await;
    Signed::by(&own).send(&server).accepted(&server, "another nonce").await;
    clock.advance(60);
    sent.clone().rejected(&server, "as old as allowed", "nonce was used before").await;
    clock.advance(1);
    sent.rejected(&server, "too old", "created is 61 s in the past").await;
}

/// AS-23: a request asks for one kind of token. The twins are in the other tests.
#[tokio::test]
async fn rejects_a_signed_request_when_it_asks_for_another_token_too() {
    let server = start(|builder| builder.client(Client::public("dpop").dpop_bound_access_tokens())).await;
    let own = key(Algorithm::ES256);
    let jwk = json!({ "jwk": own.public_jwk() }).to_string().replace('"', "%22");
    for (row, form, reason) in [
        ("DPoP", "&token_type=DPoP", "not for another type"),
        ("PoP", "&token_type=PoP", "not for another type"),
        ("Bearer", "&token_type=Bearer", "not for another type"),
        ("an unknown type", "&token_type=mac", "not for another type"),
        ("req_cnf", &*format!("&req_cnf={jwk}"), "without req_cnf"),
        ("req_cnf with its type", &format!("&token_type=httpsig&req_cnf={jwk}"), "without req_cnf"),
    ] {
        Signed::by(&own).form(form).send(&server).rejected(&server, row, reason).await;
    }
    let proof = server.proof(&own).method("POST").url(&format!("{}/token", server.issuer())).mint();
    let both = Signed::by(&own).send(&server).with("dpop", &proof);
    both.clone().rejected(&server, "a DPoP proof", "not both").await;
    let mut proven = both;
    proven.headers.remove("signature-input");
    proven.headers.remove("signature");
    let (status, body) = proven.answer(&server).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("DPoP")), "AS-23 the proof alone, which is not used up");
    let (status, body) =
        Signed { form: FORM.replace("app", "dpop"), ..Signed::by(&own) }.send(&server).answer(&server).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_token_type")), "AS-06, AS-23");
    let form = [("grant_type", "client_credentials"), ("client_id", "app"), ("token_type", "httpsig")];
    let (status, body) = support::request(&server, &form, None, None).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "AS-23 neither signature nor req_cnf");
    Signed::by(&own).send(&server).accepted(&server, "the twin").await;
}

/// AS-23: the credentials of the client are covered, in the header field or in the form.
#[tokio::test]
async fn rejects_a_signed_request_when_it_does_not_cover_the_client_authentication() {
    let server = start(|builder| builder.client(Client::confidential("worker", "secret"))).await;
    let own = key(Algorithm::Ed25519);
    let basic = "Basic d29ya2VyOnNlY3JldA==";
    let form = "grant_type=client_credentials".to_owned();
    let signed = |components: &[&'static str]| Signed {
        authorization: Some(basic),
        form: form.clone(),
        components: components.to_vec(),
        ..Signed::by(&own)
    };
    let covered = signed(&[&COMPONENTS[..], &["authorization"]].concat());
    covered.send(&server).accepted(&server, "covered").await;
    signed(&COMPONENTS).send(&server).rejected(&server, "not covered", "authorization is not covered").await;
    let post = Signed::by(&own);
    let post = Signed { form: format!("{form}&client_id=worker&client_secret=secret"), ..post };
    post.send(&server).accepted(&server, "in the form").await;
    let added = Signed { form: form.clone(), ..Signed::by(&own) }.send(&server).with("authorization", basic);
    added.rejected(&server, "added on the way", "authorization is not covered").await;
    let mut wrong = covered.send(&server);
    wrong.headers.insert("authorization", HeaderValue::from_static("Basic d29ya2VyOndyb25n"));
    assert_eq!(wrong.answer(&server).await.1["error"], "invalid_client", "AS-23");
}
