//! Encrypted keys. In several lines: the header of a JWE and its content, which are then encrypted under `dir` and
//! `A256GCM`: what is unwrapped has the header and the key that are allowed, read leniently. In one line: a JWE as it
//! is, of which only the accepted seeds are authentic, byte for byte.
#![no_main]

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use libfuzzer_sys::fuzz_target;
use pop_core::jose::{JweError, decode, encode};
use poplayer_fuzz::world::{CONTENT_KEY, KEY_ENCRYPTION_KEYS, SHARED_KEY_BYTES};
use serde_json::Value;

/// One of each algorithm, for the key that all of them hold.
const ACCEPTED: &str = include_str!("../seeds/jwe/accepted");

/// Headers and contents that must be accepted.
const MADE: [&str; 2] = [include_str!("../seeds/jwe/made"), include_str!("../seeds/jwe/made-spellings")];

fuzz_target!(
    init: {
        for jwe in ACCEPTED.lines() {
            let unwrapped = KEY_ENCRYPTION_KEYS.unwrap(jwe).unwrap_or_else(|JweError| panic!("refused: {jwe}"));
            assert_eq!(unwrapped.key.expose_bytes(), SHARED_KEY_BYTES);
        }
        for text in MADE {
            assert!(make(text).is_some_and(|(jwe, ..)| KEY_ENCRYPTION_KEYS.unwrap(&jwe).is_ok()), "refused: {text}");
        }
    },
    |text: &str| match make(text) {
        None => {
            let unwrapped = KEY_ENCRYPTION_KEYS.unwrap(text).is_ok();
            assert!(!unwrapped || ACCEPTED.lines().any(|seed| seed == text), "{text}");
        }
        Some((jwe, header, content)) => {
            if let Ok(decrypted) = KEY_ENCRYPTION_KEYS.decrypt(&jwe) {
                check_header(header);
                assert_eq!(&decrypted[..], content.as_bytes());
            }
            if let Ok(unwrapped) = KEY_ENCRYPTION_KEYS.unwrap(&jwe) {
                assert!(KEY_ENCRYPTION_KEYS.contains(&unwrapped.kek));
                check_key(content, unwrapped.key.expose_bytes());
                assert!(KEY_ENCRYPTION_KEYS.unwrap(&jwe[..jwe.len() - 1]).is_err());
                assert!(KEY_ENCRYPTION_KEYS.unwrap(&jwe.replacen('.', ".AA", 1)).is_err());
            }
        }
    }
);

/// Encrypts the second line, and those that follow, with the first as the header.
fn make(text: &str) -> Option<(String, &str, &str)> {
    let (header, content) = text.split_once('\n')?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).expect("a key"));
    let iv = [3; 12];
    let encoded = encode(header);
    let mut ciphertext = content.as_bytes().to_vec();
    let aad = Aad::from(encoded.as_bytes());
    let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), aad, &mut ciphertext).expect("sealed");
    let jwe = format!("{encoded}..{}.{}.{}", encode(iv), encode(ciphertext), encode(tag));
    Some((jwe, header, content))
}

fn check_header(header: &str) {
    let header: Value = serde_json::from_str(header).expect("JSON");
    assert_eq!((&header["alg"], &header["enc"], &header["kid"]), (&"dir".into(), &"A256GCM".into(), &"dir-1".into()));
    for name in ["zip", "crit", "b64"] {
        assert!(header.get(name).is_none(), "{name}");
    }
}

fn check_key(jwk: &str, key: &[u8]) {
    let jwk: Value = serde_json::from_str(jwk).expect("JSON");
    assert_eq!(jwk["kty"], "oct");
    assert!(jwk.get("alg").is_none_or(|alg| alg == "HS256"));
    assert!(jwk.get("use").is_none_or(|usage| usage == "sig"));
    assert!(jwk.get("key_ops").is_none_or(|list| {
        let list = list.as_array().expect("a list");
        list.iter().any(|operation| operation == "sign" || operation == "verify")
    }));
    assert_eq!(decode(jwk["k"].as_str().expect("a string")).expect("base64url"), key);
    assert!(key.len() >= 32);
}
