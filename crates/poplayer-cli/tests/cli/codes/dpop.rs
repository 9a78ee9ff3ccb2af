//! DPoP proofs, and nonces.

use pop_authserver::ProofMint;
use pop_core::jose::encode;
use pop_core::nonce::{NonceKeys, STEP_SECONDS};
use serde_json::Value;

use super::{Case, jws};
use crate::inspect::{NOW, Setup};

pub(super) fn cases(setup: &Setup) -> Vec<Case> {
    let good = || setup.proof();
    let json = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
    let (header, claims) = (json(good().header_text()), json(good().payload_text()));
    let with = |code: &str, proof: &str| Case::dpop(code, &setup.token, proof);
    let mut cases: Vec<_> = jws::malformed(&setup.key, &header, &claims)
        .into_iter()
        .map(|(code, proof)| with(&format!("proof.{code}"), &proof))
        .collect();
    for (code, alg, jwk) in jws::keys(&setup.key) {
        cases.push(with(&format!("proof.{code}"), &good().header("alg", alg).header("jwk", jwk).mint()));
    }
    let mut proof = |code: &str, proof: ProofMint| cases.push(with(code, &proof.mint()));
    proof("", good());
    proof("proof.jwk_missing", good().without_header("jwk"));
    proof("proof.signature", good().tampered_signature());
    proof("proof.missing_claim", good().without("jti"));
    proof("proof.invalid_claim", good().claim("htm", 7));
    proof("proof.jti_length", good().jti(""));
    proof("proof.htm_mismatch", good().method("get"));
    proof("proof.htu_invalid", good().url("/notes"));
    proof("proof.htu_mismatch", good().url("https://api.example/Notes"));
    proof("proof.iat_too_old", good().issued_at(NOW - 120));
    proof("proof.iat_in_future", good().issued_at(NOW + 120));
    proof("proof.iat_milliseconds", good().issued_at(NOW * 1000));
    proof("proof.expired", good().claim("exp", NOW - 120));
    proof("proof.not_yet_valid", good().claim("nbf", NOW + 120));
    proof("proof.ath_missing", good().without("ath"));
    proof("proof.ath_mismatch", good().for_token("another"));
    cases.push(with("proof.not_compact", "garbage"));
    cases.push(Case::new("proof.missing", &["--token", &setup.token]));
    let line = format!("DPoP: {}", good().mint());
    cases.push(with("proof.duplicated", &good().mint()).with(&["-H", &line]));
    cases.push(with("", &good().issued_at(NOW - 120).mint()).with(&["--proof-max-age", "300"]));
    cases.push(with("", &good().issued_at(NOW + 120).mint()).with(&["--clock-skew", "300"]));
    cases.extend(nonces(setup));
    cases
}

fn nonces(setup: &Setup) -> Vec<Case> {
    let key = [7; 32];
    let file = setup.folder.file("nonce.keys", encode(key));
    let fresh = NonceKeys::new([key], "https://api.example").unwrap().issue(NOW / STEP_SECONDS);
    let with =
        |code: &str, proof: ProofMint| Case::dpop(code, &setup.token, &proof.mint()).with(&["--nonce-keys", &file]);
    vec![
        with("", setup.proof().nonce(&fresh)),
        with("nonce.missing", setup.proof()),
        with("nonce.stale", setup.proof().nonce("made-up")),
    ]
}
