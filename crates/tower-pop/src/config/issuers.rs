//! Issuers: where their keys are, and how they are asked about tokens.

use std::sync::Arc;

use pop_core::jose::{JwkSet, RsaLimits};
use pop_core::policy::TokenPolicy;
use pop_core::scope::ScopeClaim;
use pop_core::target::Origin;

use super::PopConfigBuilder;
use super::bounds::{millis, within};
use crate::error::ConfigError;
use crate::issuer::{IssuerConfig, KeySource};
use crate::keys::{HttpFetch, IssuerKeys, JwksCaching, KeyLocation, KeyPolicy, RemoteKeys};
use crate::token_source::{Introspection, Introspector, IntrospectorParts, Issuer, TokenCache};

impl PopConfigBuilder {
    /// The issuers with their keys and, where they are asked about tokens, their introspection.
    pub(super) fn issuers(&self, audiences: &[Box<str>], tokens: &TokenCache) -> Result<Vec<Issuer>, ConfigError> {
        let mut issuers: Vec<Issuer> = Vec::new();
        let mut client = Client { fetch: self.fetch.clone() };
        for (number, config) in self.issuers.iter().enumerate() {
            let name = config.issuer.clone();
            if issuers.iter().any(|other| *other.name == *name) {
                return Err(ConfigError::DuplicateIssuer(name));
            }
            self.check_issuer(&name)?;
            let mut allow = config.allow;
            allow.scope_claim = scope_claim(config)?;
            let keys = match &config.keys {
                KeySource::Static(jwks) => self.static_keys(config, jwks)?,
                KeySource::Remote(location) => self.remote_keys(config, location, client.get()?)?,
            };
            let introspector = match &config.introspection {
                None => None,
                Some(_) if issuers.iter().any(|other| other.introspector.is_some()) => {
                    return Err(ConfigError::SecondIntrospection(name));
                }
                Some(introspection) => {
                    self.check_introspection(&name, introspection)?;
                    let mut allowances = allow;
                    allowances.introspection_without_aud = introspection.allow_missing_aud;
                    Some(Arc::new(Introspector::new(IntrospectorParts {
                        issuer: name.as_str().into(),
                        number,
                        audiences: audiences.to_vec(),
                        allowances,
                        policy: self.token,
                        keys: keys.clone(),
                        fetch: introspection.fetch.clone().map_or_else(|| client.get(), Ok)?,
                        clock: Arc::clone(&self.clock),
                        tokens: tokens.clone(),
                        config: introspection.clone(),
                    })))
                }
            };
            issuers.push(Issuer { name: name.into(), keys, allow, introspector });
        }
        Ok(issuers)
    }

    fn check_introspection(&self, issuer: &str, introspection: &Introspection) -> Result<(), ConfigError> {
        let endpoint = &introspection.endpoint;
        if !crate::keys::is_acceptable(endpoint, self.allow_http) {
            return Err(ConfigError::IntrospectionEndpoint { issuer: issuer.to_owned(), endpoint: endpoint.clone() });
        }
        if introspection.authentication.client_id().is_none() {
            return Err(ConfigError::IntrospectionAuthentication(endpoint.clone()));
        }
        if introspection.authentication.is_mutual_tls() && introspection.fetch.is_none() && self.fetch.is_none() {
            return Err(ConfigError::IntrospectionCertificate(endpoint.clone()));
        }
        within([
            ("introspection cache_for in ms", millis(introspection.cache_for), 0, 300_000),
            ("introspection cache_inactive_for in ms", millis(introspection.cache_inactive_for), 0, 60_000),
            ("introspection timeout in ms", millis(introspection.timeout), 1, 60_000),
            ("introspection max_concurrent", introspection.max_concurrent as u64, 1, 100_000),
            ("introspection max_response_len", introspection.max_len as u64, 256, 1 << 20),
        ])
    }

    fn check_issuer(&self, issuer: &str) -> Result<(), ConfigError> {
        let refused = || ConfigError::Issuer(issuer.to_owned());
        let origin = Origin::of(issuer).map_err(|_| refused())?;
        if issuer.contains(['?', '#']) || !(origin.is_https() || origin.is_loopback() || self.allow_http) {
            return Err(refused());
        }
        if !origin.is_https() {
            tracing::warn!(%issuer, "the issuer is reached over plain http: for development only");
        }
        Ok(())
    }

    fn static_keys(&self, config: &IssuerConfig, jwks: &[u8]) -> Result<IssuerKeys, ConfigError> {
        let TokenPolicy { algorithms, backend, .. } = self.token;
        let mut report = |key| crate::keys::report_skipped(&config.issuer, &key);
        JwkSet::parse_reporting(jwks, algorithms, self.rsa_limits(config), backend, &mut report)
            .map(IssuerKeys::fixed)
            .map_err(|error| ConfigError::StaticJwks { issuer: config.issuer.clone(), error })
    }

    /// Bounds on the RSA keys of one issuer's key set.
    fn rsa_limits(&self, config: &IssuerConfig) -> RsaLimits {
        if config.rsa_leading_zero { self.token.rsa.allow_leading_zero() } else { self.token.rsa }
    }

    fn remote_keys(
        &self,
        config: &IssuerConfig,
        location: &KeyLocation,
        fetch: Arc<dyn HttpFetch>,
    ) -> Result<IssuerKeys, ConfigError> {
        if let KeyLocation::Uri(uri) = location
            && !crate::keys::is_acceptable(uri, self.allow_http)
        {
            return Err(ConfigError::JwksUri { issuer: config.issuer.clone(), uri: uri.clone() });
        }
        check_caching(config.caching)?;
        let policy = KeyPolicy {
            algorithms: self.token.algorithms,
            rsa: self.rsa_limits(config),
            backend: self.token.backend,
            caching: config.caching,
            allow_http: self.allow_http,
        };
        let clock = Arc::clone(&self.clock);
        let keys = RemoteKeys::new(&config.issuer, location.clone(), policy, fetch, clock);
        Ok(IssuerKeys::Remote(Arc::new(keys)))
    }
}

fn scope_claim(config: &IssuerConfig) -> Result<Option<ScopeClaim>, ConfigError> {
    match config.scope_claim.as_deref() {
        None | Some("scope") => Ok(None),
        Some(claim) => ScopeClaim::new(claim)
            .map(Some)
            .ok_or_else(|| ConfigError::ScopeClaim { issuer: config.issuer.clone(), claim: claim.to_owned() }),
    }
}

fn check_caching(caching: JwksCaching) -> Result<(), ConfigError> {
    const DAY: u64 = 86_400_000;
    within([
        ("jwks fresh_for in ms", millis(caching.fresh_for), 1_000, DAY),
        ("jwks stale_for in ms", millis(caching.stale_for), 0, 7 * DAY),
        ("jwks cool_down in ms", millis(caching.cool_down), 1_000, DAY),
        ("jwks refresh_burst", u64::from(caching.refresh_burst), 1, 100),
        ("jwks retry_after in ms", millis(caching.retry_after), 100, 3_600_000),
        ("jwks timeout in ms", millis(caching.timeout), 1, 60_000),
        ("jwks max_len", caching.max_len as u64, 256, 16 << 20),
    ])
}

/// The HTTP client, made when the first issuer needs one.
struct Client {
    fetch: Option<Arc<dyn HttpFetch>>,
}

impl Client {
    fn get(&mut self) -> Result<Arc<dyn HttpFetch>, ConfigError> {
        match &self.fetch {
            Some(fetch) => Ok(Arc::clone(fetch)),
            None => Ok(Arc::clone(self.fetch.insert(default_fetch()?))),
        }
    }
}

#[cfg(feature = "http-client")]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    let fetch = crate::keys::HyperFetch::new().map_err(|error| ConfigError::NoHttpClient(error.to_string()))?;
    Ok(Arc::new(fetch))
}

#[cfg(not(feature = "http-client"))]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    Err(ConfigError::NoHttpClient("feature http-client is off, and there is no .http_fetch(..)".to_owned()))
}
