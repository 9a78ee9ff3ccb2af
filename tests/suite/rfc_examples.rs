//! The examples of the RFCs, with the values that they print.

use pop_core::access_token::AccessTokenHash;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{AlgorithmSet, JsonLimits, Jwk, Object, RsaLimits, encode};
use pop_core::policy::DpopPolicy;
use pop_core::proof::{DpopProof, NoProofKeyCache};
use pop_core::target::{Origin, RequestTarget};

const FIGURE_2: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFV",
    "ZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0V",
    "TYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8l",
    "P4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
);
const FIGURE_13: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFV",
    "ZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9",
    "iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2",
    "MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemA",
    "gR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

fn thumbprint(jwk: &str) -> String {
    let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
    Jwk::parse(&object, RsaLimits::default()).unwrap().key().thumbprint().to_string()
}

/// V-01, V-02, V-03, JOSE-15: RFC 7638 §3.1, RFC 8037 appendix A.3, RFC 9449 §4.1.
#[test]
fn computes_the_thumbprints_that_the_rfcs_print() {
    let rfc7638 = concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXj"#,
        r#"BZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd"#,
        r#"AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8aw"#,
        r#"apJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    );
    assert_eq!(thumbprint(rfc7638), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "V-01");
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(thumbprint(ed25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "V-02");
    let ec = concat!(
        r#"{"y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","kty":"EC","use":"sig","crv":"P-256","#,
        r#""x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"}"#,
    );
    assert_eq!(thumbprint(ec), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "V-03");
}

/// V-25: RFC 7800 §3.2.
#[test]
fn accepts_the_ec_key_of_rfc_7800() {
    let jwk = concat!(
        r#"{"kty":"EC","use":"sig","crv":"P-256","x":"18wHLeIgW9wVN6VD1Txgpqy2LszYkMf6J8njVAibvhM","#,
        r#""y":"-V4dS4UaLMgP_4fY4j8ir7cl1TXlFdAgcx55o7TkcSA"}"#,
    );
    let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
    let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
    for backend in CryptoBackend::COMPILED_IN {
        VerifyingKey::new(jwk.key(), pop_core::jose::Algorithm::ES256, *backend).unwrap();
    }
}

/// V-06, V-08: figures 2 and 13.
#[test]
fn verifies_the_proofs_of_rfc_9449() {
    for (proof, method, origin, path, now, token) in [
        (FIGURE_2, "POST", "https://server.example.com", "/token", 1_562_262_616, None),
        (FIGURE_13, "GET", "https://resource.example.org", "/protectedresource", 1_562_262_618, Some(TOKEN)),
    ] {
        for backend in CryptoBackend::COMPILED_IN {
            let mut policy = DpopPolicy::default();
            policy.backend = *backend;
            let parsed = DpopProof::parse(proof, &policy, &NoProofKeyCache).unwrap();
            let origin = Origin::parse(origin).unwrap();
            parsed.verify_signature().unwrap();
            parsed.check_method(method).unwrap();
            parsed.check_target(&RequestTarget::new(&origin, path).unwrap()).unwrap();
            parsed.check_time(&policy, now).unwrap();
            assert!(parsed.check_time(&policy, now + 3600).is_err());
            assert_eq!(parsed.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "V-03");
            match token {
                Some(token) => parsed.check_access_token(&AccessTokenHash::of(token)).unwrap(),
                None => assert!(parsed.check_access_token(&AccessTokenHash::of(TOKEN)).is_err(), "DPOP-41"),
            }
        }
    }
}

/// V-09: figure 13.
#[test]
fn computes_the_ath_of_rfc_9449() {
    assert_eq!(encode(AccessTokenHash::of(TOKEN).as_bytes()), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

/// V-14, MTLS-05, MTLS-06, D-16: it is not canonical base64url.
#[test]
fn rejects_the_thumbprint_that_rfc_8705_prints() {
    use pop_core::jose::CertThumbprint;
    assert!(CertThumbprint::parse("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2").is_err(), "MTLS-06 D-16");
    let canonical = CertThumbprint::parse("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0").unwrap();
    assert_eq!(canonical.to_string(), "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0");
    for text in ["bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0=", "bwcK0esc3ACC3DB2Y5/lESsXE8o9ltc05O89jdN+dg0", ""] {
        assert!(CertThumbprint::parse(text).is_err(), "MTLS-05 {text}");
    }
}

/// V-10: it is no RFC 9068 token.
#[tokio::test]
async fn rejects_the_token_of_rfc_9449_figure_8() {
    use crate::support::{Expected, api};
    let api = api();
    let token = format!(
        "{}.{}.{}",
        encode(r#"{"alg":"ES256","kid":"BeALkb"}"#),
        encode(
            r#"{"sub":"someone@example.com","iss":"https://server.example.com","nbf":1562262611,"exp":1562266216,"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}"#
        ),
        encode([1; 64]),
    );
    api.with_token(&token).await.is(Expected::Token, "V-10").coded("token.issuer", "V-10");
}

#[test]
fn the_default_algorithms_are_those_of_the_documentation() {
    assert_eq!(AlgorithmSet::PROOF.names(), "ES256 ES384 Ed25519 EdDSA PS256 RS256");
    assert_eq!(AlgorithmSet::FAPI.names(), "ES256 Ed25519 EdDSA PS256");
}
