//! The signatures that RFC 9421 and draft-richer-oauth-httpsig print, with their keys.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::base::{Signature, check_alg};
use super::super::fields;
use super::super::value::Effort;
use crate::SignatureError;
use crate::jose::crypto::{CryptoBackend, VerifyingKey};
use crate::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, SharedKey, decode_standard};
use crate::proof::PopKey;
use crate::request::RequestHead;
use crate::target::Origin;

const RSA: &str = concat!(
    r#"{"kty":"RSA","e":"AQAB","n":"hAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrwWEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8"#,
    "uA5txSKobBpKDeBLOsdJKFqMGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd_QBwVW9OwNFhekro3RtlinV0a75jfZgkne_YiktSvLG34lw2zqXBDTC5NHROUqGTlML4",
    r#"PlNZS5Ri2U4aCNx2rUPRcKIlE0PuKxI4T-HIaFpv8-rdV6eUgOrB2xeI1dSFFn_nnv5OoZJEIB-VmuKn3DCUcCZSFlQPSXSfBDiUGhwOw76WuSSsf1D4b_vLoJ10w"}"#,
);
const RSA_PSS: &str = concat!(
    r#"{"kty":"RSA","e":"AQAB","n":"r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86O"#,
    "nDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdp",
    r#"iy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"}"#,
);
pub(super) const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}"#;
pub(super) const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
const SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
/// The keys of draft-richer-oauth-httpsig.
const DRAFT_ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"iuemcj_GhRHmY_yCsMlDNp3BQgPZDdG00VRsg_BgU3s"}"#;
pub(super) const DRAFT_P256: &str = r#"{"kty":"EC","crv":"P-256","x":"R4YT13Ra4frLCH75BdM53OEHYi_YY2eQgR43BWWQpVw","y":"UFVFPBGODokYW06OXCqDskhZSU3RpUI6fR8_OCz2doo"}"#;

const DATE: (&str, &str) = ("date", "Tue, 20 Apr 2021 02:07:55 GMT");
const JSON: (&str, &str) = ("content-type", "application/json");
const LENGTH: (&str, &str) = ("content-length", "18");
const SHA512: (&str, &str) = (
    "content-digest",
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
);
const SHA256: (&str, &str) = ("content-digest", "sha-256=:4fEzRVTGqfZg7lqf/d3oxXu837pvb3L0GN24+F1VkZk=:");
const BASIC: (&str, &str) = ("authorization", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
const SIGNATURE_KEY: (&str, &str) = (
    "signature-key",
    concat!(
        ":eyJrdHkiOiJPS1AiLCJ1c2UiOiJzaWciLCJjcnYiOiJFZDI1NTE5Iiwia2lkIjoiai0wTnk0NU5XbXFHcTZHNFV4TGpHak51bG9rdHVndE9XNGpmR0NDZ2Vm",
        "USIsIngiOiJpdWVtY2pfR2hSSG1ZX3lDc01sRE5wM0JRZ1BaRGRHMDBWUnNnX0JnVTNzIiwiYWxnIjoiRWREU0EifQ==:",
    ),
);
const TOKEN: (&str, &str) = ("authorization", "HTTPSig 2340897.34j123-134uh2345n");
const CLIENT_CERT: (&str, &str) = (
    "client-cert",
    concat!(
        ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAe",
        "Fw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalR",
        "hebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0Z",
        "aSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUC",
        "IBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:",
    ),
);

#[derive(Clone)]
pub(super) struct Message {
    pub(super) method: &'static str,
    pub(super) origin: &'static str,
    pub(super) path: String,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) input: String,
    pub(super) signature: Vec<u8>,
}

impl Message {
    fn new(
        line: [&'static str; 3],
        fields: &[(&'static str, &'static str)],
        input: &'static str,
        signature: &'static str,
    ) -> Self {
        let [method, origin, path] = line;
        Self {
            method,
            origin,
            path: path.to_owned(),
            fields: fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            input: input.to_owned(),
            signature: decode_standard(signature).unwrap(),
        }
    }

    /// Returns the header fields, with the signature.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("sig=:{}:", crate::jose::encode_standard(&self.signature));
        let own = [("signature-input", format!("sig={}", self.input)), ("signature", value)];
        for (name, value) in self.fields.iter().chain(&own) {
            headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
        }
        headers
    }

    /// Verifies the only signature, whatever its label.
    pub(super) fn verify(&self, key: PopKey<'_>) -> Result<(), SignatureError> {
        let headers = self.headers();
        let origin = Origin::parse(self.origin).unwrap();
        let head = RequestHead::new(self.method, &origin, &self.path, &headers, 0);
        let signature = Signature::new(fields::read(head.headers())?.pop().unwrap())?;
        let mut base = String::new();
        signature.append_base(&mut base, &head, 64 * 1024, &mut Effort(64 * 1024))?;
        check_alg(&signature.parameters, key)?;
        signature.verify(key, &base)
    }
}

pub(super) enum Key {
    Public(VerifyingKey),
    Shared(SharedKey),
}

impl Key {
    pub(super) fn as_pop(&self) -> PopKey<'_> {
        match self {
            Self::Public(key) => PopKey::Public(key),
            Self::Shared(key) => PopKey::Shared(key),
        }
    }
}

pub(super) fn public(jwk: &str, algorithm: Algorithm, backend: CryptoBackend) -> Key {
    let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
    let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
    Key::Public(VerifyingKey::new(jwk.key(), algorithm, backend).unwrap())
}

const FOO: [&str; 3] = ["POST", "https://example.com", "/foo?param=Value&Pet=dog"];

/// The row, the message, and its key.
pub(super) fn all(backend: CryptoBackend) -> Vec<(&'static str, Message, Key)> {
    let request = [DATE, JSON, SHA512, LENGTH];
    let pss = || public(RSA_PSS, Algorithm::PS512, backend);
    let get = ["GET", "https://example.com", "/foo"];
    let token = ["POST", "https://server.example.com", "/token"];
    vec![
        (
            "V-16 B.2.1",
            Message::new(
                FOO,
                &request,
                r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
                "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
            ),
            pss(),
        ),
        (
            "V-16 B.2.2",
            Message::new(
                FOO,
                &request,
                r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
                "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
            ),
            pss(),
        ),
        (
            "V-16 B.2.3",
            Message::new(
                FOO,
                &request,
                r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
                "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
            ),
            pss(),
        ),
        (
            "V-17 B.2.5",
            Message::new(
                FOO,
                &request,
                r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
                "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
            ),
            Key::Shared(SharedKey::new(decode_standard(SECRET).unwrap()).unwrap()),
        ),
        (
            "V-17 B.2.6",
            Message::new(
                FOO,
                &request,
                r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
                "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
            ),
            public(ED25519, Algorithm::Ed25519, backend),
        ),
        (
            "V-18 B.3",
            Message::new(
                ["POST", "https://service.internal.example", FOO[2]],
                &[DATE, JSON, LENGTH, CLIENT_CERT],
                r#"("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#,
                "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==",
            ),
            public(P256, Algorithm::ES256, backend),
        ),
        ("V-18 B.4", transform(), public(ED25519, Algorithm::Ed25519, backend)),
        (
            "SIG-15 RFC 9421 section 4.3, rsa-v1_5-sha256",
            Message::new(
                ["POST", "https://origin.host.internal.example", "/foo?param=Value&Pet=dog"],
                &[JSON, SHA512, LENGTH, ("forwarded", "for=192.0.2.123;host=example.com;proto=https")],
                r#"("@method" "@authority" "@path" "content-digest" "content-type" "content-length" "forwarded");created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540"#,
                "S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniOaYmdkDcnL9cCpXJleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv0RAGhB8tmpv7sFnIm9y+7X5kXQfi8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs/vfJvye+YuI87HU38lZHowtznbLVdp770I6VHR6WfgS9ddzirrswsE1w5o0LV/g==",
            ),
            public(RSA, Algorithm::RS256, backend),
        ),
        (
            "V-21 presentation, Ed25519",
            Message::new(
                get,
                &[TOKEN],
                r#"("@method" "@target-uri" "authorization");created=1776650875;keyid="j-0Ny45NWmqGq6G4UxLjGjNuloktugtOW4jfGCCgefQ";nonce="k9Jyxempel2305Nmx7Rk";tag="httpsig-oauth""#,
                "kFJC2WoBbrQc8tsKiowIb8oeIA533qmKvzdKf8kndJ7kaLxGmm2v9+IPB8kLE0WUea8KryJGSV7ji1apLkeKBg==",
            ),
            public(DRAFT_ED25519, Algorithm::Ed25519, backend),
        ),
        (
            "V-21 presentation, P-256",
            Message::new(
                get,
                &[TOKEN],
                r#"("@method" "@target-uri" "authorization");created=1776650875;keyid="test-key-ecdsa-p256";nonce="k9Jyxempel2305Nmx7Rk";tag="httpsig-oauth""#,
                "ggBLokBFCW7NcE4z1P5zV1wn7vmnRADiMcpAVFb1q8kOQ3nlhXqQc9LPWdz1h4FGRtImK9LqNdDdpn9G4o9zRw==",
            ),
            public(DRAFT_P256, Algorithm::ES256, backend),
        ),
        (
            "V-22 token request with a registered key",
            Message::new(
                token,
                &[BASIC, SHA256],
                r#"("@method" "@target-uri" "content-digest" "authorization");created=1618884473;keyid="j-0Ny45NWmqGq6GQ";nonce="b3k2pp5k7z-50gnX1b06";tag="httpsig-oauth-token-request""#,
                "blPeRn3D3nkYqc1RNzCzge9E0n/Guf9yA1BBOeMFOOeSwuDdrVNcc5KSUKSOabdVHXVExQT0v6J+e3QDc3zzBA==",
            ),
            public(DRAFT_ED25519, Algorithm::Ed25519, backend),
        ),
        (
            "V-22 token request with a key in a field",
            Message::new(
                token,
                &[BASIC, SIGNATURE_KEY, SHA256],
                r#"("@method" "@target-uri" "content-digest" "signature-key" "authorization");created=1618884473;keyid="j-0Ny45NWmqGq6G4UxLjGjNuloktugtOW4jfGCCgefQ";nonce="b3k2pp5k7z-50gnX1b06";tag="httpsig-oauth-token-request""#,
                "AWyxebrJ6u8CMi0B3TyX9G1G3XT45UW5zIn8mhsyXdmjTUtGS+1MXiydKv5z0GLCrMhVSFe691jF98DRNNSPAg==",
            ),
            public(DRAFT_ED25519, Algorithm::Ed25519, backend),
        ),
    ]
}

pub(super) fn transform() -> Message {
    Message::new(
        ["GET", "https://example.org", "/demo?name1=Value1&Name2=value2"],
        &[("date", "Fri, 15 Jul 2022 14:24:55 GMT"), ("accept", "application/json"), ("accept", "*/*")],
        r#"("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#,
        "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==",
    )
}
