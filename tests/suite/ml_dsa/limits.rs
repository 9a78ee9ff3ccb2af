//! The length of proofs and tokens.

use pop_authserver::Algorithm;
use pop_core::jose::AlgorithmSet;
use pop_core::policy::{DpopPolicy, TokenPolicy};
use serde_json::json;

use super::{ALL, api_for_proofs};
use crate::support::{Api, Expected, api, api_with};

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
    let api = api();
    let token = api.token().mint();
    let long = api.proof(&token).claim("filler", "x".repeat(8 * 1024)).mint();
    api.with(&token, &long).await.is(Expected::Proof, "DPOP-40").coded("proof.too_large", "DPOP-40");
    api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
}

/// DPOP-40: a limit that was set explicitly wins, before or after the algorithms.
#[tokio::test]
async fn an_explicit_limit_wins() {
    for (row, max_len, expected) in [("8 KiB", 8 * 1024, Expected::Proof), ("11 KiB", 11 * 1024, Expected::Proof)] {
        let api = api_for_proofs(Algorithm::MlDsa87, |builder| builder.max_proof_len(max_len));
        let token = api.token().mint();
        let long = api.proof(&token).claim("filler", "x".repeat(1024)).mint();
        assert!(long.len() > max_len && long.len() < 13 * 1024, "{}", long.len());
        api.with(&token, &long).await.is(expected, row).coded("proof.too_large", row);
    }
    let api = api_for_proofs(Algorithm::MlDsa87, |builder| builder.max_proof_len(12 * 1024));
    api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
    let early = api_with(|builder| {
        let builder = builder.crypto_backend(pop_core::jose::crypto::CryptoBackend::AwsLcRs);
        builder
            .max_proof_len(8 * 1024)
            .max_token_len(4 * 1024)
            .proof_algorithms(ALL)
            .token_algorithms([Algorithm::ES256, Algorithm::MlDsa87])
    });
    let token = early.token().claim("filler", "x".repeat(4 * 1024)).mint();
    let answer = early.with_token(&token).await.is(Expected::Token, "max_token_len");
    answer.coded("token.too_large", "max_token_len");
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
