//! Error responses that ask for a nonce only in their body. The body is read as far as needed, and is passed on
//! complete.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use reqwest::{Response, ResponseBuilderExt, Url};

use crate::bound_token::ProofMethod;
use crate::nonce_challenge::{body_asks_for_nonce, may_ask_for_nonce};
use crate::signer::Signer;

/// The maximum size in bytes of an OAuth error that is recognised without a challenge.
const MAX_ERROR_LEN: usize = 8 * 1024;

/// Returns whether a response asks for a nonce, and the complete response.
pub(crate) async fn check_for_nonce_challenge(
    response: Response,
    signer: &Signer,
    url: &Url,
    timeout: Duration,
) -> (Response, bool) {
    if signer.head_asks_for_nonce(response.status(), response.headers()) {
        return (response, true);
    }
    let is_dpop = matches!(signer.token.proof(), ProofMethod::Dpop(_));
    if !is_dpop || !may_ask_for_nonce(response.status()) {
        return (response, false);
    }
    let is_json = response.headers().get(CONTENT_TYPE).is_none_or(|media_type| {
        media_type.to_str().is_ok_and(|media_type| media_type.to_ascii_lowercase().contains("json"))
    });
    let is_short = response.content_length().is_none_or(|length| length <= MAX_ERROR_LEN as u64);
    if !is_json || !is_short {
        return (response, false);
    }
    let (mut parts, mut rest) = http::Response::<reqwest::Body>::from(response).into_parts();
    let mut beginning = BytesMut::new();
    let read = tokio::time::timeout(timeout, read_beginning(&mut rest, &mut beginning)).await;
    let beginning = beginning.freeze();
    let (complete, error) = match read {
        Ok(Ok(complete)) => (complete, None),
        Ok(Err(error)) => (false, Some(error)),
        Err(_elapsed) => (false, None),
    };
    let asks = complete && body_asks_for_nonce(&beginning);
    let mut response = http::Response::builder().url(url.clone());
    if let Some(extensions) = response.extensions_mut() {
        parts.extensions.extend(std::mem::take(extensions));
    }
    let body = reqwest::Body::wrap(ResumedBody { beginning, error, rest });
    (Response::from(http::Response::from_parts(parts, body)), asks)
}

/// Reads up to the limit. Returns whether the body ended there.
async fn read_beginning(body: &mut reqwest::Body, beginning: &mut BytesMut) -> Result<bool, reqwest::Error> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose()?.map(Frame::into_data) {
            None => return Ok(true),
            Some(Ok(data)) => beginning.extend_from_slice(&data),
            Some(Err(_trailers)) => {}
        }
        if beginning.len() > MAX_ERROR_LEN {
            return Ok(false);
        }
    }
}

/// A response body whose beginning was read: up to its end, to an error, or to the limit.
struct ResumedBody {
    beginning: Bytes,
    error: Option<reqwest::Error>,
    rest: reqwest::Body,
}

impl Body for ResumedBody {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if !self.beginning.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.beginning)))));
        }
        match self.error.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.error.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint().exact();
        rest.map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest + self.beginning.len() as u64))
    }
}
