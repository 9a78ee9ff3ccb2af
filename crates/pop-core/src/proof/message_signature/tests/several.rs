//! Signatures that are made and verified: one, and several with the same tag.

use http::{HeaderMap, HeaderValue};

use super::{NOW, headers, origin};
use crate::SignatureError as E;
use crate::jose::SharedKey;
use crate::policy::{SignaturePolicy, SignedContent};
use crate::proof::PopKey;
use crate::proof::message_signature::{MessageSignature, SignError, SignatureParameters, SignatureProfile, sign};
use crate::request::RequestHead;

const COMPONENTS: &[&str] = &["@method", "@target-uri", "authorization", r#""@query-param";name="id""#];
const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

fn key() -> SharedKey {
    SharedKey::new([7; 32]).unwrap()
}

fn parameters<'p>(nonce: &'p str) -> SignatureParameters<'p> {
    SignatureParameters::of(SignatureProfile::Hmac, NOW).nonce(nonce)
}

/// Adds a signature to a request.
fn add(
    headers: &mut HeaderMap,
    label: &str,
    components: &[&str],
    parameters: &SignatureParameters<'_>,
    key: &SharedKey,
) {
    let origin = origin();
    let head = RequestHead::new("POST", &origin, "/notes?id=1", headers, NOW);
    let sign = sign(&head, label, components, parameters, |base| Ok::<_, ()>(key.sign(base).to_vec()));
    let (input, signature) = sign.unwrap();
    headers.append("signature-input", input);
    headers.append("signature", signature);
}

fn verify(headers: &HeaderMap, method: &str, target: &str) -> Result<(), E> {
    let (origin, policy) = (origin(), SignaturePolicy { content: SignedContent::Off, ..SignaturePolicy::default() });
    let head = RequestHead::new(method, &origin, target, headers, NOW);
    let signature = MessageSignature::parse(SignatureProfile::Hmac, &head, &policy)?;
    signature.check_time(&policy, NOW)?;
    signature.verify_signature(PopKey::Shared(&key()), &head, &policy)
}

fn unsigned() -> HeaderMap {
    headers(&[("authorization", "PoP t"), ("content-digest", DIGEST), ("accept", "a"), ("accept", "b")])
}

fn signed() -> HeaderMap {
    let mut headers = unsigned();
    add(&mut headers, "s", &[COMPONENTS, &["accept"]].concat(), &parameters("n"), &key());
    headers
}

/// SYM-07, SYM-09, SIG-16, SIG-21, SIG-30: each covered value is changed in turn.
#[test]
fn a_signature_holds_for_its_request_alone() {
    assert_eq!(verify(&signed(), "POST", "/notes?id=1"), Ok(()));
    for (row, method, target, expected) in [
        ("SIG-20 another method", "GET", "/notes?id=1", E::Invalid),
        ("SIG-20 a method in lower case", "post", "/notes?id=1", E::Invalid),
        ("SIG-21 another path", "POST", "/note?id=1", E::Invalid),
        ("SIG-21 an equivalent path", "POST", "/%6Eotes?id=1", E::Invalid),
        ("SIG-21 another query", "POST", "/notes?id=2", E::Invalid),
        ("SIG-21 a longer query", "POST", "/notes?id=1&x", E::Invalid),
        ("SIG-21 no query", "POST", "/notes", E::ComponentMissing),
        ("SIG-22 a parameter twice", "POST", "/notes?id=1&id=1", E::ComponentValue),
    ] {
        assert_eq!(verify(&signed(), method, target), Err(expected), "{row}");
    }
    type Change = fn(&mut HeaderMap);
    let changes: [(&str, Change, Result<(), E>); 7] = [
        (
            "another token",
            |headers| drop(headers.insert("authorization", HeaderValue::from_static("PoP u"))),
            Err(E::Invalid),
        ),
        ("no token", |headers| drop(headers.remove("authorization")), Err(E::ComponentMissing)),
        ("one more line", |headers| assert!(headers.append("accept", HeaderValue::from_static("c"))), Err(E::Invalid)),
        ("one line", |headers| drop(headers.insert("accept", HeaderValue::from_static("a, b"))), Ok(())),
        ("an uncovered field", |headers| drop(headers.remove("content-digest")), Ok(())),
        ("a new field", |headers| drop(headers.insert("x", HeaderValue::from_static("y"))), Ok(())),
        (
            "another label",
            |headers| {
                for name in ["signature-input", "signature"] {
                    let value = headers[name].to_str().unwrap().replacen("s=", "other=", 1);
                    headers.insert(name, value.parse().unwrap());
                }
            },
            Ok(()),
        ),
    ];
    for (row, change, expected) in changes {
        let mut headers = signed();
        change(&mut headers);
        assert_eq!(verify(&headers, "POST", "/notes?id=1"), expected, "{row}");
    }
}

/// SYM-09: the MAC is compared as a whole.
#[test]
fn no_other_mac_is_accepted() {
    let key = key();
    let with = |mac: &dyn Fn([u8; 32]) -> Vec<u8>| {
        let (origin, mut headers) = (origin(), unsigned());
        let head = RequestHead::new("POST", &origin, "/notes?id=1", &headers, NOW);
        let sign = sign(&head, "s", COMPONENTS, &parameters("n"), |base| Ok::<_, ()>(mac(key.sign(base))));
        let (input, signature) = sign.unwrap();
        headers.insert("signature-input", input);
        headers.insert("signature", signature);
        verify(&headers, "POST", "/notes?id=1")
    };
    assert_eq!(with(&|mac| mac.to_vec()), Ok(()));
    for len in 0..32 {
        assert_eq!(with(&|mac| mac[..len].to_vec()), Err(E::Invalid), "{len} bytes");
        assert_eq!(
            with(&|mut mac| {
                mac[len] ^= 1;
                mac.to_vec()
            }),
            Err(E::Invalid),
            "byte {len}"
        );
    }
    assert_eq!(with(&|mac| [mac, mac].concat()), Err(E::Invalid));
}

/// SIG-05, X-60: every signature with the tag must be valid on its own, and consistent with the others.
#[test]
fn every_signature_with_the_tag_must_be_valid() {
    let own = key();
    let other_key = SharedKey::new([8; 32]).unwrap();
    let n = parameters("n");
    let with_digest = [COMPONENTS, &["content-digest"]].concat();
    for (row, components, parameters, key, expected) in [
        ("two", COMPONENTS, n, &own, Ok(())),
        ("one by another key", COMPONENTS, n, &other_key, Err(E::Invalid)),
        ("another tag, another key", COMPONENTS, n.tag("other"), &other_key, Ok(())),
        ("another tag covers nothing", &[], n.tag("other"), &other_key, Ok(())),
        ("one covers less", &COMPONENTS[..2], n, &own, Err(E::NotCovered("authorization"))),
        ("one covers the content", &with_digest, n, &own, Err(E::NotCovered("content-digest"))),
        ("one with another nonce", COMPONENTS, n.nonce("m"), &own, Err(E::Inconsistent)),
        (
            "one too old",
            COMPONENTS,
            SignatureParameters { created: Some(1), ..n },
            &own,
            Err(E::TooOld { age: NOW - 1 }),
        ),
        ("one expired", COMPONENTS, n.expires(1), &own, Err(E::Expired { ago: NOW - 1 })),
        ("one with alg", COMPONENTS, n.alg("hmac-sha256"), &own, Err(E::ForbiddenParameter("alg"))),
    ] {
        for (first, second) in [("s", "t"), ("t", "s")] {
            let mut headers = unsigned();
            if first == "s" {
                add(&mut headers, "s", COMPONENTS, &n, &own);
                add(&mut headers, "t", components, &parameters, key);
            } else {
                add(&mut headers, second, components, &parameters, key);
                add(&mut headers, first, COMPONENTS, &n, &own);
            }
            assert_eq!(verify(&headers, "POST", "/notes?id=1"), expected, "SIG-05 {row} {first}");
        }
    }
}

/// SIG-04, SIG-26: with an optional nonce and key, several must still agree.
#[test]
fn several_additions_agree_in_nonce_and_key() {
    let first = r#"s=("@method" "@target-uri" "authorization");created=5;tag="fapi-2-request""#;
    for (row, parameters, expected) in [
        ("the same", ";created=9", None),
        ("a nonce", ";created=9;nonce=\"n\"", Some(E::Inconsistent)),
        ("a key", ";created=9;keyid=\"k\"", Some(E::Inconsistent)),
    ] {
        let second =
            format!(r#"t=("@method" "@target-uri" "authorization" "accept"){parameters};tag="fapi-2-request""#);
        let fields = [("signature-input", first), ("signature-input", &*second), ("signature", "s=::, t=::")];
        super::parsed(
            SignatureProfile::Request,
            &headers(&fields),
            &SignaturePolicy::default(),
            |result| match result {
                Ok(signature) => {
                    assert_eq!(expected, None, "{row}");
                    assert_eq!(signature.created(), 9, "the newest bounds the time in which a replay is possible");
                    let covered: Vec<_> = signature.covered().collect();
                    assert_eq!(covered, ["@method", "@target-uri", "authorization", "accept"], "each once");
                    assert_eq!(signature.signature_input().count(), 2);
                }
                Err(error) => assert_eq!(Some(error), expected, "{row}"),
            },
        );
    }
}

/// CLI-16.
#[test]
fn signs_only_what_can_be_signed() {
    let (origin, headers) = (origin(), unsigned());
    let head = RequestHead::new("POST", &origin, "/notes?id=1", &headers, NOW);
    let sign = |label: &str, components: &[&str], parameters: &SignatureParameters<'_>| {
        sign(&head, label, components, parameters, |_| Ok::<_, ()>(vec![1, 2, 3]))
    };
    let all =
        SignatureParameters::of(SignatureProfile::HttpSig, 1).nonce("n\"\\").keyid("k").alg("a").expires(2).jti("j");
    let (input, signature) = sign("sig1", COMPONENTS, &all).unwrap();
    let expected = concat!(
        r#"sig1=("@method" "@target-uri" "authorization" "@query-param";name="id");created=1;expires=2;keyid="k";alg="a""#,
        r#";nonce="n\"\\";tag="httpsig-oauth";jti="j""#,
    );
    assert_eq!((input.to_str().unwrap(), signature.to_str().unwrap()), (expected, "sig1=:AQID:"));
    assert_eq!(sign("s", &[], &SignatureParameters::default()).unwrap().0, "s=()");
    for (row, label, components, parameters, expected) in [
        ("a label in upper case", "Sig", COMPONENTS, all, E::Labels),
        ("no label", "", COMPONENTS, all, E::Labels),
        ("an unknown component", "s", &["@status"], all, E::Component),
        ("no field", "s", &["absent"], all, E::ComponentMissing),
        ("twice", "s", &["accept", "accept"], all, E::ComponentDuplicated),
        ("not an identifier", "s", &["\"accept"], all, E::Component),
        ("a token", "s", &["\"a\", \"b\""], all, E::Component),
        ("not ASCII", "s", COMPONENTS, all.nonce("\u{e9}"), E::InvalidParameter("nonce")),
        ("too large", "s", COMPONENTS, all.expires(u64::MAX), E::InvalidParameter("expires")),
    ] {
        assert_eq!(sign(label, components, &parameters), Err(SignError::Request(expected)), "{row}");
    }
    let failed = super::super::sign(&head, "s", COMPONENTS, &all, |_| Err("no key"));
    assert_eq!(failed, Err(SignError::Key("no key")));
    assert_eq!(format!("{all:?}"), r#"SignatureParameters { created: Some(1), tag: Some("httpsig-oauth"), .. }"#);
}

/// SIG-12, SIG-15: every algorithm, those without a name in RFC 9421 included, under both backends. Only ML-DSA is rejected even
/// if the policy names it.
#[cfg(feature = "signing")]
#[test]
fn every_algorithm_of_the_policy_verifies_what_it_signed() {
    use crate::jose::crypto::{CryptoBackend, VerifyingKey};
    use crate::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, SigningKey};

    let origin = origin();
    for algorithm in Algorithm::compiled_in() {
        let key = SigningKey::generate(algorithm).unwrap();
        let mut headers = unsigned();
        let head = RequestHead::new("GET", &origin, "/notes?id=1", &headers, NOW);
        let parameters = SignatureParameters::of(SignatureProfile::HttpSig, NOW).nonce("n");
        let (input, signature) = sign(&head, "s", COMPONENTS, &parameters, |base| key.sign(base)).unwrap();
        headers.insert("signature-input", input);
        headers.insert("signature", signature);
        let jwk = key.public_jwk().to_string();
        let jwk = Jwk::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default()).unwrap();
        for backend in CryptoBackend::COMPILED_IN.iter().filter(|backend| backend.verifies(algorithm)) {
            let public = VerifyingKey::new(jwk.key(), algorithm, *backend).unwrap();
            let verify = |policy: &SignaturePolicy, target| {
                let head = RequestHead::new("GET", &origin, target, &headers, NOW);
                let signature = MessageSignature::parse(SignatureProfile::HttpSig, &head, policy).unwrap();
                signature.verify_signature(PopKey::Public(&public), &head, policy)
            };
            let mut policy = SignaturePolicy { content: SignedContent::Off, ..SignaturePolicy::default() };
            let named = policy.algorithms.contains(algorithm);
            let expected = if named { Ok(()) } else { Err(E::Algorithm) };
            assert_eq!(verify(&policy, "/notes?id=1"), expected, "SIG-15 {algorithm} {backend:?}");
            policy.algorithms = policy.algorithms.with(algorithm);
            let (expected, altered) =
                if algorithm.is_ml_dsa() { (Err(E::Algorithm), E::Algorithm) } else { (Ok(()), E::Invalid) };
            assert_eq!(verify(&policy, "/notes?id=1"), expected, "SIG-15 {algorithm} {backend:?}");
            assert_eq!(verify(&policy, "/notes?id=1&x"), Err(altered), "SIG-21 {algorithm} {backend:?}");
        }
    }
}
