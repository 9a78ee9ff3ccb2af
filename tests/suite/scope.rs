//! SCOPE: guards as a layer and in handlers (RFC 6750 §3.1), through axum.

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{Request, Response};
use tower::ServiceExt;
use tower_pop::{Claims, Mode, PopLayer, Rejection, RequireScope, VerifiedToken};

use crate::support::{Api, api, api_with, request};

async fn write(token: VerifiedToken) -> Result<&'static str, Rejection> {
    token.require_scopes(&["notes:write"])?;
    Ok("written")
}

fn app(api: &Api) -> Router {
    Router::new()
        .route("/notes", get(|| async { "notes" }).layer(RequireScope::all(["notes:read", "profile"])))
        .route("/write", post(write))
        .route("/maybe", get(|token: Option<VerifiedToken>| async move { token.is_some().to_string() }))
        .route("/claims", get(|Claims(claims): Claims<Tenant>| async move { claims.tenant }))
        .layer(PopLayer::new(api.cfg.clone()))
}

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

async fn send(api: &Api, request: Request<()>) -> Response<Body> {
    app(api).oneshot(request.map(|()| Body::empty())).await.unwrap()
}

async fn with_scope(api: &Api, scope: &str) -> Response<Body> {
    let token = api.token().scope(scope).mint();
    send(api, request(&token, &api.proof(&token).mint())).await
}

fn challenge(response: &Response<Body>) -> &str {
    response.headers()["www-authenticate"].to_str().unwrap()
}

#[tokio::test]
async fn scope_01_scope_02_scope_08_names_all_that_is_needed() {
    let api = api();
    assert_eq!(with_scope(&api, "profile other notes:read").await.status(), 200, "the twin");
    for scope in ["notes:read", "", "notes:read PROFILE", "notes:readonly profile", "NOTES:READ profile"] {
        let response = with_scope(&api, scope).await;
        assert_eq!(response.status(), 403, "SCOPE-02 {scope:?}");
        let challenge = challenge(&response);
        assert!(challenge.starts_with("DPoP error=\"insufficient_scope\""), "SCOPE-08 {challenge}");
        assert!(challenge.contains("scope=\"notes:read profile\""), "SCOPE-01 {challenge}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    let token = api.token().without("scope").mint();
    let response = send(&api, request(&token, &api.proof(&token).mint())).await;
    assert_eq!(response.status(), 403, "SCOPE-03");
}

#[tokio::test]
async fn scope_04_hierarchies_are_configured() {
    let api = api_with(|builder| builder.scope_implies("admin", ["notes:read", "profile"]));
    assert_eq!(with_scope(&api, "admin").await.status(), 200, "SCOPE-04");
    assert_eq!(with_scope(&crate::support::api(), "admin").await.status(), 403, "SCOPE-04: only when configured");
}

#[tokio::test]
async fn scope_05_authentication_comes_first() {
    let api = api();
    let token = api.token().scope("").expires_in(-3600).mint();
    let response = send(&api, request(&token, &api.proof(&token).mint())).await;
    assert_eq!(response.status(), 401, "SCOPE-05");
    let nobody = send(&api, Request::get("/notes").body(()).unwrap()).await;
    assert_eq!(nobody.status(), 401, "SCOPE-05");
}

#[tokio::test]
async fn scope_07_handlers_can_ask_too() {
    let api = api();
    for (scope, status) in [("notes:write", 200), ("notes:read", 403)] {
        let token = api.token().scope(scope).mint();
        let proof = api.proof(&token).method("POST").url("https://api.example/write").mint();
        let mut write = request(&token, &proof);
        *write.method_mut() = http::Method::POST;
        *write.uri_mut() = "/write".parse().unwrap();
        assert_eq!(send(&api, write).await.status(), status, "SCOPE-07 {scope}");
    }
}

#[tokio::test]
async fn anonymous_requests_meet_guards_and_extractors() {
    let api = api_with(|builder| builder.mode(Mode::Optional));
    let get = |path: &str| Request::get(path).body(()).unwrap();
    let guarded = send(&api, get("/notes")).await;
    assert_eq!(guarded.status(), 401);
    assert!(challenge(&guarded).starts_with("DPoP algs="), "{}", challenge(&guarded));
    assert_eq!(send(&api, get("/maybe")).await.status(), 200);
    let extractor = send(&api, get("/claims")).await;
    assert_eq!(extractor.status(), 401);
    assert!(extractor.headers().contains_key("www-authenticate"), "ERR-01");
}

#[tokio::test]
async fn typed_claims_are_read_or_refused() {
    let api = api();
    for (token, status) in
        [(api.token().claim("tenant", "t1"), 200), (api.token().claim("tenant", 1), 403), (api.token(), 403)]
    {
        let token = token.mint();
        let mut claims = request(&token, &api.proof(&token).url("https://api.example/claims").mint());
        *claims.uri_mut() = "/claims".parse().unwrap();
        assert_eq!(send(&api, claims).await.status(), status);
    }
}

#[tokio::test]
async fn a_forgotten_layer_is_500_and_never_open() {
    let app: Router = Router::new()
        .route("/guarded", get(|| async { "open" }).layer(RequireScope::all(["a"])))
        .route("/token", get(|_: VerifiedToken| async { "open" }))
        .route("/maybe", get(|_: Option<VerifiedToken>| async { "open" }));
    for path in ["/guarded", "/token", "/maybe"] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500, "{path}");
    }
}

#[test]
#[should_panic(expected = "is not a scope")]
fn scope_names_are_checked_at_start() {
    let _ = RequireScope::all(["a b"]);
}
