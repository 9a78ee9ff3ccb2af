//! A resource server of its own, with one defect. It is written for these tests, and is an example of nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::routing::any;
use pop_core::access_token::UnverifiedToken;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{Algorithm, DecodedJws, JsonLimits, Jwk, JwkSet, Object, RsaLimits, SharedKey, decode, encode};
use pop_core::policy::TokenPolicy;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// The one nonce of the server.
const NONCE: &str = "the-nonce-of-the-server";

/// What the server fails to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    NoReplayCheck,
    NoAth,
    AthOptional,
    NoHtm,
    HtmIgnoresCase,
    FirstMemberWins,
    NoHtu,
    HtuByPathOnly,
    HtuByPrefix,
    HtuWithQuery,
    NoIat,
    NoMaximumAge,
    IatFromTheFuture,
    AnyTimes,
    AcceptsBearer,
    AcceptsBearerWithProof,
    NoBinding,
    NoProofSignature,
    NoTokenSignature,
    AcceptsPrivateKey,
    AcceptsAlgNone,
    AcceptsHmac,
    NoTyp,
    NoCrit,
    FirstProofOnly,
    FirstTokenOnly,
    TokenInQuery,
    NoProof,
    NoJti,
    SchemeWithCase,
    RejectsUnknownClaims,
    RejectsEverySecond,
    Panics,
    /// Not a defect: nonces are offered, and not required.
    OffersNonces,
    /// Not a defect: nonces are required.
    RequiresNonces,
    AnyNonce,
}

struct Server {
    defect: Defect,
    origin: String,
    keys: JwkSet,
    used: Mutex<HashSet<String>>,
    calls: Mutex<u32>,
}

/// Starts a server with a defect. Returns its URL; it runs as long as the runtime.
pub(crate) async fn start(listener: TcpListener, jwks: &str, defect: Defect) {
    let policy = TokenPolicy::default();
    let (keys, _) = JwkSet::parse(jwks.as_bytes(), policy.algorithms, policy.rsa, policy.backend).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = Server { defect, origin, keys, used: Mutex::default(), calls: Mutex::default() };
    let server = Arc::new(server);
    let handler = any(move |method: Method, uri: Uri, headers: HeaderMap| {
        let server = Arc::clone(&server);
        async move { server.answer(&method, &uri, &headers) }
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/notes", handler)).await });
}

impl Server {
    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> (StatusCode, HeaderMap) {
        let status = self.status(method, uri, headers);
        let mut fields = HeaderMap::new();
        if self.requires_nonces() || self.is(Defect::OffersNonces) {
            fields.insert("dpop-nonce", HeaderValue::from_static(NONCE));
        }
        let proof = headers.get("dpop").and_then(|proof| json(proof.to_str().ok()?.split('.').nth(1)?));
        if self.requires_nonces() && proof.is_some_and(|proof| !self.accepts_nonce(&proof)) {
            fields.insert("www-authenticate", HeaderValue::from_static("DPoP error=\"use_dpop_nonce\""));
        }
        (status, fields)
    }

    fn requires_nonces(&self) -> bool {
        matches!(self.defect, Defect::RequiresNonces | Defect::AnyNonce)
    }

    fn accepts_nonce(&self, claims: &Value) -> bool {
        match claims.get("nonce") {
            None => !self.requires_nonces(),
            Some(nonce) => self.is(Defect::AnyNonce) || !self.requires_nonces() || nonce == NONCE,
        }
    }

    fn status(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> StatusCode {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if self.defect == Defect::RejectsEverySecond && calls.is_multiple_of(2) {
            return StatusCode::UNAUTHORIZED;
        }
        match self.check(method, uri, headers) {
            Some(()) => StatusCode::OK,
            None if self.defect == Defect::Panics && headers.get("dpop").is_none() => StatusCode::INTERNAL_SERVER_ERROR,
            None => StatusCode::UNAUTHORIZED,
        }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<()> {
        let in_query = uri.query().and_then(|query| query.split_once("access_token=")).map(|(_, token)| token);
        let mut fields = headers.get_all("authorization").iter();
        let (scheme, token) = match fields.next() {
            Some(field) => field.to_str().ok()?.split_once(' ')?,
            None if self.is(Defect::TokenInQuery) => ("DPoP", in_query?),
            None => return None,
        };
        (fields.next().is_none() || self.is(Defect::FirstTokenOnly)).then_some(())?;
        let claims = self.token(token)?;
        let has_proof = headers.contains_key("dpop");
        if scheme == "Bearer" {
            let accepts = self.is(Defect::AcceptsBearer) && !has_proof;
            return (accepts || self.is(Defect::AcceptsBearerWithProof) && has_proof).then_some(());
        }
        if self.is(Defect::SchemeWithCase) && scheme != "DPoP" || !scheme.eq_ignore_ascii_case("dpop") {
            return None;
        }
        if !has_proof && self.is(Defect::NoProof) {
            return Some(());
        }
        let mut proofs = headers.get_all("dpop").iter();
        let proof = proofs.next()?.to_str().ok()?;
        (proofs.next().is_none() || self.is(Defect::FirstProofOnly)).then_some(())?;
        self.proof(proof, method, uri, token, &claims)
    }

    fn token(&self, token: &str) -> Option<Value> {
        if !self.is(Defect::NoTokenSignature) {
            let policy = TokenPolicy::default();
            let jws = DecodedJws::parse(token, policy.max_len).ok()?;
            UnverifiedToken::parse(&jws, &policy).ok()?.verify_signature(&self.keys).ok()?;
        }
        json(token.split('.').nth(1)?)
    }

    fn proof(&self, proof: &str, method: &Method, uri: &Uri, token: &str, token_claims: &Value) -> Option<()> {
        let [header_part, payload_part, signature] = proof.split('.').collect::<Vec<_>>().try_into().ok()?;
        let header = json(header_part)?;
        let payload = String::from_utf8(decode(payload_part).ok()?).ok()?;
        let claims: Value = serde_json::from_str(&payload).ok()?;
        let jwk = &header["jwk"];
        (header["typ"] == "dpop+jwt" || self.is(Defect::NoTyp)).then_some(())?;
        (header.get("crit").is_none() || self.is(Defect::NoCrit)).then_some(())?;
        (jwk.get("d").is_none() || self.is(Defect::AcceptsPrivateKey)).then_some(())?;
        let unknown = claims.get("x-own").is_some() && self.is(Defect::RejectsUnknownClaims);
        (!unknown).then_some(())?;
        let message = format!("{header_part}.{payload_part}");
        let thumbprint = self.signature(&header, message.as_bytes(), &decode(signature).ok()?)?;
        let bound = token_claims["cnf"]["jkt"] == thumbprint;
        (bound || self.is(Defect::NoBinding)).then_some(())?;
        self.method(&claims, &payload, method)?;
        self.target(&claims, uri)?;
        self.times(&claims)?;
        self.accepts_nonce(&claims).then_some(())?;
        let ath = encode(Sha256::digest(token));
        match claims.get("ath") {
            _ if self.is(Defect::NoAth) => {}
            None if self.is(Defect::AthOptional) => {}
            found => (found? == &Value::from(ath)).then_some(())?,
        }
        let Some(jti) = claims["jti"].as_str() else {
            return self.is(Defect::NoJti).then_some(());
        };
        (self.used.lock().unwrap().insert(jti.to_owned()) || self.is(Defect::NoReplayCheck)).then_some(())
    }

    /// Verifies the signature, and returns the thumbprint of the key.
    fn signature(&self, header: &Value, message: &[u8], signature: &[u8]) -> Option<String> {
        let text = Value::clone(&header["jwk"]).to_string();
        let mut public: Value = serde_json::from_str(&text).ok()?;
        public.as_object_mut()?.remove("d");
        let public = public.to_string();
        let jwk = Jwk::parse(&Object::parse(public.as_bytes(), JsonLimits::PROOF).ok()?, RsaLimits::default()).ok()?;
        let thumbprint = jwk.key().thumbprint().to_string();
        let alg = header["alg"].as_str()?;
        if alg == "none" {
            return self.is(Defect::AcceptsAlgNone).then_some(thumbprint);
        }
        if alg == "HS256" {
            let accepts =
                self.is(Defect::AcceptsHmac) && SharedKey::new(text.into_bytes()).ok()?.verify(message, signature);
            return accepts.then_some(thumbprint);
        }
        let key = VerifyingKey::new(jwk.key(), Algorithm::from_name(alg)?, CryptoBackend::default()).ok()?;
        let verifies = key.verify(message, signature).is_ok() || self.is(Defect::NoProofSignature);
        verifies.then_some(thumbprint)
    }

    fn method(&self, claims: &Value, payload: &str, method: &Method) -> Option<()> {
        let first = format!("\"htm\":\"{method}\"");
        let found = claims["htm"].as_str();
        let is_right = match self.defect {
            Defect::NoHtm => true,
            Defect::HtmIgnoresCase => found?.eq_ignore_ascii_case(method.as_str()),
            Defect::FirstMemberWins => payload.contains(&first),
            _ => found? == method.as_str(),
        };
        is_right.then_some(())
    }

    fn target(&self, claims: &Value, uri: &Uri) -> Option<()> {
        let wanted = format!("{}{}", self.origin, uri.path());
        let with_query = format!("{}{uri}", self.origin);
        let found = claims["htu"].as_str();
        let is_right = match self.defect {
            Defect::NoHtu => true,
            Defect::HtuByPathOnly => found?.ends_with(&format!("/{}", uri.path().trim_start_matches('/'))),
            Defect::HtuByPrefix => found?.starts_with(&wanted),
            Defect::HtuWithQuery => found? == with_query,
            _ => found? == wanted,
        };
        is_right.then_some(())
    }

    fn times(&self, claims: &Value) -> Option<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        if self.is(Defect::NoIat) {
            return Some(());
        }
        let iat = claims["iat"].as_u64()?;
        (iat + 60 > now || self.is(Defect::NoMaximumAge)).then_some(())?;
        (iat < now + 60 || self.is(Defect::IatFromTheFuture)).then_some(())?;
        let holds =
            claims["exp"].as_u64().is_none_or(|exp| exp > now) && claims["nbf"].as_u64().is_none_or(|nbf| nbf <= now);
        (holds || self.is(Defect::AnyTimes)).then_some(())
    }
}

fn json(segment: &str) -> Option<Value> {
    serde_json::from_slice(&decode(segment).ok()?).ok()
}
