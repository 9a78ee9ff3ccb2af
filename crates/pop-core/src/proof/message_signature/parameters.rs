//! The parameters of a signature (RFC 9421 §2.3).

use std::borrow::Cow;

use sfv::{BareItemFromInput, StringRef};

use super::fields;
use crate::SignatureError;
use crate::policy::SignaturePolicy;
use crate::proof::window;

/// The parameters that are known. Others are covered by the signature like these, and mean nothing here.
#[derive(Default)]
pub(super) struct Parameters<'r> {
    pub(super) created: Option<u64>,
    pub(super) expires: Option<u64>,
    nonce: Option<Cow<'r, StringRef>>,
    keyid: Option<Cow<'r, StringRef>>,
    alg: Option<Cow<'r, StringRef>>,
    /// `pub` of draft-richer-oauth-httpsig: a key in the signature itself. Empty if it is not a byte sequence.
    public_key: Option<Vec<u8>>,
}

impl<'r> Parameters<'r> {
    pub(super) fn new(list: fields::Parameters<'r>) -> Result<Self, SignatureError> {
        let mut known = Self::default();
        for (key, value) in list {
            match key.as_str() {
                "created" => known.created = Some(seconds(&value, "created")?),
                "expires" => known.expires = Some(seconds(&value, "expires")?),
                "nonce" => known.nonce = Some(string(value, "nonce")?),
                "keyid" => known.keyid = Some(string(value, "keyid")?),
                "alg" => known.alg = Some(string(value, "alg")?),
                "tag" => drop(string(value, "tag")?),
                "pub" => known.public_key = Some(bytes(value)),
                _ => {}
            }
        }
        Ok(known)
    }

    /// Checks that `created` is within the window, and that `expires` has not passed. `now` is in seconds since the epoch.
    pub(super) fn check_time(&self, policy: &SignaturePolicy, now: u64) -> Result<(), SignatureError> {
        window::check(self.created.unwrap_or(0), now, policy.max_age, policy.clock_skew)?;
        match self.expires {
            Some(expires) if now >= expires.saturating_add(policy.clock_skew.as_secs()) => {
                Err(SignatureError::Expired { ago: now.saturating_sub(expires) })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn nonce(&self) -> Option<&str> {
        self.nonce.as_ref().map(|nonce| nonce.as_str())
    }

    pub(super) fn keyid(&self) -> Option<&str> {
        self.keyid.as_ref().map(|keyid| keyid.as_str())
    }

    pub(super) fn alg(&self) -> Option<&str> {
        self.alg.as_ref().map(|alg| alg.as_str())
    }

    pub(super) fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }
}

/// A date of RFC 9651 (`@1`) is another type, and so is a decimal.
fn seconds(value: &BareItemFromInput<'_>, name: &'static str) -> Result<u64, SignatureError> {
    let seconds = value.as_integer().map(i64::from).and_then(|seconds| u64::try_from(seconds).ok());
    seconds.ok_or(SignatureError::InvalidParameter(name))
}

/// Most profiles reject `pub` whatever its type. No key is empty.
fn bytes(value: BareItemFromInput<'_>) -> Vec<u8> {
    match value {
        BareItemFromInput::ByteSequence(bytes) => bytes,
        _ => Vec::new(),
    }
}

fn string<'r>(value: BareItemFromInput<'r>, name: &'static str) -> Result<Cow<'r, StringRef>, SignatureError> {
    match value {
        BareItemFromInput::String(text) => Ok(text),
        _ => Err(SignatureError::InvalidParameter(name)),
    }
}
