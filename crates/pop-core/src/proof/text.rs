//! Strings of a decoded payload, kept without copying them.

use std::borrow::Cow;
use std::ops::Range;

/// A string of the payload: its position, or a copy if the payload has it in escaped form.
#[derive(Clone)]
pub(crate) enum Text {
    At(Range<usize>),
    Unescaped(Box<str>),
}

impl Text {
    /// `json` is the payload.
    pub(crate) fn new(text: Cow<'_, str>, json: &str) -> Self {
        match text {
            Cow::Owned(text) => Self::Unescaped(text.into()),
            Cow::Borrowed(text) => {
                let start = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize);
                match start.map(|start| start..start.saturating_add(text.len())) {
                    Some(range) if json.get(range.clone()) == Some(text) => Self::At(range),
                    _ => Self::Unescaped(text.into()),
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::At(range) => range.len(),
            Self::Unescaped(text) => text.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the string. `payload` is the payload that it was found in.
    pub(crate) fn as_str<'s>(&'s self, payload: &'s [u8]) -> &'s str {
        std::str::from_utf8(self.bytes(payload)).unwrap_or_default() // the payload was read as UTF-8
    }

    pub(crate) fn bytes<'s>(&'s self, payload: &'s [u8]) -> &'s [u8] {
        match self {
            Self::At(range) => payload.get(range.clone()).unwrap_or_default(),
            Self::Unescaped(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_strings_within_the_payload_and_keeps_unescaped_ones() {
        let json = r#"{"a":"one","b":"t\u0077o"}"#;
        let one = Text::new(Cow::Borrowed(&json[6..9]), json);
        assert!(matches!(one, Text::At(_)));
        let two = Text::new(Cow::Owned("two".to_owned()), json);
        let elsewhere = "one".to_owned();
        let copied = Text::new(Cow::Borrowed(&elsewhere), json);
        assert!(matches!(copied, Text::Unescaped(_)));
        let texts = [one, two, copied].map(|text| text.bytes(json.as_bytes()).to_owned());
        assert_eq!(texts, [b"one", b"two", b"one"]);
    }
}
