//! What an envelope that passed must say of its request (draft-ietf-oauth-signed-http-request-03 §3), written down a second
//! time.

use serde_json::Value;

use crate::key::sha256;
use crate::oracle::date;
use crate::signature::Message;
use crate::world::{AUDIENCE, NOW};

/// Whose form of the draft is accepted.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Draft,
    Entra,
}

/// Panics unless the envelope is recent and says what the request is.
pub fn check(form: Form, header: &Value, claims: &Value, message: Message<'_>, content: &[u8]) {
    match header.get("typ") {
        None => assert!(form == Form::Entra),
        Some(typ) => assert!(typ.as_str().expect("a string").eq_ignore_ascii_case("pop")),
    }
    for name in ["crit", "zip", "enc", "b64"] {
        assert!(header.get(name).is_none(), "{name}");
    }
    let at = claims["at"].as_str().expect("an access token");
    assert!(!at.is_empty() && at.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
    let max_age = if form == Form::Entra { 300 } else { 60 };
    let ts = date(&claims["ts"]).expect("a time");
    assert!((NOW - max_age..=NOW + 30).contains(&ts), "{ts}");
    for name in ["nonce", "jti"] {
        let len = claims.get(name).map(|nonce| nonce.as_str().expect("a string").len());
        assert!(len.is_none_or(|len| (1..=256).contains(&len)), "{name}");
    }

    let (path, query) = message.target.split_once('?').unwrap_or((message.target, ""));
    if form == Form::Draft {
        for name in ["m", "u", "p"] {
            assert!(claims.get(name).is_some(), "{name}");
        }
        assert!(query.is_empty() || claims.get("q").is_some());
        assert!(content.is_empty() || claims.get("b").is_some());
    }
    let text = |name: &str| claims.get(name).map(|value| value.as_str().expect("a string"));
    assert!(text("m").is_none_or(|m| m == message.method));
    let host = AUDIENCE.trim_start_matches("https://");
    assert!(text("u").is_none_or(|u| {
        let without_port = u.strip_suffix(":443").filter(|_| form == Form::Entra).unwrap_or(u);
        without_port.eq_ignore_ascii_case(host)
    }));
    assert!(text("p").is_none_or(|p| match form {
        Form::Draft => p == path,
        Form::Entra => without_slash(p).eq_ignore_ascii_case(without_slash(path)),
    }));
    if let Some(q) = claims.get("q") {
        check_query(form, q, query);
    }
    if let Some(h) = claims.get("h") {
        check_fields(h, message);
    }
    assert!(text("b").is_none_or(|b| b == sha256(content)));
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn check_query(form: Form, q: &Value, query: &str) {
    let names = list(&q[0]);
    let value = q[1].as_str().expect("a string");
    if form == Form::Entra && names.is_empty() && value.eq_ignore_ascii_case(query) {
        return;
    }
    let parameters: Vec<&str> = query.split('&').filter(|_| !query.is_empty()).collect();
    assert_eq!(names.len(), parameters.len(), "{query}");
    let named = |name: &str| {
        let mut found = parameters.iter().filter(|parameter| decode(key(parameter)) == decode(name));
        let parameter = *found.next().expect("the parameter");
        assert!(found.next().is_none(), "{name} twice");
        parameter
    };
    let hashed: Vec<&str> = names.iter().map(|name| named(name)).collect();
    assert_eq!(value, sha256(hashed.join("&")));
}

fn key(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Percent-decoded, with spaces for plus signs.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    for (at, part) in text.split('%').enumerate() {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let rest = match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if at > 0 => {
                decoded.push(byte);
                &part[2..]
            }
            _ if at > 0 => {
                decoded.push(b'%');
                part
            }
            _ => part,
        };
        decoded.extend(rest.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }));
    }
    decoded
}

fn check_fields(h: &Value, message: Message<'_>) {
    let lines: Vec<Vec<u8>> = list(&h[0])
        .iter()
        .map(|name| {
            assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}");
            let mut lines = message.headers.get_all(*name).iter();
            let line = lines.next().expect("the field");
            assert!(lines.next().is_none(), "{name} has several lines");
            [name.as_bytes(), b": ", line.as_bytes().trim_ascii()].concat()
        })
        .collect();
    assert_eq!(h[1].as_str().expect("a string"), sha256(lines.join(&b'\n')));
}

fn list(names: &Value) -> Vec<&str> {
    let names = names.as_array().expect("a list");
    names.iter().map(|name| name.as_str().expect("a string")).collect()
}
