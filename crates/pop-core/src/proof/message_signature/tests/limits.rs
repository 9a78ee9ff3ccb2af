//! Bounds on what a signature may ask for (SIG-28).

use super::{COMPONENTS, NOW, PARAMETERS, error, headers, origin, parsed};
use crate::SignatureError as E;
use crate::jose::SharedKey;
use crate::policy::SignaturePolicy;
use crate::proof::PopKey;
use crate::proof::message_signature::{MessageSignature, SignatureProfile};
use crate::request::RequestHead;

/// SIG-28: each bound, and one more.
#[test]
fn rejects_more_signatures_components_and_parameters_than_the_bounds() {
    let good = format!("s=({COMPONENTS}){PARAMETERS}");
    let labels = |count: usize| {
        let others = (1..count).map(|at| format!(", o{at}=()")).collect::<String>();
        let signatures = (1..count).map(|at| format!("o{at}=::")).collect::<Vec<_>>().join(", ");
        error(SignatureProfile::HttpSig, &format!("{good}{others}"), &[("signature", &signatures)])
    };
    assert_eq!((labels(8), labels(9), labels(1000)), (None, Some(E::TooLarge), Some(E::TooLarge)));
    let components = |count: usize| {
        let others = (3..count).map(|at| format!(" \"x{at}\"")).collect::<String>();
        error(SignatureProfile::HttpSig, &format!("s=({COMPONENTS}{others}){PARAMETERS}"), &[])
    };
    assert_eq!((components(32), components(33), components(1000)), (None, Some(E::TooLarge), Some(E::TooLarge)));
    let parameters = |count: usize| {
        let others = (3..count).map(|at| format!(";x{at}")).collect::<String>();
        error(SignatureProfile::HttpSig, &format!("{good}{others}"), &[])
    };
    assert_eq!((parameters(16), parameters(17), parameters(1000)), (None, Some(E::TooLarge), Some(E::TooLarge)));
    let component = format!("s=({COMPONENTS} \"x\"{}){PARAMETERS}", ";a".repeat(17));
    assert_eq!(error(SignatureProfile::HttpSig, &component, &[]), Some(E::Malformed), "twice the same");
    let component: String = (0..17).map(|at| format!(";a{at}")).collect();
    let component = format!("s=({COMPONENTS} \"x\"{component}){PARAMETERS}");
    assert_eq!(error(SignatureProfile::HttpSig, &component, &[]), Some(E::TooLarge));
}

/// SIG-28: in one line, or in many.
#[test]
fn rejects_fields_that_are_too_long() {
    let with = |len: usize| {
        let padding = "x".repeat(len);
        error(SignatureProfile::HttpSig, &format!("s=({COMPONENTS}){PARAMETERS};x=\"{padding}\""), &[])
    };
    assert_eq!((with(16_000), with(16_384)), (None, Some(E::TooLarge)));
    let lines = vec![("signature", ""); 10_000];
    let good = format!("s=({COMPONENTS}){PARAMETERS}");
    assert_eq!(error(SignatureProfile::HttpSig, &good, &lines), Some(E::TooLarge));
}

fn verify(component: &str, further: &[(&str, &str)], policy: &SignaturePolicy) -> E {
    let input = format!("s=({COMPONENTS} {component});created={NOW};nonce=\"n\";tag=\"oauth-pop-hmac\"");
    let fields =
        [&[("authorization", "PoP t"), ("signature-input", &*input), ("signature", "s=:AA==:")], further].concat();
    let (headers, origin) = (headers(&fields), origin());
    let query = format!("/notes?id=1&{}", "a=b&".repeat(1000));
    let head = RequestHead::new("GET", &origin, &query, &headers, NOW);
    let signature = MessageSignature::parse(SignatureProfile::Hmac, &head, policy).unwrap();
    let key = SharedKey::new([7; 32]).unwrap();
    signature.verify_signature(PopKey::Shared(&key), &head, policy).unwrap_err()
}

/// SIG-28: a base within the limit is made, and then the signature is wrong.
#[test]
fn rejects_a_base_that_is_longer_than_the_limit() {
    let long = "x".repeat(4000);
    let policy = |max_base_len| SignaturePolicy { max_base_len, ..SignaturePolicy::default() };
    for (max_base_len, expected) in [(16_000, E::Invalid), (8_000, E::TooLarge), (0, E::TooLarge)] {
        assert_eq!(verify(r#""long""#, &[("long", &long)], &policy(max_base_len)), expected, "{max_base_len}");
    }
}

/// SIG-28: reading one long field or query over and over again.
#[test]
fn rejects_many_parts_of_one_long_value() {
    let policy = SignaturePolicy { max_base_len: 20_000, ..SignaturePolicy::default() };
    let dictionary = (0..500).map(|at| format!("k{at}=1")).collect::<Vec<_>>().join(", ");
    let members = |count: usize| (0..count).map(|at| format!(r#""long";key="k{at}" "#)).collect::<String>();
    assert_eq!(verify(members(4).trim_end(), &[("long", &dictionary)], &policy), E::Invalid);
    assert_eq!(verify(members(29).trim_end(), &[("long", &dictionary)], &policy), E::TooLarge);
    let once = r#""@query-param";name="id""#;
    let policy = SignaturePolicy { max_base_len: 7_000, ..SignaturePolicy::default() };
    assert_eq!(verify(once, &[], &policy), E::Invalid);
    assert_eq!(verify(&format!(r#"{once} "@query-param";name="b""#), &[], &policy), E::TooLarge);
}

/// SIG-10, SIG-28: the length of a nonce.
#[test]
fn rejects_a_nonce_that_is_empty_or_too_long() {
    let policy = SignaturePolicy { max_nonce_len: 4, ..SignaturePolicy::default() };
    for (nonce, expected) in [("n", None), ("nnnn", None), ("nnnnn", Some(E::NonceLength)), ("", Some(E::NonceLength))]
    {
        let input = format!("s=({COMPONENTS});created=1;nonce=\"{nonce}\";tag=\"httpsig-oauth\"");
        let fields = [("authorization", "x t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
        let error = parsed(SignatureProfile::HttpSig, &headers(&fields), &policy, |result| result.map(drop)).err();
        assert_eq!(error, expected, "{nonce:?}");
    }
}
