//! The value of one claim or header parameter, which may be absent. A value of the wrong JSON type never counts as absent.

use std::borrow::Cow;

use super::{Found, Json};

/// The value of a member, or its absence.
#[derive(Default)]
pub(crate) struct Member<'j>(Option<Json<'j>>);

/// A claim or header parameter has the wrong JSON type.
pub(crate) struct WrongType {
    pub(crate) claim: &'static str,
    pub(crate) found: Found,
}

impl<'j> Member<'j> {
    pub(crate) const ABSENT: Self = Self(None);

    pub(crate) const fn json(&self) -> Option<&Json<'j>> {
        self.0.as_ref()
    }

    /// Returns the string. `claim` is the name that an error reports.
    pub(crate) fn text(&self, claim: &'static str) -> Result<Option<&str>, WrongType> {
        self.0.as_ref().map(|text| text.as_str().ok_or_else(|| self.wrong(claim))).transpose()
    }

    /// Returns the string by value.
    pub(crate) fn into_text(self, claim: &'static str) -> Result<Option<Cow<'j, str>>, WrongType> {
        match self.0 {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(claim)),
        }
    }

    /// Returns a NumericDate: seconds since the epoch (RFC 7519 §2).
    pub(crate) fn date(&self, claim: &'static str) -> Result<Option<u64>, WrongType> {
        self.0.as_ref().map(|date| date.as_numeric_date().ok_or_else(|| self.wrong(claim))).transpose()
    }

    /// Returns the kind of the value.
    pub(crate) const fn found(&self) -> Found {
        Found::of(self.0.as_ref())
    }

    const fn wrong(&self, claim: &'static str) -> WrongType {
        WrongType { claim, found: self.found() }
    }
}

impl<'j> From<Json<'j>> for Member<'j> {
    fn from(value: Json<'j>) -> Self {
        Self(Some(value))
    }
}
