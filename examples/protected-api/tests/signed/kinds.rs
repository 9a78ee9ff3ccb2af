//! What is accepted, and what the program tells about it.

use http::Method;
use http::header::AUTHORIZATION;
use serde_json::json;

use crate::{ALL, Answer, Api, CONTENT};

/// SIG-25, SHR-12: the kind of proof and what it covers.
#[tokio::test(flavor = "multi_thread")]
async fn whoami_names_the_kind_of_proof_and_what_it_covers() {
    let api = Api::start("kinds", ALL, &[]);
    let get = || api.request(Method::GET, "/whoami/a/b%20c?x=1&y=", "");
    let post = || api.request(Method::POST, "/whoami?x=1", CONTENT);
    let signed = json!(["@method", "@target-uri", "authorization"]);
    let with_content = json!(["@method", "@target-uri", "authorization", "content-digest"]);
    for (row, request, kind, covered) in [
        ("httpsig", api.httpsig(get()), "httpsig", signed.clone()),
        ("httpsig with content", api.httpsig(post()), "httpsig", with_content.clone()),
        ("pop", api.envelope(get()), "pop", json!(["m", "u", "p", "q", "b"])),
        ("pop with content", api.envelope(post()), "pop", json!(["m", "u", "p", "q", "b"])),
        ("hmac", api.hmac(get()), "hmac", signed),
        ("hmac with content", api.hmac(post()), "hmac", with_content),
        ("dpop", api.dpop(get(), |_| {}), "dpop", json!([])),
    ] {
        let proof = Answer::to(request).await.accepted(row).json()["proof"].clone();
        assert_eq!((&proof["kind"], &proof["covered"]), (&json!(kind), &covered), "{row}");
    }
    let by_thumbprint = api.token().bound_to_kid(&api.key).mint();
    let request = api.envelope_with(get(), &by_thumbprint, |envelope| envelope.embed_key().nonce(Some("n")));
    let answer = Answer::to(request).await.accepted("SHR-04 cnf.kid");
    assert_eq!(answer.json()["proof"]["jkt"], api.key.thumbprint().to_string());
}

/// SIG-26, SIG-25: the union with the signature in addition.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_in_addition_to_dpop_is_verified_where_it_is_required() {
    let api = Api::start("addition", "dpop,httpsig", &["--message-signature", "required"]);
    let post = || api.request(Method::POST, "/whoami?x=1", CONTENT);
    let proof = Answer::to(api.dpop(post(), |_| {})).await.accepted("signed").json()["proof"].clone();
    let covered = json!(["@method", "@target-uri", "authorization", "content-digest", "dpop"]);
    assert_eq!((&proof["kind"], &proof["covered"]), (&json!("dpop"), &covered));
    let mut unsigned = api.dpop(post(), |_| {});
    unsigned.headers_mut().remove("signature-input");
    unsigned.headers_mut().remove("signature");
    let answer = Answer::to(unsigned).await.rejected(401, "DPoP", "invalid_signature", "no signature");
    assert!(answer.headers["accept-signature"].to_str().unwrap().contains("fapi-2-request"));
    Answer::to(api.httpsig(post())).await.accepted("httpsig needs no other signature");
}

/// SIG-23, SHR-10: and the handler gets exactly what was signed.
#[tokio::test(flavor = "multi_thread")]
async fn echo_responds_with_the_content_that_was_verified() {
    let api = Api::start("echo", ALL, &[]);
    let post = || api.request(Method::POST, "/echo", CONTENT);
    for (row, request, error) in [
        ("httpsig", api.httpsig(post()), "invalid_signature"),
        ("pop", api.envelope(post()), "invalid_proof"),
        ("hmac", api.hmac(post()), "invalid_proof"),
    ] {
        let mut changed = request.try_clone().unwrap();
        *changed.body_mut() = Some("other".into());
        assert_eq!(Answer::to(changed).await.status, 401, "{row}");
        let again = request.try_clone().unwrap();
        assert_eq!(Answer::to(request).await.accepted(row).content, CONTENT, "{row}: not consumed by the changed one");
        let scheme = again.headers()[AUTHORIZATION].to_str().unwrap().split(' ').next().unwrap().to_owned();
        Answer::to(again).await.rejected(401, &scheme, error, "REPLAY-16 replayed");
    }
    let reader = api.server.token().audience(crate::AUDIENCE).scope("notes:read").bound_to_jwk(&api.key).mint();
    let answer = Answer::to(api.httpsig_with(post(), &reader, |_| {})).await;
    answer.rejected(403, "HTTPSig", "insufficient_scope", "scope");
}

/// META-13: the public halves of the key-encryption keys; symmetric ones have none.
#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_points_to_the_public_key_encryption_keys() {
    let api = Api::start("metadata", ALL, &[]);
    let get = async |url: String| reqwest::get(url).await.unwrap().json::<serde_json::Value>().await.unwrap();
    let metadata = get(format!("{}/.well-known/oauth-protected-resource", api.url)).await;
    let url = metadata["jwks_uri"].as_str().unwrap().to_owned();
    assert_eq!(get(url.clone()).await, json!({ "keys": [] }), "all are symmetric");
    let rsa = include_str!("../../../../crates/pop-core/src/jose/jwe/tests/vectors.json");
    let rsa: serde_json::Value = serde_json::from_str(rsa).unwrap();
    let private = rsa["jwks"]["keys"][0].clone();
    api.files.write("kek.json", crate::set(&[private.clone(), crate::kek(1)]));
    crate::keys::hang_up(&api);
    crate::keys::until(async || !get(url.clone()).await["keys"].as_array().unwrap().is_empty()).await;
    let published = get(url).await["keys"].as_array().unwrap().clone();
    assert_eq!(published.len(), 1);
    assert_eq!((&published[0]["kid"], &published[0]["alg"]), (&private["kid"], &private["alg"]));
    assert_eq!((&published[0]["use"], &published[0]["d"]), (&json!("enc"), &json!(null)), "no private part");
}
