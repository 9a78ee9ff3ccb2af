//! The comparison of `q` with the query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::claims::{List, QueryCover};
use crate::SignedRequestError;
use crate::constant_time;

/// Checks that `q` covers the whole query.
pub(super) fn check(q: &QueryCover, payload: &[u8], query: &str) -> Result<(), SignedRequestError> {
    if q.raw.as_ref().is_some_and(|raw| raw.bytes(payload).eq_ignore_ascii_case(query.as_bytes())) {
        return Ok(());
    }
    let expected = q.digest.as_ref().ok_or(SignedRequestError::QueryMismatch)?;
    if constant_time::equal(&digest(&q.list, payload, query)?, expected) {
        Ok(())
    } else {
        Err(SignedRequestError::QueryMismatch)
    }
}

/// A parameter of the query.
struct Parameter<'q> {
    name: Cow<'q, [u8]>,
    /// As received.
    text: &'q str,
    used: bool,
}

/// Hashes the parameters in the order of the list. The list must name every parameter, and each once.
fn digest(list: &List, payload: &[u8], query: &str) -> Result<[u8; 32], SignedRequestError> {
    // The list is short, because the JSON reader limits it. The query need not be.
    let count =
        if query.is_empty() { 0 } else { memchr::memchr_iter(b'&', query.as_bytes()).count().saturating_add(1) };
    if count > list.len() {
        return Err(SignedRequestError::QueryUncovered);
    }
    let mut parameters: Vec<Parameter<'_>> = query.split('&').take(count).map(Parameter::new).collect();
    parameters.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    if parameters.windows(2).any(|pair| matches!(pair, [one, other] if one.name == other.name)) {
        return Err(SignedRequestError::QueryRepeated);
    }
    let mut hash = Sha256::new();
    let mut separator = "";
    for name in list.names(payload) {
        let name = decode(name);
        let at = parameters.binary_search_by(|parameter| parameter.name.cmp(&name)).ok();
        let parameter = at.and_then(|at| parameters.get_mut(at)).ok_or(SignedRequestError::QueryMismatch)?;
        if std::mem::replace(&mut parameter.used, true) {
            return Err(SignedRequestError::QueryRepeated);
        }
        hash.update(separator);
        hash.update(parameter.text);
        separator = "&";
    }
    Ok(hash.finalize().into())
}

impl<'q> Parameter<'q> {
    fn new(text: &'q str) -> Self {
        let name = text.split('=').next().unwrap_or_default();
        Self { name: decode(name), text, used: false }
    }
}

/// Decodes a name as servers read it, so that other encodings of a name are the same name.
fn decode(name: &str) -> Cow<'_, [u8]> {
    if !name.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(name.as_bytes());
    }
    let spaces = name.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaces).collect())
}
