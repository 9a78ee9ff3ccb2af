//! Web pages call the API through the CORS layer of `tower_http`, with the lists of `tower_pop::cors`.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tower::ServiceExt;
use tower_http::cors::CorsLayer;
use tower_pop::{NoncePolicy, PopLayer, RequireScope, cors};

use crate::support::{Api, api, api_with};

const PAGE: &str = "https://app.example";
const JSON: &[&str] = &["authorization", "content-type", "dpop"];
const MCP: &[&str] = &[
    "accept",
    "authorization",
    "content-type",
    "dpop",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
];

/// An API that starts MCP sessions, with these additional fields.
fn app(api: &Api, sent: &[HeaderName], read: &[HeaderName]) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static(PAGE))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(cors::allow_headers(sent.to_vec()))
        .expose_headers(cors::expose_headers(read.to_vec()));
    let call = post(|| async { ([("mcp-session-id", "1"), ("mcp-protocol-version", "2025-11-25")], "called") });
    Router::new()
        .route("/notes", call.layer(RequireScope::all(["notes:write"])))
        .layer(PopLayer::new(api.cfg.clone()))
        .layer(cors)
}

fn names(response: &Response<Body>, field: &str) -> Vec<String> {
    let lines = response.headers().get_all(field).iter();
    lines.flat_map(|line| line.to_str().unwrap().split(',')).map(|name| name.trim().to_lowercase()).collect()
}

/// Sends a preflight as a browser does (Fetch, "CORS-preflight fetch"), and says whether the call may follow.
async fn may_follow(app: &Router, method: &str, fields: &[&str]) -> bool {
    let preflight = Request::options("/notes")
        .header(ORIGIN, PAGE)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", fields.join(","));
    let response = app.clone().oneshot(preflight.body(Body::empty()).unwrap()).await.unwrap();
    let allowed = names(&response, "access-control-allow-headers");
    response.status().is_success()
        && response.headers().get("access-control-allow-origin").is_some_and(|origin| origin == PAGE)
        && names(&response, "access-control-allow-methods").contains(&method.to_lowercase())
        && fields.iter().all(|field| allowed.iter().any(|allowed| allowed == field))
}

/// The call after a preflight.
async fn call(app: &Router, api: &Api, scope: &str) -> Response<Body> {
    let token = api.token().scope(scope).mint();
    let request = Request::post("/notes")
        .header(ORIGIN, PAGE)
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("DPoP {token}"))
        .header("dpop", api.proof(&token).method("POST").mint());
    app.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap()
}

/// DPOP-36: the lists allow what browsers ask for in a preflight, and no more.
#[tokio::test]
async fn pages_can_post_json_and_call_mcp_servers() {
    let api = api();
    let app = app(&api, &[], &[]);
    assert!(may_follow(&app, "POST", JSON).await, "DPOP-36 a POST of JSON");
    assert!(may_follow(&app, "POST", MCP).await, "DPOP-36 a call of the Model Context Protocol");
    assert!(may_follow(&app, "GET", &["authorization", "dpop"]).await, "DPOP-36");
    assert!(!may_follow(&app, "POST", &["x-tenant"]).await, "what the application does not add is not allowed");
    assert!(!may_follow(&app, "DELETE", JSON).await, "methods are the application's");
    let answer = call(&app, &api, "notes:write").await;
    assert_eq!(
        (answer.status(), &answer.headers()["access-control-allow-origin"]),
        (StatusCode::OK, &PAGE.parse().unwrap())
    );
    let exposed = names(&answer, "access-control-expose-headers");
    assert!(answer.headers().contains_key("mcp-session-id") && exposed.contains(&"mcp-session-id".to_owned()));
}

/// DPOP-36, NONCE-16: challenge, nonce and `Retry-After`.
#[tokio::test]
async fn pages_can_read_every_field_of_a_rejection() {
    let nonces = api_with(|builder| builder.nonce(NoncePolicy::Required));
    let plain = api();
    let full = api_with(|builder| builder.replay_store(Full));
    for (row, api, scope, status, field) in [
        ("NONCE-16", &nonces, "notes:write", 401, "dpop-nonce"),
        ("DPOP-36", &nonces, "notes:write", 401, "www-authenticate"),
        ("DPOP-36 a scope is missing", &plain, "other", 403, "www-authenticate"),
        ("DPOP-36 full", &full, "notes:write", 503, "retry-after"),
    ] {
        let answer = call(&app(api, &[], &[]), api, scope).await;
        assert_eq!(answer.status(), status, "{row}");
        assert!(answer.headers().contains_key(field), "{row}");
        assert_eq!(answer.headers()["access-control-allow-origin"], PAGE, "{row}");
        assert!(names(&answer, "access-control-expose-headers").contains(&field.to_owned()), "{row}");
    }
}

/// DPOP-36: each name stands in a list once.
#[tokio::test]
async fn applications_can_add_header_fields_to_the_lists() {
    let api = api();
    let own = [HeaderName::from_static("x-tenant"), CONTENT_TYPE];
    let app = app(&api, &own, &[ALLOW]);
    let with_own: Vec<&str> = JSON.iter().copied().chain(["x-tenant"]).collect();
    assert!(may_follow(&app, "POST", &with_own).await, "DPOP-36");
    let exposed = names(&call(&app, &api, "notes:write").await, "access-control-expose-headers");
    assert!(exposed.contains(&"allow".to_owned()) && exposed.contains(&"dpop-nonce".to_owned()), "{exposed:?}");
    assert_eq!(cors::allow_headers(own).len(), cors::ALLOW_HEADERS.len() + 1, "each name once");
    assert_eq!(cors::expose_headers([]), cors::EXPOSE_HEADERS);
}

/// A replay store without room.
struct Full;

impl tower_pop::replay::ReplayStore for Full {
    fn insert(&self, _: tower_pop::replay::ReplayEntry) -> tower_pop::replay::ReplayAnswer {
        tower_pop::replay::ReplayAnswer::Now(Err(pop_core::ReplayError::Full))
    }
}
