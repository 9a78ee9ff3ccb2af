//! One call: the request, and its repetitions for a nonce, a clock, a broken connection or a redirect.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use pop_core::target::Origin;
use reqwest::{Request, Response, Url};

use super::attempt::{Attempt, is_large};
use super::client::BoundClient;
use super::redirect;
use crate::error::{ClientError, HttpError, with_causes};
use crate::error_response::check_for_nonce_challenge;
use crate::nonce::{MalformedNonce, NonceState, Role};
use crate::redaction::redacted;
use crate::signer::Covered;
use crate::url::origin_of;

impl BoundClient {
    /// Sends a request whose proof covers these header fields.
    pub(super) async fn call(
        &self,
        mut request: Request,
        mut covered: Vec<HeaderName>,
    ) -> Result<Response, ClientError> {
        let options = &self.transport.options;
        let (mut challenged, mut clock_corrected, mut interrupted, mut redirects) = (false, false, false, 0);
        loop {
            let (method, url) = (request.method().clone(), request.url().clone());
            let origin = origin_of(&url)?;
            let delay = self.prepare_large_body(&request, &url, &origin).await;
            let (mut sent, attempt) = Attempt::start(request, delay, options.large_body_len);
            self.sign(&mut sent, &origin, Covered { content: attempt.content(), fields: &covered })?;
            let response = match self.transport.send(sent, attempt.upload()).await {
                Ok(response) => response,
                Err(error) if attempt.upload().is_some() && error.broke() => {
                    request = self.recover(error, attempt, &method, &origin, &mut interrupted)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let learned = self.signer.learn_nonce(&origin, &url, response.headers());
            let clock = self.signer.server_clock.as_ref();
            let clock_differs = clock.is_some_and(|clock| clock.update(&origin, response.headers()));
            let (response, asks) =
                check_for_nonce_challenge(response, &self.signer, &url, options.head_timeout()).await;
            if asks {
                let renewed = learned.and_then(|present| if present { Ok(()) } else { Err(MalformedNonce) });
                renewed.map_err(ClientError::Nonce)?;
                if challenged {
                    return Err(ClientError::NonceLoop);
                }
                challenged = true;
                request = attempt.into_request().ok_or(ClientError::BodyNotReplayable)?;
                continue;
            }
            if clock_differs && !clock_corrected && self.signer.is_proof_rejected(response.status(), response.headers())
            {
                clock_corrected = true;
                request = attempt.into_request().ok_or(ClientError::BodyNotReplayable)?;
                continue;
            }
            if response.status() != StatusCode::UNAUTHORIZED {
                self.signer.nonces.mark_current(Role::ResourceServer, &origin);
            }
            match redirect::target(&response, &url, &origin, options.allow_http) {
                Some(target) => {
                    redirects += 1;
                    if redirects > redirect::MAX_REDIRECTS {
                        return Err(ClientError::Redirect);
                    }
                    request = redirect::request(attempt, response.status(), &method, target)?;
                    // A redirect without the content has no fields that describe it.
                    covered.retain(|name| request.headers().contains_key(name));
                }
                None => return Ok(response),
            }
        }
    }

    /// Fetches a nonce before a large body, if the server needs one. Returns how long to hold the body back.
    async fn prepare_large_body(&self, request: &Request, url: &Url, origin: &Origin) -> Duration {
        let options = &self.transport.options;
        if !is_large(request, options.large_body_len) {
            return Duration::ZERO;
        }
        match self.signer.nonces.state(Role::ResourceServer, origin, options.max_nonce_age) {
            NonceState::Unknown => options.body_delay,
            NonceState::NotRequired | NonceState::Fresh => Duration::ZERO,
            NonceState::Stale => {
                if let Err(error) = self.fetch_nonce(url, origin).await {
                    let error = with_causes(&error);
                    tracing::debug!(url = redacted(url), error, "could not fetch a nonce before a large body");
                }
                Duration::ZERO
            }
        }
    }

    /// Returns the request to repeat after the connection broke. The server may have rejected the request early, or
    /// processed it. So only idempotent requests are repeated, once, with a fresh nonce.
    fn recover(
        &self,
        error: HttpError,
        attempt: Attempt,
        method: &Method,
        origin: &Origin,
        interrupted: &mut bool,
    ) -> Result<Request, ClientError> {
        self.signer.nonces.mark_uncertain(Role::ResourceServer, origin);
        if !method.is_idempotent() || *interrupted {
            return Err(ClientError::Interrupted(error));
        }
        *interrupted = true;
        attempt.into_request().ok_or(ClientError::Interrupted(error))
    }
}
