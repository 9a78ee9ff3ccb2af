//! Requests for tokens that are bound in other ways than by DPoP, against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use axum::Json;
use axum::response::{IntoResponse, Response};
use pop_client::{
    Algorithm, BoundToken, ClientAuthentication, ClientCertificate, ClientError, DpopKey, Endpoints, KeyEncryptionKeys,
    OptionsError, ProofMethod, SharedKey, TokenBinding, TokenClient, TokenRequestKey, TokenResponse,
};
use pop_core::content::content_digest;
use pop_core::jose::{JsonLimits, Object, Recipient, decode, encode};
use serde_json::{Value, json};

use support::key;
use support::script::{Seen, seen, server, token};

/// A client whose next responses are scripted.
async fn client(
    binding: TokenBinding,
    keys: Option<KeyEncryptionKeys>,
    answers: Vec<Response>,
) -> (TokenClient, support::script::Script) {
    let (url, script) = server(answers).await;
    let mut builder = TokenClient::builder(&url, "app").endpoints(Endpoints::new(format!("{url}/token")));
    if let Some(keys) = keys {
        builder = builder.decryption_keys(keys);
    }
    (builder.binding(binding).build(key()).await.unwrap(), script)
}

fn parameter(seen: &Seen, name: &str) -> Option<String> {
    form_urlencoded::parse(&seen.body).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

fn with_cnf(cnf: &Value) -> Response {
    Json(json!({ "access_token": "at", "token_type": "PoP", "cnf": cnf })).into_response()
}

fn kek(kid: &str) -> Value {
    json!({ "kty": "oct", "kid": kid, "alg": "A256KW", "k": encode([9; 32]) })
}

fn encrypted(jwk: &Value, content: &str) -> Value {
    let jwk = jwk.to_string();
    let recipient = Recipient::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
    json!({ "jwe": recipient.encrypt(content.as_bytes(), pop_core::jose::ContentEncryption::A256Gcm).unwrap() })
}

fn oct(bytes: &[u8]) -> Value {
    json!({ "kty": "oct", "k": encode(bytes), "alg": "HS256" })
}

/// AS-15, AS-23, D-15: and shows possession of the key by a proof in the same request.
#[tokio::test]
async fn names_the_token_type_and_the_key_of_a_binding() {
    for (binding, token_type, cnf, response) in [
        (TokenBinding::Dpop, None, None, token("DPoP")),
        (TokenBinding::HttpSig, Some("httpsig"), Some("jwk"), token("httpsig")),
        (TokenBinding::Pop, Some("pop"), Some("jwk"), token("PoP")),
        (TokenBinding::PopThumbprint, Some("pop"), Some("kid"), token("pop")),
        (TokenBinding::SharedKey, Some("pop"), None, with_cnf(&json!({ "jwk": oct(&[7; 32]) }))),
    ] {
        let (client, script) = client(binding, None, vec![response]).await;
        let token = client.client_credentials(Some("a"), Some("https://api.example")).await.unwrap();
        let seen = &seen(&script)[0];
        assert_eq!(parameter(seen, "token_type").as_deref(), token_type, "{binding:?}");
        assert_eq!(parameter(seen, "resource").as_deref(), Some("https://api.example"), "{binding:?}");
        let proven = seen.proof().0["jwk"].clone();
        assert_eq!(proven, client.key().public_jwk(), "AS-15 {binding:?}");
        let req_cnf = parameter(seen, "req_cnf");
        let expected = cnf.map(|name| match name {
            "jwk" => json!({ "jwk": proven }),
            _ => json!({ "kid": client.key().thumbprint().to_string() }),
        });
        let sent = req_cnf.map(|text| serde_json::from_slice::<Value>(&decode(&text).unwrap()).unwrap());
        assert_eq!(sent, expected, "D-15 {binding:?}");
        let bound = client.bound_token(&token).unwrap();
        assert_eq!((bound.access_token(), bound.proof().binding()), ("at", binding));
        assert!(!format!("{bound:?} {token:?}").contains("\"at\""), "CLI-11");
    }
}

/// AS-23: instead of a DPoP proof with `req_cnf`. The server is told the key, or knows it by its `keyid`.
#[tokio::test]
async fn a_signed_token_request_names_the_key_in_its_signature() {
    for (named, present, absent) in [
        (TokenRequestKey::InRequest, &[";alg=\"ecdsa-p256-sha256\"", ";pub=:B"][..], &[";keyid="][..]),
        (TokenRequestKey::Registered("k 1".to_owned()), &[";keyid=\"k 1\""], &[";alg=", ";pub="]),
    ] {
        let (url, script) = server(vec![token("httpsig"), token("DPoP"), token("httpsig")]).await;
        let builder = TokenClient::builder(&url, "app").endpoints(Endpoints::new(format!("{url}/token?a=1")));
        let builder = builder.authentication(ClientAuthentication::SecretBasic("s".to_owned()));
        let builder = builder.binding(TokenBinding::HttpSig).sign_token_requests(named);
        let client = builder.build(key()).await.unwrap();
        let issued = client.client_credentials(Some("a"), None).await.unwrap();
        assert_eq!(client.bound_token(&issued).unwrap().proof().binding(), TokenBinding::HttpSig);
        let error = client.client_credentials(None, None).await.unwrap_err();
        assert!(matches!(error, ClientError::TokenType), "CLI-04 a server that does not know such signatures");
        client.refresh("r").await.unwrap();
        let seen = seen(&script);
        let field = |at: usize, name: &str| seen[at].headers[name].to_str().unwrap().to_owned();
        for (at, request) in seen.iter().enumerate() {
            let input = field(at, "signature-input");
            let components = "(\"@method\" \"@target-uri\" \"authorization\" \"content-digest\")";
            assert!(input.starts_with(&format!("token={components};created=")), "AS-23 {input}");
            assert!(
                input.contains(";nonce=") && input.contains(";tag=\"httpsig-oauth-token-request\""),
                "AS-23 {input}"
            );
            assert!(present.iter().all(|name| input.contains(name)), "AS-23 {input}");
            assert!(!absent.iter().any(|name| input.contains(name)), "AS-23 {input}");
            assert_eq!(field(at, "content-digest").as_bytes(), content_digest(&request.body).as_bytes(), "AS-23");
            let others = (parameter(request, "token_type"), parameter(request, "req_cnf"), request.headers.get("dpop"));
            assert_eq!(others, (None, None, None), "AS-23 the signature is enough");
        }
        assert_ne!(field(0, "signature-input"), field(2, "signature-input"), "CLI-01 each request has its own nonce");
    }
}

/// CLI-04, D-14: compared without case.
#[tokio::test]
async fn rejects_a_token_of_another_type_than_that_of_the_binding() {
    for (binding, token_type, accepted) in [
        (TokenBinding::HttpSig, "HTTPSIG", true),
        (TokenBinding::HttpSig, "DPoP", false),
        (TokenBinding::HttpSig, "PoP", false),
        (TokenBinding::Pop, "pop", true),
        (TokenBinding::Pop, "POP", true),
        (TokenBinding::Pop, "Bearer", false),
        (TokenBinding::Pop, "httpsig", false),
        (TokenBinding::Dpop, "PoP", false),
    ] {
        let (client, _) = client(binding, None, vec![token(token_type)]).await;
        match client.client_credentials(None, None).await {
            Ok(_) => assert!(accepted, "CLI-04 {binding:?} {token_type}"),
            Err(error) => {
                assert!(
                    !accepted && matches!(error, ClientError::TokenType),
                    "CLI-04 {binding:?} {token_type} {error}"
                );
            }
        }
    }
}

/// CLI-17, SYM-04, SYM-05, AS-17: as JWK or JWE, and never without one.
#[tokio::test]
async fn reads_the_symmetric_key_of_a_token_response_strictly() {
    let own = || Some(KeyEncryptionKeys::parse(json!({ "keys": [kek("own")] }).to_string().as_bytes()).unwrap());
    let good = oct(&[7; 32]);
    let mut other_alg = good.clone();
    other_alg["alg"] = "A128KW".into();
    let tampered = {
        let jwe = encrypted(&kek("own"), &good.to_string())["jwe"].as_str().unwrap().to_owned();
        let (rest, tag) = jwe.rsplit_once('.').unwrap();
        json!({ "jwe": format!("{rest}.{}", if tag.starts_with('A') { tag.replacen('A', "B", 1) } else { format!("A{}", &tag[1..]) }) })
    };
    for (row, cnf, keys, accepted) in [
        ("JWK", json!({ "jwk": good }), None, true),
        ("JWK beside keys", json!({ "jwk": good }), own(), true),
        ("JWE", encrypted(&kek("own"), &good.to_string()), own(), true),
        ("JWE without keys", encrypted(&kek("own"), &good.to_string()), None, false),
        ("JWE for another key", encrypted(&kek("other"), &good.to_string()), own(), false),
        ("tampered JWE", tampered, own(), false),
        ("SYM-05 short", json!({ "jwk": oct(&[7; 16]) }), None, false),
        ("SYM-05 short in a JWE", encrypted(&kek("own"), &oct(&[7; 16]).to_string()), own(), false),
        ("SYM-04 another algorithm", json!({ "jwk": other_alg }), None, false),
        ("SYM-10 a public key", json!({ "jwk": key().public_jwk() }), None, false),
        ("the draft's broken form", json!({ "keys": [good] }), None, false),
        ("AS-17 none", json!({}), None, false),
    ] {
        let (client, _) = client(TokenBinding::SharedKey, keys, vec![with_cnf(&cnf)]).await;
        match client.client_credentials(None, Some("https://api.example")).await {
            Ok(token) => {
                assert!(accepted, "CLI-17 {row}");
                let bound = client.bound_token(&token).unwrap();
                let ProofMethod::SharedKey(key) = bound.proof() else { panic!("{bound:?}") };
                assert!(key.verify(b"message", &SharedKey::new([7; 32]).unwrap().sign(b"message")), "CLI-17 {row}");
                assert!(
                    !format!("{bound:?} {token:?} {:?}", token.members()).contains(&encode([7; 32])),
                    "CLI-11 {row}"
                );
            }
            Err(error) => assert!(!accepted && matches!(error, ClientError::Response(_)), "CLI-17 {row} {error}"),
        }
    }
}

/// CLI-17: from a response that the application kept.
#[tokio::test]
async fn a_kept_response_still_has_its_symmetric_key() {
    let keys = KeyEncryptionKeys::parse(json!({ "keys": [kek("own")] }).to_string().as_bytes()).unwrap();
    let (client, _) = client(TokenBinding::SharedKey, Some(keys), vec![]).await;
    let kept = |cnf: Value| -> TokenResponse {
        serde_json::from_value(json!({ "access_token": "at", "token_type": "PoP", "cnf": cnf })).unwrap()
    };
    let jwk = oct(&[7; 32]);
    for cnf in [json!({ "jwk": jwk }), encrypted(&kek("own"), &jwk.to_string())] {
        assert_eq!(client.bound_token(&kept(cnf)).unwrap().proof().scheme(), "PoP", "CLI-17");
    }
    assert!(matches!(client.bound_token(&kept(json!({}))), Err(ClientError::Response(_))), "CLI-17");
    // Other members of `cnf` stay readable.
    assert!(kept(json!({ "jwk": key().public_jwk() })).member("cnf").is_some());
}

/// Options that would have no effect are errors.
#[tokio::test]
async fn certificate_bound_clients_have_no_other_binding() {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let certificate = ClientCertificate::from_pem(&cert.pem(), &signing_key.serialize_pem()).unwrap();
    let keys = KeyEncryptionKeys::parse(json!({ "keys": [kek("own")] }).to_string().as_bytes()).unwrap();
    let builder = || {
        let endpoints = Endpoints::new("https://as.example/token");
        TokenClient::builder("https://as.example", "app").endpoints(endpoints).certificate(certificate.clone())
    };
    builder().build_certificate_bound().await.unwrap();
    for (option, builder) in
        [("binding", builder().binding(TokenBinding::Pop)), ("decryption_keys", builder().decryption_keys(keys))]
    {
        let rejected = builder.build_certificate_bound().await.map(drop);
        let expected = OptionsError::NoEffect { option };
        assert!(matches!(rejected, Err(ClientError::Options(error)) if error == expected), "{option}");
    }
}

#[test]
fn a_bound_token_names_its_scheme() {
    let key = || DpopKey::generate(Algorithm::Ed25519).unwrap();
    let shared = std::sync::Arc::new(SharedKey::new([7; 32]).unwrap());
    for (proof, scheme, binding) in [
        (ProofMethod::Dpop(key()), "DPoP", TokenBinding::Dpop),
        (ProofMethod::HttpSig(key()), "HTTPSig", TokenBinding::HttpSig),
        (ProofMethod::Pop(key()), "PoP", TokenBinding::Pop),
        (ProofMethod::PopThumbprint(key()), "PoP", TokenBinding::PopThumbprint),
        (ProofMethod::SharedKey(shared), "PoP", TokenBinding::SharedKey),
    ] {
        let token = BoundToken::new("at", proof);
        assert_eq!((token.proof().scheme(), token.proof().binding()), (scheme, binding));
    }
}
