//! JSON of tokens and proofs, as it is shown.

use pop_core::jose::decode;
use serde_json::{Map, Value, json};

/// The members of private JWKs (RFC 7518 §6, RFC 9964 §3), which are never shown.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Header and claims of a compact JWS, decoded without checking anything. What cannot be decoded is `null`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decoded {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Decoded {
    pub(crate) fn of(jws: &str) -> Self {
        let mut segments = jws.split('.').map(|segment| {
            let json = decode(segment).ok()?;
            serde_json::from_slice::<Value>(&json).ok()
        });
        let mut next = || segments.next().flatten().map(without_private_keys).unwrap_or_default();
        Self { header: next(), claims: next() }
    }

    /// Returns a header parameter as text.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.header.get(name).map(text)
    }

    /// Returns a claim as text.
    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        self.claims.get(name).map(text)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "header": self.header, "claims": self.claims })
    }
}

/// Returns a string as it is, and other values as JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Hides the private members of JWKs.
fn without_private_keys(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let is_key = members.contains_key("kty");
            let members: Map<String, Value> = members
                .into_iter()
                .map(|(name, value)| match PRIVATE.contains(&name.as_str()) && is_key {
                    true => (name, "(a private key, not shown)".into()),
                    false => (name, without_private_keys(value)),
                })
                .collect();
            Value::Object(members)
        }
        Value::Array(values) => values.into_iter().map(without_private_keys).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pop_core::jose::encode;

    #[test]
    fn shows_public_keys_without_their_private_members() {
        let key = |crv: &str| json!({ "kty": "EC", "crv": crv, "x": "abc", "d": "secret" });
        let header = json!({ "jwk": key("P-256"), "d": "shown" });
        let jws = format!("{}.{}.", encode(header.to_string()), encode(json!({ "keys": [key("P-384")] }).to_string()));
        let decoded = Decoded::of(&jws);
        let shown = decoded.to_json().to_string();
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("P-256") && shown.contains("P-384") && shown.contains("\"d\":\"shown\""), "{shown}");
    }

    #[test]
    fn what_cannot_be_decoded_is_null() {
        let decoded = Decoded::of("!.e30");
        assert_eq!(decoded.to_json(), json!({ "header": null, "claims": {} }));
    }
}
