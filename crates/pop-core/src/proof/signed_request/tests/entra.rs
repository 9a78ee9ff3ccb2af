use super::*;
use serde_json::Value;

/// SHR-02, SHR-04, SHR-07, SHR-08: envelopes that the code of MSAL makes. The request is what a client sends for the URL that it
/// signs.
#[test]
fn accepts_what_msal_makes() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../../../tests/vectors/msal_envelopes.json")).unwrap();
    let vectors_of = |name: &str| vectors[name].as_str().unwrap().to_owned();
    let (token, thumbprint) = (vectors_of("access_token"), vectors_of("thumbprint"));
    let now = vectors["now"].as_u64().unwrap();
    let list = vectors["vectors"].as_array().unwrap();
    assert!(list.len() >= 5);
    for vector in list {
        let of = |name: &str| vector[name].as_str().unwrap();
        let (name, text, policy) = (of("name"), of("envelope"), SignedRequestPolicy::entra());
        let origin = Origin::parse(vectors["audience"].as_str().unwrap()).unwrap();
        let envelope = read(text, &policy).unwrap();
        let key = envelope.embedded_key().unwrap();
        assert_eq!(key.thumbprint().to_string(), thumbprint, "{name}");
        assert_eq!(envelope.access_token(), token, "{name}");
        assert_eq!(envelope.nonce(), Some(of("nonce")), "{name}");
        assert_eq!(envelope.covered().names().collect::<Vec<_>>().join(" "), of("covered"), "{name}");
        assert_eq!(envelope.verify_signature(PopKey::Public(key.verifying_key())), Ok(()), "{name}");
        assert_eq!(envelope.verify_signature(PopKey::Shared(&shared_key())), Err(SignedRequestError::KeyAlgorithm));
        assert_eq!(envelope.check_time(&policy, now + 300), Ok(()), "{name}");
        assert_eq!(envelope.check_time(&policy, now + 301), Err(SignedRequestError::TooOld { age: 301 }), "{name}");
        assert_eq!(envelope.expected_content(&policy), None, "{name}");
        let headers = HeaderMap::new();
        let check = |method: &str, target: &str| {
            let head = RequestHead::new(method, &origin, target, &headers, now);
            envelope.check_request(&head, &policy).map_err(SignedRequestError::code)
        };
        let (method, target) = (of("method"), of("target"));
        assert_eq!(check(method, target), Ok(()), "{name}");
        if of("covered").is_empty() {
            assert_eq!(check("DELETE", "/elsewhere"), Ok(()), "{name}: it covers nothing");
            continue;
        }
        assert_eq!(check("DELETE", target), Err("envelope.m_mismatch"), "{name}");
        assert_eq!(check(method, "/elsewhere"), Err("envelope.p_mismatch"), "{name}");
        if of("covered").contains('q') {
            assert_eq!(check(method, &format!("{target}x")), Err("envelope.q_mismatch"), "{name}");
            assert_eq!(check(method, &format!("{target}&x")), Err("envelope.q_mismatch"), "{name}");
            assert_eq!(check(method, target.split('?').next().unwrap()), Err("envelope.q_mismatch"), "{name}");
        }
        let draft = SignedRequestPolicy { max_age: policy.max_age, ..SignedRequestPolicy::default() };
        let read = read(text, &draft);
        if of("covered").contains('q') {
            assert_eq!(read.map(drop), Err("envelope.invalid_claim"), "{name}: a query in clear is Entra's alone");
        } else if target != "/" {
            let head = RequestHead::new(method, &origin, target, &headers, now);
            assert_eq!(
                read.unwrap().check_request(&head, &draft).map_err(SignedRequestError::code),
                Err("envelope.p_mismatch")
            );
        }
        let mut altered = text.to_owned().into_bytes();
        let at = altered.len() - 20;
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let altered = super::read(&altered, &policy).unwrap();
        let verdict = altered.verify_signature(PopKey::Public(key.verifying_key()));
        assert_eq!(verdict, Err(SignedRequestError::Signature), "{name}");
    }
}

/// SHR-02, SHR-07, SHR-08: each of Entra's deviations is accepted in its form and rejected in the draft's. What deviates from both is
/// rejected in both.
#[test]
fn the_deviations_of_entra_are_accepted_in_its_form_only() {
    let pop = r#"{"typ":"pop","alg":"HS256"}"#;
    let empty = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let digest_of_nothing = format!(r#"[[],"{empty}"]"#);
    let hashed = json!([["a", "b"], sha256("a=1&b=2")]).to_string();
    let ok = |code| (Ok(()), Err(code));
    let both = |code| (Err(code), Err(code));
    for (row, header, claim, value, target, (in_entra, in_draft)) in [
        ("typ", r#"{"alg":"HS256"}"#, "p", r#""/notes""#, "/notes", ok("envelope.typ")),
        ("typ", r#"{"typ":"JWT","alg":"HS256"}"#, "p", r#""/notes""#, "/notes", both("envelope.typ")),
        ("typ", r#"{"typ":null,"alg":"HS256"}"#, "p", r#""/notes""#, "/notes", both("envelope.typ")),
        ("case", pop, "p", r#""/notes""#, "/Notes", ok("envelope.p_mismatch")),
        ("slash", pop, "p", r#""/notes/""#, "/notes", ok("envelope.p_mismatch")),
        ("slash", pop, "p", r#""/notes""#, "/notes/", ok("envelope.p_mismatch")),
        ("slash", pop, "p", r#""""#, "/", ok("envelope.p_mismatch")),
        ("slashes", pop, "p", r#""/notes//""#, "/notes", both("envelope.p_mismatch")),
        ("encoding", pop, "p", r#""/n%6Ftes""#, "/notes", both("envelope.p_mismatch")),
        ("path", pop, "p", r#""/note""#, "/notes", both("envelope.p_mismatch")),
        ("port", pop, "u", r#""api.example:443""#, "/notes", ok("envelope.u_mismatch")),
        ("port", pop, "u", r#""API.example:443""#, "/notes", ok("envelope.u_mismatch")),
        ("port", pop, "u", r#""api.example:80""#, "/notes", both("envelope.u_mismatch")),
        ("port", pop, "u", r#""api.example:""#, "/notes", both("envelope.u_mismatch")),
        ("port", pop, "u", r#""api.example:443:443""#, "/notes", both("envelope.u_mismatch")),
        ("host", pop, "u", r#""evil.example""#, "/notes", both("envelope.u_mismatch")),
        ("query", pop, "q", r#"[[],"a=x&b=%2f"]"#, "/notes?A=X&b=%2F", ok("envelope.invalid_claim")),
        ("query", pop, "q", r#"[[],"a=1"]"#, "/notes?a=1", ok("envelope.invalid_claim")),
        ("query", pop, "q", r#"[[],""]"#, "/notes", ok("envelope.invalid_claim")),
        (
            "query",
            pop,
            "q",
            r#"[[],"a=1"]"#,
            "/notes?a=1&b=2",
            (Err("envelope.q_mismatch"), Err("envelope.invalid_claim")),
        ),
        ("query", pop, "q", r#"[[],"a=1"]"#, "/notes", (Err("envelope.q_mismatch"), Err("envelope.invalid_claim"))),
        ("query", pop, "q", r#"[["a"],"a=1"]"#, "/notes?a=1", both("envelope.invalid_claim")),
        ("query", pop, "q", r#""a=1""#, "/notes?a=1", both("envelope.invalid_claim")),
        ("hash", pop, "q", &hashed, "/notes?a=1&b=2", (Ok(()), Ok(()))),
        ("hash", pop, "q", &hashed, "/notes?A=1&b=2", both("envelope.q_mismatch")),
        ("hash", pop, "q", &digest_of_nothing, "/notes", (Ok(()), Ok(()))),
        ("hash", pop, "q", &digest_of_nothing, "/notes?a=1", both("envelope.q_uncovered")),
    ] {
        let payload = with(["h", "b"].into_iter().fold(payload(), without), claim, value);
        let payload = if claim == "q" { payload } else { without(payload, "q") };
        let text = signed(header, &payload);
        let request = Request { content: Vec::new(), ..Request::to(target) };
        let draft = SignedRequestPolicy { required: EnvelopeClaims::EMPTY, ..SignedRequestPolicy::default() };
        assert_eq!(
            judge(&text, &request, &SignedRequestPolicy::entra()),
            in_entra,
            "{row} {header} {value} {target} in Entra's form"
        );
        assert_eq!(judge(&text, &request, &draft), in_draft, "{row} {header} {value} {target} in the draft's form");
    }
}

/// SHR-07: only the default port may be written, and only where there is no other.
#[test]
fn the_default_port_is_that_of_the_scheme() {
    for (origin, u, accepted) in [
        ("http://localhost", "localhost:80", true),
        ("http://localhost", "localhost:443", false),
        ("https://api.example:8443", "api.example:8443", true),
        ("https://api.example:8443", "api.example", false),
        ("https://api.example:8443", "api.example:8443:443", false),
        ("https://[::1]", "[::1]:443", true),
        ("https://[::1]:8443", "[::1]:8443", true),
        ("https://[::1]:8443", "[::1]:8443:443", false),
    ] {
        let payload = with(["q", "h", "b"].into_iter().fold(payload(), without), "u", &format!("\"{u}\""));
        let request = Request { origin: Origin::parse(origin).unwrap(), content: Vec::new(), ..Request::to("/notes") };
        let expected = if accepted { Ok(()) } else { Err("envelope.u_mismatch") };
        assert_eq!(judge(&envelope(&payload), &request, &SignedRequestPolicy::entra()), expected, "{origin} {u}");
    }
}

/// SHR-02: the algorithms of the preset.
#[test]
fn the_preset_accepts_rsa_keys_only() {
    for (alg, expected) in
        [("ES256", Err("envelope.alg")), ("RS384", Err("envelope.alg")), ("RS256", Ok(())), ("PS256", Ok(()))]
    {
        let text = signed(&format!(r#"{{"typ":"pop","alg":"{alg}"}}"#), &payload());
        assert_eq!(read(&text, &SignedRequestPolicy::entra()).map(drop), expected, "{alg}");
    }
}
