//! Texts of claims within the JSON that they were read from, so that a token is kept in one piece of memory.

use std::fmt;

/// The JSON, and behind it the few texts that do not stand in it as they are meant, because of escapes.
#[derive(Clone)]
pub(crate) struct Texts {
    buffer: String,
    json_len: usize,
}

/// Where a text lies. Only of use with the [`Texts`] that made it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Texts {
    pub(crate) fn of(json: &str) -> Self {
        Self { buffer: json.to_owned(), json_len: json.len() }
    }

    /// The JSON as it was.
    pub(crate) fn json(&self) -> &str {
        self.buffer.get(..self.json_len).unwrap_or_default()
    }

    /// Bytes in memory.
    pub(crate) const fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Keeps a text; `json` is what this was made of. A text that was borrowed from there costs nothing.
    pub(crate) fn keep(&mut self, text: &str, json: &str) -> Span {
        let offset = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize);
        let start = match offset {
            Some(start) if json.get(start..start.saturating_add(text.len())) == Some(text) => start,
            _ => {
                let start = self.buffer.len();
                self.buffer.push_str(text);
                start
            }
        };
        Span { start, end: start + text.len() }
    }

    pub(crate) fn get(&self, span: Span) -> &str {
        self.buffer.get(span.start..span.end).unwrap_or_default()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_borrowed_strings_in_place_and_appends_others() {
        let json = r#"{"a":"one","b":"t\u0077o"}"#;
        let mut texts = Texts::of(json);
        let one = texts.keep(&json[6..9], json);
        let two = texts.keep("two", json);
        let empty = texts.keep("", json);
        assert_eq!((texts.get(one), texts.get(two), texts.get(empty), texts.json()), ("one", "two", "", json));
        assert_eq!(texts.buffer.len(), json.len() + 3, "only what is not there is added");
        // The same letters elsewhere in memory are another text.
        let elsewhere = "one".to_owned();
        assert_eq!(texts.keep(&elsewhere, json).end, texts.buffer.len());
    }
}
