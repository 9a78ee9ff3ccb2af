//! Tokens that are bound to a key that the client names in `req_cnf`.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate};
use pop_core::jose::{CertThumbprint, encode};
use serde_json::{Value, json};

use support::{API, claims, request};

fn key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).unwrap()
}

fn with_alg(key: &DpopKey) -> Value {
    let mut jwk = key.public_jwk();
    jwk["alg"] = key.algorithm().name().replace("EdDSA", "Ed25519").into();
    jwk
}

async fn ask(server: &TestAuthServer, more: &[(&str, &str)], key: Option<&DpopKey>) -> (u16, Value) {
    let form = [&[("grant_type", "client_credentials"), ("client_id", "app")], more].concat();
    request(server, &form, key, None).await
}

/// AS-15, AS-17, AS-23, D-14, D-15: the type of the response is the requested one, in its registered spelling.
#[tokio::test]
async fn binds_a_token_to_the_key_that_the_client_names_and_proves() {
    let server = TestAuthServer::start().await;
    let key = key();
    let kid = key.thumbprint().to_string();
    let jwk = json!({ "jwk": key.public_jwk() }).to_string();
    let msal = encode(json!({ "kid": kid, "xms_ksl": "sw" }).to_string());
    let by_jwk = json!({ "jwk": with_alg(&key) });
    let by_kid = json!({ "kid": kid });
    for (row, form, token_type, cnf) in [
        ("AS-15", vec![("token_type", "pop"), ("req_cnf", jwk.as_str())], "PoP", &by_jwk),
        ("D-14", vec![("token_type", "PoP"), ("req_cnf", &jwk)], "PoP", &by_jwk),
        ("AS-15 no type", vec![("req_cnf", &jwk)], "PoP", &by_jwk),
        ("D-15 MSAL", vec![("token_type", "pop"), ("req_cnf", &msal)], "PoP", &by_kid),
        ("AS-23", vec![("token_type", "httpsig"), ("req_cnf", &jwk)], "httpsig", &by_jwk),
        ("AS-23 case", vec![("token_type", "HTTPSig"), ("req_cnf", &jwk)], "httpsig", &by_jwk),
        ("DPoP", vec![("token_type", "dpop")], "DPoP", &json!({ "jkt": kid })),
        ("AS-15 the draft's misspelling", vec![("cnf_req", &jwk)], "DPoP", &json!({ "jkt": kid })),
    ] {
        let (status, body) = ask(&server, &form, Some(&key)).await;
        assert_eq!((status, &body["token_type"]), (200, &json!(token_type)), "{row} {body}");
        assert_eq!(&claims(body["access_token"].as_str().unwrap())["cnf"], cnf, "{row}");
        assert!(body.get("cnf").is_none(), "AS-17 {row}: the client has the key");
        assert!(body.get("rs_cnf").is_none(), "AS-18 {row}");
    }
}

/// AS-15, AS-16, AS-21, AS-06: the same request with a proof by the key is accepted.
#[tokio::test]
async fn rejects_a_key_when_the_client_does_not_prove_possession_of_it() {
    let builder = TestAuthServer::defaults().client(Client::public("dpop").dpop_bound_access_tokens());
    let server = TestAuthServer::start_with(builder).await;
    let (key, other) = (key(), key());
    let jwk = json!({ "jwk": key.public_jwk() }).to_string();
    let kid = json!({ "kid": key.thumbprint().to_string() }).to_string();
    let oct = json!({ "jwk": { "kty": "oct", "k": encode([7; 32]) } }).to_string();
    let encryption = json!({ "jwk": { "kty": "OKP", "crv": "X25519", "x": encode([9; 32]) } }).to_string();
    for (row, form, by, expected) in [
        ("AS-15 no proof", vec![("token_type", "pop"), ("req_cnf", jwk.as_str())], None, "invalid_dpop_proof"),
        ("AS-15 no proof, kid", vec![("token_type", "pop"), ("req_cnf", &kid)], None, "invalid_dpop_proof"),
        ("AS-15 no proof, httpsig", vec![("token_type", "httpsig"), ("req_cnf", &jwk)], None, "invalid_dpop_proof"),
        ("AS-15 other key", vec![("token_type", "pop"), ("req_cnf", &jwk)], Some(&other), "invalid_dpop_proof"),
        ("AS-15 other kid", vec![("token_type", "pop"), ("req_cnf", &kid)], Some(&other), "invalid_dpop_proof"),
        ("DPoP without a proof", vec![("token_type", "DPoP")], None, "invalid_dpop_proof"),
        ("DPoP with req_cnf", vec![("token_type", "DPoP"), ("req_cnf", &jwk)], Some(&key), "invalid_request"),
        ("AS-23 no key", vec![("token_type", "httpsig")], Some(&key), "invalid_request"),
        ("AS-23 kid", vec![("token_type", "httpsig"), ("req_cnf", &kid)], Some(&key), "invalid_request"),
        ("twice", vec![("req_cnf", &jwk), ("req_cnf", &jwk)], Some(&key), "invalid_request"),
        ("AS-16", vec![("token_type", "pop"), ("req_cnf", &oct)], Some(&key), "invalid_request"),
        ("AS-21 key", vec![("token_type", "pop"), ("req_cnf", &encryption)], Some(&key), "unsupported_pop_key"),
        ("AS-21 type", vec![("token_type", "mac")], Some(&key), "invalid_token_type"),
        ("AS-21 Bearer", vec![("token_type", "Bearer")], None, "invalid_token_type"),
    ] {
        let (status, body) = ask(&server, &form, by).await;
        assert_eq!((status, &body["error"]), (400, &json!(expected)), "{row}");
    }
    for form in [vec![("token_type", "pop"), ("req_cnf", jwk.as_str())], vec![("req_cnf", &kid)]] {
        assert_eq!(ask(&server, &form, Some(&key)).await.0, 200, "the twin");
    }
    let dpop = [("grant_type", "client_credentials"), ("client_id", "dpop")];
    let (status, body) = request(&server, &[&dpop[..], &[("req_cnf", &jwk)]].concat(), Some(&key), None).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_token_type")), "AS-06");
    assert_eq!(request(&server, &dpop, Some(&key), None).await.0, 200, "the twin");
}

/// AS-15: a proof is recorded like every other.
#[tokio::test]
async fn a_proof_for_a_requested_key_works_once() {
    let server = TestAuthServer::start().await;
    let key = key();
    let jwk = json!({ "jwk": key.public_jwk() }).to_string();
    let form = [("grant_type", "client_credentials"), ("client_id", "app"), ("req_cnf", jwk.as_str())];
    let proof = support::token_proof(&server, &key);
    for expected in [200, 400] {
        let request = reqwest::Client::new().post(format!("{}/token", server.issuer())).header("dpop", &proof);
        assert_eq!(request.form(&form).send().await.unwrap().status(), expected, "AS-15");
    }
}

/// CNF-07, AS-23: and `alg` is fully specified.
#[tokio::test]
async fn the_key_in_a_token_names_the_algorithm_of_the_proof() {
    let server = TestAuthServer::start().await;
    for (algorithm, named) in [
        (Algorithm::ES256, "ES256"),
        (Algorithm::ES384, "ES384"),
        (Algorithm::ES512, "ES512"),
        (Algorithm::Ed25519, "Ed25519"),
        (Algorithm::EdDSA, "Ed25519"),
        (Algorithm::RS256, "RS256"),
        (Algorithm::PS256, "PS256"),
        (Algorithm::PS512, "PS512"),
    ] {
        let key = DpopKey::generate(algorithm).unwrap();
        let jwk = json!({ "jwk": key.public_jwk() }).to_string();
        for token_type in ["pop", "httpsig"] {
            let (status, body) = ask(&server, &[("token_type", token_type), ("req_cnf", &jwk)], Some(&key)).await;
            assert_eq!(status, 200, "AS-23 {algorithm} {body}");
            let token = body["access_token"].as_str().unwrap();
            assert_eq!(claims(token)["cnf"]["jwk"]["alg"], named, "CNF-07 {algorithm} {token_type}");
        }
    }
}

/// AS-13, CNF: the response has the `cnf` of the token as it is, and the type that was issued.
#[tokio::test]
async fn introspection_returns_the_key_of_a_token() {
    let builder = TestAuthServer::defaults()
        .client(Client::public("opaque").opaque_access_tokens())
        .client(Client::confidential("api", "secret").introspects(API));
    let server = TestAuthServer::start_with(builder).await;
    let introspect = async |token: &str| -> Value {
        let request = reqwest::Client::new().post(server.introspection_endpoint()).basic_auth("api", Some("secret"));
        request.form(&[("token", token)]).send().await.unwrap().json().await.unwrap()
    };
    let key = key();
    let jwk = json!({ "jwk": key.public_jwk() }).to_string();
    let kid = json!({ "kid": key.thumbprint().to_string() });
    let by_jwk = json!({ "jwk": with_alg(&key) });
    for (client, token_type, req_cnf, cnf, said) in [
        ("opaque", "pop", &jwk, &by_jwk, json!("PoP")),
        ("opaque", "httpsig", &jwk, &by_jwk, json!("httpsig")),
        ("opaque", "pop", &kid.to_string(), &kid, json!("PoP")),
        // A JWT with a key says nothing about the scheme.
        ("app", "httpsig", &jwk, &by_jwk, Value::Null),
        ("app", "pop", &kid.to_string(), &kid, json!("PoP")),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("token_type", token_type),
            ("req_cnf", req_cnf),
        ];
        let (_, body) = request(&server, &form, Some(&key), None).await;
        let response = introspect(body["access_token"].as_str().unwrap()).await;
        assert_eq!(response["active"], true, "AS-13 {client} {token_type}");
        assert_eq!((&response["cnf"], &response["token_type"]), (cnf, &said), "AS-13 {client} {token_type}");
    }
    let unbound = introspect(&server.token().mint()).await;
    assert_eq!((unbound.get("cnf"), &unbound["token_type"]), (None, &json!("Bearer")), "the twin");
}

/// AS-30: bound in every way, valid or defective.
#[test]
fn the_kit_binds_tokens_to_keys_in_every_way() {
    let server = TestAuthServer::offline("https://as.example");
    let key = key();
    let certificate = TestCertificate::self_signed("own");
    let kid = key.thumbprint().to_string();
    let x5t = CertThumbprint::of_der(certificate.der()).to_string();
    for (row, token, cnf) in [
        ("jkt", server.token().bound_to(&key), json!({ "jkt": kid })),
        ("x5t#S256", server.token().bound_to_certificate(certificate.der()), json!({ "x5t#S256": x5t })),
        ("jwk", server.token().bound_to_jwk(&key), json!({ "jwk": with_alg(&key) })),
        ("kid", server.token().bound_to_kid(&key), json!({ "kid": kid })),
        ("defective", server.token().bound_to_jwk(&key).claim("cnf", json!([])), json!([])),
    ] {
        assert_eq!(claims(&token.mint())["cnf"], cnf, "AS-30 {row}");
    }
}
