//! JWEs that we make, and what is inside them.

use super::*;
use crate::jose::jwe::{ContentEncryption, EncryptError, JweError, KeyManagement};
use crate::jose::{SharedKey, base64url};

/// SYM-01, SYM-03: every algorithm, curve and content encryption.
#[test]
fn what_a_recipient_encrypts_the_server_unwraps() {
    let keys = keys();
    let shared = SharedKey::new([0x5a; 32]).unwrap();
    for recipient in recipients() {
        for enc in ContentEncryption::ALL {
            let encrypted = recipient.encrypt(shared.to_jwk().as_bytes(), enc);
            if (recipient.algorithm(), enc) == (KeyManagement::Dir, ContentEncryption::A128CbcHs256) {
                assert_eq!(encrypted, Err(EncryptError::Combination));
                continue;
            }
            let jwe = encrypted.unwrap();
            let unwrapped = keys.unwrap(&jwe).unwrap();
            assert_eq!(unwrapped.key.expose_bytes(), shared.expose_bytes(), "{recipient:?} {enc}");
            let again = recipient.encrypt(shared.to_jwk().as_bytes(), enc).unwrap();
            for (at, (one, other)) in jwe.split('.').zip(again.split('.')).enumerate().skip(2) {
                assert_ne!(one, other, "{recipient:?} {enc}: segment {at} is not random");
            }
            assert_eq!(keys.unwrap(&again).unwrap().kek, unwrapped.kek);
        }
    }
}

/// META-13: what is published suffices to encrypt, and has no private part.
#[test]
fn published_keys_are_recipients_without_private_members() {
    let keys = keys();
    let text = keys.public_jwks();
    let published: Value = serde_json::from_str(&text).unwrap();
    let published = published["keys"].as_array().unwrap();
    let asymmetric = jwks().into_iter().filter(|key| key["kty"] != "oct").collect::<Vec<_>>();
    assert_eq!(published.len(), asymmetric.len());
    for (public, private) in published.iter().zip(&asymmetric) {
        assert_eq!(public["use"], "enc");
        let mut expected = without_private_members(private.clone());
        expected["use"] = "enc".into();
        assert_eq!(*public, expected);
        let recipient = read_recipient(public).unwrap();
        let jwe = recipient.encrypt(b"content", ContentEncryption::A256Gcm).unwrap();
        assert_eq!(&keys.decrypt(&jwe).unwrap()[..], b"content");
    }
    for secret in jwks().iter().filter_map(|key| key.get("k")) {
        assert!(!text.contains(secret.as_str().unwrap()));
    }
}

/// SYM-04, SYM-05, V-24: the content is one symmetric key for MACs. Whatever else it is, the error is the same.
#[test]
fn rejects_contents_that_are_not_a_symmetric_key() {
    let (keys, recipient) = (keys(), recipient("P-256 ECDH-ES"));
    let unwrap = |content: &[u8]| {
        let jwe = recipient.encrypt(content, ContentEncryption::A128CbcHs256).unwrap();
        assert_eq!(&keys.decrypt(&jwe).unwrap()[..], content);
        keys.unwrap(&jwe).map(|unwrapped| base64url::encode(unwrapped.key.expose_bytes()))
    };
    assert_eq!(unwrap(format!(r#"{{"kty":"oct","k":"{KEY}"}}"#).as_bytes()).unwrap(), KEY, "V-04");
    for content in [
        r#"{"kty":"oct","alg":"A128KW","k":"hJtXIZ2uSN5kbQfbtTNWbg"}"#.to_owned(),
        r#"{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbg"}"#.to_owned(),
        format!(r#"{{"kty":"oct","alg":"A128KW","k":"{KEY}"}}"#),
        format!(r#"{{"kty":"oct","use":"enc","k":"{KEY}"}}"#),
        format!(r#"{{"kty":"oct","k":"{KEY}","k":"{KEY}"}}"#),
        format!(r#"{{"kty":"oct","k":"{KEY}"}}{{}}"#),
        format!(r#"[{{"kty":"oct","k":"{KEY}"}}]"#),
        format!("\u{feff}{{\"kty\":\"oct\",\"k\":\"{KEY}\"}}"),
        without_private_members(private_jwk("P-256 ECDH-ES")).to_string(),
        KEY.to_owned(),
        String::new(),
    ] {
        assert_eq!(unwrap(content.as_bytes()).unwrap_err(), JweError, "{content}");
    }
    let not_utf8 = [br#"{"kty":"oct","k":""#, KEY.as_bytes(), b"\",\"kid\":\"\xff\"}"].concat();
    assert_eq!(unwrap(&not_utf8).unwrap_err(), JweError);
}

/// Recipients reject what is longer, so that it is not made.
#[test]
fn encrypts_up_to_the_length_that_recipients_accept() {
    let keys = keys();
    for recipient in recipients() {
        let enc = ContentEncryption::ALL.into_iter().find(|enc| recipient.algorithm().allows(*enc)).unwrap();
        let jwe = recipient.encrypt(&[0; 4095], enc).unwrap();
        assert_eq!(keys.decrypt(&jwe).unwrap().len(), 4095, "{recipient:?}");
        assert_eq!(recipient.encrypt(&[0; 4096], enc), Err(EncryptError::TooLarge), "{recipient:?}");
    }
    for (len, expected) in [(2000, None), (4000, Some(EncryptError::TooLarge)), (5000, Some(EncryptError::TooLarge))] {
        let mut jwk = private_jwk("A256KW");
        jwk["kid"] = "k".repeat(len).into();
        let encrypted = read_recipient(&jwk).unwrap().encrypt(&[0; 3500], ContentEncryption::A256Gcm);
        assert_eq!(encrypted.as_ref().err().copied(), expected, "a kid of {len} characters");
        if let Ok(jwe) = encrypted {
            assert!(parse(&[jwk]).unwrap().decrypt(&jwe).is_ok());
        }
    }
}

/// SYM-13: rotation. Both keys work while both are there, and what was unwrapped is known by the key that did it.
#[test]
fn keys_rotate_with_overlap() {
    let (old, new) = (private_jwk("P-256 ECDH-ES"), private_jwk("X25519 ECDH-ES"));
    let encrypt = |kid: &str| recipient(kid).encrypt(b"content", ContentEncryption::A256Gcm).unwrap();
    let (to_old, to_new) = (encrypt("P-256 ECDH-ES"), encrypt("X25519 ECDH-ES"));
    let before = parse(std::slice::from_ref(&old)).unwrap();
    let both = parse(&[new.clone(), old]).unwrap();
    let after = parse(&[new]).unwrap();
    let opens = |keys: &KeyEncryptionKeys| [&to_old, &to_new].map(|jwe| keys.decrypt(jwe).is_ok());
    assert_eq!(opens(&before), [true, false]);
    assert_eq!(opens(&both), [true, true]);
    assert_eq!(opens(&after), [false, true]);
    assert_eq!(opens(&KeyEncryptionKeys::default()), [false, false]);
}

/// SYM-12, SYM-13: the identity follows the key, not its place in the file.
#[test]
fn a_key_keeps_its_identity_when_it_is_read_again() {
    let jwe = |kid: &str| {
        let shared = SharedKey::new([1; 32]).unwrap();
        recipient(kid).encrypt(shared.to_jwk().as_bytes(), ContentEncryption::A256Gcm).unwrap()
    };
    let all = keys();
    let mut reversed = jwks();
    reversed.reverse();
    let reversed = parse(&reversed).unwrap();
    for jwk in jwks() {
        let kid = jwk["kid"].as_str().unwrap();
        let id = all.unwrap(&jwe(kid)).unwrap().kek;
        assert_eq!(reversed.unwrap(&jwe(kid)).unwrap().kek, id);
        assert!(reversed.contains(&id));
        let others = jwks().into_iter().filter(|other| other["kid"] != kid).collect::<Vec<_>>();
        assert!(!parse(&others).unwrap().contains(&id), "{kid}");
        let mut renamed = jwk.clone();
        renamed["kid"] = "another".into();
        assert!(!parse(&[renamed]).unwrap().contains(&id), "{kid} under another name");
    }
    let mut replaced = private_jwk("A256KW");
    replaced["k"] = KEY.into();
    let id = all.unwrap(&jwe("A256KW")).unwrap().kek;
    assert!(!parse(&[replaced]).unwrap().contains(&id), "another key under the same name");
}

/// SYM-12: no key, no identity of a key.
#[test]
fn debug_shows_kids_and_algorithms_only() {
    let keys = parse(&[private_jwk("rsa"), private_jwk("A256KW")]).unwrap();
    assert_eq!(format!("{keys:?}"), r#"KeyEncryptionKeys {"rsa": RsaOaep256, "A256KW": A256Kw}"#);
    let shared = SharedKey::new([1; 32]).unwrap();
    let recipient = recipient("A256KW");
    assert_eq!(format!("{recipient:?}"), r#"Recipient("A256KW", A256KW)"#);
    let jwe = recipient.encrypt(shared.to_jwk().as_bytes(), ContentEncryption::A256Gcm).unwrap();
    assert_eq!(
        format!("{:?}", keys.unwrap(&jwe).unwrap()),
        "UnwrappedKey { key: SharedKey(..), kek: KeyEncryptionKeyId(..) }"
    );
}
