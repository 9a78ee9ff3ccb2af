//! Options of proofs over the request itself: HTTP message signatures, signed HTTP requests, and symmetric keys.

use std::sync::Arc;
use std::time::Duration;

use pop_core::jose::Algorithm;
use pop_core::jose::KeyEncryptionKeys;
use pop_core::policy::{EnvelopeClaims, SignedContent};
use pop_core::proof::{ClientKeys, ProofKind};

use super::PopConfigBuilder;

impl PopConfigBuilder {
    /// Sets the kinds of proof that are accepted, in any combination. Defaults to [`ProofKind::Dpop`] alone.
    /// [`client_certificates`](Self::client_certificates) adds [`ProofKind::MutualTls`].
    ///
    /// A token says itself which proof it needs, and is rejected under every other. [`ProofKind::Hmac`] needs
    /// [`key_encryption_keys`](Self::key_encryption_keys), or introspection that returns keys. Where requests have content, mount the
    /// layer with [`verify_content`](crate::PopLayer::verify_content).
    ///
    /// ```
    /// use tower_pop::{PopConfig, ProofKind};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proofs([ProofKind::Dpop, ProofKind::HttpSig])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn proofs(mut self, kinds: impl IntoIterator<Item = ProofKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Requires an HTTP message signature in addition to the proof of requests under `DPoP` and `Bearer` (RFC 9421, tag
    /// `fapi-2-request`): a DPoP proof covers neither header fields nor content. The key is that of the DPoP proof, or one that the
    /// client registered ([`client_keys`](Self::client_keys)). Defaults to no.
    /// [`PopConfig::with_message_signature`](crate::PopConfig::with_message_signature) changes it for one layer.
    ///
    /// ```
    /// use tower_pop::{PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .require_message_signature()
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn require_message_signature(mut self) -> Self {
        self.signature_required = true;
        self
    }

    /// Sets the keys that clients registered for signatures in addition to another proof. Defaults to none: only DPoP keys sign.
    ///
    /// ```
    /// use tower_pop::{PopConfig, StaticClientKeys};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .client_keys(StaticClientKeys::default())
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn client_keys(mut self, keys: impl ClientKeys + 'static) -> Self {
        self.client_keys = Some(Arc::new(keys));
        self
    }

    /// Sets this server's private key-encryption keys. They unwrap the symmetric keys of tokens (`cnf.jwe`), for
    /// [`ProofKind::Hmac`] and for signed HTTP requests with HS256. Needs feature `aws-lc-rs`. Defaults to none.
    /// [`PopConfig::set_key_encryption_keys`](crate::PopConfig::set_key_encryption_keys) replaces them.
    ///
    /// # Security
    /// A server that can verify with a symmetric key can also sign with it: it can forge requests of its clients (RFC 9421 §7.3.3).
    ///
    /// ```no_run
    /// use tower_pop::{KeyEncryptionKeys, PopConfig, ProofKind};
    ///
    /// # fn build() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = KeyEncryptionKeys::parse(&std::fs::read("kek.json")?)?;
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proofs([ProofKind::Hmac])
    ///     .key_encryption_keys(keys)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn key_encryption_keys(mut self, keys: KeyEncryptionKeys) -> Self {
        self.key_encryption_keys = Some(keys);
        self
    }

    /// Sets whether content must be covered by message signatures and signed HTTP requests. A digest that a proof covers is always
    /// verified. Defaults to [`SignedContent::Required`], and to [`SignedContent::Off`] with preset
    /// [`Entra`](crate::Preset::Entra).
    ///
    /// ```
    /// use tower_pop::{PopConfig, SignedContent};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .signed_content(SignedContent::IfPresent)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn signed_content(mut self, rule: SignedContent) -> Self {
        self.overrides.signed_content = Some(rule);
        self
    }

    /// Sets the maximum length of content that is verified in bytes, up to 1 GiB. It is kept in memory. Longer content is rejected with
    /// 413. Defaults to 1 MiB.
    ///
    /// ```
    /// use tower_pop::{PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .content_limit(64 * 1024)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn content_limit(mut self, bytes: u64) -> Self {
        self.content_limit = bytes;
        self
    }

    /// Sets what message signatures must cover in addition to method, target and `Authorization`: names of header fields in lower
    /// case, or derived components such as `@query`. Defaults to nothing.
    ///
    /// ```
    /// use tower_pop::{PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .signature_components(["content-type"])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn signature_components<T: Into<Box<str>>>(mut self, components: impl IntoIterator<Item = T>) -> Self {
        self.proof.signature.components = components.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what signed HTTP requests must cover. [`EnvelopeClaims::Q`] and [`EnvelopeClaims::B`] are required only if the request has a
    /// query, or content. What they cover beyond that is verified as well. Defaults to [`EnvelopeClaims::DEFAULT`], and to nothing with
    /// preset [`Entra`](crate::Preset::Entra).
    ///
    /// ```
    /// use tower_pop::{EnvelopeClaims, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .signed_request_claims(EnvelopeClaims::DEFAULT.with(EnvelopeClaims::H))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn signed_request_claims(mut self, claims: EnvelopeClaims) -> Self {
        self.overrides.envelope_claims = Some(claims);
        self
    }

    /// Sets the maximum age of message signatures and signed HTTP requests, 1 to 300 s. Defaults to 60 s, and for signed HTTP requests
    /// to 300 s with preset [`Entra`](crate::Preset::Entra).
    ///
    /// ```
    /// use tower_pop::{PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .signature_max_age(std::time::Duration::from_secs(30))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn signature_max_age(mut self, max_age: Duration) -> Self {
        self.overrides.signature_max_age = Some(max_age);
        self
    }

    /// Sets the algorithms that message signatures are accepted with. ML-DSA is not possible. Defaults to ES256, ES384, Ed25519,
    /// PS512 and RS256.
    ///
    /// ```
    /// use tower_pop::{Algorithm, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .signature_algorithms([Algorithm::ES256, Algorithm::PS256])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn signature_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.overrides.signature_algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Removes these header fields from accepted requests, unless a proof of the request covers them. A second call adds more. Layers do
    /// this; callers of [`PopConfig::verify`](crate::PopConfig::verify) have to do it themselves. Defaults to none.
    ///
    /// # Security
    /// Every hop on the way can set a field that is not covered. A DPoP proof covers none.
    ///
    /// ```
    /// use tower_pop::{PopConfig, ProofKind};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proofs([ProofKind::HttpSig])
    ///     .strip_uncovered_fields(["idempotency-key"])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn strip_uncovered_fields<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.strip_uncovered.extend(names.into_iter().map(Into::into));
        self
    }
}
