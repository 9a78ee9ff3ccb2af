//! Standard output: text or JSON, with colours only on a terminal.

use std::io::{IsTerminal, Write};

use serde_json::Value;

/// How the program prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    colours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Green,
    Red,
    Dim,
    Bold,
}

impl Output {
    /// Colours are used on terminals, unless `NO_COLOR` is set.
    pub(crate) fn new(json: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, colours: !no_colour && std::io::stdout().is_terminal() }
    }

    /// Whether JSON was asked for.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a line of text.
    pub(crate) fn line(self, line: impl AsRef<str>) {
        // A closed pipe is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut out = std::io::stdout();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Prints a JSON document.
    pub(crate) fn document(self, document: &Value) {
        self.line(format!("{document:#}"));
    }

    /// Colours a text.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Dim => 2,
            Colour::Bold => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Replaces what a server could move the cursor or turn the text with: control characters, and marks of direction.
pub(crate) fn printable(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || is_mark(c) { ' ' } else { c }).collect()
}
