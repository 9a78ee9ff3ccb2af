//! JWEs that others made.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::jose::base64url;
use crate::jose::jwe::{ContentEncryption, JweError, KeyManagement};

/// SYM-01, SYM-03, V-04: interoperability with two implementations that are not ours, for every algorithm and curve.
#[test]
fn unwraps_what_independent_implementations_made() {
    let (vectors, keys) = (vectors(), keys());
    let (mut makers, mut algorithms, mut contents) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for vector in vectors["jwes"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let unwrapped = keys.unwrap(text("jwe")).unwrap();
        assert_eq!(base64url::encode(unwrapped.key.expose_bytes()), KEY, "{vector}");
        assert!(keys.contains(&unwrapped.kek));
        let content = keys.decrypt(text("jwe")).unwrap();
        assert_eq!(&content[..], vectors["plaintext"].as_str().unwrap().as_bytes());
        makers.insert(text("by").split(' ').next().unwrap().to_owned());
        algorithms.insert(text("alg").to_owned());
        contents.insert(text("enc").to_owned());
    }
    assert_eq!(makers.len(), 2);
    assert_eq!(algorithms, KeyManagement::ALL.map(|alg| alg.name().to_owned()).into());
    assert_eq!(contents, ContentEncryption::ALL.map(|enc| enc.name().to_owned()).into());
    let agreed = |vector: &&Value| vector.get("apu").is_some() && vector.get("apv").is_some();
    assert_eq!(vectors["jwes"].as_array().unwrap().iter().filter(agreed).count(), 4);
}

/// SYM-03: RFC 7516 appendix A.1 is RSA-OAEP with SHA-1. Its RSA key works with RSA-OAEP-256.
#[test]
fn rejects_the_rsa_example_of_the_rfc_whose_hash_is_sha_1() {
    let (vectors, keys) = (vectors(), keys());
    let example = vectors["rfc7516_a1"].as_str().unwrap();
    assert_eq!(keys.decrypt(example).unwrap_err(), JweError);
    // With the `kid` that it lacks, the algorithm is still not allowed.
    let header = base64url::encode(json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "kid": "rsa" }).to_string());
    assert_eq!(keys.decrypt(&with_segment(example, 0, &header)).unwrap_err(), JweError);
    let jwe = recipient("rsa").encrypt(b"content", ContentEncryption::A256Gcm).unwrap();
    assert_eq!(&keys.decrypt(&jwe).unwrap()[..], b"content");
}

/// SYM-03: RFC 7516 appendix A.3 is A128KW. A.2, of which this is the header, is RSA1_5.
#[test]
fn rejects_the_other_examples_of_the_rfc() {
    let (vectors, keys) = (vectors(), keys());
    let example = vectors["rfc7516_a3"].as_str().unwrap();
    assert_eq!(keys.decrypt(example).unwrap_err(), JweError);
    let rsa = with_segment(example, 0, "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0");
    assert_eq!(keys.decrypt(&rsa).unwrap_err(), JweError);
}
