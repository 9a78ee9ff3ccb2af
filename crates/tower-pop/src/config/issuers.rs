//! Issuers: where their keys are, and how their tokens are introspected.

use std::sync::Arc;

use pop_core::policy::TokenPolicy;
use pop_core::scope::ScopeClaim;
use pop_core::target::Origin;

use super::PopConfigBuilder;
use super::bounds::{millis, within};
use super::http_client::HttpClient;
use crate::error::ConfigError;
use crate::issuer::IssuerConfig;
use crate::keys::KeyLocation;
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
        let mut client = HttpClient { fetch: self.fetch.clone() };
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
                    allowances.introspected_symmetric_keys = introspection.symmetric_keys;
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
        if introspection.symmetric_keys && !endpoint.starts_with("https://") {
            return Err(ConfigError::IntrospectedKeys(endpoint.clone()));
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
}

fn scope_claim(config: &IssuerConfig) -> Result<Option<ScopeClaim>, ConfigError> {
    match config.scope_claim.as_deref() {
        None | Some("scope") => Ok(None),
        Some(claim) => ScopeClaim::new(claim)
            .map(Some)
            .ok_or_else(|| ConfigError::ScopeClaim { issuer: config.issuer.clone(), claim: claim.to_owned() }),
    }
}
