//! Step-up: how strong and how recent the user's authentication must be (RFC 9470), through axum.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response};
use pop_authserver::{TestCertificate, TokenMint};
use tower::ServiceExt;
use tower_pop::{
    ClientCertificates, Mode, PeerCertificate, PopLayer, Rejection, RequireAcr, RequireMaxAge, RequireScope,
    VerifiedToken,
};

use crate::support::{Api, NOW, api, api_with, request};

async fn handler(token: VerifiedToken) -> Result<&'static str, Rejection> {
    token.require(RequireAcr::any(["mfa"]).and(RequireScope::all(["payments"])))?;
    Ok("paid")
}

fn app(api: &Api) -> Router {
    let ok = || get(|| async { "ok" });
    Router::new()
        .route("/acr", ok().layer(RequireAcr::any(["phr", "mfa"])))
        .route("/age", ok().layer(RequireMaxAge::new(Duration::from_secs(60))))
        .route(
            "/all",
            ok().layer(
                RequireScope::all(["payments"])
                    .and(RequireAcr::any(["mfa"]))
                    .and(RequireMaxAge::new(Duration::from_secs(60))),
            ),
        )
        .route("/handler", get(handler))
        .layer(PopLayer::new(api.cfg.clone()))
}

async fn at(api: &Api, path: &str, token: TokenMint) -> Response<Body> {
    let token = token.mint();
    let proof = api.proof(&token).url(&format!("https://api.example{path}")).mint();
    let mut request = request(&token, &proof).map(|()| Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    app(api).oneshot(request).await.unwrap()
}

fn challenge(response: &Response<Body>) -> String {
    response.headers()["www-authenticate"].to_str().unwrap().to_owned()
}

const ERROR: &str = "error=\"insufficient_user_authentication\"";

/// STEP-01, STEP-05: the challenge lists the values in order and is the same for every user.
#[tokio::test]
async fn requires_an_acr_from_the_list() {
    let api = api();
    for acr in ["mfa", "phr"] {
        assert_eq!(at(&api, "/acr", api.token().claim("acr", acr)).await.status(), 200, "STEP-01 {acr}");
    }
    let mut seen = Vec::new();
    for (row, token) in [
        ("weaker", api.token().claim("acr", "pwd")),
        ("none", api.token()),
        ("another case", api.token().claim("acr", "MFA")),
        ("a list in one", api.token().claim("acr", "phr mfa")),
        ("empty", api.token().claim("acr", "")),
    ] {
        let response = at(&api, "/acr", token).await;
        assert_eq!(response.status(), 401, "STEP-01 {row}");
        assert_eq!(response.headers()["cache-control"], "no-store", "ERR-12");
        seen.push(challenge(&response));
    }
    assert!(seen[0].starts_with("DPoP ") && seen[0].contains(ERROR), "STEP-01 {}", seen[0]);
    assert!(seen[0].contains("acr_values=\"phr mfa\"") && !seen[0].contains("max_age"), "in the order of preference");
    assert!(seen.iter().all(|challenge| *challenge == seen[0]), "STEP-05 the same for every user");
}

/// STEP-02: within the leeway; a missing one is not recent.
#[tokio::test]
async fn requires_a_recent_auth_time() {
    let api = api();
    // max_age 60 s, leeway 30 s
    for age in [0, 59, 60, 90] {
        let token = api.token().claim("auth_time", NOW - age);
        assert_eq!(at(&api, "/age", token).await.status(), 200, "STEP-02 {age} s ago");
    }
    for (row, token) in [
        ("91 s ago", api.token().claim("auth_time", NOW - 91)),
        ("1970", api.token().claim("auth_time", 0)),
        ("missing", api.token()),
        ("31 s ahead", api.token().claim("auth_time", NOW + 31)),
    ] {
        let response = at(&api, "/age", token).await;
        assert_eq!(response.status(), 401, "STEP-02 {row}");
        let challenge = challenge(&response);
        assert!(challenge.contains(ERROR) && challenge.contains("max_age=\"60\""), "STEP-02 {row} {challenge}");
    }
    let ill_typed = at(&api, "/age", api.token().claim("auth_time", "now")).await;
    assert!(challenge(&ill_typed).contains("invalid_token"), "JOSE-18 a wrong type is not absent");
}

/// STEP-03, X-65: a request with a bad proof, or without credentials, does not learn which `acr` is needed.
#[tokio::test]
async fn verifies_token_and_proof_before_step_up() {
    let api = api();
    let weak = api.token().mint();
    let bad_proof = api.proof(&weak).url("https://api.example/acr").tampered_signature().mint();
    let mut request = request(&weak, &bad_proof).map(|()| Body::empty());
    *request.uri_mut() = "/acr".parse().unwrap();
    let response = app(&api).oneshot(request).await.unwrap();
    let challenge = challenge(&response);
    assert!(challenge.contains("invalid_dpop_proof") && !challenge.contains("acr_values"), "STEP-03 {challenge}");
    let anonymous = Request::get("/acr").body(Body::empty()).unwrap();
    let response = app(&api).oneshot(anonymous).await.unwrap();
    assert!(!self::challenge(&response).contains("acr_values"), "STEP-03 nothing without credentials");
}

/// STEP-04: `acr`, age and scopes together.
#[tokio::test]
async fn one_challenge_names_everything_that_is_missing() {
    let api = api();
    let strong = || api.token().claim("acr", "mfa").claim("auth_time", NOW);
    assert_eq!(at(&api, "/all", strong().scope("payments")).await.status(), 200, "the twin");
    let response = at(&api, "/all", api.token()).await;
    assert_eq!(response.status(), 401, "STEP-04");
    let all = challenge(&response);
    for part in [ERROR, "acr_values=\"mfa\"", "max_age=\"60\"", "scope=\"payments\""] {
        assert!(all.contains(part), "STEP-04 {part} in {all}");
    }
    let only_scope = at(&api, "/all", strong()).await;
    assert_eq!(only_scope.status(), 403, "SCOPE-01 missing scopes alone");
    assert!(challenge(&only_scope).contains("insufficient_scope") && !challenge(&only_scope).contains("acr_values"));
    let only_acr = at(&api, "/all", strong().claim("acr", "pwd").scope("payments")).await;
    assert_eq!(only_acr.status(), 401);
    assert!(!challenge(&only_acr).contains("scope="), "{}", challenge(&only_acr));
    let in_handler = at(&api, "/handler", strong().claim("acr", "pwd")).await;
    assert!(challenge(&in_handler).contains("acr_values=\"mfa\"") && in_handler.status() == 401, "in a handler");
    assert_eq!(at(&api, "/handler", strong().scope("payments")).await.status(), 200);
}

/// STEP-01, D-13: `Bearer` for a certificate-bound token.
#[tokio::test]
async fn the_challenge_is_for_the_scheme_of_the_request() {
    let own = TestCertificate::self_signed("own");
    let api = api_with(|builder| builder.client_certificates(ClientCertificates::from_connection()));
    let token = api.token().bound_to_certificate(own.der());
    for (acr, status) in [("mfa", 200), ("pwd", 401)] {
        let token = token.clone().claim("acr", acr).mint();
        let mut request =
            Request::get("/acr").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        request.extensions_mut().insert(PeerCertificate::from_der(own.der()));
        let response = app(&api).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        if status == 401 {
            let lines: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
            assert!(lines[0].to_str().unwrap().contains(ERROR), "STEP-01 D-13 Bearer was used");
            assert!(!lines[1].to_str().unwrap().contains("error="), "STEP-01 DPoP was not");
        }
    }
}

#[tokio::test]
async fn guards_compose_with_modes_per_route() {
    let api = api();
    let optional = api.cfg.with_mode(Mode::Optional).unwrap();
    let app = Router::new()
        .route("/acr", get(|| async { "ok" }).layer(RequireAcr::any(["mfa"])))
        .layer(PopLayer::new(optional));
    let response = app.oneshot(Request::get("/acr").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401, "anonymous requests meet the guard");
    assert!(!challenge(&response).contains("error="), "{}", challenge(&response));
}

/// STEP-01, STEP-05: and their challenge is the same for every user.
#[tokio::test]
async fn combined_requirements_are_never_weaker_than_one_of_them() {
    let api = api();
    let age = |seconds| RequireMaxAge::new(Duration::from_secs(seconds));
    let verified = async |acr: &str| {
        let token = api.token().claim("acr", acr).claim("auth_time", NOW - 300).mint();
        api.with_token(&token).await.token.unwrap()
    };
    let challenge_of = |rejected: Result<(), Rejection>| {
        let response = rejected.unwrap_err().to_response().map(|()| Body::empty());
        challenge(&response)
    };
    let both = || RequireAcr::any(["phr", "mfa"]).and(RequireAcr::any(["mfa", "pwd"]));
    assert!(verified("mfa").await.require(both()).is_ok(), "one of each list");
    for acr in ["phr", "pwd"] {
        let challenge = challenge_of(verified(acr).await.require(both()));
        assert!(challenge.contains("acr_values=\"mfa\""), "STEP-05 the values that satisfy both: {challenge}");
    }
    let impossible = || RequireAcr::any(["phr"]).and(RequireAcr::any(["mfa"]));
    for acr in ["phr", "mfa"] {
        assert!(
            challenge_of(verified(acr).await.require(impossible())).contains("acr_values=\"mfa\""),
            "STEP-05 {acr}"
        );
    }
    for ages in [age(60).and(age(3600)), age(3600).and(age(60))] {
        assert!(challenge_of(verified("mfa").await.require(ages)).contains("max_age=\"60\""), "the minimum counts");
    }
    assert!(verified("mfa").await.require(age(600).and(age(3600))).is_ok(), "the twin");
}

#[test]
fn acr_values_are_checked_at_start() {
    for values in [&[][..], &[""], &["a b"], &["a\"b"], &["é"]] {
        let made = std::panic::catch_unwind(|| RequireAcr::any(values.iter().copied()));
        assert!(made.is_err(), "{values:?}");
    }
    let _twin = RequireAcr::any(["urn:mace:incommon:iap:silver", "1"]);
}
