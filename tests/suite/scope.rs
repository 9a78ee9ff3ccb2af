//! Guards as a layer and in handlers (RFC 6750 §3.1), through axum.

use std::pin::Pin;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{Request, Response};
use pop_authserver::{TestAuthServer, TokenMint};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{
    Claims, ConfigError, Error, Introspection, IssuerConfig, Mode, PopConfig, PopLayer, Rejection, Require,
    RequireClaim, RequireScope, VerifiedToken,
};

use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api, api_for, api_with, issuer, request};

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

/// Returns the response of a path to a token.
async fn at(api: &Api, path: &str, token: TokenMint) -> Response<Body> {
    let token = token.mint();
    let mut request = request(&token, &api.proof(&token).url(&format!("https://api.example{path}")).mint());
    *request.uri_mut() = path.parse().unwrap();
    send(api, request).await
}

/// SCOPE-01, SCOPE-02: a `scope` in a challenge lists scopes that are all needed, so it cannot name alternatives.
#[tokio::test]
async fn one_of_several_scopes_suffices_and_the_challenge_names_the_first() {
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
        ("/roles", json!({ "roles": { "admin": { "2717": "acme.example" } } }), 200),
        ("/roles", json!({ "roles": { "admin": {} } }), 403),
        ("/roles", json!({ "roles": { "x": { "admin": { "2717": "acme.example" } } } }), 403),
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

/// SCOPE-01, SCOPE-02, SCOPE-03, SCOPE-08: scopes are compared whole and by case, and a token without `scope` has none.
#[tokio::test]
async fn a_challenge_names_all_scopes_that_are_needed() {
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

/// SCOPE-08, D-13: a client that reads only the first challenge learns which scope it needs.
#[tokio::test]
async fn the_first_challenge_names_the_scopes_whatever_the_scheme() {
    let api = api_with(|builder| builder.mode(Mode::AllowBearer));
    let lacking = api.token().scope("other");
    let bound = lacking.clone().mint();
    let unbound = lacking.without("cnf").mint();
    for (scheme, request) in [
        ("Bearer", Request::get("/notes").header("authorization", format!("Bearer {unbound}")).body(()).unwrap()),
        ("DPoP", request(&bound, &api.proof(&bound).mint())),
    ] {
        let response = send(&api, request).await;
        assert_eq!(response.status(), 403, "SCOPE-08 {scheme}");
        let lines = response.headers().get_all("www-authenticate").iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
        assert!(lines[0].starts_with(scheme), "SCOPE-08 D-13 {lines:?}");
        assert!(lines[0].contains("error=\"insufficient_scope\"") && lines[0].contains("scope=\"notes:read profile\""));
        assert!(lines.len() == 2 && !lines[1].contains("error="), "SCOPE-08 {lines:?}");
    }
}

/// SCOPE-04: there is no hierarchy by name.
#[tokio::test]
async fn a_scope_implies_others_only_when_configured() {
    let api = api_with(|builder| builder.scope_implies("admin", ["notes:read", "profile"]));
    assert_eq!(with_scope(&api, "admin").await.status(), 200, "SCOPE-04");
    assert_eq!(with_scope(&crate::support::api(), "admin").await.status(), 403, "SCOPE-04: only when configured");
}

/// SCOPE-05: a bad token is 401 and not 403.
#[tokio::test]
async fn authenticates_before_it_checks_scopes() {
    let api = api();
    let token = api.token().scope("").expires_in(-3600).mint();
    let response = send(&api, request(&token, &api.proof(&token).mint())).await;
    assert_eq!(response.status(), 401, "SCOPE-05");
    let anonymous = send(&api, Request::get("/notes").body(()).unwrap()).await;
    assert_eq!(anonymous.status(), 401, "SCOPE-05");
}

/// SCOPE-07: with the same rejection as a guard.
#[tokio::test]
async fn handlers_can_require_scopes() {
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

/// ERR-01: with a challenge. An optional extractor passes them.
#[tokio::test]
async fn guards_and_extractors_reject_anonymous_requests() {
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

/// ERR-12, ERR-15: 403 with the body of every rejection.
#[tokio::test]
async fn typed_claims_are_read_or_rejected() {
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
async fn a_route_without_the_layer_is_500_and_never_open() {
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
fn guards_that_require_nothing_fail_at_start() {
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

/// Answers every introspection request with these claims.
struct Answers(Value);

impl HttpFetch for Answers {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let answer = FetchResponse::new(self.0.to_string()).content_type("application/json");
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// Returns the scopes that are read from a JWT and from an introspection response with these members.
async fn read(configure: fn(IssuerConfig) -> IssuerConfig, members: &Value, row: &str) -> [Option<Vec<String>>; 2] {
    let scopes = |token: VerifiedToken| token.scopes().map(str::to_owned).collect::<Vec<_>>();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let local = configure(issuer(&server));
    let api = api_for(server, local, |builder| builder);
    let members = members.as_object().unwrap();
    let token =
        members.iter().fold(api.token().without("scope"), |token, (name, value)| token.claim(name, value.clone()));
    let jwt = api.with_token(&token.mint()).await;
    let jwt = match jwt.token.clone() {
        Some(token) => Some(scopes(token)),
        None => jwt.is(Expected::Token, row).coded("token.invalid_claim", row).token.map(scopes),
    };

    let mut answer =
        json!({ "active": true, "aud": AUDIENCE, "sub": "a", "cnf": { "jkt": api.key.thumbprint().to_string() } });
    answer.as_object_mut().unwrap().extend(members.clone());
    let asked = Introspection::at("https://as.example/introspect").client_secret_basic("api", "secret");
    let asked = configure(issuer(&api.server).introspection(asked.http_fetch(Answers(answer))));
    let opaque = Api { cfg: api_for(TestAuthServer::offline_at(ISSUER, NOW), asked, |builder| builder).cfg, ..api };
    let opaque = opaque.with_token("opaque").await;
    let opaque = match opaque.token.clone() {
        Some(token) => Some(scopes(token)),
        None => opaque.is(Expected::Token, row).coded("token.invalid_claim", row).token.map(scopes),
    };
    [jwt, opaque]
}

/// SCOPE-02, ATK-35: scopes as issuers write them, from one claim alone.
#[tokio::test]
async fn scopes_come_from_the_one_claim_that_the_issuer_uses() {
    let default: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer;
    let scp: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer.scope_claim("scp");
    let scope: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer.scope_claim("scope");
    let array: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer.scope_claim("scope").allow_scope_array();
    let permissions: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer.scope_claim("permissions");
    let namespaced: fn(IssuerConfig) -> IssuerConfig = |issuer| issuer.scope_claim("https://api.example/scopes");
    let read_write = Some(&["read", "write"][..]);
    let none = Some(&[][..]);
    for (row, configure, members, expected) in [
        ("a string", default, json!({ "scope": "read write" }), read_write),
        ("two spaces", default, json!({ "scope": "read  write" }), read_write),
        ("spaces around", default, json!({ "scope": " read write  " }), read_write),
        ("only spaces", default, json!({ "scope": "  " }), none),
        ("empty", default, json!({ "scope": "" }), none),
        ("no scope", default, json!({}), none),
        ("a tab", default, json!({ "scope": "read\twrite" }), None),
        ("a line break", default, json!({ "scope": "read\n" }), None),
        ("another space", default, json!({ "scope": "read\u{a0}write" }), None),
        ("a quote", default, json!({ "scope": "read \"write" }), None),
        ("an array is an option", default, json!({ "scope": ["read", "write"] }), None),
        ("another claim does not count", default, json!({ "scp": ["read", "write"] }), none),
        ("nor is it merged", default, json!({ "scope": "read write", "scp": "admin" }), read_write),
        ("the default by its name", scope, json!({ "scope": "read write" }), read_write),
        ("which allows no array", scope, json!({ "scope": ["read", "write"] }), None),
        ("an array where it is allowed", array, json!({ "scope": ["read", "write"] }), read_write),
        ("with an empty string", array, json!({ "scope": ["", "read", "write"] }), read_write),
        ("with two scopes in one string", array, json!({ "scope": ["read write"] }), None),
        ("with a number", array, json!({ "scope": ["read", 1] }), None),
        ("Entra ID", scp, json!({ "scp": "read write" }), read_write),
        ("Okta", scp, json!({ "scp": ["read", "write"] }), read_write),
        ("two spaces in scp", scp, json!({ "scp": " read  write" }), read_write),
        ("an escaped name and value", scp, json!({ "scp": "re\u{61}d write" }), read_write),
        ("scope does not count", scp, json!({ "scope": "admin" }), none),
        ("nor is it merged either", scp, json!({ "scope": "admin", "scp": "read write" }), read_write),
        ("whatever it is", scp, json!({ "scope": [1], "scp": "read write" }), read_write),
        ("a number", scp, json!({ "scp": 1 }), None),
        ("an object", scp, json!({ "scp": { "read": true } }), None),
        ("a tab in scp", scp, json!({ "scp": "read\twrite" }), None),
        ("a name with a space", scp, json!({ "scp": ["read write"] }), None),
        ("an array in an array", scp, json!({ "scp": [["read"]] }), None),
        ("within another claim", scp, json!({ "other": { "scp": "read write" } }), none),
        ("Auth0", permissions, json!({ "permissions": ["read", "write"], "scope": "openid" }), read_write),
        ("a URL", namespaced, json!({ "https://api.example/scopes": ["read", "write"] }), read_write),
    ] {
        for scopes in read(configure, &members, row).await {
            let scopes: Option<Vec<&str>> = scopes.as_ref().map(|scopes| scopes.iter().map(String::as_str).collect());
            assert_eq!(scopes.as_deref(), expected, "ATK-35 SCOPE-02 {row}");
        }
    }
}

/// SCOPE-01, ATK-35: each issuer has its own claim.
#[tokio::test]
async fn guards_see_the_scopes_of_the_claim_that_the_issuer_uses() {
    let other = TestAuthServer::offline_at("https://other.example", NOW);
    let entra = issuer(&other).scope_claim("scp");
    let api = api_with(|builder| builder.issuer(entra));
    for (row, server, claim, status) in [
        ("the issuer with scp", &other, "scp", 200),
        ("that issuer has no other claim", &other, "scope", 403),
        ("the default issuer", &api.server, "scope", 200),
        ("the default issuer has no other claim", &api.server, "scp", 403),
    ] {
        let token = server.token().audience(AUDIENCE).bound_to(&api.key).without("scope");
        let token = token.claim(claim, "notes:read profile").mint();
        let response = send(&api, request(&token, &api.proof(&token).mint())).await;
        assert_eq!(response.status(), status, "ATK-35 SCOPE-01 {row}");
    }
}

/// ATK-35, ERR-14: `sub` or `cnf` cannot be configured as the claim with the scopes.
#[test]
fn rejects_a_scope_claim_when_it_means_something_else() {
    let build = |claim: &str| {
        let issuer = IssuerConfig::new(ISSUER).scope_claim(claim);
        PopConfig::builder(issuer, AUDIENCE).build().map(drop)
    };
    for claim in ["sub", "cnf", "", "a b", "a\t", "\u{e9}", &"x".repeat(121)] {
        let error = build(claim).unwrap_err();
        assert_eq!(error, ConfigError::ScopeClaim { issuer: ISSUER.to_owned(), claim: claim.to_owned() });
        assert!(error.to_string().contains(&format!("{claim:?}")), "ERR-14 {error}");
    }
    for claim in ["scp", "scope", "roles", "scopes", &"x".repeat(120)] {
        build(claim).unwrap();
    }
}
