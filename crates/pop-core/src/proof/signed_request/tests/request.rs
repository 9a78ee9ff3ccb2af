use super::*;

/// SHR-07..SHR-10: the same envelope on another request.
#[test]
fn rejects_an_envelope_when_the_request_is_altered() {
    let (text, policy) = (envelope(&payload()), strict());
    let field = |name: &'static str, value: &'static str| {
        let mut request = Request::default();
        request.headers.insert(name, HeaderValue::from_static(value));
        request
    };
    let mut gone = Request::default();
    gone.headers.remove("x-tenant");
    let mut twice = Request::default();
    twice.headers.append("x-tenant", HeaderValue::from_static("7"));
    let own = Request::default;
    for (row, request, expected) in [
        ("the request itself", own(), Ok(())),
        ("a field that is not covered", field("accept", "text/html"), Ok(())),
        ("SHR-09 whitespace around a value", field("x-tenant", " 7\t"), Ok(())),
        ("SHR-08 another order of the query", Request::to("/notes?b=2&a=1"), Ok(())),
        ("SHR-07 method", Request { method: "PUT", ..own() }, Err("envelope.m_mismatch")),
        ("SHR-07 method in lower case", Request { method: "post", ..own() }, Err("envelope.m_mismatch")),
        (
            "SHR-07 host",
            Request { origin: Origin::parse("https://other.example").unwrap(), ..own() },
            Err("envelope.u_mismatch"),
        ),
        (
            "SHR-07 port",
            Request { origin: Origin::parse("https://api.example:8443").unwrap(), ..own() },
            Err("envelope.u_mismatch"),
        ),
        ("SHR-07 path", Request::to("/notes/1?a=1&b=2"), Err("envelope.p_mismatch")),
        ("SHR-07 case of the path", Request::to("/Notes?a=1&b=2"), Err("envelope.p_mismatch")),
        ("SHR-07 encoding of the path", Request::to("/note%73?a=1&b=2"), Err("envelope.p_mismatch")),
        ("SHR-07 dot segments", Request::to("/x/../notes?a=1&b=2"), Err("envelope.target")),
        ("SHR-08 value", Request::to("/notes?a=1&b=3"), Err("envelope.q_mismatch")),
        ("SHR-08 encoding of a value", Request::to("/notes?a=%31&b=2"), Err("envelope.q_mismatch")),
        ("SHR-08 name", Request::to("/notes?a=1&c=2"), Err("envelope.q_mismatch")),
        ("SHR-08 a parameter less", Request::to("/notes?a=1"), Err("envelope.q_mismatch")),
        ("SHR-08 no query", Request::to("/notes"), Err("envelope.q_mismatch")),
        ("SHR-08 a parameter more", Request::to("/notes?a=1&b=2&c=3"), Err("envelope.q_uncovered")),
        ("SHR-08 an empty parameter more", Request::to("/notes?a=1&b=2&"), Err("envelope.q_uncovered")),
        ("SHR-08 repeated", Request::to("/notes?a=1&b=2&a=1"), Err("envelope.q_uncovered")),
        ("SHR-08 repeated instead", Request::to("/notes?a=1&a=2"), Err("envelope.q_repeated")),
        ("SHR-08 repeated in another encoding", Request::to("/notes?a=1&%61=2"), Err("envelope.q_repeated")),
        ("SHR-09 value", field("x-tenant", "8"), Err("envelope.h_mismatch")),
        ("SHR-09 case of a value", field("content-type", "Application/json"), Err("envelope.h_mismatch")),
        ("SHR-09 missing", gone, Err("envelope.h_missing_field")),
        ("SHR-09 repeated", twice, Err("envelope.h_repeated_field")),
        ("SHR-10 content", Request { content: b"{}".to_vec(), ..own() }, Err("content.digest_mismatch")),
        ("SHR-10 no content", Request { content: Vec::new(), ..own() }, Err("content.digest_mismatch")),
    ] {
        assert_eq!(judge(&text, &request, &policy), expected, "{row}");
    }
}

/// SHR-08: the example of the draft, §3.1, and what may be in a query.
#[test]
fn covers_queries_as_received() {
    let policy = SignedRequestPolicy { content: SignedContent::Off, ..SignedRequestPolicy::default() };
    let q = |names: &[&str], text: &str| json!([names, sha256(text)]).to_string();
    let example = r#"[["b","a","c"],"u4LgkGUWhP9MsKrEjA4dizIllDXluDku6ZqCeyuR-JY"]"#.to_owned();
    for (query, q, expected) in [
        ("?b=bar&a=foo&c=duck", example, Ok(())),
        ("?a=1", q(&["a"], "a=1"), Ok(())),
        ("?flag", q(&["flag"], "flag"), Ok(())),
        ("?flag=", q(&["flag"], "flag"), Err("envelope.q_mismatch")),
        ("?a=1=2", q(&["a"], "a=1=2"), Ok(())),
        ("?filter%5Bx%5D=%20y", q(&["filter%5Bx%5D"], "filter%5Bx%5D=%20y"), Ok(())),
        ("?filter%5Bx%5D=%20y", q(&["filter[x]"], "filter%5Bx%5D=%20y"), Ok(())),
        ("?filter%5Bx%5D=%20y", q(&["filter[x]"], "filter[x]= y"), Err("envelope.q_mismatch")),
        ("?a+b=1", q(&["a+b"], "a+b=1"), Ok(())),
        ("?a+b=1&a%20b=2", q(&["a+b", "a%20b"], "a+b=1&a%20b=2"), Err("envelope.q_repeated")),
        ("?a=1&A=2", q(&["a", "A"], "a=1&A=2"), Ok(())),
        ("?=1", q(&[""], "=1"), Ok(())),
        ("?a=1&&b=2", q(&["a", "", "b"], "a=1&&b=2"), Ok(())),
        ("?", q(&[], ""), Ok(())),
        ("", q(&[], ""), Ok(())),
        ("", q(&["a"], "a=1"), Err("envelope.q_mismatch")),
        ("?a=1", q(&[], ""), Err("envelope.q_uncovered")),
    ] {
        let payload = with(without(without(payload(), "h"), "b"), "q", &q);
        let request = Request { content: Vec::new(), ..Request::to(&format!("/notes{query}")) };
        assert_eq!(judge(&envelope(&payload), &request, &policy), expected, "{query} {q}");
    }
}

/// SHR-08: a long query costs nothing before its length is compared with the list.
#[test]
fn rejects_a_query_of_many_parameters() {
    let names: Vec<String> = (0..200).map(|n| format!("p{n}")).collect();
    let query = |count: usize| (0..count).map(|n| format!("p{n}={n}")).collect::<Vec<_>>().join("&");
    let q = json!([names, sha256(query(200))]).to_string();
    let text = envelope(&with(payload(), "q", &q));
    assert_eq!(judge(&text, &Request::to(&format!("/notes?{}", query(200))), &strict()), Ok(()));
    let many = Request::to(&format!("/notes?{}", query(5000)));
    assert_eq!(judge(&text, &many, &strict()), Err("envelope.q_uncovered"));
    let more: Vec<String> = (0..300).map(|n| format!("p{n}")).collect();
    let text = envelope(&with(payload(), "q", &json!([more, sha256("")]).to_string()));
    assert_eq!(judge(&text, &many, &strict()), Err("envelope.too_many_members"));
}

/// SHR-09: lines are joined by LF. The digest that the draft prints in §3.2 is over CR LF, against its own text.
#[test]
fn joins_the_lines_of_header_fields_by_lf() {
    let mut request = Request::default();
    request.headers.insert("etag", HeaderValue::from_static("742-3u8f34-3r2nvv3"));
    let h = |digest: &str| envelope(&with(payload(), "h", &format!(r#"[["content-type","etag"],"{digest}"]"#)));
    assert_eq!(judge(&h("P6z5XN4tTzHkfwe3XO1YvVUIurSuhvh_UG10N_j-aGs"), &request, &strict()), Ok(()));
    let cr_lf = h("bZA981YJBrPlIzOvplbu3e7ueREXXr38vSkxIBYOaxI");
    assert_eq!(judge(&cr_lf, &request, &strict()), Err("envelope.h_mismatch"));
    assert_eq!(
        sha256("content-type: application/json\r\netag: 742-3u8f34-3r2nvv3"),
        "bZA981YJBrPlIzOvplbu3e7ueREXXr38vSkxIBYOaxI"
    );
}

/// SHR-12: what the policy demands must be there, and what is there must match although nothing demands it.
#[test]
fn the_policy_says_what_an_envelope_must_cover() {
    let codes = [
        ("m", r#""GET""#, "envelope.m_mismatch"),
        ("u", r#""evil.example""#, "envelope.u_mismatch"),
        ("p", r#""/other""#, "envelope.p_mismatch"),
        ("q", r#"[["a","b"],"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"]"#, "envelope.q_mismatch"),
        ("h", r#"[["accept"],"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"]"#, "envelope.h_mismatch"),
        ("b", r#""47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU""#, "content.digest_mismatch"),
    ];
    let nothing = SignedRequestPolicy {
        required: EnvelopeClaims::EMPTY,
        content: SignedContent::Off,
        ..SignedRequestPolicy::default()
    };
    for ((claim, name), (own, wrong, code)) in EnvelopeClaims::ALL.into_iter().zip(codes) {
        assert_eq!(name, own);
        let demanded = SignedRequestPolicy { required: claim, ..nothing.clone() };
        let lacking = envelope(&without(payload(), name));
        let missing = if name == "b" { "content.uncovered" } else { "envelope.missing_claim" };
        assert_eq!(judge(&lacking, &Request::default(), &nothing), Ok(()), "{name} is not demanded");
        assert_eq!(judge(&lacking, &Request::default(), &demanded), Err(missing), "{name} is demanded");
        assert_eq!(judge(&envelope(&payload()), &Request::default(), &demanded), Ok(()), "{name} is there");
        let wrong = envelope(&with(payload(), name, wrong));
        assert_eq!(judge(&wrong, &Request::default(), &nothing), Err(code), "{name} is verified all the same");
    }
}

/// SHR-08, SHR-10: `q` is demanded if there is a query, and `b` if there is content.
#[test]
fn a_request_without_query_and_content_needs_neither() {
    let policy = SignedRequestPolicy { required: EnvelopeClaims::DEFAULT, ..strict() };
    let text = envelope(&["q", "h", "b"].into_iter().fold(payload(), without));
    let request = Request { content: Vec::new(), ..Request::to("/notes") };
    assert_eq!(judge(&text, &request, &policy), Ok(()));
    assert_eq!(judge(&text, &Request { target: "/notes?".into(), ..request.clone() }, &policy), Ok(()));
    let query = Request { target: "/notes?a".into(), ..request.clone() };
    assert_eq!(judge(&text, &query, &policy), Err("envelope.missing_claim"));
    assert_eq!(judge(&text, &Request { content: vec![0], ..request }, &policy), Err("content.uncovered"));
}

/// SHR-10: what becomes of content under each rule.
#[test]
fn says_what_is_expected_of_the_content() {
    let digest = ExpectedContent::sha256(Sha256::digest(CONTENT).into());
    let (covered, uncovered) = (envelope(&payload()), envelope(&without(payload(), "b")));
    for (content, required, without_b) in [
        (SignedContent::Required, EnvelopeClaims::EMPTY, Some(ExpectedContent::EMPTY)),
        (SignedContent::IfPresent, EnvelopeClaims::EMPTY, None),
        (SignedContent::Off, EnvelopeClaims::DEFAULT, None),
        (SignedContent::Off, EnvelopeClaims::B, Some(ExpectedContent::EMPTY)),
    ] {
        let policy = SignedRequestPolicy { content, required, ..SignedRequestPolicy::default() };
        let expected = |text| read(text, &policy).unwrap().expected_content(&policy);
        assert_eq!(expected(&covered), Some(digest), "{content:?}: a digest is always verified");
        assert_eq!(expected(&uncovered), without_b, "{content:?} {required:?}");
    }
}
