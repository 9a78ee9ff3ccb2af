//! Metadata of the issuer, at its well-known URLs.

use std::time::Duration;

use pop_authserver::TestAuthServer;
use serde_json::json;
use tower_pop::IssuerConfig;
use tower_pop::keys::{FetchError, FetchResponse};
use tracing::Level;

use super::{Document, JWKS, METADATA, OPENID, Script};
use crate::log::Log;
use crate::support::{Expected, ISSUER, NOW, api_for};

/// ATK-25, ATK-28, META-17, X-64: `issuer` must be equal, and `jwks_uri` must be a URL that may be fetched, without
/// redirects.
#[tokio::test]
async fn accepts_metadata_of_the_configured_issuer_only() {
    let discover = |script: &Script| {
        let server = TestAuthServer::offline_at(ISSUER, NOW);
        script.serve(JWKS, server.jwks_json());
        api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()))
    };
    let metadata = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
    for url in [METADATA, OPENID] {
        let script = Script::new();
        let api = discover(&script);
        script.serve(url, metadata(ISSUER, JWKS));
        api.with_token(&api.token().mint()).await.is(Expected::Ok, url);
    }
    for (row, document) in [
        ("ATK-28 another issuer", metadata("https://as.example/", JWKS)),
        ("ATK-28 the issuer in another case", metadata("https://AS.example", JWKS)),
        ("no issuer", json!({ "jwks_uri": JWKS }).to_string()),
        ("an issuer that is null", json!({ "issuer": null, "jwks_uri": JWKS }).to_string()),
        ("a jwks_uri that is null", json!({ "issuer": ISSUER, "jwks_uri": null }).to_string()),
        ("ATK-25 plain http", metadata(ISSUER, "http://as.example/jwks")),
        ("X-64 loopback http for an https issuer", metadata(ISSUER, "http://127.0.0.1/jwks")),
        ("no jwks_uri", json!({ "issuer": ISSUER }).to_string()),
        ("duplicate issuer", format!("{{\"issuer\":\"x\",{}", &metadata(ISSUER, JWKS)[1..])),
        ("HTML", "<html>".to_owned()),
    ] {
        for url in [METADATA, OPENID] {
            let script = Script::new();
            let api = discover(&script);
            script.serve(url, document.clone());
            api.with_token(&api.token().mint()).await.is(Expected::Down, row);
            assert_eq!(script.urls(), [METADATA, OPENID], "{row}: the keys are not fetched");
        }
    }
    let script = Script::new();
    let api = discover(&script);
    script.set(METADATA, Err(FetchError::Status(302)));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "ATK-25 redirects are not followed");
    let tenant = "https://as.example/tenant";
    let script = Script::new();
    let server = TestAuthServer::offline_at(tenant, NOW);
    script.serve(JWKS, server.jwks_json());
    script.serve(&format!("{METADATA}/tenant"), metadata(tenant, JWKS));
    let api = api_for(server, IssuerConfig::new(tenant), |builder| builder.http_fetch(script.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "META-17 an issuer with a path");
}

/// META-17, ATK-28: no keys are fetched before the metadata is right.
#[tokio::test]
async fn tries_the_next_well_known_url_after_any_failure() {
    let tenant = "https://as.example/tenant";
    let urls = [
        "https://as.example/.well-known/oauth-authorization-server/tenant",
        "https://as.example/.well-known/openid-configuration/tenant",
        "https://as.example/tenant/.well-known/openid-configuration",
        "https://as.example/tenant/.well-known/oauth-authorization-server",
    ];
    let metadata = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
    let html = || Ok(FetchResponse::new("<html>sign in</html>").content_type("text/html"));
    let wrong: [(&str, Document); 13] = [
        ("403", Err(FetchError::Status(403))),
        ("401", Err(FetchError::Status(401))),
        ("404", Err(FetchError::Status(404))),
        ("a redirect", Err(FetchError::Status(302))),
        ("500", Err(FetchError::Status(500))),
        ("too long", Err(FetchError::TooLong)),
        ("a timeout", Err(FetchError::Timeout)),
        ("no connection", Err(FetchError::Connection)),
        ("a page for people", html()),
        ("no jwks_uri", Ok(FetchResponse::new(json!({ "issuer": tenant }).to_string()))),
        ("another issuer", Ok(FetchResponse::new(metadata(ISSUER, JWKS)))),
        ("an issuer with a slash", Ok(FetchResponse::new(metadata("https://as.example/tenant/", JWKS)))),
        ("a plain http jwks_uri", Ok(FetchResponse::new(metadata(tenant, "http://as.example/jwks")))),
    ];
    let discover = |script: &Script| {
        let server = TestAuthServer::offline_at(tenant, NOW);
        script.serve(JWKS, server.jwks_json());
        api_for(server, IssuerConfig::new(tenant), |builder| builder.http_fetch(script.clone()))
    };
    for (row, document) in wrong {
        for (right_at, right) in urls.iter().enumerate() {
            let script = Script::new();
            let api = discover(&script);
            urls[..right_at].iter().for_each(|url| script.set(url, document.clone()));
            script.serve(right, metadata(tenant, JWKS));
            api.with_token(&api.token().mint()).await.is(Expected::Ok, row);
            let expected: Vec<&str> = urls[..=right_at].iter().copied().chain([JWKS]).collect();
            assert_eq!(script.urls(), expected, "{row}");
        }
        let script = Script::new();
        let api = discover(&script);
        urls.iter().for_each(|url| script.set(url, document.clone()));
        api.with_token(&api.token().mint()).await.is(Expected::Down, row).coded("unavailable.keys", row);
        assert_eq!(script.urls(), urls, "{row}: the keys are not fetched");
    }
}

/// META-17: each attempt has the timeout of one fetch.
#[tokio::test(start_paused = true)]
async fn gives_up_on_a_well_known_url_that_hangs() {
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    script.serve(OPENID, json!({ "issuer": ISSUER, "jwks_uri": JWKS }).to_string());
    *script.hangs.lock().unwrap() = Some(METADATA.to_owned());
    let api = api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()));
    let start = tokio::time::Instant::now();
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the next one responds");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

/// META-17: an operator sees which URL to fix.
#[tokio::test]
async fn the_log_names_each_well_known_url_and_what_is_wrong_there() {
    let (log, _guard) = Log::capture(Level::INFO);
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.set(METADATA, Err(FetchError::Status(403)));
    script.serve(OPENID, "<html>");
    let api = api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "no metadata");
    let text = log.text();
    let says = |url: &str, why: &str| text.lines().any(|line| line.contains(url) && line.contains(why));
    assert!(says(METADATA, "status 403") && says(OPENID, "not strict JSON"), "{text}");
}
