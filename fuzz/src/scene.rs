//! A request whose token and proof are signed, made from text. One line each:
//!
//! 1. scheme, method, target and address of the peer;
//! 2. header and 3. claims of the token;
//! 4. header and 5. claims of the proof, both empty for none;
//! 6. seconds from the first use of the request to the second;
//! 7. and on: further fields, `name: value`.
//!
//! `$NOW`, `$JWK`, `$JKT`, `$X5T`, `$ATH`, `$NONCE`, `$CERTIFICATE`, `$TOKEN` and `$PROOF` stand for what is right there.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Request, request::Parts};
use pop_core::jose::encode_standard;
use tower_pop::PeerAddress;

use crate::key::sha256;
use crate::world::{CERTIFICATE, CLIENT_KEY, ISSUER_KEY, NOW, nonce};

pub struct Scene {
    pub parts: Parts,
    pub peer: Option<IpAddr>,
    pub token: String,
    pub token_header: String,
    pub token_claims: String,
    pub proof_header: String,
    pub proof_claims: String,
    pub later: i64,
}

impl Scene {
    /// `None` for what HTTP itself refuses.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_default();
        let mut words = line().split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (scheme, method, target, peer) = (word(), word(), word(), word().parse().ok());

        let (token_header, token_claims) = (fill(line(), "", ""), fill(line(), "", ""));
        let token = ISSUER_KEY.sign(&token_header, &token_claims);
        let (proof_header, proof_claims) = (fill(line(), &token, ""), fill(line(), &token, ""));
        let has_proof = !(proof_header.is_empty() && proof_claims.is_empty());
        let proof = if has_proof { CLIENT_KEY.sign(&proof_header, &proof_claims) } else { String::new() };
        let later = line().parse().unwrap_or(0);

        let mut request =
            Request::builder().method(method).uri(target).header("authorization", format!("{scheme} {token}"));
        if has_proof {
            request = request.header("dpop", &proof);
        }
        for field in lines.take(4) {
            let (name, value) = field.split_once(':')?;
            let value = fill(value.trim(), &token, &proof);
            request = request.header(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        let mut request = request.body(()).ok()?;
        if let Some(peer) = peer {
            request.extensions_mut().insert(PeerAddress(peer));
        }
        let (parts, ()) = request.into_parts();
        Some(Self { parts, peer, token, token_header, token_claims, proof_header, proof_claims, later })
    }
}

fn fill(text: &str, token: &str, proof: &str) -> String {
    if !text.contains('$') {
        return text.to_owned();
    }
    text.replace("$NOW", &NOW.to_string())
        .replace("$JWK", &CLIENT_KEY.jwk())
        .replace("$JKT", &CLIENT_KEY.thumbprint())
        .replace("$X5T", &sha256(CERTIFICATE))
        .replace("$ATH", &sha256(token))
        .replace("$NONCE", &nonce(0))
        .replace("$CERTIFICATE", &encode_standard(CERTIFICATE))
        .replace("$TOKEN", token)
        .replace("$PROOF", proof)
}
