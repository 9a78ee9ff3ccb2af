//! Properties of the whole pipeline.

use pop_core::jose::{CertThumbprint, encode_standard};
use proptest::prelude::*;
use proptest::string::string_regex;
use tokio::runtime::Runtime;
use tower_pop::{CertificateFormat, PopConfigBuilder};

use crate::support::{Api, api, api_with, request};

fn no_store(builder: PopConfigBuilder) -> PopConfigBuilder {
    builder.dangerous().without_replay_store()
}

fn passes(runtime: &Runtime, api: &Api, authorization: &[u8], proof: &[u8]) -> bool {
    let mut request = request("x", "x");
    let (Ok(authorization), Ok(proof)) =
        (http::HeaderValue::from_bytes(authorization), http::HeaderValue::from_bytes(proof))
    else {
        return false; // not a valid field value in HTTP
    };
    request.headers_mut().insert("authorization", authorization);
    request.headers_mut().insert("dpop", proof);
    let answer = runtime.block_on(api.send(request));
    assert!(answer.status != 500, "ERR-17");
    answer.status == 200
}

/// DPOP-10, JOSE-21: each position of the token and of the proof, with several values.
#[test]
fn rejects_every_change_of_one_byte() {
    let runtime = Runtime::new().unwrap();
    let api = api_with(no_store); // so that it is not the replay store that rejects
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

    /// ERR-17: no header value makes the pipeline panic or pass.
    #[test]
    fn arbitrary_headers_never_panic_and_never_pass(
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
    fn arbitrary_signed_claims_never_panic(
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

/// A name as Envoy writes it into `Subject`: every character that means something there has a backslash (RFC 2253).
fn subject(name: &str) -> String {
    let escaped = name.chars().flat_map(|c| (",+\"\\<>;".contains(c)).then_some('\\').into_iter().chain([c]));
    format!("CN={}", escaped.collect::<String>())
}

/// An element of `X-Forwarded-Client-Cert` as Envoy writes it, with names that the owner of the certificate chose, and its
/// certificate.
fn element(raw_names: bool) -> impl Strategy<Value = (String, CertThumbprint)> {
    let crafted = format!("x?\"?[,;](Hash={VICTIM}|Chain=)[;,\"]?");
    let name = move || prop_oneof!["[ -~]{0,12}", "[,;=\"\\\\ xBD]{0,8}", string_regex(&crafted).unwrap()];
    let subject_name = if raw_names { name().boxed() } else { "[A-Za-z ,;+\"\\\\<>0-9]{0,12}".boxed() };
    let most = if raw_names { 2 } else { 0 };
    let keys = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let names = (proptest::option::of(subject_name), proptest::collection::vec(("(URI|DNS)", name()), 0..=most));
    (any::<[u8; 12]>(), keys, names).prop_map(|(der, (by, hash, cert, chain), (name, others))| {
        let thumbprint = CertThumbprint::of_der(&der);
        let pem = format!(
            "-----BEGIN%20CERTIFICATE-----%0A{}%0A-----END%20CERTIFICATE-----%0A",
            encode_standard(der).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
        );
        let digest: String = thumbprint.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut pairs = Vec::new();
        pairs.extend(by.then(|| "By=spiffe://api".to_owned()));
        pairs.extend((hash || !cert).then(|| format!("Hash={digest}")));
        pairs.extend(cert.then(|| format!("Cert=\"{pem}\"")));
        pairs.extend(chain.then(|| format!("Chain=\"{pem}{pem}\"")));
        pairs.extend(name.map(|name| format!("Subject=\"{}\"", subject(&name))));
        pairs.extend(others.into_iter().map(|(key, name)| format!("{key}={name}")));
        (pairs.join(";"), thumbprint)
    })
}

const VICTIM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// What a client that holds no such certificate sends in the field.
fn forged() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(format!("Hash={VICTIM}")),
        "(By|Cert|Chain|Subject|URI|DNS)=\"?[a-z%]{0,3}\"?",
        "[,;=\"\\\\ ]",
        "[ -~\u{e9}\t]{0,4}",
    ];
    let opened = format!("Hash={VICTIM};(Subject|URI|DNS|Cert|Chain)=\"[,;\"\\\\ x]{{0,3}}");
    prop_oneof![
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        string_regex(&opened).unwrap()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// MTLS-14, X-56: whatever a client sends, what a proxy appends to it reads as the proxy's element or not at all.
    #[test]
    fn no_client_can_change_what_a_proxy_appends(
        (own, thumbprint) in element(true),
        forged in forged(),
        separator in "(,|, )",
    ) {
        let appended = format!("{forged}{separator}{own}");
        let read = CertificateFormat::XfccList.read(appended.as_bytes());
        prop_assert!(read.is_err() || read == Ok(Some(thumbprint)), "{appended}: {read:?}");
        let read = CertificateFormat::Xfcc.read(appended.as_bytes());
        prop_assert!(read.is_err(), "a list, and lists are not accepted: {appended}: {read:?}");
        for format in [CertificateFormat::Xfcc, CertificateFormat::XfccList] {
            let read = format.read(own.as_bytes());
            prop_assert!(read.is_err() || read == Ok(Some(thumbprint)), "{own}: {read:?}");
        }
    }

    /// MTLS-14, the twin: elements with ordinary names are read, alone and behind another one.
    #[test]
    fn reads_every_element_with_ordinary_names(
        (own, thumbprint) in element(false),
        name in "[a-z0-9:/.?=-]{0,20}",
        (before, _) in element(false),
    ) {
        let own = format!("{own};URI={name};DNS={name}");
        prop_assert_eq!(CertificateFormat::Xfcc.read(own.as_bytes()), Ok(Some(thumbprint)), "{}", own);
        let list = format!("{before},{own}");
        prop_assert_eq!(CertificateFormat::XfccList.read(list.as_bytes()), Ok(Some(thumbprint)), "{}", list);
    }
}
