//! What `-v` shows on standard error: tokens and proofs decoded, not as they are sent.

use std::io::Write;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pop_client::{Challenge, Lacking};

use super::exchange::Answer;
use crate::json::Decoded;
use crate::output::printable;
use crate::signed::{DPOP, Draft};
use crate::token::Token;

/// Shows what happens, if the user wants to see it.
#[derive(Clone, Copy)]
pub(super) struct Show {
    pub(super) verbose: bool,
}

impl Show {
    fn line(self, line: &str) {
        if self.verbose {
            let _ = writeln!(std::io::stderr(), "{}", printable(line));
        }
    }

    pub(super) fn note(self, note: &str) {
        self.line(&format!("* {note}"));
    }

    /// Says how to get the scopes that a response asks for.
    pub(super) fn missing_scopes(answer: &Answer) {
        let challenges = Challenge::from_headers(&answer.headers);
        if let Some(Lacking::Scope(scopes)) = challenges.iter().find_map(Challenge::lacking) {
            let hint = format!("hint: ask for the scopes: --scope {scopes:?}");
            let _ = writeln!(std::io::stderr(), "{}", printable(&hint));
        }
    }

    pub(super) fn notes(self, notes: &[String]) {
        notes.iter().for_each(|note| self.note(note));
    }

    pub(super) fn token(self, token: &Token) {
        self.note(&format!("key: {} {}", token.key.algorithm().name(), token.key.thumbprint()));
        self.decoded("token", &token.access_token);
    }

    /// Shows a JWS decoded, and a string that is none by its length.
    fn decoded(self, what: &str, jws: &str) {
        let decoded = Decoded::of(jws);
        if decoded.header.is_null() {
            self.note(&format!("{what}: opaque, {} characters", jws.len()));
        } else {
            self.note(&format!("{what} header: {}", decoded.header));
            self.note(&format!("{what} claims: {}", decoded.claims));
        }
    }

    pub(super) fn request(self, draft: &Draft, headers: &HeaderMap) {
        let query = draft.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        self.line(&format!("> {} {}{query}", draft.method, draft.url.path()));
        self.line(&format!("> host: {}", draft.url.authority()));
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            if name == AUTHORIZATION {
                let (scheme, credentials) = value.split_once(' ').unwrap_or_default();
                self.line(&format!("> {name}: {scheme} (not shown: --print-headers prints it)"));
                let mut signed = Decoded::of(credentials);
                if let Some(token) = signed.claims.get_mut("at") {
                    *token = "(not shown)".into();
                    self.note(&format!("signed request header: {}", signed.header));
                    self.note(&format!("signed request claims: {}", signed.claims));
                }
            } else if name == DPOP {
                self.line(&format!("> {name}: (not shown)"));
                self.decoded("proof", &value);
            } else {
                self.line(&format!("> {name}: {value}"));
            }
        }
    }

    pub(super) fn response(self, answer: &Answer) {
        answer.head_lines().iter().for_each(|line| self.line(&format!("< {line}")));
    }
}
