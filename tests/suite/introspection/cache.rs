//! How long a response is used.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tower_pop::keys::FetchError;

use super::{TOKEN, run_background_tasks, scene, scene_with, without};
use crate::support::{Expected, NOW};

/// INTRO-06, X-62: a revoked token is accepted for that time at most.
#[tokio::test]
async fn caches_responses_for_the_configured_time_and_never_past_exp() {
    let scene = scene();
    scene.send(TOKEN).await.is(Expected::Ok, "asked");
    scene.says(|a| *a = json!({ "active": false }));
    scene.api.clock.advance(9);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 within 10 s");
    assert_eq!(scene.server.requests(), 1);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 X-62 a revoked token, after 10 s");
    assert_eq!(scene.server.requests(), 2);

    // Inactive for two seconds, then introspected again.
    scene.says(|_| {});
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 negative cache").coded("token.inactive", "INTRO-06");
    assert_eq!(scene.server.requests(), 2);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 after 2 s");
    assert_eq!(scene.server.requests(), 3);

    let long = scene_with(|i| i.cache_for(Duration::from_secs(60)), |builder| builder);
    for (token, exp) in [("with-exp", Some(NOW + 2)), ("without-exp", None)] {
        long.api.clock.set_wall_clock(NOW);
        long.says(|a| match exp {
            Some(exp) => a["exp"] = exp.into(),
            None => without(a, "exp"),
        });
        long.send(token).await.is(Expected::Ok, token);
        long.api.clock.advance(1);
        long.send(token).await.is(Expected::Ok, token);
        long.api.clock.advance(1);
        let expected = if exp.is_some() { Expected::Token } else { Expected::Ok };
        long.send(token).await.is(expected, &format!("INTRO-06 {token}: exp in 2 s, cached for 60 s"));
    }

    let never = scene_with(|i| i.cache_for(Duration::ZERO), |builder| builder);
    for asked in 1..=3 {
        never.send(TOKEN).await.is(Expected::Ok, "not cached");
        assert_eq!(never.server.requests(), asked, "INTRO-06 cache_for(0) sends a request every time");
    }
}

/// INTRO-07: until their time is over.
#[tokio::test]
async fn an_outage_does_not_affect_cached_tokens() {
    let scene = scene();
    scene.send(TOKEN).await.is(Expected::Ok, "asked");
    scene.server.replies(Err(FetchError::Connection));
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 still within its time");
    scene.api.clock.advance(10);
    scene.send(TOKEN).await.is(Expected::Down, "INTRO-07 fail closed");
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
    run_background_tasks().await;
    scene.api.clock.advance(4);
    scene.server.gate.add_permits(1_000);
    assert_eq!(slow.await.unwrap(), 200);
    scene.api.clock.advance(5);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 nine seconds after the request");
    assert_eq!(scene.server.requests(), 1);
    scene.server.says(r#"{"active":false}"#);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 ten seconds after the request");
    assert_eq!(scene.server.requests(), 2);
}

/// DPOP-42: a response without `exp` counts as valid for as long as it is cached.
#[tokio::test]
async fn expires_at_is_exp_or_the_end_of_the_cached_response() {
    let scene = scene_with(|introspection| introspection.cache_for(Duration::from_secs(20)), |builder| builder);
    for (token, exp, expected) in [("with-exp", Some(NOW + 300), NOW + 300), ("without-exp", None, NOW + 20)] {
        scene.says(|a| match exp {
            Some(exp) => a["exp"] = exp.into(),
            None => without(a, "exp"),
        });
        let answer = scene.send(token).await.is(Expected::Ok, token);
        assert_eq!(answer.token.unwrap().expires_at(), expected, "DPOP-42 {token}");
    }
}
