//! Properties of the whole pipeline.

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tower_pop::PopConfigBuilder;

use crate::support::{Api, api, api_with, request};

fn no_store(builder: PopConfigBuilder) -> PopConfigBuilder {
    builder.dangerous().without_replay_store()
}

fn passes(runtime: &Runtime, api: &Api, authorization: &[u8], proof: &[u8]) -> bool {
    let mut request = request("x", "x");
    let (Ok(authorization), Ok(proof)) =
        (http::HeaderValue::from_bytes(authorization), http::HeaderValue::from_bytes(proof))
    else {
        return false; // HTTP itself refuses it
    };
    request.headers_mut().insert("authorization", authorization);
    request.headers_mut().insert("dpop", proof);
    let answer = runtime.block_on(api.send(request));
    assert!(answer.status != 500, "ERR-17");
    answer.status == 200
}

/// Every change of one byte of the token or of the proof: each position, several values.
#[test]
fn dpop_10_jose_21_no_change_of_one_byte_passes() {
    let runtime = Runtime::new().unwrap();
    let api = api_with(no_store); // so that it is not the replay store that refuses
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let authorization = format!("DPoP {token}");
    assert!(passes(&runtime, &api, authorization.as_bytes(), proof.as_bytes()), "the twin");
    for at in 0..proof.len() {
        for flip in [1, 2, 0x20, 0x80] {
            let mut changed = proof.clone().into_bytes();
            changed[at] ^= flip;
            assert!(!passes(&runtime, &api, authorization.as_bytes(), &changed), "proof, byte {at} ^ {flip}");
        }
        let shortened = [&proof[..at], &proof[at + 1..]].concat();
        assert!(!passes(&runtime, &api, authorization.as_bytes(), shortened.as_bytes()), "proof without byte {at}");
    }
    for at in 5..authorization.len() {
        for flip in [1, 2, 0x20, 0x80] {
            let mut changed = authorization.clone().into_bytes();
            changed[at] ^= flip;
            assert!(!passes(&runtime, &api, &changed, proof.as_bytes()), "token, byte {at} ^ {flip}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// ERR-17: no header value whatever makes the pipeline panic or pass.
    #[test]
    fn err_17_arbitrary_headers_never_panic_and_never_pass(
        authorization in prop_oneof![".*", "DPoP .*", "(DPoP|Bearer) [A-Za-z0-9._=-]{0,60}"],
        proof in prop_oneof![".*", "[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,90}"],
        method in "[A-Z]{1,8}",
        path in "/[a-zA-Z0-9/._%-]{0,20}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let api = shared();
        let mut request = request("x", "x");
        if let Ok(value) = http::HeaderValue::from_bytes(authorization.as_bytes()) {
            request.headers_mut().insert("authorization", value);
        }
        if let Ok(value) = http::HeaderValue::from_bytes(proof.as_bytes()) {
            request.headers_mut().insert("dpop", value);
        }
        *request.method_mut() = method.parse().unwrap();
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        let answer = runtime.block_on(api.send(request));
        prop_assert!(answer.status.is_client_error(), "{} {:?}", answer.status, answer.code);
    }

    /// ERR-17: claims of any JSON shape, validly signed.
    #[test]
    fn err_17_arbitrary_signed_claims_never_panic(
        name in prop::sample::select(vec!["jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"]),
        value in json(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let api = shared();
        let answer = runtime.block_on(api.with_proof(|proof| proof.claim(name, value.clone())));
        prop_assert!(answer.status == 200 || answer.status == 401);
    }
}

fn shared() -> &'static Api {
    static API: std::sync::OnceLock<Api> = std::sync::OnceLock::new();
    API.get_or_init(api)
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,5}", inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}
