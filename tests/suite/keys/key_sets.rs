//! Key sets with keys that cannot be used.

use serde_json::{Value, json};
use tower_pop::IssuerConfig;
use tracing::Level;

use super::{JWKS, Script, api, fetched, run_background_tasks};
use crate::log::Log;
use crate::support::{AUDIENCE, Expected, ISSUER, NOW};

/// ATK-24, ATK-25: the keys in memory stay in use.
#[tokio::test]
async fn a_response_without_a_usable_key_changes_nothing() {
    let script = Script::new();
    let api = fetched(&script).await;
    let token = api.token().claim("exp", NOW + 100_000).mint();
    for (row, body) in [
        ("HTML", "<html>".to_owned()),
        ("empty set", r#"{"keys":[]}"#.to_owned()),
        ("only unusable keys", r#"{"keys":[{"kty":"oct","k":"AA"}]}"#.to_owned()),
        ("65 keys", json!({ "keys": vec![json!({ "kty": "XYZ" }); 65] }).to_string()),
        ("duplicate members", format!("{{\"keys\":[],{}", &api.server.jwks_json()[1..])),
        ("ATK-25 too long", format!("{}{}", api.server.jwks_json(), " ".repeat(600_000))),
    ] {
        script.serve(JWKS, body);
        api.clock.advance(306);
        api.with_token(&token).await.is(Expected::Ok, row);
        run_background_tasks().await;
        api.with_token(&token).await.is(Expected::Ok, row);
    }
}

/// ATK-24: the `kid` is shortened, and control characters are replaced.
#[tokio::test]
async fn each_skipped_key_is_logged_once_with_its_kid_and_the_reason() {
    let (log, _guard) = Log::capture(Level::INFO);
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let mut jwks: Value = serde_json::from_str(&api.server.jwks_json()).unwrap();
    let odd = format!("odd\u{7}{}", "x".repeat(500));
    jwks["keys"].as_array_mut().unwrap().extend([
        json!({ "kty": "RSA", "kid": "encryption", "use": "enc", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "XYZ", "kid": odd }),
        json!({ "kty": "XYZ" }),
    ]);
    script.serve(JWKS, jwks.to_string());
    let token = || api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "the usable key is found");
    jwks["note"] = "another body, the same keys".into();
    script.serve(JWKS, jwks.to_string());
    for _ in 0..3 {
        api.clock.advance(301);
        api.with_token(&token()).await.is(Expected::Ok, "refreshed");
        run_background_tasks().await;
    }
    assert_eq!(script.requests(), 4);
    assert_eq!(log.lines("a key of the issuer is not used"), 3, "{}", log.text());
    let shown = format!("odd?{}", "x".repeat(60));
    assert!(log.text().contains("encryption") && log.text().contains(&shown), "{}", log.text());
    assert!(!log.text().contains(&"x".repeat(61)) && !log.text().contains('\u{7}'), "{}", log.text());
}

/// ATK-24: `IssuerConfig::static_jwks`.
#[test]
fn skipped_keys_of_a_static_set_are_logged() {
    let (log, _guard) = Log::capture(Level::INFO);
    let set = json!({ "keys": [{ "kty": "XYZ", "kid": "given" }] }).to_string();
    let issuer = IssuerConfig::new(ISSUER).static_jwks(set);
    tower_pop::PopConfig::builder(issuer, AUDIENCE).build().unwrap_err();
    assert_eq!(log.lines("given"), 1, "{}", log.text());
}
