//! Redirects (RFC 9110 §15.4): followed within the origin only, each with a new proof.

use http::header::{HeaderName, LOCATION};
use http::{Method, StatusCode};
use pop_core::target::Origin;
use reqwest::{Request, Response, Url};

use super::attempt::Attempt;
use crate::error::ClientError;
use crate::url::{checked_url, origin_of};

/// The maximum number of redirects that are followed for one request.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Returns the URL to follow. A redirect to another origin is not followed, so that the token is not sent there: the
/// caller gets the response.
pub(super) fn target(response: &Response, base: &Url, origin: &Origin, allow_http: bool) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let target = base.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    let target = checked_url(target.as_str(), allow_http).ok()?;
    (origin_of(&target).ok()? == *origin).then_some(target)
}

/// Returns the request for a redirect: 303 turns into GET, 301 and 302 turn POST into GET, 307 and 308 repeat the
/// request.
pub(super) fn request(
    attempt: Attempt,
    status: StatusCode,
    method: &Method,
    target: Url,
) -> Result<Request, ClientError> {
    let becomes_get = match status.as_u16() {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if !becomes_get {
        let mut request = attempt.into_request().ok_or(ClientError::BodyNotReplayable)?;
        *request.url_mut() = target;
        return Ok(request);
    }
    let mut get = Request::new(Method::GET, target);
    if let Some(request) = attempt.head() {
        let describes_content = |name: &HeaderName| name.as_str().starts_with("content-");
        let kept = request.headers().iter().filter(|(name, _)| !describes_content(name));
        get.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        *get.timeout_mut() = request.timeout().copied();
    }
    Ok(get)
}
