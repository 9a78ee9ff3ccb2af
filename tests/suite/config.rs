//! Settings that are wrong or contradict each other fail in `build()`, and the error names the value. Each rejection stands
//! beside what is accepted.

use std::time::Duration;

use pop_authserver::{Algorithm, TestAuthServer};
use tower_pop::keys::JwksCaching;
use tower_pop::{ConfigError, IatPolicy, IssuerConfig, Mode, NoncePolicy, PopConfig, PopConfigBuilder, Preset};

use crate::support::{AUDIENCE, ISSUER};

fn builder() -> PopConfigBuilder {
    PopConfig::builder(ISSUER, AUDIENCE)
}

#[track_caller]
fn rejects(builder: PopConfigBuilder, part: &str) {
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains(part), "{error:?} does not name {part:?}");
}

#[test]
fn build_accepts_what_the_documentation_shows() {
    builder().build().unwrap();
    let full = builder()
        .issuer("https://other.example/tenant")
        .audience("urn:api")
        .proof_max_age(Duration::from_secs(300))
        .clock_skew(Duration::from_secs(0))
        .nonce(NoncePolicy::Required)
        .nonce_keys([[1; 32], [2; 32]])
        .iat_policy(IatPolicy::NonceOnly)
        .allowed_origins(["https://api.example", "https://api.example:8443"])
        .trusted_proxies(["10.0.0.0/8".parse().unwrap()])
        .path_prefix("/v1")
        .resource("https://api.example/v1")
        .resource_name("Notes")
        .scopes_supported(["a"])
        .scope_implies("admin", ["a"])
        .replay_capacity(1000)
        .token_cache_capacity(0);
    full.build().unwrap();
    builder().preset(Preset::Fapi2).proof_algorithms([Algorithm::PS256]).build().unwrap();
}

/// DPOP-19: anywhere else, plain http takes a dangerous option.
#[test]
fn accepts_plain_http_for_loopback_only() {
    for loopback in ["http://127.0.0.1:3000", "http://localhost", "http://[::1]:3000", "http://127.9.9.9"] {
        PopConfig::builder("http://127.0.0.1:9400", loopback).build().unwrap();
    }
    rejects(PopConfig::builder(ISSUER, "http://api.example"), "http://api.example");
    rejects(PopConfig::builder("http://as.example", AUDIENCE), "http://as.example");
    rejects(builder().public_origin("http://localhost.evil.example"), "localhost.evil");
    rejects(
        builder().issuer(IssuerConfig::new("https://b.example").jwks_uri("http://b.example/jwks")),
        "b.example/jwks",
    );
    PopConfig::builder("http://as.internal", "http://api.internal").dangerous().allow_http().build().unwrap();
}

/// ERR-14: misconfiguration fails at start.
#[test]
fn build_names_the_setting_that_is_wrong() {
    rejects(PopConfig::builder("as.example", AUDIENCE), "as.example");
    rejects(PopConfig::builder("https://as.example?x", AUDIENCE), "as.example?x");
    rejects(PopConfig::builder("https://as.example#x", AUDIENCE), "as.example#x");
    rejects(PopConfig::builder(ISSUER, ""), "audience is empty");
    rejects(PopConfig::builder(ISSUER, "urn:api"), "public_origin");
    PopConfig::builder(ISSUER, "urn:api").public_origin("https://api.example").build().unwrap();
    rejects(builder().issuer(ISSUER), "twice");
    rejects(builder().public_origin("https://api.example/path"), "api.example/path");
    rejects(builder().public_origin("https://u@api.example"), "u@api.example");
    rejects(builder().path_prefix("v1"), "v1");
    rejects(builder().path_prefix("/v1/"), "/v1/");
    rejects(builder().resource("https://evil.example"), "evil.example");
    rejects(builder().resource("https://api.example/#f"), "#f");
    rejects(builder().trusted_proxies(["10.0.0.0/8".parse().unwrap()]), "allowed_origins");
    rejects(builder().proof_algorithms([]), "proof");
    rejects(builder().token_algorithms([]), "token");
    rejects(builder().scopes_supported(["a b"]), "a b");
    rejects(builder().scope_implies("a", ["\u{e9}"]), "\u{e9}");
    rejects(PopConfig::builder(ISSUER, "urn:\"x").public_origin("https://api.example"), "cannot be written in");
    let unusable = IssuerConfig::new(ISSUER).static_jwks(r#"{"keys":[]}"#);
    rejects(PopConfig::builder(unusable, AUDIENCE), ISSUER);
    let server = TestAuthServer::offline(ISSUER);
    PopConfig::builder(IssuerConfig::new(ISSUER).static_jwks(server.jwks_json()), AUDIENCE).build().unwrap();
}

/// ERR-14: the error has the name of the setting and the value.
#[test]
fn rejects_numbers_outside_their_limits() {
    let seconds = Duration::from_secs;
    rejects(builder().proof_max_age(seconds(0)), "proof_max_age is 0");
    rejects(builder().proof_max_age(seconds(301)), "proof_max_age is 301");
    rejects(builder().clock_skew(seconds(301)), "clock_skew is 301");
    rejects(builder().preset(Preset::Fapi2).clock_skew(seconds(61)), "clock_skew is 61");
    rejects(builder().token_leeway(seconds(301)), "token_leeway is 301");
    rejects(builder().token_leeway(seconds(61)).preset(Preset::Fapi2), "token_leeway is 61");
    builder().token_leeway(seconds(60)).preset(Preset::Fapi2).build().unwrap();
    rejects(builder().replay_capacity(0), "replay_capacity is 0");
    rejects(builder().max_proof_len(10), "max_proof_len is 10");
    rejects(builder().max_token_len(10), "max_token_len is 10");
    rejects(builder().max_jti_len(1), "max_jti_len is 1");
    rejects(builder().max_token_members(31), "max_token_members is 31");
    rejects(builder().max_token_members(u16::MAX), "max_token_members is 65535");
    rejects(builder().max_token_values(255), "max_token_values is 255");
    rejects(builder().max_token_values(u32::MAX), "max_token_values is 4294967295");
    rejects(builder().max_token_depth(3), "max_token_depth is 3");
    rejects(builder().max_token_depth(33), "max_token_depth is 33");
    builder().max_token_members(32).max_token_values(256).max_token_depth(4).build().unwrap();
    builder().max_token_members(16_384).max_token_values(65_536).max_token_depth(32).build().unwrap();
}

/// ERR-14, ATK-26: the limits keep fetches rare and keys fresh.
#[test]
fn rejects_caching_of_keys_outside_its_limits() {
    let with = |change: fn(&mut JwksCaching)| {
        let mut caching = JwksCaching::default();
        change(&mut caching);
        PopConfig::builder(IssuerConfig::new(ISSUER).jwks_caching(caching), AUDIENCE)
    };
    rejects(with(|caching| caching.cool_down = Duration::ZERO), "jwks cool_down in ms is 0");
    rejects(with(|caching| caching.fresh_for = Duration::ZERO), "jwks fresh_for in ms is 0");
    rejects(with(|caching| caching.stale_for = Duration::MAX), "jwks stale_for in ms is");
    rejects(with(|caching| caching.retry_after = Duration::ZERO), "jwks retry_after in ms is 0");
    rejects(with(|caching| caching.timeout = Duration::from_secs(61)), "jwks timeout in ms is 61000");
    rejects(with(|caching| caching.max_len = usize::MAX), "jwks max_len is");
    rejects(with(|caching| caching.refresh_burst = 0), "jwks refresh_burst is 0");
    rejects(with(|caching| caching.refresh_burst = 101), "jwks refresh_burst is 101");
    with(|caching| caching.refresh_burst = 1).build().unwrap();
    with(|caching| caching.cool_down = Duration::from_secs(1)).build().unwrap();
    with(|caching| caching.stale_for = Duration::ZERO).build().unwrap();
    assert_eq!(JwksCaching::default().cool_down, Duration::from_secs(30), "ATK-26 the default");
    assert_eq!(JwksCaching::default().refresh_burst, 3, "ATK-26 the default");
}

/// ERR-14: combinations that look safe and are not.
#[test]
fn rejects_settings_that_contradict_each_other() {
    rejects(builder().iat_policy(IatPolicy::NonceOnly), "NonceOnly");
    let nonce_only = builder().nonce(NoncePolicy::Required).iat_policy(IatPolicy::NonceOnly);
    rejects(nonce_only.reject_proofs_from_before_start(), "reject_proofs_from_before_start");
    rejects(builder().preset(Preset::Mcp).dangerous().without_replay_store(), "600");
    builder().dangerous().without_replay_store().build().unwrap();
    rejects(builder().nonce_keys([[1; 32]]), "off");
    rejects(builder().nonce(NoncePolicy::Required).nonce_keys([]), "none");
    rejects(builder().preset(Preset::Fapi2).proof_algorithms([Algorithm::RS256]), "RS256");
    for mode in [Mode::ReportOnly, Mode::AllowBearer, Mode::Optional] {
        rejects(builder().preset(Preset::Fapi2).mode(mode), "fapi2");
        let cfg = builder().preset(Preset::Fapi2).build().unwrap();
        assert!(matches!(cfg.with_mode(mode), Err(ConfigError::ModeForbidden { .. })));
        builder().build().unwrap().with_mode(mode).unwrap();
    }
}

#[test]
fn debug_output_shows_no_keys() {
    let cfg = builder().nonce(NoncePolicy::Required).nonce_keys([[0xab; 32]]).build().unwrap();
    let text = format!("{cfg:?}");
    assert!(text.contains("as.example") && !text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
}

/// Parses every name, formats it again, and rejects other strings.
#[track_caller]
fn names<T>(values: &[T], names: &[&str], unknown: &[&str], message: &str)
where
    T: Copy + PartialEq + std::fmt::Debug + std::fmt::Display + std::str::FromStr<Err = tower_pop::UnknownName>,
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    assert_eq!(values.len(), names.len());
    for (value, name) in values.iter().zip(names) {
        assert_eq!(name.parse::<T>().as_ref(), Ok(value));
        assert_eq!(value.to_string(), *name);
        assert_eq!(serde_json::to_string(value).unwrap(), format!("{name:?}"));
        assert_eq!(serde_json::from_str::<T>(&format!("{name:?}")).unwrap(), *value);
    }
    for name in unknown.iter().copied().chain(["", " ", "null"]) {
        assert!(name.parse::<T>().is_err(), "{name:?}");
        assert!(serde_json::from_value::<T>(name.into()).is_err(), "{name:?}");
    }
    let error = "nonsense".parse::<T>().unwrap_err().to_string();
    assert_eq!(error, message);
    assert!(serde_json::from_str::<T>("\"nonsense\"").unwrap_err().to_string().contains(message));
    assert!(serde_json::from_str::<T>("1").is_err());
}

/// ERR-14: a wrong name fails and lists the names that are allowed.
#[test]
fn settings_have_names_for_configuration_files() {
    use tower_pop::{Algorithm, CertificateFormat, IatPolicy, Mode, NoncePolicy, Preset};
    names(
        Mode::ALL,
        &["required", "optional", "allow-bearer", "report-only"],
        &["Required", "REQUIRED", "allow_bearer", "AllowBearer", "report-only "],
        "\"nonsense\" is not a mode: use one of required, optional, allow-bearer, report-only",
    );
    names(
        Preset::ALL,
        &["rfc9449", "fapi2", "mcp", "entra"],
        &["RFC9449", "Fapi2", "fapi"],
        "\"nonsense\" is not a preset: use one of rfc9449, fapi2, mcp, entra",
    );
    names(
        IatPolicy::ALL,
        &["always", "nonce-only"],
        &["Always", "nonce_only"],
        "\"nonsense\" is not a policy for iat: use one of always, nonce-only",
    );
    names(
        CertificateFormat::ALL,
        &["rfc9440", "escaped-pem", "pem", "xfcc", "xfcc-list", "base64-der", "traefik"],
        &["PEM", "escaped_pem", "XFCC"],
        "\"nonsense\" is not a certificate format: use one of rfc9440, escaped-pem, pem, xfcc, xfcc-list, base64-der, traefik",
    );
    let mut algorithms =
        vec!["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
    #[cfg(feature = "ml-dsa")]
    algorithms.extend(["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]);
    let error = format!("\"nonsense\" is not an algorithm: use one of {}", algorithms.join(", "));
    let compiled_in: Vec<Algorithm> = Algorithm::compiled_in().collect();
    names(&compiled_in, &algorithms, &["es256", "none", "HS256", "ed25519", "ml-dsa-44"], &error);
    assert!(matches!("off".parse(), Ok(NoncePolicy::Off)) && matches!("required".parse(), Ok(NoncePolicy::Required)));
    assert!(matches!(serde_json::from_str("\"required\""), Ok(NoncePolicy::Required)));
    let error = "per-request".parse::<NoncePolicy>().unwrap_err().to_string();
    assert_eq!(error, "\"per-request\" is not a nonce policy: use one of off, required");
    // As they stand in a file.
    #[derive(serde::Deserialize)]
    struct Settings {
        mode: Mode,
        preset: Preset,
        algorithms: Vec<Algorithm>,
    }
    let settings = r#"{ "mode": "allow-bearer", "preset": "rfc9449", "algorithms": ["ES256", "Ed25519"] }"#;
    let settings: Settings = serde_json::from_str(settings).unwrap();
    let builder = tower_pop::PopConfig::builder("https://as.example", "https://api.example").preset(settings.preset);
    let cfg = builder.mode(settings.mode).proof_algorithms(settings.algorithms).build().unwrap();
    assert_eq!(cfg.mode(), Mode::AllowBearer);
}

/// Options that are set explicitly win over the preset, before it or after it.
#[test]
fn presets_apply_in_any_order() {
    let strict = Duration::from_secs(7);
    for (order, builder) in [
        ("before", builder().clock_skew(strict).preset(Preset::Mcp)),
        ("after", builder().preset(Preset::Mcp).clock_skew(strict)),
    ] {
        let cfg = format!("{:?}", builder.build().unwrap());
        assert!(cfg.contains("max_age: 300s") && cfg.contains("clock_skew: 7s"), "{order}: {cfg}");
    }
}

/// No option is ignored or clamped: one that would have no effect is named.
#[test]
fn rejects_options_without_effect() {
    use tower_pop::replay::MemoryReplayStore;

    let store = || MemoryReplayStore::with_capacity(1_000);
    let jwks = TestAuthServer::offline_at("https://other.example", 1_800_000_000).jwks_json();
    let fixed = || IssuerConfig::new("https://other.example").static_jwks(jwks.clone());
    for (twin, wrong, message) in [
        (
            builder().replay_store(store()),
            builder().replay_store(store()).replay_capacity(5_000),
            "replay_capacity contradicts replay_store",
        ),
        (
            builder().dangerous().without_replay_store(),
            builder().replay_store(store()).dangerous().without_replay_store(),
            "replay_store contradicts without_replay_store",
        ),
        (
            builder().replay_capacity(5_000),
            builder().replay_capacity(5_000).dangerous().without_replay_store(),
            "replay_capacity contradicts without_replay_store",
        ),
        (
            builder().replay_store(store()).replay_timeout(Duration::from_secs(2)),
            builder().replay_timeout(Duration::from_secs(2)),
            "replay_timeout contradicts the in-memory replay store",
        ),
        (
            builder().max_proof_rsa_bits(2048),
            builder().max_proof_rsa_bits(1024),
            "max_proof_rsa_bits is 1024, outside 2048..=8192",
        ),
        (
            builder().max_jwks_rsa_bits(8192),
            builder().max_jwks_rsa_bits(16_384),
            "max_jwks_rsa_bits is 16384, outside 2048..=8192",
        ),
        (
            builder().issuer(fixed()),
            builder().issuer(fixed().jwks_uri("https://other.example/jwks")),
            "static_jwks contradicts jwks_uri",
        ),
        (
            builder().issuer(fixed()),
            builder().issuer(fixed().jwks_caching(JwksCaching::default())),
            "jwks_caching contradicts static_jwks",
        ),
    ] {
        twin.build().unwrap_or_else(|error| panic!("the twin of {message}: {error}"));
        assert_eq!(wrong.build().unwrap_err().to_string(), message);
    }
}

/// What is required of a route may come from configuration: its errors name the value.
#[test]
fn requirements_from_configuration_are_checked() {
    use tower_pop::{RequireAcr, RequireClaim, RequireScope};

    let none: [&str; 0] = [];
    for (result, expected) in [
        (RequireScope::try_all(["a b"]).map(drop), "\"a b\" is not a scope token"),
        (RequireScope::try_any(none).map(drop), "the list of required scopes is empty"),
        (RequireAcr::try_any(["gold", "a\"b"]).map(drop), "the acr value \"a\\\"b\" cannot be written in a challenge"),
        (RequireAcr::try_any(none).map(drop), "the list of required acr values is empty"),
        (RequireClaim::try_any("", ["x"]).map(drop), "the name of the required claim is empty"),
        (RequireClaim::try_all("roles", none).map(drop), "the list of required claim values is empty"),
    ] {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    assert!(RequireScope::try_all(["a", "b"]).is_ok() && RequireAcr::try_any(["gold"]).is_ok());
    assert!(RequireClaim::try_any("roles", ["x"]).is_ok());
}
