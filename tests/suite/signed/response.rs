//! Signed responses.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{JsonLimits, Jwk, Object, RsaLimits};
use pop_core::policy::SignaturePolicy;
use pop_core::proof::PopKey;
use pop_core::proof::message_signature::{ResponseHead, verify_response};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{PopLayer, SignResponses};

use super::{CONTENT, Resource};
use crate::support::{AUDIENCE, NOW};

fn verifying(key: &pop_authserver::DpopKey) -> VerifyingKey {
    let json = key.public_jwk().to_string();
    let jwk = Jwk::parse(&Object::parse(json.as_bytes(), JsonLimits::TOKEN).unwrap(), RsaLimits::default()).unwrap();
    VerifyingKey::new(jwk.key(), key.algorithm(), CryptoBackend::default()).unwrap()
}

/// SIG-31: with status, content, method and target; rejections too. Any change on the way is found.
#[tokio::test]
async fn signed_responses_show_what_the_resource_answered_to_which_request() {
    let resource = Resource::new(|builder| builder);
    let token = resource.server.token().audience(AUDIENCE).bound_to(&resource.key).mint();
    let proof =
        pop_authserver::proof(&resource.key).url("https://api.example/notes").for_token(&token).issued_at(NOW).mint();
    let answer = service_fn(|_: Request<Full<Bytes>>| async {
        let response = Response::builder().status(201).body(Full::<Bytes>::from(CONTENT));
        Ok::<_, Infallible>(response.unwrap())
    });
    let signer = pop_authserver::DpopKey::generate(pop_authserver::Algorithm::Ed25519).unwrap();
    let key = verifying(&signer);
    let service = SignResponses::new(&resource.cfg, signer).layer(PopLayer::new(resource.cfg.clone()).layer(answer));
    let origin = Origin::parse(AUDIENCE).unwrap();
    let none = HeaderMap::new();
    let mut asked = HeaderMap::new();
    asked.insert("authorization", format!("DPoP {token}").parse().unwrap());
    asked.insert("dpop", proof.parse().unwrap());
    let verify_for = |asked: &HeaderMap, method: &str, path: &str, status, headers: &HeaderMap, content: &[u8], now| {
        let request = RequestHead::new(method, &origin, path, asked, now);
        let head = ResponseHead { status, headers, request: &request };
        let expected = verify_response(head, PopKey::Public(&key), &SignaturePolicy::default(), now);
        expected
            .map_err(pop_core::SignatureError::code)
            .and_then(|expected| expected.check(content).map(drop).map_err(pop_core::ContentError::code))
    };
    for (authorized, status) in [(true, StatusCode::CREATED), (false, StatusCode::UNAUTHORIZED)] {
        let mut request = Request::get("/notes?a=1").body(Full::<Bytes>::default()).unwrap();
        if authorized {
            request.headers_mut().insert("authorization", format!("DPoP {token}").parse().unwrap());
            request.headers_mut().insert("dpop", proof.parse().unwrap());
        }
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let (parts, body) = response.into_parts();
        let content = body.collect().await.unwrap().to_bytes();
        let headers = &parts.headers;
        let own = if authorized { &asked } else { &none };
        let verify = |method: &str, path: &str, status, headers: &HeaderMap, content: &[u8], now| {
            verify_for(own, method, path, status, headers, content, now)
        };
        let other = if authorized { &none } else { &asked };
        let of_another = verify_for(other, "GET", "/notes?a=1", status, headers, &content, NOW);
        assert!(of_another.is_err(), "a response to another request");
        assert_eq!(verify("GET", "/notes?a=1", status, headers, &content, NOW), Ok(()));
        assert_eq!(verify("GET", "/notes?a=1", status, headers, &content, NOW + 60), Ok(()));
        for (row, result) in [
            ("content", verify("GET", "/notes?a=1", status, headers, b"other", NOW)),
            ("status", verify("GET", "/notes?a=1", StatusCode::OK, headers, &content, NOW)),
            ("method", verify("POST", "/notes?a=1", status, headers, &content, NOW)),
            ("query", verify("GET", "/notes?a=2", status, headers, &content, NOW)),
            ("time", verify("GET", "/notes?a=1", status, headers, &content, NOW + 61)),
            ("no signature", verify("GET", "/notes?a=1", status, &none, &content, NOW)),
        ] {
            assert!(result.is_err(), "{row} {status}");
        }
    }
    let head = Request::builder().method(Method::HEAD).uri("/notes").body(Full::<Bytes>::default()).unwrap();
    let response = service.oneshot(head).await.unwrap();
    assert!(!response.headers().contains_key("content-digest"));
    assert_eq!(verify_for(&none, "HEAD", "/notes", response.status(), response.headers(), b"", NOW), Ok(()));
}
