//! What the requests of an attack are made of: one good request, and its parts.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Method};
use pop_authserver::{ProofMint, proof};
use pop_client::reqwest::Url;
use pop_client::{DpopKey, NonceMemory, Role};
use pop_core::jose::{decode, encode};
use serde_json::Value;

use crate::failure::Failure;
use crate::http_client::origin;
use crate::inspect::time::now;
use crate::signed::{DPOP, sensitive};

/// The target, a token and its key, and the key of a thief.
pub(super) struct Requests {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) token: String,
    pub(super) key: DpopKey,
    pub(super) thief: DpopKey,
    pub(super) nonces: NonceMemory,
    pub(super) certificates: Certificates,
}

/// The certificates of an attack on certificate-bound tokens, in DER.
#[derive(Default)]
pub(super) struct Certificates {
    pub(super) own: Vec<u8>,
    /// That of a thief.
    pub(super) thief: Vec<u8>,
}

/// The TLS connection of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// With the certificate of the user, if there is one.
    Own,
    /// Without a certificate.
    Anonymous,
    /// With the certificate of a thief.
    Thief,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) connection: Connection,
}

impl Attempt {
    /// Sends it over this connection.
    pub(super) fn over(mut self, connection: Connection) -> Self {
        self.connection = connection;
        self
    }

    /// Adds a header field.
    pub(super) fn field(mut self, name: &'static str, value: &str) -> Result<Self, Failure> {
        self.headers.append(HeaderName::from_static(name), sensitive(value)?);
        Ok(self)
    }
}

impl Requests {
    /// Returns the URL as a proof names it.
    pub(super) fn htu(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }

    /// Stores the nonce of a response, if it has a usable one.
    pub(super) fn learn_nonce(&self, headers: &HeaderMap) {
        if let Some(origin) = origin(&self.url) {
            let _ = self.nonces.learn(Role::ResourceServer, &origin, headers);
        }
    }

    /// Returns a good proof that is not signed yet.
    pub(super) fn proof(&self) -> ProofMint {
        self.proof_by(&self.key)
    }

    pub(super) fn proof_by(&self, key: &DpopKey) -> ProofMint {
        let proof = proof(key).method(self.method.as_str()).url(&self.htu()).for_token(&self.token).issued_at(now());
        let newest = |origin| self.nonces.newest(Role::ResourceServer, &origin);
        match origin(&self.url).and_then(newest) {
            Some(nonce) => proof.nonce(&nonce),
            None => proof,
        }
    }

    /// Returns a request with this proof.
    pub(super) fn with(&self, proof: &ProofMint) -> Result<Attempt, Failure> {
        self.attempt(&[("DPoP", &self.token)], &[&mint(proof)?])
    }

    /// Returns a request with this token, and a proof for it.
    pub(super) fn with_token(&self, token: &str) -> Result<Attempt, Failure> {
        self.attempt(&[("DPoP", token)], &[&mint(&self.proof().for_token(token))?])
    }

    /// Returns a request with these credentials and proofs.
    pub(super) fn attempt(&self, credentials: &[(&str, &str)], proofs: &[&str]) -> Result<Attempt, Failure> {
        let mut headers = HeaderMap::new();
        for (scheme, token) in credentials {
            headers.append(AUTHORIZATION, sensitive(&format!("{scheme} {token}"))?);
        }
        for proof in proofs {
            headers.append(DPOP, sensitive(proof)?);
        }
        Ok(Attempt { url: self.url.clone(), headers, connection: Connection::Own })
    }

    /// Returns the token with a changed signature; an opaque token with a changed character.
    pub(super) fn token_with_another_signature(&self) -> String {
        let flipped = self.token.rsplit_once('.').and_then(|(signed, signature)| {
            let mut signature = decode(signature).ok()?;
            *signature.get_mut(8)? ^= 1;
            Some(format!("{signed}.{}", encode(signature)))
        });
        flipped.unwrap_or_else(|| {
            let other = if self.token.ends_with('A') { 'B' } else { 'A' };
            let mut token = self.token.clone();
            token.pop();
            token.push(other);
            token
        })
    }

    /// Returns the token with changed header or claims and the old signature. `None` if it is opaque.
    pub(super) fn token_with(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Option<[String; 3]> {
        let mut segments = self.token.split('.');
        let mut json = || serde_json::from_slice::<Value>(&decode(segments.next()?).ok()?).ok();
        let (mut header, mut claims) = (json()?, json()?);
        let signature = segments.next()?.to_owned();
        change(&mut header, &mut claims);
        Some([encode(header.to_string()), encode(claims.to_string()), signature])
    }
}

/// Signs a proof.
pub(super) fn mint(proof: &ProofMint) -> Result<String, Failure> {
    proof.try_mint().map_err(|error| Failure::failed(error.to_string()))
}
