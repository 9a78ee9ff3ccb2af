//! What makes two proofs the same, and how long a proof is remembered.

use std::sync::Arc;

use pop_authserver::{Algorithm, DpopKey};
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayStore};

use crate::support::{Expected, NOW, api, api_with, request};

/// REPLAY-02, X-36: however often it comes.
#[tokio::test]
async fn rejects_the_second_use_of_a_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-02 first");
    for _ in 0..3 {
        api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-02 X-36").coded("replay.replayed", "REPLAY-02");
    }
}

/// REPLAY-03, REPLAY-09, X-43: the canonical target and the unescaped `jti` count, for each key separately.
#[tokio::test]
async fn another_encoding_does_not_make_another_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = |url: &str| api.proof(&token).jti("same").url(url).mint();
    api.with(&token, &proof("https://API.example/notes")).await.is(Expected::Ok, "REPLAY-03");
    for url in ["https://api.example:443/notes", "https://api.example/notes?x", "https://api.example/%6Eotes"] {
        api.with(&token, &proof(url)).await.is(Expected::Proof, "REPLAY-03 X-43").coded("replay.replayed", url);
    }
    let escaped = api.proof(&token).jti("same");
    let escaped = escaped.clone().raw_payload(escaped.payload_text().replace("same", "s\\u0061me")).mint();
    api.with(&token, &escaped).await.is(Expected::Proof, "REPLAY-09: compared after unescaping");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.token().bound_to(&other).mint();
    let theirs = pop_authserver::proof(&other).jti("same").url(crate::support::URL).for_token(&token).issued_at(NOW);
    api.with(&token, &theirs.mint()).await.is(Expected::Ok, "REPLAY-03: another client's jti is another");
}

/// REPLAY-09: no case folding, trimming or normalisation.
#[tokio::test]
async fn compares_jti_byte_by_byte() {
    let api = api();
    let token = api.token().mint();
    for jti in ["A", "a", "\u{e9}", "e\u{301}", " a", "a "] {
        let proof = api.proof(&token).jti(jti).mint();
        api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-09");
    }
    api.with(&token, &api.proof(&token).jti("\u{e9}").mint()).await.is(Expected::Proof, "REPLAY-09");
}

/// X-10, REPLAY-03: every ECDSA signature has a valid twin, n - s.
#[tokio::test]
async fn a_malleable_signature_does_not_make_another_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let (message, signature) = proof.rsplit_once('.').unwrap();
    let twin = format!("{message}.{}", negate_s(signature));
    assert_ne!(twin, proof);
    api.with(&token, &twin).await.is(Expected::Ok, "X-10: n - s verifies");
    api.with(&token, &proof).await.is(Expected::Proof, "X-10").coded("replay.replayed", "X-10");
}

/// The other valid `s` of an ES256 signature: n - s.
fn negate_s(signature: &str) -> String {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut bytes = pop_core::jose::decode(signature).unwrap();
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let mut digit = i16::from(N[at]) - i16::from(bytes[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        if digit < 0 {
            digit += 256;
        }
        bytes[32 + at] = u8::try_from(digit).unwrap();
    }
    pop_core::jose::encode(bytes)
}

/// REPLAY-01, REPLAY-04, X-39: counted from its `iat`.
#[tokio::test]
async fn remembers_a_proof_from_the_future_until_its_own_end() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).issued_at(NOW + 30).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-04");
    api.clock.advance(90); // iat + max_age
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-04 X-39").coded("replay.replayed", "REPLAY-04");
    api.clock.advance(1);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-01").coded("proof.iat_too_old", "REPLAY-01");
}

/// REPLAY-05, X-38: the insert is atomic.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_hundred_concurrent_copies_passes() {
    let api = Arc::new(api());
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let copies: Vec<_> = (0..100)
        .map(|_| {
            let (api, token, proof) = (Arc::clone(&api), token.clone(), proof.clone());
            tokio::spawn(async move { api.send_through(&api.cfg, request(&token, &proof)).await.status })
        })
        .collect();
    let mut passed = 0;
    for copy in copies {
        passed += usize::from(copy.await.unwrap() == 200);
    }
    assert_eq!(passed, 1, "REPLAY-05 X-38");
}

/// REPLAY-06, X-41: a request that fails can neither fill the store nor use up a `jti`.
#[tokio::test]
async fn records_nothing_before_everything_is_verified() {
    let store = Arc::new(MemoryReplayStore::default());
    #[derive(Clone)]
    struct Shared(Arc<MemoryReplayStore>);
    impl ReplayStore for Shared {
        fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
            self.0.insert(entry)
        }
    }
    let api = api_with(|builder| builder.replay_store(Shared(Arc::clone(&store))));
    let token = api.token().mint();
    let proof = api.proof(&token).jti("kept").mint();
    api.with("garbage", &proof).await.is(Expected::Token, "REPLAY-06");
    api.with(&api.token().tampered_signature().mint(), &proof).await.is(Expected::Token, "REPLAY-06");
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    let stolen = pop_authserver::proof(&thief).jti("kept").url(crate::support::URL).for_token(&token).issued_at(NOW);
    api.with(&token, &stolen.mint()).await.is(Expected::Token, "REPLAY-06");
    api.with(&token, &api.proof(&token).jti("kept").tampered_signature().mint()).await.is(Expected::Proof, "REPLAY-06");
    assert!(store.is_empty(), "REPLAY-06 X-41");
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-06: the proof is still good");
    assert_eq!(store.len(), 1);
}

/// REPLAY-11, X-37: a store in memory does not know what was used before a restart.
#[tokio::test]
async fn rejects_proofs_from_before_the_start_when_configured() {
    let api = api_with(tower_pop::PopConfigBuilder::reject_proofs_from_before_start);
    for iat in [NOW - 1, NOW, NOW + 20, NOW + 30] {
        // A proof from the future may have been used before the start, too.
        let answer = api.with_proof(|proof| proof.issued_at(iat)).await.is(Expected::Proof, "REPLAY-11 X-37");
        answer.coded("replay.replayed", "REPLAY-11");
    }
    api.clock.advance(31);
    api.with_proof(|proof| proof.issued_at(NOW + 31)).await.is(Expected::Ok, "REPLAY-11, the twin");
}

/// REPLAY-12, X-40: and one that jumps ahead and back forgets nothing.
#[tokio::test]
async fn a_clock_that_steps_back_revives_nothing() {
    let api = api();
    let token = api.token().claim("iat", NOW - 10_000).claim("exp", NOW + 10_000).mint();
    let early = api.proof(&token).mint();
    api.with(&token, &early).await.is(Expected::Ok, "REPLAY-12");
    api.clock.advance(200);
    let late = api.proof(&token).mint();
    api.with(&token, &late).await.is(Expected::Ok, "the first one is forgotten by now");
    api.clock.set_wall_clock(NOW);
    api.with(&token, &early).await.is(Expected::Proof, "REPLAY-12 X-40").coded("replay.replayed", "REPLAY-12");
    // A jump far ahead and back forgets nothing, and new proofs pass.
    let api = crate::support::api();
    let token = api.token().claim("iat", NOW - 10_000).claim("exp", NOW + 100_000).mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-12");
    api.clock.set_wall_clock(NOW + 3600);
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Ok, "an hour ahead");
    api.clock.set_wall_clock(NOW);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-12").coded("replay.replayed", "REPLAY-12");
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Ok, "and new ones pass");
}

/// REPLAY-14: the handler may have acted before it failed.
#[tokio::test]
async fn a_proof_stays_used_whatever_the_handler_answers() {
    use tower::{Layer, ServiceExt};
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let failing = tower::service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::builder().status(500).body(String::new()).unwrap())
    });
    let layer = tower_pop::PopLayer::new(api.cfg.clone());
    let response = layer.layer(failing).oneshot(request(&token, &proof)).await.unwrap();
    assert_eq!(response.status(), 500);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-14").coded("replay.replayed", "REPLAY-14");
}
