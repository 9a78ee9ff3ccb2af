//! Signing for any HTTP client, without I/O.

use std::fmt;

use http::{HeaderMap, HeaderName, StatusCode};
use pop_core::target::Origin;
use reqwest::Url;

use crate::bound_token::BoundToken;
use crate::clock::ServerClock;
use crate::error::{ClientError, UrlError};
use crate::nonce::NonceMemory;
use crate::signer::{Answer, Content, Covered, Repetitions, Signer, Unsigned};
use crate::url::{checked_url, origin_of};

/// Signs the requests of any HTTP client with whatever the access token needs. It does no I/O: the caller sends the
/// requests. Cheap to clone, except for the token; clones share the nonces. `Debug` shows only the thumbprint of the key.
///
/// The proofs are those of [`BoundClient`](crate::BoundClient), which does the rest too. For tower services and
/// `reqwest-middleware` there is [`ProofLayer`](crate::ProofLayer).
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use pop_client::{Algorithm, BoundToken, DpopKey, ProofMethod, RequestSigner};
/// # fn send(_: &str, _: &str, _: &HeaderMap, _: &[u8]) -> (StatusCode, HeaderMap) { Default::default() }
///
/// let key = DpopKey::generate(Algorithm::ES256)?; // the key that the token is bound to
/// let signer = RequestSigner::new(BoundToken::new("the-token", ProofMethod::Dpop(key)));
///
/// let mut request = signer.request("POST", "https://api.example/notes")?.content(b"buy milk");
/// let mut headers = HeaderMap::new();
/// let status = loop {
///     request.sign(&mut headers)?;
///     let (status, answer) = send("POST", request.url().as_str(), &headers, b"buy milk"); // with any client
///     if !request.repeats(status, &answer) {
///         break status;
///     }
/// };
/// # assert!(headers.contains_key("dpop") && status.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RequestSigner {
    signer: Signer,
}

impl RequestSigner {
    /// Creates a signer for this token.
    #[must_use]
    pub fn new(token: BoundToken) -> Self {
        Self { signer: Signer::new(token, NonceMemory::default()) }
    }

    /// Uses this memory of nonces. Use separate memories for DPoP proofs and for envelopes. Defaults to a new one.
    #[must_use]
    pub fn with_nonces(mut self, nonces: NonceMemory) -> Self {
        self.signer.nonces = nonces;
        self
    }

    /// Replaces the token, for example by a refreshed one. The nonces stay.
    #[must_use]
    pub fn with_token(mut self, token: BoundToken) -> Self {
        self.signer.token = token;
        self
    }

    /// Adds an HTTP message signature to each DPoP proof. See
    /// [`BoundClient::with_message_signature`](crate::BoundClient::with_message_signature). Off by default.
    #[must_use]
    pub const fn with_message_signature(mut self) -> Self {
        self.signer.adds_signature = true;
        self
    }

    /// Sets the time of proofs by the clock of each server, for machines whose clock is wrong. A request whose proof is
    /// rejected is then to be sent a second time, if the clock of the server differs. Off by default.
    #[must_use]
    pub fn follow_server_clock(mut self) -> Self {
        self.signer.server_clock = Some(ServerClock::default());
        self
    }

    /// Starts a request with this method, in the same case as sent, to this URL.
    ///
    /// # Errors
    /// [`UrlError`], as [`request_url`].
    ///
    /// # Security
    /// The token is presented to whatever this URL names. Turn redirects off in your HTTP client: it may send the token and the
    /// proof to another server otherwise, and a nonce of that server would be stored for this one. Start a new request for a
    /// redirect within the origin.
    pub fn request<'r>(&'r self, method: &'r str, url: &str) -> Result<SignableRequest<'r>, UrlError> {
        let url = request_url(url)?;
        let origin = origin_of(&url)?;
        Ok(SignableRequest {
            signer: &self.signer,
            method,
            url,
            origin,
            content: Content::None,
            fields: Vec::new(),
            repetitions: Repetitions::default(),
        })
    }
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSigner").field("proof", self.signer.token.proof()).finish_non_exhaustive()
    }
}

/// Reads the URL of a request as all clients of this crate do: as browsers read it, with a path that has only characters
/// that RFC 3986 allows. A proof names the URL in this form, so send the request to it.
///
/// ```
/// let url = pop_client::request_url("https://API.example:443/a|b/../c d?filter[name]=x")?;
/// assert_eq!(url.as_str(), "https://api.example/c%20d?filter[name]=x");
/// # Ok::<(), pop_client::UrlError>(())
/// ```
///
/// # Errors
/// [`UrlError`] if the string is not an http URL, has a user or a password, or is plain http beyond loopback (RFC 9449 §2).
pub fn request_url(text: &str) -> Result<Url, UrlError> {
    checked_url(text, false)
}

/// A request that a [`RequestSigner`] signs, once for each time that it is sent.
#[must_use = "call sign()"]
pub struct SignableRequest<'r> {
    signer: &'r Signer,
    method: &'r str,
    url: Url,
    origin: Origin,
    content: Content<'r>,
    fields: Vec<HeaderName>,
    repetitions: Repetitions,
}

impl<'r> SignableRequest<'r> {
    /// Sets the content, for proofs that cover it. Defaults to none.
    pub const fn content(mut self, content: &'r [u8]) -> Self {
        self.content = Content::Bytes(content);
        self
    }

    /// Says that the request has content that is not known yet. If it cannot be sent again, ignore what
    /// [`repeats`](Self::repeats) returns. DPoP proofs do not cover content. Message signatures
    /// cover the field `Content-Digest`, which must be set then.
    pub const fn stream(mut self) -> Self {
        self.content = Content::Stream;
        self
    }

    /// Covers a header field by the proof, as [`RequestBuilder::cover`](crate::RequestBuilder::cover) does. Defaults to
    /// none.
    pub fn cover(mut self, name: HeaderName) -> Self {
        if !self.fields.contains(&name) {
            self.fields.push(name);
        }
        self
    }

    /// Returns the URL to send the request to, as [`request_url`] reads it.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Adds the token and a new proof to the header. Replaces those of an earlier call. Call it last: a covered field
    /// must not be changed afterwards.
    ///
    /// # Errors
    /// [`ClientError::Key`], and for what the proof cannot cover [`ClientError::StreamNotCovered`],
    /// [`ClientError::FieldsNotCovered`], [`ClientError::Signature`] or [`ClientError::Envelope`].
    pub fn sign(&self, headers: &mut HeaderMap) -> Result<(), ClientError> {
        let mut unsigned = Unsigned { method: self.method, url: &self.url, headers };
        let covered = Covered { content: self.content, fields: &self.fields };
        self.signer.sign(&mut unsigned, &self.origin, covered)
    }

    /// Stores what a response says about nonces and the clock, for all requests of the signer. Call it for every
    /// response. Returns whether the request is to be signed and sent again, because the server asks for a nonce (RFC
    /// 9449 §9), or rejected the proof and its clock differs
    /// ([`follow_server_clock`](RequestSigner::follow_server_clock)). That is the case once at most for each reason. A malformed
    /// nonce is ignored, with a warning in the log.
    ///
    /// The head of the response decides. A server that asks for a nonce only in the content of an error is not
    /// recognised.
    #[must_use]
    pub fn repeats(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        let asks_for_nonce = self.signer.head_asks_for_nonce(status, headers);
        let answer = Answer { url: &self.url, status, headers, asks_for_nonce };
        self.repetitions.next(self.signer, &self.origin, &answer)
    }
}

impl fmt::Debug for SignableRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignableRequest").field("method", &self.method).finish_non_exhaustive()
    }
}
