//! MTLS with real proxies in front: nginx, HAProxy and Apache httpd terminate mutual TLS, with the configuration files that the
//! deployment guide shows. The test of a proxy that is not installed prints `LEFT OUT`, and fails where POPLAYER_REQUIRE_PROXIES is
//! set.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use pop_authserver::{TestAuthServer, TestCertificate};
use pop_client::{ClientCertificate, MtlsClient};
use pop_core::jose::encode_standard;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tower_pop::{CertificateHeader, ClientCertificates, IssuerConfig, PopConfig, PopLayer, ProxyTrust, VerifiedToken};

const AUDIENCE: &str = "https://api.example";

/// An API that trusts proxies of a network, and its authorization server.
struct Api {
    server: TestAuthServer,
    address: SocketAddr,
}

async fn api(network: &str, header: &str) -> Api {
    let server = TestAuthServer::offline("https://as.example");
    let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
    let trust = ProxyTrust::Networks(vec![network.parse().unwrap()]);
    let header = CertificateHeader::new(header).unwrap().max_len(64 * 1024);
    let cfg = PopConfig::builder(issuer, AUDIENCE)
        .client_certificates(ClientCertificates::from_proxies(trust, header))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/whoami", any(|token: VerifiedToken| async move { token.proof().kind().as_str() }))
        .layer(PopLayer::new(cfg));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Api { server, address }
}

/// A proxy in front of an API, until it is dropped.
struct Proxy {
    child: Child,
    folder: PathBuf,
    port: u16,
    certificate: TestCertificate,
}

impl Proxy {
    async fn start(program: &str, template: &str, args: &[&str], api: &Api) -> Option<Self> {
        if Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("POPLAYER_REQUIRE_PROXIES").is_none(), "{program} is not installed");
            eprintln!("LEFT OUT: {program} is not installed here");
            return None;
        }
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("poplayer-{program}-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let certificate = TestCertificate::self_signed("127.0.0.1");
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write("server.pem", certificate.pem());
        write("server.key", certificate.key_pem());
        write("server-and-key.pem", certificate.pem() + &certificate.key_pem());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let config = std::fs::read_to_string(root.join("tests/proxies").join(template)).unwrap();
        let config = config
            .replace("@FOLDER@", folder.to_str().unwrap())
            .replace("@PORT@", &port.to_string())
            .replace("@API@", &api.address.port().to_string());
        write("config", config);
        let mut command = Command::new(program);
        command.args(args).arg(folder.join("config")).stdout(Stdio::null()).stderr(Stdio::null());
        let proxy = Self { child: command.spawn().unwrap(), folder, port, certificate };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(proxy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = |name: &str| std::fs::read_to_string(proxy.folder.join(name)).unwrap_or_default();
        panic!("{program} does not accept connections: {}{}", log("nginx.log"), log("apache.log"));
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/whoami", self.port)
    }

    /// Status and body of a request with a token, over TLS with this certificate, or with none.
    async fn get(&self, token: &str, shown: Option<&TestCertificate>, field: Option<(&str, String)>) -> (u16, String) {
        let trusted = self.certificate.pem();
        let mut request = match shown {
            Some(shown) => {
                let shown = ClientCertificate::from_pem(&shown.pem(), &shown.key_pem()).unwrap();
                MtlsClient::new(shown.trust(&trusted).unwrap(), token).unwrap().get(self.url()).unwrap()
            }
            None => {
                let trusted = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
                let http = reqwest::Client::builder().tls_certs_merge([trusted]).build().unwrap();
                http.get(self.url()).bearer_auth(token)
            }
        };
        if let Some((name, value)) = field {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Proxy {
    /// A TLS client that remembers sessions.
    fn tls_client(&self, shown: Option<&TestCertificate>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().to_vec().into()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let key = rustls::pki_types::PrivatePkcs8KeyDer::from(shown.key_der()).into();
                builder.with_client_auth_cert(vec![shown.der().to_vec().into()], key).unwrap()
            }
        })
    }

    /// The status of a request on a connection of its own, and whether its session was resumed.
    async fn get_resumable(&self, tls: &Arc<ClientConfig>, token: &str) -> (String, HandshakeKind) {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.unwrap();
        let request = format!(
            "GET /whoami HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Some proxies close without a TLS close_notify. What came before is the response.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        (answer[9..12].to_owned(), stream.get_ref().1.handshake_kind().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM ends the workers as well. A killed master leaves them behind.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().is_ok_and(|status| status.success());
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn escaped(certificate: &TestCertificate) -> String {
    certificate.pem().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn byte_sequence(certificate: &TestCertificate) -> String {
    format!(":{}:", encode_standard(certificate.der()))
}

/// The cases, for any proxy: `write` is how a client would forge its field.
async fn through(proxy: &Proxy, api: &Api, field: &str, write: fn(&TestCertificate) -> String) {
    let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
    let bound = |certificate: &TestCertificate| {
        api.server.token().audience(AUDIENCE).bound_to_certificate(certificate.der()).mint()
    };
    let token = bound(&own);
    assert_eq!(proxy.get(&token, Some(&own), None).await, (200, "mtls".to_owned()), "MTLS-01");
    for (shown, status) in [(Some(&own), "200"), (None, "401")] {
        let tls = proxy.tls_client(shown);
        let full = proxy.get_resumable(&tls, &token).await;
        assert_eq!(full, (status.to_owned(), HandshakeKind::Full), "MTLS-15 with a certificate: {}", shown.is_some());
        let resumed = proxy.get_resumable(&tls, &token).await;
        assert_eq!(resumed, (status.to_owned(), HandshakeKind::Resumed), "MTLS-15 X-58 {}", shown.is_some());
    }
    assert_eq!(proxy.get(&token, Some(&other), None).await.0, 401, "MTLS-01 another certificate");
    assert_eq!(proxy.get(&token, None, None).await.0, 401, "MTLS-02 no certificate");
    let forged = || Some((field, write(&own)));
    assert_eq!(proxy.get(&token, None, forged()).await.0, 401, "MTLS-10 X-56 the field sent by the client");
    assert_eq!(proxy.get(&token, Some(&other), forged()).await.0, 401, "MTLS-10 and beside another certificate");
    assert_eq!(
        proxy.get(&token, Some(&own), Some((field, write(&other)))).await.0,
        200,
        "the field of the proxy counts"
    );

    let names: Vec<String> = (0..250).map(|number| format!("{number}.a-rather-long-name.example")).collect();
    let large = TestCertificate::for_names(&names);
    assert!(large.der().len() > 8 * 1024, "{}", large.der().len());
    assert_eq!(proxy.get(&bound(&large), Some(&large), None).await.0, 200, "MTLS-18 {} bytes", large.der().len());
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: the escaped PEM of nginx.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_nginx() {
    let field = "X-Ssl-Client-Escaped-Cert";
    let api = api("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start("nginx", "nginx.conf", &["-c"], &api).await {
        through(&proxy, &api, field, escaped).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-11, MTLS-15, MTLS-18: `Client-Cert` (RFC 9440).
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_haproxy() {
    let api = api("127.0.0.0/8", "Client-Cert").await;
    if let Some(proxy) = Proxy::start("haproxy", "haproxy.cfg", &["-f"], &api).await {
        through(&proxy, &api, "Client-Cert", byte_sequence).await;
    }
}

/// MTLS-01, MTLS-10, MTLS-14: the field of older HAProxy configurations.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_haproxy_in_base64_der() {
    let api = api("127.0.0.0/8", "X-Ssl-Client-Der").await;
    if let Some(proxy) = Proxy::start("haproxy", "haproxy-der.cfg", &["-f"], &api).await {
        through(&proxy, &api, "X-Ssl-Client-Der", |certificate| encode_standard(certificate.der())).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: PEM with spaces for line breaks.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_apache_httpd() {
    let field = "X-SSL-Client-Cert";
    let api = api("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start("apache2", "apache.conf", &["-X", "-f"], &api).await {
        through(&proxy, &api, field, |certificate| certificate.pem().replace('\n', " ")).await;
    }
}

/// MTLS-10: the field of a proxy outside the trusted network.
#[tokio::test(flavor = "multi_thread")]
async fn ignores_certificates_behind_an_untrusted_proxy() {
    let field = "X-Ssl-Client-Escaped-Cert";
    let api = api("192.0.2.0/24", field).await;
    if let Some(proxy) = Proxy::start("nginx", "nginx.conf", &["-c"], &api).await {
        let own = TestCertificate::self_signed("own");
        let token = api.server.token().audience(AUDIENCE).bound_to_certificate(own.der()).mint();
        assert_eq!(proxy.get(&token, Some(&own), None).await.0, 401, "MTLS-10");
    }
}
