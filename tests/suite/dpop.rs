//! DPoP proofs (RFC 9449 §4.3, §7), on both backends. Every table has its accepting twin.

use std::convert::Infallible;

use http::{Request, Response};
use pop_authserver::{Algorithm, DpopKey, ProofMint};
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::encode;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{PopConfigBuilder, PopLayer};

use crate::support::{Api, Expected, NOW, api, api_on, api_with, request};

type Change = Box<dyn Fn(&Api, ProofMint) -> ProofMint>;

fn change(change: impl Fn(&Api, ProofMint) -> ProofMint + 'static) -> Change {
    Box::new(change)
}

fn claim(name: &'static str, value: Value) -> Change {
    change(move |_, proof| proof.claim(name, value.clone()))
}

fn header(name: &'static str, value: Value) -> Change {
    change(move |_, proof| proof.header(name, value.clone()))
}

/// Changes members of the `jwk`.
fn jwk(spoil: impl Fn(&mut Value) + 'static) -> Change {
    change(move |api, proof| {
        let mut jwk = api.key.public_jwk();
        spoil(&mut jwk);
        proof.header("jwk", jwk)
    })
}

/// An octet key pair of this curve and length.
fn okp(alg: &'static str, crv: &'static str, len: usize) -> Change {
    let jwk = json!({ "kty": "OKP", "crv": crv, "x": encode(vec![1; len]) });
    change(move |_, proof| proof.header("alg", alg).header("jwk", jwk.clone()))
}

/// Coordinates that are not on the curve.
fn ec(alg: &'static str, crv: &'static str, len: usize) -> Change {
    let jwk = json!({ "kty": "EC", "crv": crv, "x": encode(vec![1; len]), "y": encode(vec![1; len]) });
    change(move |_, proof| proof.header("alg", alg).header("jwk", jwk.clone()))
}

fn prefixed(text: &'static str) -> Change {
    change(move |_, proof| {
        let payload = proof.payload_text();
        proof.raw_payload(format!("{{{text},{}", &payload[1..]))
    })
}

#[allow(clippy::too_many_lines)]
fn rejected() -> Vec<(&'static str, &'static str, Change)> {
    let mut rows = vec![
        ("DPOP-04", "proof.typ", header("typ", json!("jwt"))),
        ("DPOP-04", "proof.typ", header("typ", json!("at+jwt"))),
        ("DPOP-04", "proof.typ", header("typ", json!("dpop+jwt+x"))),
        ("DPOP-04", "proof.typ", header("typ", json!("DPoP+JWT"))),
        ("DPOP-04", "proof.typ", header("typ", json!("application/dpop+jwt"))),
        ("DPOP-04", "proof.typ", header("typ", json!(1))),
        ("DPOP-04", "proof.typ", change(|_, proof| proof.without_header("typ"))),
        ("DPOP-05", "proof.not_compact", change(|_, proof| proof.alg_none())),
        ("DPOP-05", "proof.alg", header("alg", json!("none"))),
        ("DPOP-05", "proof.alg", header("alg", json!("HS256"))),
        ("DPOP-05", "proof.alg", header("alg", json!("es256"))),
        ("DPOP-05", "proof.alg", header("alg", json!("RSA-OAEP"))),
        ("DPOP-05", "proof.alg", header("alg", json!("ES256K"))),
        ("DPOP-05", "proof.alg", header("alg", json!("ES512"))),
        ("DPOP-05", "proof.alg", header("alg", json!(null))),
        ("DPOP-05", "proof.alg", change(|_, proof| proof.without_header("alg"))),
        ("DPOP-06", "proof.jwk_missing", change(|_, proof| proof.without_header("jwk"))),
        ("DPOP-06", "proof.jwk_missing", header("jwk", json!("x"))),
        ("DPOP-06", "proof.jwk_missing", header("jwk", json!([]))),
        (
            "DPOP-06",
            "proof.jwk_missing",
            change(|api, proof| proof.without_header("jwk").header("kid", api.key.thumbprint().to_string())),
        ),
        ("DPOP-06", "proof.jwk_kty", jwk(|jwk| jwk["kty"] = "oct".into())),
        ("DPOP-06", "proof.jwk_kty", jwk(|jwk| jwk["kty"] = 1.into())),
        ("DPOP-07", "proof.jwk_private", jwk(|jwk| jwk["d"] = "AA".into())),
        ("DPOP-07", "proof.jwk_private", jwk(|jwk| jwk["d"] = "".into())),
        ("DPOP-07", "proof.jwk_private", jwk(|jwk| jwk["d"] = Value::Null)),
        ("DPOP-07", "proof.jwk_private", jwk(|jwk| jwk["k"] = "AA".into())),
        ("DPOP-07", "proof.jwk_private", jwk(|jwk| jwk["priv"] = "AA".into())),
        ("DPOP-08", "proof.jwk_algorithm", header("alg", json!("ES384"))),
        ("DPOP-08", "proof.jwk_algorithm", header("alg", json!("EdDSA"))),
        ("DPOP-08", "proof.jwk_algorithm", jwk(|jwk| jwk["alg"] = "ES384".into())),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["use"] = "enc".into())),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["use"] = 1.into())),
        // A published key may have these members. A proof may not.
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["use"] = Value::Null)),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["use"] = "".into())),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["key_ops"] = Value::Null)),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["key_ops"] = json!([]))),
        ("DPOP-08", "proof.jwk_member", jwk(|jwk| jwk["alg"] = Value::Null)),
        ("DPOP-08", "proof.jwk_algorithm", jwk(|jwk| jwk["alg"] = "".into())),
        ("DPOP-08", "proof.jwk_member", jwk(|jwk| jwk["kid"] = Value::Null)),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["key_ops"] = json!(["sign"]))),
        ("DPOP-08", "proof.jwk_usage", jwk(|jwk| jwk["key_ops"] = json!("verify"))),
        ("DPOP-09", "proof.jwk_point", jwk(|jwk| jwk["x"] = encode([1; 32]).into())),
        (
            "DPOP-09",
            "proof.jwk_point",
            jwk(|jwk| {
                jwk["x"] = encode([0; 32]).into();
                jwk["y"] = encode([0; 32]).into();
            }),
        ),
        ("DPOP-09", "proof.jwk_member", jwk(|jwk| jwk["x"] = encode([1; 31]).into())),
        ("DPOP-08", "proof.jwk_crv", okp("EdDSA", "Ed448", 57)),
        ("DPOP-08", "proof.jwk_crv", okp("Ed25519", "Ed448", 57)),
        ("DPOP-08", "proof.jwk_crv", okp("EdDSA", "X25519", 32)),
        ("DPOP-09", "proof.jwk_member", okp("EdDSA", "Ed25519", 31)),
        ("DPOP-09", "proof.jwk_point", ec("ES384", "P-384", 48)),
        ("DPOP-09", "proof.jwk_member", ec("ES384", "P-384", 47)),
        ("JOSE-14", "proof.jwk_member", jwk(|jwk| jwk["x"] = encode([0; 33]).into())),
        ("JOSE-14", "proof.jwk_member", jwk(|jwk| jwk["y"] = Value::Null)),
        ("DPOP-09", "proof.jwk_crv", jwk(|jwk| jwk["crv"] = "secp256k1".into())),
        ("DPOP-10", "proof.signature", change(|_, proof| proof.tampered_signature())),
        (
            "DPOP-10",
            "proof.signature",
            change(|_, proof| proof.signed_by(&DpopKey::generate(Algorithm::ES256).unwrap())),
        ),
        ("DPOP-11", "proof.jti_length", claim("jti", json!(""))),
        ("REPLAY-08", "proof.jti_length", claim("jti", json!("x".repeat(257)))),
        ("REPLAY-08", "proof.too_large", claim("jti", json!("x".repeat(10_000)))),
        ("DPOP-12", "proof.htm_mismatch", claim("htm", json!("POST"))),
        ("DPOP-12", "proof.htm_mismatch", claim("htm", json!("get"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("/notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https://u:p@api.example/notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https://api.example\\notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https://api\u{3002}example/notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https:/api.example/notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!(" https://api.example/notes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https://api.example/no\ttes"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("https://api.example/caf\u{e9}?a=1"))),
        ("DPOP-17", "proof.htu_invalid", claim("htu", json!("ftp://api.example/notes"))),
        ("DPOP-17", "proof.htu_mismatch", claim("htu", json!("http://api.example/notes"))),
        ("DPOP-41", "proof.htu_mismatch", claim("htu", json!("https://api.example/other"))),
        ("DPOP-41", "proof.htu_mismatch", claim("htu", json!("https://other.example/notes"))),
        ("DPOP-41", "proof.ath_missing", change(|_, proof| proof.without("ath"))),
        ("DPOP-22", "proof.iat_too_old", claim("iat", json!(NOW - 3600))),
        ("DPOP-22", "proof.iat_too_old", claim("iat", json!(NOW - 61))),
        ("DPOP-22", "proof.iat_in_future", claim("iat", json!(NOW + 3600))),
        ("DPOP-22", "proof.iat_in_future", claim("iat", json!(NOW + 31))),
        ("DPOP-23", "proof.iat_milliseconds", claim("iat", json!(NOW * 1000))),
        ("DPOP-23", "proof.invalid_claim", claim("iat", json!(-1))),
        ("DPOP-23", "proof.invalid_claim", claim("iat", json!(i64::MIN))),
        ("DPOP-23", "proof.invalid_claim", claim("iat", json!(u64::MAX))),
        ("DPOP-23", "proof.invalid_claim", claim("iat", json!(1e18))),
        ("DPOP-23", "proof.invalid_claim", claim("iat", json!(1e300))),
        ("DPOP-23", "proof.iat_too_old", claim("iat", json!(0))),
        ("DPOP-24", "proof.expired", claim("exp", json!(NOW - 60))),
        ("DPOP-24", "proof.not_yet_valid", claim("nbf", json!(NOW + 3600))),
        ("DPOP-24", "proof.invalid_claim", claim("exp", json!("x"))),
        ("DPOP-26", "proof.crit", header("crit", json!(["x"]))),
        ("DPOP-26", "proof.encoding", header("b64", json!(false))),
        ("DPOP-26", "proof.encoding", header("zip", json!("DEF"))),
        ("DPOP-27", "proof.ath_mismatch", change(|_, proof| proof.for_token("another token"))),
        ("DPOP-27", "proof.ath_mismatch", claim("ath", json!("a".repeat(64)))),
        ("DPOP-27", "proof.ath_mismatch", claim("ath", json!(""))),
        ("NONCE-07", "proof.invalid_claim", claim("nonce", json!(5))),
        ("NONCE-07", "proof.invalid_claim", claim("nonce", json!([]))),
        ("NONCE-18", "proof.too_large", claim("nonce", json!("n".repeat(100_000)))),
        ("NONCE-18", "proof.invalid_claim", claim("nonce", json!("n".repeat(2000)))),
        ("DPOP-40", "proof.too_large", claim("pad", json!("x".repeat(64 * 1024)))),
        ("DPOP-40", "proof.too_deep", prefixed(r#""x":[[[[[[[[[]]]]]]]]]"#)),
        ("DPOP-40", "proof.too_many_members", claim("pad", json!(vec![0; 300]))),
        ("JOSE-04", "proof.duplicate_member", prefixed(r#""htu":"https://evil.example""#)),
        ("JOSE-04", "proof.duplicate_member", prefixed(r#""x":[{"a":1,"a":1}]"#)),
        (
            "JOSE-04",
            "proof.duplicate_member",
            change(|_, proof| {
                let header = proof.header_text();
                proof.raw_header(format!("{{\"alg\":\"none\",{}", &header[1..]))
            }),
        ),
        (
            "X-21",
            "proof.duplicate_member",
            change(|_, proof| {
                let header = proof.header_text();
                proof.raw_header(header.replace("\"kty\":\"EC\"", "\"kty\":\"EC\",\"kty\":\"EC\""))
            }),
        ),
        ("JOSE-03", "proof.not_json", change(|_, proof| proof.raw_payload("\u{feff}{}"))),
        ("JOSE-03", "proof.not_object", change(|_, proof| proof.raw_payload("[]"))),
    ];
    for name in ["jti", "htm", "htu", "iat"] {
        rows.push(("DPOP-11", "proof.missing_claim", change(move |_, proof| proof.without(name))));
        for value in [json!(null), json!(true), json!({}), json!([])] {
            rows.push(("DPOP-11", "proof.invalid_claim", claim(name, value)));
        }
    }
    for (name, value) in
        [("jti", json!(1)), ("htm", json!(1)), ("htu", json!(1)), ("iat", json!("1")), ("ath", json!(1))]
    {
        rows.push(("DPOP-11", "proof.invalid_claim", claim(name, value)));
    }
    rows
}

/// Each row names what it proves.
#[tokio::test]
async fn rejects_every_defective_proof_with_the_right_code() {
    for backend in CryptoBackend::COMPILED_IN {
        let api = api_on(*backend);
        api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
        for (row, code, change) in rejected() {
            let row = format!("{row} {code} on {backend:?}");
            api.with_proof(|proof| change(&api, proof)).await.is(Expected::Proof, &row).coded(code, &row);
        }
    }
}

/// DPOP-09: ES512 is off by default, so the table above cannot reach this check.
#[tokio::test]
async fn rejects_a_point_off_the_p_521_curve_when_es512_is_allowed() {
    for backend in CryptoBackend::COMPILED_IN {
        let allowed = |builder: PopConfigBuilder| {
            builder.crypto_backend(*backend).proof_algorithms([Algorithm::ES256, Algorithm::ES512])
        };
        let mut api = api_with(allowed);
        let off_curve = api.with_proof(|proof| ec("ES512", "P-521", 66)(&api, proof)).await;
        off_curve.is(Expected::Proof, "DPOP-09").coded("proof.jwk_point", "DPOP-09");
        api.key = DpopKey::generate(Algorithm::ES512).unwrap();
        api.with_proof(|proof| proof).await.is(Expected::Ok, "the twin");
    }
}

/// DPOP-09, JOSE-12: larger keys make each verification expensive.
#[tokio::test]
async fn accepts_rsa_keys_up_to_4096_bits_and_up_to_8192_by_option() {
    let key = |der: &[u8]| DpopKey::from_pkcs8_der(der, Algorithm::PS256).unwrap();
    let four = key(include_bytes!("../keys/rsa-4096.pkcs8"));
    let eight = key(include_bytes!("../keys/rsa-8192.pkcs8"));
    for backend in CryptoBackend::COMPILED_IN {
        for (row, key, bits, expected) in [
            ("4096", &four, None, Expected::Ok),
            ("8192", &eight, None, Expected::Proof),
            ("8192 by option", &eight, Some(8192), Expected::Ok),
        ] {
            let mut api = api_with(|builder| {
                let builder = builder.crypto_backend(*backend).max_proof_len(16 * 1024);
                match bits {
                    Some(bits) => builder.max_proof_rsa_bits(bits),
                    None => builder,
                }
            });
            api.key = key.clone();
            api.with_proof(|proof| proof).await.is(expected, &format!("DPOP-09 JOSE-12 {row} on {backend:?}"));
        }
    }
}

/// The accepting twins of the table above. Each row names what it proves.
#[tokio::test]
async fn accepts_every_variant_that_the_rfcs_allow() {
    let api = api();
    let rows: Vec<(&str, Change)> = vec![
        ("DPOP-14", claim("htu", json!("https://api.example/notes?zzz#f"))),
        ("DPOP-14", claim("htu", json!("https://api.example/notes#f"))),
        ("DPOP-15", claim("htu", json!("HTTPS://API.EXAMPLE/notes"))),
        ("DPOP-15", claim("htu", json!("https://api.example:443/notes"))),
        ("DPOP-15", claim("htu", json!("https://api.example/%6eotes"))),
        ("DPOP-15", claim("htu", json!("https://api.example/a/../notes"))),
        ("DPOP-22", claim("iat", json!(NOW - 60))),
        ("DPOP-22", claim("iat", json!(NOW + 30))),
        ("DPOP-22", claim("iat", json!(NOW - 8))),
        ("DPOP-22", claim("iat", json!(NOW + 8))),
        ("DPOP-23", claim("iat", json!(1_800_000_000.9))),
        ("DPOP-24", change(|_, proof| proof.claim("nbf", NOW).claim("exp", NOW + 300))),
        ("DPOP-25", change(|_, proof| proof.header("tx_id", json!({ "a": 1 })).claim("tx_id", "x").header("kid", "x"))),
        (
            "DPOP-25",
            jwk(|jwk| {
                jwk["kid"] = "k".into();
                jwk["use"] = "sig".into();
                jwk["key_ops"] = json!(["verify"]);
                jwk["alg"] = "ES256".into();
                jwk["x5c"] = json!(["AA"]);
            }),
        ),
        ("REPLAY-08", claim("jti", json!("x".repeat(256)))),
        ("D-05", claim("nonce", json!("a nonce while nonces are off"))),
    ];
    for (row, change) in rows {
        api.with_proof(|proof| change(&api, proof)).await.is(Expected::Ok, row);
    }
}

/// DPOP-01, DPOP-02, DPOP-03, DPOP-33: no proof, two proofs and anything but one compact JWS are rejected, and the
/// proof is not used up by it.
#[tokio::test]
async fn accepts_exactly_one_compact_jws() {
    let api = api();
    let token = api.token().mint();
    let send = |proofs: &[String]| {
        let mut request = request(&token, "x");
        request.headers_mut().remove("dpop");
        for proof in proofs {
            request.headers_mut().append("DPOP", proof.parse().unwrap());
        }
        api.send(request)
    };
    let fresh = || api.proof(&token).mint();
    send(&[fresh()]).await.is(Expected::Ok, "DPOP-03: the name of the field in any case");
    send(&[]).await.is(Expected::Proof, "DPOP-01 D-01").coded("proof.missing", "DPOP-01");
    let same = fresh();
    send(&[same.clone(), same.clone()]).await.is(Expected::Proof, "DPOP-02").coded("proof.duplicated", "DPOP-02");
    send(&[fresh(), fresh()]).await.is(Expected::Proof, "DPOP-02").coded("proof.duplicated", "DPOP-02");
    let parts: Vec<&str> = same.split('.').collect();
    for (row, proof) in [
        ("comma-joined", format!("{same}, {}", fresh())),
        ("2 parts", parts[..2].join(".")),
        ("4 parts", format!("{same}.AA")),
        ("5 parts", format!("{same}.AA.AA")),
        ("empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("empty payload", format!("{}..{}", parts[0], parts[2])),
        ("JSON", r#"{"protected":"","payload":"","signature":""}"#.to_owned()),
        ("inner space", format!("{} .{}.{}", parts[0], parts[1], parts[2])),
        ("padding", format!("{same}=")),
        ("standard alphabet", same.replace(['-', '_'], "+") + "+"),
        ("nothing", String::new()),
    ] {
        send(&[proof]).await.is(Expected::Proof, &format!("DPOP-03 JOSE-02 JOSE-25 {row}"));
    }
    send(&[same]).await.is(Expected::Ok, "DPOP-33: none of the failures used the proof up");
}

/// DPOP-13, X-51: HEAD is not GET, and header fields do not change the method.
#[tokio::test]
async fn compares_htm_with_the_method_on_the_wire() {
    let api = api();
    for (method, htm, expected) in [
        ("HEAD", "HEAD", Expected::Ok),
        ("HEAD", "GET", Expected::Proof),
        ("POST", "DELETE", Expected::Proof),
        ("PROPFIND", "PROPFIND", Expected::Ok),
        ("OPTIONS", "OPTIONS", Expected::Ok),
    ] {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).method(htm).mint());
        *request.method_mut() = method.parse().unwrap();
        request.headers_mut().insert("x-http-method-override", "DELETE".parse().unwrap());
        api.send(request).await.is(expected, &format!("DPOP-13 X-51 {method} {htm}"));
    }
}

/// DPOP-28, X-30, D-02: a stolen token with a proof by the thief's key.
#[tokio::test]
async fn rejects_a_token_when_the_proof_is_by_another_key() {
    let api = api();
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.token().mint();
    let stolen = pop_authserver::proof(&thief).url(crate::support::URL).for_token(&token).issued_at(NOW).mint();
    let answer = api.with(&token, &stolen).await.is(Expected::Token, "DPOP-28 X-30 D-02");
    answer.coded("binding.key_mismatch", "DPOP-28");
    let own = api.token().bound_to(&thief).mint();
    let proof = pop_authserver::proof(&thief).url(crate::support::URL).for_token(&own).issued_at(NOW).mint();
    api.with(&own, &proof).await.is(Expected::Ok, "the twin: the thief's own token");
}

/// DPOP-09, JOSE-12: size, exponent and encoding of RSA keys, and a signature under the other padding (X-12).
#[tokio::test]
async fn rejects_rsa_keys_that_are_weak_or_malformed() {
    let rsa = DpopKey::generate(Algorithm::RS256).unwrap();
    let spoil = |name: &str, value: Vec<u8>| {
        let mut jwk = rsa.public_jwk();
        jwk[name] = encode(value).into();
        jwk
    };
    for backend in CryptoBackend::COMPILED_IN {
        let mut api = api_on(*backend);
        api.key = rsa.clone();
        api.with_proof(|proof| proof).await.is(Expected::Ok, "RSA-2048");
        let modulus = |bits: usize| {
            let mut n = vec![0xff; bits / 8];
            n[bits / 8 - 1] |= 1;
            n
        };
        let even = {
            let mut n = modulus(2048);
            n[255] = 0xfe;
            n
        };
        let with_zero = {
            let mut n = vec![0];
            n.extend(pop_core::jose::decode(rsa.public_jwk()["n"].as_str().unwrap()).unwrap());
            n
        };
        for (row, code, jwk) in [
            ("X-06 512", "proof.jwk_rsa_modulus", spoil("n", modulus(512))),
            ("DPOP-09 1024", "proof.jwk_rsa_modulus", spoil("n", modulus(1024))),
            ("DPOP-09 4104", "proof.jwk_rsa_modulus", spoil("n", modulus(4104))),
            ("DPOP-09 16384", "proof.jwk_rsa_modulus", spoil("n", modulus(16384))),
            ("X-06 even", "proof.jwk_rsa_modulus", spoil("n", even)),
            ("JOSE-14 leading zero", "proof.jwk_member", spoil("n", with_zero)),
            ("DPOP-09 e=1", "proof.jwk_rsa_exponent", spoil("e", vec![1])),
            ("DPOP-09 e even", "proof.jwk_rsa_exponent", spoil("e", vec![1, 0, 0])),
            ("DPOP-09 e of 33 bits", "proof.jwk_rsa_exponent", spoil("e", vec![1, 0, 0, 0, 1])),
            ("JOSE-14 e with zero", "proof.jwk_member", spoil("e", vec![0, 1, 0, 1])),
            ("JOSE-14 empty e", "proof.jwk_member", spoil("e", vec![])),
            ("X-05 qi only", "proof.jwk_private", {
                let mut jwk = rsa.public_jwk();
                jwk["qi"] = "AA".into();
                jwk
            }),
        ] {
            let answer = api.with_proof(|proof| proof.header("jwk", jwk)).await.is(Expected::Proof, row);
            answer.coded(code, row);
        }
        // X-12: the same key and bytes under the other RSA padding.
        api.with_proof(|proof| proof.header("alg", "PS256"))
            .await
            .is(Expected::Proof, "X-12")
            .coded("proof.signature", "X-12");
    }
}

/// DPOP-05, DPOP-22, DPOP-34: FAPI 2.0 narrows both, MCP widens the window.
#[tokio::test]
async fn presets_set_the_algorithms_and_the_window_for_iat() {
    use tower_pop::Preset;
    let mut api = api_with(|builder| builder.preset(Preset::Fapi2));
    let answer = api.with_proof(|proof| proof).await.is(Expected::Ok, "ES256 under FAPI");
    assert!(answer.challenges().is_empty());
    api.key = DpopKey::generate(Algorithm::RS256).unwrap();
    let answer =
        api.with_proof(|proof| proof).await.is(Expected::Proof, "RS256 under FAPI").coded("proof.alg", "DPOP-05");
    assert!(answer.challenges()[0].contains(r#"algs="ES256 Ed25519 EdDSA PS256""#), "DPOP-34");
    api.key = DpopKey::generate(Algorithm::ES256).unwrap();
    for (iat, expected) in
        [(NOW + 10, Expected::Ok), (NOW + 11, Expected::Proof), (NOW + 61, Expected::Proof), (NOW - 60, Expected::Ok)]
    {
        api.with_proof(|proof| proof.issued_at(iat)).await.is(expected, "DPOP-22 fapi2");
    }
    let api = api_with(|builder| builder.preset(Preset::Mcp));
    for (iat, expected) in [
        (NOW - 300, Expected::Ok),
        (NOW + 300, Expected::Ok),
        (NOW - 303, Expected::Proof),
        (NOW + 303, Expected::Proof),
    ] {
        api.with_proof(|proof| proof.issued_at(iat)).await.is(expected, "DPOP-22 mcp");
    }
}

/// DPOP-38, X-59: neither the body nor other header fields are covered (RFC 9449 §11.7).
#[tokio::test]
async fn a_proof_covers_neither_the_body_nor_other_header_fields() {
    // Without a replay store, one proof can come with several requests.
    let api = api_with(|builder| builder.dangerous().without_replay_store());
    let token = api.token().mint();
    let proof = api.proof(&token).method("POST").mint();
    let inner =
        service_fn(|request: Request<String>| async { Ok::<_, Infallible>(Response::new(request.into_body())) });
    let service = PopLayer::new(api.cfg.clone()).layer(inner);
    for (method, body, status) in [("POST", "10 EUR", 200), ("POST", "1000 EUR", 200), ("PUT", "10 EUR", 401)] {
        let mut request = request(&token, &proof).map(|()| body.to_owned());
        *request.method_mut() = method.parse().unwrap();
        request.headers_mut().insert("idempotency-key", body.parse().unwrap());
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "DPOP-38 {method} {body}");
    }
}

/// DPOP-43: 425, because early data can be replayed (RFC 8470).
#[tokio::test]
async fn rejects_early_data_when_configured() {
    let api = api_with(tower_pop::PopConfigBuilder::reject_early_data);
    let token = api.token().mint();
    for lines in [&["1"][..], &["0", "1"], &["1, 1"], &["nonsense"]] {
        let mut early = request(&token, &api.proof(&token).mint());
        for line in lines {
            early.headers_mut().append("early-data", line.parse().unwrap());
        }
        let answer = api.send(early).await;
        assert_eq!((answer.status.as_u16(), answer.code), (425, Some("credential.early_data")), "DPOP-43 {lines:?}");
    }
    api.with_token(&token).await.is(Expected::Ok, "DPOP-43, the twin");
}

/// The tables cover what the OIDF suite's `dpop-negative` list and the MCP scenario ask for. Here are the rows that the
/// tables do not have in these words: each of them must be 401 with a DPoP challenge.
#[tokio::test]
async fn every_rejection_of_the_external_lists_is_401_with_a_dpop_challenge() {
    let api = api();
    let token = api.token().mint();
    let bearer = {
        let mut request = request(&token, &api.proof(&token).mint());
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    api.send(bearer).await.is(Expected::Token, "DPOP-30 X-29 DPOP-39");
    api.with(&token, "not a JWT").await.is(Expected::Proof, "MCP: non-JWT");
    api.with_proof(|proof| proof.header("typ", "dpop+jwt+wrongyousee")).await.is(Expected::Proof, "OIDF: wrong typ");
    api.with_proof(|proof| proof.claim("htm", "PUT")).await.is(Expected::Proof, "OIDF: htm PUT");
    api.with_proof(|proof| proof.url("https://api.example/notes?query#fragment")).await.is(Expected::Ok, "OIDF: htu");
}
