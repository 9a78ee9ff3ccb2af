//! Signatures of responses (RFC 9421 §2.4, FAPI 2.0 HTTP Signatures): the tag `fapi-2-response`.
//!
//! A signature covers the status, and method and target of the request that the response belongs to. It covers the signature, the
//! DPoP proof and the credentials of the request, where it has them, so that it is no response to another request. It covers the
//! content by `content-digest`, and may cover whole fields of the response and, with `req`, of the request.

use http::{HeaderMap, HeaderValue, StatusCode};
use sfv::BareItemFromInput;

use super::base::{append_base, check_alg, serialize, verify};
use super::component::{Component, Derived};
use super::fields::{self, Item, Member};
use super::parameters::Parameters;
use super::sign::{SignError, SignatureParameters, field_values, member};
use super::value::{Effort, append_field};
use crate::SignatureError;
use crate::content::ExpectedContent;
use crate::policy::SignaturePolicy;
use crate::proof::PopKey;
use crate::request::RequestHead;

/// The tag of signatures of responses.
pub const RESPONSE_TAG: &str = "fapi-2-response";
const LABEL: &str = "sig";
/// What every signature covers.
const REQUIRED: [&str; 3] = [r#""@status""#, r#""@method";req"#, r#""@target-uri";req"#];
const DIGEST: &str = r#""content-digest""#;
/// The fields of the request that show which request it was, each covered if the request has it.
const OF_REQUEST: [(&str, &str); 3] =
    [("signature", r#""signature";req"#), ("dpop", r#""dpop";req"#), ("authorization", r#""authorization";req"#)];

/// The head of a response, and the request that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'r> {
    /// The status.
    pub status: StatusCode,
    /// The header fields of the response.
    pub headers: &'r HeaderMap,
    /// The request.
    pub request: &'r RequestHead<'r>,
}

/// Signs the head of a response. Returns the values of `Signature-Input` and `Signature`. The content is covered if the response
/// has `Content-Digest`.
///
/// # Errors
/// [`SignError::Request`] or [`SignError::Key`].
pub fn sign_response<E>(
    head: ResponseHead<'_>,
    parameters: &SignatureParameters<'_>,
    key: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(HeaderValue, HeaderValue), SignError<E>> {
    let mut components: Vec<&str> = REQUIRED.to_vec();
    components.extend(of_request(head).map(|(_, identifier)| identifier));
    if head.headers.contains_key("content-digest") {
        components.push(DIGEST);
    }
    let text = member(LABEL, &components, parameters)?;
    let member = Member::parse(&text)?;
    let (input, base) = base(&member, head, usize::MAX)?;
    let value = key(base.as_bytes()).map_err(SignError::Key)?;
    Ok(field_values(LABEL, &input, &value)?)
}

/// Verifies the signature of a response, and returns what its content must be: [`ExpectedContent::EMPTY`] if the signature does not
/// cover content. `now` is in seconds since the epoch.
///
/// # Errors
/// Any [`SignatureError`]. [`SignatureError::Missing`] if no signature has the tag.
pub fn verify_response(
    head: ResponseHead<'_>,
    key: PopKey<'_>,
    policy: &SignaturePolicy,
    now: u64,
) -> Result<ExpectedContent, SignatureError> {
    let mut tagged = fields::read(head.headers)?.into_iter().filter(|member| member.has_tag(RESPONSE_TAG));
    let mut member = tagged.next().ok_or(SignatureError::Missing)?;
    if tagged.next().is_some() {
        return Err(SignatureError::Inconsistent);
    }
    if let PopKey::Public(key) = key
        && !policy.algorithms.contains(key.algorithm())
    {
        return Err(SignatureError::Algorithm);
    }
    let value = member.take_signature();
    let (_, base) = base(&member, head, policy.max_base_len)?;
    let covers = |identifier: &str| {
        base.lines().any(|line| line.strip_prefix(identifier).is_some_and(|rest| rest.starts_with(": ")))
    };
    for (required, name) in REQUIRED.into_iter().zip(["@status", "@method", "@target-uri"]) {
        if !covers(required) {
            return Err(SignatureError::NotCovered(name));
        }
    }
    if let Some((name, _)) = of_request(head).find(|(_, identifier)| !covers(identifier)) {
        return Err(SignatureError::NotCovered(name));
    }
    let covers_content = covers(DIGEST);
    let parameters = Parameters::new(member.parameters)?;
    if parameters.created.is_none() {
        return Err(SignatureError::MissingParameter("created"));
    }
    if parameters.public_key().is_some() {
        return Err(SignatureError::ForbiddenParameter("pub"));
    }
    check_alg(&parameters, key)?;
    verify(key, &base, &value)?;
    parameters.check_time(policy, now)?;
    if !covers_content {
        return Ok(ExpectedContent::EMPTY);
    }
    Ok(ExpectedContent::from_content_digest(head.headers)?)
}

fn of_request(head: ResponseHead<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    OF_REQUEST.into_iter().filter(move |(name, _)| head.request.headers().contains_key(*name))
}

/// Returns the serialized input and the signature base.
fn base(member: &Member<'_>, head: ResponseHead<'_>, max_len: usize) -> Result<(String, String), SignatureError> {
    let (input, places) = serialize(member);
    let mut base = String::with_capacity(512);
    let mut seen: Vec<&str> = Vec::with_capacity(places.len());
    for at in &places {
        let identifier = input.get(at.clone()).unwrap_or_default();
        if seen.contains(&identifier) {
            return Err(SignatureError::ComponentDuplicated);
        }
        seen.push(identifier);
    }
    let components = member.components.iter().zip(places);
    append_base(&mut base, &input, components, max_len, |base, item| append(base, item, head))?;
    Ok((input, base))
}

fn append(base: &mut String, item: &Item<'_>, head: ResponseHead<'_>) -> Result<(), SignatureError> {
    let of_request = match item.parameters.as_slice() {
        [] => false,
        [(key, BareItemFromInput::Boolean(true))] if key.as_str() == "req" => true,
        _ => return Err(SignatureError::Component),
    };
    let derived =
        |base: &mut String, derived| Component::Derived(derived).append_to(base, head.request, &mut Effort(0));
    match (item.name.as_str(), of_request) {
        ("@status", false) => {
            base.push_str(head.status.as_str());
            Ok(())
        }
        ("@method", true) => derived(base, Derived::Method),
        ("@target-uri", true) => derived(base, Derived::TargetUri),
        (name, _) if name.starts_with('@') || name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err(SignatureError::Component)
        }
        (name, true) => append_field(base, head.request.headers(), name),
        (name, false) => append_field(base, head.headers, name),
    }
}
