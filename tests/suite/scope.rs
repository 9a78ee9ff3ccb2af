//! SCOPE: guards as a layer and in handlers (RFC 6750 §3.1), through axum.

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{Request, Response};
use pop_authserver::TokenMint;
use tower::ServiceExt;
use tower_pop::{Claims, Error, Mode, PopLayer, Rejection, Require, RequireClaim, RequireScope, VerifiedToken};

use crate::support::{Api, api, api_with, request};

async fn write(token: VerifiedToken) -> Result<&'static str, Rejection> {
    token.require_scopes(&["notes:write"])?;
    Ok("written")
}

fn app(api: &Api) -> Router {
    Router::new()
        .route("/notes", get(|| async { "notes" }).layer(RequireScope::all(["notes:read", "profile"])))
        .route("/write", post(write))
        .route("/any", get(|| async { "any" }).layer(RequireScope::any(["notes:read", "notes:admin"])))
        .route("/both", get(|| async { "both" }).layer(both()))
        .route("/roles", get(|| async { "roles" }).layer(RequireClaim::any("roles", ["admin", "editor"])))
        .route("/every", get(|| async { "every" }).layer(RequireClaim::all("realm_access.roles", ["admin", "editor"])))
        .route("/url", get(|| async { "url" }).layer(RequireClaim::any("https://example.com/roles", ["admin"])))
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

fn both() -> Require {
    RequireScope::any(["a", "b"]).and(RequireScope::all(["c"])).and(RequireClaim::any("roles", ["admin"]))
}

/// What comes back from a path for a token.
async fn at(api: &Api, path: &str, token: TokenMint) -> Response<Body> {
    let token = token.mint();
    let mut request = request(&token, &api.proof(&token).url(&format!("https://api.example{path}")).mint());
    *request.uri_mut() = path.parse().unwrap();
    send(api, request).await
}

#[tokio::test]
async fn scope_01_one_of_several_scopes_suffices_and_the_first_is_named() {
    let api = api_with(|builder| builder.scope_implies("root", ["notes:admin"]));
    for scope in ["notes:read", "notes:admin", "x notes:admin", "notes:read notes:admin", "root"] {
        assert_eq!(at(&api, "/any", api.token().scope(scope)).await.status(), 200, "{scope}");
    }
    for scope in ["", "notes", "notes:readonly", "NOTES:READ", "x"] {
        let response = at(&api, "/any", api.token().scope(scope)).await;
        assert_eq!(response.status(), 403, "SCOPE-02 {scope:?}");
        assert!(challenge(&response).contains("scope=\"notes:read\""), "SCOPE-01 {}", challenge(&response));
        assert!(!challenge(&response).contains("notes:admin"), "{}", challenge(&response));
    }
    for (scope, status) in [("a c", 200), ("b c", 200), ("a b", 403), ("c", 403), ("b", 403), ("", 403)] {
        let response = at(&api, "/both", api.token().scope(scope).claim("roles", "admin")).await;
        assert_eq!(response.status(), status, "{scope:?}");
        if status == 403 {
            assert!(
                challenge(&response).contains("scope=\"a c\""),
                "the same for every token {}",
                challenge(&response)
            );
        }
    }
}

#[tokio::test]
async fn claims_of_any_name_guard_routes() {
    use serde_json::json;
    let api = api();
    let rows = [
        ("/roles", json!({ "roles": "admin" }), 200),
        ("/roles", json!({ "roles": ["x", "editor"] }), 200),
        ("/roles", json!({ "roles": ["x"] }), 403),
        ("/roles", json!({ "roles": [] }), 403),
        ("/roles", json!({ "roles": "Admin" }), 403),
        ("/roles", json!({ "roles": "admin editor" }), 403),
        ("/roles", json!({ "roles": ["adm", "in"] }), 403),
        ("/roles", json!({ "roles": [["admin"]] }), 403),
        ("/roles", json!({ "roles": { "admin": true } }), 403),
        ("/roles", json!({ "roles": null }), 403),
        ("/roles", json!({ "Roles": "admin", "role": "admin" }), 403),
        ("/roles", json!({}), 403),
        ("/every", json!({ "realm_access": { "roles": ["editor", "x", "admin"] } }), 200),
        ("/every", json!({ "realm_access.roles": ["editor", "admin"] }), 200),
        ("/every", json!({ "realm_access": { "roles": ["admin"] } }), 403),
        ("/every", json!({ "realm_access": { "roles": "admin editor" } }), 403),
        ("/every", json!({ "realm_access": ["admin", "editor"] }), 403),
        ("/every", json!({ "roles": ["admin", "editor"] }), 403),
        ("/url", json!({ "https://example.com/roles": ["admin"] }), 200),
        ("/url", json!({ "https://example": { "com/roles": "admin" } }), 200),
        ("/url", json!({ "https://example": "admin" }), 403),
    ];
    for (path, claims, status) in rows {
        let token = claims
            .as_object()
            .unwrap()
            .iter()
            .fold(api.token(), |token, (name, value)| token.claim(name, value.clone()));
        let response = at(&api, path, token).await;
        assert_eq!(response.status(), status, "{path} {claims}");
        if status == 403 {
            let challenge = challenge(&response).to_owned();
            assert!(challenge.starts_with("DPoP error=\"insufficient_scope\""), "{challenge}");
            assert!(!challenge.contains(" scope=") && !challenge.contains("roles"), "{challenge}");
            assert_eq!(response.extensions().get::<Error>().map(Error::code), Some("claim.insufficient"));
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    let scopes_first = at(&api, "/both", api.token().scope("a")).await;
    assert_eq!(scopes_first.extensions().get::<Error>().map(Error::code), Some("scope.insufficient"));
    assert_eq!(at(&api, "/both", api.token().scope("a c").claim("roles", "x")).await.status(), 403);
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
        let response = send(&api, claims).await;
        assert_eq!(response.status(), status);
        if status == 403 {
            assert_eq!(response.extensions().get::<Error>().map(Error::code), Some("claim.shape"));
            assert_eq!(response.headers()["content-type"], "application/problem+json", "ERR-15");
            assert_eq!(response.headers()["cache-control"], "no-store", "ERR-12");
        }
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
fn guards_that_ask_for_nothing_are_found_at_start() {
    let none: [&str; 0] = [];
    assert!(std::panic::catch_unwind(|| RequireScope::any(none)).is_err());
    assert!(std::panic::catch_unwind(|| RequireScope::any(["a", "b c"])).is_err());
    assert!(std::panic::catch_unwind(|| RequireClaim::any("roles", none)).is_err());
    assert!(std::panic::catch_unwind(|| RequireClaim::all("", ["admin"])).is_err());
}

#[test]
#[should_panic(expected = "is not a scope")]
fn scope_names_are_checked_at_start() {
    let _ = RequireScope::all(["a b"]);
}
