//! The symmetric key in a token response (RFC 9201 §3.2): `cnf` with a `jwk`, or with a `jwe` for a key of the client.

use std::sync::Arc;

use pop_core::jose::{JsonLimits, KeyEncryptionKeys, Object, SharedKey, shared_key_from_jwk};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::json::{self, Document};

/// Moves a symmetric key in clear out of a response, so that nothing of it stays there. Leaves any other `cnf` in the
/// response. Returns `None` if there is no key, or if it is not usable for HMAC with SHA-256.
pub(crate) fn take_shared_key(response: &mut Document) -> Option<Arc<SharedKey>> {
    let jwk = response.get("cnf")?.get("jwk")?;
    if jwk.get("k").is_none() && jwk.get("kty").and_then(Value::as_str) != Some("oct") {
        return None;
    }
    let text = Zeroizing::new(jwk.to_string());
    if let Some(mut cnf) = response.remove("cnf") {
        erase(&mut cnf);
    }
    let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).ok()?;
    shared_key_from_jwk(&object).ok().map(Arc::new)
}

/// Decrypts the symmetric key of a response.
pub(crate) fn decrypt_shared_key(response: &Document, keys: Option<&KeyEncryptionKeys>) -> Option<Arc<SharedKey>> {
    let jwe = json::member(response, "cnf")?.get("jwe")?.as_str()?;
    keys?.unwrap(jwe).ok().map(|unwrapped| Arc::new(unwrapped.key))
}

/// Erases every string of a value from memory.
fn erase(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use pop_core::jose::encode;
    use serde_json::json;

    use super::*;

    fn taken(cnf: &Value) -> (Option<Arc<SharedKey>>, Document) {
        let mut response = Document::new();
        response.insert("cnf".to_owned(), cnf.clone());
        let key = take_shared_key(&mut response);
        (key, response)
    }

    /// CLI-17: and nothing of the key stays in the response, usable or not.
    #[test]
    fn takes_the_symmetric_key_out_of_a_response() {
        let oct = |len: usize| json!({ "kty": "oct", "k": encode(vec![7; len]), "alg": "HS256" });
        let (key, rest) = taken(&json!({ "jwk": oct(32) }));
        assert_eq!((key.unwrap().expose_bytes(), rest.len()), (&[7; 32][..], 0), "CLI-17");
        let mut other_alg = oct(32);
        other_alg["alg"] = "A128KW".into();
        for (row, jwk) in [
            ("SYM-05 short", oct(16)),
            ("SYM-04 another algorithm", other_alg),
            ("no kty", json!({ "k": encode([7; 32]) })),
            ("k is a number", json!({ "kty": "oct", "k": 7 })),
        ] {
            let (key, rest) = taken(&json!({ "jwk": jwk }));
            assert!(key.is_none() && rest.is_empty(), "{row} {rest:?}");
        }
        for cnf in [json!({ "jwk": { "kty": "EC" } }), json!({ "jwe": "a.b.c.d.e" }), json!("x"), json!({})] {
            let (key, rest) = taken(&cnf);
            assert!(key.is_none() && rest["cnf"] == cnf, "stays: {cnf}");
        }
    }

    #[test]
    fn erases_all_strings_of_a_value() {
        let mut value = json!({ "a": "secret", "b": ["secret", { "c": "secret" }], "d": 7 });
        erase(&mut value);
        assert_eq!(value, json!({ "a": "", "b": ["", { "c": "" }], "d": 7 }));
    }
}
