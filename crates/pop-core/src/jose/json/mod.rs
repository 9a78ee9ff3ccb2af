//! A JSON reader that rejects what two parsers could read differently: duplicate members at any level, excessive depth
//! and size, a byte order mark, trailing data. `serde_json` makes the tokens; the tree borrows from the input.

mod found;
mod member;
mod visitor;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

pub use self::found::Found;
pub(crate) use self::member::{Member, WrongType};
use super::Malformed;

/// Largest integer that every JSON implementation reads alike (2^53).
const MAX_EXACT: u64 = 1 << 53;

/// Bounds on one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Nesting of objects and arrays; the outermost object counts as one.
    pub depth: u8,
    /// Members of one object.
    pub members: u16,
    /// Values in the whole text.
    pub values: u32,
}

impl JsonLimits {
    /// For proofs: depth 8, 64 members an object, 256 values.
    pub const PROOF: Self = Self { depth: 8, members: 64, values: 256 };
    /// For access tokens: depth 8, 128 members an object, 4,096 values.
    pub const TOKEN: Self = Self { depth: 8, members: 128, values: 4096 };
    /// For documents of an authorization server: depth 16, 256 members an object, 16,384 values.
    pub const DOCUMENT: Self = Self { depth: 16, members: 256, values: 16_384 };
}

/// One JSON value, borrowing its strings from the input wherever they hold no escape.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A non-negative integer up to 2^64 - 1.
    Integer(u64),
    /// Any other number.
    Float(f64),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

impl<'a> Json<'a> {
    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if this is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Seconds since the epoch (RFC 7519 §2): a number from 0 to 2^53, fractions rounded down.
    #[must_use]
    pub fn as_numeric_date(&self) -> Option<u64> {
        match *self {
            Self::Integer(seconds) => (seconds <= MAX_EXACT).then_some(seconds),
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Self::Float(seconds) => (0.0..=MAX_EXACT as f64).contains(&seconds).then_some(seconds as u64),
            _ => None,
        }
    }
}

/// A JSON object whose member names are all different.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Reads one object; the whole text must be that object.
    ///
    /// # Errors
    /// Any [`Malformed`] that concerns JSON.
    pub fn parse(text: &'a [u8], limits: JsonLimits) -> Result<Self, Malformed> {
        let value = visitor::value(std::str::from_utf8(text).map_err(|_| Malformed::NotJson)?, limits)?;
        match value {
            Json::Object(object) => Ok(object),
            _ => Err(Malformed::NotObject),
        }
    }

    /// Reads one object as [`parse`](Self::parse) does, and hands each member over instead of keeping it: for objects
    /// whose members are known, of which nothing then needs to be allocated. Returns the text, which is UTF-8.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn walk<'t: 'a>(
        text: &'t [u8],
        limits: JsonLimits,
        take: &mut dyn FnMut(&str, Json<'a>),
    ) -> Result<&'t str, Malformed> {
        // Once for the whole text, instead of once for each string.
        let text = std::str::from_utf8(text).map_err(|_| Malformed::NotJson)?;
        match visitor::members(text, limits, take) {
            Ok(()) => Ok(text),
            Err(Some(fault)) => Err(fault),
            // The parser says whether this is JSON but not an object.
            Err(None) => Self::parse(text.as_bytes(), limits).and(Err(Malformed::NotJson)),
        }
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find_map(|(member, value)| (member == name).then_some(value))
    }

    /// Removes a member and returns its value.
    pub fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let at = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Whether the member is there, whatever its value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Whether there is no member at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As it was read; only spelling and order of characters within values may differ from the text.
impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => output.serialize_unit(),
            Self::Bool(value) => output.serialize_bool(*value),
            Self::Integer(value) => output.serialize_u64(*value),
            Self::Float(value) => output.serialize_f64(*value),
            Self::String(text) => output.serialize_str(text),
            Self::Array(elements) => output.collect_seq(elements),
            Self::Object(object) => output.collect_map(object.members()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Object<'_>, Malformed> {
        Object::parse(text.as_bytes(), JsonLimits::PROOF)
    }

    /// JOSE-03: UTF-8, without a byte order mark.
    #[test]
    fn accepts_one_object_and_rejects_anything_around_it() {
        assert!(parse(" {\"a\":1} ").is_ok());
        for text in ["", "\u{feff}{}", "{}x", "{} {}", "{", "{\"a\":1e400}", "{\"a\":\"\\ud800\"}", "{a:1}"] {
            assert_eq!(parse(text), Err(Malformed::NotJson), "{text:?}");
        }
        for text in ["[]", "1", "\"a\"", "null"] {
            assert_eq!(parse(text), Err(Malformed::NotObject), "{text:?}");
        }
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Object::parse(&utf16, JsonLimits::PROOF), Err(Malformed::NotJson));
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}", JsonLimits::PROOF), Err(Malformed::NotJson));
    }

    /// JOSE-04: two parsers could read two different values.
    #[test]
    fn rejects_duplicate_members_at_every_level_in_any_escaping() {
        assert!(parse(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":1}"#, r#"{"x":{"a":1,"a":1}}"#, r#"{"x":[{"a":1,"a":1}]}"#]
        {
            assert_eq!(parse(text), Err(Malformed::DuplicateMember), "{text}");
        }
    }

    /// JOSE-04, JOSE-05: without comparing each member with each other.
    #[test]
    #[allow(clippy::disallowed_methods)] // the cost is what is tested
    fn finds_duplicates_among_thousands_of_members_in_bounded_time() {
        const MANY: usize = 10_000;
        let limits = JsonLimits { members: u16::MAX, values: 1 << 20, ..JsonLimits::PROOF };
        let wide = |last: &str| {
            let list: Vec<String> = (0..MANY).map(|i| format!("\"m{i}\":0")).collect();
            format!("{{{},\"{last}\":0}}", list.join(","))
        };
        let nested = |last: &str| format!("{{\"a\":{}}}", wide(last));
        let walk = |text: &str| Object::walk(text.as_bytes(), limits, &mut |_, _| ()).map(drop);
        for (last, expected) in [
            ("other", Ok(())),
            ("m0", Err(Malformed::DuplicateMember)),
            ("m9999", Err(Malformed::DuplicateMember)),
            ("m500", Err(Malformed::DuplicateMember)),
            ("\\u006d500", Err(Malformed::DuplicateMember)),
        ] {
            for text in [wide(last), nested(last)] {
                let start = std::time::Instant::now();
                assert_eq!(Object::parse(text.as_bytes(), limits).map(drop), expected, "{last}");
                assert_eq!(walk(&text), expected, "{last}");
                // Fifty million comparisons take far longer, here and on any other machine.
                assert!(start.elapsed() < std::time::Duration::from_secs(1), "{:?}", start.elapsed());
            }
        }
    }

    /// JOSE-05: the limits are exact.
    #[test]
    fn limits_depth_members_and_values() {
        let nested = |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{", "}".repeat(depth));
        assert!(parse(&nested(8)).is_ok());
        assert_eq!(parse(&nested(9)), Err(Malformed::TooDeep));
        assert_eq!(parse(&nested(10_000)), Err(Malformed::TooDeep));
        let wide = |members: usize| {
            let list: Vec<String> = (0..members).map(|i| format!("\"m{i}\":0")).collect();
            format!("{{{}}}", list.join(","))
        };
        assert!(parse(&wide(64)).is_ok());
        assert_eq!(parse(&wide(65)), Err(Malformed::TooManyMembers));
        let long = |elements: usize| format!("{{\"a\":[{}]}}", vec!["0"; elements].join(","));
        assert!(parse(&long(254)).is_ok());
        assert_eq!(parse(&long(255)), Err(Malformed::TooManyMembers));
    }

    /// JOSE-03, JOSE-04, JOSE-05: both read the same members.
    #[test]
    fn walking_rejects_what_parsing_rejects() {
        let wide: Vec<String> = (0..65).map(|i| format!("\"m{i}\":{i}")).collect();
        let late = format!("{{{},\"m3\":0}}", wide[..20].join(","));
        let (wide, fits) = (format!("{{{}}}", wide.join(",")), format!("{{{}}}", wide[..64].join(",")));
        for text in [
            "{}",
            " {\"a\":1,\"b\":[{\"c\":null}],\"\\u0063\":\"x\"} ",
            "",
            "{",
            "{}x",
            "{} {}",
            "[]",
            "1",
            "null",
            "\"a\"",
            "[1",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":1}",
            "{\"a\":{\"b\":1,\"b\":1}}",
            "{\"a\":1e400}",
            "{a:1}",
            "{\"a\":[[[[[[[[1]]]]]]]]}",
            "{\"a\":[[[[[[[1]]]]]]]}",
            &wide,
            &fits,
            &late,
        ] {
            let mut walked = Vec::new();
            let mut take = |name: &str, value: Json<'_>| walked.push((name.to_owned(), format!("{value:?}")));
            let outcome = Object::walk(text.as_bytes(), JsonLimits::PROOF, &mut take);
            match parse(text) {
                Ok(object) => {
                    let members: Vec<_> =
                        object.members().map(|(name, value)| (name.to_owned(), format!("{value:?}"))).collect();
                    assert_eq!((outcome, walked), (Ok(text), members), "{text}");
                }
                Err(error) => assert_eq!(outcome, Err(error), "{text}"),
            }
        }
    }

    /// JOSE-18: numbers from 0 to 2^53, and no strings.
    #[test]
    fn reads_numeric_dates_without_wrapping() {
        for (text, seconds) in [("0", 0), ("1.9", 1), ("1.5e9", 1_500_000_000), ("9007199254740992", MAX_EXACT)] {
            let text = format!("{{\"a\":{text}}}");
            let object = parse(&text).unwrap();
            assert_eq!(object.get("a").unwrap().as_numeric_date(), Some(seconds), "{text}");
        }
        for text in [
            "-1",
            "-0.5",
            "-9223372036854775808",
            "9007199254740993",
            "18446744073709551616",
            "1e300",
            "\"1\"",
            "true",
            "null",
            "[1]",
        ] {
            let text = format!("{{\"a\":{text}}}");
            let object = parse(&text).unwrap();
            assert_eq!(object.get("a").unwrap().as_numeric_date(), None, "{text}");
        }
    }
}
