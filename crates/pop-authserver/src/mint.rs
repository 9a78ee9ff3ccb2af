//! Tokens and proofs to order. Whatever a builder is told ends up in the result, right or wrong.

use pop_client::DpopKey;
use pop_core::jose::{CertThumbprint, encode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The parts of a JWS under construction, and how to spoil them.
#[derive(Debug, Clone)]
struct Draft {
    key: DpopKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<String>,
    raw_payload: Option<String>,
    spoil: Spoil,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoil {
    Nothing,
    Signature,
    AlgNone,
}

impl Draft {
    fn new(key: &DpopKey, header: Value, claims: Value) -> Self {
        let object = |value| match value {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Self {
            key: key.clone(),
            header: object(header),
            claims: object(claims),
            raw_header: None,
            raw_payload: None,
            spoil: Spoil::Nothing,
        }
    }

    /// # Panics
    /// When the key cannot sign: a broken test environment.
    fn mint(&self) -> String {
        let mut header = self.header.clone();
        if self.spoil == Spoil::AlgNone {
            header.insert("alg".into(), "none".into());
        }
        let header = self.raw_header.clone().unwrap_or_else(|| Value::Object(header).to_string());
        let payload = self.raw_payload.clone().unwrap_or_else(|| Value::Object(self.claims.clone()).to_string());
        match self.spoil {
            Spoil::AlgNone => format!("{}.{}.", encode(header), encode(payload)),
            Spoil::Nothing => self.sign(&header, &payload),
            Spoil::Signature => {
                let message = format!("{}.{}", encode(header), encode(payload));
                let mut signature = self.key.sign(message.as_bytes()).unwrap_or_default();
                if let Some(byte) = signature.get_mut(8) {
                    *byte ^= 1;
                }
                format!("{message}.{}", encode(signature))
            }
        }
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        match self.key.sign_jws(header, payload) {
            Ok(jws) => jws,
            Err(error) => panic!("the test key cannot sign: {error}"),
        }
    }
}

macro_rules! draft_methods {
    () => {
        /// Sets a header parameter.
        pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
            self.draft.header.insert(name.into(), value.into());
            self
        }

        /// Leaves a header parameter out.
        pub fn without_header(mut self, name: &str) -> Self {
            self.draft.header.remove(name);
            self
        }

        /// Sets a claim.
        pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
            self.draft.claims.insert(name.into(), value.into());
            self
        }

        /// Leaves a claim out.
        pub fn without(mut self, name: &str) -> Self {
            self.draft.claims.remove(name);
            self
        }

        /// Replaces the header's JSON text: for duplicate members and the like.
        pub fn raw_header(mut self, text: impl Into<String>) -> Self {
            self.draft.raw_header = Some(text.into());
            self
        }

        /// Replaces the payload's text.
        pub fn raw_payload(mut self, text: impl Into<String>) -> Self {
            self.draft.raw_payload = Some(text.into());
            self
        }

        /// The header as JSON text, to start a raw one from.
        #[must_use]
        pub fn header_text(&self) -> String {
            Value::Object(self.draft.header.clone()).to_string()
        }

        /// The payload as JSON text, to start a raw one from.
        #[must_use]
        pub fn payload_text(&self) -> String {
            Value::Object(self.draft.claims.clone()).to_string()
        }

        /// Signs with another key; the header stays as it is.
        pub fn signed_by(mut self, key: &DpopKey) -> Self {
            self.draft.key = key.clone();
            self
        }

        /// Flips one bit of the signature.
        pub fn tampered_signature(mut self) -> Self {
            self.draft.spoil = Spoil::Signature;
            self
        }

        /// `alg: none` and an empty signature.
        pub fn alg_none(mut self) -> Self {
            self.draft.spoil = Spoil::AlgNone;
            self
        }

        /// The compact JWS.
        ///
        /// # Panics
        /// When the key cannot sign.
        #[must_use]
        pub fn mint(&self) -> String {
            self.draft.mint()
        }
    };
}

/// An access token in the making: valid for five minutes, for `alice` through client `app` and for the first audience of its
/// server, unless told otherwise. [`without`](Self::without)`("aud")` leaves the audience out.
#[derive(Debug, Clone)]
#[must_use = "a token is made by mint()"]
pub struct TokenMint {
    draft: Draft,
    now: u64,
}

impl TokenMint {
    pub(crate) fn new(issuer: &str, key: &DpopKey, kid: &str, now: u64) -> Self {
        let header = json!({ "typ": "at+jwt", "alg": key.algorithm().name(), "kid": kid });
        let claims = json!({
            "iss": issuer, "sub": "alice", "client_id": "app", "jti": random_id(), "iat": now, "exp": now + 300,
        });
        Self { draft: Draft::new(key, header, claims), now }
    }

    draft_methods!();

    /// The claims, for a token that is not self-contained.
    pub(crate) fn into_claims(self) -> Map<String, Value> {
        self.draft.claims
    }

    /// Binds the token to a certificate by `cnf.x5t#S256`.
    pub fn bound_to_certificate(self, certificate_der: &[u8]) -> Self {
        self.claim("cnf", json!({ "x5t#S256": CertThumbprint::of_der(certificate_der).to_string() }))
    }

    /// Sets `sub`.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Sets `client_id`.
    pub fn client_id(self, client_id: &str) -> Self {
        self.claim("client_id", client_id)
    }

    /// Sets `aud`.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `scope`.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Binds the token to a key by `cnf.jkt`.
    pub fn bound_to(self, key: &DpopKey) -> Self {
        self.claim("cnf", json!({ "jkt": key.thumbprint().to_string() }))
    }

    /// Sets `exp` relative to the server's clock, in seconds; negative for the past.
    pub fn expires_in(self, seconds: i64) -> Self {
        let expires = self.now.saturating_add_signed(seconds);
        self.claim("exp", expires)
    }
}

/// A DPoP proof in the making.
#[derive(Debug, Clone)]
#[must_use = "a proof is made by mint()"]
pub struct ProofMint {
    draft: Draft,
}

/// A proof by this key: for `GET`, with a random `jti`, unless told otherwise. `htu` and `ath` must be given. It is made at
/// the time of the system's clock; [`AuthServer::proof`](crate::AuthServer::proof) follows the clock of a server.
pub fn proof(key: &DpopKey) -> ProofMint {
    ProofMint::new(key, unix_now())
}

impl ProofMint {
    pub(crate) fn new(key: &DpopKey, now: u64) -> Self {
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk() });
        let claims = json!({ "jti": random_id(), "htm": "GET", "iat": now });
        Self { draft: Draft::new(key, header, claims) }
    }

    draft_methods!();

    /// Sets `htm`.
    pub fn method(self, method: &str) -> Self {
        self.claim("htm", method)
    }

    /// Sets `htu`, as it is.
    pub fn url(self, url: &str) -> Self {
        self.claim("htu", url)
    }

    /// Sets `ath` to the hash of this token.
    pub fn for_token(self, token: &str) -> Self {
        self.claim("ath", encode(Sha256::digest(token)))
    }

    /// Sets `iat`, in seconds since the epoch.
    pub fn issued_at(self, seconds: u64) -> Self {
        self.claim("iat", seconds)
    }

    /// Sets `jti`.
    pub fn jti(self, jti: &str) -> Self {
        self.claim("jti", jti)
    }

    /// Sets `nonce`.
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }
}

/// 128 random bits as base64url.
///
/// # Panics
/// When the operating system gives no random bytes.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        panic!("no random bytes");
    }
    encode(bytes)
}

fn unix_now() -> u64 {
    use tower_pop::clock::{Clock, SystemClock};
    SystemClock::default().now()
}
