//! The comparison of what an envelope covers with the request.

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::claims::{Claims, FieldsCover};
use super::query;
use crate::SignedRequestError;
use crate::constant_time;
use crate::policy::{EnvelopeClaims, EnvelopeForm, SignedRequestPolicy};
use crate::request::RequestHead;
use crate::target::{Origin, RequestTarget};

/// Checks everything but the content. `payload` is where the strings of the claims are.
pub(super) fn check(
    claims: &Claims,
    payload: &[u8],
    head: &RequestHead<'_>,
    policy: &SignedRequestPolicy,
) -> Result<(), SignedRequestError> {
    check_coverage(claims.covered(), head, policy.required)?;
    if let Some(m) = &claims.m
        && m.bytes(payload) != head.method().as_bytes()
    {
        return Err(SignedRequestError::MethodMismatch);
    }
    if let Some(u) = &claims.u
        && !names_host(u.as_str(payload), target(head)?.origin(), policy.form)
    {
        return Err(SignedRequestError::HostMismatch);
    }
    if let Some(p) = &claims.p
        && !names_path(p.as_str(payload), target(head)?.path_as_received(), policy.form)
    {
        return Err(SignedRequestError::PathMismatch);
    }
    if let Some(q) = &claims.q {
        query::check(q, payload, target(head)?.query().unwrap_or_default())?;
    }
    if let Some(h) = &claims.h {
        check_fields(h, payload, head.headers())?;
    }
    Ok(())
}

/// Checks that the envelope covers what is required. The content is not checked here.
fn check_coverage(
    covered: EnvelopeClaims,
    head: &RequestHead<'_>,
    required: EnvelopeClaims,
) -> Result<(), SignedRequestError> {
    for (claim, name) in EnvelopeClaims::ALL {
        if claim == EnvelopeClaims::B || !required.contains(claim) || covered.contains(claim) {
            continue;
        }
        // A query of no characters has nothing to cover.
        if claim == EnvelopeClaims::Q && target(head)?.query().is_none_or(str::is_empty) {
            continue;
        }
        return Err(SignedRequestError::MissingClaim(name));
    }
    Ok(())
}

fn target<'h, 'r>(head: &'h RequestHead<'r>) -> Result<&'h RequestTarget<'r>, SignedRequestError> {
    head.target().map_err(|_| SignedRequestError::Target)
}

/// Compares `u` with the trusted origin. Entra's libraries may write the default port.
fn names_host(u: &str, origin: &Origin, form: EnvelopeForm) -> bool {
    let host = origin.authority();
    if u.eq_ignore_ascii_case(host) {
        return true;
    }
    let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    let default_port = if origin.is_https() { ":443" } else { ":80" };
    form == EnvelopeForm::Entra
        && !has_port
        && u.strip_suffix(default_port).is_some_and(|u| u.eq_ignore_ascii_case(host))
}

/// Compares `p` with the path. Entra's libraries write it in lower case, and may add a slash.
fn names_path(p: &str, path: &str, form: EnvelopeForm) -> bool {
    let without_slash = |path| str::strip_suffix(path, "/").unwrap_or(path);
    match form {
        EnvelopeForm::Draft => p == path,
        EnvelopeForm::Entra => without_slash(p).eq_ignore_ascii_case(without_slash(path)),
    }
}

/// Compares `h` with the header fields: one `name: value` for each, joined by LF. Neither names nor values can have an LF.
fn check_fields(h: &FieldsCover, payload: &[u8], headers: &HeaderMap) -> Result<(), SignedRequestError> {
    let mut hash = Sha256::new();
    let mut separator = "";
    for name in h.list.names(payload) {
        let mut lines = headers.get_all(name).iter();
        let line = lines.next().ok_or(SignedRequestError::FieldMissing)?;
        if lines.next().is_some() {
            return Err(SignedRequestError::FieldRepeated);
        }
        hash.update(separator);
        hash.update(name);
        hash.update(": ");
        hash.update(line.as_bytes().trim_ascii());
        separator = "\n";
    }
    let digest: [u8; 32] = hash.finalize().into();
    if constant_time::equal(&digest, &h.digest) { Ok(()) } else { Err(SignedRequestError::FieldsMismatch) }
}
