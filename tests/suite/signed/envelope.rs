//! Signed HTTP requests under `PoP`.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request};
use http_body_util::Full;
use pop_client::Envelope;
use serde_json::json;
use tower_pop::{NoncePolicy, Preset, ProofKind};

use super::{Answer, CONTENT, Resource, URL};
use crate::support::NOW;

const PATH: &str = "/notes?a=1&b=2";

fn resource() -> Resource {
    Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]))
}

fn request(method: Method, path: &str, credentials: &str, content: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("PoP {credentials}"));
    request.body(Full::from(content)).unwrap()
}

fn envelope<'e>(resource: &Resource, method: &'e str, token: &'e str) -> Envelope<'e> {
    Envelope::new(method, URL, token).issued_at(tower_pop::clock::Clock::now(&*resource.clock))
}

/// SHR-01, SHR-03, SHR-04, SHR-05, SHR-12: with the key in the token, and with its thumbprint in the token.
#[tokio::test]
async fn accepts_a_signed_request_with_the_key_of_its_token() {
    let resource = resource();
    for (row, cnf) in
        [("jwk", json!({ "jwk": resource.jwk() })), ("kid", json!({ "kid": resource.key.thumbprint().to_string() }))]
    {
        let token = resource.token(cnf);
        let signed = envelope(&resource, "GET", &token).embed_key().sign(&resource.key).unwrap();
        let answer = resource.send(request(Method::GET, PATH, &signed, "")).await.accepted("", row);
        let verified = answer.token.unwrap();
        assert_eq!(verified.proof().kind(), ProofKind::SignedRequest);
        assert_eq!(verified.proof().covered().collect::<Vec<_>>(), ["m", "u", "p", "q"], "SHR-12 {row}");
        assert_eq!(verified.proof().key_thumbprint(), Some(&resource.key.thumbprint()));
    }
}

/// SHR-07, SHR-08, SHR-10, SHR-11: whatever changes on the way, and a second use.
#[tokio::test]
async fn rejects_a_signed_request_that_was_changed_or_used_before() {
    let resource = resource();
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let signed = || envelope(&resource, "POST", &token).content(CONTENT.as_bytes()).sign(&resource.key).unwrap();
    let changed = [
        ("method", Method::PUT, PATH, CONTENT),
        ("path", Method::POST, "/other?a=1&b=2", CONTENT),
        ("query", Method::POST, "/notes?a=1&b=3", CONTENT),
        ("further parameter", Method::POST, "/notes?a=1&b=2&c=3", CONTENT),
        ("content", Method::POST, PATH, r#"{"note":"buy silk"}"#),
        ("no content", Method::POST, PATH, ""),
    ];
    for (row, method, path, content) in changed {
        resource.send(request(method, path, &signed(), content)).await.rejected("PoP ", "invalid_proof", row);
    }
    let signed = signed();
    let mut forged = signed.clone();
    forged.replace_range(forged.len() - 2.., if signed.ends_with("AA") { "BB" } else { "AA" });
    resource.send(request(Method::POST, PATH, &forged, CONTENT)).await.rejected("PoP ", "invalid_proof", "signature");
    let other = r#"{"note":"buy silk"}"#;
    resource.send(request(Method::POST, PATH, &signed, other)).await.rejected("PoP ", "invalid_proof", "content");
    // Nothing of that consumed the proof.
    resource.send(request(Method::POST, PATH, &signed, CONTENT)).await.accepted(CONTENT, "unchanged");
    let again = resource.send(request(Method::POST, PATH, &signed, CONTENT)).await;
    assert_eq!(again.rejected("PoP ", "invalid_proof", "SHR-11 again").code, Some("replay.replayed"));
}

/// SHR-01, SHR-03, SHR-04, SHR-14, X-61: the token, the key, and the scheme.
#[tokio::test]
async fn rejects_a_signed_request_whose_token_does_not_ask_for_it() {
    let resource = resource();
    let other = pop_authserver::DpopKey::generate(pop_authserver::Algorithm::ES256).unwrap();
    let sign = |token: &str, key| envelope(&resource, "GET", token).embed_key().sign(key).unwrap();
    let jwk = json!({ "jwk": resource.jwk() });
    let thumbprint = resource.key.thumbprint().to_string();
    for (row, token) in [
        ("expired", resource.unbound().claim("cnf", jwk.clone()).expires_in(-3600).mint()),
        ("jkt", resource.token(json!({ "jkt": thumbprint }))),
        ("unbound", resource.unbound().mint()),
        ("kid of another key", resource.token(json!({ "kid": other.thumbprint().to_string() }))),
        ("opaque", "opaque".to_owned()),
    ] {
        let signed = sign(&token, &resource.key);
        resource.send(request(Method::GET, PATH, &signed, "")).await.rejected("PoP ", "invalid_token", row);
    }
    let token = resource.token(jwk.clone());
    let by_thief = sign(&token, &other);
    resource.send(request(Method::GET, PATH, &by_thief, "")).await.rejected("PoP ", "invalid_token", "other key");
    let own = sign(&token, &resource.key);
    resource.send(request(Method::GET, PATH, &own, "")).await.accepted("", "its twin");
    resource.send(request(Method::GET, PATH, "not-a-jws", "")).await.rejected("PoP ", "invalid_token", "SHR-01");
    resource.send(request(Method::GET, PATH, &token, "")).await.rejected("PoP ", "invalid_token", "the token itself");
    let both = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest, ProofKind::Dpop]));
    let token = both.token(json!({ "jwk": both.jwk() }));
    let mut as_dpop = request(Method::GET, PATH, "", "");
    let proof = pop_authserver::proof(&both.key).url("https://api.example/notes").for_token(&token).issued_at(NOW);
    as_dpop.headers_mut().insert(AUTHORIZATION, format!("DPoP {token}").parse().unwrap());
    as_dpop.headers_mut().insert("dpop", proof.mint().parse().unwrap());
    both.send(as_dpop).await.rejected("DPoP ", "invalid_token", "SHR-14");
}

/// SHR-11, SHR-13: the challenge carries the nonce first, and the response to an accepted request the next one.
#[tokio::test]
async fn a_required_nonce_comes_in_the_challenge_and_the_next_one_with_the_response() {
    let resource = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).nonce(NoncePolicy::Required));
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let signed = |nonce| envelope(&resource, "GET", &token).nonce(nonce).sign(&resource.key).unwrap();
    let first = resource.send(request(Method::GET, PATH, &signed(None), "")).await;
    let first = first.rejected("PoP nonce=\"", "invalid_proof", "no nonce");
    let nonce = nonce_of_challenge(&first);
    assert!(!nonce.contains(['=', ',']), "SHR-13");
    assert!(!first.headers.contains_key("dpop-nonce"));
    let answer = resource.send(request(Method::GET, PATH, &signed(Some(&nonce)), "")).await.accepted("", "with nonce");
    assert_ne!(next_nonce(&answer), nonce, "SHR-13");
    resource.send(request(Method::GET, PATH, &signed(Some(&nonce)), "")).await.accepted("", "nonce again, other jti");
    let used = signed(Some(&nonce));
    resource.send(request(Method::GET, PATH, &used, "")).await.accepted("", "first use");
    resource.send(request(Method::GET, PATH, &used, "")).await.rejected("PoP ", "invalid_proof", "second use");
}

/// SHR-11, SHR-13: MSAL sets no `jti`. It signs equal requests of one second alike, unless it got another nonce in between.
#[tokio::test]
async fn every_response_has_another_nonce_for_clients_that_set_no_jti() {
    let resource = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).nonce(NoncePolicy::Required));
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let send = async |nonce: &str| {
        let claims = json!({ "at": token, "ts": NOW, "m": "GET", "u": "api.example", "p": "/notes", "nonce": nonce });
        // The same bytes for the same nonce, as RS256 signs them.
        let signed = resource.key.sign_jws(r#"{"typ":"pop","alg":"ES256"}"#, &claims.to_string()).unwrap();
        resource.send(request(Method::GET, "/notes", &signed, "")).await
    };
    let first = send("none").await.rejected("PoP nonce=\"", "invalid_proof", "no nonce of this server");
    let mut nonce = nonce_of_challenge(&first);
    for row in ["first", "second", "third"] {
        let replayed = nonce.clone();
        nonce = next_nonce(&send(&nonce).await.accepted("", row));
        let rejected = send(&replayed).await.rejected("PoP nonce=\"", "invalid_proof", row);
        assert_eq!(rejected.code, Some("replay.replayed"), "{row}");
        let fresh = nonce_of_challenge(&rejected);
        assert!(fresh != nonce && fresh != replayed, "{row}");
        send(&fresh).await.accepted("", "with the nonce of the rejection");
    }
    // Without nonces of the server, a replay brings none.
    let plain = self::resource();
    let token = plain.token(json!({ "jwk": plain.jwk() }));
    let used = envelope(&plain, "GET", &token).sign(&plain.key).unwrap();
    plain.send(request(Method::GET, PATH, &used, "")).await.accepted("", "first use");
    let replayed = plain.send(request(Method::GET, PATH, &used, "")).await;
    let replayed = replayed.rejected("PoP error=", "invalid_proof", "second use");
    assert!(!replayed.challenges().iter().any(|challenge| challenge.contains("nonce=")));
}

fn nonce_of_challenge(answer: &Answer) -> String {
    answer.challenges()[0].split('"').nth(1).unwrap().to_owned()
}

fn next_nonce(answer: &Answer) -> String {
    let field = answer.headers["authentication-info"].to_str().unwrap();
    field.strip_prefix("nextnonce=\"").unwrap().trim_end_matches('"').to_owned()
}

/// SHR-06: 60 s and 30 s by default, 300 s with preset `entra`.
#[tokio::test]
async fn an_envelope_lives_as_long_as_the_configuration_says() {
    let draft = resource();
    let entra = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).preset(Preset::Entra));
    for (resource, max_age) in [(&draft, 60), (&entra, 300)] {
        let key = if max_age == 300 { pop_authserver::Algorithm::RS256 } else { pop_authserver::Algorithm::ES256 };
        let key = pop_authserver::DpopKey::generate(key).unwrap();
        let token = resource.token(json!({ "kid": key.thumbprint().to_string() }));
        let signed = |age: i64| {
            let at = NOW.checked_add_signed(-age).unwrap();
            Envelope::new("GET", URL, &token).issued_at(at).embed_key().sign(&key).unwrap()
        };
        resource.send(request(Method::GET, PATH, &signed(max_age), "")).await.accepted("", "old");
        resource.send(request(Method::GET, PATH, &signed(max_age + 1), "")).await.rejected(
            "PoP ",
            "invalid_proof",
            "too old",
        );
        resource.send(request(Method::GET, PATH, &signed(-30), "")).await.accepted("", "ahead");
        resource.send(request(Method::GET, PATH, &signed(-31), "")).await.rejected(
            "PoP ",
            "invalid_proof",
            "too far ahead",
        );
    }
}
