//! Every way to bind a token, under every scheme.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use pop_authserver::{TestCertificate, proof};
use pop_client::Envelope;
use pop_core::jose::SharedKey;
use pop_core::proof::message_signature::SignatureProfile;
use serde_json::{Value, json};
use tower_pop::{ClientCertificates, Mode, PeerCertificate, ProofKind};

use super::Resource;
use super::hmac::{KEY, key_encryption_keys, wrapped_key};
use super::message::Draft;
use crate::support::NOW;

const ALL: [&str; 7] = ["dpop", "httpsig", "envelope", "HS256 envelope", "hmac", "mtls", "bearer"];

/// A request with a token, proven in one way. The client holds all keys.
fn request(resource: &Resource, way: &str, token: &str, certificate: &TestCertificate) -> Request<Full<Bytes>> {
    let plain = |authorization: String| {
        Request::get("/notes?a=1").header(AUTHORIZATION, authorization).body(Full::<Bytes>::default()).unwrap()
    };
    let envelope = Envelope::new("GET", "https://api.example/notes?a=1", token).issued_at(NOW);
    let shared = SharedKey::new(KEY).unwrap();
    match way {
        "dpop" => {
            let proof = proof(&resource.key).url("https://api.example/notes").for_token(token).issued_at(NOW);
            let mut request = plain(format!("DPoP {token}"));
            request.headers_mut().insert("dpop", proof.mint().parse().unwrap());
            request
        }
        "httpsig" => Draft::new(SignatureProfile::HttpSig, "HTTPSig", token, "", &resource.key).sign(),
        "envelope" => plain(format!("PoP {}", envelope.embed_key().sign(&resource.key).unwrap())),
        "HS256 envelope" => plain(format!("PoP {}", envelope.sign(&shared).unwrap())),
        "hmac" => Draft::new(SignatureProfile::Hmac, "PoP", token, "", &resource.key)
            .sign_with("sig1", |base| shared.sign(base).to_vec()),
        "mtls" => {
            let mut request = plain(format!("Bearer {token}"));
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
            request
        }
        _ => plain(format!("Bearer {token}")),
    }
}

/// CNF-05, SHR-14, SIG-03, SYM-07, X-29, X-32, X-33: each token is accepted in the ways that it asks for, and in no other, also where
/// unbound tokens are accepted.
#[tokio::test]
async fn a_token_is_accepted_in_the_ways_that_its_confirmation_asks_for_only() {
    for mode in [Mode::Required, Mode::Optional, Mode::AllowBearer] {
        let resource = Resource::new(|builder| {
            builder
                .proofs([ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac])
                .key_encryption_keys(key_encryption_keys(&[1]))
                .client_certificates(ClientCertificates::from_connection())
                .mode(mode)
        });
        let certificate = TestCertificate::self_signed("client");
        let thumbprint = resource.key.thumbprint().to_string();
        let x5t = tower_pop::CertThumbprint::of_der(certificate.der()).to_string();
        let both = json!({ "jwk": resource.jwk(), "x5t#S256": x5t });
        let cases: [(Value, &[&str]); 8] = [
            (json!({ "jkt": thumbprint }), &["dpop"]),
            (json!({ "jwk": resource.jwk() }), &["httpsig", "envelope"]),
            (json!({ "kid": thumbprint }), &["envelope"]),
            (json!({ "jwe": wrapped_key(1) }), &["HS256 envelope", "hmac"]),
            (json!({ "x5t#S256": x5t }), &["mtls"]),
            (both, &[]),
            (json!({ "jkt": thumbprint, "jwk": resource.jwk() }), &[]),
            (json!({ "jkt": thumbprint, "x5t#S256": x5t }), &[]),
        ];
        for (cnf, ways) in cases {
            for way in ALL {
                let token = resource.token(cnf.clone());
                let answer = resource.send(request(&resource, way, &token, &certificate)).await;
                let row = format!(
                    "{mode:?} {way} {}",
                    cnf.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
                );
                if ways.contains(&way) {
                    answer.accepted("", &row);
                } else {
                    answer.rejected("", "invalid_token", &row);
                }
            }
        }
    }
}

/// CNF-05, D-17: a token that is bound to a key and a certificate needs both.
#[tokio::test]
async fn a_token_that_is_bound_to_a_key_and_a_certificate_needs_both() {
    let resource = Resource::new(|builder| {
        builder.proofs([ProofKind::HttpSig]).client_certificates(ClientCertificates::from_connection())
    });
    let certificate = TestCertificate::self_signed("client");
    let x5t = tower_pop::CertThumbprint::of_der(certificate.der()).to_string();
    let token = resource.token(json!({ "jwk": resource.jwk(), "x5t#S256": x5t }));
    for with_certificate in [false, true] {
        let mut signed = request(&resource, "httpsig", &token, &certificate);
        if with_certificate {
            signed.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
            let verified = resource.send(signed).await.accepted("", "both").token.unwrap();
            assert!(verified.proof().certificate_thumbprint().is_some());
        } else {
            resource.send(signed).await.rejected("HTTPSig ", "invalid_token", "no certificate");
        }
    }
}
