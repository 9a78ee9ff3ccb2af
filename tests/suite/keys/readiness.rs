//! What is missing before requests can be verified.

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_pop::Missing;
use tower_pop::clock::Clock;
use tower_pop::keys::FetchError;
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayStore, StoreReadiness};

use super::{Expected, ISSUER, JWKS, Script, api};

/// ATK-27, ERR-13: starting before the authorization server does. A program goes on, and is ready when the keys are there.
#[tokio::test]
async fn a_program_that_starts_first_says_what_it_waits_for() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    script.set(JWKS, Err(FetchError::Status(503)));
    let missing = api.cfg.warm_up().await;
    assert_eq!(missing.missing(), [Missing::Keys { issuer: ISSUER.to_owned() }]);
    assert_eq!(missing.to_string(), "missing: keys of https://as.example");
    assert_eq!(script.requests(), 1);
    assert!(!api.cfg.warm_up().await.is_ready());
    assert_eq!(script.requests(), 1, "it failed a moment ago");
    assert_eq!(probe(&api.cfg, "/readyz").await, (503, "keys of https://as.example\n".to_owned()));
    assert_eq!(probe(&api.cfg, "/livez").await, (200, "alive\n".to_owned()));
    api.with_proof(|proof| proof).await.is(Expected::Down, "ERR-13");

    script.serve(JWKS, api.server.jwks_json());
    api.clock.advance(60);
    assert_eq!(probe(&api.cfg, "/readyz").await, (200, "ready\n".to_owned()));
    let requests = script.requests();
    assert!(api.cfg.warm_up().await.is_ready());
    api.with_proof(|proof| proof.issued_at(api.clock.now())).await.is(Expected::Ok, "the keys are there");
    assert_eq!(script.requests(), requests, "the first request need not wait");
}

/// REPLAY-10: a store that cannot be used, beside one that can.
#[tokio::test]
async fn a_store_that_cannot_be_used_is_named_with_its_reason() {
    struct Broken(bool);
    impl ReplayStore for Broken {
        fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
            MemoryReplayStore::default().insert(entry)
        }

        fn ready(&self) -> StoreReadiness<'_> {
            Box::pin(async { if self.0 { Err("the disk is gone".into()) } else { Ok(()) } })
        }
    }
    for broken in [true, false] {
        let store = std::sync::Arc::new(Broken(broken));
        let api = crate::support::api_with(|builder| builder.replay_store(store));
        let readiness = api.cfg.warm_up().await;
        assert_eq!(readiness.is_ready(), !broken, "{readiness}");
        let expected = if broken { "missing: replay store: the disk is gone" } else { "ready" };
        assert_eq!(readiness.to_string(), expected);
    }
    assert!(crate::support::api().cfg.warm_up().await.is_ready(), "the store in memory");
}

async fn probe(cfg: &tower_pop::PopConfig, path: &str) -> (u16, String) {
    let app: Router = cfg.health_routes();
    let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
