//! Issuers: where their keys are, and how their tokens are introspected.

use std::sync::Arc;

use pop_core::jose::{JwkSet, RsaLimits};
use pop_core::policy::TokenPolicy;
use pop_core::scope::ScopeClaim;
use pop_core::target::Origin;

use super::PopConfigBuilder;
use super::bounds::{millis, within};
use crate::error::ConfigError;
#[cfg(feature = "http-client")]
use crate::error::HttpClientError;
use crate::issuer::IssuerConfig;
use crate::keys::{HttpFetch, IssuerKeys, JwksCaching, KeyLocation, KeyPolicy, RemoteKeys};
use crate::token_source::{Introspection, Introspector, IntrospectorParts, Issuer, TokenCache};

impl PopConfigBuilder {
    /// Checks the issuers and creates their keys and introspection.
    pub(super) fn issuers(
        &self,
        audiences: &[Box<str>],
        tokens: &TokenCache,
        policy: &TokenPolicy,
    ) -> Result<Vec<Issuer>, ConfigError> {
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
            let keys = match (&config.static_jwks, &config.jwks_uri) {
                (Some(jwks), None) => self.static_keys(config, jwks, policy)?,
                (None, Some(uri)) => self.remote_keys(config, KeyLocation::Uri(uri.clone()), policy, client.get()?)?,
                (None, None) => self.remote_keys(config, KeyLocation::Discovery, policy, client.get()?)?,
                (Some(_), Some(_)) => {
                    return Err(ConfigError::Contradiction { option: "static_jwks", with: "jwks_uri" });
                }
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
                        policy: *policy,
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
        let rejected = || ConfigError::Issuer(issuer.to_owned());
        let origin = Origin::of(issuer).map_err(|_| rejected())?;
        if issuer.contains(['?', '#']) || !(origin.is_https() || origin.is_loopback() || self.allow_http) {
            return Err(rejected());
        }
        if !origin.is_https() {
            tracing::warn!(%issuer, "the issuer is reached over plain http: for development only");
        }
        Ok(())
    }

    fn static_keys(&self, config: &IssuerConfig, jwks: &[u8], policy: &TokenPolicy) -> Result<IssuerKeys, ConfigError> {
        if config.caching.is_some() {
            return Err(ConfigError::Contradiction { option: "jwks_caching", with: "static_jwks" });
        }
        let TokenPolicy { algorithms, backend, .. } = *policy;
        let mut report = |key| crate::keys::report_skipped(&config.issuer, &key);
        JwkSet::parse_reporting(jwks, algorithms, rsa_limits(config, policy), backend, &mut report)
            .map(IssuerKeys::fixed)
            .map_err(|error| ConfigError::StaticJwks { issuer: config.issuer.clone(), error })
    }

    fn remote_keys(
        &self,
        config: &IssuerConfig,
        location: KeyLocation,
        policy: &TokenPolicy,
        fetch: Arc<dyn HttpFetch>,
    ) -> Result<IssuerKeys, ConfigError> {
        if let KeyLocation::Uri(uri) = &location
            && !crate::keys::is_acceptable(uri, self.allow_http)
        {
            return Err(ConfigError::JwksUri { issuer: config.issuer.clone(), uri: uri.clone() });
        }
        let caching = config.caching.unwrap_or_default();
        check_caching(caching)?;
        let policy = KeyPolicy {
            algorithms: policy.algorithms,
            rsa: rsa_limits(config, policy),
            backend: policy.backend,
            caching,
            allow_http: self.allow_http,
        };
        let clock = Arc::clone(&self.clock);
        let keys = RemoteKeys::new(&config.issuer, location, policy, fetch, clock);
        Ok(IssuerKeys::Remote(Arc::new(keys)))
    }
}

/// Returns the bounds on the RSA keys of an issuer.
fn rsa_limits(config: &IssuerConfig, policy: &TokenPolicy) -> RsaLimits {
    if config.rsa_leading_zero { policy.rsa.allow_leading_zero() } else { policy.rsa }
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

/// The HTTP client, created when the first issuer needs it.
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
    let fetch = crate::keys::HyperFetch::new().map_err(|error| ConfigError::HttpClient(HttpClientError::new(error)))?;
    Ok(Arc::new(fetch))
}

#[cfg(not(feature = "http-client"))]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    Err(ConfigError::NoHttpClient)
}
