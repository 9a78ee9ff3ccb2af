//! Tokens that are bound to a key of ML-DSA: by its thumbprint, and by the key itself.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use pop_authserver::{Algorithm, DpopKey};
use pop_client::{Envelope, RequestSignature, ResponseVerifier};
use pop_core::SignatureError;
use pop_core::jose::RsaLimits;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::proof::message_signature::{SignError, SignatureParameters, SignatureProfile, sign};
use pop_core::proof::{ClientKeysError, StaticClientKeys};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::{Value, json};
use tower_pop::ProofKind;

use super::{ALL, api_for_proofs};
use crate::signed::{Resource, URL};
use crate::support::{AUDIENCE, Expected, NOW, proof_for};

/// DPOP-27, DPOP-44: the thumbprint in the token is that of the key of the proof.
#[tokio::test]
async fn a_token_is_bound_to_its_key() {
    for algorithm in ALL {
        let api = api_for_proofs(algorithm, |builder| builder);
        let other = DpopKey::generate(algorithm).unwrap();
        let token = api.token().mint();
        let stolen = api.with(&token, &proof_for(&other, &token)).await.is(Expected::Token, "another key");
        stolen.coded("binding.key_mismatch", algorithm.name());
        api.with_token(&token).await.is(Expected::Ok, "the twin");
        let by_key = api.token().without("cnf").claim("cnf", json!({ "jwk": api.key.public_jwk() })).mint();
        api.with_token(&by_key).await.is(Expected::Token, "CNF-07: DPoP asks for a thumbprint");
    }
}

fn resource(kind: ProofKind) -> Resource {
    let mut resource =
        Resource::new(|builder| builder.crypto_backend(CryptoBackend::AwsLcRs).proof_algorithms(ALL).proofs([kind]));
    resource.key = DpopKey::generate(Algorithm::MlDsa65).unwrap();
    resource
}

fn request(scheme: &str, credentials: &str) -> http::request::Builder {
    Request::get("/notes?a=1&b=2").header(AUTHORIZATION, format!("{scheme} {credentials}"))
}

/// SHR-01, SHR-03, CNF-07: an envelope, with the key in the token and with its thumbprint in the token.
#[tokio::test]
async fn envelopes_prove_the_key_in_the_token() {
    for algorithm in ALL {
        let mut resource = resource(ProofKind::SignedRequest);
        resource.key = DpopKey::generate(algorithm).unwrap();
        let other = DpopKey::generate(algorithm).unwrap();
        let jwk = resource.key.public_jwk();
        for cnf in [json!({ "jwk": jwk }), json!({ "kid": resource.key.thumbprint().to_string() })] {
            let token = resource.token(cnf.clone());
            let envelope = |key| Envelope::new("GET", URL, &token).issued_at(NOW).embed_key().sign(key).unwrap();
            let send = async |envelope: &str| {
                resource.send(request("PoP", envelope).body(Full::<Bytes>::default()).unwrap()).await
            };
            send(&envelope(&resource.key)).await.accepted("", algorithm.name());
            send(&envelope(&other)).await.rejected("PoP ", "invalid_token", "another key");
            let mut altered = envelope(&resource.key);
            let at = altered.rfind('.').unwrap() + 1;
            altered.replace_range(at..=at, if altered.as_bytes()[at] == b'A' { "B" } else { "A" });
            send(&altered).await.rejected("PoP ", "invalid_proof", "altered");
        }
    }
}

/// CNF-07, DPOP-07, X-05: a confirmation that is not a public key.
#[tokio::test]
async fn rejects_a_confirmation_whose_key_is_malformed() {
    let resource = resource(ProofKind::SignedRequest);
    let private: Value = serde_json::from_str(&resource.key.to_ml_dsa_jwk().unwrap()).unwrap();
    let public = resource.key.public_jwk();
    let mut rows = vec![("private", private)];
    for (row, name, value) in [
        ("null", "priv", json!(null)),
        ("no alg", "alg", json!(null)),
        ("another alg", "alg", json!("ML-DSA-44")),
        ("short", "pub", json!("AAAA")),
    ] {
        let mut jwk = public.clone();
        jwk[name] = value;
        rows.push((row, jwk));
    }
    for (row, jwk) in rows {
        let token = resource.token(json!({ "jwk": jwk }));
        let envelope = Envelope::new("GET", URL, &token).issued_at(NOW).sign(&resource.key).unwrap();
        let request = request("PoP", &envelope).body(Full::default()).unwrap();
        resource.send(request).await.rejected("PoP ", "invalid_token", row);
    }
    let token = resource.token(json!({ "jwk": public }));
    let envelope = Envelope::new("GET", URL, &token).issued_at(NOW).sign(&resource.key).unwrap();
    resource.send(request("PoP", &envelope).body(Full::default()).unwrap()).await.accepted("", "the twin");
}

/// SIG-14: keys that clients and servers registered for message signatures.
#[test]
fn registered_signature_keys_are_not_of_ml_dsa() {
    for (key, is_accepted) in
        [(DpopKey::generate(Algorithm::ES256).unwrap(), true), (DpopKey::generate(Algorithm::MlDsa44).unwrap(), false)]
    {
        let mut jwk = key.public_jwk();
        jwk["alg"] = key.algorithm().name().into();
        assert_eq!(ResponseVerifier::new(&jwk).is_ok(), is_accepted);
        jwk["kid"] = "1".into();
        let keys = json!({ "app": { "keys": [jwk] } }).to_string();
        let parsed = StaticClientKeys::parse(keys.as_bytes(), RsaLimits::default(), CryptoBackend::AwsLcRs);
        match parsed {
            Ok(_) => assert!(is_accepted),
            Err(ClientKeysError::Key { problem, .. }) => {
                assert_eq!((problem, is_accepted), ("ML-DSA, which message signatures do not have", false));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// SIG-14, SIG-15: HTTP message signatures do not have ML-DSA. Our client does not make such a signature, and the resource
/// rejects one that is made by hand.
#[tokio::test]
async fn message_signatures_do_not_have_ml_dsa() {
    let resource = resource(ProofKind::HttpSig);
    let elliptic = DpopKey::generate(Algorithm::ES256).unwrap();
    let origin = Origin::parse(AUDIENCE).unwrap();
    for (key, is_accepted) in [(&resource.key, false), (&elliptic, true)] {
        let mut jwk = key.public_jwk();
        jwk["alg"] = key.algorithm().name().into();
        let token = resource.token(json!({ "jwk": jwk }));
        let mut request = request("HTTPSig", &token).body(Full::<Bytes>::default()).unwrap();
        let parameters = SignatureParameters::of(SignatureProfile::HttpSig, NOW).nonce("n-0S6_WzA2Mj");
        let head = RequestHead::new("GET", &origin, "/notes?a=1&b=2", request.headers(), NOW);
        let components = ["@method", "@target-uri", "authorization"];
        let (input, signature) = sign(&head, "sig", &components, &parameters, |base| key.sign(base)).unwrap();
        let ours =
            RequestSignature::new(SignatureProfile::HttpSig).sign("GET", URL, &mut request.headers().clone(), key);
        assert_eq!(ours.err(), (!is_accepted).then_some(SignError::Request(SignatureError::Algorithm)));
        request.headers_mut().insert("signature-input", input);
        request.headers_mut().insert("signature", signature);
        let answer = resource.send(request).await;
        if is_accepted {
            answer.accepted("", "the twin");
        } else {
            answer.rejected("HTTPSig ", "invalid_token", "SIG-14");
        }
    }
}
