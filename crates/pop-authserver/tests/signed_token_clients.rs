//! The client that signs its token requests (draft-richer-oauth-httpsig), at the server.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate};
use pop_client::{
    ClientAuthentication, ClientCertificate, ClientError, OptionsError, TokenBinding, TokenClient, TokenRequestKey,
};
use pop_core::jose::CertThumbprint;
use serde_json::json;

use support::claims;
use support::signed::{jwks, key, public_jwk};

async fn client(server: &TestAuthServer, id: &str, key: &DpopKey, named: TokenRequestKey) -> TokenClient {
    let builder = TokenClient::builder(server.issuer(), id).binding(TokenBinding::HttpSig);
    builder.sign_token_requests(named).build(key.clone()).await.unwrap()
}

/// AS-07, AS-08, AS-23: a code and a refresh token are bound to the key that signs.
#[tokio::test]
async fn codes_and_refresh_tokens_of_signed_requests_are_bound_to_the_key() {
    let own = key(Algorithm::Ed25519);
    let registered = Client::public("registered").redirect_uri("http://127.0.0.1/callback");
    let builder = TestAuthServer::defaults().client(registered.signature_keys(&jwks(&[("k", &own)])).unwrap());
    let server = TestAuthServer::start_with(builder).await;
    for (id, named) in
        [("app", TokenRequestKey::InRequest), ("registered", TokenRequestKey::Registered("k".to_owned()))]
    {
        let client = client(&server, id, &own, named).await;
        let thief = self::client(&server, id, &key(Algorithm::Ed25519), TokenRequestKey::InRequest).await;
        let refused = |result: Result<_, ClientError>| match result {
            Err(ClientError::OAuth { code, .. }) => code,
            Err(error) => panic!("{error}"),
            Ok(_) => "accepted".to_owned(),
        };
        for is_pushed in [false, true] {
            let row = format!("{id} {is_pushed}");
            let authorize = async || {
                let request = client.authorize("http://127.0.0.1/callback", None, None).unwrap();
                let request = if is_pushed { client.push(request).await.unwrap() } else { request };
                let response = support::get(request.url.as_str()).await;
                (request, response.headers()["location"].to_str().unwrap().to_owned())
            };
            let (request, back) = authorize().await;
            assert_eq!(refused(thief.exchange(&request, &back).await), "invalid_grant", "AS-08 {row}");
            let (request, back) = authorize().await;
            let token = client.exchange(&request, &back).await.unwrap();
            assert_eq!(claims(&token.access_token)["cnf"], json!({ "jwk": public_jwk(&own) }), "AS-23 {row}");
            let refresh = token.refresh_token.unwrap();
            assert_eq!(refused(thief.refresh(&refresh).await), "invalid_grant", "AS-07 {row}");
            let renewed = client.refresh(&refresh).await.unwrap();
            assert_eq!(claims(&renewed.access_token)["cnf"], json!({ "jwk": public_jwk(&own) }), "AS-23 {row}");
        }
    }
}

/// AS-23: at every kind of client authentication that the client knows.
#[tokio::test]
async fn the_client_signs_what_authenticates_it() {
    let (own, assertion_key) = (key(Algorithm::ES256), key(Algorithm::ES256));
    let signer = Client::private_key_jwt("signer", &assertion_key.public_jwk(), Algorithm::ES256).unwrap();
    let builder = TestAuthServer::defaults().require_nonce().client(signer);
    let server = TestAuthServer::start_with(builder.client(Client::confidential("worker", "secret"))).await;
    for (id, authentication) in [
        ("app", ClientAuthentication::None),
        ("worker", ClientAuthentication::SecretBasic("secret".to_owned())),
        ("worker", ClientAuthentication::SecretPost("secret".to_owned())),
        ("signer", ClientAuthentication::PrivateKeyJwt(assertion_key)),
    ] {
        let builder = TokenClient::builder(server.issuer(), id).authentication(authentication.clone());
        let builder = builder.binding(TokenBinding::HttpSig).sign_token_requests(TokenRequestKey::InRequest);
        let client = builder.build(own.clone()).await.unwrap();
        for _ in 0..2 {
            let token = client.client_credentials(None, None).await.unwrap();
            let cnf = &claims(&token.access_token)["cnf"];
            assert_eq!(cnf, &json!({ "jwk": public_jwk(&own) }), "AS-23 {authentication:?}");
        }
    }
}

/// AS-12, AS-23: the signature names the URL of the endpoint for mutual TLS. The token is bound to key and certificate.
#[tokio::test]
async fn token_requests_can_be_signed_over_mutual_tls() {
    let certificate = TestCertificate::self_signed("own");
    let known = Client::self_signed_tls("known", certificate.der()).certificate_bound_access_tokens();
    let server = TestAuthServer::start_with(TestAuthServer::defaults().mutual_tls().client(known)).await;
    let own = key(Algorithm::Ed25519);
    let shown = ClientCertificate::from_pem(&certificate.pem(), &certificate.key_pem()).unwrap();
    let shown = shown.trust(server.tls_certificate_pem().unwrap()).unwrap();
    let builder = TokenClient::builder(server.issuer(), "known").authentication(ClientAuthentication::TlsCertificate);
    let builder = builder.binding(TokenBinding::HttpSig).sign_token_requests(TokenRequestKey::InRequest);
    let client = builder.certificate(shown).build(own.clone()).await.unwrap();
    let token = client.client_credentials(None, None).await.unwrap();
    let x5t = CertThumbprint::of_der(certificate.der()).to_string();
    let cnf = &claims(&token.access_token)["cnf"];
    assert_eq!(cnf, &json!({ "jwk": public_jwk(&own), "x5t#S256": x5t }), "AS-23");
}

/// AS-23: the option of the client needs the binding, and a key that can be in a signature.
#[tokio::test]
async fn rejects_signed_token_requests_when_key_or_binding_do_not_fit() {
    let server = TestAuthServer::start().await;
    let build = async |binding, algorithm, named| {
        let builder = TokenClient::builder(server.issuer(), "app").binding(binding).sign_token_requests(named);
        builder.build(key(algorithm)).await
    };
    let registered = || TokenRequestKey::Registered("k".to_owned());
    build(TokenBinding::HttpSig, Algorithm::ES256, TokenRequestKey::InRequest).await.unwrap();
    build(TokenBinding::HttpSig, Algorithm::PS512, registered()).await.unwrap();
    let error = build(TokenBinding::HttpSig, Algorithm::PS512, TokenRequestKey::InRequest).await.unwrap_err();
    assert!(matches!(error, ClientError::Signature(_)), "AS-23 {error}");
    for binding in [TokenBinding::Dpop, TokenBinding::Pop, TokenBinding::SharedKey] {
        let error = build(binding, Algorithm::ES256, registered()).await.unwrap_err();
        let expected = OptionsError::NotHttpSig { option: "sign_token_requests" };
        assert!(matches!(error, ClientError::Options(error) if error == expected), "AS-23 {binding:?}");
    }
    let builder = TokenClient::builder(server.issuer(), "app").sign_token_requests(registered());
    let error = builder.build_certificate_bound().await.unwrap_err();
    assert!(matches!(error, ClientError::Options(OptionsError::NoEffect { .. })), "AS-23 {error}");
}
