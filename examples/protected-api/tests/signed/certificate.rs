//! Certificate-bound tokens with a message signature in addition.

use http::Method;
use pop_authserver::{Algorithm, DpopKey, TestCertificate};
use pop_client::ClientCertificate;
use pop_core::proof::SignatureProfile;
use serde_json::json;

use crate::support::Files;
use crate::{Api, CONTENT, Draft};

/// SIG-26, MTLS-01: with a key that the client registered, because there is no DPoP key.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_in_addition_to_a_certificate_is_by_a_registered_key() {
    let files = Files::new("certificate");
    let (own, client) = (TestCertificate::self_signed("127.0.0.1"), TestCertificate::self_signed("client"));
    let (cert, key) = (files.write("cert.pem", own.pem()), files.write("key.pem", own.key_pem()));
    let registered = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let mut jwk = registered.public_jwk();
    (jwk["kid"], jwk["alg"]) = (json!("own"), json!("Ed25519"));
    let keys = files.write("clients.json", json!({ "app": { "keys": [jwk] } }).to_string());
    let tls = ["--tls-cert", &cert, "--tls-key", &key, "--client-cert-any"];
    let more = ["--message-signature", "required", "--client-keys", &keys];
    let api = Api::start("mtls", "dpop,mtls", &[&tls[..], &more[..]].concat());
    let token = api.token().bound_to_certificate(client.der()).mint();
    let identity = ClientCertificate::from_pem(&client.pem(), &client.key_pem()).unwrap().trust(&own.pem()).unwrap();
    let http = pop_client::MtlsClient::new(identity, &token).unwrap();
    let signed = |keyid, key: &DpopKey, content: &'static str| {
        let request = api.request(Method::POST, "/whoami?a=1", CONTENT);
        let mut draft = Draft::new(SignatureProfile::Request, "Bearer", &token, request);
        draft.parameters.keyid = keyid;
        let mut request = draft.sign(|_| {}, |base| key.sign(base).unwrap());
        *request.body_mut() = Some(content.into());
        request
    };
    let other = DpopKey::generate(Algorithm::Ed25519).unwrap();
    for (row, request, accepted) in [
        ("signed", signed(Some("own"), &registered, CONTENT), true),
        ("no keyid", signed(None, &registered, CONTENT), false),
        ("another key", signed(Some("own"), &other, CONTENT), false),
        ("content changed", signed(Some("own"), &registered, "other"), false),
        ("no signature", api.request(Method::POST, "/whoami?a=1", CONTENT), false),
    ] {
        let mut call = http.request(Method::POST, request.url().as_str()).unwrap();
        for (name, value) in request.headers().iter().filter(|(name, _)| *name != "authorization") {
            call = call.header(name, value);
        }
        let response = call.body(crate::content(&request).to_vec()).send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").map(|line| line.to_str().unwrap().to_owned());
        assert_eq!(response.status(), if accepted { 200 } else { 401 }, "{row}: {challenge:?}");
        if accepted {
            let proof = response.json::<serde_json::Value>().await.unwrap()["proof"].clone();
            let covered = json!(["@method", "@target-uri", "authorization", "content-digest"]);
            assert_eq!((&proof["kind"], &proof["covered"]), (&json!("mtls"), &covered), "{row}");
        } else {
            let challenge = challenge.unwrap();
            assert!(challenge.starts_with("Bearer ") && challenge.contains("invalid_signature"), "{row}: {challenge}");
        }
    }
}
