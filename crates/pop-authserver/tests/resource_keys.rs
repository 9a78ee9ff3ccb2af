//! Key-encryption keys that the server takes from the metadata of a resource server (RFC 9728).
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use pop_authserver::{KeyEncryptionKeys, TestAuthServer};
use pop_client::{ClientError, ClientOptions, ResourceMetadata};
use pop_core::jose::decode;
use serde_json::{Value, json};

use support::{claims, request};

/// RFC 7517 appendix A.2.
fn p256(kid: &str) -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ECDH-ES+A256KW",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    })
}

fn public(kid: &str) -> Value {
    let mut jwk = p256(kid);
    jwk.as_object_mut().unwrap().remove("d");
    jwk["use"] = "enc".into();
    jwk
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        jwk.as_object_mut().unwrap().remove(name);
    } else {
        jwk[name] = value;
    }
    jwk
}

/// A resource server with changeable metadata and keys.
struct Resource {
    url: String,
    documents: Arc<Mutex<(Value, Value)>>,
}

impl Resource {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let documents = Arc::new(Mutex::new((json!({}), json!({}))));
        let (metadata, jwks) = (Arc::clone(&documents), Arc::clone(&documents));
        let app = Router::new()
            .route(
                "/.well-known/oauth-protected-resource",
                get(move || {
                    let document = metadata.lock().unwrap().0.clone();
                    async { Json(document) }
                }),
            )
            .route(
                "/keys",
                get(move || {
                    let document = jwks.lock().unwrap().1.clone();
                    async { Json(document) }
                }),
            );
        tokio::spawn(async move { axum::serve(listener, app).await });
        let resource = Self { url, documents };
        resource.describe(json!({ "resource": resource.url, "jwks_uri": format!("{}/keys", resource.url) }));
        resource
    }

    fn describe(&self, metadata: Value) {
        self.documents.lock().unwrap().0 = metadata;
    }

    fn publish(&self, keys: &[Value]) {
        self.documents.lock().unwrap().1 = json!({ "keys": keys });
    }

    async fn ask(&self, server: &TestAuthServer) -> (u16, Value) {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "app"),
            ("token_type", "pop"),
            ("resource", self.url.as_str()),
        ];
        request(server, &form, None, None).await
    }
}

fn kid_of(body: &Value) -> String {
    let cnf = claims(body["access_token"].as_str().unwrap())["cnf"].clone();
    let header = decode(cnf["jwe"].as_str().unwrap().split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// META-13, AS-19: the newest ones, and only those that are for encryption.
#[tokio::test]
async fn encrypts_for_the_first_usable_key_that_the_resource_server_publishes() {
    let resource = Resource::start().await;
    let options = ClientOptions::new().document_timeout(Duration::from_secs(5));
    let builder = TestAuthServer::defaults().audience(&resource.url).http_options(options);
    let server = TestAuthServer::start_with(builder).await;
    let good = || public("good");
    for (row, keys) in [
        ("alone", vec![good()]),
        ("META-13 for signatures", vec![with(public("bad"), "use", json!("sig")), good()]),
        ("META-13 without use", vec![with(public("bad"), "use", Value::Null), good()]),
        ("META-13 private", vec![with(p256("bad"), "use", json!("enc")), good()]),
        ("SYM-03 RSA1_5", vec![with(public("bad"), "alg", json!("RSA1_5")), good()]),
        ("SYM-13 without kid", vec![with(public("bad"), "kid", Value::Null), good()]),
        ("not on the curve", vec![with(public("bad"), "x", public("bad")["y"].clone()), good()]),
        ("not a key", vec![json!("x"), good()]),
    ] {
        resource.publish(&keys);
        let (status, body) = resource.ask(&server).await;
        assert_eq!(status, 200, "{row} {body}");
        assert_eq!(kid_of(&body), "good", "{row}");
        let own = KeyEncryptionKeys::parse(json!({ "keys": [p256("good")] }).to_string().as_bytes()).unwrap();
        let cnf = claims(body["access_token"].as_str().unwrap())["cnf"].clone();
        let key = own.unwrap(cnf["jwe"].as_str().unwrap()).unwrap().key;
        assert_eq!(decode(body["cnf"]["jwk"]["k"].as_str().unwrap()).unwrap(), key.expose_bytes(), "AS-19 {row}");
    }
    resource.publish(&[public("next"), good()]);
    assert_eq!(kid_of(&resource.ask(&server).await.1), "next", "SYM-13 a new key is used at once");
}

/// META-13: each row has its accepted twin at the end.
#[tokio::test]
async fn rejects_a_resource_when_its_keys_cannot_be_fetched() {
    let resource = Resource::start().await;
    let server = TestAuthServer::start_with(TestAuthServer::defaults().audience(&resource.url)).await;
    let uri = format!("{}/keys", resource.url);
    let good = json!({ "resource": resource.url, "jwks_uri": uri });
    for (row, metadata, keys) in [
        ("no jwks_uri", json!({ "resource": resource.url }), vec![public("good")]),
        ("another resource", json!({ "resource": "https://other.example", "jwks_uri": uri }), vec![public("good")]),
        ("plain http", json!({ "resource": resource.url, "jwks_uri": "http://192.0.2.1/keys" }), vec![public("good")]),
        ("no such document", json!({ "resource": resource.url, "jwks_uri": format!("{uri}/x") }), vec![public("good")]),
        ("no keys", good.clone(), vec![]),
        ("none for encryption", good.clone(), vec![with(public("bad"), "use", json!("sig"))]),
    ] {
        resource.describe(metadata);
        resource.publish(&keys);
        let (status, body) = resource.ask(&server).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_target")), "META-13 {row} {body}");
    }
    resource.describe(good);
    resource.publish(&[public("good")]);
    assert_eq!(resource.ask(&server).await.0, 200, "the twin");
}

/// META-13: by the client.
#[tokio::test]
async fn clients_can_fetch_the_keys_of_a_resource() {
    let resource = Resource::start().await;
    resource.publish(&[public("good")]);
    let metadata = ResourceMetadata::fetch(&resource.url).await.unwrap();
    let jwks = metadata.fetch_jwks(&ClientOptions::new()).await.unwrap();
    assert_eq!(jwks["keys"][0]["kid"], "good", "META-13");
    resource.describe(json!({ "resource": resource.url }));
    let metadata = ResourceMetadata::fetch(&resource.url).await.unwrap();
    assert!(matches!(metadata.fetch_jwks(&ClientOptions::new()).await, Err(ClientError::Response(_))), "META-13");
    // Nothing is fetched without TLS for a resource with TLS.
    let https = json!({ "resource": "https://api.example", "jwks_uri": format!("{}/keys", resource.url) });
    let https: ResourceMetadata = serde_json::from_value(https).unwrap();
    assert!(matches!(https.fetch_jwks(&ClientOptions::new()).await, Err(ClientError::Url(_))), "META-13");
}
