//! Fields that are malformed, duplicated or far too large.

use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use reqwest::Request;

use crate::{ALL, Answer, Api, CONTENT};

fn set(request: &mut Request, input: &str, signature: &str) {
    request.headers_mut().insert("signature-input", HeaderValue::from_str(input).unwrap());
    request.headers_mut().insert("signature", HeaderValue::from_str(signature).unwrap());
}

/// SIG-01, SIG-02, SIG-19, SIG-28: 401, quickly, and the request that was changed is still accepted.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_signature_fields_are_rejected_cheaply() {
    let api = Api::start("hostile", ALL, &[]);
    let names = |count: usize| (0..count).map(|number| format!("\"x-{number}\"")).collect::<Vec<_>>().join(" ");
    let labels = |count: usize, value: &str| {
        (0..count).map(|number| format!("s{number}={value}")).collect::<Vec<_>>().join(", ")
    };
    type Change = Box<dyn Fn(&mut Request)>;
    let fields = |input: String, signature: String| -> Change {
        Box::new(move |request: &mut Request| set(request, &input, &signature))
    };
    let list = r#"("@method");created=1;tag="httpsig-oauth""#;
    let (thousand_labels, bytes) = (labels(1000, list), labels(1000, ":AA==:"));
    let thousand_components = format!(r#"s=({});created=1;nonce="n";tag="httpsig-oauth""#, names(1000));
    let parameters = (0..1000).map(|number| format!(";p{number}")).collect::<String>();
    let rows: Vec<(&str, Change)> = vec![
        ("1,000 labels", fields(thousand_labels, bytes)),
        ("1,000 components", fields(thousand_components, "s=:AA==:".to_owned())),
        ("1,000 parameters", fields(format!("s={list}{parameters}"), "s=:AA==:".to_owned())),
        ("no parenthesis", fields(r#"s=("@method"#.to_owned(), "s=:AA==:".to_owned())),
        ("tokens", fields(r#"s=(@method);tag="httpsig-oauth""#.to_owned(), "s=:AA==:".to_owned())),
        ("not a list", fields("s=1".to_owned(), "s=:AA==:".to_owned())),
        ("no bytes", fields(format!("s={list}"), "s=\"AA==\"".to_owned())),
        ("another label", fields(format!("s={list}"), "t=:AA==:".to_owned())),
        ("duplicated label", fields(format!("s={list}, s={list}"), "s=:AA==:".to_owned())),
        ("empty fields", fields(String::new(), String::new())),
        (
            "unknown component",
            fields(r#"s=("@none");created=1;nonce="n";tag="httpsig-oauth""#.to_owned(), "s=:AA==:".to_owned()),
        ),
        (
            "duplicated field lines",
            Box::new(|request| {
                for name in ["signature-input", "signature"] {
                    let line = request.headers()[name].clone();
                    request.headers_mut().append(name, line);
                }
            }),
        ),
        ("no Signature", Box::new(|request| drop(request.headers_mut().remove("signature")))),
        ("no Signature-Input", Box::new(|request| drop(request.headers_mut().remove("signature-input")))),
        (
            "not ASCII",
            Box::new(|request| {
                request.headers_mut().insert("signature", HeaderValue::from_bytes(b"s=:\xff:").unwrap());
            }),
        ),
        (
            "two digests",
            Box::new(|request| {
                let line = request.headers()["content-digest"].clone();
                request.headers_mut().append("content-digest", line);
            }),
        ),
    ];
    for (row, change) in rows {
        for (scheme, error, good) in [
            ("HTTPSig", "invalid_signature", api.httpsig(api.request(Method::POST, "/echo", CONTENT))),
            ("PoP", "invalid_proof", api.hmac(api.request(Method::POST, "/echo", CONTENT))),
        ] {
            let mut bad = good.try_clone().unwrap();
            change(&mut bad);
            let start = Instant::now();
            Answer::to(bad).await.rejected(401, scheme, error, row);
            assert!(start.elapsed() < Duration::from_secs(10), "{row}: {:?}", start.elapsed());
            Answer::to(good).await.accepted(row);
        }
    }
}

/// SHR-01, SHR-02: envelopes of every malformed kind.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_envelopes_are_rejected_cheaply() {
    let api = Api::start("envelopes", "pop", &[]);
    let deep = format!(r#"{{"at":"x","a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let header = pop_core::jose::encode(r#"{"alg":"ES256","typ":"pop"}"#);
    let jws = |payload: &str| format!("{header}.{}.AAAA", pop_core::jose::encode(payload));
    let many = (0..2000).map(|number| format!(r#""m{number}":1,"#)).collect::<String>();
    for (row, credentials, error) in [
        ("nested", jws(&deep), "invalid_proof"),
        ("many members", jws(&format!(r#"{{{many}"at":"x"}}"#)), "invalid_proof"),
        ("long", "a".repeat(40_000), "invalid_proof"),
        ("duplicated at", jws(r#"{"at":"x","at":"y","ts":1}"#), "invalid_proof"),
        ("at is a number", jws(r#"{"at":1,"ts":1}"#), "invalid_proof"),
    ] {
        let mut request = api.request(Method::GET, "/whoami", "");
        request.headers_mut().insert("authorization", format!("PoP {credentials}").parse().unwrap());
        let start = Instant::now();
        let answer = Answer::to(request).await;
        let first = answer.challenges().first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(answer.status, 401, "{row} {first}");
        assert!(first.starts_with("PoP ") && first.contains(error), "{row} {first}");
        assert!(start.elapsed() < Duration::from_secs(10), "{row}: {:?}", start.elapsed());
    }
    Answer::to(api.envelope(api.request(Method::GET, "/whoami", ""))).await.accepted("its twin");
}
