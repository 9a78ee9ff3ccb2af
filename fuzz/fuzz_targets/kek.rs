//! Key-encryption keys: a set that is accepted has private keys only, each with a `kid` of its own and one algorithm; what is
//! published has nothing private; and what is encrypted for a published key, or with a symmetric one, is decrypted again.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pop_core::jose::{ContentEncryption, JsonLimits, KeyEncryptionKeys, KeyManagement, Object, Recipient};
use serde_json::Value;

const ALL: &str = include_str!("../seeds/kek/all-kinds");

fuzz_target!(
    init: {
        assert_eq!(KeyEncryptionKeys::parse(ALL.as_bytes()).map(|keys| keys.len()), Ok(8));
    },
    |data: &[u8]| {
        let Ok(keys) = KeyEncryptionKeys::parse(data) else { return };
        let document: Value = serde_json::from_slice(data).expect("JSON");
        let list = document["keys"].as_array().expect("a list");
        assert_eq!(keys.len(), list.len());
        let kids: BTreeSet<&str> = list.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
        assert!(kids.len() == list.len() && !kids.contains(""));
        let published: Value = serde_json::from_str(&keys.public_jwks()).expect("JSON");
        let published = published["keys"].as_array().expect("a list");
        for key in list {
            let alg = KeyManagement::from_name(key["alg"].as_str().expect("an alg")).expect("an algorithm");
            assert!(key.get("use").is_none_or(|usage| usage == "enc"));
            let public = published.iter().find(|public| public["kid"] == key["kid"]);
            assert_eq!(public.is_some(), key["kty"] != "oct");
            assert!(key.get("d").or(key.get("k")).is_some_and(Value::is_string));
            if let Some(public) = public {
                for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
                    assert!(public.get(private).is_none(), "{private}");
                }
                assert!(public["alg"] == key["alg"] && public["use"] == "enc");
                check_round_trip(&keys, public, alg);
            } else {
                let mut key = key.clone();
                let members = key.as_object_mut().expect("an object");
                members.retain(|name, _| ["kty", "kid", "alg", "k"].contains(&name.as_str()));
                check_round_trip(&keys, &key, alg);
            }
        }
    }
);

fn check_round_trip(keys: &KeyEncryptionKeys, key: &Value, alg: KeyManagement) {
    let text = key.to_string();
    let object = Object::parse(text.as_bytes(), JsonLimits::DOCUMENT).expect("JSON");
    let recipient = Recipient::parse(&object).expect("a key that can encrypt");
    for enc in ContentEncryption::ALL.into_iter().filter(|enc| alg.allows(*enc)) {
        match recipient.encrypt(b"content", enc) {
            Ok(jwe) => assert_eq!(keys.decrypt(&jwe).map(|content| content.to_vec()), Ok(b"content".to_vec())),
            Err(error) => assert!(recipient.kid().len() > 1000, "{error}"),
        }
    }
}
