//! Issuers: where their keys are, and how their tokens are introspected.

use std::sync::Arc;

use pop_core::policy::{ClaimName, IssuerProfile, TokenAllowances, TokenPolicy};
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
            check_tenant(config)?;
            let allow = self.preset.allowances(allowances(config)?);
            let keys = match (&config.static_jwks, &config.jwks_uri) {
                (Some(jwks), None) => self.static_keys(config, jwks, policy)?,
                (None, Some(uri)) => self.remote_keys(config, KeyLocation::Uri(uri.clone()), policy, client.get()?)?,
                (None, None) => self.remote_keys(config, key_location(config), policy, client.get()?)?,
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

/// Returns the allowances of an issuer, with the claims that it uses.
fn allowances(config: &IssuerConfig) -> Result<TokenAllowances, ConfigError> {
    let mut allow = config.allow;
    let issuer = || config.issuer.clone();
    if let Some(claim) = &config.scope_claim {
        allow.scope_claim = instead_of("scope", claim, ClaimName::of_scopes)
            .ok_or_else(|| ConfigError::ScopeClaim { issuer: issuer(), claim: claim.clone() })?;
    }
    if let Some(claim) = &config.client_id_claim {
        allow.client_id_claim = instead_of("client_id", claim, ClaimName::of_client_id)
            .ok_or_else(|| ConfigError::ClientIdClaim { issuer: issuer(), claim: claim.clone() })?;
    }
    Ok(allow)
}

/// Returns the claim that is read instead of the standard one: none, if it is that one. Returns `None` for a name that cannot
/// be used.
fn instead_of(standard: &str, claim: &str, check: fn(&str) -> Option<ClaimName>) -> Option<Option<ClaimName>> {
    if claim == standard { Some(None) } else { check(claim).map(Some) }
}

/// The metadata of Microsoft Entra ID with the issuer of version 1.0 is not where discovery from that issuer looks.
fn key_location(config: &IssuerConfig) -> KeyLocation {
    match config.issuer.strip_prefix("https://sts.windows.net/") {
        Some(tenant) if config.profile == IssuerProfile::EntraV1 => {
            let tenant = tenant.trim_end_matches('/');
            KeyLocation::Uri(format!("https://login.microsoftonline.com/{tenant}/discovery/keys"))
        }
        _ => KeyLocation::Discovery,
    }
}

/// Tokens of Microsoft Entra ID name their tenant by its GUID in lower case, whatever the client called it.
fn check_tenant(config: &IssuerConfig) -> Result<(), ConfigError> {
    if !matches!(config.profile, IssuerProfile::Entra | IssuerProfile::EntraV1) {
        return Ok(());
    }
    let is_guid = |segment: &str| {
        let lengths = segment.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && segment.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'))
    };
    if config.issuer.split('/').any(is_guid) { Ok(()) } else { Err(ConfigError::EntraTenant(config.issuer.clone())) }
}
