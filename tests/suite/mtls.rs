//! MTLS: certificate-bound tokens (RFC 8705), with certificates from the connection and from proxies (RFC 9440).

use std::net::{IpAddr, Ipv4Addr};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use pop_authserver::{Algorithm, DpopKey, TestCertificate, proof};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::pop_core::jose::{CertThumbprint, encode_standard};
use tower_pop::{
    CertificateFormat, CertificateHeader, ClientCertificates, ConfigError, Mode, PeerAddress, PeerCertificate,
    PopConfig, PopConfigBuilder, PopLayer, Preset, ProofKind, ProxyTrust, UnixSocketPeer,
};
use tracing::Level;

use crate::log::Log;
use crate::support::{Answer, Api, Expected, URL, api_with};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// An API that takes certificates from connections, and three certificates.
struct Scene {
    api: Api,
    own: TestCertificate,
    other: TestCertificate,
}

fn networks() -> ProxyTrust {
    ProxyTrust::Networks(vec!["10.0.0.0/8".parse().unwrap()])
}

fn header(name: &str) -> CertificateHeader {
    CertificateHeader::new(name).unwrap()
}

fn scene_with(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Scene {
    let api = api_with(configure);
    Scene { api, own: TestCertificate::self_signed("own"), other: TestCertificate::self_signed("other") }
}

fn scene() -> Scene {
    scene_with(|builder| builder.client_certificates(ClientCertificates::from_connection()))
}

/// Behind a proxy that passes certificates in this field.
fn behind(field: &str) -> Scene {
    let certificates = ClientCertificates::from_proxies(networks(), header(field));
    scene_with(|builder| builder.client_certificates(certificates))
}

impl Scene {
    /// A token that is bound to our certificate.
    fn token(&self) -> String {
        self.api.token().bound_to_certificate(self.own.der()).mint()
    }

    async fn connection(&self, token: &str, certificate: Option<&TestCertificate>) -> Answer {
        let mut request = bearer(token);
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        self.api.send(request).await
    }

    async fn proxied(&self, peer: IpAddr, field: &'static str, values: &[&str]) -> Answer {
        let mut request = bearer(&self.token());
        request.extensions_mut().insert(PeerAddress(peer));
        for value in values {
            request.headers_mut().append(field, HeaderValue::from_str(value).unwrap());
        }
        self.api.send(request).await
    }
}

fn bearer(token: &str) -> Request<()> {
    Request::get("/notes").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap()
}

fn byte_sequence(certificate: &TestCertificate) -> String {
    format!(":{}:", encode_standard(certificate.der()))
}

fn hash(certificate: &TestCertificate) -> String {
    CertThumbprint::of_der(certificate.der()).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// MTLS-01, MTLS-02, MTLS-04: another certificate of the same key does not count. D-13: the challenge is for `Bearer`.
#[tokio::test]
async fn requires_the_certificate_that_the_token_names() {
    let scene = scene();
    let token = scene.token();
    let answer = scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "MTLS-01");
    let proof = answer.token.unwrap();
    assert_eq!(proof.proof().kind(), ProofKind::MutualTls);
    assert!(proof.proof().is_proven());
    assert_eq!(proof.proof().certificate_thumbprint(), Some(&CertThumbprint::of_der(scene.own.der())));
    assert_eq!((proof.proof().key_thumbprint(), proof.proof().jti()), (None, None));
    let renewed = scene.own.renewed("own");
    for (row, certificate, code) in [
        ("MTLS-01 another certificate", Some(&scene.other), "binding.certificate_mismatch"),
        ("MTLS-02 no certificate", None, "binding.certificate_missing"),
        ("MTLS-04 the same key, another certificate", Some(&renewed), "binding.certificate_mismatch"),
    ] {
        scene.connection(&token, certificate).await.is(Expected::Token, row).coded(code, row);
    }
    let challenge = scene.connection(&token, None).await;
    assert!(challenge.challenges()[0].starts_with("Bearer realm="), "ERR-05 D-13 {:?}", challenge.challenges());
    assert!(challenge.challenges()[0].contains("invalid_token") && !challenge.challenges()[1].contains("error="));
}

/// MTLS-03, X-32: and tokens with `jkt` under `DPoP` only.
#[tokio::test]
async fn accepts_certificate_bound_tokens_under_bearer_only() {
    let scene = scene();
    let token = scene.token();
    let mut request = crate::support::request(&token, &scene.api.proof(&token).mint());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    scene.api.send(request).await.is(Expected::Token, "MTLS-03").coded("binding.not_bound_to_proof", "MTLS-03");
    let dpop_bound = scene.api.token().mint();
    scene
        .connection(&dpop_bound, Some(&scene.own))
        .await
        .is(Expected::Token, "X-32 a jkt token over mTLS only")
        .coded("binding.bound_token_as_bearer", "X-32");
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "the twin");
}

/// MTLS-08, X-33, D-17: an attacker cannot choose the weaker binding.
#[tokio::test]
async fn requires_key_and_certificate_when_the_token_names_both() {
    let scene = scene();
    let jkt = scene.api.key.thumbprint().to_string();
    let x5t = CertThumbprint::of_der(scene.own.der()).to_string();
    let token = scene.api.token().claim("cnf", json!({ "jkt": jkt, "x5t#S256": x5t })).mint();
    let send = async |key: &DpopKey, certificate: Option<&TestCertificate>| {
        let proof = proof(key).url(URL).for_token(&token).issued_at(crate::support::NOW).mint();
        let mut request = crate::support::request(&token, &proof);
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        scene.api.send(request).await
    };
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    let answer = send(&scene.api.key, Some(&scene.own)).await.is(Expected::Ok, "MTLS-08 both");
    let verified = answer.token.unwrap();
    assert_eq!(verified.proof().kind(), ProofKind::Dpop);
    assert_eq!(verified.proof().certificate_thumbprint().unwrap().to_string(), x5t);
    for (row, key, certificate, code) in [
        ("the key alone", &scene.api.key, None, "binding.certificate_missing"),
        ("key and another certificate", &scene.api.key, Some(&scene.other), "binding.certificate_mismatch"),
        ("the certificate and another key", &thief, Some(&scene.own), "binding.key_mismatch"),
    ] {
        send(key, certificate).await.is(Expected::Token, &format!("MTLS-08 {row}")).coded(code, row);
    }
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Token, "MTLS-08 the certificate as Bearer");
}

/// CNF-05, CNF-12: it is no proof of anything.
#[tokio::test]
async fn a_certificate_that_the_token_does_not_name_changes_nothing() {
    let scene = scene();
    let token = scene.api.token().mint();
    let mut request = crate::support::request(&token, &scene.api.proof(&token).mint());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    let answer = scene.api.send(request).await.is(Expected::Ok, "a DPoP token over mutual TLS");
    assert_eq!(answer.token.unwrap().proof().certificate_thumbprint(), None);
    let unbound = scene.api.token().without("cnf").mint();
    scene
        .connection(&unbound, Some(&scene.own))
        .await
        .is(Expected::Token, "CNF-12 an unbound token over mutual TLS")
        .coded("confirmation.missing", "CNF-12");
}

/// MTLS-05, MTLS-06, X-55: hex, padding, other alphabets and stray bits.
#[tokio::test]
async fn rejects_other_encodings_of_the_thumbprint() {
    let scene = scene();
    let right = CertThumbprint::of_der(scene.own.der()).to_string();
    let bytes = *CertThumbprint::of_der(scene.own.der()).as_bytes();
    for (row, value) in [
        ("hex", hash(&scene.own)),
        ("padded", format!("{right}=")),
        ("standard base64", encode_standard(bytes)),
        ("a space", format!(" {right}")),
        ("RFC 8705 figure 2, not canonical", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2".to_owned()),
    ] {
        let token = scene.api.token().claim("cnf", json!({ "x5t#S256": value })).mint();
        scene.connection(&token, Some(&scene.own)).await.is(Expected::Token, &format!("MTLS-05 MTLS-06 {row}"));
    }
    let token = scene.api.token().claim("cnf", json!({ "x5t#S256": right })).mint();
    scene.connection(&token, Some(&scene.own)).await.is(Expected::Ok, "the twin");
}

/// MTLS-16: any bytes have a thumbprint, and nothing in them is interpreted.
#[tokio::test]
async fn hashes_certificates_and_never_parses_them() {
    let scene = scene();
    for der in [&b""[..], b"0", b"garbage", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0; 65_536]] {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerCertificate::from_der(der));
        scene.api.send(request).await.is(Expected::Token, "MTLS-16");
    }
    let behind = behind("client-cert");
    let garbage = format!(":{}:", encode_standard(b"garbage"));
    behind.proxied(PROXY, "client-cert", &[&garbage]).await.is(Expected::Token, "MTLS-16 in a header");

    // Whoever terminated TLS judged it; a token that is bound to these bytes is satisfied by these bytes.
    let bound = scene.api.token().bound_to_certificate(b"garbage").mint();
    let mut request = bearer(&bound);
    request.extensions_mut().insert(PeerCertificate::from_der(&b"garbage"[..]));
    scene.api.send(request).await.is(Expected::Ok, "MTLS-16 the twin");
    let mut request = bearer(&behind.api.token().bound_to_certificate(b"garbage").mint());
    request.extensions_mut().insert(PeerAddress(PROXY));
    request.headers_mut().insert("client-cert", garbage.parse().unwrap());
    behind.api.send(request).await.is(Expected::Ok, "MTLS-16 the twin in a header");
}

/// MTLS-09, CNF-12: and `Bearer` stays off.
#[tokio::test]
async fn uses_no_certificate_unless_configured() {
    let scene = scene_with(|builder| builder);
    scene.connection(&scene.token(), Some(&scene.own)).await.is(Expected::Token, "off by default");
    let answer = scene.proxied(PROXY, "client-cert", &[&byte_sequence(&scene.own)]).await;
    let answer = answer.is(Expected::Token, "MTLS-09").coded("credential.scheme_not_enabled", "MTLS-09");
    assert_eq!(answer.challenges().len(), 1, "CNF-12 the DPoP challenge alone");
    // With certificates from the connection, headers still count for nothing.
    let scene = self::scene();
    let answer = scene.proxied(PROXY, "client-cert", &[&byte_sequence(&scene.own)]).await;
    answer.is(Expected::Token, "MTLS-09").coded("binding.certificate_missing", "MTLS-09");
}

/// MTLS-10, MTLS-11, MTLS-14, X-56: in every format; two field lines are malformed.
#[tokio::test]
async fn accepts_certificate_fields_from_trusted_peers_only() {
    let pem = |certificate: &TestCertificate| escaped(&certificate.pem());
    let bare = |certificate: &TestCertificate| encode_standard(certificate.der());
    let xfcc = |certificate: &TestCertificate| format!("By=spiffe://api;Hash={};Subject=\"CN=a,b\"", hash(certificate));
    type Write<'w> = &'w dyn Fn(&TestCertificate) -> String;
    let writers: [(&'static str, Write<'_>); 7] = [
        ("client-cert", &byte_sequence),
        ("x-ssl-client-escaped-cert", &pem),
        ("ssl-client-cert", &pem),
        ("x-ssl-client-cert", &pem),
        ("x-ssl-client-der", &bare),
        ("x-forwarded-tls-client-cert", &bare),
        ("x-forwarded-client-cert", &xfcc),
    ];
    for (field, write) in writers {
        let scene = behind(field);
        let (own, other) = (write(&scene.own), write(&scene.other));
        scene.proxied(PROXY, field, &[&own]).await.is(Expected::Ok, field);
        scene.proxied(PROXY, field, &[&own]).await.is(Expected::Ok, "remembered");
        for (row, peer, values, code) in [
            ("MTLS-10 a stranger", STRANGER, vec![&own], "binding.certificate_missing"),
            ("another certificate", PROXY, vec![&other], "binding.certificate_mismatch"),
            ("no header", PROXY, vec![], "binding.certificate_missing"),
        ] {
            let row = format!("{field} {row}");
            let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
            scene.proxied(peer, field, &values).await.is(Expected::Token, &row).coded(code, &row);
        }
        let twice = scene.proxied(PROXY, field, &[&own, &own]).await;
        twice.is(Expected::BadRequest, "MTLS-11 two lines").coded("credential.client_certificate", field);
    }
}

/// A proxy that appends to `X-Forwarded-Client-Cert` instead of replacing it.
fn appending() -> Scene {
    let list = CertificateHeader::with_format("x-forwarded-client-cert", CertificateFormat::XfccList).unwrap();
    let certificates = ClientCertificates::from_proxies(networks(), list);
    scene_with(|builder| builder.client_certificates(certificates))
}

/// MTLS-14, X-56: a client may send the field, and the owner of a certificate chooses the names in it.
#[tokio::test]
async fn an_element_before_that_of_the_proxy_never_counts() {
    let field = "x-forwarded-client-cert";
    for (scene, accepts_list) in [(behind(field), false), (appending(), true)] {
        let (victim, real) = (hash(&scene.own), hash(&scene.other));
        let pem = escaped(&scene.own.pem());
        for (row, forged, appended) in [
            ("a quote that the subject closes", "Subject=\"x", "Subject=\"CN=\\\"\""),
            ("a quote that an empty subject closes", "Subject=\"x", "Subject=\"\""),
            ("a quote that a URI closes", "Subject=\"x", "URI=y\""),
            ("a quote that a DNS name closes", "Subject=\"x", "DNS=y\""),
            ("an escaped comma", "Subject=\"x\\", "URI=y\""),
            ("a quoted URI", "URI=\"x", "DNS=y\""),
            ("a name without quotes", "URI=x", "DNS=y"),
            ("a chain that stays open", "Chain=\"x", "URI=\""),
        ] {
            for named in [format!("Hash={victim}"), format!("Cert=\"{pem}\""), format!("Hash={victim};Cert=\"{pem}\"")]
            {
                let value = format!("{named};{forged},By=spiffe://api;Hash={real};{appended}");
                let answer = scene.proxied(PROXY, field, &[&value]).await;
                let answer = answer.is(Expected::BadRequest, &format!("MTLS-14 X-56 {row}"));
                answer.coded("credential.client_certificate", row);
            }
        }
        let within_a_name = format!("Hash={real};URI=x,Hash={victim}");
        let answer = scene.proxied(PROXY, field, &[&within_a_name]).await;
        answer.is(Expected::BadRequest, "MTLS-14 X-56 an element within a name, which Envoy writes as it is");
        let within_a_subject = format!("Hash={real};Subject=\"CN=a\\,Hash={victim}\"");
        let answer = scene.proxied(PROXY, field, &[&within_a_subject]).await;
        answer.is(Expected::Token, "MTLS-14 X-56 within quotes").coded("binding.certificate_mismatch", "X-56");

        let last = format!("By=spiffe://edge;Hash={real};Subject=\"CN=a,b\",By=spiffe://api;Hash={victim};URI=c;DNS=d");
        let answer = scene.proxied(PROXY, field, &[&last]).await;
        let expected = if accepts_list { Expected::Ok } else { Expected::BadRequest };
        answer.is(expected, "MTLS-14 the last element counts, where lists are accepted");
        let forged = format!("Hash={victim},Hash={real}");
        let answer = scene.proxied(PROXY, field, &[&forged]).await;
        let expected = if accepts_list { Expected::Token } else { Expected::BadRequest };
        answer.is(expected, "MTLS-14 X-56 a forged first element");
        let lines = [format!("Hash={real}"), format!("Hash={victim}")];
        let answer = scene.proxied(PROXY, field, &[&lines[0], &lines[1]]).await;
        answer.is(Expected::BadRequest, "MTLS-14 two lines");
        for own in [
            format!("By=spiffe://api;Hash={victim};Subject=\"CN=a\\\"b\\,c\";URI=spiffe://client;DNS=d"),
            format!("By=spiffe://api;Cert=\"{pem}\";Subject=\"\""),
        ] {
            scene.proxied(PROXY, field, &[&own]).await.is(Expected::Ok, "the twin: one element");
        }
        let other = format!("Cert=\"{}\"", escaped(&scene.other.pem()));
        let answer = scene.proxied(PROXY, field, &[&other]).await;
        answer.is(Expected::Token, "MTLS-14 Cert counts without Hash").coded("binding.certificate_mismatch", "Cert");
        let contradiction = format!("Hash={victim};{other}");
        scene.proxied(PROXY, field, &[&contradiction]).await.is(Expected::BadRequest, "MTLS-14 Hash against Cert");
    }
}

/// MTLS-11, X-56: a proxy must replace what the client sent.
#[tokio::test]
async fn rejects_a_field_when_a_proxy_appended_to_it() {
    let pem = |certificate: &TestCertificate| certificate.pem().trim_end().replace('\n', " ");
    let escaped_pem = |certificate: &TestCertificate| escaped(certificate.pem().trim_end());
    let bare = |certificate: &TestCertificate| encode_standard(certificate.der());
    type Write<'w> = &'w dyn Fn(&TestCertificate) -> String;
    let writers: [(&'static str, Write<'_>); 5] = [
        ("client-cert", &byte_sequence),
        ("x-ssl-client-escaped-cert", &escaped_pem),
        ("x-ssl-client-cert", &escaped_pem),
        ("x-ssl-client-cert", &pem),
        ("x-ssl-client-der", &bare),
    ];
    for (field, write) in writers {
        let scene = behind(field);
        let (victim, real) = (write(&scene.own), write(&scene.other));
        scene.proxied(PROXY, field, &[&victim]).await.is(Expected::Ok, "the twin");
        for separator in [",", ", ", ";", " ", "%2C", "%0A", "%20"] {
            let appended = format!("{victim}{separator}{real}");
            let answer = scene.proxied(PROXY, field, &[&appended]).await;
            answer.is(Expected::BadRequest, &format!("MTLS-11 X-56 {field} {separator:?}"));
        }
    }
}

/// MTLS-14: PEM with spaces for line breaks, and `(null)` for none.
#[tokio::test]
async fn reads_certificates_as_apache_httpd_writes_them() {
    let field = "x-ssl-client-cert";
    let scene = behind(field);
    let (own, other) = (scene.own.pem().replace('\n', " "), scene.other.pem().replace('\n', " "));
    for value in [own.as_str(), own.trim_end(), &own.replace(' ', "\t").replace("N\tC", "N C").replace("D\tC", "D C")] {
        scene.proxied(PROXY, field, &[value]).await.is(Expected::Ok, "MTLS-14 spaces for line breaks");
    }
    for (row, values, expected, code) in [
        ("(null) is no certificate", vec!["(null)"], Expected::Token, "binding.certificate_missing"),
        ("empty", vec![""], Expected::Token, "binding.certificate_missing"),
        ("another certificate", vec![&*other], Expected::Token, "binding.certificate_mismatch"),
        ("two certificates", vec![&*(own.clone() + &other)], Expected::BadRequest, "credential.client_certificate"),
        ("two lines", vec![&*own, "(null)"], Expected::BadRequest, "credential.client_certificate"),
        ("no certificate at all", vec!["(none)"], Expected::BadRequest, "credential.client_certificate"),
    ] {
        let answer = scene.proxied(PROXY, field, &values).await;
        answer.is(expected, &format!("MTLS-14 {row}")).coded(code, row);
    }
    let dpop = scene.api.token().mint();
    let mut request = crate::support::request(&dpop, &scene.api.proof(&dpop).mint());
    request.extensions_mut().insert(PeerAddress(PROXY));
    request.headers_mut().insert(field, HeaderValue::from_static("(null)"));
    scene.api.send(request).await.is(Expected::Ok, "a DPoP token without a certificate");
    for other_format in ["ssl-client-cert", "x-ssl-client-der", "client-cert", "x-forwarded-client-cert"] {
        let answer = behind(other_format).proxied(PROXY, other_format, &["(null)"]).await;
        answer.is(Expected::BadRequest, "MTLS-14 (null) means nothing in other formats");
    }
}

/// MTLS-10: a proxy passes on the fields of the others as its clients wrote them.
#[tokio::test]
async fn accepts_each_kind_of_proxy_in_its_own_field_only() {
    let envoys = ProxyTrust::Networks(vec!["192.168.0.0/16".parse().unwrap()]);
    let sources = ClientCertificates::from_proxies(networks(), header("client-cert"))
        .or_from_proxies(envoys, header("x-forwarded-client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(sources));
    let envoy = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
    let (sequence, xfcc) = (byte_sequence(&scene.own), format!("Hash={}", hash(&scene.own)));
    for (peer, field, value, expected) in [
        (PROXY, "client-cert", &sequence, Expected::Ok),
        (envoy, "x-forwarded-client-cert", &xfcc, Expected::Ok),
        (PROXY, "x-forwarded-client-cert", &xfcc, Expected::Token),
        (envoy, "client-cert", &sequence, Expected::Token),
        (STRANGER, "client-cert", &sequence, Expected::Token),
        (STRANGER, "x-forwarded-client-cert", &xfcc, Expected::Token),
    ] {
        scene.proxied(peer, field, &[value]).await.is(expected, &format!("MTLS-10 {peer} {field}"));
    }
}

/// MTLS-10, MTLS-11, MTLS-12: from untrusted peers they are not read.
#[tokio::test]
async fn malformed_fields_of_a_trusted_proxy_are_400() {
    let scene = behind("client-cert");
    let base64 = encode_standard(scene.own.der());
    for (row, value) in [
        ("PEM", escaped(&scene.own.pem())),
        ("no colons", base64.clone()),
        ("one colon", format!(":{base64}")),
        ("a list", format!(":{base64}:, :{base64}:")),
        ("parameters", format!(":{base64}:;leaf")),
        ("empty", String::new()),
        ("an empty sequence", "::".to_owned()),
    ] {
        let answer = scene.proxied(PROXY, "client-cert", &[&value]).await;
        answer.is(Expected::BadRequest, &format!("MTLS-11 {row}"));
        let from_a_stranger = scene.proxied(STRANGER, "client-cert", &[&value]).await;
        from_a_stranger.is(Expected::Token, &format!("MTLS-10 {row}, not looked at"));
    }
    let chain = scene.proxied(PROXY, "client-cert-chain", &[&byte_sequence(&scene.own)]).await;
    chain.is(Expected::BadRequest, "MTLS-12 a chain alone");
    let own = byte_sequence(&scene.own);
    scene.proxied(PROXY, "client-cert", &[&own]).await.is(Expected::Ok, "the twin");
}

/// MTLS-18: 16 KiB by default.
#[tokio::test]
async fn fields_beyond_the_limit_are_431_and_the_limit_is_configurable() {
    let (twelve, twenty) = (vec![0x30; 9 * 1024], vec![0x30; 20 * 1024]);
    let send = async |scene: &Scene, der: &[u8]| {
        let mut request = bearer(&scene.api.token().bound_to_certificate(der).mint());
        request.extensions_mut().insert(PeerAddress(PROXY));
        let field = format!(":{}:", encode_standard(der));
        request.headers_mut().insert("client-cert", field.parse().unwrap());
        scene.api.send(request).await
    };
    let scene = behind("client-cert");
    send(&scene, &twelve).await.is(Expected::Ok, "MTLS-18 12 KiB are read by default");
    let answer = send(&scene, &twenty).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code),
        (431, Some("credential.client_certificate_too_large")),
        "MTLS-18"
    );
    let roomy = ClientCertificates::from_proxies(networks(), header("client-cert").max_len(64 * 1024));
    let scene = scene_with(|builder| builder.client_certificates(roomy));
    send(&scene, &twenty).await.is(Expected::Ok, "MTLS-18 where more is allowed");
}

/// MTLS-10: on a request of a trusted proxy, only its field counts.
#[tokio::test]
async fn the_certificate_of_a_proxy_is_never_the_clients() {
    let certificates = ClientCertificates::from_connection().or_from_proxies(networks(), header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(certificates));
    let send = async |peer: IpAddr, connection: Option<&TestCertificate>, field: Option<&TestCertificate>| {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerAddress(peer));
        if let Some(certificate) = connection {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        if let Some(certificate) = field {
            request.headers_mut().insert("client-cert", byte_sequence(certificate).parse().unwrap());
        }
        scene.api.send(request).await
    };
    send(STRANGER, Some(&scene.own), None).await.is(Expected::Ok, "a client that connects directly");
    send(PROXY, None, Some(&scene.own)).await.is(Expected::Ok, "a client behind the proxy");
    send(PROXY, Some(&scene.other), Some(&scene.own)).await.is(Expected::Ok, "the proxy has its own certificate");
    let none = send(PROXY, Some(&scene.own), None).await;
    none.is(Expected::Token, "MTLS-10 no field, no certificate").coded("binding.certificate_missing", "MTLS-10");
    let other = send(PROXY, Some(&scene.own), Some(&scene.other)).await;
    other.is(Expected::Token, "the field counts").coded("binding.certificate_mismatch", "MTLS-10");
    let direct = send(STRANGER, Some(&scene.other), Some(&scene.own)).await;
    direct.is(Expected::Token, "the connection counts").coded("binding.certificate_mismatch", "MTLS-10");
}

/// What is logged while these requests are answered.
async fn log_of(cfg: &PopConfig, requests: Vec<Request<()>>) -> String {
    let (log, _guard) = Log::capture(Level::INFO);
    for request in requests {
        let (parts, ()) = request.into_parts();
        if let tower_pop::Verification::Later(later) = cfg.verify(&parts) {
            let _ = later.await;
        }
    }
    log.text()
}

/// MTLS-10, ERR-11: without an address no peer counts as a trusted proxy.
#[tokio::test]
async fn the_log_says_once_that_requests_have_no_address() {
    let certificates = || ClientCertificates::from_proxies(networks(), header("client-cert"));
    let trusted = |builder: PopConfigBuilder| {
        builder.allowed_origins(["https://api.example"]).trusted_proxies(["10.0.0.0/8".parse().unwrap()])
    };
    let known = ProxyTrust::Certificates(vec![CertThumbprint::from_digest([1; 32])]);
    let by_certificate = ClientCertificates::from_proxies(known, header("client-cert"));
    let scenes = [
        ("certificates", scene_with(|builder| builder.client_certificates(certificates())), 1),
        ("forwarded hosts", scene_with(trusted), 1),
        ("both", scene_with(|builder| trusted(builder.client_certificates(certificates()))), 1),
        ("no proxies", scene(), 0),
        ("proxies by certificate", scene_with(|builder| builder.client_certificates(by_certificate)), 0),
    ];
    for (row, scene, expected) in scenes {
        let request = || {
            let mut request = bearer(&scene.token());
            request.headers_mut().insert("host", HeaderValue::from_static("api.example"));
            request
        };
        let warnings = |log: &str| log.matches("into_make_service_with_connect_info").count();
        let with = |extend: fn(&mut http::Extensions)| {
            let mut request = request();
            extend(request.extensions_mut());
            request
        };
        let fine = vec![
            with(|extensions| _ = extensions.insert(PeerAddress(PROXY))),
            with(|extensions| _ = extensions.insert(PeerAddress(STRANGER))),
            with(|extensions| _ = extensions.insert(UnixSocketPeer)),
            with(|extensions| {
                let address = std::net::SocketAddr::from((STRANGER, 1));
                extensions.insert(axum::extract::ConnectInfo(address));
            }),
        ];
        let log = log_of(&scene.api.cfg, fine).await;
        assert_eq!(warnings(&log), 0, "MTLS-10 {row}, with an address: {log}");
        let log = log_of(&scene.api.cfg, vec![request(), request(), request()]).await;
        assert_eq!(warnings(&log), expected, "MTLS-10 {row}, without an address: {log}");
        assert!(!log.contains(&scene.token()) && !log.contains("api.example"), "ERR-11 {log}");
        let clone = scene.api.cfg.with_mode(Mode::Optional).unwrap();
        assert_eq!(warnings(&log_of(&clone, vec![request()]).await), 0, "MTLS-10 once for each configuration: {row}");
    }
}

/// MTLS-10: the snippet of the deployment guide, and what it warns of.
#[tokio::test]
async fn axum_serves_the_address_of_the_peer_only_when_configured() {
    use axum::{Router, routing::get};
    let trust = ProxyTrust::Networks(vec!["127.0.0.0/8".parse().unwrap()]);
    let certificates = ClientCertificates::from_proxies(trust, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(certificates));
    let app = Router::new().route("/notes", get(|| async { "notes" })).layer(PopLayer::new(scene.api.cfg.clone()));
    let bind = || tokio::net::TcpListener::bind(("127.0.0.1", 0));
    let (with, without) = (bind().await.unwrap(), bind().await.unwrap());
    let addresses = [with.local_addr().unwrap(), without.local_addr().unwrap()];
    let service = app.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(with, service).await });
    tokio::spawn(async move { axum::serve(without, app).await });
    for (address, status) in addresses.into_iter().zip([200, 401]) {
        let request = reqwest::Client::new().get(format!("http://{address}/notes"));
        let request = request.bearer_auth(scene.token()).header("client-cert", byte_sequence(&scene.own));
        assert_eq!(request.send().await.unwrap().status(), status, "MTLS-10");
    }
}

/// MTLS-10: `ProxyTrust::UnixSocket` and `ProxyTrust::Certificates`.
#[tokio::test]
async fn recognises_proxies_by_socket_or_by_certificate() {
    let field = |request: &mut Request<()>, certificate: &TestCertificate| {
        request.headers_mut().insert("client-cert", byte_sequence(certificate).parse().unwrap());
    };
    let on_socket = ClientCertificates::from_proxies(ProxyTrust::UnixSocket, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(on_socket));
    let mut request = bearer(&scene.token());
    field(&mut request, &scene.own);
    scene.api.send(request.clone()).await.is(Expected::Token, "MTLS-10 not over the socket");
    request.extensions_mut().insert(UnixSocketPeer);
    scene.api.send(request).await.is(Expected::Ok, "over the socket");

    let proxy = TestCertificate::self_signed("proxy");
    let known = ProxyTrust::Certificates(vec![CertThumbprint::of_der(proxy.der())]);
    let by_certificate = ClientCertificates::from_proxies(known, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(by_certificate));
    for (shown, expected) in [(&proxy, Expected::Ok), (&scene.other, Expected::Token), (&scene.own, Expected::Token)] {
        let mut request = bearer(&scene.token());
        field(&mut request, &scene.own);
        request.extensions_mut().insert(PeerCertificate::from_der(shown.der()));
        scene.api.send(request).await.is(expected, "MTLS-10 by the proxy's certificate");
    }
}

/// MTLS-10, MTLS-13: the application sees what a trusted proxy wrote and nothing else.
#[tokio::test]
async fn removes_certificate_fields_of_untrusted_peers_and_sets_vary() {
    let scene = behind("client-cert");
    let claims = ["client-cert", "client-cert-chain", "x-forwarded-client-cert", "x-ssl-client-cert", "x-client-cert"];
    let echo = service_fn(move |request: Request<()>| async move {
        let seen: Vec<&str> = claims.into_iter().filter(|name| request.headers().contains_key(*name)).collect();
        Ok::<_, std::convert::Infallible>(http::Response::new(seen.join(" ")))
    });
    let send = async |peer: IpAddr, dpop: bool| {
        let token = if dpop { scene.api.token().mint() } else { scene.token() };
        let mut request = match dpop {
            true => crate::support::request(&token, &scene.api.proof(&token).mint()),
            false => bearer(&token),
        };
        for name in claims {
            request.headers_mut().insert(name, byte_sequence(&scene.own).parse().unwrap());
        }
        request.extensions_mut().insert(PeerAddress(peer));
        PopLayer::new(scene.api.cfg.clone()).layer(echo).oneshot(request).await.unwrap()
    };
    let from_proxy = send(PROXY, false).await;
    assert_eq!(from_proxy.body(), "client-cert client-cert-chain", "MTLS-10 only what the proxy is trusted for");
    assert_eq!(from_proxy.headers()["vary"], "client-cert", "MTLS-13");
    assert!(from_proxy.headers().get("client-cert").is_none(), "MTLS-13 never in responses");
    let from_stranger = send(STRANGER, true).await;
    assert_eq!((from_stranger.status().as_u16(), from_stranger.body().as_str()), (200, ""), "MTLS-10");
    assert!(!from_stranger.headers().contains_key("vary"));
    assert!(!send(PROXY, true).await.headers().contains_key("vary"), "the token does not depend on it");
}

/// MTLS-10: for applications that call `PopConfig::verify`.
#[tokio::test]
async fn removes_certificate_fields_of_untrusted_peers_without_tower() {
    let scene = behind("client-cert");
    for (peer, stays) in [(PROXY, true), (STRANGER, false)] {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerAddress(peer));
        for name in ["client-cert", "x-ssl-cert", "ssl-client-verify", "x-forwarded-client-cert"] {
            request.headers_mut().insert(name, HeaderValue::from_static("x"));
        }
        let (mut parts, ()) = request.into_parts();
        scene.api.cfg.settle_certificates(&mut parts);
        assert_eq!(parts.headers.contains_key("client-cert"), stays, "MTLS-10 {peer}");
        assert_eq!(parts.headers.len(), 1 + usize::from(stays), "MTLS-10 {peer} {:?}", parts.headers);
    }
    let off = scene_with(|builder| builder);
    let (mut parts, ()) = Request::get("/").header("client-cert", "x").body(()).unwrap().into_parts();
    off.api.cfg.settle_certificates(&mut parts);
    assert!(parts.headers.contains_key("client-cert"), "where certificates are off nothing is touched");
}

#[tokio::test]
async fn every_mode_applies_to_certificate_bound_tokens() {
    for mode in [Mode::Required, Mode::Optional, Mode::AllowBearer] {
        let scene = scene_with(|builder| builder.mode(mode).client_certificates(ClientCertificates::from_connection()));
        scene.connection(&scene.token(), Some(&scene.own)).await.is(Expected::Ok, &format!("{mode:?}"));
        scene.connection(&scene.token(), None).await.is(Expected::Token, &format!("{mode:?}"));
    }
    let scene =
        scene_with(|builder| builder.mode(Mode::ReportOnly).client_certificates(ClientCertificates::from_connection()));
    let answer = scene.connection(&scene.token(), None).await.is(Expected::Ok, "ReportOnly passes and says so");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
    let fapi =
        scene_with(|builder| builder.preset(Preset::Fapi2).client_certificates(ClientCertificates::from_connection()));
    fapi.connection(&fapi.token(), Some(&fapi.own)).await.is(Expected::Ok, "FAPI 2.0 allows mutual TLS");
}

#[tokio::test]
async fn nested_layers_accept_one_certificate() {
    let scene = scene();
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(http::Response::new(String::new())) });
    let layer = PopLayer::new(scene.api.cfg.clone());
    let mut request = bearer(&scene.token());
    request.extensions_mut().insert(PeerCertificate::from_der(scene.own.der()));
    let response = layer.layer(layer.layer(inner)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// ERR-14: a proxy without a network, a network without a field, an unknown field.
#[test]
fn build_rejects_wrong_sources_of_certificates() {
    let build = |certificates: ClientCertificates| {
        tower_pop::PopConfig::builder("https://as.example", "https://api.example")
            .client_certificates(certificates)
            .build()
            .map(drop)
    };
    let nobody = ProxyTrust::Networks(Vec::new());
    let refused = Err(ConfigError::CertificateProxies);
    assert_eq!(build(ClientCertificates::from_proxies(nobody.clone(), header("client-cert"))), refused);
    assert_eq!(build(ClientCertificates::from_connection().trust(networks())), refused, "no header");
    let no_certificate = ProxyTrust::Certificates(Vec::new());
    assert_eq!(build(ClientCertificates::from_proxies(no_certificate, header("client-cert"))), refused);
    assert_eq!(build(ClientCertificates::from_proxies(networks(), header("client-cert"))), Ok(()), "the twin");
    for name in ["x-my-cert", "client cert", ""] {
        assert_eq!(CertificateHeader::new(name).unwrap_err(), ConfigError::CertificateHeader(name.to_owned()));
    }
    assert!(CertificateHeader::with_format("x-my-cert", CertificateFormat::Base64Der).is_ok());
    assert!(format!("{:?}", ClientCertificates::from_connection()).contains("connection: true"));
}

/// MTLS-17, META-06, META-07: where they are, DPoP is no longer required.
#[test]
fn metadata_says_whether_certificate_bound_tokens_are_accepted() {
    let document = |scene: &Scene| -> serde_json::Value {
        let service = tower_pop::MetadataService::new(&scene.api.cfg);
        let request = Request::get(service.path().to_owned()).body(()).unwrap();
        let response = futures_util::FutureExt::now_or_never(service.oneshot(request)).unwrap().unwrap();
        let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(response.into_body()));
        serde_json::from_slice(&body.unwrap().unwrap().to_bytes()).unwrap()
    };
    let with = document(&scene());
    assert_eq!(with["tls_client_certificate_bound_access_tokens"], true, "MTLS-17 META-07");
    assert_eq!(with["dpop_bound_access_tokens_required"], false, "META-06 a certificate does as well");
    assert_eq!(with["authorization_servers"], json!(["https://as.example"]));
    let without = document(&scene_with(|builder| builder));
    assert!(without.get("tls_client_certificate_bound_access_tokens").is_none(), "MTLS-17");
    assert_eq!(without["dpop_bound_access_tokens_required"], true, "META-06");
}
