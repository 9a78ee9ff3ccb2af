//! Metadata of the protected resource (RFC 9728).

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_pop::{Algorithm, KeyEncryptionKeys, Mode, PopConfig, PopConfigBuilder, PopLayer};

use crate::support::{AUDIENCE, ISSUER, api_with};

fn app(cfg: &PopConfig) -> Router {
    Router::new()
        .route("/notes", get(|| async { "notes" }))
        .layer(PopLayer::new(cfg.clone()))
        .merge(cfg.metadata_route())
}

async fn fetch(cfg: &PopConfig, method: &str, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "evil.example");
    app(cfg).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn document(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder, path: &str) -> Value {
    let api = api_with(configure);
    let response = fetch(&api.cfg, "GET", path).await;
    assert_eq!(response.status(), StatusCode::OK, "META-02 {path}");
    assert_eq!(response.headers()["content-type"], "application/json", "META-02");
    assert!(response.headers().contains_key("cache-control"), "META-14");
    assert_eq!(response.headers()["access-control-allow-origin"], "*", "META-14");
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// META-02, META-03, META-04, META-05, META-08, META-10, META-14: a JSON document from the configuration alone.
#[tokio::test]
async fn publishes_the_default_document() {
    let expected = json!({
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "ES384", "Ed25519", "EdDSA", "PS256", "RS256"],
        "dpop_bound_access_tokens_required": true,
    });
    assert_eq!(
        document(|builder| builder, WELL_KNOWN).await,
        expected,
        "META-03: the Host field does not count; META-04, META-10"
    );
}

/// META-01, META-11, META-12: the challenge has the same URL.
#[tokio::test]
async fn the_path_of_the_resource_follows_the_well_known_name() {
    let at_path = document(|builder| builder.resource("https://api.example/v1"), &format!("{WELL_KNOWN}/v1")).await;
    assert_eq!(at_path["resource"], "https://api.example/v1");
    let at_root = document(|builder| builder.resource("https://api.example/"), WELL_KNOWN).await;
    assert_eq!(at_root["resource"], "https://api.example/", "META-01 a terminating slash is left out of the URL");
    let api = api_with(|builder| builder.resource("https://api.example/v1"));
    let answer = api.send(Request::get("/").body(()).unwrap()).await;
    let url = format!("resource_metadata=\"https://api.example{WELL_KNOWN}/v1\"");
    assert!(answer.challenges()[0].contains(&url), "META-11");
}

/// META-05, META-08, META-09: algorithms, issuers, scopes and name.
#[tokio::test]
async fn the_document_follows_the_configuration() {
    let document = document(
        |builder| {
            builder
                .proof_algorithms([Algorithm::ES256])
                .scopes_supported(["a", "b"])
                .resource_name("Notes")
                .issuer("https://b.example")
        },
        WELL_KNOWN,
    )
    .await;
    assert_eq!(document["dpop_signing_alg_values_supported"], json!(["ES256"]), "META-05");
    assert_eq!((&document["scopes_supported"], &document["resource_name"]), (&json!(["a", "b"]), &json!("Notes")));
    assert_eq!(document["authorization_servers"], json!([ISSUER, "https://b.example"]), "META-08");
    let api = api_with(|builder| builder.proof_algorithms([Algorithm::ES256]));
    let answer = api.send(Request::get("/").body(()).unwrap()).await;
    assert!(answer.challenges()[0].contains(r#"algs="ES256""#), "META-05: the challenge has the same algorithms");
}

/// META-06: every mode in use counts.
#[tokio::test]
async fn bound_tokens_are_said_to_be_required_where_that_is_enforced() {
    let required = |document: &Value| document["dpop_bound_access_tokens_required"].clone();
    assert_eq!(required(&document(|builder| builder, WELL_KNOWN).await), true);
    assert_eq!(required(&document(|builder| builder.mode(Mode::Optional), WELL_KNOWN).await), true);
    assert_eq!(required(&document(|builder| builder.mode(Mode::AllowBearer), WELL_KNOWN).await), false);
    let api = api_with(|builder| builder);
    api.cfg.with_mode(Mode::AllowBearer).unwrap();
    let body = fetch(&api.cfg, "GET", WELL_KNOWN).await.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(required(&serde_json::from_slice(&body).unwrap()), false, "a layer on other routes accepts Bearer");
}

/// META-16, X-73: other methods are 405, and no other path becomes public.
#[tokio::test]
async fn the_document_answers_get_and_head_outside_the_layer() {
    let api = api_with(|builder| builder);
    let head = fetch(&api.cfg, "HEAD", WELL_KNOWN).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
    let post = fetch(&api.cfg, "POST", WELL_KNOWN).await;
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    // X-73: no other path below it is public.
    assert_eq!(fetch(&api.cfg, "GET", "/.well-known/oauth-protected-resource/x").await.status(), 404);
    assert_eq!(fetch(&api.cfg, "GET", "/notes").await.status(), 401);
}

/// META-13: `jwks_uri` leads to the public halves of the key-encryption keys, and follows a rotation.
#[tokio::test]
async fn the_key_encryption_keys_are_published_without_private_members() {
    let kek = |kid: &str| -> Value {
        // RFC 7748 §6.1: the key pair of Alice.
        json!({
            "kty": "OKP", "crv": "X25519", "kid": kid, "alg": "ECDH-ES",
            "d": "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo",
            "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
        })
    };
    let keys = |kids: &[&str]| {
        let keys: Vec<_> = kids.iter().map(|kid| kek(kid)).collect();
        KeyEncryptionKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    };
    let plain = api_with(|builder| builder);
    assert!(document(|builder| builder, WELL_KNOWN).await.get("jwks_uri").is_none(), "META-13 without keys");
    assert_eq!(plain.cfg.key_set_service().path(), "");

    let api = api_with(|builder| builder.key_encryption_keys(keys(&["old"])));
    let path = api.cfg.key_set_service().path().to_owned();
    let named = document(|builder| builder.key_encryption_keys(keys(&["old"])), WELL_KNOWN).await;
    assert_eq!(named["jwks_uri"], format!("https://api.example{path}"), "META-13");
    for kids in [&["old"][..], &["old", "new"], &["new"]] {
        api.cfg.set_key_encryption_keys(keys(kids));
        let response = fetch(&api.cfg, "GET", &path).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"application/jwk-set+json".parse().unwrap())
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let set: Value = serde_json::from_slice(&body).unwrap();
        let published: Vec<_> =
            set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(published, kids, "META-13 {set}");
        assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none() && key["use"] == "enc"));
    }
}
