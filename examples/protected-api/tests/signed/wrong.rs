//! What comes back for each kind of error: the status and the challenge.

use http::Method;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, DpopKey, SharedKey};
use reqwest::Request;
use serde_json::json;

use crate::{ALL, Answer, Api, CONTENT};

/// What makes a valid request a wrong one.
type Change = fn(&mut crate::Draft);

/// ERR rows: one line for each enabled scheme, without an error.
#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_there_is_one_challenge_for_each_scheme() {
    for (proofs, schemes) in [
        ("dpop", &["DPoP"][..]),
        ("httpsig", &["HTTPSig"]),
        ("pop", &["PoP"]),
        ("hmac", &["PoP"]),
        ("hmac,pop", &["PoP"]),
        ("pop,httpsig", &["HTTPSig", "PoP"]),
        (ALL, &["DPoP", "HTTPSig", "PoP"]),
    ] {
        let api = Api::start("none", proofs, &[]);
        for authorization in [None, Some("Basic dTpw"), Some("Negotiate abc")] {
            let mut request = api.request(Method::GET, "/whoami", "");
            if let Some(value) = authorization {
                request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
            }
            let answer = Answer::to(request).await;
            let lines = answer.challenges();
            let names: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
            assert_eq!((answer.status, &names[..]), (401, schemes), "{proofs} {authorization:?}");
            assert!(lines.iter().all(|line| !line.contains("error")), "{proofs} {lines:?}");
            assert_eq!(lines[0].contains("algs="), schemes[0] == "DPoP", "{proofs} {lines:?}");
        }
    }
}

/// SYM-11, SHR-14, SIG-03, CNF-05: the token, its `cnf`, its key; whatever step of a JWE failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_an_invalid_token_under_the_scheme_used() {
    let api = Api::start("tokens", ALL, &[]);
    let get = || api.request(Method::GET, "/whoami", "");
    let jwk = || api.token().bound_to_jwk(&api.key);
    let jwe = api.shared_token(1);
    let jwe = jwe.split('.').nth(1).map(|claims| pop_core::jose::decode(claims).unwrap()).unwrap();
    let jwe = serde_json::from_slice::<serde_json::Value>(&jwe).unwrap()["cnf"]["jwe"].as_str().unwrap().to_owned();
    let jkt = json!({ "jkt": api.key.thumbprint().to_string() });
    for (row, token) in [
        ("expired", jwk().expires_in(-3600).mint()),
        ("signature", jwk().tampered_signature().mint()),
        ("audience", jwk().audience("https://other.example").mint()),
        ("unbound", api.token().mint()),
        ("CNF-05 jkt", api.token().claim("cnf", jkt.clone()).mint()),
        ("SYM-01 jwe", api.shared_token(1)),
        ("SIG-11 htsk", api.token().claim("cnf", json!({ "htsk": { "alg": "ed25519", "pub": ":AA==:" } })).mint()),
        ("unknown", api.token().claim("cnf", json!({ "foo": 1 })).mint()),
        ("oct", api.token().claim("cnf", json!({ "jwk": { "kty": "oct", "k": "AA", "alg": "HS256" } })).mint()),
    ] {
        let answer = Answer::to(api.httpsig_with(get(), &token, |_| {})).await;
        answer.rejected(401, "HTTPSig", "invalid_token", row);
        let answer = Answer::to(api.envelope_with(get(), &token, |envelope| envelope)).await;
        answer.rejected(401, "PoP", "invalid_token", row);
    }
    let changed = |at: usize| {
        let mut parts: Vec<String> = jwe.split('.').map(ToOwned::to_owned).collect();
        let first = parts[at].remove(0);
        parts[at].insert(0, if first == 'A' { 'B' } else { 'A' });
        json!({ "jwe": parts.join(".") })
    };
    let mut descriptions = Vec::new();
    for (row, cnf) in [
        ("SYM-11 header", changed(0)),
        ("SYM-11 encrypted key", changed(1)),
        ("SYM-11 iv", changed(2)),
        ("SYM-11 ciphertext", changed(3)),
        ("SYM-11 tag", changed(4)),
        ("jkt", jkt),
        ("jwk", json!({ "jwk": api.key.public_jwk() })),
    ] {
        let token = api.token().claim("cnf", cnf).mint();
        let answer = Answer::to(api.hmac_with(get(), &token, |_| {})).await;
        let answer = answer.rejected(401, "PoP", "invalid_token", row);
        descriptions.push(answer.challenges()[0].to_owned());
    }
    assert!(descriptions[..5].iter().all(|description| *description == descriptions[0]), "SYM-11 {descriptions:?}");
    for (scheme, request) in [("Bearer", jwk().mint()), ("DPoP", jwk().mint())] {
        let mut other = get();
        other.headers_mut().insert(AUTHORIZATION, format!("{scheme} {request}").parse().unwrap());
        let proof = pop_authserver::proof(&api.key).url(other.url().as_str()).for_token(&request).mint();
        other.headers_mut().insert("dpop", proof.parse().unwrap());
        Answer::to(other).await.rejected(401, "DPoP", "invalid_token", "SHR-14 another scheme");
    }
    Answer::to(api.httpsig(get())).await.accepted("httpsig");
    Answer::to(api.envelope(get())).await.accepted("pop");
    Answer::to(api.hmac(get())).await.accepted("hmac");
}

/// SIG-06 to SIG-10, SIG-27, SHR-06 to SHR-11, SYM-09: signature, coverage, digest, time, nonce.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_proof_has_the_error_of_its_scheme() {
    let api = Api::start("proofs", ALL, &[]);
    let post = || api.request(Method::POST, "/echo?a=1", CONTENT);
    let old = crate::now() - 61;
    let changes: [(&str, Change); 8] = [
        ("SIG-06 method", |draft| draft.without("@method")),
        ("SIG-06 target", |draft| draft.without("@target-uri")),
        ("SIG-06 authorization", |draft| draft.without("authorization")),
        ("SIG-23 digest", |draft| draft.without("content-digest")),
        ("SIG-04 tag", |draft| draft.parameters.tag = Some("other")),
        ("SIG-09 nonce", |draft| draft.parameters.nonce = None),
        ("SIG-10 alg", |draft| draft.parameters.alg = Some("ed25519")),
        ("SIG-10 keyid", |draft| draft.parameters.keyid = Some("key")),
    ];
    let token = api.token().bound_to_jwk(&api.key).mint();
    for (row, change) in changes {
        let answer = Answer::to(api.httpsig_with(post(), &token, change)).await;
        let answer = answer.rejected(401, "HTTPSig", "invalid_signature", row);
        assert!(answer.headers["accept-signature"].to_str().unwrap().contains("httpsig-oauth"), "SIG-27 {row}");
        let answer = Answer::to(api.hmac_with(post(), &api.shared_token(1), change)).await;
        answer.rejected(401, "PoP", "invalid_proof", row);
    }
    let too_old = |draft: &mut crate::Draft| draft.parameters.created = Some(old);
    let answer = Answer::to(api.httpsig_with(post(), &token, too_old)).await;
    answer.rejected(401, "HTTPSig", "invalid_signature", "SIG-07");
    let answer = Answer::to(api.envelope_with(post(), &token, |envelope| envelope.issued_at(old))).await;
    answer.rejected(401, "PoP", "invalid_proof", "SHR-06");
    for (row, change) in [
        ("method", (|request| *request.method_mut() = Method::PUT) as fn(&mut Request)),
        ("query", |request| request.url_mut().set_query(Some("a=2"))),
        ("further query", |request| request.url_mut().set_query(Some("a=1&b=2"))),
        ("path", |request| request.url_mut().set_path("/whoami")),
        ("content", |request| *request.body_mut() = Some("other".into())),
    ] {
        for (scheme, error, mut request) in [
            ("HTTPSig", "invalid_signature", api.httpsig(post())),
            ("PoP", "invalid_proof", api.envelope(post())),
            ("PoP", "invalid_proof", api.hmac(post())),
        ] {
            change(&mut request);
            Answer::to(request).await.rejected(401, scheme, error, row);
        }
    }
    let (other, other_shared) = (DpopKey::generate(Algorithm::ES256).unwrap(), SharedKey::new([8; 32]).unwrap());
    let by_other = api.token().bound_to_jwk(&other).mint();
    let answer = Answer::to(api.httpsig_with(post(), &by_other, |_| {})).await;
    answer.rejected(401, "HTTPSig", "invalid_signature", "another key");
    let draft = crate::Draft::new(pop_core::proof::SignatureProfile::Hmac, "PoP", &api.shared_token(1), post());
    let request = draft.sign(|_| {}, |base| other_shared.sign(base).to_vec());
    Answer::to(request).await.rejected(401, "PoP", "invalid_proof", "SYM-09 another key");
}

/// ATK-02, ATK-03, SHR-01: credentials that are not one token68, and a token68 that is not a JWS.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_credentials_are_an_invalid_request() {
    let api = Api::start("malformed", "httpsig,pop", &[]);
    for (row, lines) in [
        ("ATK-02 two words", &["PoP a b"][..]),
        ("ATK-02 nothing", &["HTTPSig"]),
        ("ATK-02 parameters", &["PoP token=\"a\""]),
        ("ATK-03 twice", &["PoP a", "HTTPSig b"]),
    ] {
        let mut request = api.request(Method::GET, "/whoami", "");
        for line in lines {
            request.headers_mut().append(AUTHORIZATION, line.parse().unwrap());
        }
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 400, "{row}");
        let challenges = answer.challenges();
        assert!(challenges.iter().all(|line| line.contains("error=\"invalid_request\"")), "{row} {challenges:?}");
    }
    for credentials in ["abc", "a.b", "a.b.c.d.e"] {
        let mut request = api.request(Method::GET, "/whoami", "");
        request.headers_mut().insert(AUTHORIZATION, format!("PoP {credentials}").parse().unwrap());
        Answer::to(request).await.rejected(401, "PoP", "invalid_token", credentials);
    }
}

/// SIG-24, SHR-10: 413 without a challenge for a verified head, and 401 without one.
#[tokio::test(flavor = "multi_thread")]
async fn content_over_the_limit_is_413_for_a_verified_head_only() {
    let api = Api::start("limit", ALL, &["--body-limit", "32"]);
    let (fits, long): (&str, &str) = ("x".repeat(32).leak(), "x".repeat(33).leak());
    for (row, sign) in [
        ("httpsig", (|api: &Api, request| api.httpsig(request)) as fn(&Api, Request) -> Request),
        ("pop", |api, request| api.envelope(request)),
        ("hmac", |api, request| api.hmac(request)),
    ] {
        let request = |content| sign(&api, api.request(Method::POST, "/echo", content));
        let answer = Answer::to(request(long)).await;
        assert_eq!((answer.status, answer.challenges().len()), (413, 0), "{row}");
        assert_eq!(Answer::to(request(fits)).await.accepted(row).content, fits);
        let mut wrong = request(long);
        wrong.headers_mut().insert("signature", "sig1=:AAAA:".parse().unwrap());
        if row == "pop" {
            let forged = api.token().bound_to_jwk(&DpopKey::generate(Algorithm::ES256).unwrap()).mint();
            wrong = api.envelope_with(api.request(Method::POST, "/echo", long), &forged, |envelope| envelope);
        }
        assert_eq!(Answer::to(wrong).await.status, 401, "{row}");
    }
}
