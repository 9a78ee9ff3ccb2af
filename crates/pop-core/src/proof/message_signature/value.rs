//! Component values (RFC 9421 §2.1, §2.2).

use std::borrow::Cow;

use http::HeaderMap;
use memchr::memchr2;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use sfv::{Dictionary, FieldType, Item, ItemSerializer, KeyRef, List, ListEntry, ListSerializer, Parser};

use super::component::{Component, Derived, Form};
use crate::SignatureError;
use crate::request::RequestHead;
use crate::target::RequestTarget;

/// The characters that `application/x-www-form-urlencoded` percent-encodes (URL Standard §1.3), apart from the space,
/// which RFC 9421 §2.2.8 writes as `%20`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// The bytes that may still be read to make values that are not simply copied: structured fields and query parameters.
/// A signature can ask for many parts of one long field. Without a limit, each part would cost reading the whole field
/// again.
pub(super) struct Effort(pub(super) usize);

impl Effort {
    fn spend(&mut self, bytes: usize) -> Result<(), SignatureError> {
        self.0 = self.0.checked_sub(bytes).ok_or(SignatureError::TooLarge)?;
        Ok(())
    }
}

impl Component<'_> {
    /// Appends the value.
    pub(super) fn append_to(
        &self,
        base: &mut String,
        head: &RequestHead<'_>,
        effort: &mut Effort,
    ) -> Result<(), SignatureError> {
        match self {
            Self::Derived(Derived::Method) => append(base, head.method()),
            Self::Derived(derived) => {
                derived.append_to(base, head.target().map_err(|_| SignatureError::ComponentValue)?, effort)
            }
            Self::Field { name, form } => {
                let field = Field { headers: head.headers(), name: name.as_str() };
                match form {
                    Form::Plain => field.append_lines(base),
                    Form::Bytes => field.append_bytes(base),
                    Form::Strict => field.append_strict(base, effort),
                    Form::Member { key, .. } => field.append_member(base, key.as_str(), effort),
                }
            }
        }
    }
}

impl Derived<'_> {
    fn append_to(
        &self,
        base: &mut String,
        target: &RequestTarget<'_>,
        effort: &mut Effort,
    ) -> Result<(), SignatureError> {
        let origin = target.origin();
        let path_and_query = |base: &mut String| {
            append(base, target.path_as_received())?;
            target.query().map_or(Ok(()), |query| {
                base.push('?');
                append(base, query)
            })
        };
        match self {
            Self::Method => Ok(()),
            Self::TargetUri => {
                base.push_str(origin.as_str());
                path_and_query(base)
            }
            Self::RequestTarget => path_and_query(base),
            Self::Authority => append(base, origin.authority()),
            Self::Scheme => append(base, if origin.is_https() { "https" } else { "http" }),
            Self::Path => append(base, target.path_as_received()),
            Self::Query => {
                base.push('?');
                append(base, target.query().unwrap_or_default())
            }
            Self::QueryParam(name) => {
                let query = target.query().ok_or(SignatureError::ComponentMissing)?;
                effort.spend(query.len())?;
                append(base, &query_parameter(query, name.as_str())?)
            }
        }
    }
}

/// Appends the lines of a field, as received.
pub(super) fn append_field(base: &mut String, headers: &HeaderMap, name: &str) -> Result<(), SignatureError> {
    Field { headers, name }.append_lines(base)
}

/// Appends text that has no line break and only ASCII characters.
fn append(base: &mut String, text: &str) -> Result<(), SignatureError> {
    if !text.is_ascii() || memchr2(b'\r', b'\n', text.as_bytes()).is_some() {
        return Err(SignatureError::ComponentValue);
    }
    base.push_str(text);
    Ok(())
}

/// Returns the value of a query parameter in encoded form. A name that occurs twice cannot be covered (RFC 9421
/// §2.2.8).
fn query_parameter(query: &str, name: &str) -> Result<String, SignatureError> {
    let mut value = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
        if reencode(key)? == name && value.replace(reencode(text)?).is_some() {
            return Err(SignatureError::ComponentValue);
        }
    }
    value.ok_or(SignatureError::ComponentMissing)
}

fn reencode(text: &str) -> Result<String, SignatureError> {
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    // Different bytes that are not UTF-8 would become the same replacement character.
    let decoded = percent_decode(text.as_bytes()).decode_utf8().map_err(|_| SignatureError::ComponentValue)?;
    Ok(utf8_percent_encode(&decoded, FORM).to_string())
}

struct Field<'h> {
    headers: &'h HeaderMap,
    name: &'h str,
}

impl<'h> Field<'h> {
    /// Calls `each` with each line, without the whitespace around it.
    fn lines(&self, mut each: impl FnMut(usize, &'h [u8]) -> Result<(), SignatureError>) -> Result<(), SignatureError> {
        let mut count = 0;
        for line in self.headers.get_all(self.name) {
            // Line folds do not reach this: a field value has no line break.
            each(count, trim(line.as_bytes()))?;
            count += 1;
        }
        if count == 0 { Err(SignatureError::ComponentMissing) } else { Ok(()) }
    }

    fn append_lines(&self, base: &mut String) -> Result<(), SignatureError> {
        self.lines(|at, line| {
            if at > 0 {
                base.push_str(", ");
            }
            append(base, std::str::from_utf8(line).map_err(|_| SignatureError::ComponentValue)?)
        })
    }

    fn append_bytes(&self, base: &mut String) -> Result<(), SignatureError> {
        self.lines(|at, line| {
            if at > 0 {
                base.push_str(", ");
            }
            let serializer = ItemSerializer::with_buffer(base);
            _ = serializer.bare_item(line).finish();
            Ok(())
        })
    }

    /// All lines as one.
    fn joined(&self, effort: &mut Effort) -> Result<String, SignatureError> {
        let mut text = String::new();
        self.append_lines(&mut text)?;
        effort.spend(text.len())?;
        Ok(text)
    }

    /// Appends the strict serialization. The type of a field is not known here, and need not be: the text is parsed as
    /// each of the three types, and all types that it can have must agree in the serialization. They differ only if it
    /// is a dictionary or a list with a duplicate member.
    fn append_strict(&self, base: &mut String, effort: &mut Effort) -> Result<(), SignatureError> {
        let text = self.joined(effort)?;
        let item = Parser::new(&text).parse::<Item>().ok().map(|item| item.serialize());
        let list = Parser::new(&text).parse::<List>().ok().map(|list| list.serialize().unwrap_or_default());
        let dictionary = Parser::new(&text).parse::<Dictionary>().ok();
        let dictionary = dictionary.map(|dictionary| dictionary.serialize().unwrap_or_default());
        let mut serializations = [item, list, dictionary].into_iter().flatten();
        let first = serializations.next().ok_or(SignatureError::ComponentValue)?;
        if serializations.any(|other| other != first) {
            return Err(SignatureError::ComponentValue);
        }
        base.push_str(&first);
        Ok(())
    }

    fn append_member(&self, base: &mut String, key: &str, effort: &mut Effort) -> Result<(), SignatureError> {
        let text = self.joined(effort)?;
        let dictionary: Dictionary = Parser::new(&text).parse().map_err(|_| SignatureError::ComponentValue)?;
        let key = KeyRef::from_str(key).map_err(|_| SignatureError::ComponentMissing)?;
        match dictionary.get(key).ok_or(SignatureError::ComponentMissing)? {
            ListEntry::Item(item) => {
                let serializer = ItemSerializer::with_buffer(base);
                _ = serializer.bare_item(&item.bare_item).parameters(&item.params).finish();
            }
            ListEntry::InnerList(list) => {
                let mut serializer = ListSerializer::with_buffer(base);
                let mut members = serializer.inner_list();
                members.items(&list.items);
                _ = members.finish().parameters(&list.params).finish();
            }
        }
        Ok(())
    }
}

fn trim(line: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last.saturating_add(1));
    line.get(start..end).unwrap_or_default()
}
