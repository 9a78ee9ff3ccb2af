//! Envelopes that MSAL's own code made, with preset `entra` and without.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::clock::ManualClock;
use tower_pop::{IssuerConfig, PopConfig, PopLayer, Preset, ProofKind, VerifiedBody, VerifiedToken};

/// SHR-02, SHR-04, SHR-06 to SHR-08, SHR-12: the preset accepts what MSAL sends, and nothing else does.
#[tokio::test]
async fn accepts_what_msal_sends_with_the_preset_only() {
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/msal_envelopes.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let now = vectors["now"].as_u64().unwrap();
    let list = vectors["vectors"].as_array().unwrap();
    assert!(list.len() >= 6);
    for vector in list {
        let row = text(&vector["name"]);
        for (preset, later, accepted) in [
            (Preset::Entra, 0, true),
            (Preset::Entra, 290, true),
            (Preset::Entra, 331, false),
            (Preset::Rfc9449, 61, false),
        ] {
            let issuer = IssuerConfig::new(text(&vectors["issuer"])).static_jwks(vectors["jwks"].to_string());
            let cfg = PopConfig::builder(issuer, text(&vectors["audience"]))
                .proofs([ProofKind::SignedRequest])
                .preset(preset)
                .clock(Arc::new(ManualClock::at(now + later)))
                .build()
                .unwrap();
            let kind = service_fn(|request: Request<VerifiedBody<Full<Bytes>>>| async move {
                let token = request.extensions().get::<VerifiedToken>().unwrap();
                let covered = token.proof().covered().collect::<Vec<_>>().join(" ");
                Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(covered)))
            });
            let request = Request::builder().method(text(&vector["method"]).as_str()).uri(text(&vector["target"]));
            let request = request.header(AUTHORIZATION, format!("PoP {}", text(&vector["envelope"])));
            let request = request.body(Full::<Bytes>::from("content that MSAL does not cover")).unwrap();
            let response = PopLayer::new(cfg).verify_content().layer(kind).oneshot(request).await.unwrap();
            assert_eq!(response.status() == 200, accepted, "{row} {preset} after {later} s");
            if accepted {
                let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
                assert_eq!(body, text(&vector["covered"]), "{row}");
            }
        }
    }
}
