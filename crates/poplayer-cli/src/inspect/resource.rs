//! The configuration of the resource server, as the arguments say.

use std::path::Path;

use http::Extensions;
use pop_core::policy::{DpopPolicy, Mode, ProofPolicy};
use tower_pop::clock::ManualClock;
use tower_pop::{
    CertificateHeader, ClientCertificates, CryptoBackend, IssuerConfig, KeyEncryptionKeys, NoncePolicy,
    PeerCertificate, PopConfig, PopConfigBuilder, ProofKind, ProxyTrust, Require, RequireAcr, RequireClaim,
    RequireMaxAge, RequireScope, StaticClientKeys, UnixSocketPeer, nonce_keys_from_text,
};

use super::arguments::{InspectArguments, ServerArguments};
use super::request::Inspected;
use crate::failure::{Failure, with_causes};
use crate::input::{first_certificate, read_text};
use crate::json::Decoded;

/// The name of an issuer that no token has.
const NO_ISSUER: &str = "https://issuer.invalid";

/// The resource server that the request is checked for.
pub(super) struct Resource<'a> {
    arguments: &'a InspectArguments,
    now: u64,
    origin: String,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) policy: ProofPolicy,
}

impl<'a> Resource<'a> {
    pub(super) fn new(arguments: &'a InspectArguments, request: &Inspected, now: u64) -> Self {
        let origin = request.origin.as_str().to_owned();
        let named = || Decoded::of(&request.token()).claim("iss").filter(|issuer| issuer.starts_with("http"));
        let issuer = arguments.issuer.clone().or_else(named).unwrap_or_else(|| NO_ISSUER.to_owned());
        let audience = arguments.audience.clone().unwrap_or_else(|| origin.clone());
        let mut policy = ProofPolicy::default();
        policy.dpop = arguments.server.preset.dpop();
        if !arguments.server.proof_algorithms.is_empty() {
            policy.dpop.algorithms = arguments.server.proof_algorithms.iter().copied().collect();
            policy.dpop.max_len = DpopPolicy::max_len_for(policy.dpop.algorithms);
        }
        policy.dpop.max_age = arguments.server.proof_max_age.unwrap_or(policy.dpop.max_age);
        policy.dpop.clock_skew = arguments.server.clock_skew.unwrap_or(policy.dpop.clock_skew);
        Self { arguments, now, origin, issuer, audience, policy }
    }

    /// Builds a configuration with fresh state.
    pub(super) fn config(&self, mode: Mode) -> Result<PopConfig, Failure> {
        let (server, rejected) = (&self.arguments.server, |error| Failure::input(with_causes(&error)));
        let mut builder = PopConfig::builder(self.issuer()?, &self.audience)
            .public_origin(&self.origin)
            .clock(ManualClock::at(self.now))
            .preset(server.preset)
            .mode(mode)
            .explain_rejections();
        builder = certificates(proofs(builder, server), server)?;
        builder = keys(builder, server)?;
        // Not because the token says so: what is fetched from its issuer decides.
        let named = self.arguments.issuer.as_deref().is_some_and(|issuer| issuer.starts_with("http:"));
        if self.origin.starts_with("http:") || named {
            builder = builder.dangerous().allow_http();
        }
        if !server.proof_algorithms.is_empty() {
            builder = builder.proof_algorithms(server.proof_algorithms.iter().copied());
        }
        if !server.token_algorithms.is_empty() {
            builder = builder.token_algorithms(server.token_algorithms.iter().copied());
        }
        if let Some(max_age) = server.proof_max_age {
            builder = builder.proof_max_age(max_age).signature_max_age(max_age);
        }
        if let Some(skew) = server.clock_skew {
            builder = builder.clock_skew(skew);
        }
        if let Some(limit) = server.content_limit {
            builder = builder.content_limit(limit);
        }
        if server.reject_token_in_query {
            builder = builder.reject_token_in_query();
        }
        if server.reject_early_data {
            builder = builder.reject_early_data();
        }
        if server.require_signature {
            builder = builder.require_message_signature();
        }
        builder.build().map_err(rejected)
    }

    fn issuer(&self) -> Result<IssuerConfig, Failure> {
        let mut issuer = IssuerConfig::with_profile(&self.issuer, self.arguments.server.issuer_profile);
        if let Some(jwks) = &self.arguments.jwks {
            let is_url = jwks.starts_with("https://") || jwks.starts_with("http://");
            issuer = if is_url { issuer.jwks_uri(jwks) } else { issuer.static_jwks(read_text(jwks.as_ref())?) };
        }
        for deviation in &self.arguments.server.allow {
            issuer = match deviation.as_str() {
                "typ-jwt" => issuer.allow_typ_jwt(),
                "scope-array" => issuer.allow_scope_array(),
                "missing-sub" => issuer.allow_missing_sub(),
                "missing-client-id" => issuer.allow_missing_client_id(),
                "missing-jti" => issuer.allow_missing_jti(),
                _ => issuer.allow_missing_iat(),
            };
        }
        Ok(issuer)
    }

    /// Returns whether the arguments say that the server asks for what a check checks.
    pub(super) fn asks_for(&self, check: &str) -> bool {
        let server = &self.arguments.server;
        match check {
            "early-data" => server.reject_early_data,
            "query" => server.reject_token_in_query,
            "certificate-field" => server.certificate_field.is_some(),
            "certificate" => server.certificate_field.is_some() || self.arguments.certificate.is_some(),
            "nonce" => server.nonce_keys.is_some(),
            "scope" => !server.require_scope.is_empty(),
            "step-up" => !server.require_acr.is_empty() || server.require_max_age.is_some(),
            "claims" => !server.require_claim.is_empty(),
            _ => true,
        }
    }

    /// Returns what the route requires, if anything.
    pub(super) fn required(&self) -> Result<Option<Require>, Failure> {
        let server = &self.arguments.server;
        let rejected = |error: tower_pop::RequireError| Failure::input(error.to_string());
        let mut all: Option<Require> = None;
        let mut add =
            |part: Require| all = Some(all.take().map_or_else(|| part.clone(), |earlier| earlier.and(part.clone())));
        if !server.require_scope.is_empty() {
            add(RequireScope::try_all(&server.require_scope).map_err(rejected)?.into());
        }
        if !server.require_acr.is_empty() {
            add(RequireAcr::try_any(&server.require_acr).map_err(rejected)?.into());
        }
        if let Some(max_age) = server.require_max_age {
            add(RequireMaxAge::new(max_age).into());
        }
        for required in &server.require_claim {
            let (claim, value) = required
                .split_once('=')
                .ok_or_else(|| Failure::input(format!("{required:?} is not a claim: expected `claim=value`")))?;
            add(RequireClaim::try_any(claim, [value]).map_err(rejected)?.into());
        }
        Ok(all)
    }

    /// Puts what the connection shows into the extensions of the request.
    pub(super) fn connection(&self, extensions: &mut Extensions) -> Result<(), Failure> {
        if let Some(path) = &self.arguments.certificate {
            extensions.insert(PeerCertificate::from_der(first_certificate(path)?));
        }
        if self.arguments.server.certificate_field.is_some() {
            extensions.insert(UnixSocketPeer);
        }
        Ok(())
    }
}

fn proofs(builder: PopConfigBuilder, server: &ServerArguments) -> PopConfigBuilder {
    let mut kinds = server.proofs.clone();
    if kinds.is_empty() {
        kinds = vec![ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::MutualTls];
        kinds.extend(server.kek.is_some().then_some(ProofKind::Hmac));
    }
    builder.proofs(kinds)
}

fn certificates(builder: PopConfigBuilder, server: &ServerArguments) -> Result<PopConfigBuilder, Failure> {
    let accepted = server.proofs.is_empty() || server.proofs.contains(&ProofKind::MutualTls);
    Ok(match &server.certificate_field {
        Some(field) => {
            let field = CertificateHeader::new(field).map_err(|error| Failure::input(error.to_string()))?;
            builder.client_certificates(ClientCertificates::from_proxies(ProxyTrust::UnixSocket, field))
        }
        None if accepted => builder.client_certificates(ClientCertificates::from_connection()),
        None => builder,
    })
}

fn keys(mut builder: PopConfigBuilder, server: &ServerArguments) -> Result<PopConfigBuilder, Failure> {
    let rejected = |path: &Path, error: &dyn std::error::Error| {
        Failure::input(format!("{} cannot be used: {}", path.display(), with_causes(error)))
    };
    if let Some(path) = &server.nonce_keys {
        let keys = nonce_keys_from_text(&read_text(path)?).map_err(|error| rejected(path, &error))?;
        builder = builder.nonce(NoncePolicy::Required).nonce_keys(keys);
    }
    if let Some(path) = &server.kek {
        let keys = KeyEncryptionKeys::parse(read_text(path)?.as_bytes()).map_err(|error| rejected(path, &error))?;
        builder = builder.key_encryption_keys(keys);
    }
    if let Some(path) = &server.client_keys {
        let text = read_text(path)?;
        let keys =
            StaticClientKeys::parse(text.as_bytes(), pop_core::jose::RsaLimits::default(), CryptoBackend::default());
        builder = builder.client_keys(keys.map_err(|error| rejected(path, &error))?);
    }
    Ok(builder)
}
