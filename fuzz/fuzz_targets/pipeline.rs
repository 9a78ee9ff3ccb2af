//! The whole pipeline on requests with valid signatures (see [`Scene`]): whatever passes satisfies the oracle and does not
//! pass again, however the clock moved; a refusal is the client's fault, and the same whether caches are cold or warm.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use poplayer_fuzz::oracle;
use poplayer_fuzz::scene::Scene;
use poplayer_fuzz::world::{NOW, judge, resource};
use tower_pop::clock::ManualClock;
use tower_pop::{ProofKind, VerifiedToken};

/// These must pass, so that the target cannot rot into refusing everything.
const ACCEPTED: [&str; 14] = [
    include_str!("../seeds/pipeline/accepted-dpop"),
    include_str!("../seeds/pipeline/accepted-nonce"),
    include_str!("../seeds/pipeline/accepted-mtls"),
    include_str!("../seeds/pipeline/accepted-mtls-envoy"),
    include_str!("../seeds/pipeline/accepted-both"),
    include_str!("../seeds/pipeline/accepted-spellings"),
    include_str!("../seeds/pipeline/accepted-httpsig"),
    include_str!("../seeds/pipeline/accepted-httpsig-content"),
    include_str!("../seeds/pipeline/accepted-pop-jwk"),
    include_str!("../seeds/pipeline/accepted-pop-kid"),
    include_str!("../seeds/pipeline/accepted-pop-hs256"),
    include_str!("../seeds/pipeline/accepted-pop-nonce"),
    include_str!("../seeds/pipeline/accepted-hmac"),
    include_str!("../seeds/pipeline/accepted-hmac-content"),
];

fuzz_target!(
    init: {
        for text in ACCEPTED {
            assert!(Scene::read(text).is_some_and(|scene| attempt(scene).is_some()), "refused: {text}");
        }
    },
    |text: &str| {
        if let Some(scene) = Scene::read(text) {
            attempt(scene);
        }
    }
);

/// Sends the request twice. Returns the token if it passed at first.
fn attempt(mut scene: Scene) -> Option<VerifiedToken> {
    let clock = Arc::new(ManualClock::at(NOW));
    let resource = resource(Arc::clone(&clock));
    resource.sanitize_certificates(&mut scene.parts);
    let first = judge(&resource, &scene.parts, scene.content.as_bytes());
    match scene.later.clamp(-100_000, 100_000) {
        seconds @ 0.. => clock.advance(seconds.unsigned_abs()),
        seconds => clock.set_wall_clock(NOW - seconds.unsigned_abs()),
    }
    let second = judge(&resource, &scene.parts, scene.content.as_bytes());
    match first {
        Ok(admitted) => {
            let token = admitted.token.expect("mode Required never admits anonymous requests");
            oracle::check(&scene, &token);
            match token.proof().kind() {
                ProofKind::MutualTls => assert!(scene.later != 0 || second.is_ok()),
                _ => {
                    let error = second.expect_err("a proof was accepted twice");
                    assert!(scene.later != 0 || error.error().code() == "replay.replayed", "{error:?}");
                }
            }
            Some(token)
        }
        Err(rejection) => {
            assert!(rejection.status().is_client_error(), "{rejection:?}");
            if scene.later == 0 {
                let again = second.expect_err("refused at first, then accepted");
                assert_eq!(again.error().code(), rejection.error().code());
            }
            None
        }
    }
}
