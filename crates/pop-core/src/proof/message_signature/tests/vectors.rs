//! The printed signatures and their mutations, below the profiles.

use super::data::{DRAFT_P256, ED25519, Key, Message, P256, all, public, transform};
use crate::SignatureError;
use crate::jose::crypto::CryptoBackend;
use crate::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, decode, decode_standard};

/// V-16, V-17, V-18, V-21, V-22, SIG-15, SIG-16.
#[test]
fn the_printed_signatures_verify() {
    for backend in CryptoBackend::COMPILED_IN {
        for (row, message, key) in all(*backend) {
            assert_eq!(message.verify(key.as_pop()), Ok(()), "{row} {backend:?}");
        }
    }
}

/// SIG-15, SIG-30, SYM-09: a changed, shortened or longer signature never verifies, nor does one with another key.
#[test]
fn no_mutation_of_a_printed_signature_verifies() {
    let keys = all(CryptoBackend::default());
    for (row, message, key) in &keys {
        for at in 0..message.signature.len() {
            let mut changed = message.clone();
            changed.signature[at] ^= 1 << (at % 8);
            assert_eq!(changed.verify(key.as_pop()), Err(SignatureError::Invalid), "{row}: byte {at}");
        }
        for len in [0, message.signature.len() - 1] {
            let mut changed = message.clone();
            changed.signature.truncate(len);
            assert_eq!(changed.verify(key.as_pop()), Err(SignatureError::Invalid), "{row}: {len} bytes");
        }
        let mut longer = message.clone();
        longer.signature.push(0);
        assert_eq!(longer.verify(key.as_pop()), Err(SignatureError::Invalid), "{row}");
        let others = keys.iter().filter(|(_, _, other)| !same_key(key, other));
        for (other, _, key) in others {
            assert!(message.verify(key.as_pop()).is_err(), "{row} with the key of {other}");
        }
    }
}

fn same_key(one: &Key, other: &Key) -> bool {
    // The keys differ by algorithm, apart from those of the draft.
    match (one, other) {
        (Key::Public(one), Key::Public(other)) => one.algorithm() == other.algorithm(),
        (Key::Shared(_), Key::Shared(_)) => true,
        _ => false,
    }
}

/// SIG-16, SIG-20, SIG-21, SIG-30: what is covered cannot be changed, reordered, dropped or added.
#[test]
fn no_mutation_of_a_covered_component_verifies() {
    for (row, message, key) in all(CryptoBackend::default()) {
        let rejects = |change: &str, mutate: &dyn Fn(&mut Message)| {
            let mut changed = message.clone();
            mutate(&mut changed);
            assert!(changed.verify(key.as_pop()).is_err(), "{row}: {change}");
        };
        let (list, parameters) = message.input[1..].split_once(')').unwrap();
        let components: Vec<&str> = list.split(' ').filter(|component| !component.is_empty()).collect();
        let with = |components: &[&str]| format!("({}){parameters}", components.join(" "));
        for at in 0..components.len() {
            let mut dropped = components.clone();
            dropped.remove(at);
            rejects("a component dropped", &|message| message.input = with(&dropped));
            let mut duplicated = components.clone();
            duplicated.push(components[at]);
            rejects("a component twice", &|message| message.input = with(&duplicated));
            for other in 0..at {
                let mut swapped = components.clone();
                swapped.swap(at, other);
                rejects("components in another order", &|message| message.input = with(&swapped));
            }
            let name = components[at].trim_matches('"').to_owned();
            match components[at] {
                r#""@method""# => rejects("method", &|message| message.method = "post"),
                r#""@path""# => rejects("path", &|message| message.path.insert(1, 'x')),
                r#""@query""# | r#""@query-param";name="Pet""# => rejects("query", &|message| message.path.push('x')),
                r#""@authority""# => rejects("host", &|message| message.origin = "https://example.net"),
                r#""@target-uri""# => {
                    rejects("scheme", &|message| message.origin = "http://example.com");
                    rejects("path", &|message| message.path.push('/'));
                    rejects("query", &|message| message.path.push_str("?x"));
                }
                _ => {
                    rejects("a field removed", &|message| message.fields.retain(|(field, _)| *field != name));
                    rejects("a line added", &|message| message.fields.push((field(message, &name), "x".to_owned())));
                    rejects("a field changed", &|message| {
                        let line = message.fields.iter_mut().find(|(field, _)| *field == name).unwrap();
                        line.1.insert(0, 'x');
                    });
                }
            }
        }
        rejects("a component added", &|message| message.input = with(&[&components[..], &[r#""@scheme""#]].concat()));
        rejects("a parameter added", &|message| message.input.push_str(";x=1"));
        rejects("created changed", &|message| message.input = message.input.replace("=1", "=2"));
        let (first, rest) = parameters[1..].split_once(';').unwrap();
        rejects("parameters in another order", &|message| message.input = format!("({list});{rest};{first}"));
    }
}

fn field(message: &Message, name: &str) -> &'static str {
    message.fields.iter().find(|(field, _)| *field == name).unwrap().0
}

/// V-18, SIG-18: RFC 9421 B.4, and the same message in other forms of its fields.
#[test]
fn transformations_that_keep_the_meaning_keep_the_signature() {
    let key = public(ED25519, Algorithm::Ed25519, CryptoBackend::default());
    let verify = |mutate: &dyn Fn(&mut Message)| {
        let mut message = transform();
        mutate(&mut message);
        message.verify(key.as_pop())
    };
    let accept = |lines: &[&str]| lines.iter().map(|line| ("accept", (*line).to_owned())).collect::<Vec<_>>();
    let invalid = Err(SignatureError::Invalid);
    for (row, expected, mutate) in [
        (
            "V-18 B.4 a parameter and a field added",
            Ok(()),
            &(|message: &mut Message| {
                message.path.push_str("&param=added");
                message.fields.push(("accept-language", "en-US,en;q=0.5".to_owned()));
            }) as &dyn Fn(&mut Message),
        ),
        ("V-18 B.4 date removed, accept in one line", Ok(()), &|message| {
            message.fields = accept(&["application/json, */*"]);
            message.fields.push(("referer", "https://developer.example.org/demo".to_owned()));
        }),
        ("V-18 B.4 fields in another order", Ok(()), &|message| message.fields.rotate_left(1)),
        ("V-18 B.4 method and authority changed", invalid, &|message| {
            (message.method, message.origin) = ("POST", "https://example.com");
        }),
        ("V-18 B.4 accept in another order", invalid, &|message| message.fields = accept(&["*/*", "application/json"])),
        ("SIG-18 whitespace around a value", Ok(()), &|message| {
            message.fields = accept(&[" \tapplication/json ", "*/*\t"]);
        }),
        ("SIG-18 whitespace within a value", invalid, &|message| message.fields = accept(&["application/json,*/*"])),
        ("SIG-21 host in upper case, default port", Ok(()), &|message| message.origin = "https://EXAMPLE.org:443"),
        ("SIG-21 another port", invalid, &|message| message.origin = "https://example.org:8443"),
        ("SIG-16 spaces within Signature-Input", Ok(()), &|message| {
            message.input = message.input.replace('(', "(  ").replace(" \"@path\"", "   \"@path\"").replace(';', ";  ");
        }),
        ("SIG-16 created with leading zeros", Ok(()), &|message| message.input = message.input.replace("=1", "=001")),
    ] {
        assert_eq!(verify(mutate), expected, "{row}");
    }
}

/// V-17, V-20: RFC 9421 B.2.4 signs a response. Its base is taken as printed; the digest is that of the content.
#[test]
fn the_printed_signature_of_a_response_verifies_over_the_printed_base() {
    let base = concat!(
        "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": ",
        "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n",
        "\"content-length\": 23\n\"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" ",
        "\"content-length\");created=1618884473;keyid=\"test-key-ecc-p256\"",
    );
    let signature = "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==";
    let signature = decode_standard(signature).unwrap();
    for backend in CryptoBackend::COMPILED_IN {
        let Key::Public(key) = public(P256, Algorithm::ES256, *backend) else { unreachable!() };
        assert!(key.verify(base.as_bytes(), &signature).is_ok(), "V-17 {backend:?}");
        let trap = base.replace("mEWXIS7M", "JlEy2bfU");
        assert!(key.verify(trap.as_bytes(), &signature).is_err(), "V-20 {backend:?}");
    }
}

/// V-23: `htsk` has the same point in SEC 1 form.
#[test]
fn the_raw_key_of_the_draft_is_the_point_of_its_jwk() {
    let raw =
        decode("BEeGE9d0WuH6ywh--QXTOdzhB2Iv2GNnkIEeNwVlkKVcUFVFPBGODokYW06OXCqDskhZSU3RpUI6fR8_OCz2doo").unwrap();
    let object = Object::parse(DRAFT_P256.as_bytes(), JsonLimits::PROOF).unwrap();
    let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
    let crate::jose::PublicKey::Ec(point) = jwk.key() else { panic!("an EC key") };
    assert_eq!((raw.len(), raw.as_slice()), (65, point.as_sec1()));
}
