//! Access tokens of an issuer that signs with ML-DSA.

use std::sync::Arc;

use pop_authserver::{Algorithm, TestAuthServer};
use pop_core::jose::crypto::CryptoBackend;
use serde_json::json;
use tower_pop::IssuerConfig;
use tower_pop::clock::ManualClock;

use super::ALL;
use crate::support::{Api, Expected, ISSUER, NOW, api_for};

/// A resource whose issuer signs with `algorithm`, and which accepts tokens with these.
fn api_for_tokens(algorithm: Algorithm, accepted: impl IntoIterator<Item = Algorithm>) -> Api {
    let builder = TestAuthServer::defaults().signing_algorithm(algorithm);
    let server = TestAuthServer::offline_with(builder.clock(Arc::new(ManualClock::at(NOW))), ISSUER);
    let other = TestAuthServer::offline_at(ISSUER, NOW); // so that the set has a key that can be used
    let keys = [server.jwks_json(), other.jwks_json()].map(|set| {
        let set: serde_json::Value = serde_json::from_str(&set).unwrap();
        set["keys"][0].clone()
    });
    let issuer = IssuerConfig::new(ISSUER).static_jwks(json!({ "keys": keys }).to_string());
    api_for(server, issuer, |builder| builder.crypto_backend(CryptoBackend::AwsLcRs).token_algorithms(accepted))
}

/// DPOP-44, JOSE-23: signatures of each algorithm, and their exact length.
#[tokio::test]
async fn accepts_tokens_that_are_signed_with_ml_dsa() {
    for algorithm in ALL {
        let api = api_for_tokens(algorithm, [Algorithm::ES256, algorithm]);
        let token = api.token().mint();
        assert_eq!(api.with_token(&token).await.is(Expected::Ok, algorithm.name()).token.unwrap().issuer(), ISSUER);
        let altered = api.token().tampered_signature().mint();
        api.with_token(&altered).await.is(Expected::Token, "altered").coded("token.signature", algorithm.name());
        let (message, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = pop_core::jose::decode(signature).unwrap();
        bytes.push(0);
        for (row, wrong) in [("one byte long", &bytes[..]), ("one byte short", &bytes[..bytes.len() - 2])] {
            let wrong = format!("{message}.{}", pop_core::jose::encode(wrong));
            api.with_token(&wrong).await.is(Expected::Token, row).coded("token.signature", algorithm.name());
        }
        // 16 KiB of claims beside the signature.
        let long = api.token().claim("filler", "x".repeat(11 * 1024)).mint();
        assert!(long.len() > 16 * 1024, "{}", long.len());
        api.with_token(&long).await.is(Expected::Ok, "a long token");
    }
}

/// JOSE-23: by default, under the name of another set, and where another set is named.
#[tokio::test]
async fn rejects_tokens_whose_algorithm_is_not_named_or_not_that_of_the_key() {
    let named = api_for_tokens(Algorithm::MlDsa44, [Algorithm::MlDsa44, Algorithm::MlDsa65]);
    let renamed = named.token().header("alg", "ML-DSA-65").mint();
    named.with_token(&renamed).await.is(Expected::Token, "another name").coded("token.unknown_key", "JOSE-23");
    named.with_token(&named.token().mint()).await.is(Expected::Ok, "the twin");
    for accepted in [vec![Algorithm::ES256], vec![Algorithm::ES256, Algorithm::MlDsa65]] {
        let api = api_for_tokens(Algorithm::MlDsa44, accepted);
        api.with_token(&api.token().mint()).await.is(Expected::Token, "not named").coded("token.alg", "JOSE-23");
    }
}
