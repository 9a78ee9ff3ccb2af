//! What each profile and the policy demand.

use std::time::Duration;

use super::{COMPONENTS, NOW, error, headers, origin, parsed};
use crate::ContentDigestError;
use crate::SignatureError as E;
use crate::content::ExpectedContent;
use crate::jose::crypto::CryptoBackend;
use crate::jose::{Algorithm, AlgorithmSet, SharedKey};
use crate::policy::{SignaturePolicy, SignedContent};
use crate::proof::PopKey;
use crate::proof::message_signature::tests::data::{ED25519, Key, P256, public};
use crate::proof::message_signature::{MessageSignature, SignatureProfile};
use crate::request::RequestHead;

const ALL: [SignatureProfile; 3] = [SignatureProfile::HttpSig, SignatureProfile::Hmac, SignatureProfile::Request];
const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

fn input(components: &str, parameters: &str, profile: SignatureProfile) -> String {
    format!("s=({components}){parameters};tag=\"{}\"", profile.tag())
}

/// SIG-04, SIG-07, SIG-09, SIG-10, X-60: every parameter × missing, wrong type, forbidden.
#[test]
fn demands_the_parameters_of_the_profile() {
    let good = ";created=1;nonce=\"n\"";
    for (row, parameters, bound, addition) in [
        ("accepted", good, None, None),
        ("SIG-08 expires", ";created=1;nonce=\"n\";expires=5", None, None),
        ("an unknown parameter", ";created=1;nonce=\"n\";x=(\"a\")", Some(E::Malformed), Some(E::Malformed)),
        ("an unknown parameter", ";created=1;nonce=\"n\";x=@5;y=%\"%c3\"", Some(E::Malformed), Some(E::Malformed)),
        ("an unknown parameter", ";created=1;nonce=\"n\";x=@5;y=:AA==:;z=1.0", None, None),
        (
            "SIG-07 no created",
            ";nonce=\"n\"",
            Some(E::MissingParameter("created")),
            Some(E::MissingParameter("created")),
        ),
        ("SIG-07 decimal", ";created=1.0;nonce=\"n\"", invalid("created"), invalid("created")),
        ("SIG-07 date", ";created=@1;nonce=\"n\"", invalid("created"), invalid("created")),
        ("SIG-07 string", ";created=\"1\";nonce=\"n\"", invalid("created"), invalid("created")),
        ("SIG-07 negative", ";created=-1;nonce=\"n\"", invalid("created"), invalid("created")),
        ("SIG-07 boolean", ";created;nonce=\"n\"", invalid("created"), invalid("created")),
        ("SIG-08 string", ";created=1;nonce=\"n\";expires=\"5\"", invalid("expires"), invalid("expires")),
        ("SIG-09 no nonce", ";created=1", Some(E::MissingParameter("nonce")), None),
        ("SIG-09 token", ";created=1;nonce=n", invalid("nonce"), invalid("nonce")),
        ("SIG-09 bytes", ";created=1;nonce=:AA==:", invalid("nonce"), invalid("nonce")),
        ("SIG-09 empty", ";created=1;nonce=\"\"", Some(E::NonceLength), Some(E::NonceLength)),
        ("SIG-10 alg", ";created=1;nonce=\"n\";alg=\"ed25519\"", forbidden("alg"), None),
        ("SIG-10 keyid", ";created=1;nonce=\"n\";keyid=\"k\"", forbidden("keyid"), None),
        ("SIG-10 keyid is empty", ";created=1;nonce=\"n\";keyid=\"\"", forbidden("keyid"), None),
        ("SIG-10 keyid is a token", ";created=1;nonce=\"n\";keyid=k", invalid("keyid"), invalid("keyid")),
        ("SIG-10 pub", ";created=1;nonce=\"n\";pub=:AA==:", forbidden("pub"), forbidden("pub")),
        ("SIG-10 pub is a string", ";created=1;nonce=\"n\";pub=\"k\"", forbidden("pub"), forbidden("pub")),
        ("SIG-10 pub is a boolean", ";created=1;nonce=\"n\";pub", forbidden("pub"), forbidden("pub")),
    ] {
        for profile in ALL {
            let expected = if profile == SignatureProfile::Request { addition } else { bound };
            assert_eq!(error(profile, &input(COMPONENTS, parameters, profile), &[]), expected, "{row} {profile:?}");
        }
    }
    for tag in
        ["", ";tag=httpsig-oauth", ";tag=\"HTTPSig-OAuth\"", ";tag=\"httpsig-oauth \"", ";tag=\"fapi-2-request\""]
    {
        let input = format!("s=({COMPONENTS}){good}{tag}");
        assert_eq!(error(SignatureProfile::HttpSig, &input, &[]), Some(E::Missing), "SIG-04 {tag:?}");
    }
}

fn invalid(name: &'static str) -> Option<E> {
    Some(E::InvalidParameter(name))
}

fn forbidden(name: &'static str) -> Option<E> {
    Some(E::ForbiddenParameter(name))
}

/// SIG-06, SIG-26, X-60: and no form of a field counts as the field.
#[test]
fn demands_what_must_be_covered() {
    for profile in ALL {
        let of = |components: &str, fields: &[(&str, &str)]| {
            error(profile, &input(components, ";created=1;nonce=\"n\"", profile), fields)
        };
        assert_eq!(of(r#""authorization" "@target-uri" "@method""#, &[]), None, "in any order");
        for (row, components, missing) in [
            ("nothing", "", "@method"),
            ("no method", r#""@target-uri" "authorization""#, "@method"),
            ("no target", r#""@method" "authorization""#, "@target-uri"),
            (
                "the parts of the target",
                r#""@method" "@scheme" "@authority" "@path" "@query" "@request-target" "authorization""#,
                "@target-uri",
            ),
            ("no token", r#""@method" "@target-uri""#, "authorization"),
            ("bytes of the token", r#""@method" "@target-uri" "authorization";bs"#, "authorization"),
            ("a part of the token", r#""@method" "@target-uri" "authorization";key="a""#, "authorization"),
            ("the token strictly", r#""@method" "@target-uri" "authorization";sf"#, "authorization"),
        ] {
            assert_eq!(of(components, &[]), Some(E::NotCovered(missing)), "SIG-06 {row} {profile:?}");
        }
        let addition = profile == SignatureProfile::Request;
        let dpop = &[("dpop", "a.b.c")];
        assert_eq!(of(&format!("{COMPONENTS} \"dpop\""), dpop), None, "SIG-26 {profile:?}");
        assert_eq!(of(COMPONENTS, dpop), addition.then_some(E::NotCovered("dpop")), "SIG-26 {profile:?}");
        let bytes = of(&format!("{COMPONENTS} \"dpop\";bs"), dpop);
        assert_eq!(bytes, addition.then_some(E::NotCovered("dpop")), "SIG-26 {profile:?}");
    }
}

/// SIG-06: names of fields, derived components, and identifiers with parameters.
#[test]
fn demands_what_the_policy_demands() {
    let policy = SignaturePolicy {
        components: [r#"content-type"#, "@query", r#""@query-param";name="id""#].map(Into::into).to_vec(),
        ..SignaturePolicy::default()
    };
    for (row, further, is_covered) in [
        ("all", r#""content-type" "@query" "@query-param";name="id""#, true),
        ("a field less", r#""@query" "@query-param";name="id""#, false),
        ("a form of the field", r#""content-type";bs "@query" "@query-param";name="id""#, false),
        ("a derived component less", r#""content-type" "@query-param";name="id""#, false),
        ("another parameter", r#""content-type" "@query" "@query-param";name="other""#, false),
    ] {
        let input = input(&format!("{COMPONENTS} {further}"), ";created=1;nonce=\"n\"", SignatureProfile::HttpSig);
        let fields = [("authorization", "x t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
        let error = parsed(SignatureProfile::HttpSig, &headers(&fields), &policy, |result| result.map(drop)).err();
        let expected = (!is_covered).then_some(E::NotCovered("a component that the policy requires"));
        assert_eq!(error, expected, "SIG-06 {row}");
    }
}

/// SIG-23, X-60.
#[test]
fn says_what_the_content_must_be() {
    use SignedContent as S;
    let expected = ExpectedContent::from_content_digest(&headers(&[("content-digest", DIGEST)])).unwrap();
    let md5 = E::ContentDigest(ContentDigestError::Algorithm);
    let malformed = E::ContentDigest(ContentDigestError::Malformed);
    /// Under each rule.
    type Expected = [Result<Option<ExpectedContent>, E>; 3];
    let rows: &[(&str, &str, Option<&str>, Expected)] = &[
        ("covered", r#" "content-digest""#, Some(DIGEST), [Ok(Some(expected)); 3]),
        ("weak only", r#" "content-digest""#, Some("md5=:AA==:"), [Err(md5); 3]),
        ("malformed", r#" "content-digest""#, Some("sha-256=:AA==:"), [Err(malformed); 3]),
        ("covered but absent", r#" "content-digest""#, None, [Err(E::ComponentMissing); 3]),
        (
            "not covered",
            "",
            Some(DIGEST),
            [Ok(Some(ExpectedContent::EMPTY)), Err(E::NotCovered("content-digest")), Ok(None)],
        ),
        (
            "covered in another form",
            r#" "content-digest";key="sha-256""#,
            Some(DIGEST),
            [Ok(Some(ExpectedContent::EMPTY)), Err(E::NotCovered("content-digest")), Ok(Some(expected))],
        ),
        ("absent", "", None, [Ok(Some(ExpectedContent::EMPTY)), Ok(None), Ok(None)]),
    ];
    for profile in ALL {
        for (row, component, digest, results) in rows {
            let input = input(&format!("{COMPONENTS}{component}"), ";created=1;nonce=\"n\"", profile);
            let mut fields = vec![("authorization", "x t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
            fields.extend(digest.map(|digest| ("content-digest", digest)));
            for (content, expected) in [S::Required, S::IfPresent, S::Off].into_iter().zip(results) {
                let policy = SignaturePolicy { content, ..SignaturePolicy::default() };
                let content = parsed(profile, &headers(&fields), &policy, |result| {
                    result.map(|signature| signature.expected_content())
                });
                assert_eq!(content, *expected, "SIG-23 {row} {profile:?} {policy:?}");
            }
        }
    }
}

/// SIG-07, SIG-08.
#[test]
fn demands_that_signatures_are_recent() {
    let policy = SignaturePolicy {
        max_age: Duration::from_secs(60),
        clock_skew: Duration::from_secs(30),
        ..SignaturePolicy::default()
    };
    for (row, created, expires, expected) in [
        ("now", NOW, "", None),
        ("SIG-07 as old as allowed", NOW - 60, "", None),
        ("SIG-07 too old", NOW - 61, "", Some(E::TooOld { age: 61 })),
        ("SIG-07 the epoch", 0, "", Some(E::TooOld { age: NOW })),
        ("SIG-07 as far ahead as allowed", NOW + 30, "", None),
        ("SIG-07 too far ahead", NOW + 31, "", Some(E::InFuture { ahead: 31 })),
        ("SIG-07 an hour ahead", NOW + 3600, "", Some(E::InFuture { ahead: 3600 })),
        ("SIG-07 milliseconds", NOW * 1000, "", Some(E::Milliseconds)),
        ("SIG-07 the largest integer", 999_999_999_999_999, "", Some(E::Milliseconds)),
        ("SIG-08 not expired", NOW - 10, ";expires=1800000001", None),
        ("SIG-08 within the skew", NOW - 10, ";expires=1799999971", None),
        ("SIG-08 expired", NOW - 59, ";expires=1799999970", Some(E::Expired { ago: 30 })),
        ("SIG-08 expired at the epoch", NOW, ";expires=0", Some(E::Expired { ago: NOW })),
    ] {
        let parameters = format!(";created={created};nonce=\"n\"{expires}");
        let input = input(COMPONENTS, &parameters, SignatureProfile::HttpSig);
        let fields = [("authorization", "x t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
        let error = parsed(SignatureProfile::HttpSig, &headers(&fields), &policy, |result| {
            result.unwrap().check_time(&policy, NOW).err()
        });
        assert_eq!(error, expected, "{row}");
    }
}

fn verify(profile: SignatureProfile, alg: &str, key: PopKey<'_>, policy: &SignaturePolicy) -> E {
    let input = input(COMPONENTS, &format!(";created=1;nonce=\"n\"{alg}"), profile);
    let fields = [("authorization", "x t"), ("signature-input", &*input), ("signature", "s=:AA==:")];
    let (headers, origin) = (headers(&fields), origin());
    let head = RequestHead::new("GET", &origin, "/", &headers, NOW);
    MessageSignature::parse(profile, &head, policy).unwrap().verify_signature(key, &head, policy).unwrap_err()
}

/// SIG-13, SIG-14, SYM-10, X-61: an error of the algorithm comes before the signature is looked at.
#[test]
fn the_key_decides_the_algorithm() {
    use SignatureProfile as P;
    let policy = SignaturePolicy::default();
    let only_ec = SignaturePolicy { algorithms: AlgorithmSet::EMPTY.with(Algorithm::ES256), ..policy.clone() };
    let (Key::Public(ec), Key::Public(ed)) = (
        public(P256, Algorithm::ES256, CryptoBackend::default()),
        public(ED25519, Algorithm::Ed25519, CryptoBackend::default()),
    ) else {
        unreachable!("both keys are public")
    };
    let shared = SharedKey::new([7; 32]).unwrap();
    let (ec, ed, shared) = (PopKey::Public(&ec), PopKey::Public(&ed), PopKey::Shared(&shared));
    for (row, profile, alg, key, policy, expected) in [
        ("a public key", P::HttpSig, "", ec, &policy, E::Invalid),
        ("a public key", P::HttpSig, "", ed, &policy, E::Invalid),
        ("SIG-14 not allowed", P::HttpSig, "", ed, &only_ec, E::Algorithm),
        ("SIG-13 shared", P::HttpSig, "", shared, &policy, E::Algorithm),
        ("a shared key", P::Hmac, "", shared, &only_ec, E::Invalid),
        ("SYM-10 public", P::Hmac, "", ec, &policy, E::Algorithm),
        ("a public key", P::Request, "", ed, &policy, E::Invalid),
        ("SYM-10 shared", P::Request, "", shared, &policy, E::Algorithm),
        ("SIG-14 the right alg", P::Request, ";alg=\"ed25519\"", ed, &policy, E::Invalid),
        ("SIG-14 the right alg", P::Request, ";alg=\"ecdsa-p256-sha256\"", ec, &policy, E::Invalid),
        ("SIG-14 another alg", P::Request, ";alg=\"ed25519\"", ec, &policy, E::Algorithm),
        ("SIG-14 a JOSE name", P::Request, ";alg=\"ES256\"", ec, &policy, E::Algorithm),
        ("SYM-10 HMAC with a public key", P::Request, ";alg=\"hmac-sha256\"", ec, &policy, E::Algorithm),
        ("SIG-14 empty", P::Request, ";alg=\"\"", ec, &policy, E::Algorithm),
    ] {
        assert_eq!(verify(profile, alg, key, policy), expected, "{row} {alg} {profile:?}");
    }
}
