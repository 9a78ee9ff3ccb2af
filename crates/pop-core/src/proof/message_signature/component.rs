//! Component identifiers (RFC 9421 §2).

use std::borrow::Cow;

use sfv::{BareItemFromInput, StringRef};

use super::fields::{Item, Parameters};
use crate::SignatureError;

/// A component of a request. Components of responses, of trailers and of another request do not exist here.
#[derive(PartialEq)]
pub(super) enum Component<'r> {
    Derived(Derived<'r>),
    /// A header field. The name is in lower case.
    Field {
        name: Cow<'r, StringRef>,
        form: Form<'r>,
    },
}

/// A component that is derived from the request line (RFC 9421 §2.2).
#[derive(PartialEq)]
pub(super) enum Derived<'r> {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// The query parameter with this name, in encoded form.
    QueryParam(Cow<'r, StringRef>),
}

/// How the value of a field is written (RFC 9421 §2.1).
#[derive(PartialEq)]
pub(super) enum Form<'r> {
    /// As received.
    Plain,
    /// `sf`: parsed and serialized as a structured field.
    Strict,
    /// `key`: one member of a dictionary. It is always serialized strictly; `sf` makes it another identifier for the
    /// same value.
    Member { key: Cow<'r, StringRef>, sf: bool },
    /// `bs`: each line as a byte sequence.
    Bytes,
}

impl<'r> Component<'r> {
    pub(super) fn new(item: &Item<'r>) -> Result<Self, SignatureError> {
        let name = item.name.as_str();
        if name.starts_with('@') {
            return Ok(Self::Derived(Derived::new(name, &item.parameters)?));
        }
        // The name of a field in upper case would be found as well, under a second identifier for the same value.
        let is_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(SignatureError::Component);
        }
        Ok(Self::Field { name: item.name.clone(), form: Form::new(&item.parameters)? })
    }

    /// Returns whether the value comes from the field with this name.
    pub(super) fn is_form_of(&self, wanted: &str) -> bool {
        matches!(self, Self::Field { name, .. } if name.as_str() == wanted)
    }

    /// Returns whether the value is that of the whole field with this name, as received.
    pub(super) fn is_field(&self, wanted: &str) -> bool {
        matches!(self, Self::Field { name, form: Form::Plain } if name.as_str() == wanted)
    }
}

impl<'r> Derived<'r> {
    fn new(name: &str, parameters: &Parameters<'r>) -> Result<Self, SignatureError> {
        let derived = match (name, parameters.as_slice()) {
            ("@query-param", [(key, BareItemFromInput::String(name))]) if key.as_str() == "name" => {
                Self::QueryParam(name.clone())
            }
            ("@method", []) => Self::Method,
            ("@target-uri", []) => Self::TargetUri,
            ("@authority", []) => Self::Authority,
            ("@scheme", []) => Self::Scheme,
            ("@request-target", []) => Self::RequestTarget,
            ("@path", []) => Self::Path,
            ("@query", []) => Self::Query,
            // `@status` and `req` belong to responses.
            _ => return Err(SignatureError::Component),
        };
        Ok(derived)
    }
}

impl<'r> Form<'r> {
    fn new(parameters: &Parameters<'r>) -> Result<Self, SignatureError> {
        let (mut sf, mut bs, mut member) = (false, false, None);
        for (key, value) in parameters {
            match (key.as_str(), value) {
                ("sf", BareItemFromInput::Boolean(true)) => sf = true,
                ("bs", BareItemFromInput::Boolean(true)) => bs = true,
                ("key", BareItemFromInput::String(key)) => member = Some(key.clone()),
                // `req` belongs to responses, and trailers (`tr`) are not seen.
                _ => return Err(SignatureError::Component),
            }
        }
        match (sf, bs, member) {
            (false, false, None) => Ok(Self::Plain),
            (true, false, None) => Ok(Self::Strict),
            (false, true, None) => Ok(Self::Bytes),
            (sf, false, Some(key)) => Ok(Self::Member { key, sf }),
            (_, true, _) => Err(SignatureError::Component),
        }
    }
}
