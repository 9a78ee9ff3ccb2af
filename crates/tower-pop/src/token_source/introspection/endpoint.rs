//! One exchange with an introspection endpoint.

use std::sync::Arc;

use bytes::Bytes;
use pop_core::access_token::Expectations;
use pop_core::access_token::introspection::{self, IntrospectionExpectations, JWT_TYPE, SignedIntrospection};
use pop_core::jose::DecodedJws;
use pop_core::policy::{TokenAllowances, TokenPolicy};
use pop_core::{Error, Unavailable};

use super::outcome::{ActiveToken, Cause, Failure};
use super::settings::Introspection;
use crate::clock::{Clock, Moment};
use crate::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch, IssuerKeys, KeyLookup, exchange, without_query};
use crate::log_limit::LogLimit;
use crate::token_source::cache::TokenCache;
use crate::token_source::report;

/// Everything that an introspector consists of.
pub(crate) struct IntrospectorParts {
    pub(crate) issuer: Box<str>,
    /// The index of the issuer in the configuration.
    pub(crate) number: usize,
    pub(crate) config: Introspection,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) allowances: TokenAllowances,
    pub(crate) policy: TokenPolicy,
    pub(crate) keys: IssuerKeys,
    pub(crate) fetch: Arc<dyn HttpFetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: TokenCache,
}

/// The introspection endpoint of one issuer.
pub(super) struct Endpoint {
    pub(super) parts: IntrospectorParts,
    warnings: Warnings,
}

/// One limit for each kind of warning, so that one does not hide another.
struct Warnings {
    server_failure: LogLimit,
    credentials_rejected: LogLimit,
    unusable_response: LogLimit,
    issuer_error: LogLimit,
}

impl Endpoint {
    pub(super) const fn new(parts: IntrospectorParts) -> Self {
        let [server_failure, credentials_rejected, unusable_response, issuer_error] = [const { LogLimit::new() }; 4];
        Self { parts, warnings: Warnings { server_failure, credentials_rejected, unusable_response, issuer_error } }
    }

    /// Introspects a token. The caller limits the time, which includes fetching the keys of a signed response.
    pub(super) async fn exchange(&self, token: &str) -> Result<ActiveToken, Failure> {
        let parts = &self.parts;
        let sent_at = Moment::now(&*parts.clock);
        let now = sent_at.seconds();
        let Some(authenticated) = parts.config.authentication.request(token, &parts.issuer, now) else {
            tracing::error!(issuer = %parts.issuer, "no client assertion could be made for the introspection endpoint");
            return Err(Failure::not_sent());
        };
        let request = FetchRequest {
            url: parts.config.endpoint.clone(),
            accept: if parts.config.signed { "application/token-introspection+jwt" } else { "application/json" },
            authorization: authenticated.authorization,
            form: Some(authenticated.form),
            max_len: parts.config.max_len,
            timeout: parts.config.timeout,
        };
        let response = exchange(&*parts.fetch, request).await.map_err(|error| self.failed(&error))?;
        let age = response.age.unwrap_or_default();
        let body = self.body(response).await?;
        let expected = IntrospectionExpectations {
            issuer: &parts.issuer,
            token: Expectations { audiences: &parts.audiences, allowances: parts.allowances, policy: &parts.policy },
            cache_for: parts.config.cache_for.saturating_sub(age),
        };
        let token = introspection::read(&body, &expected, now).map_err(|error| {
            report::issuer_error(&self.warnings.issuer_error, &parts.issuer, &error);
            match error {
                Error::Unavailable(_) => {
                    self.failed(&FetchError::Document("not an introspection response within the limits"))
                }
                error => Failure { error, cause: Cause::Token },
            }
        })?;
        Ok(ActiveToken { token: Arc::new(token), sent_at, age })
    }

    /// Returns the JSON of a response, taken out of a verified JWT if responses must be signed.
    async fn body(&self, response: FetchResponse) -> Result<Bytes, Failure> {
        let content_type = response.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |expected: &str| media_type.eq_ignore_ascii_case(expected);
        let unusable = |reason| self.failed(&FetchError::Document(reason));
        if !self.parts.config.signed {
            return if is("application/json") { Ok(response.body) } else { Err(unusable("not application/json")) };
        }
        if !media_type.strip_prefix("application/").is_some_and(|rest| rest.eq_ignore_ascii_case(JWT_TYPE)) {
            return Err(unusable("not a signed response"));
        }
        let compact = std::str::from_utf8(&response.body).map_err(|_| unusable("not a compact JWS"))?;
        let jws = DecodedJws::parse(compact.trim_ascii_end(), self.parts.config.max_len);
        let jws = jws.map_err(|_| unusable("not a compact JWS"))?;
        let signed =
            SignedIntrospection::parse(&jws, &self.parts.policy).map_err(|_| unusable("a JWS of another type"))?;
        let kid = signed.key_id().map_err(|_| unusable("a kid that is not a string"))?;
        // The keys may have to be fetched, and may expire in the meantime.
        let mut refreshed = false;
        for _ in 0..3 {
            match self.parts.keys.lookup(kid, refreshed) {
                KeyLookup::Ready(snapshot) => {
                    let recipients: Vec<&str> = self.recipients().collect();
                    let (leeway, now) = (self.parts.policy.leeway, self.parts.clock.now());
                    let body = signed.verify(&snapshot.keys, &self.parts.issuer, &recipients, leeway, now);
                    if body.is_err()
                        && !refreshed
                        && let Some(refresh) = self.parts.keys.refresh_after_failure(&snapshot)
                    {
                        refresh.run().await.map_err(Failure::without_keys)?;
                        refreshed = true;
                        continue;
                    }
                    return body.map(Bytes::from).map_err(|_| unusable("the signed response does not verify"));
                }
                KeyLookup::Fetch(refresh) => {
                    refresh.run().await.map_err(Failure::without_keys)?;
                    refreshed = true;
                }
                KeyLookup::Failed(unavailable) => return Err(Failure::without_keys(unavailable)),
            }
        }
        Err(Failure::without_keys(Unavailable::Keys))
    }

    /// Returns the accepted values of `aud` in a signed response (RFC 9701 §5).
    fn recipients(&self) -> impl Iterator<Item = &str> {
        let audiences = self.parts.audiences.iter().map(AsRef::as_ref);
        self.parts.config.authentication.client_id().into_iter().chain(audiences)
    }

    /// Logs an exchange without a usable response, and returns its failure.
    pub(super) fn failed(&self, error: &FetchError) -> Failure {
        let issuer = &self.parts.issuer;
        let url = without_query(&self.parts.config.endpoint);
        let cause = match error {
            FetchError::Connection
            | FetchError::NotConnected(_)
            | FetchError::Timeout
            | FetchError::Url
            | FetchError::Status(429 | 500..=599) => {
                if let Some(times) = self.warnings.server_failure.count() {
                    tracing::warn!(%issuer, %url, %error, times, "the introspection endpoint does not respond, or fails");
                }
                Cause::Server
            }
            // The circuit breaker limits these to ten in a row, and then one for each probe.
            FetchError::ClientRejected(_) => {
                tracing::error!(%issuer, %url, %error, "the introspection endpoint rejects our own credentials");
                Cause::Server
            }
            // RFC 7662 §2.3 has 401 for wrong client credentials only, but some servers send it for unknown tokens.
            FetchError::Status(401 | 403) => {
                if let Some(times) = self.warnings.credentials_rejected.count() {
                    tracing::warn!(
                        %issuer, %url, %error, times,
                        "the introspection endpoint rejects this token, or our own credentials"
                    );
                }
                Cause::Token
            }
            FetchError::Status(_) | FetchError::TooLong | FetchError::Document(_) => {
                if let Some(times) = self.warnings.unusable_response.count() {
                    tracing::warn!(%issuer, %url, %error, times, "no usable introspection response about a token");
                }
                Cause::Token
            }
        };
        Failure { error: Unavailable::Introspection.into(), cause }
    }
}
