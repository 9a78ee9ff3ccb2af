//! Fields and path as raw bytes: any head of a request gets a verdict, at once, and none passes.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use tower_pop::{IssuerConfig, PopConfig, Verification};

/// The public key of RFC 7517 A.1; nobody here can sign with it.
const JWKS: &str = concat!(
    r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","#,
    r#""y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#,
);

static CFG: LazyLock<PopConfig> = LazyLock::new(|| {
    let issuer = IssuerConfig::new("https://as.example").static_jwks(JWKS);
    PopConfig::builder(issuer, "https://api.example").build().expect("a valid configuration")
});

fuzz_target!(|input: (&[u8], &[u8], &str)| {
    let (authorization, proof, path) = input;
    let mut request = Request::new(());
    if let Ok(value) = HeaderValue::from_bytes(authorization) {
        request.headers_mut().insert("authorization", value);
    }
    if let Ok(value) = HeaderValue::from_bytes(proof) {
        request.headers_mut().insert("dpop", value);
    }
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let (parts, ()) = request.into_parts();
    match CFG.verify(&parts) {
        Verification::Now(verdict) => assert!(verdict.is_err_and(|rejection| rejection.status().is_client_error())),
        Verification::Later(_) => panic!("static keys never wait"),
    }
});
