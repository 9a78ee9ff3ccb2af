//! Key-encryption keys: defects are found at start, and the file is read again on SIGHUP.

use std::process::Command;
use std::time::{Duration, Instant};

use http::Method;
use pop_core::jose::encode;
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Files, program};
use crate::{ALL, Answer, Api, ISSUER, kek, set};

/// Makes the program read its keys again.
pub(crate) fn hang_up(api: &Api) {
    assert!(Command::new("kill").args(["-HUP", &api.child.id().to_string()]).status().unwrap().success());
}

/// Waits until the program has reacted.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < Duration::from_secs(10), "nothing happened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// SYM-03, SYM-13: the file and the entry are named.
#[test]
fn a_defect_in_the_file_is_named_at_start() {
    let files = Files::new("defects");
    let with = |changes: Value| {
        let mut key = kek(2);
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        set(&[kek(1), key])
    };
    let weak = encode([0xff; 128]);
    let rsa = json!({
        "kty": "RSA", "kid": "weak", "alg": "RSA-OAEP-256", "e": "AQAB", "n": weak, "d": weak, "p": weak, "q": weak,
        "dp": weak, "dq": weak, "qi": weak,
    });
    let mut public = rsa.clone();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        public.as_object_mut().unwrap().remove(name);
    }
    (public["n"], public["kid"]) = (json!(encode([0xff; 256])), json!("public"));
    let point = json!({ "kty": "EC", "crv": "P-256", "kid": "public-ec", "alg": "ECDH-ES",
        "x": "gZVXHL5sz69sOmxMOkmjPTlOk0Gpoq11k3uWZX3T95A", "y": "0hlFHCqG9ctD8teTaWszd8HMILM3AXaCAtEV5cQwXeg" });
    for (row, text, part) in [
        ("not JSON", "{".to_owned(), "malformed"),
        ("no keys", set(&[]), "no keys"),
        ("public RSA", set(&[kek(1), public]), "keys[1] (kid \"public\"): a public key"),
        ("public EC", set(&[kek(1), point]), "keys[1] (kid \"public-ec\"): a public key"),
        ("weak RSA", set(&[kek(1), rsa]), "keys[1] (kid \"weak\"): the RSA modulus"),
        ("duplicate kid", set(&[kek(1), kek(2), kek(1)]), "keys[2] (kid \"kek-1\"): an earlier key has the same kid"),
        ("no kid", with(json!({ "kid": "" })), "kid is missing"),
        ("no alg", with(json!({ "alg": null })), "keys[1] (kid \"kek-2\"): alg"),
        ("RSA1_5", with(json!({ "alg": "RSA1_5" })), "keys[1] (kid \"kek-2\"): alg"),
        ("PBES2", with(json!({ "alg": "PBES2-HS256+A128KW" })), "keys[1] (kid \"kek-2\"): alg"),
        ("short", with(json!({ "k": encode([1; 16]) })), "keys[1] (kid \"kek-2\"): a symmetric key must have 32 bytes"),
        ("signature key", with(json!({ "use": "sig" })), "keys[1] (kid \"kek-2\"): use"),
    ] {
        let file = files.write("kek.json", text);
        // With the demonstration, and without it.
        for more in [&["--once"][..], &["--issuer", ISSUER, "--audience", AUDIENCE, "--proofs", "hmac"]] {
            let output = program(&["--kek-file", &file]).args(more).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && text.contains(part) && text.contains(&file), "{row}: {text}");
            assert!(!text.contains(&encode([2; 32])), "{row}: no key in the message");
        }
    }
    let missing = files.path("missing.json");
    let output = program(&["--kek-file", &missing, "--once"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8(output.stderr).unwrap().contains(&missing));
}

/// SYM-13: a key that is gone ends what was unwrapped with it, and a broken file changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_read_again_on_a_signal() {
    let api = Api::start("reload", ALL, &[]);
    let tokens = [1, 2].map(|number| api.shared_token(number));
    let send =
        async |token: &str| Answer::to(api.hmac_with(api.request(Method::GET, "/whoami", ""), token, |_| {})).await;
    let log = || std::fs::read_to_string(api.files.path("log")).unwrap();
    for token in &tokens {
        send(token).await.accepted("both keys");
    }

    api.files.write("kek.json", set(&[kek(2)]));
    hang_up(&api);
    until(async || send(&tokens[0]).await.status == 401).await;
    send(&tokens[0]).await.rejected(401, "PoP", "invalid_token", "SYM-13 the key is gone");
    send(&tokens[1]).await.accepted("SYM-13 the other key is still there");

    assert!(!log().contains("cannot be used"));
    for (count, broken) in ["{".to_owned(), set(&[kek(1), kek(1)])].into_iter().enumerate() {
        api.files.write("kek.json", broken);
        hang_up(&api);
        until(async || log().matches("the key-encryption keys cannot be used").count() > count).await;
        send(&tokens[1]).await.accepted("the earlier keys stay");
        send(&tokens[0]).await.rejected(401, "PoP", "invalid_token", "nothing of a broken file is used");
    }
    assert!(log().contains("keys[1] (kid \\\"kek-1\\\")") || log().contains("keys[1] (kid \"kek-1\")"), "{}", log());

    api.files.write("kek.json", set(&[kek(1), kek(2)]));
    hang_up(&api);
    until(async || send(&tokens[0]).await.status == 200).await;
}
