//! The keys of an issuer, fixed or fetched.

use std::sync::Arc;

use pop_core::jose::{JwkSet, RsaLimits};
use pop_core::policy::TokenPolicy;

use super::PopConfigBuilder;
use super::bounds::{millis, within};
use crate::error::ConfigError;
use crate::issuer::IssuerConfig;
use crate::keys::{HttpFetch, IssuerKeys, JwksCaching, KeyLocation, KeyPolicy, RemoteKeys};

impl PopConfigBuilder {
    pub(super) fn static_keys(
        &self,
        config: &IssuerConfig,
        jwks: &[u8],
        policy: &TokenPolicy,
    ) -> Result<IssuerKeys, ConfigError> {
        if config.caching.is_some() {
            return Err(ConfigError::Contradiction { option: "jwks_caching", with: "static_jwks" });
        }
        let TokenPolicy { algorithms, backend, .. } = *policy;
        let mut report = |key| crate::keys::report_skipped(&config.issuer, &key);
        JwkSet::parse_reporting(jwks, algorithms, rsa_limits(config, policy), backend, &mut report)
            .map(IssuerKeys::fixed)
            .map_err(|error| ConfigError::StaticJwks { issuer: config.issuer.clone(), error })
    }

    pub(super) fn remote_keys(
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
