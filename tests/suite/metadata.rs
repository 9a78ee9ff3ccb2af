//! Metadata of the protected resource (RFC 9728).

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_pop::{Algorithm, Mode, PopConfig, PopConfigBuilder, PopLayer};

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

/// META-13, SYM-13: the public halves of the key-encryption keys, for authorization servers that wrap keys for this resource.
#[tokio::test]
async fn publishes_public_key_encryption_keys_only() {
    // RFC 7518 appendix C.
    let private = r#"{"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "bob", "alg": "ECDH-ES",
         "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
         "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"},
        {"kty": "oct", "kid": "shared", "alg": "A256KW", "k": "GawgguFyGrWKav7AX4VKUgGawgguFyGrWKav7AX4VKU"}]}"#;
    let keys = tower_pop::KeyEncryptionKeys::parse(private.as_bytes()).unwrap();
    let with_keys = |builder: PopConfigBuilder| builder.key_encryption_keys(keys.clone());
    assert_eq!(document(|builder| builder, WELL_KNOWN).await.get("jwks_uri"), None);
    let uri = document(with_keys, WELL_KNOWN).await["jwks_uri"].as_str().unwrap().to_owned();
    let path = uri.strip_prefix(AUDIENCE).unwrap();
    assert_eq!(api_with(with_keys).cfg.key_set_service().path(), path);
    let response = fetch(&api_with(with_keys).cfg, "GET", path).await;
    assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
    let set: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let members: Vec<_> = set["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&set["keys"][0]["use"], set["keys"].as_array().unwrap().len()), (&json!("enc"), 1), "no oct key");
    assert_eq!(fetch(&api_with(with_keys).cfg, "POST", path).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
