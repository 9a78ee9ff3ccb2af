use super::*;

const TYPE: Result<(), &str> = Err("envelope.invalid_claim");
const ABSENT: Result<(), &str> = Err("envelope.missing_claim");

struct Row {
    claim: &'static str,
    missing: Result<(), &'static str>,
    wrong_type: &'static [&'static str],
    wrong: &'static [(&'static str, &'static str)],
    twin: &'static [&'static str],
}

/// A digest of something else, in a list of the right names.
macro_rules! other_digest {
    ($names:literal) => {
        concat!("[", $names, r#","47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"]"#)
    };
}

const MATRIX: &[Row] = &[
    Row {
        claim: "at",
        missing: Err("a token"),
        wrong_type: &["null", "1", "true", r#"["x"]"#, r#"{"jwt":"x"}"#],
        wrong: &[
            (r#""""#, "envelope.invalid_claim"),
            (r#""a b""#, "envelope.invalid_claim"),
            (r#""a\nb""#, "envelope.invalid_claim"),
        ],
        twin: &[r#""opaque""#, r#""he\u0061der.payload.signature""#],
    },
    Row {
        claim: "ts",
        missing: ABSENT,
        wrong_type: &["null", r#""1800000000""#, "-1", "true", "1800000000.5", "[1800000000]", "1e300"],
        wrong: &[
            ("1799999939", "envelope.ts_too_old"),
            ("0", "envelope.ts_too_old"),
            ("1800000031", "envelope.ts_in_future"),
            ("1800000000000", "envelope.ts_milliseconds"),
        ],
        twin: &["1799999940", "1800000030", "1800000000.0", "1.8e9"],
    },
    Row {
        claim: "m",
        missing: ABSENT,
        wrong_type: &["null", "1", r#"["POST"]"#],
        wrong: &[
            (r#""GET""#, "envelope.m_mismatch"),
            (r#""post""#, "envelope.m_mismatch"),
            (r#""POST ""#, "envelope.m_mismatch"),
            (r#""""#, "envelope.m_mismatch"),
        ],
        twin: &[r#""POS\u0054""#],
    },
    Row {
        claim: "u",
        missing: ABSENT,
        wrong_type: &["null", "1", r#"["api.example"]"#],
        wrong: &[
            (r#""evil.example""#, "envelope.u_mismatch"),
            (r#""https://api.example""#, "envelope.u_mismatch"),
            (r#""api.example:8443""#, "envelope.u_mismatch"),
            (r#""api.example.""#, "envelope.u_mismatch"),
            (r#""""#, "envelope.u_mismatch"),
        ],
        twin: &[r#""API.Example""#],
    },
    Row {
        claim: "p",
        missing: ABSENT,
        wrong_type: &["null", "1", r#"["/notes"]"#],
        wrong: &[
            (r#""/note""#, "envelope.p_mismatch"),
            (r#""notes""#, "envelope.p_mismatch"),
            (r#""/notes?a=1&b=2""#, "envelope.p_mismatch"),
            (r#""/n%6ftes""#, "envelope.p_mismatch"),
            (r#""""#, "envelope.p_mismatch"),
        ],
        twin: &[r#""\/notes""#],
    },
    Row {
        claim: "q",
        missing: ABSENT,
        wrong_type: &[
            "null",
            r#""a=1&b=2""#,
            "{}",
            "[]",
            r#"[["b","a"]]"#,
            r#"["b","x"]"#,
            r#"[["b",1],"EpA"]"#,
            r#"[["b","a"],1]"#,
            r#"[["b","a"],"EpA"]"#,
            r#"[["b","a"],"u4LgkGUWhP9MsKrEjA4dizIllDXluDku6ZqCeyuR-JY="]"#,
            r#"[["b","a"],"u4LgkGUWhP9MsKrEjA4dizIllDXluDku6ZqCeyuR-JY","x"]"#,
        ],
        wrong: &[
            (other_digest!(r#"["b","a"]"#), "envelope.q_mismatch"),
            (other_digest!(r#"["b","c"]"#), "envelope.q_mismatch"),
            (other_digest!(r#"["b","a","c"]"#), "envelope.q_mismatch"),
            (other_digest!(r#"["b"]"#), "envelope.q_uncovered"),
            (other_digest!("[]"), "envelope.q_uncovered"),
            (other_digest!(r#"["b","b"]"#), "envelope.q_repeated"),
            (other_digest!(r#"["a","b","%61"]"#), "envelope.q_repeated"),
        ],
        twin: &[],
    },
    Row {
        claim: "h",
        missing: ABSENT,
        wrong_type: &[
            "null",
            r#""x-tenant""#,
            r#"{"x-tenant":"7"}"#,
            "[]",
            r#"[["x-tenant"]]"#,
            r#"[["x-tenant",null],"x"]"#,
            r#"[["x-tenant"],"x-tenant: 7"]"#,
            other_digest!(r#"["X-Tenant"]"#),
        ],
        wrong: &[
            (other_digest!(r#"["x-tenant"]"#), "envelope.h_mismatch"),
            (other_digest!(r#"["x-absent"]"#), "envelope.h_missing_field"),
            (other_digest!(r#"["not a name"]"#), "envelope.h_missing_field"),
            (other_digest!(r#"[""]"#), "envelope.h_missing_field"),
            (other_digest!(r#"["accept","x-tenant","accept"]"#), "envelope.h_repeated_field"),
            // It covers nothing, so that it does not fulfil the demand.
            (other_digest!("[]"), "envelope.missing_claim"),
        ],
        twin: &[],
    },
    Row {
        claim: "b",
        missing: Err("content.uncovered"),
        wrong_type: &[
            "null",
            "1",
            r#"["x"]"#,
            r#""""#,
            r#""47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=""#,
            r#""47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV""#,
            r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
        ],
        wrong: &[(r#""47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU""#, "content.digest_mismatch")],
        twin: &[],
    },
    Row {
        claim: "nonce",
        missing: Ok(()),
        wrong_type: &["null", "1", r#"["n"]"#],
        wrong: &[(r#""""#, "envelope.nonce_length")],
        twin: &[r#""n-2""#],
    },
    Row {
        claim: "jti",
        missing: Ok(()),
        wrong_type: &["null", "1", r#"["j"]"#],
        wrong: &[(r#""""#, "envelope.nonce_length")],
        twin: &[r#""j-2""#],
    },
    Row {
        claim: "cnf",
        missing: Ok(()),
        wrong_type: &["null", "1", r#""x""#, "[]"],
        wrong: &[
            (r#"{"jwk":"x"}"#, "envelope.jwk_missing"),
            (r#"{"jwk":null}"#, "envelope.jwk_missing"),
            (r#"{"jwk":{"kty":"oct","k":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}}"#, "envelope.jwk_private"),
        ],
        twin: &["{}", r#"{"jkt":"x","jwe":1}"#],
    },
];

/// SHR-06..SHR-10, SHR-12, X-61: every claim, missing, of the wrong type, with a wrong value and given twice.
#[test]
fn rejects_every_claim_that_is_altered() {
    let (policy, request) = (strict(), Request::default());
    let judge = |payload: &Payload| judge(&envelope(payload), &request, &policy);
    assert_eq!(judge(&payload()), Ok(()), "the accepting twin of all rows");
    assert_eq!(
        MATRIX.iter().map(|row| row.claim).collect::<Vec<_>>(),
        payload().iter().map(|m| m.0).collect::<Vec<_>>()
    );
    for Row { claim, missing, wrong_type, wrong, twin } in MATRIX {
        assert_eq!(judge(&without(payload(), claim)), *missing, "{claim} missing");
        for value in *wrong_type {
            assert_eq!(judge(&with(payload(), claim, value)), TYPE, "{claim}: {value}");
        }
        for (value, code) in *wrong {
            assert_eq!(judge(&with(payload(), claim, value)), Err(*code), "{claim}: {value}");
        }
        for value in *twin {
            assert_eq!(judge(&with(payload(), claim, value)), Ok(()), "{claim}: {value}");
        }
        let member = payload().into_iter().find(|member| member.0 == *claim).unwrap();
        let mut first = payload();
        first.splice(0..0, [member.clone(), member.clone()]);
        let mut last = payload();
        last.push(member);
        for duplicated in [first, last] {
            assert_eq!(judge(&duplicated), Err("envelope.duplicate_member"), "{claim} twice");
        }
    }
}

/// SHR-06: the window is inclusive at both ends, and has the length of the policy.
#[test]
fn the_window_of_ts_is_that_of_the_policy() {
    let text = envelope(&payload());
    let policy = strict();
    let envelope = read(&text, &policy).unwrap();
    let at = |now| envelope.check_time(&policy, now);
    assert_eq!((at(NOW + 60), at(NOW - 30)), (Ok(()), Ok(())));
    assert_eq!(at(NOW + 61), Err(SignedRequestError::TooOld { age: 61 }));
    assert_eq!(at(NOW - 31), Err(SignedRequestError::InFuture { ahead: 31 }));
    assert_eq!(envelope.check_time(&SignedRequestPolicy::entra(), NOW + 300), Ok(()));
    assert_eq!(policy.lifetime(), 60 + 30 + 1, "until it is too old, wherever it was made");
}

/// SHR-11: the limit of `nonce` and `jti` is exact.
#[test]
fn limits_the_length_of_nonces() {
    let policy = SignedRequestPolicy { max_nonce_len: 8, ..strict() };
    for claim in ["nonce", "jti"] {
        let of_len = |len| envelope(&with(payload(), claim, &format!("\"{}\"", "n".repeat(len))));
        assert_eq!(judge(&of_len(8), &Request::default(), &policy), Ok(()), "{claim}");
        assert_eq!(judge(&of_len(9), &Request::default(), &policy), Err("envelope.nonce_length"), "{claim}");
    }
}

/// SHR-05, SHR-01: whatever byte of an envelope is altered.
#[test]
fn rejects_an_envelope_when_any_character_is_altered() {
    let (text, policy, request) = (envelope(&payload()), strict(), Request::default());
    assert_eq!(judge(&text, &request, &policy), Ok(()));
    for at in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(judge(&altered, &request, &policy).is_err(), "character {at}");
    }
}

/// SYM-07, SYM-09: whole MACs of the right key only.
#[test]
fn verifies_hmac_with_the_shared_key_and_its_whole_length() {
    let (text, policy) = (envelope(&payload()), strict());
    let verdict = |text: &str, key: &SharedKey| read(text, &policy).unwrap().verify_signature(PopKey::Shared(key));
    assert_eq!(verdict(&text, &shared_key()), Ok(()));
    assert_eq!(verdict(&text, &SharedKey::new([8; 32]).unwrap()), Err(SignedRequestError::Signature));
    let (input, mac) = text.rsplit_once('.').unwrap();
    let mac = decode(mac).unwrap();
    for len in [1, 16, 31] {
        let short = format!("{input}.{}", encode(&mac[..len]));
        assert_eq!(verdict(&short, &shared_key()), Err(SignedRequestError::Signature), "{len} bytes");
    }
    let long = format!("{input}.{}", encode([mac, vec![0]].concat()));
    assert_eq!(verdict(&long, &shared_key()), Err(SignedRequestError::Signature));
}
