//! `attack --binding certificate`: it finds each defect of a broken server, and passes correct ones.

use axum::Router;
use axum::routing::get;
use pop_authserver::TestCertificate;
use pop_core::certificate::CertificateFormat as F;
use pop_core::jose::CertThumbprint;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use tower_pop::tls::{self, TlsPeer};
use tower_pop::{ClientCertificates, PopConfig, PopLayer};

use crate::api::Api;
use crate::broken_tls::{self, Defect};
use crate::support::{Folder, Ran, poplayer};

/// A client with a certificate and a token that is bound to it, and the certificate of servers.
struct World {
    api: Api,
    folder: Folder,
    client: TestCertificate,
    server: TestCertificate,
}

impl World {
    fn new(name: &str) -> Self {
        let (client, server) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("127.0.0.1"));
        let api = Api::start(|builder| builder, |builder| builder);
        Self { api, folder: Folder::new(name), client, server }
    }

    fn attack(&self, url: &str, more: &[&str]) -> Ran {
        let file = |name: &str, text: String| self.folder.file(name, text);
        let (own, key) = (file("own.pem", self.client.pem()), file("key.pem", self.client.key_pem()));
        let cacert = file("server.pem", self.server.pem());
        let tls = ["--certificate", &own, "--certificate-key", &key, "--cacert", &cacert];
        poplayer(&[&["attack", url, "--binding", "certificate", "--json"], &tls[..], more].concat())
    }

    fn token(&self, url: &str) -> String {
        self.api.server.token().audience(url).bound_to_certificate(self.client.der()).mint()
    }
}

fn with(report: &Value, result: &str) -> Vec<String> {
    let results = report["results"].as_array().unwrap();
    let named = results.iter().filter(|one| one["result"] == result);
    named.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// One server of each kind, with the requests that it must be caught by: all of them, and no other.
#[test]
fn finds_the_defect_of_every_broken_server() {
    use Defect as D;
    let rows: &[(Defect, &[&str])] = &[
        (D::None, &[]),
        (D::KnownCertificatesOnly, &[]),
        (D::AnyCertificate, &["other-certificate", "fields-all"]),
        (
            D::CertificateOptional,
            &[
                "no-certificate",
                "field-client-cert",
                "field-xfcc",
                "field-traefik",
                "field-ssl-client-cert",
                "field-x-ssl-client-cert",
                "field-x-ssl-client-cert-escaped",
                "field-nginx",
                "field-der",
                "field-x-client-cert",
                "field-azure",
                "field-aws",
                "field-cloudflare",
            ],
        ),
        (D::FieldFirst, &["field-client-cert", "fields-all"]),
        (D::Field("client-cert", F::Rfc9440), &["field-client-cert"]),
        (D::Field("x-forwarded-client-cert", F::Xfcc), &["field-xfcc"]),
        (D::Field("x-forwarded-tls-client-cert", F::Traefik), &["field-traefik"]),
        (D::Field("ssl-client-cert", F::EscapedPem), &["field-ssl-client-cert"]),
        (D::Field("x-ssl-client-cert", F::Pem), &["field-x-ssl-client-cert", "field-x-ssl-client-cert-escaped"]),
        (D::Field("x-ssl-client-cert", F::EscapedPem), &["field-x-ssl-client-cert-escaped"]),
        (D::Field("x-ssl-client-escaped-cert", F::EscapedPem), &["field-nginx"]),
        (D::Field("x-ssl-client-der", F::Base64Der), &["field-der"]),
        (D::Field("x-client-cert", F::EscapedPem), &["field-x-client-cert"]),
        (D::Field("x-arr-clientcert", F::Base64Der), &["field-azure"]),
        (D::Field("x-amzn-mtls-clientcert-leaf", F::EscapedPem), &["field-aws"]),
        (D::Field("cf-client-cert-der-base64", F::Base64Der), &["field-cloudflare"]),
        (D::AcceptsDpop, &["dpop"]),
        (D::NoTokenSignature, &["token-signature", "token-alg-none", "token-rebound"]),
        (D::UnboundTokens, &["token-signature", "token-alg-none", "token-rebound", "token-unbound"]),
        (D::FirstTokenOnly, &["two-tokens"]),
        (D::SchemeWithCase, &["scheme-case"]),
    ];
    let world = World::new("attack-certificates");
    for (defect, caught) in rows {
        let url = world.api.block_on(broken_tls::start(&world.api.server, &world.server, &world.client, *defect));
        let ran = world.attack(&url, &["--token", &world.token(&url)]);
        let report = ran.json();
        assert_eq!(with(&report, "fail"), *caught, "{defect:?}");
        assert_eq!(with(&report, "unclear"), [""; 0], "{defect:?}");
        assert_eq!(ran.status, i32::from(!caught.is_empty()), "{defect:?}");
        // What was not read is not said to be tested.
        let (skipped, known_only) = (with(&report, "skipped"), *defect == D::KnownCertificatesOnly);
        let expected: &[&str] = if known_only { &["fields-all", "token-rebound", "token-unbound"] } else { &[] };
        assert_eq!(skipped, expected, "{defect:?}");
        let ended = report["results"].as_array().unwrap().iter().filter(|one| one["server"] == "the connection ended");
        assert_eq!(ended.count(), usize::from(known_only), "{report:#}");
    }
}

/// A server that fails, or does not answer, passes nothing.
#[test]
fn a_server_that_rejects_good_requests_or_fails_does_not_pass() {
    use Defect as D;
    let world = World::new("attack-certificates-failing");
    let attack = |defect| {
        let url = world.api.block_on(broken_tls::start(&world.api.server, &world.server, &world.client, defect));
        let ran = world.attack(&url, &["--token", &world.token(&url), "--max-time", "1"]);
        (ran.status, ran.json())
    };
    let (status, report) = attack(D::RejectsEverySecond);
    assert!(status == 1 && with(&report, "fail").contains(&"two-requests".to_owned()), "{report:#}");
    let (status, report) = attack(D::Hangs);
    assert!(status == 1 && with(&report, "unclear").contains(&"no-certificate".to_owned()), "{report:#}");
    let (status, report) = attack(D::Panics);
    assert_eq!((status, with(&report, "unclear")), (1, vec!["field-client-cert".to_owned(), "fields-all".to_owned()]));
    assert_eq!(attack(D::None).0, 0, "the twin");
}

/// A server that rejects every connection passes nothing, and tokens are bound to the certificate that is shown.
#[test]
fn passes_the_layer_but_no_server_that_is_gone() {
    let world = World::new("attack-certificates-layer");
    let url = world.api.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let key = PrivatePkcs8KeyDer::from(world.server.key_der());
        let chain = vec![world.server.der().to_vec().into()];
        let config = tls::server_config(chain, key.into(), tls::any_client_certificate()).unwrap();
        let cfg = PopConfig::builder(world.api.server.issuer(), &url)
            .client_certificates(ClientCertificates::from_connection());
        let app = Router::new().route("/", get(async || "hello")).layer(PopLayer::new(cfg.build().unwrap()));
        let app = app.into_make_service_with_connect_info::<TlsPeer>();
        tokio::spawn(async move { axum::serve(tls::listener(listener, config), app).await });
        url
    });
    let token = world.token(&url);
    let ran = world.attack(&url, &["--token", &token]);
    assert_eq!((ran.status, &ran.json()["passed"]), (0, &true.into()), "{ran:?}");
    let bound = CertThumbprint::of_der(world.client.der()).to_string();
    let command = format!("test \"$POPLAYER_X5T_S256\" = {bound} && echo {token}");
    let ran = world.attack(&url, &["--token-command", &command]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = world.attack("https://127.0.0.1:9/", &["--token", &token]);
    assert!(ran.status == 1 && ran.out.is_empty(), "{ran:?}");
    let plain = format!("{}/echo", world.api.url);
    let ran = world.attack(&plain, &["--token", &world.token(&world.api.url)]);
    assert!(ran.status == 1 && ran.err.contains("rejects a good request with status 401"), "{ran:?}");
    poplayer(&["attack", &url, "--binding", "certificate", "--token", &token]).is_rejected("expected --certificate");
    let command = ["--binding", "certificate", "--token-command", "echo t"];
    poplayer(&[&["attack", &url], &command[..]].concat()).is_rejected("expected --certificate");
    let list = poplayer(&["attack", "--list", "--binding", "certificate", "--json"]).json();
    assert!(list.as_array().unwrap().iter().any(|vector| vector["name"] == "other-certificate"));
}
