//! Signed HTTP requests under `PoP`.

use http::{HeaderMap, HeaderValue};
use pop_client::Envelope;
use pop_core::jose::encode;
use serde_json::{Value, json};

use super::{Case, jws};
use crate::inspect::{NOW, Setup, URL};

pub(super) fn cases(setup: &Setup) -> Vec<Case> {
    let key = &setup.key;
    let token = setup.server.token().bound_to_jwk(key).mint();
    let header = json!({ "typ": "pop", "alg": "ES256" });
    let claims =
        json!({ "at": token, "ts": NOW, "m": "GET", "u": "api.example", "p": "/notes", "jti": "a-random-value" });
    let with = |code: &str, envelope: &str| Case::header(code, &[format!("Authorization: PoP {envelope}")]);
    let signed = |header: &Value, claims: &Value| key.sign_jws(&header.to_string(), &claims.to_string()).unwrap();
    let mut cases: Vec<_> = jws::malformed(key, &header, &claims)
        .into_iter()
        // What has no `at` is an access token.
        .filter(|(code, _)| !matches!(*code, "encrypted" | "not_base64url" | "not_json" | "not_object"))
        .map(|(code, envelope)| with(&format!("envelope.{code}"), &envelope))
        .collect();
    let claim = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&header, &claims)
    };
    for (code, alg, jwk) in jws::keys(key) {
        let mut claims = claims.clone();
        claims["cnf"] = json!({ "jwk": jwk });
        cases.push(with(&format!("envelope.{code}"), &signed(&json!({ "typ": "pop", "alg": alg }), &claims)));
    }
    let mut without_ts = claims.clone();
    without_ts.as_object_mut().unwrap().remove("ts");
    let tampered = claim("m", "GET".into());
    let tampered = format!("{}A{}", &tampered[..tampered.len() - 20], &tampered[tampered.len() - 19..]);
    let (head, payload) = (encode(header.to_string()), encode(claims.to_string()));
    for (code, envelope) in [
        ("", signed(&header, &claims)),
        ("envelope.not_compact", format!("{head}.{payload}.")),
        ("envelope.not_base64url", format!("e31.{payload}.AA")),
        ("envelope.not_json", format!("{}.{payload}.AA", encode("text"))),
        ("envelope.not_object", format!("{}.{payload}.AA", encode("[]"))),
        ("envelope.jwk_missing", claim("cnf", json!({ "jwk": "text" }))),
        ("envelope.signature", tampered),
        ("envelope.missing_claim", signed(&header, &without_ts)),
        ("envelope.invalid_claim", claim("ts", "now".into())),
        ("envelope.nonce_length", claim("jti", "".into())),
        ("envelope.m_mismatch", claim("m", "PUT".into())),
        ("envelope.u_mismatch", claim("u", "other.example".into())),
        ("envelope.p_mismatch", claim("p", "/Notes".into())),
        ("envelope.ts_too_old", claim("ts", (NOW - 600).into())),
        ("envelope.ts_in_future", claim("ts", (NOW + 600).into())),
        ("envelope.ts_milliseconds", claim("ts", (NOW * 1000).into())),
    ] {
        cases.push(with(code, &envelope));
    }
    cases.extend(changed(setup, &token));
    cases
}

/// Requests that were changed after they were signed.
fn changed(setup: &Setup, token: &str) -> Vec<Case> {
    let (url, two_parameters) = (format!("{URL}?a=1"), format!("{URL}?a=1&b=2"));
    let own: HeaderMap = [("x-own".parse().unwrap(), HeaderValue::from_static("1"))].into_iter().collect();
    let envelope = || Envelope::new("GET", &url, token).issued_at(NOW);
    let line = |envelope: Envelope<'_>| format!("Authorization: PoP {}", envelope.sign(&setup.key).unwrap());
    let plain = |code: &str, query: &str| Case::header(code, &[line(envelope())]).to(&format!("{URL}{query}"));
    let two = |code: &str, query: &str| {
        let signed = Envelope::new("GET", &two_parameters, token).issued_at(NOW);
        Case::header(code, &[line(signed)]).to(&format!("{URL}{query}"))
    };
    let fields = |code: &str, lines: &[&str]| {
        let signed = line(envelope().header_fields(&own, &["x-own"]));
        let lines: Vec<_> = std::iter::once(signed).chain(lines.iter().map(|line| (*line).to_owned())).collect();
        Case::header(code, &lines).to(&url)
    };
    let content = |code: &str, content: &str| {
        let signed = Envelope::new("POST", &url, token).issued_at(NOW).content(b"buy milk");
        Case::header(code, &[line(signed)]).to(&url).with(&["-X", "POST", "-d", content])
    };
    vec![
        plain("", "?a=1"),
        plain("envelope.q_mismatch", "?a=2"),
        plain("envelope.q_uncovered", "?a=1&b=2"),
        two("envelope.q_mismatch", "?a=1&c=2"),
        two("envelope.q_repeated", "?a=1&a=2"),
        fields("", &["X-Own: 1"]),
        fields("envelope.h_mismatch", &["X-Own: 2"]),
        fields("envelope.h_missing_field", &[]),
        fields("envelope.h_repeated_field", &["X-Own: 1", "X-Own: 1"]),
        content("", "buy milk"),
        content("content.digest_mismatch", "buy silk"),
        plain("content.uncovered", "?a=1").with(&["-d", "more"]),
        content("content.too_large", "buy milk").with(&["--content-limit", "3"]),
    ]
}
