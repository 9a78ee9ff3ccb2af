//! Arena of claims within the JSON that they were read from, so that a token is kept in one piece of memory.

use std::fmt;

/// The JSON, and behind it the few arena that do not stand in it as they are meant, because of escapes.
#[derive(Clone)]
pub(super) struct Arena {
    buffer: String,
    json_len: usize,
}

/// The position of a string in the [`Arena`] that returned it.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Arena {
    pub(super) fn new(json: &str) -> Self {
        Self { buffer: json.to_owned(), json_len: json.len() }
    }

    /// Returns the JSON as received.
    pub(super) fn json(&self) -> &str {
        self.buffer.get(..self.json_len).unwrap_or_default()
    }

    /// Returns the size in bytes.
    pub(super) const fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Stores a string. `json` is the text that this arena was made from: a string that borrows from it is not copied.
    pub(super) fn keep(&mut self, string: &str, json: &str) -> Span {
        let offset = (string.as_ptr() as usize).checked_sub(json.as_ptr() as usize);
        let start = match offset {
            Some(start) if json.get(start..start.saturating_add(string.len())) == Some(string) => start,
            _ => {
                let start = self.buffer.len();
                self.buffer.push_str(string);
                start
            }
        };
        Span { start, end: start + string.len() }
    }

    /// Overwrites a string of the JSON that must not be kept. `json` is the text that this arena was made from. Returns whether the
    /// string was found in it as it is meant.
    pub(super) fn erase(&mut self, string: &str, json: &str) -> bool {
        let offset = (string.as_ptr() as usize).checked_sub(json.as_ptr() as usize);
        let Some(range) = offset.map(|start| start..start.saturating_add(string.len())) else {
            return false;
        };
        if json.get(range.clone()) != Some(string) {
            return false;
        }
        self.buffer.replace_range(range, &"x".repeat(string.len()));
        true
    }

    pub(super) fn get(&self, span: Span) -> &str {
        self.buffer.get(span.start..span.end).unwrap_or_default()
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Arena(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_borrowed_arena_where_they_are_and_others_behind() {
        let json = r#"{"a":"one","b":"t\u0077o"}"#;
        let mut arena = Arena::new(json);
        let one = arena.keep(&json[6..9], json);
        let two = arena.keep("two", json);
        let empty = arena.keep("", json);
        assert_eq!((arena.get(one), arena.get(two), arena.get(empty), arena.json()), ("one", "two", "", json));
        assert_eq!(arena.buffer.len(), json.len() + 3, "only what is not there is added");
        // The same letters elsewhere in memory are another text.
        let elsewhere = "one".to_owned();
        assert_eq!(arena.keep(&elsewhere, json).end, arena.buffer.len());
    }
}
