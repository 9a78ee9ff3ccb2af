//! The handler of `PopLayer::on_rejection` renders every rejection of a request, wherever it arises.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use tower::ServiceExt;
use tower_pop::{Claims, Mode, PopLayer, Rejection, RequireMaxAge, RequireScope, VerifiedToken};

use crate::support::{Api, api_with};

#[derive(serde::Deserialize)]
struct Tenant {
    #[allow(dead_code)] // only its presence matters
    tenant: String,
}

async fn body(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Routes that reject a request in each possible place.
fn routes() -> Router {
    async fn in_the_handler(token: VerifiedToken) -> Result<&'static str, Rejection> {
        token.require(RequireMaxAge::new(Duration::from_secs(1)))?;
        Ok("recent")
    }
    Router::new()
        .route("/guard", get(|| async { "guarded" }).layer(RequireScope::all(["admin"])))
        .route("/extractor", get(|_: VerifiedToken| async { "token" }))
        .route("/claims", get(|_: Claims<Tenant>| async { "tenant" }))
        .route("/handler", get(in_the_handler))
}

fn app(api: &Api) -> Router {
    // Neither parameter needs a type annotation.
    routes().layer(PopLayer::new(api.cfg.clone()).on_rejection(|rejection, request| {
        let id = request.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("none");
        let error = rejection.oauth_error().unwrap_or("no error");
        let text = format!("{} {error} {} for {id}", request.uri.path(), rejection.error().code());
        rejection.to_response().map(|()| Body::from(text))
    }))
}

fn with_id(mut request: Request<()>) -> Request<Body> {
    request.headers_mut().insert("x-request-id", "42".parse().unwrap());
    request.map(|()| Body::empty())
}

/// ERR-15: layer, guard, extractor and handler render their rejections alike.
#[tokio::test]
async fn one_handler_renders_the_rejections_of_layer_guard_extractor_and_handler() {
    let api = api_with(|builder| builder.mode(Mode::Optional));
    let signed = |path: &str| {
        let token = api.token().mint();
        let proof = api.proof(&token).claim("htu", format!("https://api.example{path}")).mint();
        let request = Request::get(path).header("authorization", format!("DPoP {token}")).header("dpop", proof);
        with_id(request.body(()).unwrap())
    };
    let anonymous = |path: &str| with_id(Request::get(path).body(()).unwrap());
    let mut wrong = signed("/guard");
    wrong.headers_mut().insert("dpop", "x".parse().unwrap());
    for (request, status, expected) in [
        (wrong, 401, "/guard invalid_dpop_proof proof.not_compact for 42"),
        (signed("/guard"), 403, "/guard insufficient_scope scope.insufficient for 42"),
        (anonymous("/guard"), 401, "/guard no error credential.missing for 42"),
        (anonymous("/extractor"), 401, "/extractor no error credential.missing for 42"),
        (anonymous("/claims"), 401, "/claims no error credential.missing for 42"),
        (signed("/claims"), 403, "/claims no error claim.shape for 42"),
        (signed("/handler"), 401, "/handler insufficient_user_authentication step_up.max_age for 42"),
        (signed("/extractor"), 200, "token"),
    ] {
        let response = app(&api).oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{expected}");
        assert_eq!(body(response).await, expected);
    }
}

/// Without a handler, all of them are problem documents.
#[tokio::test]
async fn the_default_handler_renders_all_of_them_as_problem_documents() {
    let api = api_with(|builder| builder.mode(Mode::Optional));
    let app = routes().layer(PopLayer::new(api.cfg.clone()));
    for path in ["/guard", "/extractor", "/claims", "/handler"] {
        let response = app.clone().oneshot(with_id(Request::get(path).body(()).unwrap())).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: serde_json::Value = serde_json::from_str(&body(response).await).unwrap();
        assert_eq!(problem["detail"], "Credentials are required", "{path}");
    }
    let token = api.token().mint();
    let proof = api.proof(&token).claim("htu", "https://api.example/claims").mint();
    let request = Request::get("/claims").header("authorization", format!("DPoP {token}")).header("dpop", proof);
    let response = app.oneshot(with_id(request.body(()).unwrap())).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::FORBIDDEN, &"application/problem+json".parse().unwrap())
    );
}

/// A rejection is an error whose source is the error of verification; the rejections of extractors are errors as well.
#[tokio::test]
async fn rejections_are_errors_with_sources() {
    use std::error::Error as _;

    let api = api_with(|builder| builder);
    let (parts, ()) = Request::get("https://api.example/notes").body(()).unwrap().into_parts();
    let rejection = api.cfg.verify(&parts).await.unwrap_err();
    assert_eq!(rejection.to_string(), "request rejected: credentials: none presented");
    let error = rejection.source().unwrap().downcast_ref::<tower_pop::Error>().unwrap();
    assert_eq!(error, rejection.error());
    assert_eq!(error.source().unwrap().to_string(), "none presented");
    let missing = tower_pop::VerifiedTokenRejection::MissingLayer;
    assert!(missing.to_string().contains("PopLayer is missing") && missing.source().is_none());
    let anonymous = tower_pop::VerifiedTokenRejection::Anonymous(rejection);
    assert_eq!(anonymous.source().unwrap().to_string(), "credentials: none presented");
    assert_eq!(
        tower_pop::ClaimsRejection::Token(anonymous).to_string(),
        "request rejected: credentials: none presented"
    );
}

/// ERR-17: a handler that turns the rejection itself into a response does not call itself.
#[tokio::test]
async fn a_handler_may_turn_the_rejection_into_a_response() {
    use axum::response::IntoResponse as _;

    let api = api_with(|builder| builder.mode(Mode::Optional));
    let app = routes().layer(PopLayer::new(api.cfg.clone()).on_rejection(|rejection, _| {
        let mut response = rejection.clone().into_response();
        response.headers_mut().insert("x-handled", "yes".parse().unwrap());
        response
    }));
    for path in ["/guard", "/extractor", "/claims", "/handler"] {
        let response = app.clone().oneshot(with_id(Request::get(path).body(()).unwrap())).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-handled"]),
            (401, &"yes".parse().unwrap()),
            "{path}"
        );
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    }
}

/// A layer inside another one without its own handler renders with that of the outer layer.
#[tokio::test]
async fn a_layer_without_a_handler_keeps_that_of_the_layer_around_it() {
    let api = api_with(|builder| builder.mode(Mode::Optional));
    let inner = PopLayer::new(api.cfg.with_mode(Mode::AllowBearer).unwrap());
    let outer = PopLayer::new(api.cfg.clone())
        .on_rejection(|rejection, _| rejection.to_response().map(|()| Body::from("by the outer handler")));
    let app = Router::new()
        .route("/notes", get(|| async { "guarded" }).layer(RequireScope::all(["admin"])))
        .layer(inner)
        .layer(outer);
    let token = api.token().mint();
    let request = crate::support::request(&token, &api.proof(&token).mint());
    let response = app.oneshot(with_id(request)).await.unwrap();
    assert_eq!((response.status().as_u16(), body(response).await), (403, "by the outer handler".to_owned()));
}

/// ATK-30, X-68: a handler that logs the head of the request shows neither token nor proof nor cookies.
#[tokio::test]
async fn the_head_that_a_handler_sees_hides_credentials_in_debug_output() {
    let api = api_with(|builder| builder);
    let app = routes().layer(
        PopLayer::new(api.cfg.clone())
            .on_rejection(|rejection, request| rejection.to_response().map(|()| Body::from(format!("{request:?}")))),
    );
    let token = api.token().mint();
    let proof = api.proof(&token).claim("htu", "https://api.example/guard").mint();
    for (sent, status) in [(proof.as_str(), 403), ("not-a-proof", 401)] {
        let request = Request::get("/guard")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", sent)
            .header("cookie", "session=secret");
        let response = app.clone().oneshot(with_id(request.body(()).unwrap())).await.unwrap();
        assert_eq!(response.status(), status);
        let shown = body(response).await;
        assert!(shown.contains("x-request-id") && shown.contains("42"), "{shown}");
        for secret in [&token, sent, "session=secret"] {
            assert!(!shown.contains(secret), "{status}: {secret}");
        }
    }
}
