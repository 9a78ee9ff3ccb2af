//! Signature bases (RFC 9421 §2.5) written down a second time: over what a client wrote into `Signature-Input`, byte for byte.
//! A signature over such a base is valid only if the layer makes the same one.

use http::HeaderMap;
use pop_core::jose::encode_standard;
use sfv::{Dictionary, FieldType, Item, List, Parser};

use crate::world::AUDIENCE;

/// What signatures can cover of a request.
#[derive(Clone, Copy)]
pub struct Message<'m> {
    pub method: &'m str,
    /// Path and query.
    pub target: &'m str,
    pub headers: &'m HeaderMap,
}

/// Returns the signature base for a member of `Signature-Input`. `None` if the request has no such component.
pub fn base(message: Message<'_>, input: &str) -> Option<String> {
    let mut base = String::new();
    for identifier in identifiers(input)? {
        base += &format!("{identifier}: {}\n", message.value(identifier)?);
    }
    Some(format!("{base}\"@signature-params\": {input}"))
}

/// Returns the identifiers within the parentheses.
pub fn identifiers(input: &str) -> Option<Vec<&str>> {
    let list = split(input, ')').first()?.strip_prefix('(')?;
    Some(if list.is_empty() { Vec::new() } else { split(list, ' ') })
}

/// Returns the names and the values of the parameters behind the parentheses.
pub fn parameters(input: &str) -> Option<Vec<(&str, &str)>> {
    let list = split(input, ')').first()?.len() + 1;
    let parameters = split(input.get(list..)?, ';').into_iter().skip(1);
    Some(parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, ""))).collect())
}

/// Returns a string without its quotation marks, if nothing in it is escaped.
pub fn plain_string(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains(['"', '\\']))
}

impl Message<'_> {
    fn value(self, identifier: &str) -> Option<String> {
        let mut parts = split(identifier, ';').into_iter();
        let name = plain_string(parts.next()?)?;
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target, None),
        };
        let parameters: Vec<&str> = parts.collect();
        let derived = match (name, &parameters[..]) {
            ("@method", []) => self.method.to_owned(),
            ("@target-uri", []) => format!("{AUDIENCE}{}", self.target),
            ("@authority", []) => AUDIENCE.trim_start_matches("https://").to_owned(),
            ("@scheme", []) => "https".to_owned(),
            ("@request-target", []) => self.target.to_owned(),
            ("@path", []) => path.to_owned(),
            ("@query", []) => format!("?{}", query.unwrap_or_default()),
            ("@query-param", [parameter]) => query_parameter(query?, plain_string(parameter.strip_prefix("name=")?)?)?,
            _ => return self.field(name, &parameters),
        };
        derived.is_ascii().then_some(derived)
    }

    fn field(self, name: &str, parameters: &[&str]) -> Option<String> {
        if name.is_empty() || name.bytes().any(|byte| byte == b'@' || byte.is_ascii_uppercase()) {
            return None;
        }
        let lines = self.headers.get_all(name).iter().map(|line| trim(line.as_bytes()));
        let lines: Vec<&[u8]> = lines.collect();
        if lines.is_empty() {
            return None;
        }
        if parameters == ["bs"] {
            let lines = lines.into_iter().map(|line| format!(":{}:", encode_standard(line)));
            return Some(lines.collect::<Vec<_>>().join(", "));
        }
        let text = lines.join(&b", "[..]);
        let text = String::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        match parameters {
            [] => Some(text),
            ["sf"] => strict(&text),
            [key] | ["sf", key] | [key, "sf"] => member(&text, plain_string(key.strip_prefix("key=")?)?),
            _ => None,
        }
    }
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.iter().position(|byte| !b" \t".contains(byte)).map_or(&[][..], |start| &line[start..]);
    line.iter().rposition(|byte| !b" \t".contains(byte)).map_or(&[], |end| &line[..=end])
}

/// Of a field whose type is unknown.
fn strict(text: &str) -> Option<String> {
    if let Ok(dictionary) = Parser::new(text).parse::<Dictionary>() {
        return Some(dictionary.serialize().unwrap_or_default());
    }
    let list = Parser::new(text).parse::<List>().ok();
    list.map(|list| list.serialize().unwrap_or_default())
        .or_else(|| Parser::new(text).parse::<Item>().ok().map(|item| item.serialize()))
}

fn member(text: &str, key: &str) -> Option<String> {
    let dictionary: Dictionary = Parser::new(text).parse().ok()?;
    let (name, value) = dictionary.into_iter().find(|(name, _)| name.as_str() == key)?;
    let alone = Dictionary::from_iter([(name, value)]).serialize()?;
    let value = alone.strip_prefix(key)?;
    Some(value.strip_prefix('=').map_or_else(|| format!("?1{value}"), str::to_owned))
}

/// Returns the value of the only parameter with this name, encoded anew as the name is.
fn query_parameter(query: &str, name: &str) -> Option<String> {
    let mut value = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
        if form(key)? == name && value.replace(form(text)?).is_some() {
            return None;
        }
    }
    value
}

fn form(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = tail;
    }
    let encode = |byte: u8| match byte {
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    String::from_utf8(bytes).ok().map(|text| text.bytes().map(encode).collect())
}

/// Splits at a character that is not within a string.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
