//! What the field of a trusted proxy may hold.

use http::HeaderValue;
use pop_authserver::TestCertificate;
use pop_core::jose::encode_standard;
use tower_pop::{CertificateFormat, CertificateHeader, ClientCertificates, PeerAddress};

use super::{PROXY, Scene, UNTRUSTED, bearer, behind, byte_sequence, escaped, hash, header, networks, scene_with};
use crate::support::Expected;

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
        let from_untrusted = scene.proxied(UNTRUSTED, "client-cert", &[&value]).await;
        from_untrusted.is(Expected::Token, &format!("MTLS-10 {row}, not read"));
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
