//! The resource that is attacked, and the peers that it trusts.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use http::request::Parts;
use pop_core::jose::{AlgorithmSet, JwkSet, KeyEncryptionKeys, RsaLimits, SharedKey};
use pop_core::nonce::NonceKeys;
use tower_pop::clock::ManualClock;
use tower_pop::{
    CertificateFormat, CertificateHeader, ClientCertificates, Decision, IssuerConfig, NoncePolicy, PopConfig,
    PopConfigBuilder, ProofKind, ProxyTrust, Verdict, Verification,
};

use crate::key::{BACKEND, Key};

pub const ISSUER: &str = "https://as.example";
pub const AUDIENCE: &str = "https://api.example";
pub const NOW: u64 = 1_800_000_000;
/// Below this path proofs need a nonce.
pub const NONCE_PATH: &str = "/nonce";
/// The client's certificate, or what passes for one: it is hashed and never read.
pub const CERTIFICATE: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0xff];

const NONCE_KEY: [u8; 32] = [9; 32];

/// The key that the client shares with the resource.
pub const SHARED_KEY_BYTES: [u8; 32] = [7; 32];
/// The key of the resource under `dir`.
pub const CONTENT_KEY: [u8; 32] = [8; 32];

pub static SHARED_KEY: LazyLock<SharedKey> =
    LazyLock::new(|| SharedKey::new(SHARED_KEY_BYTES).expect("a key of sufficient length"));
pub static KEY_ENCRYPTION_KEYS: LazyLock<KeyEncryptionKeys> =
    LazyLock::new(|| KeyEncryptionKeys::parse(include_bytes!("../seeds/kek/all-kinds")).expect("usable keys"));

pub static ISSUER_KEY: LazyLock<Key> = LazyLock::new(|| Key::fixed(1));
pub static CLIENT_KEY: LazyLock<Key> = LazyLock::new(|| Key::fixed(2));

static JWKS: LazyLock<String> = LazyLock::new(|| format!(r#"{{"keys":[{}]}}"#, ISSUER_KEY.jwk()));

pub fn issuer_keys() -> JwkSet {
    JwkSet::parse(JWKS.as_bytes(), AlgorithmSet::TOKEN, RsaLimits::default(), BACKEND).expect("a usable key").0
}

/// The key of the client and the resource, encrypted for the resource.
pub fn jwe() -> &'static str {
    include_str!("../seeds/jwe/accepted").lines().next().expect("a JWE")
}

/// The nonce of now and so many steps later.
pub fn nonce(steps: i64) -> String {
    let keys = NonceKeys::new([NONCE_KEY], AUDIENCE).expect("there is a key");
    keys.issue(NonceKeys::step_at(NOW).saturating_add_signed(steps))
}

/// A resource that saw no request yet and knows the issuer's keys.
pub fn resource(clock: Arc<ManualClock>) -> PopConfig {
    let issuer = IssuerConfig::new(ISSUER).static_jwks(JWKS.as_str());
    configure(issuer, clock).build().expect("a valid configuration")
}

pub fn configure(issuer: IssuerConfig, clock: Arc<ManualClock>) -> PopConfigBuilder {
    let proxies = |network: &str, field| {
        let network = network.parse().expect("a network");
        (ProxyTrust::Networks(vec![network]), CertificateHeader::new(field).expect("a well-known field"))
    };
    let ((nginx, client_cert), (envoy, xfcc)) =
        (proxies("10.0.0.0/8", "client-cert"), proxies("192.168.0.0/16", "x-forwarded-client-cert"));
    PopConfig::builder(issuer, AUDIENCE)
        .crypto_backend(BACKEND)
        .proofs([ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac])
        .key_encryption_keys(KEY_ENCRYPTION_KEYS.clone())
        .client_certificates(ClientCertificates::from_proxies(nginx, client_cert).or_from_proxies(envoy, xfcc))
        .nonce(NoncePolicy::PerRequest(Arc::new(|parts| parts.uri.path().starts_with(NONCE_PATH))))
        .nonce_keys([NONCE_KEY])
        .replay_capacity(1000)
        .token_cache_capacity(8)
        .proof_key_cache_capacity(8)
        .clock(clock)
}

/// The field in which this peer may pass a certificate on, if it is a proxy.
pub fn trusted_field(peer: IpAddr) -> Option<(&'static str, CertificateFormat)> {
    match peer.to_canonical() {
        IpAddr::V4(address) if address.octets()[0] == 10 => Some(("client-cert", CertificateFormat::Rfc9440)),
        IpAddr::V4(address) if address.octets()[..2] == [192, 168] => {
            Some(("x-forwarded-client-cert", CertificateFormat::Xfcc))
        }
        _ => None,
    }
}

/// The verdict on a request. All keys are known, so nothing has to be waited for.
pub fn judge(resource: &PopConfig, parts: &Parts, content: &[u8]) -> Verdict {
    let check = match resource.verify(parts) {
        Verification::Now(Decision::Verdict(verdict)) => return verdict,
        Verification::Now(Decision::Content(check)) => check,
        Verification::Later(_) => panic!("nothing is to be fetched"),
    };
    let mut hasher = check.hasher();
    hasher.update(content);
    match pin!(check.conclude(hasher.finish())).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("the replay store is in memory"),
    }
}
