//! Tokens as well-known authorization servers issue them: `tests/vectors/issuers.json`.

use pop_authserver::{TestAuthServer, TokenMint};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_pop::{ConfigError, IssuerConfig, IssuerProfile, PopConfig, Preset, RequireClaim};

use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api_for, api_with, issuer};

#[derive(Deserialize)]
struct Vectors {
    audience: String,
    now: u64,
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    profile: IssuerProfile,
    issuer: String,
    access_token: Token,
    client_id: String,
    scopes: Vec<String>,
    /// The path of a claim with roles, and a role.
    roles: Option<[String; 2]>,
    may_be_missing: Vec<String>,
    follows_rfc_9068: bool,
    also_accepted: Vec<Token>,
    other_tokens: Vec<Token>,
}

#[derive(Deserialize, Clone)]
struct Token {
    #[serde(default)]
    name: String,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Token {
    fn with(&self, claim: &str, value: impl Into<Value>) -> Self {
        let mut changed = self.clone();
        changed.claims.insert(claim.to_owned(), value.into());
        changed
    }

    fn without(&self, claim: &str) -> Self {
        let mut changed = self.clone();
        changed.claims.remove(claim);
        changed
    }

    /// Signs the token for the client of the API.
    fn sign(&self, api: &Api) -> String {
        let mut claims = self.claims.clone();
        claims.insert("cnf".to_owned(), json!({ "jkt": api.key.thumbprint().to_string() }));
        let mint: TokenMint = api.server.token().without_header("typ").raw_payload(Value::Object(claims).to_string());
        self.header.iter().fold(mint, |mint, (name, value)| mint.header(name, value.clone())).mint()
    }
}

fn vectors() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/issuers.json");
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((vectors.now, &*vectors.audience), (NOW, AUDIENCE));
    vectors
}

/// An API that accepts tokens of this issuer with this profile.
fn api_of(issuer: &str, profile: IssuerProfile) -> Api {
    let server = TestAuthServer::offline_at(issuer, NOW);
    let config = IssuerConfig::with_profile(issuer, profile).static_jwks(server.jwks_json());
    api_for(server, config, |builder| builder)
}

#[test]
fn every_profile_has_vectors() {
    let mut missing: Vec<IssuerProfile> = IssuerProfile::ALL.to_vec();
    missing.retain(|profile| !vectors().profiles.iter().any(|vectors| vectors.profile == *profile));
    assert_eq!(missing, []);
}

/// ATK-07, ATK-16, ATK-35: each product's tokens are accepted with its profile, and are strictly rejected without it if they
/// deviate.
#[tokio::test]
async fn accepts_the_access_tokens_of_a_product_with_its_profile() {
    for Profile { profile, issuer, access_token, client_id, scopes, roles, follows_rfc_9068, also_accepted, .. } in
        vectors().profiles
    {
        let api = api_of(&issuer, profile);
        for token in also_accepted.iter().chain([&access_token]) {
            let row = format!("{profile}: {}", token.name);
            let accepted = api.with_token(&token.sign(&api)).await.is(Expected::Ok, &row).token.unwrap();
            assert_eq!(accepted.client_id(), Some(&*client_id), "{row}");
            let found: Vec<&str> = accepted.scopes().collect();
            let has_scopes = token.claims.contains_key("scope") || token.claims.contains_key("scp");
            assert!(
                if token.name == "with scope" { found.len() == 2 } else { found == scopes || !has_scopes },
                "{row}: {found:?}"
            );
            if let Some([path, role]) = &roles {
                assert!(accepted.require(RequireClaim::any(path, [role])).is_ok(), "{row}");
                assert!(accepted.require(RequireClaim::any(path, ["another"])).is_err(), "{row}");
            }
        }
        let strict = api_of(&issuer, IssuerProfile::Rfc9068);
        let expected = if follows_rfc_9068 { Expected::Ok } else { Expected::Token };
        strict.with_token(&access_token.sign(&strict)).await.is(expected, &format!("{profile} tokens as RFC 9068"));
    }
}

/// ATK-10, ATK-16: a profile allows what its product leaves out, and nothing more.
#[tokio::test]
async fn a_profile_allows_nothing_that_its_product_does_not_need() {
    for Profile { profile, issuer, access_token, may_be_missing, .. } in vectors().profiles {
        let api = api_of(&issuer, profile);
        let client = ["client_id", "azp", "appid", "cid"];
        for claim in ["iss", "aud", "exp", "iat", "sub", "jti"].into_iter().chain(client) {
            if client.contains(&claim) && !access_token.claims.contains_key(claim) {
                continue;
            }
            let allowed = may_be_missing.iter().any(|name| name == claim);
            let expected = if allowed { Expected::Ok } else { Expected::Token };
            let token = access_token.without(claim).sign(&api);
            api.with_token(&token).await.is(expected, &format!("{profile} without {claim}"));
        }
        let scope = if access_token.claims.contains_key("scp") { "scp" } else { "scope" };
        for (claim, value) in [
            ("aud", json!("https://other.example")),
            ("exp", json!(NOW - 60)),
            ("sub", json!(null)),
            ("client_id", json!(7)),
            (scope, json!({ "a": "b" })),
        ] {
            let token = access_token.with(claim, value).sign(&api);
            api.with_token(&token).await.is(Expected::Token, &format!("{profile} with another {claim}"));
        }
        let typed = [IssuerProfile::Rfc9068, IssuerProfile::OidcProvider, IssuerProfile::Duende].contains(&profile);
        for typ in [json!("JWT"), json!(null), json!("at+jwt"), json!("logout+jwt"), json!("refresh+jwt")] {
            let mut token = access_token.clone();
            token.header.remove("typ");
            if !typ.is_null() {
                token.header.insert("typ".to_owned(), typ.clone());
            }
            let accepted = typ == "at+jwt" || !typed && (typ.is_null() || typ == "JWT");
            let expected = if accepted { Expected::Ok } else { Expected::Token };
            api.with_token(&token.sign(&api)).await.is(expected, &format!("{profile} with typ {typ}"));
        }
        let arrays = scope == "scp" || [IssuerProfile::Duende, IssuerProfile::Ping].contains(&profile);
        let expected = if arrays { Expected::Ok } else { Expected::Token };
        let token = access_token.with(scope, json!(["openid", "notes:read"])).sign(&api);
        api.with_token(&token).await.is(expected, &format!("{profile} with an array of scopes"));
    }
}

/// ATK-19, ATK-20: what tells access tokens from others, where `typ` in the header does not, cannot be allowed to be missing.
#[tokio::test]
async fn what_marks_an_access_token_is_needed_whatever_else_is_allowed() {
    for Profile { profile, issuer, access_token, .. } in vectors().profiles {
        if access_token.header.get("typ") == Some(&json!("at+jwt")) {
            continue;
        }
        let mark = match profile {
            IssuerProfile::Keycloak => "typ",
            IssuerProfile::Cognito => "token_use",
            IssuerProfile::Zitadel => "jti",
            _ => "client_id",
        };
        let claims = if mark == "client_id" { &["client_id", "azp", "appid", "cid"][..] } else { &[mark] };
        let server = TestAuthServer::offline_at(&issuer, NOW);
        let config = IssuerConfig::with_profile(&issuer, profile).static_jwks(server.jwks_json());
        let config = config.allow_missing_sub().allow_missing_client_id().allow_missing_jti().allow_missing_iat();
        let api = api_for(server, config, |builder| builder.preset(Preset::Mcp));
        api.with_token(&access_token.without("iat").sign(&api)).await.is(Expected::Ok, &format!("{profile}, the twin"));
        let token = claims.iter().fold(access_token.clone(), |token, claim| token.without(claim));
        let row = format!("{profile} without {mark}");
        api.with_token(&token.sign(&api)).await.is(Expected::Token, &row).coded("token.token_type", &row);
        for (claim, value, code) in [
            ("at_hash", json!("x4Qd0hWc0tH2rA6vT1mB3g"), "token.token_type"),
            ("c_hash", json!("x4Qd0hWc0tH2rA6vT1mB3g"), "token.token_type"),
            ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} }), "token.token_type"),
        ] {
            let row = format!("{profile} with {claim}");
            let token = access_token.with(claim, value).sign(&api);
            api.with_token(&token).await.is(Expected::Token, &row).coded(code, &row);
        }
        let token = access_token.with("events", json!(["gig-7"])).sign(&api);
        api.with_token(&token).await.is(Expected::Ok, &format!("{profile} with another claim of that name"));
    }
}

/// ATK-19, ATK-20: ID tokens, refresh tokens and logout tokens are rejected by every profile, even if their audience is this
/// resource, as it is for a client that is an API too.
#[tokio::test]
async fn rejects_tokens_that_are_no_access_tokens() {
    for Profile { profile, issuer, other_tokens, .. } in vectors().profiles {
        assert!(other_tokens.iter().any(|token| token.name == "ID token"));
        for token in &other_tokens {
            // An ID token of ZITADEL without `at_hash`, for this audience: `jti` is missing, which ZITADEL alone always writes.
            let unmarked = profile == IssuerProfile::Zitadel && token.name == "ID token without at_hash";
            for other in IssuerProfile::ALL.iter().filter(|other| !unmarked || **other == profile) {
                // Any profile takes this issuer: it names a tenant.
                let issuer = "https://login.example/2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34";
                let api = api_of(issuer, *other);
                for token in [token.clone(), token.with("aud", AUDIENCE)] {
                    let row = format!("{} of {profile} with profile {other}", token.name);
                    api.with_token(&token.with("iss", issuer).sign(&api)).await.is(Expected::Token, &row);
                }
            }
            let api = api_of(&issuer, profile);
            let row = format!("{} of {profile} for this resource", token.name);
            let code = api.with_token(&token.with("aud", AUDIENCE).sign(&api)).await.is(Expected::Token, &row).code;
            assert!(matches!(code, Some("token.token_type" | "token.typ")), "{row}: {code:?}");
        }
    }
}

#[test]
fn constructors_name_the_issuer_and_the_profile() {
    let tenant = "2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34";
    let microsoft = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let sts = format!("https://sts.windows.net/{tenant}/");
    for (config, issuer, profile) in [
        (IssuerConfig::keycloak("https://a.example/realms/b"), "https://a.example/realms/b", IssuerProfile::Keycloak),
        (IssuerConfig::auth0("https://a.example"), "https://a.example/", IssuerProfile::Auth0),
        (IssuerConfig::auth0("https://a.example/"), "https://a.example/", IssuerProfile::Auth0),
        (
            IssuerConfig::with_profile("https://a.example", IssuerProfile::Auth0),
            "https://a.example/",
            IssuerProfile::Auth0,
        ),
        (IssuerConfig::entra(tenant), &microsoft, IssuerProfile::Entra),
        (IssuerConfig::entra_v1(tenant), &sts, IssuerProfile::EntraV1),
        (IssuerConfig::okta("https://a.example/oauth2/b"), "https://a.example/oauth2/b", IssuerProfile::Okta),
        (IssuerConfig::cognito("https://a.example/b"), "https://a.example/b", IssuerProfile::Cognito),
        (IssuerConfig::ping("https://a.example/as"), "https://a.example/as", IssuerProfile::Ping),
        (IssuerConfig::zitadel("https://a.example"), "https://a.example", IssuerProfile::Zitadel),
        (IssuerConfig::duende("https://a.example"), "https://a.example", IssuerProfile::Duende),
        (IssuerConfig::oidc_provider("https://a.example"), "https://a.example", IssuerProfile::OidcProvider),
    ] {
        let shown = format!("{config:?}");
        assert!(shown.contains(&format!("issuer: {issuer:?}")), "{shown}");
        assert!(shown.contains(&format!("profile: {profile:?}")), "{shown}");
    }
}

/// A tenant that no token names would be noticed with the first token only.
#[test]
fn rejects_a_tenant_that_is_no_guid_in_build() {
    let build = |issuer| PopConfig::builder(issuer, AUDIENCE).build();
    let tenant = "2C3E8F4A-91D7-4C0B-8A51-6F0D1B7E9C34";
    let upper = IssuerConfig::with_profile(format!("https://login.example/{tenant}/v2.0"), IssuerProfile::Entra);
    assert!(matches!(build(upper), Err(ConfigError::EntraTenant(_))), "tokens have it in lower case");
    assert!(build(IssuerConfig::entra(tenant)).is_ok() && build(IssuerConfig::entra_v1(tenant)).is_ok());
    for tenant in ["common", "organizations", "acme.example", "2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c3", ""] {
        for issuer in [IssuerConfig::entra(tenant), IssuerConfig::entra_v1(tenant)] {
            let error = build(issuer).unwrap_err();
            assert!(matches!(&error, ConfigError::EntraTenant(issuer) if issuer.contains(tenant)), "{error}");
        }
    }
}

#[tokio::test]
async fn the_client_is_read_from_the_configured_claim() {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let config = issuer(&server).client_id_claim("azp");
    let api = api_for(server, config, |builder| builder);
    let mint = || api.token().without("client_id");
    for (token, client) in [
        (mint().claim("azp", "shop").mint(), Some("shop")),
        (mint().claim("azp", "sh\u{f6}p\n").mint(), Some("sh\u{f6}p\n")),
        (api.token().claim("azp", "another").mint(), Some("another")),
        (api.token().mint(), Some("app")),
        (mint().mint(), None),
        (mint().claim("azp", json!(["shop"])).mint(), None),
        (mint().claim("cid", "shop").mint(), None),
        (api.token().claim("azp", Value::Null).mint(), None), // only introspection responses have empty members
    ] {
        let answer = api.with_token(&token).await;
        assert_eq!(answer.token.as_ref().and_then(|token| token.client_id()), client);
        assert_eq!(answer.status == 200, client.is_some());
    }
    for claim in ["", "sub", "sid", "a b"] {
        let error = PopConfig::builder(IssuerConfig::new(ISSUER).client_id_claim(claim), AUDIENCE).build().unwrap_err();
        assert!(matches!(error, ConfigError::ClientIdClaim { .. }), "{claim:?}: {error}");
    }
}

/// The Model Context Protocol asks for `iss`, `aud`, `exp`, `sub` and `cnf`.
#[tokio::test]
async fn preset_mcp_accepts_tokens_with_the_claims_of_mcp() {
    let mcp = api_with(|builder| builder.preset(Preset::Mcp));
    let strict = crate::support::api();
    let minimal = |api: &Api| api.token().without("client_id").without("jti").without("iat").without("scope");
    mcp.with_token(&minimal(&mcp).mint()).await.is(Expected::Ok, "MCP");
    strict.with_token(&minimal(&strict).mint()).await.is(Expected::Token, "without the preset");
    for claim in ["iss", "aud", "exp", "sub", "cnf"] {
        mcp.with_token(&minimal(&mcp).without(claim).mint()).await.is(Expected::Token, claim);
    }
    mcp.with_token(&minimal(&mcp).header("typ", "JWT").mint()).await.is(Expected::Token, "another type");
}
