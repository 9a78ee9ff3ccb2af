//! JSON of servers: objects without duplicate members. Optional members that are `null` or empty count as absent.

use pop_core::jose::{JsonLimits, Object};
use serde_json::{Map, Value};

pub(crate) type Document = Map<String, Value>;

/// Reads one object. Returns `None` for anything else, for duplicate members at any level, and beyond
/// `JsonLimits::DOCUMENT`.
pub(crate) fn object(text: &[u8]) -> Option<Document> {
    Object::parse(text, JsonLimits::DOCUMENT).ok()?;
    serde_json::from_slice(text).ok()
}

/// Returns the value of a member, unless it is `null`, an empty string, an empty array or an empty object.
pub(crate) fn member<'d>(document: &'d Document, name: &str) -> Option<&'d Value> {
    document.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    })
}

/// A member has a wrong type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongType;

/// Reads an optional string.
pub(crate) fn string(document: &Document, name: &str) -> Result<Option<String>, WrongType> {
    let read = |value: &Value| value.as_str().map(str::to_owned).ok_or(WrongType);
    member(document, name).map(read).transpose()
}

/// Reads an optional boolean. Returns `false` when it is absent.
pub(crate) fn flag(document: &Document, name: &str) -> Result<bool, WrongType> {
    member(document, name).map_or(Ok(false), |value| value.as_bool().ok_or(WrongType))
}

/// Reads an optional list of strings. Skips elements that are `null` or empty.
pub(crate) fn strings(document: &Document, name: &str) -> Result<Option<Vec<String>>, WrongType> {
    let Some(value) = member(document, name) else {
        return Ok(None);
    };
    let mut strings = Vec::new();
    for element in value.as_array().ok_or(WrongType)? {
        match element {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => strings.push(text.clone()),
            _ => return Err(WrongType),
        }
    }
    Ok((!strings.is_empty()).then_some(strings))
}

/// Reads seconds as servers write them: `3600`, `3600.0`, `"3600"`. Returns `None` for anything else.
pub(crate) fn seconds(document: &Document, name: &str) -> Option<u64> {
    /// 2^53. All implementations read integers up to it alike (RFC 8259 §6).
    const MAX: f64 = 9_007_199_254_740_992.0;
    let number = match member(document, name)? {
        Value::Number(number) => match number.as_u64() {
            Some(seconds) => return Some(seconds),
            None => number.as_f64()?,
        },
        Value::String(text) => match text.trim().parse::<u64>() {
            Ok(seconds) => return Some(seconds),
            Err(_) => text.trim().parse::<f64>().ok()?,
        },
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..=MAX).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-22: another type is an error.
    #[test]
    fn null_and_empty_members_count_as_absent_and_duplicates_are_rejected() {
        let document = object(br#"{"n":null,"e":"","a":[],"o":{},"l":[null,"","x"],"t":"x","f":false}"#).unwrap();
        for name in ["n", "e", "a", "o", "missing"] {
            assert_eq!(string(&document, name), Ok(None), "CLI-22 {name}");
            assert_eq!(strings(&document, name), Ok(None), "CLI-22 {name}");
            assert_eq!(flag(&document, name), Ok(false), "CLI-22 {name}");
        }
        assert_eq!(strings(&document, "l"), Ok(Some(vec!["x".to_owned()])));
        assert_eq!((string(&document, "t"), flag(&document, "f")), (Ok(Some("x".to_owned())), Ok(false)));
        assert_eq!(
            (string(&document, "f"), flag(&document, "t"), strings(&document, "t")),
            (Err(WrongType), Err(WrongType), Err(WrongType))
        );
        for bad in [&br#"{"a":1,"a":2}"#[..], br#"{"x":{"a":1,"a":2}}"#, b"[]", b"", b"{}x", b"<html>", b"\xff"] {
            assert_eq!(object(bad), None, "CLI-22 {}", String::from_utf8_lossy(bad));
        }
    }

    /// CLI-22: anything else counts as absent.
    #[test]
    fn reads_seconds_as_number_or_string() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            ("3.6e3", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("\"3600.0\"", Some(3600)),
            ("\" 60 \"", Some(60)),
            ("0", Some(0)),
            ("-1", None),
            ("1e300", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
            ("\"inf\"", None),
            ("\"\"", None),
            ("null", None),
            ("true", None),
            ("[60]", None),
        ] {
            let document = object(format!("{{\"expires_in\":{text}}}").as_bytes()).unwrap();
            assert_eq!(seconds(&document, "expires_in"), expected, "CLI-22 {text}");
        }
    }
}
