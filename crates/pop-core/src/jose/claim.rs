//! One claim or header parameter as it came, which may be absent; a wrong JSON type is never "absent".

use std::borrow::Cow;

use super::Json;

/// A claim that is there or not.
#[derive(Default)]
pub(crate) struct Claim<'j>(Option<Json<'j>>);

/// A claim has another JSON type than it must.
pub(crate) struct WrongType;

impl<'j> Claim<'j> {
    pub(crate) const ABSENT: Self = Self(None);

    pub(crate) const fn json(&self) -> Option<&Json<'j>> {
        self.0.as_ref()
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<Option<&str>, WrongType> {
        self.0.as_ref().map(|text| text.as_str().ok_or(WrongType)).transpose()
    }

    /// A string, to keep.
    pub(crate) fn into_text(self) -> Result<Option<Cow<'j, str>>, WrongType> {
        match self.0 {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// Seconds since the epoch.
    pub(crate) fn date(&self) -> Result<Option<u64>, WrongType> {
        self.0.as_ref().map(|date| date.as_numeric_date().ok_or(WrongType)).transpose()
    }
}

impl<'j> From<Json<'j>> for Claim<'j> {
    fn from(value: Json<'j>) -> Self {
        Self(Some(value))
    }
}
