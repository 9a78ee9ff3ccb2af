//! Requests to the authorization server, against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use axum::Json;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use pop_client::{Algorithm, Challenge, ClientAuthentication, ClientError, DpopKey, ResourceMetadata, TokenClient};
use pop_core::jose::CompactJws;
use serde_json::{Value, json};

use support::script::{Seen, metadata, ok, seen, server, token, token_client};

/// CLI-24, CLI-11: `client_secret_post` and `private_key_jwt`.
#[tokio::test]
async fn sends_a_secret_in_the_form_and_a_kid_in_the_assertion() {
    let field = |seen: &Seen, name: &str| -> Vec<String> {
        form_urlencoded::parse(&seen.body).filter(|(own, _)| own == name).map(|(_, value)| value.into_owned()).collect()
    };
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    for (authentication, kid) in [
        (ClientAuthentication::PrivateKeyJwt(key.clone()), Value::Null),
        (ClientAuthentication::PrivateKeyJwtWithKid { key, kid: "k1".to_owned() }, json!("k1")),
    ] {
        let (client, script) = token_client(vec![token("DPoP")], authentication).await;
        client.client_credentials(None, None).await.unwrap();
        let assertion = field(&seen(&script)[0], "client_assertion").remove(0);
        let jws = CompactJws::split(&assertion, 8192).unwrap().decode().unwrap();
        let header: Value = serde_json::from_slice(jws.header()).unwrap();
        assert_eq!(header["kid"], kid, "CLI-24");
    }
    let authentication = ClientAuthentication::SecretPost("s3cret &=".to_owned());
    let (client, script) = token_client(vec![token("DPoP")], authentication).await;
    client.client_credentials(None, None).await.unwrap();
    let seen = &seen(&script)[0];
    assert_eq!(
        (field(seen, "client_id"), field(seen, "client_secret")),
        (vec!["app".to_owned()], vec!["s3cret &=".to_owned()])
    );
    assert!(!seen.headers.contains_key("authorization"), "CLI-24");
    assert!(!format!("{client:?}").contains("s3cret"), "CLI-11");
}

/// CLI-24: each parameter once (RFC 9126).
#[tokio::test]
async fn pushes_an_authorization_request_authenticated_and_with_a_proof() {
    let (url, script) = server(vec![]).await;
    let document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/authorize"),
        "pushed_authorization_request_endpoint": format!("{url}/par"), "require_pushed_authorization_requests": true,
    });
    let ask = || {
        let body = Json(json!({ "error": "use_dpop_nonce" }));
        (StatusCode::BAD_REQUEST, [("dpop-nonce", "n1")], body).into_response()
    };
    let pushed = |body: Value| (StatusCode::CREATED, [("dpop-nonce", "n2")], Json(body)).into_response();
    let good = pushed(json!({ "request_uri": "urn:example:1", "expires_in": "60" }));
    script.lock().unwrap().0.extend([Json(document).into_response(), ask(), good]);
    for (authentication, secrets) in
        [(ClientAuthentication::SecretPost("s3cret".to_owned()), 1), (ClientAuthentication::None, 0)]
    {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::builder(&url, "app").authentication(authentication).build(key).await.unwrap();
        assert!(client.requires_push(), "CLI-24");
        let request = client.authorize("http://127.0.0.1/callback", Some("a b"), Some("https://api.example")).unwrap();
        let pushed_request = client.push(request.clone()).await.unwrap();
        let query = pushed_request.url.query().unwrap();
        assert_eq!(query, "client_id=app&request_uri=urn%3Aexample%3A1", "CLI-24");
        let requests = seen(&script);
        let last = requests.last().unwrap();
        assert_eq!(
            (last.path.as_str(), last.claim("htu"), last.claim("nonce")),
            ("/par", json!(format!("{url}/par")), json!("n1"))
        );
        let form: Vec<(String, String)> = form_urlencoded::parse(&last.body).into_owned().collect();
        let value = |name: &str| -> Vec<&str> {
            form.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(value("client_id"), ["app"], "CLI-24 once");
        assert_eq!(value("client_secret").len(), secrets, "CLI-24");
        assert_eq!(value("dpop_jkt"), [client.key().thumbprint().to_string()], "CLI-24");
        for (name, sent) in request.url.query_pairs() {
            assert_eq!(value(&name), [sent], "CLI-24 {name}");
        }
        let document = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
            "pushed_authorization_request_endpoint": format!("{url}/par"),
            "require_pushed_authorization_requests": true,
        });
        let good = pushed(json!({ "request_uri": "urn:example:1" }));
        script.lock().unwrap().0.extend([Json(document).into_response(), ask(), good]);
    }
    let (client, script) = token_client(vec![], ClientAuthentication::None).await;
    let request = client.authorize("http://127.0.0.1/callback", None, None).unwrap();
    assert!(!client.requires_push());
    assert!(matches!(client.push(request).await, Err(ClientError::Response(_))), "CLI-24 no such endpoint");
    assert!(seen(&script).is_empty());
}

/// CLI-04: `token_type` must be `DPoP`, in any case.
#[tokio::test]
async fn rejects_a_token_of_another_type() {
    for (token_type, accepted) in [("DPoP", true), ("dpop", true), ("Bearer", false), ("N_A", false)] {
        let (client, _) = token_client(vec![token(token_type)], ClientAuthentication::None).await;
        match client.client_credentials(None, None).await {
            Ok(token) => assert!(accepted && token.access_token == "at", "{token_type}"),
            Err(error) => assert!(!accepted && matches!(error, ClientError::TokenType), "{token_type} {error}"),
        }
    }
}

/// CLI-05, X-46: once.
#[tokio::test]
async fn answers_a_nonce_challenge_of_the_token_endpoint() {
    let ask = || {
        let body = Json(json!({ "error": "use_dpop_nonce" }));
        (StatusCode::BAD_REQUEST, [("dpop-nonce", "n1")], body).into_response()
    };
    let (client, script) = token_client(vec![ask(), token("DPoP")], ClientAuthentication::None).await;
    client.client_credentials(None, None).await.unwrap();
    let requests = seen(&script);
    assert_eq!((requests[0].claim("nonce"), requests[1].claim("nonce")), (Value::Null, json!("n1")));
    assert_eq!(requests[1].claim("ath"), Value::Null, "no ath at the token endpoint");
    let (client, _) = token_client(vec![ask(), ask(), token("DPoP")], ClientAuthentication::None).await;
    assert!(matches!(client.client_credentials(None, None).await, Err(ClientError::NonceLoop)), "X-46");
}

/// CLI-12, CLI-19, X-74: the audience of the assertion is the issuer alone.
#[tokio::test]
async fn authenticates_and_refreshes_with_the_same_key() {
    let authentication = ClientAuthentication::PrivateKeyJwt(DpopKey::generate(Algorithm::ES256).unwrap());
    let (client, script) = token_client(vec![token("DPoP"), token("DPoP")], authentication).await;
    client.client_credentials(Some("a b"), Some("https://api.example")).await.unwrap();
    client.refresh("refresh").await.unwrap();
    let requests = seen(&script);
    assert_eq!(requests[0].proof().0["jwk"], requests[1].proof().0["jwk"], "CLI-12");
    let form: Vec<(String, String)> = form_urlencoded::parse(&requests[0].body).into_owned().collect();
    let value = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap();
    let assertion = value("client_assertion");
    let jws = CompactJws::split(&assertion, 8192).unwrap().decode().unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    let endpoint = requests[0].claim("htu");
    assert_eq!(claims["aud"], endpoint.as_str().unwrap().trim_end_matches("/token"), "CLI-19 X-74 the issuer alone");
    assert_eq!((value("scope"), value("resource")), ("a b".to_owned(), "https://api.example".to_owned()));
}

/// CLI-13, CLI-19: `issuer`, `state` and `iss`.
#[tokio::test]
async fn rejects_metadata_and_authorization_responses_of_another_issuer() {
    let (url, script) = server(vec![]).await;
    script.lock().unwrap().0.push_back(metadata("https://other.example"));
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let rejected = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await;
    assert!(matches!(rejected, Err(ClientError::WrongMetadata("issuer"))), "CLI-13");

    let (client, _) = token_client(vec![token("DPoP")], ClientAuthentication::None).await;
    let request = client.authorize("http://127.0.0.1/callback", Some("a"), None).unwrap();
    let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    let value = |name: &str| query.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(value("code_challenge_method"), "S256");
    assert_eq!(value("dpop_jkt"), client.key().thumbprint().to_string());
    let issuer = request.url.origin().ascii_serialization();
    let back = |state: &str, iss: &str| format!("http://127.0.0.1/callback?code=c&state={state}&iss={iss}");
    for (row, url) in [
        ("state", back("other", &issuer)),
        ("iss", back(&value("state"), "https://evil.example")),
        ("nothing", "http://127.0.0.1/callback".to_owned()),
    ] {
        let rejected = client.exchange(&request, &url).await;
        assert!(matches!(rejected, Err(ClientError::AuthorizationResponse(_))), "CLI-19 {row}");
    }
    client.exchange(&request, &back(&value("state"), &issuer)).await.unwrap();

    // RFC 9207 §2.4: a missing `iss` is an error where the metadata of the server promises it.
    for promised in [false, true] {
        let (url, script) = server(vec![]).await;
        let document = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/authorize"),
            "authorization_response_iss_parameter_supported": promised,
        });
        script.lock().unwrap().0.extend([Json(document).into_response(), token("DPoP")]);
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await.unwrap();
        let request = client.authorize("http://127.0.0.1/callback", None, None).unwrap();
        let state = request.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let without = client.exchange(&request, &format!("http://127.0.0.1/callback?code=c&state={state}")).await;
        match without {
            Ok(_) => assert!(!promised, "CLI-19"),
            Err(error) => assert!(promised && matches!(error, ClientError::AuthorizationResponse(_)), "CLI-19 {error}"),
        }
    }
}

/// CLI-07: and names an algorithm that it accepts.
#[tokio::test]
async fn rejects_a_key_when_the_server_does_not_accept_its_algorithm() {
    for (names, expected) in [
        (json!(["ES256"]), Ok(())),
        (json!(["RS256", "EdDSA"]), Err(Some(Algorithm::EdDSA))),
        (json!(["HS256"]), Err(None)),
    ] {
        let (url, script) = server(vec![]).await;
        let document = json!({ "issuer": url, "token_endpoint": format!("{url}/token"), "dpop_signing_alg_values_supported": names });
        script.lock().unwrap().0.push_back(Json(document).into_response());
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let found = TokenClient::discover(&url, "app", ClientAuthentication::None, key).await.map(drop);
        let found = found.map_err(|error| match error {
            ClientError::Algorithm { preferred } => preferred,
            other => panic!("{other}"),
        });
        assert_eq!(found, expected, "CLI-07 {names}");
    }
}

/// CLI-14: scopes, `acr_values` and `max_age`.
#[tokio::test]
async fn a_new_authorization_asks_for_what_is_missing_and_loses_no_scope() {
    let (client, _) = token_client(vec![], ClientAuthentication::None).await;
    let line = "DPoP error=\"insufficient_user_authentication\", acr_values=\"phr mfa\", max_age=\"60\", scope=\"b c\"";
    let headers: HeaderMap = [(http::header::WWW_AUTHENTICATE, line.parse().unwrap())].into_iter().collect();
    let lacking = Challenge::from_headers(&headers)[0].lacking().unwrap();
    let plain = client.authorize("http://127.0.0.1/callback", Some("a b"), None).unwrap();
    let request = plain.clone().to_satisfy(&lacking);
    let value = |name: &str| {
        let found: Vec<String> =
            request.url.query_pairs().filter(|(own, _)| own == name).map(|(_, value)| value.into_owned()).collect();
        found.join("|")
    };
    assert_eq!(
        (value("acr_values"), value("max_age"), value("scope")),
        ("phr mfa".into(), "60".into(), "a b c".into())
    );
    for (name, expected) in plain.url.query_pairs().filter(|(name, _)| name != "scope") {
        assert_eq!(value(&name), expected, "CLI-14 {name} stays");
    }
}

/// CLI-20: it is sent and never looked into.
#[tokio::test]
async fn an_access_token_may_be_any_string() {
    let odd = "a.b.c~not-a-jwt+/=";
    let answer = Json(json!({ "access_token": odd, "token_type": "DPoP" })).into_response();
    let (client, _) = token_client(vec![answer], ClientAuthentication::None).await;
    let token = client.client_credentials(None, None).await.unwrap();
    let (url, script) = server(vec![ok()]).await;
    assert_eq!(client.http_client(&token).get(&url).send().await.unwrap().status(), 200);
    assert_eq!(seen(&script)[0].headers["authorization"], format!("DPoP {odd}"), "CLI-20");
}

/// CLI-13, META-12, META-01: otherwise a server could speak for another one.
#[tokio::test]
async fn resource_metadata_must_name_the_requested_resource() {
    let (url, script) = server(vec![]).await;
    for (resource, accepted) in [(format!("{url}/notes"), true), ("https://other.example".to_owned(), false)] {
        script.lock().unwrap().0.push_back(Json(json!({ "resource": resource })).into_response());
        let answer = ResourceMetadata::fetch(&format!("{url}/notes")).await;
        assert_eq!(answer.is_ok(), accepted, "CLI-13 META-12 {resource}");
    }
    assert_eq!(seen(&script)[0].path, "/.well-known/oauth-protected-resource/notes", "META-01");
}

/// CLI-11: of all clients and responses.
#[tokio::test]
async fn debug_output_hides_tokens_and_secrets() {
    let (client, _) = token_client(vec![token("DPoP")], ClientAuthentication::SecretBasic("s3cret".into())).await;
    let token = client.client_credentials(None, None).await.unwrap();
    let text = format!("{client:?} {token:?} {:?}", client.http_client(&token));
    assert!(!text.contains("s3cret") && !text.contains("\"at\""), "{text}");
}
