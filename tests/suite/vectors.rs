//! `tests/vectors/*.json`: requests with fixed bytes, keys and time, and the expected results. Any implementation can run
//! them. `POPLAYER_WRITE_VECTORS=1 cargo test -p poplayer vectors` signs them anew.

use std::path::PathBuf;
use std::sync::Arc;

use pop_core::jose::crypto::CryptoBackend;
use serde_json::{Value, json};
use tower_pop::clock::ManualClock;
use tower_pop::{IssuerConfig, PopConfig, Verification};

use crate::support::{AUDIENCE, ISSUER, NOW, URL, api};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/dpop.json")
}

/// Requests with the defects that a resource server must find.
fn sign() -> Value {
    let api = api();
    let token = api.token().mint();
    let good = || api.proof(&token);
    let thief = pop_authserver::DpopKey::generate(pop_authserver::Algorithm::ES256).unwrap();
    let by_thief = pop_authserver::proof(&thief).url(URL).for_token(&token).issued_at(NOW).mint();
    let with_token = |token: String| (token.clone(), api.proof(&token).mint());
    let with_proof = |proof: String| (token.clone(), proof);
    let mut private = api.key.public_jwk();
    private["d"] = "AA".into();
    let cases = [
        ("a good request", "DPOP-10", with_proof(good().mint()), 200, Value::Null),
        (
            "htu with query and fragment",
            "DPOP-14",
            with_proof(good().url(&format!("{URL}?a#b")).mint()),
            200,
            Value::Null,
        ),
        (
            "htu in upper case with port",
            "DPOP-15",
            with_proof(good().url("HTTPS://API.EXAMPLE:443/notes").mint()),
            200,
            Value::Null,
        ),
        ("typ", "DPOP-04", with_proof(good().header("typ", "JWT").mint()), 401, json!("proof.typ")),
        ("alg none", "DPOP-05", with_proof(good().header("alg", "none").mint()), 401, json!("proof.alg")),
        ("private key", "DPOP-07", with_proof(good().header("jwk", private).mint()), 401, json!("proof.jwk_private")),
        ("signature", "DPOP-10", with_proof(good().tampered_signature().mint()), 401, json!("proof.signature")),
        ("no jti", "DPOP-11", with_proof(good().without("jti").mint()), 401, json!("proof.missing_claim")),
        ("htm", "DPOP-12", with_proof(good().method("POST").mint()), 401, json!("proof.htm_mismatch")),
        (
            "htu",
            "DPOP-16",
            with_proof(good().url("https://api.example/Notes").mint()),
            401,
            json!("proof.htu_mismatch"),
        ),
        ("iat too old", "DPOP-22", with_proof(good().issued_at(NOW - 61).mint()), 401, json!("proof.iat_too_old")),
        (
            "iat in the future",
            "DPOP-22",
            with_proof(good().issued_at(NOW + 31).mint()),
            401,
            json!("proof.iat_in_future"),
        ),
        ("crit", "DPOP-26", with_proof(good().header("crit", json!(["x"])).mint()), 401, json!("proof.crit")),
        ("ath", "DPOP-27", with_proof(good().for_token("x").mint()), 401, json!("proof.ath_mismatch")),
        ("another key", "DPOP-28", with_proof(by_thief), 401, json!("binding.key_mismatch")),
        ("unbound token", "DPOP-29", with_token(api.token().without("cnf").mint()), 401, json!("confirmation.missing")),
        (
            "unknown confirmation",
            "CNF-03",
            with_token(api.token().claim("cnf", json!({ "foo": 1 })).mint()),
            401,
            json!("confirmation.no_known_method"),
        ),
        (
            "audience",
            "ATK-10",
            with_token(api.token().audience("https://other.example").mint()),
            401,
            json!("token.audience"),
        ),
        ("expired", "ATK-13", with_token(api.token().expires_in(-60).mint()), 401, json!("token.expired")),
        (
            "token signature",
            "ATK-11",
            with_token(api.token().tampered_signature().mint()),
            401,
            json!("token.signature"),
        ),
    ];
    let vectors = cases.map(|(name, row, (token, proof), status, code)| {
        json!({ "name": name, "row": row, "authorization": format!("DPoP {token}"), "dpop": proof, "status": status, "code": code })
    });
    let jwks: Value = serde_json::from_str(&api.server.jwks_json()).unwrap();
    json!({
        "now": NOW, "issuer": ISSUER, "audience": AUDIENCE, "method": "GET", "url": URL,
        "proof_max_age": 60, "clock_skew": 30, "jwks": jwks, "vectors": vectors,
    })
}

/// Each vector names the requirement that it proves.
#[test]
fn every_vector_gives_its_expected_result_on_both_backends() {
    if std::env::var_os("POPLAYER_WRITE_VECTORS").is_some() {
        std::fs::write(file(), format!("{:#}\n", sign())).unwrap();
    }
    let suite: Value = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for backend in CryptoBackend::COMPILED_IN {
        let issuer = IssuerConfig::new(text(&suite["issuer"])).static_jwks(suite["jwks"].to_string());
        let clock = Arc::new(ManualClock::at(suite["now"].as_u64().unwrap()));
        let builder = PopConfig::builder(issuer, text(&suite["audience"])).clock(clock).crypto_backend(*backend);
        let cfg = builder.build().unwrap();
        let vectors = suite["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 20);
        for vector in vectors {
            let request = http::Request::builder()
                .method(suite["method"].as_str().unwrap())
                .uri(suite["url"].as_str().unwrap())
                .header("authorization", text(&vector["authorization"]))
                .header("dpop", text(&vector["dpop"]))
                .body(())
                .unwrap();
            let Verification::Now(verdict) = cfg.verify(&request.into_parts().0) else { panic!("static keys") };
            let (status, code) = match verdict.into_verdict() {
                Ok(_) => (200, None),
                Err(rejection) => (rejection.status().as_u16(), Some(rejection.error().code())),
            };
            assert_eq!((json!(status), json!(code)), (vector["status"].clone(), vector["code"].clone()), "{vector}");
        }
    }
}
