//! One attempt to send a request, and what is kept to send it again.

use std::sync::Arc;
use std::time::Duration;

use http_body::Body as _;
use reqwest::Request;

use crate::signer::Content;
use crate::upload::Upload;

/// What is kept of a request that was sent, to send it again.
pub(super) struct Attempt {
    /// The request with its body, or without a body that is a stream.
    request: Option<Request>,
    is_stream: bool,
    /// The handle of a large body.
    upload: Option<Arc<Upload>>,
}

impl Attempt {
    /// Returns the request to send, and what is kept of it. A large body waits for `delay`.
    pub(super) fn start(mut request: Request, delay: Duration, large_body_len: usize) -> (Request, Self) {
        let is_large = is_large(&request, large_body_len);
        let whole = request.try_clone();
        let body = request.body_mut().take();
        let is_stream = whole.is_none();
        let kept = whole.or_else(|| request.try_clone());
        let (body, upload) = match body {
            Some(body) if is_large => {
                let (body, upload) = Upload::start(body, delay);
                (Some(body), Some(upload))
            }
            body => (body, None),
        };
        *request.body_mut() = body;
        (request, Self { request: kept, is_stream, upload })
    }

    /// The handle of the body, if the body is large.
    pub(super) fn upload(&self) -> Option<&Upload> {
        self.upload.as_deref()
    }

    /// The content of the request.
    pub(super) fn content(&self) -> Content<'_> {
        let body = self.request.as_ref().and_then(Request::body);
        match body.map(reqwest::Body::as_bytes) {
            _ if self.is_stream => Content::Stream,
            None => Content::None,
            Some(Some(bytes)) => Content::Bytes(bytes),
            Some(None) => Content::Stream,
        }
    }

    /// The request without its body.
    pub(super) const fn head(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// Stops sending, and returns the request to send again. Returns `None` if a part of its stream was read.
    pub(super) fn into_request(self) -> Option<Request> {
        let unread = self.upload.and_then(|upload| upload.cancel());
        let mut request = self.request?;
        if self.is_stream {
            *request.body_mut() = Some(unread?);
        }
        Some(request)
    }
}

/// Returns whether a body is large, or of unknown size.
pub(super) fn is_large(request: &Request, large_body_len: usize) -> bool {
    let size = |body: &reqwest::Body| body.size_hint().exact();
    request.body().is_some_and(|body| size(body).is_none_or(|size| size >= large_body_len as u64 && size > 0))
}
