//! What was found in a request, and what was wanted.

use pop_core::credentials::Scheme;
use pop_core::jose::{JsonLimits, Jwk, Object, RsaLimits, encode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::request::Inspected;
use super::resource::Resource;
use crate::json::Decoded;

/// The values that checks compare.
pub(super) struct Values<'r> {
    request: &'r Inspected,
    resource: &'r Resource<'r>,
    now: u64,
    pub(super) token: Decoded,
    /// The DPoP proof, or the signed HTTP request.
    pub(super) proof: Option<Decoded>,
}

/// A value that was found, and one that was wanted.
type Pair = (Option<String>, Option<String>);

impl<'r> Values<'r> {
    pub(super) fn new(request: &'r Inspected, resource: &'r Resource<'r>, now: u64) -> Self {
        let proof = request.envelope().or_else(|| request.dpop().map(Decoded::of));
        Self { request, resource, now, token: Decoded::of(&request.token()), proof }
    }

    /// Returns what only the server knows: whether the proof was used before and, without its keys, whether it wants a nonce.
    pub(super) fn not_checked(&self) -> Vec<&'static str> {
        if self.resource.asks_for("nonce") { vec!["replay"] } else { vec!["replay", "nonce"] }
    }

    /// Returns the values that a check compares, if they are single ones.
    pub(super) fn of(&self, check: &str) -> Pair {
        let (token, wanted) = (&self.token, |text: &str| Some(text.to_owned()));
        match check {
            "authorization" => (Some(self.request.scheme().map_or("no known scheme", Scheme::name).to_owned()), None),
            "proof-typ" => (self.parameter("typ"), wanted("dpop+jwt")),
            "proof-alg" => (self.parameter("alg"), Some(self.resource.policy.dpop.algorithms.names())),
            "htm" => (self.claim("htm"), wanted(self.request.parts.method.as_str())),
            "htu" => (self.claim("htu"), self.request.url.split(['?', '#']).next().and_then(wanted)),
            "ath" => (self.claim("ath"), Some(encode(Sha256::digest(self.request.token())))),
            "proof-times" => (self.claim("iat").map(|iat| self.at(&iat)), self.window()),
            "nonce" => (self.claim("nonce"), None),
            "envelope-method" => (self.claim("m"), wanted(self.request.parts.method.as_str())),
            "envelope-target" => (self.claim("p"), wanted(self.request.parts.uri.path())),
            "envelope-times" => (self.claim("ts").map(|ts| self.at(&ts)), None),
            "token-typ" => (token.parameter("typ"), wanted("at+jwt")),
            "token-alg" => (token.parameter("alg"), None),
            "token-issuer" => (token.claim("iss"), wanted(&self.resource.issuer)),
            "token-key" => (token.parameter("kid").map(|kid| format!("kid {kid}")), None),
            "token-audience" => (token.claim("aud"), wanted(&self.resource.audience)),
            "token-times" => (self.token_times(), Some(format!("now {}", self.now))),
            "token-cnf" | "bound" | "bound-to-proof" | "bound-key" | "certificate" => (token.claim("cnf"), None),
            "binding" => (self.proof_thumbprint(), token.claim("cnf")),
            "scope" => (token.claim("scope"), None),
            _ => (None, None),
        }
    }

    fn claim(&self, name: &str) -> Option<String> {
        self.proof.as_ref()?.claim(name)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.proof.as_ref()?.parameter(name)
    }

    fn at(&self, time: &str) -> String {
        match time.parse::<u64>() {
            Ok(seconds) if seconds > self.now => format!("{time}, {} s in the future", seconds - self.now),
            Ok(seconds) => format!("{time}, {} s in the past", self.now - seconds),
            Err(_) => time.to_owned(),
        }
    }

    fn window(&self) -> Option<String> {
        let policy = &self.resource.policy.dpop;
        let (age, skew) = (policy.max_age.as_secs(), policy.clock_skew.as_secs());
        Some(format!("at most {age} s in the past and {skew} s in the future; now is {}", self.now))
    }

    fn token_times(&self) -> Option<String> {
        let names = ["iat", "nbf", "exp"];
        let found = names.iter().filter_map(|name| Some(format!("{name} {}", self.at(&self.token.claim(name)?))));
        let found: Vec<_> = found.collect();
        (!found.is_empty()).then(|| found.join("; "))
    }

    /// Returns the thumbprint of the key in the proof.
    fn proof_thumbprint(&self) -> Option<String> {
        let proof = self.proof.as_ref()?;
        let jwk: &Value = proof.header.get("jwk").or_else(|| proof.claims.get("cnf")?.get("jwk"))?;
        let text = jwk.to_string();
        let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).ok()?;
        let jwk = Jwk::parse(&object, RsaLimits::up_to(8192)).ok()?;
        Some(format!("a proof by the key {}", jwk.key().thumbprint()))
    }
}
