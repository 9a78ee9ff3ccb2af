//! Made-up tokens do not delay tokens and keys that were active.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, DpopKey, TestCertificate};
use pop_core::jose::CertThumbprint;
use serde_json::json;
use tokio::sync::Semaphore;
use tower_pop::{ClientCertificates, PeerCertificate};

use super::{TOKEN, run_background_tasks, scene_with, send_by};
use crate::support::Expected;

/// INTRO-07, INTRO-08, X-63: waiting in the queue is no failure of the server.
#[tokio::test(start_paused = true)]
async fn a_flood_of_tokens_waits_in_a_short_queue_and_opens_no_circuit() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(2), |builder| builder));
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let flood: Vec<_> = (0..100)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.send(&format!("random-{number}")).await.status.as_u16() })
        })
        .collect();
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 2, "INTRO-08 two at a time");
    assert_eq!(
        flood.iter().filter(|request| request.is_finished()).count(),
        90,
        "INTRO-08 eight wait, the rest does not"
    );
    // The server responds to each request just in time, so that others give up waiting.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        scene.server.gate.add_permits(1);
        run_background_tasks().await;
        scene.server.gate.forget_permits(1);
    }
    scene.server.gate.add_permits(1_000);
    let mut statuses = Vec::new();
    for request in flood {
        statuses.push(request.await.unwrap());
    }
    assert!(statuses.contains(&200) && statuses.iter().filter(|status| **status == 503).count() >= 90, "{statuses:?}");
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 waiting in the queue is not a failure of the server");
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
                let untrusted = DpopKey::generate(Algorithm::Ed25519).unwrap();
                send_by(&scene, &untrusted, &format!("made-up-{number}")).await.status.as_u16()
            })
        })
        .collect();
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 1 + 4, "INTRO-08 four of the flood are open");
    let good = [TOKEN, "refreshed"].map(|token| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.send(token).await.status.as_u16() })
    });
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 1 + 4 + 2, "INTRO-08 both are introspected, beside the flood");
    scene.server.gate.add_permits(1_000);
    for request in good {
        assert_eq!(request.await.unwrap(), 200, "INTRO-08");
    }
    let mut rejected = 0;
    for request in flood {
        rejected += usize::from(request.await.unwrap() == 503);
    }
    assert_eq!(rejected, 400 - 4 * 5, "INTRO-08 the flood has four open requests and sixteen places");
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
    run_background_tasks().await;
    assert_eq!(
        scene.server.requests(),
        2 + 1 + 2,
        "one as a known key, for half of the lane, and two as an unknown one"
    );
    scene.server.says(r#"{"active":false}"#);
    scene.server.gate.add_permits(1_000);
    for request in flood {
        assert_ne!(request.await.unwrap(), 200);
    }
    scene.server.gate.forget_permits(1_000);
    let asked = scene.server.requests();
    let again: Vec<_> = (50..60)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.send(&format!("made-up-{number}")).await.status.as_u16() })
        })
        .collect();
    run_background_tasks().await;
    assert_eq!(
        scene.server.requests(),
        asked + 2,
        "the key is no longer known: two open requests, as for an unknown one"
    );
    scene.says(|a| a["cnf"]["jkt"] = jkt.into());
    let good = tokio::spawn({
        let (scene, victim) = (Arc::clone(&scene), victim.clone());
        async move { send_by(&scene, &victim, "victims").await.status.as_u16() }
    });
    run_background_tasks().await;
    scene.server.gate.add_permits(1_000);
    assert_eq!(good.await.unwrap(), 200, "INTRO-08 the other client gets through");
    for request in again {
        let _ = request.await.unwrap();
    }
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
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 11 + 2 + 4, "half of the known lane, and the other one");
    let good = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status.as_u16() }
    });
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 11 + 2 + 4 + 1, "INTRO-08 a token that was active does not wait");
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
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 3, "one of the flood, and the known certificate's");
    scene.server.gate.add_permits(1_000);
    assert_eq!(good.await.unwrap(), 200, "INTRO-08");
    for request in flood {
        assert_ne!(request.await.unwrap(), 200, "another certificate");
    }
}

/// INTRO-07: the lanes do not wait for each other.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_for_unknown_tokens_does_not_delay_known_ones() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(1).timeout(Duration::from_secs(1)), |builder| builder));
    scene.send(TOKEN).await.is(Expected::Ok, "active");
    scene.api.clock.advance(10);
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let untrusted = DpopKey::generate(Algorithm::ES256).unwrap();
    let hanging = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { send_by(&scene, &untrusted, "hangs").await.status.as_u16() }
    });
    run_background_tasks().await;
    let known = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status.as_u16() }
    });
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 3, "INTRO-07 it does not wait for its turn");
    scene.server.gate.add_permits(1_000);
    assert_eq!((hanging.await.unwrap(), known.await.unwrap()), (401, 200));
}
