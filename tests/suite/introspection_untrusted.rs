//! INTRO, X-63: what untrusted clients can do to the introspection of others, and which answers are about access tokens at all.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TestCertificate, proof};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_pop::clock::Clock;
use tower_pop::keys::{FetchError, FetchResponse};
use tower_pop::pop_core::jose::CertThumbprint;
use tower_pop::{ClientCertificates, Introspection, IssuerConfig, PeerCertificate};

use crate::introspection::{ENDPOINT, Scene, Server, TOKEN, scene, scene_with, settle, without};
use crate::support::{Answer, Expected, ISSUER, NOW, URL, api_for, request};

/// A request with a token, proven by some key.
async fn send_by(scene: &Scene, key: &DpopKey, token: &str) -> Answer {
    let proof = proof(key).url(URL).for_token(token).issued_at(scene.api.clock.now()).mint();
    scene.api.send(request(token, &proof)).await
}

fn json_response(body: impl Into<String>) -> Result<FetchResponse, FetchError> {
    Ok(FetchResponse::new(body.into()).content_type("application/json"))
}

/// INTRO-07, X-63: a response that cannot be used says something about one token. However many there are, other clients
/// are served, and each of these tokens is introspected once in two seconds.
#[tokio::test]
async fn unusable_responses_about_made_up_tokens_open_no_circuit() {
    let deep = format!(r#"{{"active":true,"authorization_details":{}1{}}}"#, "[".repeat(50), "]".repeat(50));
    for (row, reply) in [
        ("deeper than the limits", json_response(deep)),
        ("no active", json_response("{}")),
        ("not JSON", json_response("<html>")),
        ("HTML", Ok(FetchResponse::new("<html>").content_type("text/html"))),
        ("400", Err(FetchError::Status(400))),
        ("401", Err(FetchError::Status(401))),
        ("403", Err(FetchError::Status(403))),
        ("404", Err(FetchError::Status(404))),
        ("410", Err(FetchError::Status(410))),
        ("413", Err(FetchError::Status(413))),
        ("422", Err(FetchError::Status(422))),
        ("302", Err(FetchError::Status(302))),
        ("too long", Err(FetchError::TooLong)),
    ] {
        let scene = scene();
        scene.server.replies(reply);
        for number in 0..30 {
            scene.send(&format!("odd-{number}")).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        }
        assert_eq!(scene.server.asked(), 30);
        scene.send("odd-0").await.is(Expected::Down, &format!("INTRO-07 {row}, again"));
        assert_eq!(scene.server.asked(), 30, "INTRO-07 {row}: remembered for a moment");
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 {row}: others are served"));
        scene.api.clock.advance(2);
        scene.send("odd-0").await.is(Expected::Ok, &format!("INTRO-07 {row}: and asked again later"));
    }
}

/// INTRO-07: no connection, a timeout, 5xx, 429, or our own credentials are rejected.
#[tokio::test]
async fn failures_of_the_server_open_the_circuit() {
    for (row, error) in [
        ("connection", FetchError::Connection),
        ("timeout", FetchError::Timeout),
        ("500", FetchError::Status(500)),
        ("503", FetchError::Status(503)),
        ("429", FetchError::Status(429)),
        ("our credentials are rejected", FetchError::ClientRefused(401)),
    ] {
        let scene = scene();
        scene.server.replies(Err(error));
        for number in 0..10 {
            scene.send(&format!("any-{number}")).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        }
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-07 {row}: open"));
        assert_eq!(scene.server.asked(), 10, "INTRO-07 {row}");
        scene.api.clock.advance(5);
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 {row}: the probe"));
    }
}

/// INTRO-07, X-63: tokens for which the server fails do not affect tokens that were active before.
#[tokio::test]
async fn known_tokens_have_a_separate_circuit() {
    let scene = scene();
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    let stranger = DpopKey::generate(Algorithm::ES256).unwrap();
    scene.server.replies(Err(FetchError::Status(500)));
    for number in 0..20 {
        send_by(&scene, &stranger, &format!("poison-{number}")).await.is(Expected::Down, "INTRO-07");
    }
    assert_eq!(scene.server.asked(), 11, "the circuit of unknown tokens is open");
    scene.says(|_| {});
    send_by(&scene, &stranger, "another").await.is(Expected::Down, "INTRO-07 still open for unknown tokens");
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 a token that was active is asked about");
    scene.send("of-a-known-key").await.is(Expected::Ok, "INTRO-07 and so is a new token of a key that was");
    let answer = send_by(&scene, &stranger, "third").await;
    answer
        .is(Expected::Token, "INTRO-07 which shows that the server is there: the circuit of the others is closed too");
}

/// INTRO-08, X-63: four hundred made-up tokens wait at a slow server. A token that was active, and a new one of a key
/// that was, are introspected at once.
#[tokio::test(start_paused = true)]
async fn made_up_tokens_do_not_delay_known_ones() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(4), |builder| builder));
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let flood: Vec<_> = (0..400)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move {
                let stranger = DpopKey::generate(Algorithm::Ed25519).unwrap();
                send_by(&scene, &stranger, &format!("made-up-{number}")).await.status.as_u16()
            })
        })
        .collect();
    settle().await;
    assert_eq!(scene.server.asked(), 1 + 4, "INTRO-08 four of the flood are open");
    let good = [TOKEN, "refreshed"].map(|token| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.send(token).await.status.as_u16() })
    });
    settle().await;
    assert_eq!(scene.server.asked(), 1 + 4 + 2, "INTRO-08 both are asked about, beside the flood");
    scene.server.gate.add_permits(1_000);
    for request in good {
        assert_eq!(request.await.unwrap(), 200, "INTRO-08");
    }
    let mut refused = 0;
    for request in flood {
        refused += usize::from(request.await.unwrap() == 503);
    }
    assert_eq!(refused, 400 - 4 * 5, "INTRO-08 the flood has four open requests and sixteen places");
}

/// INTRO-08, X-63: a client with a known key cannot fill the lane of known clients with made-up tokens.
#[tokio::test(start_paused = true)]
async fn a_known_key_that_presents_made_up_tokens_loses_its_place() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(2), |builder| builder));
    let victim = DpopKey::generate(Algorithm::ES256).unwrap();
    let jkt = victim.thumbprint().to_string();
    scene.says(|a| a["cnf"]["jkt"] = jkt.clone().into());
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "active");
    scene.says(|_| {});
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let flood: Vec<_> = (0..50)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.send(&format!("made-up-{number}")).await.status.as_u16() })
        })
        .collect();
    settle().await;
    assert_eq!(scene.server.asked(), 2 + 1 + 2, "one as a known key, for half of the lane, and two as anybody");
    scene.server.says(r#"{"active":false}"#);
    scene.server.gate.add_permits(1_000);
    for request in flood {
        assert_ne!(request.await.unwrap(), 200);
    }
    scene.server.gate.forget_permits(1_000);
    let asked = scene.server.asked();
    let again: Vec<_> = (50..60)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.send(&format!("made-up-{number}")).await.status.as_u16() })
        })
        .collect();
    settle().await;
    assert_eq!(scene.server.asked(), asked + 2, "the key is known no more: two open requests, as for anybody");
    scene.says(|a| a["cnf"]["jkt"] = jkt.into());
    let good = tokio::spawn({
        let (scene, victim) = (Arc::clone(&scene), victim.clone());
        async move { send_by(&scene, &victim, "victims").await.status.as_u16() }
    });
    settle().await;
    scene.server.gate.add_permits(1_000);
    assert_eq!(good.await.unwrap(), 200, "INTRO-08 the other client gets through");
    for request in again {
        let _ = request.await.unwrap();
    }
}

/// INTRO-07, X-63: it opens no circuit of known tokens and takes no probe from them.
#[tokio::test]
async fn a_known_key_whose_token_makes_the_server_fail_does_not_lock_out_others() {
    let scene = scene();
    let victim = DpopKey::generate(Algorithm::ES256).unwrap();
    let jkt = victim.thumbprint().to_string();
    scene.says(|a| a["cnf"]["jkt"] = jkt.clone().into());
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "active");
    scene.says(|_| {});
    scene.send(TOKEN).await.is(Expected::Ok, "the attacker's own token is active");
    scene.api.clock.advance(10);
    scene.server.replies(Err(FetchError::Status(500)));
    for _ in 0..12 {
        scene.send("../../etc/passwd").await.is(Expected::Down, "INTRO-07");
    }
    scene.says(|a| a["cnf"]["jkt"] = jkt.clone().into());
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "INTRO-07 the victim's token is asked about");
    // The token itself was active once: its circuit opens when the server fails on tokens of this kind, and one probes.
    scene.api.clock.advance(10);
    scene.server.replies(Err(FetchError::Status(500)));
    for _ in 0..10 {
        send_by(&scene, &victim, "victims").await.is(Expected::Down, "INTRO-07 an outage");
    }
    scene.send("made-up-by-a-known-key").await.is(Expected::Down, "INTRO-07 no probe for a new token");
    let asked = scene.server.asked();
    scene.api.clock.advance(5);
    scene.says(|a| a["cnf"]["jkt"] = jkt.into());
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "INTRO-07 a token that was active probes");
    assert_eq!(scene.server.asked(), asked + 1);
}

/// INTRO-08, X-63: many known keys of one attacker get half of the lane of known clients.
#[tokio::test(start_paused = true)]
async fn many_known_keys_leave_half_of_their_lane_to_known_tokens() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(4), |builder| builder));
    let keys: Vec<DpopKey> = (0..10).map(|_| DpopKey::generate(Algorithm::Ed25519).unwrap()).collect();
    for (number, key) in keys.iter().enumerate() {
        scene.says(|a| a["cnf"]["jkt"] = key.thumbprint().to_string().into());
        send_by(&scene, key, &format!("active-{number}")).await.is(Expected::Ok, "active");
    }
    scene.says(|_| {});
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let flood: Vec<_> = (0..40)
        .map(|number| {
            let (scene, key) = (Arc::clone(&scene), keys[number % keys.len()].clone());
            tokio::spawn(async move { send_by(&scene, &key, &format!("made-up-{number}")).await.status.as_u16() })
        })
        .collect();
    settle().await;
    assert_eq!(scene.server.asked(), 11 + 2 + 4, "half of the known lane, and the other one");
    let good = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status.as_u16() }
    });
    settle().await;
    assert_eq!(scene.server.asked(), 11 + 2 + 4 + 1, "INTRO-08 a token that was active does not wait");
    scene.server.gate.add_permits(1_000);
    assert_eq!(good.await.unwrap(), 200, "INTRO-08");
    for request in flood {
        assert_ne!(request.await.unwrap(), 200);
    }
}

/// INTRO-08: a flood under another certificate does not delay a known one.
#[tokio::test(start_paused = true)]
async fn certificates_are_known_as_keys_are() {
    let own = TestCertificate::self_signed("own");
    let x5t = CertThumbprint::of_der(own.der()).to_string();
    let scene = Arc::new(scene_with(
        |i| i.max_concurrent(1),
        |builder| builder.client_certificates(ClientCertificates::from_connection()),
    ));
    let send = |token: String, certificate: &TestCertificate| {
        let mut request = Request::get("/notes").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
        request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.api.send(request).await.status.as_u16() })
    };
    scene.says(|a| {
        a["cnf"] = json!({ "x5t#S256": x5t });
        a["token_type"] = "Bearer".into();
    });
    assert_eq!(send("first".to_owned(), &own).await.unwrap(), 200);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let other = TestCertificate::self_signed("other");
    let flood: Vec<_> = (0..20).map(|number| send(format!("made-up-{number}"), &other)).collect();
    let good = send("second".to_owned(), &own);
    settle().await;
    assert_eq!(scene.server.asked(), 3, "one of the flood, and the known certificate's");
    scene.server.gate.add_permits(1_000);
    assert_eq!(good.await.unwrap(), 200, "INTRO-08");
    for request in flood {
        assert_ne!(request.await.unwrap(), 200, "another certificate");
    }
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
            // Under DPoP a token without jkt is refused later than one of another type.
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

/// INTRO-09: the server must not see the tokens of other issuers.
#[tokio::test]
async fn a_jwt_that_names_another_issuer_is_rejected_without_a_request() {
    let server = Server::new();
    let (local, foreign) =
        (TestAuthServer::offline_at(ISSUER, NOW), TestAuthServer::offline_at("https://evil.example", NOW));
    let introspection = || Introspection::at(ENDPOINT).client_secret_basic("api", "secret").http_fetch(server.clone());
    let own = IssuerConfig::new(ISSUER).static_jwks(local.jwks_json()).introspection(introspection());
    let api = api_for(local, own, |builder| builder);
    let active = json!({
        "active": true, "aud": "https://api.example", "exp": NOW + 60,
        "cnf": { "jkt": api.key.thumbprint().to_string() },
    });
    server.says(active.to_string());
    let other = api.token().claim("iss", "https://other.example").mint();
    let spaced = {
        let mint = api.token().claim("iss", "https://other.example");
        let header = format!(" {}", mint.header_text());
        mint.raw_header(header).mint()
    };
    for (row, token) in [
        ("another issuer", foreign.token().audience("https://api.example").bound_to(&api.key).mint()),
        ("a slash more", api.token().claim("iss", "https://as.example/").mint()),
        (
            "of an algorithm that is not accepted",
            api.token().header("alg", "HS256").claim("iss", "https://x.example").mint(),
        ),
        ("of another typ", api.token().header("typ", "JWT").claim("iss", "https://x.example").mint()),
        ("with a header that is rejected", api.token().header("crit", json!(["x"])).claim("iss", "https://x").mint()),
        ("with a space before its header", spaced),
        ("with a signature that is not canonical", format!("{}B", &other[..other.rfind('.').unwrap() + 3])),
        ("with padding behind its signature", format!("{other}=")),
        ("without a signature", api.token().claim("iss", "https://x.example").alg_none().mint()),
    ] {
        let answer = api.with_token(&token).await;
        answer.is(Expected::Token, &format!("INTRO-09 {row}")).coded("token.issuer", row);
    }
    assert_eq!(server.asked(), 0, "INTRO-09");
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the twin: its own issuer");
    api.with_token(&api.token().without("iss").mint()).await.is(Expected::Ok, "a JWT that names no issuer");
    api.with_token(TOKEN).await.is(Expected::Ok, "an opaque token");
    assert_eq!(server.asked(), 3);
}

/// INTRO-06: the age of a response counts from before the request for it.
#[tokio::test]
async fn a_slow_response_is_cached_for_less_time() {
    let scene = Arc::new(scene());
    scene.says(|a| without(a, "exp"));
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let slow = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status.as_u16() }
    });
    settle().await;
    scene.api.clock.advance(4);
    scene.server.gate.add_permits(1_000);
    assert_eq!(slow.await.unwrap(), 200);
    scene.api.clock.advance(5);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 nine seconds after the request");
    assert_eq!(scene.server.asked(), 1);
    scene.server.says(r#"{"active":false}"#);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 ten seconds after the request");
    assert_eq!(scene.server.asked(), 2);
}

/// INTRO-07: the lanes do not wait for each other.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_for_unknown_tokens_does_not_delay_known_ones() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(1).timeout(Duration::from_secs(1)), |builder| builder));
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let stranger = DpopKey::generate(Algorithm::ES256).unwrap();
    let hanging = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { send_by(&scene, &stranger, "hangs").await.status.as_u16() }
    });
    settle().await;
    let known = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status.as_u16() }
    });
    settle().await;
    assert_eq!(scene.server.asked(), 3, "INTRO-07 it does not wait for its turn");
    scene.server.gate.add_permits(1_000);
    assert_eq!((hanging.await.unwrap(), known.await.unwrap()), (401, 200));
}
