//! Tokens that are bound to a key, and DPoP proofs (RFC 9449).

use pop_authserver::ProofMint;
use pop_core::jose::{SharedKey, encode};
use serde_json::json;

use super::{Must, Vector, When, one, vectors};
use crate::attack::requests::{Attempt, Requests, mint};
use crate::failure::Failure;
use crate::inspect::time::now;

/// An hour is outside of every reasonable window.
const HOUR: u64 = 3600;

fn with(requests: &Requests, change: impl FnOnce(ProofMint) -> ProofMint) -> Result<Option<Vec<Attempt>>, Failure> {
    Ok(Some(vec![requests.with(&change(requests.proof()))?]))
}

fn other_url(requests: &Requests, change: impl FnOnce(&mut pop_client::reqwest::Url)) -> String {
    let mut url = requests.url.clone();
    url.set_query(None);
    change(&mut url);
    url.to_string()
}

pub(in crate::attack) const DPOP: &[Vector] = vectors! {
    // the credentials
    Accept Always "good": "a good request", "RFC 9449 §7", |requests| with(requests, |good| good);
    Accept Always "scheme-case": "the scheme in lower case", "RFC 9110 §11.1", |requests| one(requests.attempt(&[("dpop", &requests.token)], &[&mint(&requests.proof())?]));
    Reject Always "no-credentials": "neither token nor proof", "RFC 9449 §7.1", |requests| one(requests.attempt(&[], &[]));
    Reject Always "no-token": "a proof without a token", "RFC 9449 §7.1", |requests| one(requests.attempt(&[], &[&mint(&requests.proof())?]));
    Reject Always "no-proof": "the token without a proof", "RFC 9449 §7.1", |requests| one(requests.attempt(&[("DPoP", &requests.token)], &[]));
    Reject Always "bearer": "the token as Bearer, as thieves send it", "RFC 9449 §7.2", |requests| one(requests.attempt(&[("Bearer", &requests.token)], &[]));
    Reject Always "bearer-proof": "the token as Bearer, with a proof", "RFC 9449 §7.2", |requests| one(requests.attempt(&[("Bearer", &requests.token)], &[&mint(&requests.proof())?]));
    Reject Always "query-token": "the token in the query, with a proof", "RFC 9700 §4.3.2", query_token;
    Reject Always "two-proofs": "two proofs", "RFC 9449 §4.3 (1)", |requests| one(requests.attempt(&[("DPoP", &requests.token)], &[&mint(&requests.proof())?, &mint(&requests.proof())?]));
    Reject Always "two-tokens": "the token twice", "RFC 9110 §11.6.2", |requests| one(requests.attempt(&[("DPoP", &requests.token), ("DPoP", &requests.token)], &[&mint(&requests.proof())?]));
    // the header of the proof
    Accept Always "unknown-parameters": "an unknown header parameter and an unknown claim", "RFC 7515 §4, RFC 7519 §4", |requests| with(requests, |good| good.header("x-own", 1).claim("x-own", 1));
    Reject Always "garbage": "a proof that is no JWS", "RFC 9449 §4.3 (2)", |requests| one(requests.attempt(&[("DPoP", &requests.token)], &["garbage"]));
    Reject Always "typ-missing": "no `typ`", "RFC 9449 §4.3 (4)", |requests| with(requests, |good| good.without_header("typ"));
    Reject Always "typ-other": "`typ` of another kind of JWT", "RFC 9449 §4.3 (4)", |requests| with(requests, |good| good.header("typ", "JWT"));
    Reject Always "alg-none": "`alg` is `none`, without a signature", "RFC 9449 §4.3 (5)", |requests| with(requests, ProofMint::alg_none);
    Reject Always "alg-hmac": "`alg` is `HS256`, with the public key as the secret", "RFC 9449 §4.3 (5)", hmac;
    Reject Always "jwk-missing": "no `jwk`", "RFC 9449 §4.3 (3)", |requests| with(requests, |good| good.without_header("jwk"));
    Reject Always "jwk-private": "`jwk` has a private member", "RFC 9449 §4.3 (7)", private_key;
    Reject Always "crit": "`crit` names an unknown extension", "RFC 7515 §4.1.11", |requests| with(requests, |good| good.header("crit", json!(["x-own"])).header("x-own", 1));
    // its signature and its key
    Reject Always "signature": "a flipped bit in the signature", "RFC 9449 §4.3 (6)", |requests| with(requests, ProofMint::tampered_signature);
    Reject Always "signature-stranger": "signed by another key than `jwk`", "RFC 9449 §4.3 (6)", |requests| with(requests, |good| good.signed_by(&requests.thief));
    Reject Always "payload": "claims that were changed after signing", "RFC 9449 §4.3 (6)", changed_payload;
    Reject Always "other-key": "a proof by the key of a thief", "RFC 9449 §4.3 (12)", |requests| one(requests.with(&requests.proof_by(&requests.thief)));
    // its claims
    Reject Always "htm-missing": "no `htm`", "RFC 9449 §4.3 (3)", |requests| with(requests, |good| good.without("htm"));
    Reject Always "htm-other": "a proof for another method", "RFC 9449 §4.3 (8)", |requests| with(requests, |good| good.method(if requests.method == "PUT" { "GET" } else { "PUT" }));
    Reject Always "htm-case": "the method in lower case", "RFC 9110 §9.1", |requests| with(requests, |good| good.method(&requests.method.as_str().to_ascii_lowercase()));
    Reject Always "htm-twice": "`htm` twice, the second time with another method", "RFC 7519 §4", htm_twice;
    Accept Always "query": "a request with a query, and `htu` without it", "RFC 9449 §4.3 (9)", query;
    Reject Always "htu-missing": "no `htu`", "RFC 9449 §4.3 (3)", |requests| with(requests, |good| good.without("htu"));
    Reject Always "htu-path": "a proof for another path", "RFC 9449 §4.3 (9)", |requests| with(requests, |good| good.url(&other_url(requests, |url| url.set_path("/poplayer-other"))));
    Reject Always "htu-below": "a proof for a path below", "RFC 9449 §4.3 (9)", |requests| with(requests, |good| good.url(&other_url(requests, |url| url.set_path(&format!("{}/poplayer-other", url.path().trim_end_matches('/'))))));
    Reject Always "htu-host": "a proof for another host", "RFC 9449 §4.3 (9)", |requests| with(requests, |good| good.url(&other_url(requests, |url| { let _ = url.set_host(Some("other.example")); })));
    Reject Always "htu-scheme": "a proof for http instead of https, or the other way round", "RFC 9449 §4.3 (9)", |requests| with(requests, |good| good.url(&other_scheme(requests)));
    Accept Always "iat-recent": "a proof that is 5 s old", "RFC 9449 §4.3 (11)", |requests| with(requests, |good| good.issued_at(now() - 5));
    Reject Always "iat-missing": "no `iat`", "RFC 9449 §4.3 (3)", |requests| with(requests, |good| good.without("iat"));
    Reject Always "iat-old": "a proof that is an hour old", "RFC 9449 §4.3 (11)", |requests| with(requests, |good| good.issued_at(now() - HOUR));
    Reject Always "iat-future": "a proof from an hour in the future", "RFC 9449 §4.3 (11)", |requests| with(requests, |good| good.issued_at(now() + HOUR));
    Reject Always "iat-string": "`iat` as a string", "RFC 7519 §4.1.6", |requests| with(requests, |good| good.claim("iat", now().to_string()));
    Reject Always "exp": "a proof whose `exp` has passed an hour ago", "RFC 7519 §4.1.4", |requests| with(requests, |good| good.claim("exp", now() - HOUR));
    Reject Always "nbf": "a proof whose `nbf` is in an hour", "RFC 7519 §4.1.5", |requests| with(requests, |good| good.claim("nbf", now() + HOUR));
    Reject Always "ath-missing": "no `ath`", "RFC 9449 §4.3 (12)", |requests| with(requests, |good| good.without("ath"));
    Reject Always "ath-other": "`ath` of another token", "RFC 9449 §4.3 (12)", |requests| with(requests, |good| good.for_token("another"));
    Reject Always "jti-missing": "no `jti`", "RFC 9449 §4.3 (3)", |requests| with(requests, |good| good.without("jti"));
    Accept Always "two-requests": "two requests with a proof each", "RFC 9449 §11.1", |requests| Ok(Some(vec![requests.with(&requests.proof())?, requests.with(&requests.proof())?]));
    Reject Always "replay": "a proof that was used before", "RFC 9449 §11.1", |requests| { let attempt = requests.with(&requests.proof())?; Ok(Some(vec![attempt.clone(), attempt])) };
    Accept Nonces "nonce": "a proof with the nonce of the server", "RFC 9449 §9", |requests| with(requests, |good| good);
    Reject Nonces "nonce-missing": "no nonce", "RFC 9449 §4.3 (10)", |requests| with(requests, |good| good.without("nonce"));
    Reject Nonces "nonce-other": "a nonce that the server did not make", "RFC 9449 §4.3 (10)", |requests| with(requests, |good| good.nonce("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    // the token
    Reject Always "token-garbage": "a token that was not issued", "RFC 6750 §3.1", |requests| one(requests.with_token("garbage"));
    Reject Always "token-signature": "a token with a flipped bit in its signature", "RFC 9068 §4", |requests| one(requests.with_token(&requests.token_with_another_signature()));
    Reject Always "token-alg-none": "the claims of the token with `alg` `none`", "RFC 9068 §4", token_without_signature;
    Reject Always "token-rebound": "the token with the key of a thief in `cnf`", "RFC 9068 §4", rebound_token;
    Accept Always "good-again": "a good request after all of these", "RFC 9449 §7", |requests| with(requests, |good| good);
};

fn query_token(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let mut attempt = requests.attempt(&[], &[&mint(&requests.proof())?])?;
    attempt.url.query_pairs_mut().append_pair("access_token", &requests.token);
    Ok(Some(vec![attempt]))
}

fn query(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let mut attempt = requests.with(&requests.proof())?;
    attempt.url.query_pairs_mut().append_pair("poplayer", "1");
    Ok(Some(vec![attempt]))
}

/// A server that takes the public key for a symmetric one verifies this (RFC 8725 §2.1).
fn hmac(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let proof = requests.proof().header("alg", "HS256");
    let message = format!("{}.{}", encode(proof.header_text()), encode(proof.payload_text()));
    let secret = SharedKey::new(requests.key.public_jwk().to_string().into_bytes());
    let mac = secret.map_err(|error| Failure::failed(error.to_string()))?.sign(message.as_bytes());
    one(requests.attempt(&[("DPoP", &requests.token)], &[&format!("{message}.{}", encode(mac))]))
}

/// The private member is none that belongs to the key: the key itself never leaves the program.
fn private_key(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let mut jwk = requests.key.public_jwk();
    jwk["d"] = encode([1; 32]).into();
    with(requests, |good| good.header("jwk", jwk))
}

fn changed_payload(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let proof = requests.proof();
    let signed = mint(&proof)?;
    let changed = encode(proof.claim("jti", "changed-after-signing").payload_text());
    let mut segments = signed.split('.');
    let (header, signature) = (segments.next().unwrap_or_default(), segments.nth(1).unwrap_or_default());
    one(requests.attempt(&[("DPoP", &requests.token)], &[&format!("{header}.{changed}.{signature}")]))
}

/// Parsers reject this, or take the last member.
fn htm_twice(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let other = if requests.method == "PUT" { "GET" } else { "PUT" };
    let payload = requests.proof().payload_text();
    let twice = format!("{},\"htm\":\"{other}\"}}", payload.trim_end_matches('}'));
    with(requests, |good| good.raw_payload(twice))
}

fn other_scheme(requests: &Requests) -> String {
    let htu = requests.htu();
    match htu.strip_prefix("https:") {
        Some(rest) => format!("http:{rest}"),
        None => htu.replacen("http:", "https:", 1),
    }
}

fn token_without_signature(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let Some([header, claims, _]) = requests.token_with(|header, _| header["alg"] = "none".into()) else {
        return Ok(None);
    };
    one(requests.with_token(&format!("{header}.{claims}.")))
}

fn rebound_token(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let thumbprint = requests.thief.thumbprint().to_string();
    let Some([header, claims, signature]) =
        requests.token_with(|_, claims| claims["cnf"] = json!({ "jkt": thumbprint }))
    else {
        return Ok(None);
    };
    let token = format!("{header}.{claims}.{signature}");
    one(requests.attempt(&[("DPoP", &token)], &[&mint(&requests.proof_by(&requests.thief).for_token(&token))?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::requests::Certificates;
    use pop_client::{Algorithm, DpopKey, NonceMemory};

    fn requests(token: &str) -> Requests {
        let key = || DpopKey::generate(Algorithm::ES256).unwrap();
        let url = "http://127.0.0.1:1/notes".parse().unwrap();
        Requests {
            method: http::Method::GET,
            url,
            token: token.to_owned(),
            key: key(),
            thief: key(),
            nonces: NonceMemory::default(),
            certificates: Certificates::default(),
        }
    }

    #[test]
    fn the_corpus_is_bounded_and_begins_and_ends_with_good_requests() {
        let good = |vector: Option<&Vector>| vector.is_some_and(|vector| vector.must == Must::Accept);
        assert!(good(DPOP.first()) && good(DPOP.last()) && DPOP.len() <= 64);
        for vector in DPOP {
            assert_eq!(DPOP.iter().filter(|other| other.name == vector.name).count(), 1, "{}", vector.name);
            let attempts = (vector.attempts)(&requests("opaque")).unwrap();
            assert!(attempts.is_none_or(|attempts| (1..=2).contains(&attempts.len())), "{}", vector.name);
        }
    }

    /// A private key never leaves the program, whatever the server accepts.
    #[test]
    fn no_request_has_a_private_key_of_the_run() {
        let requests = requests("opaque");
        let der = requests.key.to_pkcs8_der().unwrap();
        // The private scalar of P-256 is an octet string of 32 octets (RFC 5915 §3).
        let start = der.windows(5).position(|octets| octets == [2, 1, 1, 4, 32]).unwrap() + 5;
        let private = encode(&der[start..start + 32]);
        let has_key = |text: &str| {
            let decoded = |part: &str| {
                pop_core::jose::decode(part).is_ok_and(|json| String::from_utf8_lossy(&json).contains(&private))
            };
            text.contains(&private) || text.split(['.', ' ']).any(decoded)
        };
        assert!(has_key(&format!("DPoP {}.x.y", encode(format!(r#"{{"d":"{private}"}}"#)))), "the check finds a key");
        for vector in DPOP {
            for attempt in (vector.attempts)(&requests).unwrap().into_iter().flatten() {
                for value in attempt.headers.values() {
                    assert!(!has_key(value.to_str().unwrap()), "{}", vector.name);
                }
            }
        }
    }
}
