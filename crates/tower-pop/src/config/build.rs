//! From options to a configuration. Everything is checked here, contradictions included, before any request.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use pop_core::challenge::Challenges;
use pop_core::credentials::{Scheme, SchemeSet};
use pop_core::jose::{Algorithm, AlgorithmSet, JsonLimits, Object, RsaLimits};
use pop_core::policy::{DpopPolicy, IatPolicy, Preset, ProofPolicy, TokenPolicy};
use pop_core::proof::ProofKind;
use pop_core::scope::is_scope_token;
use pop_core::target::{Origin, has_dot_segments};

use super::bounds::{millis, within};
use super::builder::Overrides;
use super::{PopConfig, PopConfigBuilder, State, check_mode};
use crate::error::ConfigError;
use crate::key_ring::KeyRing;
use crate::metadata::{Accepted, Metadata};
use crate::meter;
use crate::nonce_policy::{NoncePolicy, Nonces};
use crate::origin::OriginPolicy;
use crate::peer::MissingAddressWarning;
use crate::proof_key_cache::ProofKeys;
use crate::replay::{MemoryReplayStore, ReplayStore};
use crate::token_source::{TokenCache, TokenSource};

/// How long a custom replay store may take by default.
const DEFAULT_REPLAY_TIMEOUT: Duration = Duration::from_secs(1);
const NONCE_POLICY: &str = "a nonce policy other than NoncePolicy::Required";
/// The maximum window for `iat`, in each direction.
const MAX_WINDOW: Duration = Duration::from_secs(300);
/// FAPI 2.0: tokens and proofs from more than 60 s in the future must be rejected.
const FAPI_TOLERANCE: u64 = 60;
/// The maximum leeway for access tokens.
const MAX_LEEWAY: Duration = Duration::from_secs(300);

impl PopConfigBuilder {
    /// Checks all options and creates the state that clones of the configuration share. Causes no I/O: keys are fetched when the
    /// first request needs them.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the option or value.
    pub fn build(self) -> Result<PopConfig, ConfigError> {
        check_mode(self.preset, self.mode)?;
        check_json()?;
        let (proof, token) = self.policies()?;
        if self.explain_rejections {
            tracing::warn!("responses explain rejections, which tells attackers what to change: for development only");
        }
        self.check_numbers(&proof, &token)?;
        self.check_contradictions(&proof)?;
        self.check_algorithms(&proof, &token)?;
        self.check_scopes()?;
        let schemes = self.schemes()?;
        let name = |name: &String| name.parse().map_err(|_| ConfigError::FieldName(name.clone()));
        let strip_uncovered = self.strip_uncovered.iter().map(name).collect::<Result<_, _>>()?;
        let audiences = self.audiences()?;
        let missing_address = Arc::new(MissingAddressWarning::default());
        let origins = self.origins(Arc::clone(&missing_address))?;
        let certificates =
            self.certificates.clone().map(|certificates| certificates.build(missing_address)).transpose()?;
        let metadata = Metadata::new(
            &self.metadata,
            &origins,
            &audiences,
            &self.issuer_names(),
            schemes.contains(Scheme::Dpop).then_some(&proof.dpop),
            &Accepted {
                unbound: self.mode.accepts_bearer(),
                certificate_bound: certificates.is_some(),
                signed: self.kinds.iter().any(|kind| *kind != ProofKind::Dpop),
                symmetric: self.key_encryption_keys.is_some(),
            },
        )?;
        let realm = audiences.first().cloned().unwrap_or_default();
        let challenges = Challenges::new(proof.dpop.algorithms, Some(metadata.url()), &realm)
            .map_err(|_| ConfigError::NotQuotable(realm.to_string()))?;
        let nonces = self.nonces(&realm)?;
        let replay = self.replay_store_or_default(&proof);
        let cache = TokenCache::new(self.token_cache);
        let issuers = self.issuers(&audiences, &cache, &token)?;
        let tokens = TokenSource::new(issuers, audiences, token, cache, Arc::clone(&self.clock));
        let (mode, signature_required) = (self.mode, self.signature_required);
        let proof_algorithms = proof.dpop.algorithms;
        let state = State {
            preset: self.preset,
            proof,
            tokens: Arc::new(tokens),
            origins,
            schemes,
            key_encryption_keys: Arc::new(KeyRing::new(self.key_encryption_keys)),
            client_keys: self.client_keys,
            content_limit: self.content_limit,
            strip_uncovered,
            nonce_policy: self.nonce_policy,
            nonces,
            replay,
            replay_timeout: self.replay_timeout.unwrap_or(DEFAULT_REPLAY_TIMEOUT),
            drain: self.drain,
            proof_keys: ProofKeys::new(self.proof_key_cache, proof_algorithms),
            certificates,
            not_before: self.reject_before_start.then(|| self.clock.now()),
            clock: self.clock,
            challenges,
            metadata: Arc::new(metadata),
            scope_implications: self
                .scope_implications
                .into_iter()
                .map(|(scope, implied)| (scope.into(), implied.into_iter().map(Into::into).collect()))
                .collect(),
            explain_rejections: self.explain_rejections,
            reject_token_in_query: self.reject_token_in_query,
            reject_early_data: self.reject_early_data,
            pass_preflight: self.pass_preflight,
        };
        let issuers = state.tokens.issuers.iter();
        meter::register(issuers.map(|issuer| (&*issuer.name, issuer.introspector.is_some())));
        Ok(PopConfig { state: Arc::new(state), mode, signature_required })
    }

    /// Applies the preset, the options that override it, and those that no preset sets.
    fn policies(&self) -> Result<(ProofPolicy, TokenPolicy), ConfigError> {
        within([
            ("max_proof_rsa_bits", u64::from(self.max_proof_rsa_bits), 2048, 8192),
            ("max_jwks_rsa_bits", u64::from(self.max_jwks_rsa_bits), 2048, 8192),
        ])?;
        let (mut proof, mut token) = (self.proof.clone(), self.token);
        let (dpop_preset, token_preset) = (self.preset.dpop(), self.preset.token());
        let Overrides { proof_algorithms, proof_max_age, clock_skew, max_proof_len, .. } = self.overrides;
        let Overrides { token_algorithms, token_leeway, max_token_len, .. } = self.overrides;
        proof.dpop.algorithms = proof_algorithms.unwrap_or(dpop_preset.algorithms);
        proof.dpop.max_age = proof_max_age.unwrap_or(dpop_preset.max_age);
        proof.dpop.clock_skew = clock_skew.unwrap_or(dpop_preset.clock_skew);
        proof.dpop.max_len = max_proof_len.unwrap_or_else(|| DpopPolicy::max_len_for(proof.dpop.algorithms));
        proof.dpop.rsa = RsaLimits::up_to(self.max_proof_rsa_bits);
        token.algorithms = token_algorithms.unwrap_or(token_preset.algorithms);
        token.leeway = token_leeway.unwrap_or(token_preset.leeway);
        token.max_len = max_token_len.unwrap_or_else(|| TokenPolicy::max_len_for(token.algorithms));
        token.rsa = RsaLimits::up_to(self.max_jwks_rsa_bits);
        self.signature_policies(&mut proof, &token);
        Ok((proof, token))
    }

    /// The policies of proofs over the request itself.
    fn signature_policies(&self, proof: &mut ProofPolicy, token: &TokenPolicy) {
        let overrides = &self.overrides;
        let (components, backend) = (std::mem::take(&mut proof.signature.components), proof.signature.backend);
        proof.signature = self.preset.signature();
        let signature = &mut proof.signature;
        signature.algorithms = overrides.signature_algorithms.unwrap_or(signature.algorithms);
        signature.max_age = overrides.signature_max_age.unwrap_or(signature.max_age);
        signature.clock_skew = overrides.clock_skew.unwrap_or(signature.clock_skew);
        signature.content = overrides.signed_content.unwrap_or(signature.content);
        (signature.components, signature.backend) = (components, backend);
        proof.signed_request = self.preset.signed_request();
        let envelope = &mut proof.signed_request;
        envelope.algorithms = overrides.proof_algorithms.unwrap_or(envelope.algorithms);
        envelope.max_age = overrides.signature_max_age.unwrap_or(envelope.max_age);
        envelope.clock_skew = overrides.clock_skew.unwrap_or(envelope.clock_skew);
        envelope.content = overrides.signed_content.unwrap_or(envelope.content);
        envelope.required = overrides.envelope_claims.unwrap_or(envelope.required);
        // The access token within an envelope is encoded once more.
        envelope.max_len = proof.dpop.max_len.saturating_add(token.max_len.saturating_mul(4) / 3);
        envelope.server_nonces = !matches!(self.nonce_policy, NoncePolicy::Off);
        (envelope.backend, envelope.rsa) = (backend, RsaLimits::up_to(self.max_proof_rsa_bits));
        proof.accepts_signed_requests = self.kinds.contains(&ProofKind::SignedRequest);
        proof.accepts_hmac = self.kinds.contains(&ProofKind::Hmac);
    }

    /// Returns the schemes of the accepted kinds of proof.
    fn schemes(&self) -> Result<SchemeSet, ConfigError> {
        let mut schemes = SchemeSet::EMPTY;
        for kind in &self.kinds {
            schemes = match kind {
                ProofKind::Dpop => schemes.with(Scheme::Dpop),
                ProofKind::HttpSig => schemes.with(Scheme::HttpSig),
                ProofKind::SignedRequest | ProofKind::Hmac => schemes.with(Scheme::Pop),
                ProofKind::MutualTls if self.certificates.is_some() => schemes,
                ProofKind::MutualTls => return Err(ConfigError::ProofKind(*kind, "needs .client_certificates(..)")),
                _ => return Err(ConfigError::ProofKind(*kind, "is not a kind of proof that can be accepted")),
            };
        }
        let with_key = self.key_encryption_keys.is_some()
            || self.issuers.iter().any(|issuer| issuer.introspection.as_ref().is_some_and(|own| own.symmetric_keys));
        if self.kinds.contains(&ProofKind::Hmac) && !with_key {
            return Err(ConfigError::ProofKind(ProofKind::Hmac, "needs .key_encryption_keys(..)"));
        }
        let is_used = |kind| self.kinds.contains(&kind);
        if self.signature_required && !is_used(ProofKind::Dpop) && self.certificates.is_none() {
            let with = "proofs without ProofKind::Dpop and client certificates";
            return Err(ConfigError::Contradiction { option: "require_message_signature", with });
        }
        if let Some(name) = self.proof.signature.components.iter().find(|name| !is_component(name)) {
            return Err(ConfigError::FieldName(name.to_string()));
        }
        if schemes == SchemeSet::EMPTY && self.certificates.is_none() {
            return Err(ConfigError::NoProofKind);
        }
        Ok(schemes)
    }

    /// No option may be without effect.
    fn check_contradictions(&self, proof: &ProofPolicy) -> Result<(), ConfigError> {
        let custom = self.replay.is_some();
        let nonce_only = proof.dpop.iat == IatPolicy::NonceOnly;
        let contradictions = [
            (custom && self.without_replay_store, "replay_store", "without_replay_store"),
            (custom && self.replay_capacity.is_some(), "replay_capacity", "replay_store"),
            (self.without_replay_store && self.replay_capacity.is_some(), "replay_capacity", "without_replay_store"),
            (!custom && self.replay_timeout.is_some(), "replay_timeout", "the in-memory replay store"),
            (nonce_only && !matches!(self.nonce_policy, NoncePolicy::Required), "IatPolicy::NonceOnly", NONCE_POLICY),
            (nonce_only && self.reject_before_start, "reject_proofs_from_before_start", "IatPolicy::NonceOnly"),
        ];
        match contradictions.into_iter().find(|(found, ..)| *found) {
            Some((_, option, with)) => Err(ConfigError::Contradiction { option, with }),
            None => Ok(()),
        }
    }

    fn check_numbers(&self, proof: &ProofPolicy, token: &TokenPolicy) -> Result<(), ConfigError> {
        let seconds = Duration::as_secs;
        let is_fapi = self.preset == Preset::Fapi2;
        let skew_max = if is_fapi { FAPI_TOLERANCE } else { seconds(&MAX_WINDOW) };
        let leeway_max = if is_fapi { FAPI_TOLERANCE } else { seconds(&MAX_LEEWAY) };
        let (max_age, clock_skew) = (seconds(&proof.dpop.max_age), seconds(&proof.dpop.clock_skew));
        // No algorithm may be named whose proofs or tokens are always too long.
        let proof_len_min = 512 + (proof.dpop.algorithms.key_room() + proof.dpop.algorithms.signature_room()) as u64;
        let token_len_min = 512 + token.algorithms.signature_room() as u64;
        within([
            ("proof_max_age", max_age, 1, seconds(&MAX_WINDOW)),
            ("clock_skew", clock_skew, 0, skew_max),
            ("signature_max_age", seconds(&proof.signature.max_age), 1, seconds(&MAX_WINDOW)),
            ("content_limit", self.content_limit, 0, 1 << 30),
            ("token_leeway", seconds(&token.leeway), 0, leeway_max),
            ("max_proof_len", proof.dpop.max_len as u64, proof_len_min, 1 << 20),
            ("max_token_len", token.max_len as u64, token_len_min, 1 << 20),
            ("max_token_members", u64::from(token.json.members), 32, 16_384),
            ("max_token_values", u64::from(token.json.values), 256, 65_536),
            ("max_token_depth", u64::from(token.json.depth), 4, 32),
            ("max_jti_len", proof.dpop.max_jti_len as u64, 16, 1 << 16),
            ("replay_capacity", self.capacity() as u64, 1000, u64::from(u32::MAX)),
            ("replay_timeout in ms", millis(self.replay_timeout.unwrap_or(DEFAULT_REPLAY_TIMEOUT)), 1, 60_000),
            ("rejected_body_limit", self.drain.bytes, 0, 1 << 30),
            ("rejected_body_timeout in ms", millis(self.drain.time), 0, 60_000),
        ])?;
        if self.without_replay_store {
            let (signature, envelope) = (proof.signature.lifetime() - 1, proof.signed_request.lifetime() - 1);
            within([
                ("proof_max_age + clock_skew without a replay store", max_age + clock_skew, 1, seconds(&MAX_WINDOW)),
                ("signature_max_age + clock_skew without a replay store", signature, 1, seconds(&MAX_WINDOW)),
                ("the age of signed requests + clock_skew without a replay store", envelope, 1, seconds(&MAX_WINDOW)),
            ])?;
        }
        Ok(())
    }

    fn check_algorithms(&self, proof: &ProofPolicy, token: &TokenPolicy) -> Result<(), ConfigError> {
        let sets =
            [("proof", proof.dpop.algorithms), ("signature", proof.signature.algorithms), ("token", token.algorithms)];
        for (what, algorithms) in sets {
            if algorithms.is_empty() {
                return Err(ConfigError::NoAlgorithm(what));
            }
            if self.preset == Preset::Fapi2 && !algorithms.is_subset_of(AlgorithmSet::FAPI) {
                let forbidden: AlgorithmSet =
                    algorithms.iter().filter(|alg| !AlgorithmSet::FAPI.contains(*alg)).collect();
                return Err(ConfigError::AlgorithmForbidden {
                    preset: self.preset,
                    what,
                    algorithms: forbidden.names(),
                });
            }
        }
        self.check_support(proof, token)
    }

    /// No algorithm may be named that would never be accepted.
    fn check_support(&self, proof: &ProofPolicy, token: &TokenPolicy) -> Result<(), ConfigError> {
        let (in_proof, in_token) = (proof.dpop.backend, token.backend);
        let unsupported = |algorithms: AlgorithmSet, is_supported: &dyn Fn(&Algorithm) -> bool| {
            algorithms.iter().find(|algorithm| !is_supported(algorithm))
        };
        let found = [
            ("proof", "this crypto_backend", unsupported(proof.dpop.algorithms, &|alg| in_proof.verifies(*alg))),
            ("token", "this crypto_backend", unsupported(token.algorithms, &|alg| in_token.verifies(*alg))),
            ("signature", "HTTP message signatures", unsupported(proof.signature.algorithms, &|alg| !alg.is_ml_dsa())),
        ];
        match found.into_iter().find_map(|(what, by, algorithm)| Some((what, by, algorithm?))) {
            Some((what, by, algorithm)) => Err(ConfigError::AlgorithmUnsupported { what, algorithm, by }),
            None => Ok(()),
        }
    }

    fn check_scopes(&self) -> Result<(), ConfigError> {
        let implied =
            self.scope_implications.iter().flat_map(|(wider, narrower)| std::iter::once(wider).chain(narrower));
        match self.metadata.scopes.iter().chain(implied).find(|scope| !is_scope_token(scope)) {
            Some(scope) => Err(ConfigError::Scope(scope.clone())),
            None => Ok(()),
        }
    }

    fn audiences(&self) -> Result<Vec<Box<str>>, ConfigError> {
        if self.audiences.iter().any(String::is_empty) {
            return Err(ConfigError::Audience);
        }
        Ok(self.audiences.iter().map(|audience| audience.as_str().into()).collect())
    }

    fn origins(&self, missing_address: Arc<MissingAddressWarning>) -> Result<OriginPolicy, ConfigError> {
        let by_host = !self.allowed_origins.is_empty();
        if !self.proxies.is_empty() && !by_host {
            return Err(ConfigError::ProxiesWithoutOrigins);
        }
        let prefix = &self.path_prefix;
        let is_path = prefix.starts_with('/')
            && !prefix.ends_with('/')
            && !prefix.contains(['?', '#'])
            && !has_dot_segments(prefix);
        if !prefix.is_empty() && !is_path {
            return Err(ConfigError::PathPrefix(prefix.clone()));
        }
        let mut allowed = Vec::new();
        if let Some(origin) = &self.public_origin {
            allowed.push(self.origin(origin, Origin::parse(origin).ok())?);
        } else if !by_host {
            let audience = self.audiences.first().map(String::as_str).unwrap_or_default();
            let origin = Origin::of(audience).map_err(|_| ConfigError::NoPublicOrigin(audience.to_owned()))?;
            allowed.push(self.origin(audience, Some(origin))?);
        }
        for origin in &self.allowed_origins {
            let origin = self.origin(origin, Origin::parse(origin).ok())?;
            if !allowed.contains(&origin) {
                allowed.push(origin);
            }
        }
        Ok(OriginPolicy {
            allowed,
            by_host,
            proxies: self.proxies.clone(),
            missing_address,
            path_prefix: prefix.clone(),
        })
    }

    fn origin(&self, text: &str, origin: Option<Origin>) -> Result<Origin, ConfigError> {
        let origin = origin.ok_or_else(|| ConfigError::PublicOrigin(text.to_owned()))?;
        if !origin.is_https() {
            if !origin.is_loopback() && !self.allow_http {
                return Err(ConfigError::PublicOrigin(text.to_owned()));
            }
            tracing::warn!(%origin, "proofs are accepted for a plain http origin: for development only");
        }
        Ok(origin)
    }

    fn issuer_names(&self) -> Vec<&str> {
        self.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect()
    }

    fn nonces(&self, audience: &str) -> Result<Nonces, ConfigError> {
        let keys = match &self.nonce_keys {
            Some(_) if matches!(self.nonce_policy, NoncePolicy::Off) => {
                return Err(ConfigError::NonceKeys("nonces are off"));
            }
            Some(keys) => keys.clone(),
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|_| ConfigError::NoRandomness)?;
                vec![key]
            }
        };
        Nonces::new(keys, audience).ok_or(ConfigError::NonceKeys("there is none"))
    }

    fn capacity(&self) -> usize {
        self.replay_capacity.unwrap_or(crate::replay::DEFAULT_CAPACITY)
    }

    fn replay_store_or_default(&self, proof: &ProofPolicy) -> Option<Arc<dyn ReplayStore>> {
        if self.without_replay_store {
            tracing::warn!("running without a replay store: a captured proof can be used again while it is fresh");
            return None;
        }
        Some(self.replay.clone().unwrap_or_else(|| {
            let kinds = [proof.dpop.lifetime(), proof.signature.lifetime(), proof.signed_request.lifetime()];
            let lifetime = Duration::from_secs(kinds.into_iter().max().unwrap_or_default());
            let store = MemoryReplayStore::with_capacity(self.capacity()).lifetime(lifetime);
            Arc::new(store.clock(Arc::clone(&self.clock)))
        }))
    }
}

/// Returns whether a signature of a request can cover a component with this name: a header field in lower case, or a derived
/// component without parameters (RFC 9421 §2.2).
fn is_component(name: &str) -> bool {
    const DERIVED: [&str; 7] =
        ["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"];
    DERIVED.contains(&name) || HeaderName::from_lowercase(name.as_bytes()).is_ok()
}

/// Checks that the JSON library returns numbers as numbers. Its feature `arbitrary_precision`, which any crate of the program can
/// turn on, would make every date unreadable, and every request would be rejected.
fn check_json() -> Result<(), ConfigError> {
    let object = Object::parse(br#"{"n":1}"#, JsonLimits::PROOF);
    let number = object.as_ref().ok().and_then(|object| object.get("n")?.as_numeric_date());
    if number == Some(1) { Ok(()) } else { Err(ConfigError::JsonNumbers) }
}
