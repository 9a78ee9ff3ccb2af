//! Symmetric keys: generated for one client, one resource server and one grant, and distributed to both.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use pop_authserver::{
    Algorithm, AuthServerBuilder, Client, DpopKey, KeyEncryptionKeys, Recipient, ResourceServer, SharedKey,
    TestAuthServer,
};
use pop_client::{ClientAuthentication, ClientError, TokenBinding, TokenClient};
use pop_core::jose::{JsonLimits, Object, decode};
use serde_json::{Value, json};

use support::{API, OTHER, claims, get, kek, keks, request};

const CALLBACK: &str = "http://127.0.0.1/callback";

fn builder() -> AuthServerBuilder {
    let resource = |identifier: &str, kid: &str| {
        ResourceServer::new(identifier).key_encryption_keys(&json!({ "keys": [kek(kid)] }).to_string()).unwrap()
    };
    TestAuthServer::defaults()
        .resource(resource(API, "api"))
        .resource(resource(OTHER, "other"))
        .client(Client::public("opaque").opaque_access_tokens())
        .client(Client::confidential("worker", "secret"))
        .client(Client::confidential("api", "secret").introspects(API))
}

async fn ask(server: &TestAuthServer, client: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let form = [&[("grant_type", "client_credentials"), ("client_id", client), ("token_type", "pop")], more].concat();
    request(server, &form, None, None).await
}

/// The key as the client gets it.
fn client_key(body: &Value) -> Vec<u8> {
    let jwk = &body["cnf"]["jwk"];
    assert_eq!((&jwk["kty"], &jwk["alg"]), (&json!("oct"), &json!("HS256")), "AS-17 {body}");
    decode(jwk["k"].as_str().unwrap()).unwrap()
}

/// The key as the resource server gets it.
fn server_key(keys: &KeyEncryptionKeys, cnf: &Value) -> Vec<u8> {
    keys.unwrap(cnf["jwe"].as_str().unwrap()).unwrap().key.expose_bytes().to_vec()
}

/// AS-17, AS-18, AS-19, AS-22, SYM-01, SYM-05, SYM-06: a new one for each token, client and resource.
#[tokio::test]
async fn a_symmetric_key_reaches_the_client_and_one_resource_server() {
    let server = TestAuthServer::start_with(builder()).await;
    let mut seen = Vec::new();
    for (client, resource, kid) in [("app", API, "api"), ("app", OTHER, "other"), ("app", API, "api")] {
        let (status, body) = ask(&server, client, &[("resource", resource)]).await;
        assert_eq!((status, &body["token_type"]), (200, &json!("PoP")), "AS-17 {body}");
        let claims = claims(body["access_token"].as_str().unwrap());
        assert_eq!(claims["aud"], resource, "SYM-06");
        assert_eq!(claims["cnf"].as_object().unwrap().len(), 1, "SYM-01 nothing in clear");
        let key = client_key(&body);
        assert_eq!(key.len(), 32, "AS-19 SYM-05");
        assert_eq!(server_key(&keks(&[kid]), &claims["cnf"]), key, "AS-19");
        let (other, jwe) = (keks(&["third"]), claims["cnf"]["jwe"].as_str().unwrap());
        assert!(other.unwrap(jwe).is_err(), "AS-19 for that server only");
        assert!(body.get("rs_cnf").is_none(), "AS-18");
        assert!(!seen.contains(&key), "AS-19 AS-22 a new key");
        seen.push(key);
    }
    let form = [("grant_type", "client_credentials"), ("token_type", "POP"), ("resource", API)];
    let (_, body) = request(&server, &form, None, Some(("worker", "secret"))).await;
    assert!(!seen.contains(&client_key(&body)), "AS-19 another client");
}

/// AS-19, SYM-06: each row has an accepted twin in the test above.
#[tokio::test]
async fn rejects_a_symmetric_key_when_there_is_not_one_resource_server_for_it() {
    let (group, bare) = ("https://group.example", "http://127.0.0.1:1");
    let jwks = json!({ "keys": [kek("group")] }).to_string();
    let builder = builder()
        .resource(ResourceServer::new(group).key_encryption_keys(&jwks).unwrap().group())
        .audience(bare)
        .client(Client::public("dpop").dpop_bound_access_tokens());
    let server = TestAuthServer::start_with(builder).await;
    for (row, resources, expected) in [
        ("AS-19 missing", vec![], "invalid_request"),
        ("SYM-06 several", vec![API, OTHER], "invalid_target"),
        ("AS-10 unknown", vec!["https://unknown.example"], "invalid_target"),
        ("SYM-06 a group", vec![group], "invalid_target"),
        ("META-13 no metadata", vec![bare], "invalid_target"),
    ] {
        let form: Vec<_> = resources.into_iter().map(|resource| ("resource", resource)).collect();
        let (status, body) = ask(&server, "app", &form).await;
        assert_eq!((status, &body["error"]), (400, &json!(expected)), "{row} {body}");
    }
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let form = [("grant_type", "client_credentials"), ("client_id", "dpop"), ("token_type", "pop"), ("resource", API)];
    let (status, body) = request(&server, &form, Some(&key), None).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_token_type")), "AS-06 {body}");
    assert_eq!(ask(&server, "app", &[("resource", API)]).await.0, 200, "the twin");
}

/// AS-20: as a JWE, and not in clear too.
#[tokio::test]
async fn a_client_with_an_encryption_key_gets_its_key_encrypted() {
    let own = keks(&["client"]);
    let client = Client::public("encrypting").encryption_key(&kek("client")).unwrap();
    let server = TestAuthServer::start_with(builder().client(client)).await;
    let (_, body) = ask(&server, "encrypting", &[("resource", API)]).await;
    let cnf = body["cnf"].as_object().unwrap();
    assert_eq!(cnf.keys().collect::<Vec<_>>(), ["jwe"], "AS-20");
    let token = claims(body["access_token"].as_str().unwrap());
    assert_eq!(server_key(&own, &body["cnf"]), server_key(&keks(&["api"]), &token["cnf"]), "AS-20");
    let (_, plain) = ask(&server, "app", &[("resource", API)]).await;
    assert_eq!(client_key(&plain).len(), 32, "AS-20 the other mode");
    assert!(Client::public("x").encryption_key(&json!({ "kty": "oct", "k": "AA", "kid": "x" })).is_err());
}

/// AS-13, SYM-01, SYM-14: encrypted, or in clear over the authenticated call if that is configured.
#[tokio::test]
async fn introspection_gives_the_key_to_the_resource_server() {
    let clear = ResourceServer::new(OTHER).keys_by_introspection();
    let builder = builder().resource(clear).client(Client::confidential("other", "secret").introspects(OTHER));
    let server = TestAuthServer::start_with(builder).await;
    let introspect = async |id: &str, token: &Value| -> Value {
        let request = reqwest::Client::new().post(server.introspection_endpoint()).basic_auth(id, Some("secret"));
        request.form(&[("token", token.as_str().unwrap())]).send().await.unwrap().json().await.unwrap()
    };
    for client in ["opaque", "app"] {
        let (_, body) = ask(&server, client, &[("resource", API)]).await;
        let said = introspect("api", &body["access_token"]).await;
        assert_eq!(said["token_type"], "PoP", "AS-13 {client}");
        assert_eq!(server_key(&keks(&["api"]), &said["cnf"]), client_key(&body), "AS-13 {client} {said}");
        let foreign = introspect("other", &body["access_token"]).await;
        assert_eq!(foreign, json!({ "active": false }), "SYM-01 {client}");
    }
    let (_, body) = ask(&server, "opaque", &[("resource", OTHER)]).await;
    let said = introspect("other", &body["access_token"]).await;
    assert_eq!((&said["cnf"], &said["token_type"]), (&body["cnf"], &json!("PoP")), "SYM-14");
    assert_eq!(introspect("api", &body["access_token"]).await, json!({ "active": false }), "SYM-14");
    // A JWT never has a key in clear, so that this resource needs a key-encryption key for it.
    let (status, body) = ask(&server, "app", &[("resource", OTHER)]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_target")), "SYM-01");
}

/// AS-18: for a key of the client and one server only.
#[tokio::test]
async fn the_key_of_the_resource_server_is_named_beside_keys_of_clients_only() {
    let (rs, key) = (DpopKey::generate(Algorithm::ES256).unwrap(), DpopKey::generate(Algorithm::ES256).unwrap());
    let jwks = json!({ "keys": [kek("api")] }).to_string();
    let resource = |identifier| {
        let resource = ResourceServer::new(identifier).public_key(&rs.public_jwk()).unwrap();
        resource.key_encryption_keys(&jwks).unwrap()
    };
    let builder = TestAuthServer::defaults().resource(resource(API)).resource(resource(OTHER).group());
    let server = TestAuthServer::start_with(builder).await;
    let jwk = json!({ "jwk": key.public_jwk() }).to_string();
    for (row, more, expected) in [
        ("a key of the client", vec![("resource", API), ("req_cnf", jwk.as_str())], true),
        ("several servers", vec![("resource", OTHER), ("req_cnf", &jwk)], false),
        ("a symmetric key", vec![("resource", API), ("token_type", "pop")], false),
        ("DPoP", vec![("resource", API)], false),
    ] {
        let form = [&[("grant_type", "client_credentials"), ("client_id", "app")], &more[..]].concat();
        let (status, body) = request(&server, &form, Some(&key), None).await;
        assert_eq!(status, 200, "AS-18 {row} {body}");
        let rs_cnf = expected.then(|| json!({ "jwk": rs.public_jwk() }));
        assert_eq!(body.get("rs_cnf"), rs_cnf.as_ref(), "AS-18 {row}");
    }
    assert!(ResourceServer::new(API).public_key(&kek("api")).is_err(), "public keys only");
}

/// AS-19, AS-22, CLI-17: the resource of the authorization request counts. A refresh that fails does not use up the refresh token.
#[tokio::test]
async fn every_grant_and_every_refresh_has_a_new_symmetric_key() {
    let unavailable = "http://127.0.0.1:1";
    let server = TestAuthServer::start_with(builder().audience(unavailable)).await;
    let client = TokenClient::builder(server.issuer(), "app").binding(TokenBinding::SharedKey);
    let client = client.build(DpopKey::generate(Algorithm::ES256).unwrap()).await.unwrap();
    let redirected = async |resource| {
        let request = client.authorize(CALLBACK, None, resource).unwrap();
        let location = get(request.url.as_str()).await.headers()["location"].to_str().unwrap().to_owned();
        client.exchange(&request, &location).await
    };
    let code = |error: ClientError| match error {
        ClientError::OAuth { code, .. } => code,
        other => panic!("{other}"),
    };
    assert_eq!(code(redirected(None).await.unwrap_err()), "invalid_request", "AS-19");
    let granted = redirected(Some(API)).await.unwrap();
    let refresh = granted.refresh_token.clone().unwrap();
    let refreshed = client.refresh(&refresh).await.unwrap();
    let key = |token| match client.bound_token(token).unwrap().proof() {
        pop_client::ProofMethod::SharedKey(key) => key.expose_bytes().to_vec(),
        other => panic!("{other:?}"),
    };
    for token in [&granted, &refreshed] {
        let cnf = claims(&token.access_token)["cnf"].clone();
        assert_eq!(server_key(&keks(&["api"]), &cnf), key(token), "AS-19 CLI-17");
        assert!(token.member("cnf").is_none() && !format!("{token:?}").contains("jwk"), "CLI-17");
    }
    assert_ne!(key(&granted), key(&refreshed), "AS-22");
    assert_eq!(code(client.refresh(&refresh).await.unwrap_err()), "invalid_grant", "the refresh token is used up");

    // A DPoP-bound token for a resource that has no keys, and then a symmetric one: the refresh token survives.
    let dpop = TokenClient::builder(server.issuer(), "app").build(client.key().clone()).await.unwrap();
    let request = dpop.authorize(CALLBACK, None, Some(unavailable)).unwrap();
    let location = get(request.url.as_str()).await.headers()["location"].to_str().unwrap().to_owned();
    let granted = dpop.exchange(&request, &location).await.unwrap();
    let refresh = granted.refresh_token.unwrap();
    assert_eq!(code(client.refresh(&refresh).await.unwrap_err()), "invalid_target", "META-13");
    dpop.refresh(&refresh).await.unwrap();
}

/// AS-30: the kit binds a token to any symmetric key.
#[test]
fn the_kit_encrypts_a_symmetric_key_for_a_resource_server() {
    let server = TestAuthServer::offline("https://as.example");
    let jwk = kek("api").to_string();
    let recipient = Recipient::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
    let token = server.token().bound_to_shared_key(&SharedKey::new([7; 32]).unwrap(), &recipient).mint();
    assert_eq!(server_key(&keks(&["api"]), &claims(&token)["cnf"]), [7; 32], "AS-30");
}

/// CLI-17: registered with [`ClientAuthentication`], or public; the key arrives as JWK or JWE.
#[tokio::test]
async fn clients_decrypt_their_symmetric_keys() {
    let encrypting = Client::confidential("encrypting", "secret").encryption_key(&kek("client")).unwrap();
    let server = TestAuthServer::start_with(builder().client(encrypting)).await;
    for (row, id, keys, accepted) in [
        ("JWE", "encrypting", Some(keks(&["client"])), true),
        ("JWE without keys", "encrypting", None, false),
        ("JWE with other keys", "encrypting", Some(keks(&["other"])), false),
        ("JWK", "worker", None, true),
        ("JWK with keys", "worker", Some(keks(&["client"])), true),
    ] {
        let mut builder = TokenClient::builder(server.issuer(), id)
            .authentication(ClientAuthentication::SecretBasic("secret".to_owned()))
            .binding(TokenBinding::SharedKey);
        if let Some(keys) = keys {
            builder = builder.decryption_keys(keys);
        }
        let client = builder.build(DpopKey::generate(Algorithm::ES256).unwrap()).await.unwrap();
        match client.client_credentials(None, Some(API)).await {
            Ok(token) => {
                assert!(accepted, "CLI-17 {row}");
                assert_eq!(client.bound_token(&token).unwrap().proof().scheme(), "PoP", "CLI-17 {row}");
            }
            Err(error) => assert!(!accepted && matches!(error, ClientError::Response(_)), "CLI-17 {row}: {error}"),
        }
    }
}
