//! Signatures of responses (RFC 9421 §2.4, FAPI 2.0 HTTP Signatures).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use pop_core::content::content_digest;
use pop_core::jose::SigningKey;
use pop_core::proof::message_signature::{RESPONSE_TAG, ResponseHead, SignatureParameters, sign_response};
use pop_core::request::RequestHead;
use tower_layer::Layer;
use tower_service::Service;

use crate::config::PopConfig;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// Signs responses, so that clients can prove what the resource answered: status and content, and method and target of the request
/// (tag `fapi-2-response`). Mount it outside of [`PopLayer`](crate::PopLayer) to sign rejections as well, and outside of layers
/// that change the response.
///
/// A response is read into memory to be hashed: don't sign streams. Its body becomes `Full<Bytes>`. A response whose body fails, or
/// that cannot be signed, becomes an empty 500 without a signature.
///
/// ```
/// use tower_pop::{Algorithm, PopConfig, PopLayer, SignResponses, SigningKey};
///
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
/// let key = SigningKey::generate(Algorithm::Ed25519)?;
/// let layers = (SignResponses::new(&cfg, key), PopLayer::new(cfg));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignResponses {
    signer: Arc<Signer>,
}

struct Signer {
    cfg: PopConfig,
    key: SigningKey,
    keyid: String,
}

impl SignResponses {
    /// Signs with this key. `keyid` is its RFC 7638 thumbprint. A key of ML-DSA is of no use: no client accepts its signatures.
    #[must_use]
    pub fn new(cfg: &PopConfig, key: SigningKey) -> Self {
        let keyid = key.thumbprint().to_string();
        Self { signer: Arc::new(Signer { cfg: cfg.clone(), key, keyid }) }
    }
}

impl fmt::Debug for SignResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignResponses").field("keyid", &self.signer.keyid).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SignResponses {
    type Service = SignResponsesService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SignResponsesService { inner, layer: self.clone() }
    }
}

/// The service of [`SignResponses`].
#[derive(Debug, Clone)]
pub struct SignResponsesService<S> {
    inner: S,
    layer: SignResponses,
}

impl<S, B, ResBody> Service<Request<B>> for SignResponsesService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>, Future: Send + 'static>,
    S::Error: 'static,
    ResBody: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let head = parts.clone();
        let signer = Arc::clone(&self.layer.signer);
        let response = self.inner.call(Request::from_parts(parts, body));
        Box::pin(async move {
            let (mut parts, body) = response.await?.into_parts();
            let Ok(content) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
                return Ok(failed());
            };
            if head.method != Method::HEAD {
                parts.headers.insert(CONTENT_DIGEST, content_digest(&content));
            }
            Ok(match signer.sign(&head, &mut parts) {
                Some(()) => Response::from_parts(parts, Full::new(content)),
                None => failed(),
            })
        })
    }
}

fn failed() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

impl Signer {
    fn sign(&self, request: &Parts, response: &mut http::response::Parts) -> Option<()> {
        let state = &*self.cfg.state;
        let (Ok(origin), Ok(path)) = (state.origins.origin(request), state.origins.path(request)) else {
            return Some(()); // the request names no resource of this server: there is nothing to sign
        };
        let now = state.clock.now();
        let head = RequestHead::new(request.method.as_str(), origin, &path, &request.headers, now);
        if head.target().is_err() {
            return Some(());
        }
        let parameters = SignatureParameters::new(now).keyid(&self.keyid).tag(RESPONSE_TAG);
        let head = ResponseHead { status: response.status, headers: &response.headers, request: &head };
        let (input, signature) = sign_response(head, &parameters, |base| self.key.sign(base)).ok()?;
        response.headers.insert(SIGNATURE_INPUT, input);
        response.headers.insert(SIGNATURE, signature);
        Some(())
    }
}
