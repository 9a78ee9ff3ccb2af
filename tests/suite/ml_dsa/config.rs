//! What the configuration allows.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use pop_authserver::Algorithm;
use pop_core::jose::crypto::CryptoBackend;
use tower::ServiceExt;
use tower_pop::{ConfigError, PopConfig, PopConfigBuilder, Preset};

use super::ALL;

fn build(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Result<PopConfig, ConfigError> {
    let builder = PopConfig::builder("https://as.example", "https://api.example");
    configure(builder.crypto_backend(CryptoBackend::AwsLcRs)).build()
}

/// DPOP-05, DPOP-44: an algorithm that would never be accepted is an error, and not silently without effect.
#[test]
fn rejects_algorithms_that_would_never_be_accepted() {
    type Change = fn(PopConfigBuilder) -> PopConfigBuilder;
    let rows: [(&str, Change); 3] = [
        ("proof", |builder| builder.proof_algorithms([Algorithm::ES256, Algorithm::MlDsa65])),
        ("token", |builder| builder.token_algorithms([Algorithm::ES256, Algorithm::MlDsa65])),
        ("signature", |builder| builder.signature_algorithms([Algorithm::ES256, Algorithm::MlDsa65])),
    ];
    for (row, configure) in rows {
        for backend in CryptoBackend::COMPILED_IN {
            let built = build(|builder| configure(builder.crypto_backend(*backend)));
            let is_supported = row != "signature" && *backend == CryptoBackend::AwsLcRs;
            match built {
                Ok(_) => assert!(is_supported, "{row} on {backend:?}"),
                Err(ConfigError::AlgorithmUnsupported { what, algorithm: Algorithm::MlDsa65, .. }) => {
                    assert!(what == row && !is_supported, "{row} on {backend:?}");
                }
                Err(error) => panic!("{row} on {backend:?}: {error}"),
            }
        }
    }
    let error = build(|builder| builder.signature_algorithms(ALL)).unwrap_err().to_string();
    assert_eq!(error, "signature algorithm ML-DSA-44 is not supported by HTTP message signatures");
}

/// FAPI 2.0 §5.4.1 does not have ML-DSA.
#[test]
fn the_preset_of_fapi_forbids_ml_dsa() {
    let fapi = |algorithm| build(|builder| builder.preset(Preset::Fapi2).proof_algorithms([algorithm]));
    assert!(fapi(Algorithm::ES256).is_ok());
    let error = fapi(Algorithm::MlDsa44).unwrap_err();
    assert!(
        matches!(&error, ConfigError::AlgorithmForbidden { algorithms, .. } if algorithms == "ML-DSA-44"),
        "{error}"
    );
}

/// META-05, DPOP-34: the metadata names the algorithms that are accepted.
#[tokio::test]
async fn metadata_lists_the_algorithms_that_are_named() {
    async fn document(cfg: PopConfig) -> String {
        let request = Request::get("/.well-known/oauth-protected-resource").body(Body::empty()).unwrap();
        let response = cfg.metadata_route::<()>().oneshot(request).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
    let plain = document(build(|builder| builder).unwrap()).await;
    let named = document(build(|builder| builder.proof_algorithms(ALL)).unwrap()).await;
    assert!(!plain.contains("ML-DSA"), "{plain}");
    assert!(named.contains(r#""dpop_signing_alg_values_supported":["ML-DSA-44","ML-DSA-65","ML-DSA-87"]"#), "{named}");
}
