//! An API behind a proxy: both are started, with the configuration file that the deployment guide shows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Version;
use pop_authserver::{Algorithm, TestAuthServer, TestCertificate};
use pop_client::{ClientCertificate, MtlsClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tower_pop::{CertificateHeader, ClientCertificates, IssuerConfig, PopConfig, PopLayer, ProxyTrust, VerifiedToken};

pub(crate) const AUDIENCE: &str = "https://api.example";

/// A program that is a proxy, and how it is started.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Files in `tests/proxies`, and their names in the folder that the proxy runs in.
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) args: &'static [&'static str],
    /// What stands in its files, and what to replace it by.
    pub(crate) edits: &'static [(&'static str, &'static str)],
    /// Whether it resumes TLS sessions where it asks for client certificates.
    pub(crate) resumes: bool,
}

pub(crate) const NGINX: Program = Program {
    name: "nginx",
    files: &[("nginx.conf", "config")],
    args: &["-c", "@FOLDER@/config"],
    edits: &[],
    resumes: true,
};
pub(crate) const HAPROXY: Program = Program {
    name: "haproxy",
    files: &[("haproxy.cfg", "config")],
    args: &["-f", "@FOLDER@/config"],
    edits: &[],
    resumes: true,
};
pub(crate) const APACHE: Program = Program {
    name: "apache2",
    files: &[("apache.conf", "config")],
    args: &["-X", "-f", "@FOLDER@/config"],
    edits: &[],
    resumes: true,
};
pub(crate) const CADDY: Program = Program {
    name: "caddy",
    files: &[("Caddyfile", "Caddyfile")],
    args: &["run", "--adapter", "caddyfile", "--config", "@FOLDER@/Caddyfile"],
    edits: &[],
    resumes: false,
};
pub(crate) const TRAEFIK: Program = Program {
    name: "traefik",
    files: &[("traefik.yml", "traefik.yml"), ("traefik-routes.yml", "traefik-routes.yml")],
    args: &["--configFile=@FOLDER@/traefik.yml"],
    edits: &[],
    resumes: true,
};
pub(crate) const ENVOY: Program = Program {
    name: "envoy",
    files: &[("envoy.yaml", "envoy.yaml")],
    args: &["-c", "@FOLDER@/envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
    edits: &[],
    resumes: true,
};

/// An API that trusts proxies of a network, and its authorization server. Clients know it under two hosts, at the port of
/// the proxy. Once it sees the paths of clients, and once without the prefix `/gateway`.
pub(crate) struct Api {
    pub(crate) server: TestAuthServer,
    port: u16,
    direct: SocketAddr,
    gateway: SocketAddr,
}

impl Api {
    pub(crate) async fn start(network: &str, field: &str) -> Self {
        Self::with_header(network, CertificateHeader::new(field).unwrap()).await
    }

    pub(crate) async fn with_header(network: &str, header: CertificateHeader) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let builder = || {
            let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
            let trust = ProxyTrust::Networks(vec![network.parse().unwrap()]);
            let header = header.clone().max_len(64 * 1024);
            PopConfig::builder(issuer, AUDIENCE)
                .proof_algorithms(Algorithm::compiled_in())
                .client_certificates(ClientCertificates::from_proxies(trust, header))
                .allowed_origins(["localhost", "other.example"].map(|host| format!("https://{host}:{port}")))
        };
        let direct = serve(builder().build().unwrap()).await;
        let behind = builder().path_prefix("/gateway").trusted_proxies([network.parse().unwrap()]);
        let gateway = serve(behind.build().unwrap()).await;
        Self { server, port, direct, gateway }
    }
}

/// Serves every path, and says by which proof and in which version of HTTP the request came.
async fn serve(cfg: PopConfig) -> SocketAddr {
    let whoami = async |version: Version, token: VerifiedToken| {
        ([("x-version", format!("{version:?}"))], token.proof().kind().as_str())
    };
    let app = Router::new().fallback(whoami).layer(PopLayer::new(cfg));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// A proxy in front of an API, until it is dropped.
pub(crate) struct Proxy {
    child: Child,
    folder: PathBuf,
    pub(crate) resumes: bool,
    pub(crate) port: u16,
    pub(crate) certificate: TestCertificate,
}

fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).is_file())
}

impl Proxy {
    pub(crate) async fn start(program: &Program, api: &Api) -> Option<Self> {
        let name = program.name;
        if !installed(name) {
            assert!(std::env::var_os("POPLAYER_REQUIRE_PROXIES").is_none(), "{name} is not installed");
            eprintln!("LEFT OUT: {name} is not installed here");
            return None;
        }
        let port = api.port;
        let folder = std::env::temp_dir().join(format!("poplayer-{name}-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let certificate =
            TestCertificate::for_names(&["localhost", "other.example", "evil.example"].map(str::to_owned));
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write("server.pem", certificate.pem());
        write("server.key", certificate.key_pem());
        write("server-and-key.pem", certificate.pem() + &certificate.key_pem());
        let fill = |text: &str| {
            text.replace("@FOLDER@", folder.to_str().unwrap())
                .replace("@PORT@", &port.to_string())
                .replace("@API@", &api.direct.port().to_string())
                .replace("@GATEWAY@", &api.gateway.port().to_string())
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (template, name) in program.files {
            let mut text = std::fs::read_to_string(root.join("tests/proxies").join(template)).unwrap();
            for (old, new) in program.edits {
                assert!(text.contains(old), "{template} has no {old:?}");
                text = text.replace(old, new);
            }
            write(name, fill(&text));
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(name);
        command.args(program.args.iter().map(|arg| fill(arg))).current_dir(&folder).env("HOME", &folder);
        command.stdout(Stdio::null()).stderr(log);
        let (child, resumes) = (command.spawn().unwrap(), program.resumes);
        let proxy = Self { child, folder, resumes, port, certificate };
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() && proxy.routes().await {
                return Some(proxy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = |name: &str| std::fs::read_to_string(proxy.folder.join(name)).unwrap_or_default();
        panic!("{name} does not accept connections: {}{}{}", log("nginx.log"), log("apache.log"), log("log"));
    }

    /// Whether the proxy knows its routes: some accept connections before.
    async fn routes(&self) -> bool {
        let trusted = reqwest::Certificate::from_pem(self.certificate.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_merge([trusted]).build().unwrap();
        http.get(self.url()).send().await.is_ok_and(|answer| answer.status() == 401)
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/whoami", self.port)
    }

    /// Status and body of a request with a token, over TLS with this certificate, or with none.
    pub(crate) async fn get(
        &self,
        token: &str,
        shown: Option<&TestCertificate>,
        field: Option<(&str, String)>,
    ) -> (u16, String) {
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

    /// A TLS client that remembers sessions.
    pub(crate) fn tls_client(&self, shown: Option<&TestCertificate>) -> Arc<ClientConfig> {
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
    pub(crate) async fn get_resumable(&self, tls: &Arc<ClientConfig>, token: &str) -> (String, HandshakeKind) {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.unwrap();
        let request = format!(
            "GET /whoami HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.port
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
