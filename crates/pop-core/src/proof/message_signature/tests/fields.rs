//! The two fields, whatever a profile demands.

use super::{COMPONENTS, NOW, PARAMETERS, error, headers, parsed};
use crate::SignatureError as E;
use crate::policy::SignaturePolicy;
use crate::proof::message_signature::{MessageSignature, SignatureProfile};

fn good() -> String {
    format!("s=({COMPONENTS}){PARAMETERS}")
}

fn check(fields: &[(&str, &str)]) -> Option<E> {
    let fields = [&[("authorization", "HTTPSig t")], fields].concat();
    parsed(SignatureProfile::HttpSig, &headers(&fields), &SignaturePolicy::default(), |result| result.map(drop)).err()
}

/// SIG-01, SIG-02, SIG-04, SIG-05, X-60: labels mean nothing, but must be the same in both fields.
#[test]
fn accepts_the_same_labels_in_both_fields_and_nothing_else() {
    let (good, other) = (good(), format!("o=({COMPONENTS});tag=\"other\""));
    let both = format!("{good}, {other}");
    for (row, fields, expected) in [
        ("accepted", &[("signature-input", &*good), ("signature", "s=:AA==:")][..], None),
        ("two members", &[("signature-input", &*both), ("signature", "o=:AA==:, s=:AA==:")], None),
        (
            "two lines",
            &[
                ("signature-input", &*good),
                ("signature-input", &*other),
                ("signature", "s=:AA==:"),
                ("signature", "o=::"),
            ],
            None,
        ),
        ("SIG-01 no field", &[], Some(E::Missing)),
        ("SIG-01 no Signature", &[("signature-input", &*good)], Some(E::Labels)),
        ("SIG-01 no Signature-Input", &[("signature", "s=:AA==:")], Some(E::Labels)),
        ("SIG-01 another label", &[("signature-input", &*good), ("signature", "t=:AA==:")], Some(E::Labels)),
        ("SIG-01 one more", &[("signature-input", &*good), ("signature", "s=:AA==:, t=:AA==:")], Some(E::Labels)),
        ("SIG-01 one less", &[("signature-input", &*both), ("signature", "s=:AA==:")], Some(E::Labels)),
        (
            "X-60 twice in one line",
            &[("signature-input", &*good), ("signature", "s=:AA==:, s=:AA==:")],
            Some(E::Labels),
        ),
        (
            "X-60 twice in two lines",
            &[("signature-input", &*good), ("signature-input", &*good), ("signature", "s=:AA==:")],
            Some(E::Labels),
        ),
        ("SIG-02 empty", &[("signature-input", ""), ("signature", "")], Some(E::Malformed)),
        (
            "SIG-02 an empty line",
            &[("signature-input", &*good), ("signature-input", ""), ("signature", "s=:AA==:")],
            Some(E::Malformed),
        ),
        ("SIG-02 a string", &[("signature-input", &*good), ("signature", "s=\"AA==\"")], Some(E::Malformed)),
        ("SIG-02 a list", &[("signature-input", &*good), ("signature", "s=(:AA==:)")], Some(E::Malformed)),
        ("SIG-02 nothing", &[("signature-input", &*good), ("signature", "s")], Some(E::Malformed)),
        ("SIG-02 base64url", &[("signature-input", &*good), ("signature", "s=:_-8=:")], Some(E::Malformed)),
        ("SIG-02 a parameter", &[("signature-input", &*good), ("signature", "s=:AA==:;x=1")], Some(E::Malformed)),
        ("SIG-02 no end", &[("signature-input", &*good), ("signature", "s=:AA==")], Some(E::Malformed)),
        ("SIG-02 draft-cavage", &[("signature", r#"keyId="a",algorithm="b",signature="c""#)], Some(E::Labels)),
    ] {
        assert_eq!(check(fields), expected, "{row}");
    }
}

/// SIG-02: every syntax error of RFC 9651 that two readers could read differently.
#[test]
fn rejects_signature_input_that_is_not_a_dictionary_of_lists_of_strings() {
    for input in [
        r#"s=("@method)"#,
        "s=(\"@method\"\t\"@path\");created=1",
        r#"s=("@method""@path")"#,
        r#"s=("@method", "@path")"#,
        r#"s="@method""#,
        "s=(method)",
        "s=(:AA==:)",
        "s=(1)",
        "s=?1",
        "s",
        "S=()",
        "s=();created=1,",
        "s=()),",
        "s=();created=",
        "s=();created=1;created=2",
        r#"s=("x";key="a";key="b")"#,
        r#"s=("\@method")"#,
        r#"s=();Created=1"#,
        r#"s=();tag='a'"#,
        "s=();created=1234567890123456",
        "s=(\"caf\u{e9}\")",
        "s=();nonce=\"\u{1f600}\"",
        "{\"s\":[]}",
    ] {
        assert_eq!(error(SignatureProfile::HttpSig, input, &[]), Some(E::Malformed), "{input:?}");
    }
    assert_eq!(error(SignatureProfile::HttpSig, &good(), &[]), None);
}

/// SIG-17, SIG-18, SIG-19, SIG-29, X-60: components that are not components of a request, in a signature with the tag.
#[test]
fn rejects_components_that_are_not_of_a_request() {
    for (row, component, expected) in [
        ("SIG-17 of a response", r#""@status""#, E::Component),
        ("SIG-17 unknown", r#""@nothing""#, E::Component),
        ("SIG-17 unknown", r#""@""#, E::Component),
        ("SIG-17 not a component", r#""@signature-params""#, E::Component),
        ("SIG-17 in upper case", r#""@METHOD""#, E::Component),
        ("SIG-17 older drafts", r#""@query-params";name="id""#, E::Component),
        ("SIG-17 of another request", r#""@path";req"#, E::Component),
        ("SIG-17 of another request", r#""accept";req"#, E::Component),
        ("SIG-29 of a trailer", r#""accept";tr"#, E::Component),
        ("SIG-17 unknown parameter", r#""accept";x"#, E::Component),
        ("SIG-17 unknown parameter", r#""@path";sf"#, E::Component),
        ("SIG-17 no name", r#""@query-param""#, E::Component),
        ("SIG-17 name is a token", r#""@query-param";name=id"#, E::Component),
        ("SIG-17 name and another", r#""@query-param";name="id";bs"#, E::Component),
        ("SIG-17 sf and bs", r#""accept";sf;bs"#, E::Component),
        ("SIG-17 bs and key", r#""accept";bs;key="a""#, E::Component),
        ("SIG-17 sf is false", r#""accept";sf=?0"#, E::Component),
        ("SIG-17 sf is a number", r#""accept";sf=1"#, E::Component),
        ("SIG-17 key is a token", r#""accept";key=a"#, E::Component),
        ("SIG-18 upper case", r#""Accept""#, E::Component),
        ("SIG-18 empty", r#""""#, E::Component),
        ("SIG-18 not a name", r#""a b""#, E::Component),
        ("SIG-18 not a name", r#""a:""#, E::Component),
        ("SIG-18 not a name", r#""a\"b""#, E::Component),
        ("SIG-17 twice", r#""@method""#, E::ComponentDuplicated),
        ("SIG-17 twice", r#""accept" "accept""#, E::ComponentDuplicated),
        ("SIG-17 twice", r#""a";key="b";sf "a";sf;key="b""#, E::ComponentDuplicated),
        ("SIG-17 twice", r#""@query-param";name="id" "@query-param";name="id""#, E::ComponentDuplicated),
    ] {
        let input = format!("s=({COMPONENTS} {component}){PARAMETERS}");
        assert_eq!(error(SignatureProfile::HttpSig, &input, &[]), Some(expected), "{row}: {component}");
        let other = format!("{}, o=({component});tag=\"other\"", good());
        let accepted = error(SignatureProfile::HttpSig, &other, &[("signature", "o=:AA==:")]);
        assert_eq!(accepted, None, "SIG-05 another tag: {component}");
    }
    for component in [
        r#""accept""#,
        r#""accept";sf"#,
        r#""accept";bs"#,
        r#""accept";key="a""#,
        r#""accept" "accept";sf "accept";bs "accept";key="a" "accept";key="b" "accept";sf;key="a""#,
        r#""@query-param";name="id" "@query-param";name="other""#,
        r#""@scheme" "@authority" "@path" "@query" "@request-target""#,
    ] {
        let input = format!("s=({COMPONENTS} {component}){PARAMETERS}");
        assert_eq!(error(SignatureProfile::HttpSig, &input, &[]), None, "{component}");
    }
}

/// SIG-04: for the addition to DPoP, which is required only of requests that have it.
#[test]
fn a_signature_is_present_if_it_has_the_tag_or_cannot_be_read() {
    let present = |fields: &[(&str, &str)], profile| MessageSignature::is_present(&headers(fields), profile);
    let (good, tag) = (good(), SignatureProfile::HttpSig);
    assert!(!present(&[], tag));
    assert!(present(&[("signature-input", &good), ("signature", "s=:AA==:")], tag));
    assert!(!present(&[("signature-input", &good), ("signature", "s=:AA==:")], SignatureProfile::Request));
    assert!(!present(&[("signature-input", r#"s=("@method");tag="other""#), ("signature", "s=:AA==:")], tag));
    for malformed in [
        &[("signature-input", &*good)][..],
        &[("signature", "s=:AA==:")],
        &[("signature-input", "("), ("signature", "s=:AA==:")],
        &[("signature-input", "s=()"), ("signature", "s=:A")],
    ] {
        assert!(present(malformed, SignatureProfile::Request), "{malformed:?}");
    }
}

#[test]
fn shows_what_is_covered_and_hides_the_rest() {
    let input = format!(r#"s=({COMPONENTS} "a";key="b" "c";bs "@query-param";name="id"  "date"){PARAMETERS};x=?1;y"#);
    let fields = [("authorization", "HTTPSig t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
    let covered = [
        "@method",
        "@target-uri",
        "authorization",
        r#""a";key="b""#,
        r#""c";bs"#,
        r#""@query-param";name="id""#,
        "date",
    ];
    parsed(SignatureProfile::HttpSig, &headers(&fields), &SignaturePolicy::default(), |result| {
        let signature = result.unwrap();
        assert_eq!(signature.covered().collect::<Vec<_>>(), covered, "SIG-25");
        let serialized =
            format!(r#"({COMPONENTS} "a";key="b" "c";bs "@query-param";name="id" "date"){PARAMETERS};x;y"#);
        assert_eq!(signature.signature_input().collect::<Vec<_>>(), [serialized], "SIG-16");
        assert_eq!((signature.created(), signature.nonce(), signature.keyid()), (NOW, Some("n1"), None));
        assert_eq!(format!("{signature:?}"), "MessageSignature { profile: HttpSig, signatures: 1, .. }");
    });
}
