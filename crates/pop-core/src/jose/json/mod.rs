//! A strict JSON reader. It rejects input that two parsers could read differently: duplicate members at any level, a byte order
//! mark and trailing data. It also rejects input beyond [`JsonLimits`]. `serde_json` parses the syntax. Values borrow from the
//! input.

mod found;
mod member;
mod visitor;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

pub use self::found::Found;
pub(crate) use self::member::{Member, WrongType};
use super::Malformed;

/// The maximum integer that every JSON implementation reads exactly (2^53).
const MAX_EXACT: u64 = 1 << 53;

/// Limits on one JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// The maximum nesting of objects and arrays. The outermost object counts as one.
    pub depth: u8,
    /// The maximum number of members of one object.
    pub members: u16,
    /// The maximum number of values in the document, including objects and arrays.
    pub values: u32,
}

impl JsonLimits {
    /// The limits for proofs: depth 8, 64 members per object, 256 values.
    pub const PROOF: Self = Self { depth: 8, members: 64, values: 256 };
    /// The limits for access tokens: depth 8, 128 members per object, 4,096 values.
    pub const TOKEN: Self = Self { depth: 8, members: 128, values: 4096 };
    /// The limits for documents of an authorization server: depth 16, 256 members per object, 16,384 values.
    pub const DOCUMENT: Self = Self { depth: 16, members: 256, values: 16_384 };
}

/// A JSON value. Strings without escapes borrow from the input.
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
    /// Returns the string, if the value is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the object, if the value is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the elements, if the value is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns a NumericDate: seconds since the epoch (RFC 7519 §2). The value must be a number from 0 to 2^53. Fractions are
    /// rounded down.
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
    /// Parses a document that is one object.
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

    /// Parses a document that is one object, and passes each member of that object to `take`. Returns the document as a string.
    /// It allocates less than [`parse`](Self::parse), because it keeps no members.
    ///
    /// `take` may be called before an error in the rest of the document is found.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn walk<'t: 'a>(
        text: &'t [u8],
        limits: JsonLimits,
        take: &mut dyn FnMut(&str, Json<'a>),
    ) -> Result<&'t str, Malformed> {
        // Checking UTF-8 once for the document is faster than once for each string.
        let text = std::str::from_utf8(text).map_err(|_| Malformed::NotJson)?;
        match visitor::members(text, limits, take) {
            Ok(()) => Ok(text),
            Err(Some(malformed)) => Err(malformed),
            // Parsing again tells whether the document is JSON that is not an object.
            Err(None) => Self::parse(text.as_bytes(), limits).and(Err(Malformed::NotJson)),
        }
    }

    /// Returns the value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find_map(|(member, value)| (member == name).then_some(value))
    }

    /// Removes a member and returns its value.
    pub fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let at = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Returns whether there is a member with this name, whatever its value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns names and values. The order is that of the document until [`take`](Self::take) removes a member.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Returns whether the object has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Serializes the value that was read. Escapes, whitespace and the notation of numbers may differ from the input.
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
    #[allow(clippy::disallowed_methods)] // this test measures time
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
                // Comparing each name with each would be fifty million comparisons, which take longer on any machine.
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
