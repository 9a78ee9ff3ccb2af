//! The request to inspect, from header lines and flags.

use std::io::{IsTerminal, Read};

use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use pop_core::credentials::{Scheme, scheme_used};
use pop_core::target::Origin;

use super::arguments::InspectArguments;
use crate::failure::Failure;
use crate::input::{self, bytes_or_file, text_or_file};
use crate::json::Decoded;

/// More header lines than this are no request.
const MAX_INPUT: u64 = 1 << 20;

/// A request, and what it carries.
pub(super) struct Inspected {
    pub(super) parts: Parts,
    pub(super) content: Vec<u8>,
    pub(super) origin: Origin,
    /// The URL as requested.
    pub(super) url: String,
}

impl Inspected {
    /// Reads the request.
    pub(super) fn read(arguments: &InspectArguments) -> Result<Self, Failure> {
        let mut lines = Lines::default();
        if arguments.token.is_none() && arguments.proof.is_none() && arguments.header.is_empty() {
            lines.read(&standard_input()?)?;
        }
        for line in &arguments.header {
            lines.header(line)?;
        }
        if let Some(token) = &arguments.token {
            let value = format!("{} {}", arguments.scheme, text_or_file(token)?);
            lines.headers.append(AUTHORIZATION, field_value(&value)?);
        }
        if let Some(proof) = &arguments.proof {
            lines.headers.append("dpop", field_value(&text_or_file(proof)?)?);
        }
        let method = arguments.method.as_deref().or(lines.method.as_deref()).unwrap_or("GET");
        let method = input::method(method)?;
        let url = arguments.url.clone().or_else(|| lines.url()).ok_or_else(|| {
            Failure::input("the URL is unknown: expected --url, or a request line and Host on standard input")
        })?;
        let (origin, target) = split(&url)?;
        let mut parts = Request::new(()).into_parts().0;
        (parts.method, parts.uri, parts.headers) = (method, target, lines.headers);
        if !parts.headers.contains_key(HOST) {
            parts.headers.insert(HOST, field_value(origin.authority())?);
        }
        let content = match arguments.data.as_deref() {
            None => Vec::new(),
            Some(data) => bytes_or_file(data)?,
        };
        Ok(Self { parts, content, origin, url })
    }

    /// Returns the scheme of the request.
    pub(super) fn scheme(&self) -> Option<Scheme> {
        scheme_used(&self.parts.headers)
    }

    /// Returns what follows the scheme.
    fn credentials(&self) -> &str {
        let field = self.parts.headers.get(AUTHORIZATION).and_then(|field| field.to_str().ok()).unwrap_or_default();
        field.split_once(' ').map_or("", |(_, credentials)| credentials.trim())
    }

    /// Returns the access token, which is within a signed HTTP request.
    pub(super) fn token(&self) -> String {
        let credentials = self.credentials();
        self.envelope().and_then(|envelope| envelope.claim("at")).unwrap_or_else(|| credentials.to_owned())
    }

    /// Returns the signed HTTP request.
    pub(super) fn envelope(&self) -> Option<Decoded> {
        let is_pop = self.scheme() == Some(Scheme::Pop);
        let envelope = is_pop.then(|| Decoded::of(self.credentials()))?;
        envelope.claims.get("at").is_some().then_some(envelope)
    }

    /// Returns the DPoP proof.
    pub(super) fn dpop(&self) -> Option<&str> {
        self.parts.headers.get("dpop")?.to_str().ok()
    }
}

/// Header lines, and the request line if there is one.
#[derive(Default)]
struct Lines {
    method: Option<String>,
    target: Option<String>,
    headers: HeaderMap,
}

impl Lines {
    /// Reads the head of a request. `curl -v` writes `> ` before each line, and other lines around them.
    fn read(&mut self, text: &str) -> Result<(), Failure> {
        let is_marked = text.lines().any(|line| line.starts_with("> "));
        for line in text.lines() {
            let line = match line.strip_prefix("> ") {
                Some(line) => line,
                None if is_marked => continue,
                None => line,
            };
            let line = line.trim();
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next(), words.next(), words.next()) {
                _ if line.is_empty() => {}
                (Some(method), Some(target), Some(version), None) if version.starts_with("HTTP/") => {
                    (self.method, self.target) = (Some(method.to_owned()), Some(target.to_owned()));
                }
                _ => self.header(line)?,
            }
        }
        Ok(())
    }

    fn header(&mut self, line: &str) -> Result<(), Failure> {
        let expected = || Failure::input("a header line is malformed: expected `Name: value`");
        let (name, value) = line.split_once(':').ok_or_else(expected)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| expected())?;
        self.headers.append(name, field_value(value.trim())?);
        Ok(())
    }

    /// Returns the URL of the request line and `Host`.
    fn url(&self) -> Option<String> {
        let target = self.target.as_deref()?;
        if target.contains("://") {
            return Some(target.to_owned());
        }
        let host = self.headers.get(HOST)?.to_str().ok()?;
        let is_loopback = Origin::parse(&format!("http://{host}")).is_ok_and(|origin| origin.is_loopback());
        Some(format!("{}://{host}{target}", if is_loopback { "http" } else { "https" }))
    }
}

fn field_value(value: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(value)
        .map_err(|_| Failure::input("a header field has a character that is not allowed: expected visible ASCII"))
}

/// Splits a URL into its origin and the request target. The path stays as it is.
fn split(url: &str) -> Result<(Origin, Uri), Failure> {
    let expected = || Failure::input(format!("{url:?} is not a URL: expected such as https://api.example/notes"));
    let url = url.split('#').next().unwrap_or_default();
    let origin = Origin::of(url).map_err(|_| expected())?;
    let authority_at = url.find("://").ok_or_else(expected)? + 3;
    let rest = url.get(authority_at..).unwrap_or_default();
    let target = rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/");
    let target = if target.starts_with('?') { format!("/{target}") } else { target.to_owned() };
    Ok((origin, target.parse().map_err(|_| expected())?))
}

fn standard_input() -> Result<String, Failure> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::input(
            "there is no request: expected --token and --proof, or header lines on standard input",
        ));
    }
    let mut text = String::new();
    let read = input.by_ref().take(MAX_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::input(format!("cannot read standard input: {error}")))?;
    Ok(text)
}
