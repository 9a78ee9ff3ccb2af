use super::*;

/// SHR-01: an access token under `PoP` is left to others, whatever it is.
#[test]
fn tells_envelopes_and_access_tokens_apart() {
    let jws = |payload: &str| format!("{}.{}.c2ln", encode("{}"), encode(payload));
    let many: Vec<String> = (0..100).map(|n| format!("\"claim{n}\":\"\\u0061t\"")).collect();
    for token in [
        "opaque".to_owned(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
        "a.b.c.d.e".to_owned(),
        "".to_owned(),
        "..".to_owned(),
        jws(r#"{"iss":"https://as.example"}"#),
        jws(r#"{"iss":"at","act":{"at":"x"}}"#),
        jws(r#"{"iss":"a","AT":"x"}"#),
        jws(r#"{"iss":"a","iss":"at"}"#),
        jws(&format!("{{{}}}", many.join(","))),
        jws(r#"["at"]"#),
        jws(r#""at""#),
        jws("at"),
        format!("{}.{}", encode("{}"), encode(r#"{"at":"x"}"#)),
    ] {
        let read = SignedRequest::read(&token, &strict());
        assert!(matches!(read, Ok(PopCredentials::Token)), "{token}");
    }
}

/// SHR-01, SHR-02: once there is `at`, every other defect is an error of the envelope.
#[test]
fn a_defective_envelope_is_not_a_token() {
    let header = r#"{"typ":"pop","alg":"HS256"}"#;
    let good = envelope(&payload());
    let (head, rest) = good.split_once('.').unwrap();
    let (body, mac) = rest.split_once('.').unwrap();
    let wide: Vec<String> = (0..70).map(|n| format!("\"x{n}\":0")).collect();
    let object = |json: &str| format!("{}.{}.{mac}", encode(header), encode(json));
    for (text, code) in [
        (format!("{head}.{body}."), "envelope.not_compact"),
        (format!(".{body}.{mac}"), "envelope.not_compact"),
        (format!("{head}.{body}.{mac}="), "envelope.not_base64url"),
        (format!("{head}=.{body}.{mac}"), "envelope.not_base64url"),
        (format!("{}.{body}.{mac}", encode("not JSON")), "envelope.not_json"),
        (format!("{}.{body}.{mac}", encode("[]")), "envelope.not_object"),
        (object(r#"{"ts":1,"ts":2,"at":"x"}"#), "envelope.duplicate_member"),
        (object(r#"{"at":"x","\u0061t":"y"}"#), "envelope.duplicate_member"),
        (object(r#"{"x":[[[[[[[[0]]]]]]]],"at":"x"}"#), "envelope.too_deep"),
        (object(&format!("{{{},\"at\":\"x\"}}", wide.join(","))), "envelope.too_many_members"),
        (object(r#"{"\u0061t":"x"}"#), "envelope.missing_claim"),
    ] {
        assert_eq!(read(&text, &strict()).map(drop), Err(code), "{text}");
    }
    assert!(read(&good, &strict()).is_ok());
}

/// SHR-01: the limit is exact, and is checked first.
#[test]
fn limits_the_length_of_credentials() {
    let text = envelope(&payload());
    let limited = |max_len| SignedRequestPolicy { max_len, ..strict() };
    assert!(read(&text, &limited(text.len())).is_ok());
    assert_eq!(read(&text, &limited(text.len() - 1)).map(drop), Err("envelope.too_large"));
    let token = SignedRequest::read("opaque", &limited(5));
    assert_eq!(token.map(drop), Err(Malformed::TooLarge.into()));
}

/// SHR-02: header parameters. Each row is the header, and the code in the form of the draft.
#[test]
fn rejects_headers_by_type_algorithm_and_extensions() {
    let policy = strict();
    for (header, expected) in [
        (r#"{"typ":"pop","alg":"HS256"}"#, Ok(())),
        (r#"{"typ":"PoP","alg":"HS256","kid":7,"jwk":"x","x5c":[]}"#, Ok(())),
        (r#"{"alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":"JWT","alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":"dpop+jwt","alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":"at+jwt","alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":null,"alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":["pop"],"alg":"HS256"}"#, Err("envelope.typ")),
        (r#"{"typ":"pop"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"none"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"hs256"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"HS384"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"HS512"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"ES512"}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":["HS256"]}"#, Err("envelope.alg")),
        (r#"{"typ":"pop","alg":"ES256"}"#, Err("envelope.key_algorithm")),
        (r#"{"typ":"pop","alg":"HS256","crit":["exp"]}"#, Err("envelope.crit")),
        (r#"{"typ":"pop","alg":"HS256","crit":[]}"#, Err("envelope.crit")),
        (r#"{"typ":"pop","alg":"HS256","b64":false}"#, Err("envelope.encoding")),
        (r#"{"typ":"pop","alg":"HS256","b64":true}"#, Err("envelope.encoding")),
        (r#"{"typ":"pop","alg":"HS256","zip":"DEF"}"#, Err("envelope.encoding")),
        (r#"{"typ":"pop","alg":"HS256","enc":"A256GCM"}"#, Err("envelope.encoding")),
        (r#"{"typ":"pop","alg":"HS256","alg":"HS256"}"#, Err("envelope.duplicate_member")),
    ] {
        assert_eq!(judge(&signed(header, &payload()), &Request::default(), &policy), expected, "{header}");
    }
    let unsigned = format!("{}.{}.", encode(r#"{"typ":"pop","alg":"none"}"#), encode(r#"{"at":"x"}"#));
    assert_eq!(judge(&unsigned, &Request::default(), &policy), Err("envelope.not_compact"));
}

/// SHR-11, SHR-12: what is exposed, and what `Debug` shows of it.
#[test]
fn exposes_the_token_and_what_is_covered() {
    let (text, policy) = (envelope(&payload()), strict());
    let envelope_ = read(&text, &policy).unwrap();
    assert_eq!(envelope_.access_token(), "header.payload.signature");
    assert_eq!((envelope_.nonce(), envelope_.jti(), envelope_.timestamp()), (Some("n-1"), Some("j-1"), NOW));
    assert!(envelope_.covered().names().eq(["m", "u", "p", "q", "h", "b"]));
    assert!(envelope_.covered_fields().eq(["content-type", "x-tenant"]));
    assert_eq!(envelope_.signing_input(), text.rsplit_once('.').unwrap().0.as_bytes());
    let shown = format!("{envelope_:?}");
    for value in ["header", "n-1", "j-1", "example", "notes", "tenant"] {
        assert!(!shown.contains(value), "{shown}");
    }
    let least = ["m", "p", "q", "h", "b", "nonce", "jti"].into_iter().fold(payload(), without);
    let least = envelope(&with(least, "at", r#""\u0061""#));
    let least = read(&least, &policy).unwrap();
    assert_eq!((least.access_token(), least.nonce(), least.jti()), ("a", None, None));
    assert!(least.covered().names().eq(["u"]));
    assert_eq!(least.covered_fields().count(), 0);
}

/// An envelope in an envelope is a token like any other: its own verification rejects it.
#[test]
fn the_access_token_may_be_any_token68() {
    let inner = envelope(&payload());
    let outer = envelope(&with(payload(), "at", &format!("\"{inner}\"")));
    assert_eq!(read(&outer, &strict()).unwrap().access_token(), inner);
}
