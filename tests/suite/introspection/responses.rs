//! What an introspection response must hold.

use std::time::Duration;

use pop_authserver::{Algorithm, DpopKey, TokenMint};
use pop_core::jose::CertThumbprint;
use serde_json::{Value, json};
use tower_pop::keys::FetchResponse;
use tower_pop::{Introspection, IssuerConfig};

use super::{TOKEN, scene, scene_of, scene_with, without};
use crate::support::{AUDIENCE, Expected, NOW};

/// INTRO-02: a response that cannot be read is 503 and not 401.
#[tokio::test]
async fn only_the_boolean_true_is_active() {
    let scene = scene();
    for (row, body, expected) in [
        ("false", r#"{"active":false}"#, Expected::Token),
        ("missing", "{}", Expected::Down),
        ("a string", r#"{"active":"true"}"#, Expected::Down),
        ("a number", r#"{"active":1}"#, Expected::Down),
        ("null", r#"{"active":null}"#, Expected::Down),
        ("an array", r#"[{"active":true}]"#, Expected::Down),
        ("HTML", "<html>active: true</html>", Expected::Down),
        ("truncated", r#"{"active":true,"sub":"al"#, Expected::Down),
        ("empty", "", Expected::Down),
    ] {
        scene.server.says(body);
        let token = format!("token-{}", row.replace(' ', "-"));
        scene.send(&token).await.is(expected, &format!("INTRO-02 {row}"));
        // The outcome is remembered for two seconds. Then the token is introspected again.
        scene.server.says(scene.active().to_string());
        scene.send(&token).await.is(expected, &format!("INTRO-02 after {row}"));
        scene.api.clock.advance(2);
        scene.send(&token).await.is(Expected::Ok, &format!("INTRO-02 later than {row}"));
    }
}

/// INTRO-03, INTRO-05: the claims of a response are verified like those of a JWT, without leeway for `exp`.
#[tokio::test]
async fn rejects_a_response_when_it_does_not_fit_this_resource() {
    let scene = scene();
    type Change<'c> = &'c dyn Fn(&mut Value);
    let rows: [(&str, &str, Change<'_>); 20] = [
        ("expired", "token.expired", &|a| a["exp"] = (NOW - 1).into()),
        ("expires now: no leeway", "token.expired", &|a| a["exp"] = NOW.into()),
        ("exp is a string", "token.invalid_claim", &|a| a["exp"] = "soon".into()),
        ("not yet", "token.not_yet_valid", &|a| a["nbf"] = (NOW + 60).into()),
        ("issued in the future", "token.issued_in_future", &|a| a["iat"] = (NOW + 60).into()),
        ("another aud", "token.audience", &|a| a["aud"] = "https://other.example".into()),
        ("aud is a number", "token.audience", &|a| a["aud"] = 1.into()),
        ("no aud", "token.audience", &|a| without(a, "aud")),
        ("another iss", "token.issuer", &|a| a["iss"] = "https://evil.example".into()),
        ("iss is a number", "token.invalid_claim", &|a| a["iss"] = 1.into()),
        ("scope is a list", "token.invalid_claim", &|a| a["scope"] = json!(["notes:read"])),
        ("another jkt", "binding.key_mismatch", &|a| {
            a["cnf"]["jkt"] = DpopKey::generate(Algorithm::ES256).unwrap().thumbprint().to_string().into();
        }),
        ("cnf is a string", "confirmation.not_object", &|a| a["cnf"] = "x".into()),
        ("cnf is empty", "confirmation.no_known_method", &|a| a["cnf"] = json!({})),
        ("no cnf", "confirmation.missing", &|a| {
            without(a, "cnf");
            without(a, "token_type");
        }),
        ("INTRO-05 a jkt and Bearer", "token.token_type", &|a| a["token_type"] = "Bearer".into()),
        ("INTRO-05 a jkt and another type", "token.token_type", &|a| a["token_type"] = "N_A".into()),
        ("INTRO-05 DPoP and no cnf", "token.token_type", &|a| without(a, "cnf")),
        ("INTRO-05 a number", "token.invalid_claim", &|a| a["token_type"] = 1.into()),
        ("authorization_details", "token.invalid_claim", &|a| a["authorization_details"] = json!([1])),
    ];
    for (number, (row, code, change)) in rows.into_iter().enumerate() {
        scene.says(change);
        scene.send(&format!("bad-{number}")).await.is(Expected::Token, &format!("INTRO-03 {row}")).coded(code, row);
    }
    let twins: [(&str, Change<'_>); 8] = [
        ("unchanged", &|_| {}),
        ("aud is a list", &|a| a["aud"] = json!(["https://other.example", AUDIENCE])),
        ("no iss", &|a| without(a, "iss")),
        ("no sub", &|a| without(a, "sub")),
        ("no client_id", &|a| without(a, "client_id")),
        ("no token_type", &|a| without(a, "token_type")),
        ("token_type in another case", &|a| a["token_type"] = "dpop".into()),
        ("no exp", &|a| without(a, "exp")),
    ];
    for (number, (row, change)) in twins.into_iter().enumerate() {
        scene.says(change);
        scene.send(&format!("good-{number}")).await.is(Expected::Ok, &format!("INTRO-03 {row}"));
    }
    let lenient = scene_with(Introspection::allow_missing_aud, |builder| builder);
    lenient.says(|a| without(a, "aud"));
    lenient.send(TOKEN).await.is(Expected::Ok, "INTRO-03 no aud, allowed");
    lenient.says(|a| a["aud"] = "https://other.example".into());
    lenient.send("another").await.is(Expected::Token, "INTRO-03 another aud is never allowed");
}

/// INTRO-05, INTRO-07: the next response counts.
#[tokio::test]
async fn a_response_that_fails_a_check_is_not_remembered() {
    let scene = scene();
    type Change = fn(&mut Value);
    let rows: [(&str, Change); 5] = [
        ("exp is text", |a| a["exp"] = "soon".into()),
        ("expired", |a| a["exp"] = 1.into()),
        ("another resource", |a| a["aud"] = "https://other.example".into()),
        ("INTRO-05 a contradiction", |a| a["token_type"] = "Bearer".into()),
        ("cnf is text", |a| a["cnf"] = "x".into()),
    ];
    for (row, change) in rows {
        scene.says(change);
        scene.send(row.split(' ').next().unwrap()).await.is(Expected::Token, row);
        scene.says(|_| {});
        scene.send(row.split(' ').next().unwrap()).await.is(Expected::Ok, &format!("{row}: the next response counts"));
    }
}

/// INTRO-10, INTRO-11, INTRO-12, X-62: with `require_signed`, plain JSON is rejected.
#[tokio::test]
async fn accepts_only_fresh_responses_that_the_issuer_signed_for_us() {
    let scene = scene_with(Introspection::require_signed, |builder| builder);
    let jwt = |change: &dyn Fn(TokenMint) -> TokenMint| {
        let mint = scene.api.server.token().header("typ", "token-introspection+jwt").without("sub").without("exp");
        change(mint.claim("aud", "api").claim("token_introspection", scene.active())).mint()
    };
    let reply = |body: String| Ok(FetchResponse::new(body).content_type("application/token-introspection+jwt"));
    for (row, audience) in [("our client_id", json!("api")), ("our audience", json!(["x", AUDIENCE]))] {
        scene.server.replies(reply(jwt(&|m| m.claim("aud", audience.clone()))));
        scene.send(&format!("good-{}", row.len())).await.is(Expected::Ok, &format!("INTRO-11 {row}"));
    }
    assert_eq!(scene.server.seen.lock().unwrap()[0].accept, "application/token-introspection+jwt", "INTRO-10");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    type Change<'c> = &'c dyn Fn(TokenMint) -> TokenMint;
    let rows: [(&str, Change<'_>); 15] = [
        ("typ JWT", &|m| m.header("typ", "JWT")),
        ("typ at+jwt", &|m| m.header("typ", "at+jwt")),
        ("no typ", &|m| m.without_header("typ")),
        ("alg none", &|m| m.alg_none()),
        ("a flipped bit", &|m| m.tampered_signature()),
        ("signed by another key", &|m| m.signed_by(&other)),
        ("another iss", &|m| m.claim("iss", "https://evil.example")),
        ("no iss", &|m| m.without("iss")),
        ("another aud", &|m| m.claim("aud", "other")),
        ("no aud", &|m| m.without("aud")),
        ("old", &|m| m.claim("iat", NOW - 120)),
        ("from the future", &|m| m.claim("iat", NOW + 120)),
        ("no iat", &|m| m.without("iat")),
        ("no token_introspection", &|m| m.without("token_introspection")),
        ("token_introspection is a string", &|m| m.claim("token_introspection", "active")),
    ];
    for (number, (row, change)) in rows.into_iter().enumerate() {
        scene.server.replies(reply(jwt(change)));
        scene.send(&format!("bad-{number}")).await.is(Expected::Down, &format!("INTRO-11 {row}"));
        scene.server.replies(reply(jwt(&|m| m)));
        scene.send(&format!("reset-{number}")).await.is(Expected::Ok, "keeps the circuit closed");
    }
    scene.server.says(scene.active().to_string());
    scene.send("plain").await.is(Expected::Down, "INTRO-12 X-62 plain JSON where a signature is required");
    scene.server.replies(Ok(FetchResponse::new(jwt(&|m| m)).content_type("application/jwt")));
    scene.send("type").await.is(Expected::Down, "INTRO-11 another content type");
    scene.server.replies(reply(jwt(&|m| m.claim("token_introspection", json!({ "active": false })))));
    scene.send("inactive").await.is(Expected::Token, "INTRO-11 signed and inactive");
}

/// INTRO-15: a second parser could read a duplicate otherwise.
#[tokio::test]
async fn rejects_responses_with_duplicate_members_or_beyond_the_limits() {
    let scene = scene();
    let jkt = scene.api.key.thumbprint();
    let base = format!(r#""aud":"{AUDIENCE}","exp":{},"cnf":{{"jkt":"{jkt}"}}"#, NOW + 60);
    for (row, body) in [
        ("active twice", format!(r#"{{"active":true,"active":true,{base}}}"#)),
        ("cnf.jkt twice", format!(r#"{{"active":true,"aud":"{AUDIENCE}","cnf":{{"jkt":"{jkt}","jkt":"{jkt}"}}}}"#)),
        ("enormous", format!(r#"{{"active":true,"pad":"{}",{base}}}"#, "x".repeat(70_000))),
        ("deep", format!(r#"{{"active":true,"pad":{}1{},{base}}}"#, "[".repeat(50), "]".repeat(50))),
        ("trailing data", format!(r#"{{"active":true,{base}}} x"#)),
    ] {
        scene.server.says(body);
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-15 {row}"));
        scene.api.clock.advance(2);
    }
    scene.server.says(format!(r#"{{"active":true,{base}}}"#));
    scene.send(TOKEN).await.is(Expected::Ok, "the twin");
}

/// INTRO-14: as they do in a JWT.
#[tokio::test]
async fn acr_and_auth_time_of_a_response_satisfy_step_up() {
    let scene = scene();
    scene.says(|a| {
        a["acr"] = "mfa".into();
        a["auth_time"] = NOW.into();
    });
    let token = scene.send(TOKEN).await.is(Expected::Ok, "INTRO-14").token.unwrap();
    let strong = || tower_pop::RequireAcr::any(["mfa"]).and(tower_pop::RequireMaxAge::new(Duration::from_secs(60)));
    assert!(token.require(strong()).is_ok(), "INTRO-14");
    scene.says(|a| a["acr"] = "pwd".into());
    let weak = scene.send("weak").await.is(Expected::Ok, "INTRO-14").token.unwrap();
    assert_eq!(weak.require(strong()).unwrap_err().error().code(), "step_up.acr", "INTRO-14");
}

/// INTRO-05: servers also call refresh tokens active. Only access tokens pass.
#[tokio::test]
async fn accepts_responses_about_access_tokens_only() {
    let scene = scene();
    let mut number = 0;
    let mut check = async |bound: bool, name: &str, value: Value, good: bool| {
        scene.says(|a| {
            if bound {
                a["token_type"] = "DPoP".into();
            } else {
                a["cnf"] = json!({ "x5t#S256": CertThumbprint::of_der(b"0").to_string() });
                a["token_type"] = "Bearer".into();
            }
            a[name] = value.clone();
        });
        number += 1;
        let answer = scene.send(&format!("token-{number}")).await;
        let row = format!("INTRO-05 {name}: {value}, bound to a key: {bound}");
        match (bound, good) {
            (true, true) => drop(answer.is(Expected::Ok, &row)),
            // Under DPoP a token without jkt is rejected later than one of another type.
            (false, true) => drop(answer.is(Expected::Token, &row).coded("binding.not_bound_to_proof", &row)),
            (_, false) => drop(answer.is(Expected::Token, &row).coded("token.token_type", &row)),
        }
    };
    for (name, value, for_bound, for_unbound) in [
        ("token_type", "DPoP", true, false),
        ("token_type", "dpop", true, false),
        ("token_type", "Bearer", false, true),
        ("token_type", "bearer", false, true),
        ("token_type", "refresh_token", false, false),
        ("token_type", "N_A", false, false),
        ("token_type", "access_token", false, false),
        ("token_type", "mac", false, false),
        ("token_type", "Bearer ", false, false),
        ("token_use", "access_token", true, true),
        ("token_use", "access", true, true),
        ("token_use", "refresh_token", false, false),
        ("token_use", "refresh", false, false),
        ("token_use", "id", false, false),
        ("token_use", "id_token", false, false),
        ("typ", "Bearer", true, true),
        ("typ", "DPoP", true, true),
        ("typ", "at+jwt", true, true),
        ("typ", "application/AT+JWT", true, true),
        ("typ", "JWT", true, true),
        ("typ", "Refresh", false, false),
        ("typ", "Offline", false, false),
        ("typ", "ID", false, false),
        ("typ", "Logout", false, false),
        ("typ", "dpop+jwt", false, false),
    ] {
        check(true, name, value.into(), for_bound).await;
        check(false, name, value.into(), for_unbound).await;
    }
    for name in ["token_use", "typ"] {
        scene.says(|a| a[name] = json!(["access_token"]));
        let row = format!("INTRO-05 {name} is a list");
        scene.send(&row.replace(' ', "-")).await.is(Expected::Token, &row).coded("token.invalid_claim", &row);
    }
}

/// INTRO-02: servers that fill in a template write `null` or nothing for what they do not know. Members that are
/// compared stay strict.
#[tokio::test]
async fn empty_members_of_a_response_count_as_absent_unless_they_are_compared() {
    let scene = scene();
    let optional =
        ["sub", "client_id", "jti", "scope", "acr", "auth_time", "token_type", "token_use", "typ", "username"];
    for name in optional.into_iter().chain(["authorization_details"]) {
        for (kind, value) in [("null", Value::Null), ("empty", json!(""))] {
            scene.says(|a| a[name] = value);
            let answer =
                scene.send(&format!("{name}-{kind}")).await.is(Expected::Ok, &format!("INTRO-02 {name}: {kind}"));
            let token = answer.token.unwrap();
            match name {
                "sub" => assert_eq!(token.subject(), None),
                "client_id" => assert_eq!(token.client_id(), None),
                "scope" => assert_eq!(token.scopes().count(), 0),
                _ => {}
            }
        }
    }
    for (name, expected) in [
        ("active", Expected::Down),
        ("iss", Expected::Token),
        ("aud", Expected::Token),
        ("exp", Expected::Token),
        ("nbf", Expected::Token),
        ("iat", Expected::Token),
        ("cnf", Expected::Token),
    ] {
        scene.says(|a| a[name] = Value::Null);
        scene.send(&format!("strict-{name}")).await.is(expected, &format!("INTRO-02 {name}: null"));
    }
    let lenient = scene_with(Introspection::allow_missing_aud, |builder| builder);
    for (scene, expected) in [(&lenient, Expected::Ok), (&scene, Expected::Token)] {
        scene.says(|a| a["aud"] = json!([]));
        scene.send("no-aud").await.is(expected, "INTRO-03 an empty list of audiences");
        scene.says(|a| a["aud"] = json!(["https://other.example"]));
        scene.send("other-aud").await.is(Expected::Token, "INTRO-03 another audience is never allowed");
    }
}

/// INTRO-02: the claim that the issuer uses for the client comes first, if it has a value.
#[tokio::test]
async fn the_client_of_a_response_is_in_the_configured_claim_if_it_has_a_value() {
    let azp = |issuer: IssuerConfig, introspection| issuer.client_id_claim("azp").introspection(introspection);
    let scene = scene_of(azp, |builder| builder);
    for (row, value, client) in [
        ("a value", json!("shop"), Some("shop")),
        ("null", Value::Null, Some("app")),
        ("empty", json!(""), Some("app")),
        ("a-list", json!(["shop"]), None),
    ] {
        scene.says(|a| a["azp"] = value);
        let answer = scene.send(&row.replace(' ', "-")).await;
        assert_eq!(answer.token.as_ref().and_then(|token| token.client_id()), client, "INTRO-02 {row}");
        assert_eq!(answer.status == 200, client.is_some(), "INTRO-02 {row}");
    }
}
