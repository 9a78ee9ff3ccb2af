//! Mutual TLS over real connections: certificates made here, rustls on both sides, axum and `PopLayer` behind it.

use std::sync::Arc;

use axum::routing::any;
use axum::{Extension, Router};
use pop_authserver::TestCertificate;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tower_pop::tls::{self, TlsPeer};
use tower_pop::{ClientCertificates, PeerCertificate, PopLayer, VerifiedToken};

use crate::support::{Api, api_with};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

struct Server {
    address: std::net::SocketAddr,
    certificate: TestCertificate,
    api: Api,
}

fn key(certificate: &TestCertificate) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(certificate.key_der()).into()
}

/// Handlers find the certificate in the extensions.
async fn whoami(token: VerifiedToken, certificate: Option<Extension<PeerCertificate>>) -> &'static str {
    let proven = token.proof().certificate_thumbprint();
    assert_eq!(certificate.as_ref().map(|Extension(certificate)| certificate.thumbprint()), proven);
    token.proof().kind().as_str()
}

async fn server(verifier: Arc<dyn ClientCertVerifier>) -> Server {
    let certificate = TestCertificate::self_signed("localhost");
    let config = tls::server_config(vec![certificate.der().to_vec().into()], key(&certificate), verifier).unwrap();
    let api = api_with(|builder| builder.client_certificates(ClientCertificates::from_connection()));
    let app = Router::new().route("/whoami", any(whoami)).layer(PopLayer::new(api.cfg.clone()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = tls::listener(listener, config);
    let service = app.into_make_service_with_connect_info::<TlsPeer>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Server { address, certificate, api }
}

/// Presents a certificate and signs with any key.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Server {
    fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        shown: Option<(&TestCertificate, &TestCertificate)>,
    ) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().to_vec().into()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, signer)) => {
                let key = provider.key_provider.load_private_key(key(signer)).unwrap();
                let certified = CertifiedKey::new(vec![certificate.der().to_vec().into()], key);
                builder.with_client_cert_resolver(Arc::new(Shows(Arc::new(certified))))
            }
        })
    }

    /// Returns status and body of one request and the kind of handshake, or an error where the connection breaks.
    async fn get(&self, config: &Arc<ClientConfig>, token: &str) -> std::io::Result<(String, HandshakeKind)> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
        let request = format!(
            "GET /whoami HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (status, body) = (&answer[9..12], answer.split("\r\n\r\n").nth(1).unwrap_or_default());
        Ok((if status == "200" { format!("{status} {body}") } else { status.to_owned() }, kind))
    }

    fn token(&self, certificate: &TestCertificate) -> String {
        // The clock of the API stands still; its tokens are those of that time.
        self.api.token().bound_to_certificate(certificate.der()).mint()
    }
}

/// MTLS-01, MTLS-02, MTLS-07, X-57: without a certificate the handshake succeeds and the token is rejected; a
/// certificate without its key fails the handshake.
#[tokio::test]
async fn requires_the_certificate_of_the_token_over_tls_1_3_and_1_2() {
    let server = server(tls::any_client_certificate()).await;
    let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
    let token = server.token(&own);
    for version in VERSIONS {
        let with = |shown| server.client(version, shown);
        let right = server.get(&with(Some((&own, &own))), &token).await.unwrap();
        assert_eq!(right.0, "200 mtls", "MTLS-07 self-signed, {version:?}");
        assert_eq!(server.get(&with(Some((&other, &other))), &token).await.unwrap().0, "401", "MTLS-01 {version:?}");
        assert_eq!(server.get(&with(None), &token).await.unwrap().0, "401", "MTLS-02 {version:?}: no failed handshake");
        let stolen = server.get(&with(Some((&own, &other))), &token).await;
        assert!(stolen.is_err(), "X-57 MTLS-07 a certificate without its key, {version:?}: {stolen:?}");
    }
}

/// MTLS-15, X-58: or with none.
#[tokio::test]
async fn a_resumed_session_counts_with_the_certificate_of_its_handshake() {
    let server = server(tls::any_client_certificate()).await;
    let own = TestCertificate::self_signed("own");
    let token = server.token(&own);
    for version in VERSIONS {
        for (shown, expected) in [(Some((&own, &own)), "200 mtls"), (None, "401")] {
            let config = server.client(version, shown);
            let first = server.get(&config, &token).await.unwrap();
            assert_eq!((first.0.as_str(), first.1), (expected, HandshakeKind::Full), "{version:?}");
            let second = server.get(&config, &token).await.unwrap();
            assert_eq!((second.0.as_str(), second.1), (expected, HandshakeKind::Resumed), "MTLS-15 {version:?}");
        }
    }
}

/// MTLS-02, MTLS-07: a certificate of another authority fails the handshake; none at all does not.
#[tokio::test]
async fn a_certificate_authority_can_be_required() {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(params, authority);
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let server = server(tls::client_certificate_under(roots).unwrap()).await;

    let client_key = rcgen::KeyPair::generate().unwrap();
    let issued = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let issued = issued.signed_by(&client_key, &issuer).unwrap();
    let token = server.api.token().bound_to_certificate(issued.der()).mint();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let signer = PrivatePkcs8KeyDer::from(client_key.serialize_der()).into();
    let certified =
        CertifiedKey::new(vec![issued.der().clone()], provider.key_provider.load_private_key(signer).unwrap());
    let mut config = (*server.client(&rustls::version::TLS13, None)).clone();
    config.client_auth_cert_resolver = Arc::new(Shows(Arc::new(certified)));
    assert_eq!(server.get(&Arc::new(config), &token).await.unwrap().0, "200 mtls");

    let own = TestCertificate::self_signed("own");
    let foreign = server.client(&rustls::version::TLS13, Some((&own, &own)));
    assert!(server.get(&foreign, &server.token(&own)).await.is_err(), "another authority");
    let none = server.client(&rustls::version::TLS13, None);
    assert_eq!(
        server.get(&none, &token).await.unwrap().0,
        "401",
        "MTLS-02 without a certificate the handshake succeeds"
    );
}

/// MTLS-03, CLI-15, AS-12: from the token request to the handler.
#[tokio::test]
async fn client_authorization_server_and_api_work_together_over_mutual_tls() {
    use pop_authserver::{Client, TestAuthServer};
    use pop_client::{ClientAuthentication, ClientCertificate, ClientError, MtlsClient, MtlsTokenClient};

    let own = TestCertificate::self_signed("own");
    let builder = TestAuthServer::defaults()
        .mutual_tls()
        .client(Client::public("mtls").certificate_bound_access_tokens())
        .client(Client::self_signed_tls("known", own.der()).certificate_bound_access_tokens());
    let authorization_server = TestAuthServer::start_with(builder).await;
    let pem = authorization_server.tls_certificate_pem().unwrap();
    let certificate = |certificate: &TestCertificate, trusted: &str| {
        ClientCertificate::from_pem(&certificate.pem(), &certificate.key_pem())
            .unwrap()
            .trust(pem)
            .unwrap()
            .trust(trusted)
    };

    let api_certificate = TestCertificate::self_signed("127.0.0.1");
    let chain = vec![api_certificate.der().to_vec().into()];
    let config = tls::server_config(chain, key(&api_certificate), tls::any_client_certificate()).unwrap();
    let cfg = tower_pop::PopConfig::builder(authorization_server.issuer(), "https://api.example")
        .client_certificates(ClientCertificates::from_connection())
        .build()
        .unwrap();
    let app = Router::new().route("/whoami", any(whoami)).layer(PopLayer::new(cfg));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/whoami", listener.local_addr().unwrap());
    let listener = tls::listener(listener, config);
    tokio::spawn(async move { axum::serve(listener, app.into_make_service_with_connect_info::<TlsPeer>()).await });

    let trusting = |shown: &TestCertificate| certificate(shown, &api_certificate.pem()).unwrap();
    let issuer = authorization_server.issuer();
    let client = MtlsTokenClient::discover(issuer, "mtls", ClientAuthentication::None, trusting(&own)).await.unwrap();
    let token = client.client_credentials(None, None).await.unwrap();
    let answer = client.http_client(&token).get(&url).unwrap().send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2, "by ALPN");
    assert_eq!(answer.text().await.unwrap(), "mtls", "CLI-15 AS-12");

    let other = TestCertificate::self_signed("other");
    let thief = MtlsClient::new(trusting(&other), &token.access_token).unwrap();
    assert_eq!(thief.get(&url).unwrap().send().await.unwrap().status(), 401, "MTLS-01");
    assert!(matches!(thief.get("http://127.0.0.1/"), Err(ClientError::Url(_))), "CLI-18 only over TLS");

    let by_certificate = async |shown: &TestCertificate| {
        let authentication = ClientAuthentication::TlsCertificate;
        let client = MtlsTokenClient::discover(issuer, "known", authentication, trusting(shown)).await.unwrap();
        client.client_credentials(None, None).await.map(drop)
    };
    by_certificate(&own).await.unwrap();
    let rejected = by_certificate(&other).await;
    assert!(matches!(rejected, Err(ClientError::OAuth { code, .. }) if code == "invalid_client"), "RFC 8705 §2.2");
}

/// MTLS-04: over its DER.
#[test]
fn the_thumbprint_is_computed_from_the_leaf_certificate() {
    let own = TestCertificate::self_signed("own");
    let certificate = PeerCertificate::from_der(own.der());
    assert_eq!(certificate.der(), own.der(), "MTLS-04");
    assert_eq!(format!("{certificate:?}"), format!("PeerCertificate({})", certificate.thumbprint()));
}
