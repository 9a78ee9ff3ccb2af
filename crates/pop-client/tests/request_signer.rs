//! Signing without I/O: what is added to the header, and when a request is to be sent again.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use pop_client::{
    BoundToken, ClientError, DpopKey, NonceMemory, ProofMethod, RequestSigner, Role, SharedKey, SignableRequest,
    UrlError,
};
use pop_core::jose::CompactJws;
use pop_core::target::Origin;
use serde_json::Value;

use support::key;

const URL: &str = "https://api.example/notes?a=1";

fn signer(proof: fn(DpopKey) -> ProofMethod) -> RequestSigner {
    RequestSigner::new(BoundToken::new("the-token", proof(key())))
}

fn signed(request: &SignableRequest<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    request.sign(&mut headers).unwrap();
    headers
}

fn claims(jws: &str) -> Value {
    let jws = CompactJws::split(jws, 8192).unwrap().decode().unwrap();
    serde_json::from_slice(jws.payload()).unwrap()
}

fn dpop(headers: &HeaderMap) -> Value {
    claims(headers["dpop"].to_str().unwrap())
}

fn answer(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn challenge(nonce: &str) -> HeaderMap {
    answer(&[("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", nonce)])
}

/// CLI-01, CLI-02, CLI-03: the proof names the URL that the caller is told to send the request to.
#[test]
fn every_signature_has_its_own_proof() {
    let signer = signer(ProofMethod::Dpop);
    let request = signer.request("PUT", "https://API.example:443/a|b/100%?x=|#f").unwrap().content(b"not covered");
    assert_eq!(request.url().as_str(), "https://api.example/a%7Cb/100%25?x=|#f");
    let mut headers = answer(&[("accept", "text/plain")]);
    request.sign(&mut headers).unwrap();
    let first = dpop(&headers);
    assert_eq!(first["htu"], "https://api.example/a%7Cb/100%25", "CLI-02");
    assert_eq!(first["htm"], "PUT");
    request.sign(&mut headers).unwrap();
    assert_ne!(first["jti"], dpop(&headers)["jti"], "CLI-01");
    assert_eq!(headers[AUTHORIZATION], "DPoP the-token", "CLI-03");
    assert!(headers[AUTHORIZATION].is_sensitive() && headers["dpop"].is_sensitive());
    assert_eq!(headers.len(), 3, "one of each, and what the caller set: {headers:?}");
}

/// CLI-05, CLI-06: once for each request; the nonce is for all requests of the signer, and for its origin alone.
#[test]
fn a_request_is_repeated_once_for_a_nonce() {
    let signer = signer(ProofMethod::Dpop);
    let mut request = signer.request("GET", URL).unwrap();
    assert!(dpop(&signed(&request)).get("nonce").is_none());
    assert!(!request.repeats(StatusCode::UNAUTHORIZED, &answer(&[("www-authenticate", "DPoP")])), "no nonce");
    assert!(!request.repeats(StatusCode::OK, &challenge("n1")), "not rejected");
    assert!(request.repeats(StatusCode::UNAUTHORIZED, &challenge("n2")), "CLI-05");
    assert_eq!(dpop(&signed(&request))["nonce"], "n2");
    assert!(!request.repeats(StatusCode::UNAUTHORIZED, &challenge("n3")), "CLI-05 once");
    let next = signer.clone();
    assert_eq!(dpop(&signed(&next.request("GET", "https://api.example/other").unwrap()))["nonce"], "n3", "CLI-05");
    assert!(dpop(&signed(&signer.request("GET", "https://b.example/").unwrap())).get("nonce").is_none(), "CLI-05");
    let mut request = signer.request("GET", URL).unwrap();
    assert!(!request.repeats(StatusCode::UNAUTHORIZED, &challenge("not a nonce")), "CLI-06");
    assert_eq!(dpop(&signed(&request))["nonce"], "n3");
}

/// A nonce of an earlier run of the program, and a token that was refreshed.
#[test]
fn nonces_and_tokens_come_from_elsewhere_too() {
    let (nonces, origin) = (NonceMemory::default(), Origin::parse("https://api.example").unwrap());
    nonces.insert(Role::ResourceServer, &origin, "kept").unwrap();
    let signer = signer(ProofMethod::Dpop).with_nonces(nonces);
    let signer = signer.with_token(BoundToken::new("refreshed", ProofMethod::Dpop(key())));
    let headers = signed(&signer.request("GET", URL).unwrap());
    assert_eq!(
        (dpop(&headers)["nonce"].as_str(), headers[AUTHORIZATION].to_str().unwrap()),
        (Some("kept"), "DPoP refreshed")
    );
}

/// CLI-10: a proof that is rejected is made again, if the clock of the server differs.
#[test]
fn follows_the_clock_of_the_server_if_asked_to() {
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let date = httpdate::fmt_http_date(an_hour_ago);
    let rejected = answer(&[("www-authenticate", "DPoP error=\"invalid_dpop_proof\""), ("date", &date)]);
    let plain = signer(ProofMethod::Dpop);
    assert!(!plain.request("GET", URL).unwrap().repeats(StatusCode::UNAUTHORIZED, &rejected));
    let following = signer(ProofMethod::Dpop).follow_server_clock();
    let mut request = following.request("GET", URL).unwrap();
    let before = dpop(&signed(&request))["iat"].as_u64().unwrap();
    assert!(request.repeats(StatusCode::UNAUTHORIZED, &rejected), "CLI-10");
    assert!((3590..3610).contains(&(before - dpop(&signed(&request))["iat"].as_u64().unwrap())), "CLI-10");
    assert!(!request.repeats(StatusCode::UNAUTHORIZED, &rejected), "once");
}

/// What each kind of proof covers, and what it cannot cover.
#[test]
fn signs_with_what_the_token_needs() {
    for proof in [ProofMethod::Pop as fn(DpopKey) -> ProofMethod, ProofMethod::PopThumbprint] {
        let signer = signer(proof);
        let request = signer.request("POST", URL).unwrap().content(b"10 EUR").cover(CONTENT_TYPE);
        let mut headers = answer(&[("content-type", "text/plain")]);
        request.sign(&mut headers).unwrap();
        let envelope = claims(headers[AUTHORIZATION].to_str().unwrap().strip_prefix("PoP ").unwrap());
        assert_eq!((&envelope["at"], &envelope["m"]), (&"the-token".into(), &"POST".into()));
        assert!(envelope.get("h").is_some() && envelope.get("b").is_some(), "{envelope}");
        let streamed = signer.request("POST", URL).unwrap().stream();
        assert!(matches!(streamed.sign(&mut headers), Err(ClientError::StreamNotCovered)));
    }
    let shared = |_: DpopKey| ProofMethod::SharedKey(SharedKey::new([7; 32]).unwrap().into());
    for (proof, label) in [(ProofMethod::HttpSig as fn(DpopKey) -> ProofMethod, "sig="), (shared, "mac=")] {
        let signer = signer(proof);
        let request = signer.request("POST", URL).unwrap().content(b"10 EUR");
        let mut headers = signed(&request);
        request.sign(&mut headers).unwrap();
        let input = headers["signature-input"].to_str().unwrap();
        assert!(input.starts_with(label) && input.contains("\"content-digest\""), "{input}");
        assert_eq!(headers.get_all("signature").iter().count(), 1, "the earlier one is replaced");
        let missing = signer.request("POST", URL).unwrap().cover(CONTENT_TYPE);
        assert!(matches!(missing.sign(&mut headers), Err(ClientError::Signature(_))));
        let mut asked = signer.request("POST", URL).unwrap();
        assert!(!asked.repeats(StatusCode::UNAUTHORIZED, &challenge("n")), "it has no nonce of the server");
    }
    let plain = signer(ProofMethod::Dpop);
    let mut headers = answer(&[("content-type", "text/plain")]);
    let covering = plain.request("POST", URL).unwrap().cover(CONTENT_TYPE);
    assert!(matches!(covering.sign(&mut headers), Err(ClientError::FieldsNotCovered)));
    let both = plain.with_message_signature();
    both.request("POST", URL).unwrap().cover(CONTENT_TYPE).sign(&mut headers).unwrap();
    assert!(headers["signature-input"].to_str().unwrap().contains("\"content-type\""));
}

/// CLI-18, CLI-21: a token is not signed for such URLs; and `Debug` shows neither token nor key.
#[test]
fn rejects_urls_that_no_token_is_sent_to() {
    let signer = signer(ProofMethod::Dpop);
    assert!(signer.request("GET", "http://127.0.0.1:1/").is_ok());
    assert!(matches!(signer.request("GET", "http://api.example/").unwrap_err(), UrlError::PlainHttp { .. }), "CLI-18");
    assert!(
        matches!(signer.request("GET", "https://me@api.example/").unwrap_err(), UrlError::Userinfo { .. }),
        "CLI-21"
    );
    assert!(matches!(signer.request("GET", "notes").unwrap_err(), UrlError::Syntax { .. }), "CLI-21");
    let shown = format!("{signer:?} {:?}", signer.request("GET", URL).unwrap().content(b"secret"));
    assert!(!shown.contains("the-token") && !shown.contains("secret") && shown.contains("GET"), "{shown}");
}
