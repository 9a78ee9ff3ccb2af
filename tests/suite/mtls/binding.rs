//! Which certificate a token is bound to.

use http::Request;
use pop_authserver::{Algorithm, DpopKey, TestCertificate, proof};
use pop_core::jose::{CertThumbprint, encode_standard};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{ClientCertificates, Mode, PeerAddress, PeerCertificate, PopLayer, Preset, ProofKind};

use super::{PROXY, bearer, behind, hash, scene, scene_with};
use crate::support::{Expected, URL};

/// MTLS-01, MTLS-02, MTLS-04: another certificate of the same key does not count. D-13: the challenge is for `Bearer`.
#[tokio::test]
async fn requires_the_certificate_that_the_token_names() {
    let scene = scene();
    let token = scene.token();
    let answer = scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "MTLS-01");
    let proof = answer.token.unwrap();
    assert_eq!(proof.proof().kind(), ProofKind::MutualTls);
    assert!(proof.proof().is_proven());
    assert_eq!(proof.proof().certificate_thumbprint(), Some(&CertThumbprint::of_der(scene.own.der())));
    assert_eq!((proof.proof().key_thumbprint(), proof.proof().jti()), (None, None));
    let renewed = scene.own.renewed("own");
    for (row, certificate, code) in [
        ("MTLS-01 another certificate", Some(&scene.other), "binding.certificate_mismatch"),
        ("MTLS-02 no certificate", None, "binding.certificate_missing"),
        ("MTLS-04 the same key, another certificate", Some(&renewed), "binding.certificate_mismatch"),
    ] {
        scene.connection(&token, certificate).await.is(Expected::Token, row).coded(code, row);
    }
    let challenge = scene.connection(&token, None).await;
    assert!(challenge.challenges()[0].starts_with("Bearer realm="), "ERR-05 D-13 {:?}", challenge.challenges());
    assert!(challenge.challenges()[0].contains("invalid_token") && !challenge.challenges()[1].contains("error="));
}

/// MTLS-03, X-32: and tokens with `jkt` under `DPoP` only.
#[tokio::test]
async fn accepts_certificate_bound_tokens_under_bearer_only() {
    let scene = scene();
    let token = scene.token();
    let mut request = crate::support::request(&token, &scene.api.proof(&token).mint());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    scene.api.send(request).await.is(Expected::Token, "MTLS-03").coded("binding.not_bound_to_proof", "MTLS-03");
    let dpop_bound = scene.api.token().mint();
    scene
        .connection(&dpop_bound, Some(&scene.own))
        .await
        .is(Expected::Token, "X-32 a jkt token over mTLS only")
        .coded("binding.bound_token_as_bearer", "X-32");
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "the twin");
}

/// MTLS-08, X-33, D-17: an attacker cannot choose the weaker binding.
#[tokio::test]
async fn requires_key_and_certificate_when_the_token_names_both() {
    let scene = scene();
    let jkt = scene.api.key.thumbprint().to_string();
    let x5t = CertThumbprint::of_der(scene.own.der()).to_string();
    let token = scene.api.token().claim("cnf", json!({ "jkt": jkt, "x5t#S256": x5t })).mint();
    let send = async |key: &DpopKey, certificate: Option<&TestCertificate>| {
        let proof = proof(key).url(URL).for_token(&token).issued_at(crate::support::NOW).mint();
        let mut request = crate::support::request(&token, &proof);
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        scene.api.send(request).await
    };
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    let answer = send(&scene.api.key, Some(&scene.own)).await.is(Expected::Ok, "MTLS-08 both");
    let verified = answer.token.unwrap();
    assert_eq!(verified.proof().kind(), ProofKind::Dpop);
    assert_eq!(verified.proof().certificate_thumbprint().unwrap().to_string(), x5t);
    for (row, key, certificate, code) in [
        ("the key alone", &scene.api.key, None, "binding.certificate_missing"),
        ("key and another certificate", &scene.api.key, Some(&scene.other), "binding.certificate_mismatch"),
        ("the certificate and another key", &thief, Some(&scene.own), "binding.key_mismatch"),
    ] {
        send(key, certificate).await.is(Expected::Token, &format!("MTLS-08 {row}")).coded(code, row);
    }
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Token, "MTLS-08 the certificate as Bearer");
}

/// CNF-05, CNF-12: it is no proof of anything.
#[tokio::test]
async fn a_certificate_that_the_token_does_not_name_changes_nothing() {
    let scene = scene();
    let token = scene.api.token().mint();
    let mut request = crate::support::request(&token, &scene.api.proof(&token).mint());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    let answer = scene.api.send(request).await.is(Expected::Ok, "a DPoP token over mutual TLS");
    assert_eq!(answer.token.unwrap().proof().certificate_thumbprint(), None);
    let unbound = scene.api.token().without("cnf").mint();
    scene
        .connection(&unbound, Some(&scene.own))
        .await
        .is(Expected::Token, "CNF-12 an unbound token over mutual TLS")
        .coded("confirmation.missing", "CNF-12");
}

/// MTLS-05, MTLS-06, X-55: hex, padding, other alphabets and stray bits.
#[tokio::test]
async fn rejects_other_encodings_of_the_thumbprint() {
    let scene = scene();
    let right = CertThumbprint::of_der(scene.own.der()).to_string();
    let bytes = *CertThumbprint::of_der(scene.own.der()).as_bytes();
    for (row, value) in [
        ("hex", hash(&scene.own)),
        ("padded", format!("{right}=")),
        ("standard base64", encode_standard(bytes)),
        ("a space", format!(" {right}")),
        ("RFC 8705 figure 2, not canonical", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2".to_owned()),
    ] {
        let token = scene.api.token().claim("cnf", json!({ "x5t#S256": value })).mint();
        scene.connection(&token, Some(&scene.own)).await.is(Expected::Token, &format!("MTLS-05 MTLS-06 {row}"));
    }
    let token = scene.api.token().claim("cnf", json!({ "x5t#S256": right })).mint();
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "the twin");
}

/// MTLS-16: any bytes have a thumbprint, and nothing in them is interpreted.
#[tokio::test]
async fn hashes_certificates_and_never_parses_them() {
    let scene = scene();
    for der in [&b""[..], b"0", b"garbage", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0; 65_536]] {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerCertificate::from_der(der));
        scene.api.send(request).await.is(Expected::Token, "MTLS-16");
    }
    let behind = behind("client-cert");
    let garbage = format!(":{}:", encode_standard(b"garbage"));
    behind.proxied(PROXY, "client-cert", &[&garbage]).await.is(Expected::Token, "MTLS-16 in a header");

    // The TLS server verified it. A token that is bound to these bytes is satisfied by these bytes.
    let bound = scene.api.token().bound_to_certificate(b"garbage").mint();
    let mut request = bearer(&bound);
    request.extensions_mut().insert(PeerCertificate::from_der(&b"garbage"[..]));
    scene.api.send(request).await.is(Expected::Ok, "MTLS-16 the twin");
    let mut request = bearer(&behind.api.token().bound_to_certificate(b"garbage").mint());
    request.extensions_mut().insert(PeerAddress(PROXY));
    request.headers_mut().insert("client-cert", garbage.parse().unwrap());
    behind.api.send(request).await.is(Expected::Ok, "MTLS-16 the twin in a header");
}

#[tokio::test]
async fn every_mode_applies_to_certificate_bound_tokens() {
    for mode in [Mode::Required, Mode::Optional, Mode::AllowBearer] {
        let scene = scene_with(|builder| builder.mode(mode).client_certificates(ClientCertificates::from_connection()));
        scene.connection(&scene.token(), Some(&scene.own)).await.is(Expected::Ok, &format!("{mode:?}"));
        scene.connection(&scene.token(), None).await.is(Expected::Token, &format!("{mode:?}"));
    }
    let scene =
        scene_with(|builder| builder.mode(Mode::ReportOnly).client_certificates(ClientCertificates::from_connection()));
    let answer = scene.connection(&scene.token(), None).await.is(Expected::Ok, "ReportOnly passes and says so");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
    let fapi =
        scene_with(|builder| builder.preset(Preset::Fapi2).client_certificates(ClientCertificates::from_connection()));
    fapi.connection(&fapi.token(), Some(&fapi.own)).await.is(Expected::Ok, "FAPI 2.0 allows mutual TLS");
}

#[tokio::test]
async fn nested_layers_accept_one_certificate() {
    let scene = scene();
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(http::Response::new(String::new())) });
    let layer = PopLayer::new(scene.api.cfg.clone());
    let mut request = bearer(&scene.token());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    let response = layer.layer(layer.layer(inner)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}
