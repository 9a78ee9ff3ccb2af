//! What opens the circuit breaker, and for which tokens.

use pop_authserver::{Algorithm, DpopKey};
use tower_pop::keys::{FetchError, FetchResponse};

use super::{TOKEN, scene, send_by};
use crate::support::Expected;

/// INTRO-07, X-69: an outage of the server never lets a token pass.
#[tokio::test]
async fn a_missing_response_is_503_and_opens_the_circuit() {
    for (row, wait, reply) in [
        ("connection", 0, Err(FetchError::Connection)),
        ("timeout", 0, Err(FetchError::Timeout)),
        ("500", 0, Err(FetchError::Status(500))),
        ("429", 0, Err(FetchError::Status(429))),
        ("our credentials are rejected", 0, Err(FetchError::ClientRejected(401))),
        ("INTRO-01 302", 2, Err(FetchError::Status(302))),
        ("a 401 of the server is not the client's", 2, Err(FetchError::Status(401))),
        ("too long", 2, Err(FetchError::TooLong)),
        ("HTML", 2, Ok(FetchResponse::new("<html>").content_type("text/html"))),
        ("JSON of another type", 2, Ok(FetchResponse::new(r#"{"active":true}"#).content_type("text/plain"))),
        ("no type", 2, Ok(FetchResponse::new(r#"{"active":true}"#))),
    ] {
        let scene = scene();
        scene.server.replies(reply);
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        scene.says(|_| {});
        scene.api.clock.advance(wait);
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 the twin of {row}, {wait} s later"));
    }
    let scene = scene();
    scene.server.replies(Err(FetchError::Status(500)));
    for _ in 0..10 {
        scene.send(TOKEN).await.is(Expected::Down, "INTRO-07");
    }
    assert_eq!(scene.server.requests(), 10);
    scene.says(|_| {});
    scene.send(TOKEN).await.is(Expected::Down, "INTRO-07 the circuit is open");
    assert_eq!(scene.server.requests(), 10, "INTRO-07 no request is sent");
    scene.api.clock.advance(5);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 one probes, and the circuit closes");
    scene.send("another").await.is(Expected::Ok, "closed");
}

/// INTRO-07, X-63: 400, 413 and an oversized response.
#[tokio::test]
async fn a_status_about_one_token_does_not_open_the_circuit() {
    for (row, error) in [
        ("400", FetchError::Status(400)),
        ("413", FetchError::Status(413)),
        ("a response that is too long", FetchError::TooLong),
    ] {
        let scene = scene();
        scene.server.replies(Err(error));
        for number in 0..20 {
            scene.send(&format!("odd-{number}")).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        }
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 {row}: the circuit is closed"));
    }
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
        assert_eq!(scene.server.requests(), 30);
        scene.send("odd-0").await.is(Expected::Down, &format!("INTRO-07 {row}, again"));
        assert_eq!(scene.server.requests(), 30, "INTRO-07 {row}: remembered for a moment");
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 {row}: others are served"));
        scene.api.clock.advance(2);
        scene.send("odd-0").await.is(Expected::Ok, &format!("INTRO-07 {row}: and introspected again later"));
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
        ("our credentials are rejected", FetchError::ClientRejected(401)),
    ] {
        let scene = scene();
        scene.server.replies(Err(error));
        for number in 0..10 {
            scene.send(&format!("any-{number}")).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        }
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-07 {row}: open"));
        assert_eq!(scene.server.requests(), 10, "INTRO-07 {row}");
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
    let untrusted = DpopKey::generate(Algorithm::ES256).unwrap();
    scene.server.replies(Err(FetchError::Status(500)));
    for number in 0..20 {
        send_by(&scene, &untrusted, &format!("poison-{number}")).await.is(Expected::Down, "INTRO-07");
    }
    assert_eq!(scene.server.requests(), 11, "the circuit of unknown tokens is open");
    scene.says(|_| {});
    send_by(&scene, &untrusted, "another").await.is(Expected::Down, "INTRO-07 still open for unknown tokens");
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 a token that was active is introspected");
    scene.send("of-a-known-key").await.is(Expected::Ok, "INTRO-07 and so is a new token of a key that was");
    let answer = send_by(&scene, &untrusted, "third").await;
    answer.is(Expected::Token, "INTRO-07 its success closes the circuit of unknown tokens, too");
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
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "INTRO-07 the victim's token is introspected");
    // The circuit of tokens that were active opens when the server fails on them. One of them probes.
    scene.api.clock.advance(10);
    scene.server.replies(Err(FetchError::Status(500)));
    for _ in 0..10 {
        send_by(&scene, &victim, "victims").await.is(Expected::Down, "INTRO-07 an outage");
    }
    scene.send("made-up-by-a-known-key").await.is(Expected::Down, "INTRO-07 no probe for a new token");
    let asked = scene.server.requests();
    scene.api.clock.advance(5);
    scene.says(|a| a["cnf"]["jkt"] = jkt.into());
    send_by(&scene, &victim, "victims").await.is(Expected::Ok, "INTRO-07 a token that was active probes");
    assert_eq!(scene.server.requests(), asked + 1);
}
