//! JWT access tokens: verified with the keys of their issuer, which may have to be fetched first.

use std::sync::Arc;

use pop_core::access_token::{AccessToken, AccessTokenHash, ClaimedIssuer, Expectations, UnverifiedToken};
use pop_core::jose::DecodedJws;
use pop_core::{Error, Found, TokenError, Unavailable};

use super::cache::{CachedToken, MAX_TIME};
use super::introspection::Introspector;
use super::{TokenLookup, TokenSource, report};
use crate::clock::{Deadline, Moment};
use crate::keys::{KeyLookup, Refresh};

/// The result of one attempt to verify a JWT.
enum Attempt {
    Verified(Arc<AccessToken>),
    /// The keys in memory are not enough.
    NeedsKeys(Refresh),
}

impl TokenSource {
    /// Returns the introspector for a token, if it has to be introspected. JWTs of locally verified issuers are never
    /// introspected, valid or not. An opaque token is introspected at the one issuer that supports it.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] for a JWT of an issuer that is neither verified locally nor introspected: a token is never sent to
    /// a server that did not issue it.
    pub(super) fn introspector_of(&self, token: &str) -> Result<Option<&Arc<Introspector>>, TokenError> {
        let introspected = self.issuers.iter().find_map(|issuer| Some((issuer, issuer.introspector.as_ref()?)));
        let Some((own, introspector)) = introspected else {
            return Ok(None);
        };
        let mut local = self.issuers.iter().filter(|issuer| issuer.verifies_locally());
        match ClaimedIssuer::of(token, &self.policy) {
            ClaimedIssuer::Opaque => Ok(Some(introspector)),
            ClaimedIssuer::Named(_) | ClaimedIssuer::Unreadable if introspector.jwt_first() => Ok(None),
            ClaimedIssuer::Named(name) if local.any(|issuer| issuer.name == name) => Ok(None),
            ClaimedIssuer::Named(name) if own.name != name => Err(TokenError::Issuer(Found::String)),
            // It may be the token of a locally verified issuer.
            ClaimedIssuer::Unreadable if local.next().is_some() => Ok(None),
            ClaimedIssuer::Named(_) | ClaimedIssuer::Unreadable => Ok(Some(introspector)),
        }
    }

    /// Verifies a JWT with the keys in memory, or returns a future that fetches the keys first.
    pub(super) fn verify_jwt(
        self: &Arc<Self>,
        token: &str,
        hash: AccessTokenHash,
        now: Moment,
        precheck: impl FnOnce(&AccessToken) -> Result<(), Error>,
    ) -> Result<TokenLookup, Error> {
        match self.attempt(token, hash, now, false, precheck)? {
            Attempt::Verified(token) => Ok(TokenLookup::Ready(token)),
            Attempt::NeedsKeys(refresh) => {
                let (source, token) = (Arc::clone(self), token.to_owned());
                Ok(TokenLookup::Later(Box::pin(
                    async move { source.verify_with_fetched_keys(&token, hash, refresh).await },
                )))
            }
        }
    }

    async fn verify_with_fetched_keys(
        &self,
        token: &str,
        hash: AccessTokenHash,
        mut refresh: Refresh,
    ) -> Result<Arc<AccessToken>, Error> {
        // A token names one issuer, so one fetch is enough. A second one is for keys that expire in the meantime.
        for _ in 0..2 {
            refresh.run().await?;
            let now = Moment::now(&*self.clock);
            // Another request with this token may have been faster.
            if let Some(token) = self.cached(&hash, now)? {
                return Ok(token);
            }
            match self.attempt(token, hash, now, true, |_| Ok(()))? {
                Attempt::Verified(token) => return Ok(token),
                Attempt::NeedsKeys(again) => refresh = again,
            }
        }
        Err(Unavailable::Keys.into())
    }

    /// Verifies a JWT with the keys in memory. `refreshed` says that they were fetched for this token: it then causes no other
    /// fetch for its `kid` or its signature.
    fn attempt(
        &self,
        token: &str,
        hash: AccessTokenHash,
        now: Moment,
        refreshed: bool,
        precheck: impl FnOnce(&AccessToken) -> Result<(), Error>,
    ) -> Result<Attempt, Error> {
        let jws = DecodedJws::parse(token, self.policy.max_len).map_err(TokenError::from)?;
        let token = UnverifiedToken::parse(&jws, &self.policy)?;
        let name = token.issuer()?;
        let known = self.issuers.iter().enumerate().find(|(_, issuer)| *issuer.name == *name);
        let (number, issuer) = known.ok_or(TokenError::Issuer(Found::String))?;
        let expected = Expectations { audiences: &self.audiences, allowances: issuer.allow, policy: &self.policy };
        let check_claims = || token.check_claims(&expected, now.seconds());
        let keys = match issuer.keys.lookup(token.key_id()?, refreshed) {
            KeyLookup::Ready(keys) => keys,
            KeyLookup::Failed(unavailable) => return Err(unavailable.into()),
            KeyLookup::Fetch(refresh) => {
                precheck(&check_claims()?)?;
                return Ok(Attempt::NeedsKeys(refresh));
            }
        };
        if let Err(error) = token.verify_signature(&keys.keys) {
            // The issuer may have given the `kid` to another key. The keys are fetched again for a request that is right otherwise.
            if !refreshed
                && let Some(refresh) = issuer.keys.refresh_after_failure(&keys)
                && let Ok(claims) = check_claims()
                && precheck(&claims).is_ok()
            {
                return Ok(Attempt::NeedsKeys(refresh));
            }
            return Err(error.into());
        }
        let token =
            check_claims().inspect_err(|error| report::issuer_error(&self.issuer_errors, &issuer.name, error))?;
        let token = Arc::new(token);
        let cached = CachedToken {
            token: Arc::clone(&token),
            issuer: number,
            generation: Some(keys.generation),
            until: Deadline::after(now, MAX_TIME),
        };
        self.cache.insert(hash, cached);
        Ok(Attempt::Verified(token))
    }
}
