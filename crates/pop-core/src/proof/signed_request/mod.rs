//! Signed HTTP requests: the envelope of `Authorization: PoP` (draft-ietf-oauth-signed-http-request-03). It holds the access token
//! (`at`), the time (`ts`) and what it covers of the request, and is signed with the key of the token.
//!
//! | claim | covers | must be |
//! |---|---|---|
//! | `m` | the method | equal, byte by byte |
//! | `u` | the host, with the port unless it is the default | equal, ignoring case |
//! | `p` | the path | as received, byte by byte |
//! | `q` | the query | the names of all parameters, each once, and the SHA-256 of the parameters in that order |
//! | `h` | header fields | names in lower case, each once, and the SHA-256 of their lines, which LF joins |
//! | `b` | the content | its SHA-256 |
//!
//! 1. [`SignedRequestPolicy::required`] says what an envelope must cover. What it covers beyond that is verified as well.
//! 2. Rejected: unknown algorithms and `none`, `crit`, `b64`, `zip` and `enc`, duplicate members, a `typ` that is not `pop`, digests
//!    that are not canonical base64url of 32 bytes.
//! 3. An envelope may name its key (`cnf.jwk`). It is read strictly, but nothing trusts it before the token's `cnf.kid` matches its
//!    thumbprint.
//! 4. [`EnvelopeForm::Entra`](crate::policy::EnvelopeForm::Entra) accepts, in addition, what the libraries of Microsoft Entra send.
//!
//! # Security
//! An envelope does not cover what it does not list: header fields without `h`, content without `b`. A listed header field that an
//! HTTP/2 client splits into several lines, such as `cookie`, is rejected.

mod claims;
mod covered;
mod header;
mod key;
mod query;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::header::EnvelopeAlgorithm;
pub use self::key::EmbeddedKey;

use self::claims::{Claims, Members, has_access_token};
use super::text::Text;
use super::{PopKey, window};
use crate::SignedRequestError;
use crate::content::ExpectedContent;
use crate::jose::{CompactJws, DecodedJws, Malformed, decode};
use crate::policy::{EnvelopeClaims, SignedContent, SignedRequestPolicy};
use crate::request::RequestHead;

/// What the credentials of the scheme `PoP` are.
#[derive(Debug)]
#[non_exhaustive]
pub enum PopCredentials<'r> {
    /// An envelope, which holds the access token.
    Envelope(Box<SignedRequest<'r>>),
    /// An access token. Its proof is an HTTP message signature by HMAC.
    Token,
}

/// A strictly parsed envelope. Each check is a method, and no check implies another. `Debug` shows the algorithm, the embedded key
/// and which claims there are.
pub struct SignedRequest<'r> {
    jws: DecodedJws<'r>,
    algorithm: EnvelopeAlgorithm,
    claims: Claims,
}

impl<'r> SignedRequest<'r> {
    /// Reads the credentials of the scheme `PoP`. They are an envelope if they are a compact JWS whose payload is a JSON object with
    /// `at`. Anything else is an access token, which this function does not check.
    ///
    /// # Errors
    /// [`SignedRequestError::Malformed`] if the credentials are longer than [`SignedRequestPolicy::max_len`]. For an envelope:
    /// [`SignedRequestError::Malformed`], [`SignedRequestError::Header`], [`SignedRequestError::Key`],
    /// [`SignedRequestError::MissingClaim`], [`SignedRequestError::InvalidClaim`], [`SignedRequestError::NonceLength`] or
    /// [`SignedRequestError::FieldRepeated`].
    pub fn read(text: &'r str, policy: &SignedRequestPolicy) -> Result<PopCredentials<'r>, SignedRequestError> {
        let compact = match CompactJws::split(text, policy.max_len) {
            Ok(compact) => compact,
            Err(Malformed::TooLarge) => return Err(Malformed::TooLarge.into()),
            // Such as an envelope without a signature. What has two segments or five is a malformed or encrypted token.
            Err(malformed) => return token_unless(payload_has_access_token(text), malformed),
        };
        let jws = match compact.decode() {
            Ok(jws) => jws,
            Err(malformed) => return token_unless(payload_has_access_token(text), malformed),
        };
        if !claims::may_have_access_token(jws.payload()) {
            return Ok(PopCredentials::Token);
        }
        let mut members = Members::default();
        let json = match members.read(jws.payload()) {
            Ok(json) => json,
            Err(malformed) => return token_unless(has_access_token(jws.payload()), malformed),
        };
        if !members.have_access_token() {
            return Ok(PopCredentials::Token);
        }
        let algorithm = header::read(jws.header(), policy)?;
        let claims = Claims::read(members, json, algorithm, policy)?;
        Ok(PopCredentials::Envelope(Box::new(Self { jws, algorithm, claims })))
    }

    /// Verifies the signature. `key` must be the key that the access token is bound to.
    ///
    /// # Errors
    /// [`SignedRequestError::KeyAlgorithm`] if the key is for another algorithm than `alg`: a symmetric key verifies `HS256` only, and
    /// a public key never does. [`SignedRequestError::Signature`].
    pub fn verify_signature(&self, key: PopKey<'_>) -> Result<(), SignedRequestError> {
        let (message, signature) = (self.jws.signing_input(), self.jws.signature());
        match (key, self.algorithm) {
            (PopKey::Public(public), EnvelopeAlgorithm::Asymmetric(alg)) if public.algorithm().is_same_as(alg) => {}
            (PopKey::Shared(_), EnvelopeAlgorithm::Hs256) => {}
            _ => return Err(SignedRequestError::KeyAlgorithm),
        }
        if key.verifies(message, signature) { Ok(()) } else { Err(SignedRequestError::Signature) }
    }

    /// Checks that the envelope covers the request as far as the policy demands, and that everything that it covers matches the
    /// request. It does not check the content; see [`expected_content`](Self::expected_content).
    ///
    /// # Errors
    /// [`SignedRequestError::MissingClaim`], [`SignedRequestError::Target`], or the variant for the claim that does not match.
    pub fn check_request(
        &self,
        head: &RequestHead<'_>,
        policy: &SignedRequestPolicy,
    ) -> Result<(), SignedRequestError> {
        covered::check(&self.claims, self.jws.payload(), head, policy)
    }

    /// Checks that `ts` is within the window. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// [`SignedRequestError::TooOld`], [`SignedRequestError::InFuture`] or [`SignedRequestError::Milliseconds`].
    pub fn check_time(&self, policy: &SignedRequestPolicy, now: u64) -> Result<(), SignedRequestError> {
        Ok(window::check(self.claims.ts, now, policy.max_age, policy.clock_skew)?)
    }

    /// Returns what the envelope says about the content. Without `b`, there may be no content if the policy demands that content is
    /// covered, and nothing is said otherwise. A `b` that is there is always verified.
    #[must_use]
    pub fn expected_content(&self, policy: &SignedRequestPolicy) -> Option<ExpectedContent> {
        let demanded = policy.content == SignedContent::Required || policy.required.contains(EnvelopeClaims::B);
        match self.claims.b {
            Some(digest) => Some(ExpectedContent::sha256(digest)),
            None => demanded.then_some(ExpectedContent::EMPTY),
        }
    }

    /// Returns `at`, the access token. Nothing of it is verified.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.text(&self.claims.at)
    }

    /// Returns `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> EnvelopeAlgorithm {
        self.algorithm
    }

    /// Returns `cnf.jwk`, the key that the envelope itself names.
    ///
    /// # Security
    /// An attacker can make an envelope with a key and sign it. Use this key only if the access token is bound to its thumbprint.
    #[must_use]
    pub const fn embedded_key(&self) -> Option<&EmbeddedKey> {
        self.claims.key.as_ref()
    }

    /// Returns `ts`, in seconds since the epoch.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.claims.ts
    }

    /// Returns `nonce`, unescaped.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.claims.nonce.as_ref().map(|nonce| self.text(nonce))
    }

    /// Returns `jti`, unescaped.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.claims.jti.as_ref().map(|jti| self.text(jti))
    }

    /// Returns the bytes that the signature covers. They identify one use of an envelope that has neither `nonce` nor `jti`: other
    /// signatures of the same key over them are the same use.
    #[must_use]
    pub fn signing_input(&self) -> &'r [u8] {
        self.jws.signing_input()
    }

    /// Returns which of `m`, `u`, `p`, `q`, `h` and `b` the envelope has. An `h` that lists no header field does not count.
    #[must_use]
    pub fn covered(&self) -> EnvelopeClaims {
        self.claims.covered()
    }

    /// Returns the names of the header fields in `h`, in lower case.
    pub fn covered_fields(&self) -> impl Iterator<Item = &str> {
        self.claims.h.iter().flat_map(|h| h.list.names(self.jws.payload()))
    }

    fn text<'s>(&'s self, text: &'s Text) -> &'s str {
        text.as_str(self.jws.payload())
    }
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("algorithm", &self.algorithm)
            .field("key", &self.claims.key)
            .field("covered", &self.covered())
            .finish_non_exhaustive()
    }
}

/// The answer for credentials that cannot be read to their end.
fn token_unless<'r>(envelope: bool, malformed: Malformed) -> Result<PopCredentials<'r>, SignedRequestError> {
    if envelope { Err(malformed.into()) } else { Ok(PopCredentials::Token) }
}

/// Returns whether three segments, of which one is malformed, have the payload of an envelope.
fn payload_has_access_token(text: &str) -> bool {
    let mut segments = text.split('.');
    match (segments.next(), segments.next(), segments.next(), segments.next()) {
        (Some(_), Some(payload), Some(_), None) => decode(payload).is_ok_and(|payload| has_access_token(&payload)),
        _ => false,
    }
}
