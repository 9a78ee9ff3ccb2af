//! One claim or header parameter as it came, which may be absent; a wrong JSON type is never "absent".

use std::borrow::Cow;

use super::Json;
use crate::error::Found;

/// A claim that is there or not.
#[derive(Default)]
pub(crate) struct Claim<'j>(Option<Json<'j>>);

/// A claim has another JSON type than it must.
pub(crate) struct WrongType {
    pub(crate) claim: &'static str,
    pub(crate) found: Found,
}

impl<'j> Claim<'j> {
    pub(crate) const ABSENT: Self = Self(None);

    pub(crate) const fn json(&self) -> Option<&Json<'j>> {
        self.0.as_ref()
    }

    /// A string. `claim` is the name, for the error.
    pub(crate) fn text(&self, claim: &'static str) -> Result<Option<&str>, WrongType> {
        self.0.as_ref().map(|text| text.as_str().ok_or_else(|| self.wrong(claim))).transpose()
    }

    /// A string, to keep.
    pub(crate) fn into_text(self, claim: &'static str) -> Result<Option<Cow<'j, str>>, WrongType> {
        match self.0 {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(claim)),
        }
    }

    /// Seconds since the epoch.
    pub(crate) fn date(&self, claim: &'static str) -> Result<Option<u64>, WrongType> {
        self.0.as_ref().map(|date| date.as_numeric_date().ok_or_else(|| self.wrong(claim))).transpose()
    }

    /// What stands here instead of what is expected.
    pub(crate) const fn found(&self) -> Found {
        Found::of(self.0.as_ref())
    }

    const fn wrong(&self, claim: &'static str) -> WrongType {
        WrongType { claim, found: self.found() }
    }
}

impl<'j> From<Json<'j>> for Claim<'j> {
    fn from(value: Json<'j>) -> Self {
        Self(Some(value))
    }
}
