//! The length of proofs and tokens.

use pop_authserver::{Algorithm, DpopKey};
use pop_core::jose::AlgorithmSet;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::policy::{DpopPolicy, TokenPolicy};
use serde_json::json;
use tower_pop::{PopConfig, PopConfigBuilder};

use super::{ALL, api_for_proofs};
use crate::support::{AUDIENCE, Api, Expected, ISSUER, api, api_with};

/// Returns a proof of exactly this length: a claim that is not read fills it.
fn proof_of(api: &Api, token: &str, len: usize) -> String {
    let proof = |filler: usize| api.proof(token).claim("filler", json!("x".repeat(filler))).mint();
    let spare = len - proof(0).len();
    let proof = (spare / 4 * 3..=spare).map(proof).find(|proof| proof.len() >= len).unwrap();
    assert_eq!(proof.len(), len, "the lengths of base64url skip every fourth");
    proof
}

/// DPOP-40: the limit grows by the key and the signature of the largest algorithm that is named, and by nothing else.
#[tokio::test]
async fn the_limit_of_proofs_has_room_for_the_algorithms_that_are_named() {
    let rows = [(Algorithm::MlDsa44, 13_753), (Algorithm::MlDsa65, 16_075), (Algorithm::MlDsa87, 18_970)];
    for (algorithm, limit) in rows {
        let set: AlgorithmSet = [algorithm].into_iter().collect();
        assert_eq!(DpopPolicy::max_len_for(set), limit, "{algorithm}");
        let api = api_for_proofs(algorithm, |builder| builder);
        let token = api.token().mint();
        let at = |len| proof_of(&api, &token, len);
        let longest = if can_have_length(&api, &token, limit) { limit } else { limit - 1 };
        api.with(&token, &at(longest)).await.is(Expected::Ok, algorithm.name());
        let beyond = if can_have_length(&api, &token, limit + 1) { limit + 1 } else { limit + 2 };
        let answer = api.with(&token, &at(beyond)).await.is(Expected::Proof, "DPOP-40");
        answer.coded("proof.too_large", algorithm.name());
        // Everything beside key and signature fits into the usual limit.
        let plain = api.proof(&token).mint();
        let room = set.key_room() + set.signature_room();
        assert!(plain.len() - room < 1024, "{algorithm}: {} - {room}", plain.len());
    }
    assert_eq!(DpopPolicy::default().max_len, 8 * 1024);
    assert_eq!(DpopPolicy::max_len_for(AlgorithmSet::PROOF), 8 * 1024);
}

/// A segment of base64url never has one character more than a multiple of four.
fn can_have_length(api: &Api, token: &str, len: usize) -> bool {
    let proof = api.proof(token).mint();
    let (before, signature) = proof.rsplit_once('.').unwrap();
    let header = before.split('.').next().unwrap();
    (len - header.len() - signature.len() - 2) % 4 != 1
}

/// DPOP-40: without ML-DSA the limit stays, also for a client with such a key.
#[tokio::test]
async fn the_limit_of_proofs_stays_where_no_ml_dsa_is_named() {
    let mut api = api();
    let token = api.token().mint();
    let long = api.proof(&token).claim("filler", "x".repeat(8 * 1024)).mint();
    api.with(&token, &long).await.is(Expected::Proof, "DPOP-40").coded("proof.too_large", "DPOP-40");
    api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
    api.key = DpopKey::generate(Algorithm::MlDsa87).unwrap();
    api.with_proof(|proof| proof).await.is(Expected::Proof, "DPOP-40").coded("proof.too_large", "DPOP-40 ML-DSA-87");
    api.key = DpopKey::generate(Algorithm::MlDsa44).unwrap();
    api.with_proof(|proof| proof).await.is(Expected::Proof, "DPOP-05").coded("proof.alg", "DPOP-05 ML-DSA-44");
}

/// DPOP-40: a limit that was set explicitly wins, before or after the algorithms.
#[tokio::test]
async fn an_explicit_limit_wins() {
    type Configure = fn(PopConfigBuilder) -> PopConfigBuilder;
    let rows: [(&str, Configure, Configure); 2] = [
        ("before", |builder| builder.max_proof_len(11_500).max_token_len(8 * 1024), |builder| builder),
        ("after", |builder| builder, |builder| builder.max_proof_len(11_500).max_token_len(8 * 1024)),
    ];
    for (row, before, after) in rows {
        let mut api = api_with(|builder| {
            let builder = before(builder.crypto_backend(CryptoBackend::AwsLcRs));
            after(builder.proof_algorithms(ALL).token_algorithms([Algorithm::ES256, Algorithm::MlDsa87]))
        });
        api.key = DpopKey::generate(Algorithm::MlDsa87).unwrap();
        let token = api.token().mint();
        let long = api.proof(&token).claim("filler", "x".repeat(1024)).mint();
        assert!((11_501..13_000).contains(&long.len()), "{}", long.len());
        api.with(&token, &long).await.is(Expected::Proof, row).coded("proof.too_large", row);
        api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
        let token = api.token().claim("filler", "x".repeat(8 * 1024)).mint();
        api.with_token(&token).await.is(Expected::Token, row).coded("token.too_large", row);
    }
}

/// No algorithm may be named whose proofs or tokens are always too long.
#[test]
fn a_limit_that_leaves_no_room_for_a_named_algorithm_is_rejected() {
    let builder = || PopConfig::builder(ISSUER, AUDIENCE).crypto_backend(CryptoBackend::AwsLcRs);
    let proofs = |len| builder().proof_algorithms([Algorithm::MlDsa87]).max_proof_len(len).build();
    let tokens = |len| builder().token_algorithms([Algorithm::MlDsa87]).max_token_len(len).build();
    assert!(proofs(11_290).is_ok() && tokens(6_682).is_ok());
    for error in [proofs(11_289).unwrap_err(), tokens(6_681).unwrap_err()] {
        assert!(error.to_string().contains("_len"), "{error}");
    }
    assert!(builder().max_proof_len(512).max_token_len(512).build().is_ok(), "without ML-DSA");
}

/// DPOP-40: the limit of tokens grows by the signature of the largest algorithm that is named.
#[test]
fn the_limit_of_tokens_has_room_for_the_signature() {
    let limit = |algorithms: &[Algorithm]| TokenPolicy::max_len_for(algorithms.iter().copied().collect());
    assert_eq!(limit(&[Algorithm::ES256, Algorithm::RS512]), 16 * 1024);
    assert_eq!(limit(&[Algorithm::MlDsa44]), 19_611);
    assert_eq!(limit(&[Algorithm::MlDsa65, Algorithm::ES256]), 20_796);
    assert_eq!(limit(&ALL), 22_554);
    assert_eq!(TokenPolicy::default().max_len, 16 * 1024);
}
