//! The options, on the command line and in the environment.

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use pop_authserver::{Algorithm, DpopKey};
use pop_client::Envelope;
use serde_json::json;

use crate::support::program;
use crate::{ALL, Answer, Api, CONTENT, ISSUER};

const UNCOVERED: fn(&mut crate::Draft) = |draft| {
    draft.without("content-digest");
    draft.request.headers_mut().remove("content-digest");
};

/// SIG-23, SHR-10: required by default.
#[tokio::test(flavor = "multi_thread")]
async fn signed_body_says_whether_content_must_be_covered() {
    for (rule, accepted) in [(None, false), (Some("required"), false), (Some("if-present"), true), (Some("off"), true)]
    {
        let environment = [("POP_PROOFS", ALL), ("POP_SIGNED_BODY", rule.unwrap_or("required"))];
        let api =
            Api::start_with_environment("rule", &[], if rule.is_some() { &environment } else { &environment[..1] });
        let post = || api.request(Method::POST, "/echo", CONTENT);
        let token = api.token().bound_to_jwk(&api.key).mint();
        let mut bare = post();
        let url = bare.url().as_str().to_owned();
        let envelope = Envelope::new("POST", &url, &token).sign(&api.key).unwrap();
        bare.headers_mut().insert(AUTHORIZATION, format!("PoP {envelope}").parse().unwrap());
        for (row, request) in [
            ("httpsig", api.httpsig_with(post(), &token, UNCOVERED)),
            ("hmac", api.hmac_with(post(), &api.shared_token(1), UNCOVERED)),
            ("pop", bare),
        ] {
            let answer = Answer::to(request).await;
            assert_eq!(answer.status, if accepted { 200 } else { 401 }, "{rule:?} {row}");
        }
        let mut present = api.httpsig_with(post(), &token, |draft| draft.without("content-digest"));
        let answer = Answer::to(present.try_clone().unwrap()).await;
        assert_eq!(
            answer.status == 200,
            rule == Some("off"),
            "SIG-23 {rule:?}: a digest that is there must be covered"
        );
        present.headers_mut().remove("content-digest");
        Answer::to(api.httpsig(api.request(Method::GET, "/whoami", ""))).await.accepted("no content, nothing to cover");
    }
}

/// SHR-07: what an envelope must cover.
#[tokio::test(flavor = "multi_thread")]
async fn pop_cover_says_what_an_envelope_must_cover() {
    for (cover, with_field) in [(None, false), (Some("m,u,p,q,h"), true), (Some("m"), false)] {
        let environment = [("POP_PROOFS", "pop"), ("POP_COVER", cover.unwrap_or_default())];
        let api =
            Api::start_with_environment("cover", &[], if cover.is_some() { &environment } else { &environment[..1] });
        let token = api.token().bound_to_jwk(&api.key).mint();
        let send = async |claims: &[&str], field: bool| {
            let mut request = api.request(Method::GET, "/whoami?a=1", "");
            request.headers_mut().insert(CONTENT_TYPE, "text/plain".parse().unwrap());
            let url = request.url().as_str().to_owned();
            let envelope = Envelope::new("GET", &url, &token);
            let envelope = if field { envelope.header_fields(request.headers(), &["content-type"]) } else { envelope };
            let envelope = without(&envelope.sign(&api.key).unwrap(), claims, &api.key);
            request.headers_mut().insert(AUTHORIZATION, format!("PoP {envelope}").parse().unwrap());
            Answer::to(request).await.status
        };
        assert_eq!(send(&[], true).await, 200, "{cover:?} everything");
        assert_eq!(send(&[], false).await, if with_field { 401 } else { 200 }, "{cover:?} no h");
        for claim in ["u", "p", "q"] {
            assert_eq!(send(&[claim], true).await, if cover == Some("m") { 200 } else { 401 }, "{cover:?} no {claim}");
        }
        assert_eq!(send(&["m"], true).await, 401, "{cover:?} no m");
    }
}

/// Signs the same envelope without some claims.
fn without(envelope: &str, claims: &[&str], key: &DpopKey) -> String {
    let mut parts = envelope.split('.').map(|part| pop_core::jose::decode(part).unwrap());
    let header = String::from_utf8(parts.next().unwrap()).unwrap();
    let mut payload: serde_json::Value = serde_json::from_slice(&parts.next().unwrap()).unwrap();
    for claim in claims {
        payload.as_object_mut().unwrap().remove(*claim);
    }
    key.sign_jws(&header, &payload.to_string()).unwrap()
}

/// SIG-07, SHR-06: 60 seconds by default.
#[tokio::test(flavor = "multi_thread")]
async fn signature_max_age_limits_the_age_of_proofs() {
    for (max_age, args) in [(60, &[][..]), (10, &["--signature-max-age", "10"]), (300, &["--signature-max-age", "300"])]
    {
        let api = Api::start("age", ALL, args);
        let get = || api.request(Method::GET, "/whoami", "");
        let token = api.token().bound_to_jwk(&api.key).mint();
        // Five seconds less and more than the limit, because the clock goes on.
        for (age, accepted) in [(max_age - 5, true), (max_age + 5, false)] {
            let at = crate::now() - age;
            let signature = api.httpsig_with(get(), &token, |draft| draft.parameters.created = Some(at));
            let envelope = api.envelope_with(get(), &token, |envelope| envelope.issued_at(at));
            for request in [signature, envelope] {
                assert_eq!(Answer::to(request).await.status == 200, accepted, "{max_age} {age}");
            }
        }
        let ahead = crate::now() + 35;
        let signature = api.httpsig_with(get(), &token, |draft| draft.parameters.created = Some(ahead));
        Answer::to(signature).await.rejected(401, "HTTPSig", "invalid_signature", "SIG-07 in the future");
    }
}

/// SIG-26: a key that the client registered.
#[tokio::test(flavor = "multi_thread")]
async fn client_keys_are_the_keys_that_clients_registered() {
    let registered = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let mut jwk = registered.public_jwk();
    (jwk["kid"], jwk["alg"]) = (json!("own"), json!("Ed25519"));
    let files = crate::support::Files::new("client-keys");
    let path = files.write("clients.json", json!({ "app": { "keys": [jwk.clone()] } }).to_string());
    let api = Api::start("registered", "dpop", &["--message-signature", "required", "--client-keys", &path]);
    let signed = |keyid, key: &DpopKey| {
        let post = api.request(Method::POST, "/echo", CONTENT);
        let by_dpop_key = api.dpop(post, |_| {});
        let mut request = by_dpop_key;
        request.headers_mut().remove("signature");
        request.headers_mut().remove("signature-input");
        let authorization =
            request.headers()[AUTHORIZATION].to_str().unwrap().strip_prefix("DPoP ").unwrap().to_owned();
        let mut draft = crate::Draft::new(pop_core::proof::SignatureProfile::Request, "DPoP", &authorization, request);
        draft.components.push("dpop");
        draft.parameters.keyid = keyid;
        draft.sign(|_| {}, |base| key.sign(base).unwrap())
    };
    let thumbprint: &str = api.key.thumbprint().to_string().leak();
    for (row, keyid, key, accepted) in [
        ("registered", Some("own"), &registered, true),
        ("no keyid", None, &api.key, true),
        ("its thumbprint", Some(thumbprint), &api.key, true),
        ("SIG-26 unknown", Some("other"), &registered, false),
        ("SIG-26 another key", Some("own"), &api.key, false),
        ("SIG-26 no keyid, registered key", None, &registered, false),
    ] {
        let answer = Answer::to(signed(keyid, key)).await;
        if accepted {
            answer.accepted(row);
        } else {
            answer.rejected(401, "DPoP", "invalid_signature", row);
        }
    }
    let broken = files.write("broken.json", json!({ "app": { "keys": [{ "kty": "oct" }] } }).to_string());
    let output = program(&["--issuer", ISSUER, "--client-keys", &broken]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains(&broken) && text.contains("client app, key 0"), "{text}");
}

/// SHR-11, SHR-13: the nonce is the first parameter, and the response has the next one. Only envelopes need it.
#[tokio::test(flavor = "multi_thread")]
async fn a_required_nonce_is_demanded_of_envelopes_and_not_of_message_signatures() {
    let api = Api::start("nonce", "httpsig,pop,hmac", &["--nonce", "required"]);
    let get = || api.request(Method::GET, "/whoami", "");
    let token = api.token().bound_to_jwk(&api.key).mint();
    let answer = Answer::to(api.envelope(get())).await.rejected(401, "PoP", "invalid_proof", "no nonce");
    let line = answer.challenges()[0].to_owned();
    let nonce = line.strip_prefix("PoP nonce=\"").unwrap().split('"').next().unwrap();
    assert!(!nonce.contains(['=', ',']), "SHR-13 {line}");
    let with_nonce = api.envelope_with(get(), &token, |envelope| envelope.nonce(Some(nonce.to_owned().leak())));
    let answer = Answer::to(with_nonce).await.accepted("with nonce");
    assert!(answer.headers["authentication-info"].to_str().unwrap().starts_with("nextnonce=\""), "SHR-13");
    Answer::to(api.httpsig(get())).await.accepted("httpsig");
    Answer::to(api.hmac(get())).await.accepted("hmac");
}

/// SHR-06, SHR-07: the deviations of `--preset entra`, which are rejected without it.
#[tokio::test(flavor = "multi_thread")]
async fn the_preset_entra_accepts_what_is_rejected_without_it() {
    let key = DpopKey::generate(Algorithm::RS256).unwrap();
    let entra = Api::start("entra", "pop", &["--preset", "entra"]);
    let draft = Api::start("draft", "pop", &["--signed-body", "off"]);
    for (row, method, path, header, claims) in [
        ("no typ", "GET", "/whoami", json!({ "alg": "RS256" }), json!({})),
        ("final slash", "GET", "/whoami", json!({ "typ": "pop", "alg": "RS256" }), json!({ "p": "/whoami/" })),
        ("case", "GET", "/whoami/A", json!({ "typ": "pop", "alg": "RS256" }), json!({ "p": "/whoami/a" })),
        ("raw query", "GET", "/whoami?A=1", json!({ "typ": "pop", "alg": "RS256" }), json!({ "q": [[], "a=1"] })),
        (
            "nothing covered",
            "GET",
            "/whoami",
            json!({ "typ": "pop", "alg": "RS256" }),
            json!({ "m": null, "u": null, "p": null }),
        ),
        ("old", "GET", "/whoami", json!({ "typ": "pop", "alg": "RS256" }), json!({ "ts": crate::now() - 290 })),
        ("content", "POST", "/whoami", json!({ "typ": "pop", "alg": "RS256" }), json!({})),
    ] {
        for (api, accepted) in [(&entra, true), (&draft, false)] {
            let request = |claims: &serde_json::Value| {
                let content = if method == "POST" { CONTENT } else { "" };
                let mut request = api.request(method.parse().unwrap(), path, content);
                let host = request.url().as_str().split('/').nth(2).unwrap().to_owned();
                let mut payload = json!({
                    "at": api.token().bound_to_kid(&key).mint(), "ts": crate::now(), "m": method, "u": host,
                    "p": request.url().path(), "nonce": crate::fresh_nonce(), "cnf": { "jwk": key.public_jwk() },
                });
                for (name, value) in claims.as_object().unwrap() {
                    payload[name] = value.clone();
                }
                payload.as_object_mut().unwrap().retain(|_, value| !value.is_null());
                let envelope = key.sign_jws(&header.to_string(), &payload.to_string()).unwrap();
                request.headers_mut().insert(AUTHORIZATION, format!("PoP {envelope}").parse().unwrap());
                request
            };
            let answer = Answer::to(request(&claims)).await;
            let accepted = accepted || row == "content"; // with --signed-body off
            assert_eq!(answer.status, if accepted { 200 } else { 401 }, "{row}: {:?}", answer.challenges());
            let other = Answer::to(request(&json!({ "m": "DELETE", "p": "/other" }))).await;
            other.rejected(401, "PoP", "invalid_proof", row);
        }
    }
    let es256 = entra.envelope(entra.request(Method::GET, "/whoami", ""));
    assert_eq!(Answer::to(es256).await.status, 401, "RS256 and PS256 only");
}

/// Options that contradict each other, or whose value is out of range.
#[test]
fn options_that_cannot_be_used_are_named() {
    for (args, part) in [
        (&["--proofs", "hmac"][..], "--proofs hmac needs --kek-file"),
        (&["--proofs", "mtls"], "mtls"),
        (&["--proofs", "other"], "other"),
        (&["--signature-max-age", "0"], "signature_max_age is 0"),
        (&["--signature-max-age", "301"], "signature_max_age is 301"),
        (&["--body-limit", "2000000000"], "content_limit is 2000000000"),
        (&["--pop-cover", "m,x"], "x"),
        (&["--signed-body", "maybe"], "maybe"),
        (&["--message-signature", "maybe"], "maybe"),
        (&["--client-keys", "/no/such/file"], "/no/such/file"),
    ] {
        let output = program(&["--issuer", ISSUER]).args(args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "{args:?}: {text}");
    }
}

/// Each option has a variable in the environment.
#[test]
fn help_names_every_option_and_its_variable() {
    let output = program(&["--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for (option, variable) in [
        ("--proofs", "POP_PROOFS"),
        ("--kek-file", "POP_KEK_FILE"),
        ("--signed-body", "POP_SIGNED_BODY"),
        ("--pop-cover", "POP_COVER"),
        ("--body-limit", "POP_BODY_LIMIT"),
        ("--message-signature", "POP_MESSAGE_SIGNATURE"),
        ("--client-keys", "POP_CLIENT_KEYS"),
        ("--signature-max-age", "POP_SIGNATURE_MAX_AGE"),
    ] {
        assert!(text.contains(option) && text.contains(&format!("[env: {variable}=")), "{option} {variable}");
    }
    assert!(text.contains("1048576") && text.contains("entra"));
}
