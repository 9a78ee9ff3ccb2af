//! Signatures of token requests, and the keys in them (draft-richer-oauth-httpsig).

use super::data::{DRAFT_P256, ED25519, all};
use super::{error, headers};
use crate::SignatureError as E;
use crate::content::content_digest;
use crate::jose::crypto::CryptoBackend;
use crate::jose::{Algorithm, JsonLimits, Jwk, Object, PublicKey, RsaLimits, decode};
use crate::policy::SignaturePolicy;
use crate::proof::message_signature::{MessageSignature, RuntimeKey, SignatureProfile};
use crate::request::RequestHead;
use crate::target::Origin;

const PROFILE: SignatureProfile = SignatureProfile::TokenRequest;
const COMPONENTS: &str = r#""@method" "@target-uri" "content-digest" "authorization""#;
const DIGEST: (&str, &str) = ("content-digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
/// The point of the P-256 key of the draft, as its `htsk` has it.
const POINT: &str = "BEeGE9d0WuH6ywh--QXTOdzhB2Iv2GNnkIEeNwVlkKVcUFVFPBGODokYW06OXCqDskhZSU3RpUI6fR8_OCz2doo";

fn jwk(json: &str) -> Jwk {
    Jwk::parse(&Object::parse(json.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default()).unwrap()
}

fn signature(components: &str, parameters: &str) -> Option<E> {
    error(PROFILE, &format!("s=({components}){parameters};tag=\"{}\"", PROFILE.tag()), &[DIGEST])
}

/// AS-23, SIG-10: a key is registered, or comes with its algorithm.
#[test]
fn a_signature_of_a_token_request_names_its_key_in_one_way() {
    let (forbidden, missing) = (|name| Some(E::ForbiddenParameter(name)), |name| Some(E::MissingParameter(name)));
    for (row, parameters, expected) in [
        ("registered", ";created=1;nonce=\"n\";keyid=\"k\"", None),
        ("in the signature", ";created=1;nonce=\"n\";alg=\"ed25519\";pub=:AA==:", None),
        ("keyid and alg", ";created=1;nonce=\"n\";keyid=\"k\";alg=\"ed25519\"", forbidden("alg")),
        ("keyid and pub", ";created=1;nonce=\"n\";keyid=\"k\";pub=:AA==:", forbidden("pub")),
        ("all three", ";created=1;nonce=\"n\";keyid=\"k\";alg=\"ed25519\";pub=:AA==:", forbidden("pub")),
        ("an empty keyid", ";created=1;nonce=\"n\";keyid=\"\";pub=:AA==:", forbidden("pub")),
        ("no pub", ";created=1;nonce=\"n\";alg=\"ed25519\"", missing("pub")),
        ("no alg", ";created=1;nonce=\"n\";pub=:AA==:", missing("alg")),
        ("no key", ";created=1;nonce=\"n\"", missing("alg")),
        ("no created", ";nonce=\"n\";keyid=\"k\"", missing("created")),
        ("no nonce", ";created=1;keyid=\"k\"", missing("nonce")),
        ("an empty nonce", ";created=1;nonce=\"\";keyid=\"k\"", Some(E::NonceLength)),
    ] {
        assert_eq!(signature(COMPONENTS, parameters), expected, "AS-23 {row}");
    }
}

/// AS-23: and no form of a field counts as the field.
#[test]
fn a_signature_of_a_token_request_covers_the_content_and_the_client_authentication() {
    let parameters = ";created=1;nonce=\"n\";keyid=\"k\"";
    for (components, missing) in [
        (COMPONENTS, None),
        (r#""authorization" "content-digest" "@target-uri" "@method" "date""#, None),
        (r#""@target-uri" "content-digest" "authorization""#, Some("@method")),
        (r#""@method" "content-digest" "authorization""#, Some("@target-uri")),
        (r#""@method" "@authority" "@path" "@query" "content-digest" "authorization""#, Some("@target-uri")),
        (r#""@method" "@target-uri" "authorization""#, Some("content-digest")),
        (r#""@method" "@target-uri" "authorization" "content-digest";bs"#, Some("content-digest")),
        (r#""@method" "@target-uri" "content-digest""#, Some("authorization")),
        (r#""@method" "@target-uri" "content-digest" "authorization";bs"#, Some("authorization")),
    ] {
        assert_eq!(signature(components, parameters), missing.map(E::NotCovered), "AS-23 {components}");
    }
    // `error` sends `Authorization`. Without it, it need not be covered.
    let input = format!(r#"s=("@method" "@target-uri" "content-digest"){parameters};tag="{}""#, PROFILE.tag());
    let fields = headers(&[("signature-input", &*input), ("signature", "s=:AA==:"), DIGEST]);
    let origin = super::origin();
    let head = RequestHead::new("POST", &origin, "/token", &fields, 1);
    MessageSignature::parse(PROFILE, &head, &SignaturePolicy::default()).unwrap();
    let absent = error(PROFILE, &format!("s=({COMPONENTS}){parameters};tag=\"{}\"", PROFILE.tag()), &[]);
    assert_eq!(absent, Some(E::ComponentMissing), "AS-23 a digest that is covered but not sent");
}

/// AS-23: another tag is another use, even if one tag is the beginning of the other.
#[test]
fn a_token_request_has_one_signature_with_the_tag() {
    let member =
        |label: &str, tag: &str| format!("{label}=({COMPONENTS});created=1;nonce=\"n\";keyid=\"k\";tag=\"{tag}\"");
    let own = member("s", PROFILE.tag());
    for (row, second, expected) in [
        ("the same tag", member("o", PROFILE.tag()), Some(E::Inconsistent)),
        ("another tag", member("o", "httpsig-oauth"), None),
        ("no tag", "o=()".to_owned(), None),
    ] {
        let both = [("signature", "o=:AA==:"), DIGEST];
        assert_eq!(error(PROFILE, &format!("{own}, {second}"), &both), expected, "AS-23 {row}");
    }
    let fields = headers(&[("signature-input", &*own), ("signature", "s=:AA==:")]);
    assert!(MessageSignature::is_present(&fields, PROFILE));
    assert!(!MessageSignature::is_present(&fields, SignatureProfile::HttpSig), "AS-23");
}

/// AS-23: one encoding for each algorithm.
#[test]
fn reads_a_key_in_its_one_encoding() {
    let point = decode(POINT).unwrap();
    let changed = |at: usize, value: u8| {
        let mut changed = point.clone();
        changed[at] = value;
        changed
    };
    let p384 = [&[4][..], &[1; 96]].concat();
    let (length, algorithm) = (Err(E::InvalidParameter("pub")), Err(E::Algorithm));
    for (row, alg, bytes, expected) in [
        ("P-256", "ecdsa-p256-sha256", point.clone(), Ok(Algorithm::ES256)),
        ("P-384", "ecdsa-p384-sha384", p384.clone(), Ok(Algorithm::ES384)),
        ("Ed25519", "ed25519", vec![7; 32], Ok(Algorithm::Ed25519)),
        ("a P-256 point as P-384", "ecdsa-p384-sha384", point.clone(), length),
        ("a P-384 point as P-256", "ecdsa-p256-sha256", p384, length),
        ("a point as Ed25519", "ed25519", point.clone(), length),
        ("empty", "ed25519", Vec::new(), length),
        ("Ed25519 short", "ed25519", vec![7; 31], length),
        ("Ed25519 long", "ed25519", vec![7; 33], length),
        ("P-256 short", "ecdsa-p256-sha256", point[..64].to_vec(), length),
        ("P-256 long", "ecdsa-p256-sha256", [&*point, &[0]].concat(), length),
        ("a point without its first byte", "ecdsa-p256-sha256", point[1..].to_vec(), length),
        ("a compressed point", "ecdsa-p256-sha256", [&[2], &point[1..33]].concat(), length),
        ("a compressed point of full length", "ecdsa-p256-sha256", changed(0, 2), length),
        ("a hybrid point", "ecdsa-p256-sha256", changed(0, 6), length),
        ("very long", "ecdsa-p256-sha256", vec![4; 4096], length),
        ("RSA", "rsa-pss-sha512", vec![7; 256], algorithm),
        ("RSA", "rsa-v1_5-sha256", vec![7; 256], algorithm),
        ("HMAC", "hmac-sha256", vec![7; 32], algorithm),
        ("a JOSE name", "ES256", point.clone(), algorithm),
        ("upper case", "ED25519", vec![7; 32], algorithm),
        ("no name", "", vec![7; 32], algorithm),
    ] {
        let key = RuntimeKey::parse(alg, &bytes);
        assert_eq!(key.as_ref().map(RuntimeKey::algorithm).map_err(|error| *error), expected, "AS-23 {row}");
        if let Ok(key) = key {
            assert_eq!((key.alg(), key.as_bytes()), (alg, &*bytes), "AS-23 {row}");
            assert_eq!(RuntimeKey::new(key.key().clone(), key.algorithm()), Ok(key), "AS-23 {row}");
        }
    }
    let read = RuntimeKey::parse("ecdsa-p256-sha256", &point).unwrap();
    assert_eq!(read.key(), jwk(DRAFT_P256).key(), "V-23");
    for backend in CryptoBackend::COMPILED_IN {
        assert!(read.verifying_key(*backend).is_ok(), "AS-23 {backend:?}");
        for (row, alg, bytes) in [
            ("not on the curve", "ecdsa-p256-sha256", changed(64, point[64] ^ 1)),
            ("a small order", "ed25519", [&[1][..], &[0; 31]].concat()),
            ("not canonical", "ed25519", vec![0xFF; 32]),
        ] {
            let error = RuntimeKey::parse(alg, &bytes).unwrap().verifying_key(*backend).err();
            assert_eq!(error, Some(E::InvalidParameter("pub")), "AS-23 {row} {backend:?}");
        }
    }
}

/// AS-23: a key without an encoding, or with the algorithm of another key, is not put into a signature.
#[test]
fn keys_without_an_encoding_cannot_be_in_a_signature() {
    let (ed, ec) = (jwk(ED25519).key().clone(), jwk(DRAFT_P256).key().clone());
    let rsa = PublicKey::Rsa { n: vec![0xFF; 256].into(), e: vec![1, 0, 1].into() };
    for (key, algorithm, expected) in [
        (&ed, Algorithm::Ed25519, Ok(Algorithm::Ed25519)),
        (&ed, Algorithm::EdDSA, Ok(Algorithm::Ed25519)),
        (&ec, Algorithm::ES256, Ok(Algorithm::ES256)),
        (&ec, Algorithm::ES384, Err(E::Algorithm)),
        (&ec, Algorithm::ES512, Err(E::Algorithm)),
        (&ec, Algorithm::Ed25519, Err(E::Algorithm)),
        (&rsa, Algorithm::RS256, Err(E::Algorithm)),
        (&rsa, Algorithm::PS512, Err(E::Algorithm)),
    ] {
        let made = RuntimeKey::new(key.clone(), algorithm).map(|key| key.algorithm());
        assert_eq!(made, expected, "AS-23 {key:?} {algorithm}");
    }
}

/// V-22, AS-23: the token requests of the draft, with the digest of their body.
#[test]
fn the_token_requests_of_the_draft_are_accepted() {
    let body = concat!(
        "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA",
        "&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb",
    );
    assert_eq!(content_digest(body.as_bytes()), "sha-256=:4fEzRVTGqfZg7lqf/d3oxXu837pvb3L0GN24+F1VkZk=:", "V-22");
    let policy = SignaturePolicy::default();
    let printed = all(CryptoBackend::default());
    let printed: Vec<_> = printed.iter().filter(|(row, ..)| row.starts_with("V-22")).collect();
    assert_eq!(printed.len(), 2);
    for (row, message, key) in printed {
        let (fields, origin) = (message.headers(), Origin::parse(message.origin).unwrap());
        let head = RequestHead::new(message.method, &origin, &message.path, &fields, 1_618_884_473);
        let signature = MessageSignature::parse(PROFILE, &head, &policy).unwrap();
        assert_eq!(signature.check_time(&policy, head.now()), Ok(()), "AS-23 {row}");
        assert_eq!(signature.verify_signature(key.as_pop(), &head, &policy), Ok(()), "AS-23 {row}");
        let content = signature.expected_content().unwrap();
        assert!(content.check(body.as_bytes()).is_ok() && content.check(b"").is_err(), "AS-23 {row}");
        assert_eq!((signature.runtime_key(), signature.keyid().is_some()), (Ok(None), true), "AS-23 {row}");
        let other = MessageSignature::parse(SignatureProfile::HttpSig, &head, &policy).err();
        assert_eq!(other, Some(E::Missing), "SIG-04 {row}");
    }
}
