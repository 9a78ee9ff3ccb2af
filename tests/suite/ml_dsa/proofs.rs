//! Proofs whose key is one of ML-DSA.

use pop_authserver::{Algorithm, DpopKey, ProofMint};
use serde_json::{Value, json};

use super::{ALL, api_for_proofs};
use crate::support::{Api, Expected, api, proof_for};

/// A valid proof with a header parameter that was changed.
fn with_jwk(proof: ProofMint, change: impl FnOnce(&mut Value)) -> ProofMint {
    let header: Value = serde_json::from_str(&proof.header_text()).unwrap();
    let mut jwk = header["jwk"].clone();
    change(&mut jwk);
    proof.header("jwk", jwk)
}

#[track_caller]
fn public(jwk: &Value) -> String {
    jwk["pub"].as_str().unwrap().to_owned()
}

/// DPOP-05, DPOP-44: each algorithm, once.
#[tokio::test]
async fn accepts_a_proof_of_each_algorithm_once() {
    for algorithm in ALL {
        let api = api_for_proofs(algorithm, |builder| builder);
        let token = api.token().mint();
        let proof = api.proof(&token).mint();
        let verified = api.with(&token, &proof).await.is(Expected::Ok, algorithm.name()).token.unwrap();
        assert_eq!(verified.proof().key_thumbprint(), Some(&api.key.thumbprint()));
        api.with(&token, &proof).await.is(Expected::Proof, "again").coded("replay.replayed", "again");
        api.with_proof(|proof| proof).await.is(Expected::Ok, "another proof");
        let altered = api.proof(&token).tampered_signature().mint();
        api.with(&token, &altered).await.is(Expected::Proof, "altered").coded("proof.signature", "altered");
        let other = DpopKey::generate(algorithm).unwrap();
        let foreign = api.proof(&token).signed_by(&other).mint();
        api.with(&token, &foreign).await.is(Expected::Proof, "foreign").coded("proof.signature", "foreign");
    }
}

/// DPOP-44, JOSE-23: `alg` is required, and a key serves the algorithm that it names alone.
#[tokio::test]
async fn rejects_a_key_that_is_not_for_the_algorithm_of_the_header() {
    let api = api_for_proofs(Algorithm::MlDsa44, |builder| builder.proof_algorithms(ALL));
    let elliptic = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
    let larger = DpopKey::generate(Algorithm::MlDsa65).unwrap().public_jwk();
    type Change = Box<dyn Fn(ProofMint) -> ProofMint>;
    let rows: Vec<(&str, Change, &str)> = vec![
        ("another alg in the header", Box::new(|proof| proof.header("alg", "ML-DSA-65")), "proof.jwk_algorithm"),
        (
            "another alg in the key",
            Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!("ML-DSA-65"))),
            "proof.jwk_member",
        ),
        ("a key of another set", Box::new(move |proof| proof.header("jwk", larger.clone())), "proof.jwk_algorithm"),
        (
            "another alg in both",
            Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!("ML-DSA-65")).header("alg", "ML-DSA-65")),
            "proof.jwk_member",
        ),
        (
            "no alg",
            Box::new(|p| with_jwk(p, |jwk| drop(jwk.as_object_mut().unwrap().remove("alg")))),
            "proof.jwk_member",
        ),
        ("alg of another kind", Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!("ES256"))), "proof.jwk_algorithm"),
        ("an unknown alg", Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!("ML-DSA-4"))), "proof.jwk_algorithm"),
        ("alg in lower case", Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!("ml-dsa-44"))), "proof.jwk_algorithm"),
        ("alg is a number", Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!(44))), "proof.jwk_member"),
        ("alg is null", Box::new(|p| with_jwk(p, |jwk| jwk["alg"] = json!(null))), "proof.jwk_member"),
        ("another kty", Box::new(|p| with_jwk(p, |jwk| jwk["kty"] = json!("OKP"))), "proof.jwk_crv"),
        ("kty in lower case", Box::new(|p| with_jwk(p, |jwk| jwk["kty"] = json!("akp"))), "proof.jwk_kty"),
        ("an elliptic curve key", Box::new(move |proof| proof.header("jwk", elliptic.clone())), "proof.jwk_algorithm"),
        ("an elliptic curve header", Box::new(|proof| proof.header("alg", "ES256")), "proof.alg"),
        ("use", Box::new(|p| with_jwk(p, |jwk| jwk["use"] = json!("enc"))), "proof.jwk_usage"),
    ];
    for (row, change, code) in rows {
        let answer = api.with_proof(change).await.is(Expected::Proof, row);
        answer.coded(code, row);
    }
    let stray = |jwk: &mut Value| jwk["crv"] = json!("P-256");
    api.with_proof(|proof| with_jwk(proof, stray)).await.is(Expected::Ok, "unknown members are ignored");
}

/// DPOP-44, JOSE-01: the exact length of the key, in the only encoding.
#[tokio::test]
async fn rejects_a_key_of_another_length_or_encoding() {
    for algorithm in ALL {
        let api = api_for_proofs(algorithm, |builder| builder);
        let key = public(&api.key.public_jwk());
        let mut short = pop_core::jose::decode(&key).unwrap();
        let long = [&short[..], &[0]].concat();
        short.pop();
        for (row, wrong) in [
            ("one byte short", pop_core::jose::encode(&short)),
            ("one byte long", pop_core::jose::encode(&long)),
            ("one character short", key[1..].to_owned()),
            ("padding", format!("{key}=")),
            ("padding instead of the last character", format!("{}=", &key[1..])),
            ("standard alphabet", format!("+/{}", &key[2..])),
            ("a space", format!(" {}", &key[1..])),
            ("empty", String::new()),
        ] {
            let answer = api.with_proof(|proof| with_jwk(proof, |jwk| jwk["pub"] = json!(wrong))).await;
            answer.is(Expected::Proof, row).coded("proof.jwk_member", &format!("{algorithm} {row}"));
        }
        for wrong in [json!(null), json!(1), json!([key]), json!({})] {
            let answer = api.with_proof(|proof| with_jwk(proof, |jwk| jwk["pub"] = wrong)).await;
            answer.is(Expected::Proof, "type").coded("proof.jwk_member", algorithm.name());
        }
        let without = |jwk: &mut Value| drop(jwk.as_object_mut().unwrap().remove("pub"));
        let answer = api.with_proof(|proof| with_jwk(proof, without)).await;
        answer.is(Expected::Proof, "no pub").coded("proof.jwk_member", algorithm.name());
        api.with_proof(|proof| with_jwk(proof, |jwk| jwk["pub"] = json!(key))).await.is(Expected::Ok, "the twin");
    }
}

/// JOSE-01, DPOP-44: unused bits of the last character are zero. 1312 bytes leave four, 1952 bytes two and 2592 bytes none.
#[tokio::test]
async fn rejects_a_key_with_stray_bits() {
    for (algorithm, is_stray) in [(Algorithm::MlDsa44, true), (Algorithm::MlDsa65, true), (Algorithm::MlDsa87, false)] {
        let api = api_for_proofs(algorithm, |builder| builder);
        let key = public(&api.key.public_jwk());
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(key.chars().last().unwrap()).unwrap();
        let next = alphabet.chars().nth((last + 1) % 64).unwrap();
        let changed = format!("{}{next}", &key[..key.len() - 1]);
        let answer = api.with_proof(|proof| with_jwk(proof, |jwk| jwk["pub"] = json!(changed))).await;
        // Without unused bits it is another key, whose signature this is not.
        let code = if is_stray { "proof.jwk_member" } else { "proof.signature" };
        answer.is(Expected::Proof, algorithm.name()).coded(code, algorithm.name());
    }
}

/// DPOP-44, JOSE-01: the exact length of the signature.
#[tokio::test]
async fn rejects_a_signature_of_another_length() {
    for algorithm in ALL {
        let api = api_for_proofs(algorithm, |builder| builder);
        let token = api.token().mint();
        let proof = api.proof(&token).mint();
        let (message, signature) = proof.rsplit_once('.').unwrap();
        let bytes = pop_core::jose::decode(signature).unwrap();
        let with = |bytes: &[u8]| format!("{message}.{}", pop_core::jose::encode(bytes));
        for (row, wrong) in [
            ("one byte short", with(&bytes[..bytes.len() - 1])),
            ("without the first byte", with(&bytes[1..])),
            ("one byte long", with(&[&bytes[..], &[0]].concat())),
            ("64 bytes", with(&bytes[..64])),
            ("zeros", with(&vec![0; bytes.len()])),
        ] {
            let answer = api.with(&token, &wrong).await.is(Expected::Proof, row);
            answer.coded("proof.signature", &format!("{algorithm} {row}"));
        }
        let padded = api.with(&token, &format!("{proof}=")).await.is(Expected::Proof, "padding");
        padded.coded("proof.not_base64url", algorithm.name());
        // A bit at each end and in the middle: commitment hash, response and hint.
        for at in [0, 31, 64, bytes.len() / 2, bytes.len() - 90, bytes.len() - 1] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            let answer = api.with(&token, &with(&wrong)).await.is(Expected::Proof, "a bit");
            answer.coded("proof.signature", &format!("{algorithm} byte {at}"));
        }
        api.with(&token, &with(&bytes)).await.is(Expected::Ok, "the twin");
    }
}

/// DPOP-07, X-05: a seed in a public key, whatever its value and whatever the type of the key.
#[tokio::test]
async fn rejects_a_private_key_in_a_proof() {
    let elliptic = api();
    let api = api_for_proofs(Algorithm::MlDsa44, |builder| builder);
    let private: Value = serde_json::from_str(&api.key.to_ml_dsa_jwk().unwrap()).unwrap();
    let values = [private["priv"].clone(), json!(""), json!(null), json!(0), json!({})];
    for api in [&api, &elliptic] {
        for value in values.clone() {
            let answer = api.with_proof(|proof| with_jwk(proof, |jwk| jwk["priv"] = value)).await;
            answer.is(Expected::Proof, "DPOP-07 X-05").coded("proof.jwk_private", "DPOP-07 X-05");
        }
        let answer = api.with_proof(|proof| with_jwk(proof, |jwk| jwk["d"] = json!("AA"))).await;
        answer.is(Expected::Proof, "DPOP-07 X-05").coded("proof.jwk_private", "a member of another kind of key");
        api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
    }
}

/// JOSE-04: a member that occurs twice.
#[tokio::test]
async fn rejects_a_key_with_duplicate_members() {
    let api = api_for_proofs(Algorithm::MlDsa44, |builder| builder);
    let twice = |proof: ProofMint, name: &str| {
        let header = proof.header_text();
        let jwk: Value = serde_json::from_str::<Value>(&header).unwrap()["jwk"].take();
        let again = format!("\"jwk\":{{\"{name}\":{},", jwk[name]);
        let doubled = header.replacen("\"jwk\":{", &again, 1);
        assert_eq!(
            doubled.matches(&format!("\"{name}\":{}", jwk[name])).count(),
            header.matches(&format!("\"{name}\":{}", jwk[name])).count() + 1
        );
        proof.raw_header(doubled)
    };
    for name in ["alg", "kty", "pub"] {
        let answer = api.with_proof(|proof| twice(proof, name)).await.is(Expected::Proof, name);
        answer.coded("proof.duplicate_member", name);
    }
    let same = |proof: ProofMint| {
        let text = proof.header_text();
        proof.raw_header(text)
    };
    api.with_proof(same).await.is(Expected::Ok, "the twin");
}

/// DPOP-05, DPOP-44: the algorithms that are not named are rejected, although the feature is on.
#[tokio::test]
async fn rejects_algorithms_that_are_not_named() {
    async fn rejected(api: &Api, key: &DpopKey, row: &str) {
        let token = api.token().bound_to(key).mint();
        api.with(&token, &proof_for(key, &token)).await.is(Expected::Proof, row).coded("proof.alg", row);
    }
    let key = |algorithm| DpopKey::generate(algorithm).unwrap();
    rejected(&api(), &key(Algorithm::MlDsa44), "by default").await;
    let api = api_for_proofs(Algorithm::MlDsa65, |builder| builder);
    rejected(&api, &key(Algorithm::MlDsa44), "another set").await;
    rejected(&api, &key(Algorithm::ES256), "ES256, which is not named").await;
    let answer = api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
    drop(answer);
    let challenge = api.with("x.y.z", "x.y.z").await;
    assert!(challenge.challenges()[0].contains("algs=\"ML-DSA-65\""), "{:?}", challenge.challenges());
}
