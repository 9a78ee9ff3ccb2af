//! JWEs that are changed on the way, or made by an attacker.

use serde_json::Map;

use super::*;
use crate::jose::base64url;
use crate::jose::jwe::content::encrypt;
use crate::jose::jwe::{ContentEncryption, JweError, Key};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn rejects(keys: &KeyEncryptionKeys, jwe: &str, what: &str) {
    assert_eq!(keys.decrypt(jwe).unwrap_err(), JweError, "{what}: {jwe}");
    assert_eq!(keys.unwrap(jwe).unwrap_err(), JweError, "{what}: {jwe}");
}

fn header(jwe: &str) -> Map<String, Value> {
    let json = base64url::decode(jwe.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn with_header(jwe: &str, name: &str, value: Value) -> String {
    let mut header = header(jwe);
    header.insert(name.to_owned(), value);
    with_segment(jwe, 0, &base64url::encode(Value::Object(header).to_string()))
}

/// One JWE for each key, and its `kid`.
fn samples() -> Vec<(String, String)> {
    let plaintext = format!(r#"{{"kty":"oct","k":"{KEY}"}}"#);
    let encrypt = |recipient: Recipient| {
        let enc = ContentEncryption::ALL.into_iter().find(|enc| recipient.algorithm().allows(*enc)).unwrap();
        (recipient.kid().to_owned(), recipient.encrypt(plaintext.as_bytes(), enc).unwrap())
    };
    recipients().into_iter().map(encrypt).collect()
}

/// SYM-11, X-65: header, encrypted key, IV, ciphertext or tag: there is one answer.
#[test]
fn every_changed_character_fails_with_the_same_error() {
    let keys = keys();
    for (kid, jwe) in samples() {
        assert!(keys.unwrap(&jwe).is_ok(), "{kid}");
        for at in (0..jwe.len()).filter(|at| jwe.as_bytes()[*at] != b'.') {
            let mut changed = jwe.clone().into_bytes();
            let value = ALPHABET.iter().position(|char| *char == changed[at]).unwrap();
            // The highest bit of the character is always a bit of the decoded bytes.
            changed[at] = ALPHABET[value ^ 0x20];
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(keys.unwrap(&changed).unwrap_err(), JweError, "{kid}: character {at}");
        }
    }
}

/// SYM-11: no segment may be missing, empty or shorter.
#[test]
fn truncated_empty_and_exchanged_segments_fail_with_the_same_error() {
    let keys = keys();
    for ((kid, jwe), (_, other)) in samples().into_iter().zip(samples()) {
        assert!(keys.unwrap(&jwe).is_ok() && keys.unwrap(&other).is_ok(), "{kid}");
        let segments: Vec<&str> = jwe.split('.').collect();
        for (at, segment) in segments.iter().enumerate().filter(|(_, segment)| !segment.is_empty()) {
            let bytes = base64url::decode(segment).unwrap();
            rejects(&keys, &with_segment(&jwe, at, ""), &format!("{kid}: segment {at} empty"));
            for len in [1, bytes.len() / 2, bytes.len() - 1] {
                let shorter = base64url::encode(&bytes[..len]);
                rejects(&keys, &with_segment(&jwe, at, &shorter), &format!("{kid}: segment {at}, {len} bytes"));
            }
            rejects(
                &keys,
                &with_segment(&jwe, at, &base64url::encode([&bytes[..], &[0]].concat())),
                &format!("{kid}: segment {at}, one byte more"),
            );
            let exchanged = other.split('.').nth(at).unwrap();
            if exchanged != *segment {
                rejects(&keys, &with_segment(&jwe, at, exchanged), &format!("{kid}: segment {at} of another JWE"));
            }
        }
        if segments[1].is_empty() {
            let with_key = with_segment(&jwe, 1, &base64url::encode([0; 32]));
            rejects(&keys, &with_key, &format!("{kid}: an encrypted key where there is none"));
        }
        rejects(&keys, &segments[..4].join("."), &format!("{kid}: four segments"));
        rejects(&keys, &format!("{jwe}.AA"), &format!("{kid}: six segments"));
        rejects(&keys, &format!("{jwe}="), &format!("{kid}: padding"));
        rejects(&keys, &format!(" {jwe}"), &format!("{kid}: whitespace"));
    }
}

/// SYM-10, SYM-13: a JWE for one key under the name of every other, and under every other algorithm.
#[test]
fn a_key_serves_its_kid_and_its_algorithm_only() {
    let keys = keys();
    let samples = samples();
    for (kid, jwe) in &samples {
        for (other, other_jwe) in samples.iter().filter(|(other, _)| other != kid) {
            let renamed = with_header(jwe, "kid", other.as_str().into());
            rejects(&keys, &renamed, &format!("{kid} as {other}"));
            let confused = with_header(&renamed, "alg", header(other_jwe)["alg"].clone());
            rejects(&keys, &confused, &format!("{kid} as {other} with its alg"));
            let algorithm = header(other_jwe)["alg"].clone();
            if algorithm != header(jwe)["alg"] {
                rejects(&keys, &with_header(jwe, "alg", algorithm), &format!("{kid} with the alg of {other}"));
            }
        }
        rejects(&keys, &with_header(jwe, "kid", "unknown".into()), kid);
        let own = parse(&[private_jwk(kid)]).unwrap();
        assert!(own.unwrap(jwe).is_ok(), "{kid}");
    }
}

/// SYM-10: two keys of the same kind do not open each other's JWEs, whatever the `kid` says.
#[test]
fn the_key_decides_not_its_name() {
    for kid in ["A256KW", "A256GCMKW", "dir"] {
        let jwe = recipient(kid).encrypt(b"content", ContentEncryption::A256Gcm).unwrap();
        let mut jwk = private_jwk(kid);
        assert!(parse(std::slice::from_ref(&jwk)).unwrap().decrypt(&jwe).is_ok());
        jwk["k"] = KEY.into();
        rejects(&parse(std::slice::from_ref(&jwk)).unwrap(), &jwe, kid);
        jwk = private_jwk(kid);
        jwk["alg"] = if kid == "A256KW" { "A256GCMKW" } else { "A256KW" }.into();
        rejects(&parse(&[jwk]).unwrap(), &jwe, kid);
    }
}

/// SYM-03, X-28: with the right key, so that only the header can be the reason. Compressed contents are never expanded.
#[test]
fn rejects_authentic_jwes_with_headers_that_are_not_allowed() {
    let keys = keys();
    let shared = base64url::decode_array(private_jwk("dir")["k"].as_str().unwrap()).unwrap();
    let seal = |header: &str, enc| {
        let header = base64url::encode(header);
        let sealed = encrypt(enc, &Key::new(shared), header.as_bytes(), b"content").unwrap();
        let [iv, ciphertext, tag] = [&sealed.iv[..], &sealed.ciphertext, &sealed.tag].map(base64url::encode);
        format!("{header}..{iv}.{ciphertext}.{tag}")
    };
    let gcm = |header: &str| seal(header, ContentEncryption::A256Gcm);
    for header in [
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir"}"#,
        r#"{ "kid": "dir", "enc": "A256GCM", "alg": "dir", "typ": "JOSE", "cty": "jwk+json", "x": [1] }"#,
    ] {
        assert!(keys.decrypt(&gcm(header)).is_ok(), "{header}");
    }
    for header in [
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir","zip":"DEF"}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir","crit":["exp"],"exp":1}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir","b64":false}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir","kid":"dir"}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"dir","x":{"a":1,"a":1}}"#,
        r#"{"alg":"dir","enc":"A256GCM"}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"Dir"}"#,
        r#"{"alg":"dir","kid":"dir"}"#,
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","kid":"dir","p2s":"AAAAAAAAAAA","p2c":1000000000}"#,
        "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"dir\"}\n{}",
    ] {
        rejects(&keys, &gcm(header), header);
    }
    let header = r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"dir"}"#;
    rejects(&keys, &seal(header, ContentEncryption::A128CbcHs256), header);
    // X-28: by length, before the header is decoded. Its twin is as long as is allowed.
    let padded = |len: usize| format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"dir","x":"{}"}}"#, "x".repeat(len));
    let room = 4096 - padded(0).len();
    assert!(keys.decrypt(&gcm(&padded(room))).is_ok());
    rejects(&keys, &gcm(&padded(room + 1)), "a header of more than 4 KiB");
}

/// RFC 7518 §4.6.1: the sender's ephemeral key, and what both sides mix into the derivation.
#[test]
fn rejects_ephemeral_keys_that_are_not_public_keys_on_the_same_curve() {
    let keys = keys();
    for kid in ["P-256 ECDH-ES", "P-521 ECDH-ES+A256KW", "X25519 ECDH-ES"] {
        let jwe = recipient(kid).encrypt(b"content", ContentEncryption::A256Gcm).unwrap();
        assert!(keys.decrypt(&jwe).is_ok());
        let epk = header(&jwe)["epk"].clone();
        let with = |name: &str, value: Value| {
            let mut epk = epk.clone();
            epk[name] = value;
            epk
        };
        for wrong in [
            Value::Null,
            json!([epk]),
            json!({}),
            with("d", private_jwk(kid)["d"].clone()),
            with("d", Value::Null),
            with("k", "".into()),
            with("kty", "RSA".into()),
            with("crv", "P-384".into()),
            with("x", private_jwk("P-256 ECDH-ES+A256KW")["x"].clone()),
            with("x", "".into()),
            with("x", Value::Null),
            without_private_members(private_jwk("P-384 ECDH-ES")),
            without_private_members(private_jwk("rsa")),
        ] {
            rejects(&keys, &with_header(&jwe, "epk", wrong), kid);
        }
        for info in ["apu", "apv"] {
            for value in [json!("QWxpY2U"), json!(""), json!(1), json!("Q"), Value::Null] {
                rejects(&keys, &with_header(&jwe, info, value), &format!("{kid}: {info}"));
            }
        }
    }
}
