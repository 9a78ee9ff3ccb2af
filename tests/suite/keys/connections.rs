//! Connections that fail, over real sockets.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop_authserver::{TestAuthServer, TestCertificate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_pop::IssuerConfig;
use tower_pop::keys::{ConnectionCause, FetchError, FetchRequest, FetchResponse, HttpFetch, HyperFetch};
use tracing::Level;

use crate::log::Log;
use crate::support::{Expected, ISSUER, NOW, api_for};

/// Fetches as usual and keeps the outcome.
#[derive(Clone)]
struct Watched(HyperFetch, Arc<Mutex<Vec<Result<FetchResponse, FetchError>>>>);

impl HttpFetch for Watched {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let (answer, seen) = (self.0.fetch(request), Arc::clone(&self.1));
        Box::pin(async move {
            let answer = answer.await;
            seen.lock().unwrap().push(answer.clone());
            answer
        })
    }
}

/// Accepts connections, with TLS where there is a certificate, and gives every request this response.
async fn answers(certificate: Option<&TestCertificate>, response: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = certificate.map(|certificate| {
        let chain = vec![certificate.der().to_vec().into()];
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.key_der()).into();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (acceptor, response) = (acceptor.clone(), response.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => {
                        _ = stream.read(&mut [0; 4096]).await;
                        _ = stream.write_all(response.as_bytes()).await;
                        _ = stream.shutdown().await;
                    }
                    Some(acceptor) => {
                        if let Ok(mut stream) = acceptor.accept(stream).await {
                            _ = stream.write_all(response.as_bytes()).await;
                            _ = stream.shutdown().await;
                        }
                    }
                }
            });
        }
    });
    port
}

fn http(body: &str, fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n{body}", body.len())
}

/// Trusts this certificate and no other.
fn trusting(certificate: &TestCertificate) -> HyperFetch {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    HyperFetch::with_tls(builder.unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// ATK-25: the URL without its query.
#[tokio::test]
async fn a_connection_that_fails_is_logged_with_url_and_cause() {
    let localhost = TestCertificate::self_signed("localhost");
    let elsewhere = TestCertificate::self_signed("elsewhere.example");
    let body = TestAuthServer::offline_at(ISSUER, NOW).jwks_json();
    let unused = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let plain = answers(None, http(&body, "")).await;
    let tls = answers(Some(&localhost), http(&body, "Age: 12\r\n")).await;
    let named = answers(Some(&elsewhere), http(&body, "")).await;
    let cut = answers(Some(&localhost), http(&body, "").replace("Content-Length: ", "Content-Length: 9")).await;
    for (url, trusted, cause) in [
        (format!("https://localhost:{unused}/jwks"), &localhost, ConnectionCause::Refused),
        (format!("https://localhost:{plain}/jwks"), &localhost, ConnectionCause::NotTls),
        (format!("https://localhost:{tls}/jwks"), &elsewhere, ConnectionCause::UntrustedAuthority),
        (format!("https://localhost:{named}/jwks"), &elsewhere, ConnectionCause::HostName),
        (format!("https://localhost:{cut}/jwks"), &localhost, ConnectionCause::Closed),
        ("https://as.invalid/jwks".to_owned(), &localhost, ConnectionCause::NameNotFound),
    ] {
        let (log, _guard) = Log::capture(Level::INFO);
        let watched = Watched(trusting(trusted), Arc::default());
        let server = TestAuthServer::offline_at(ISSUER, NOW);
        let issuer = IssuerConfig::new(ISSUER).jwks_uri(format!("{url}?secret=s3cret"));
        let api = api_for(server, issuer, |builder| builder.http_fetch(watched.clone()));
        api.with_token(&api.token().mint()).await.is(Expected::Down, &url);
        let seen = watched.1.lock().unwrap().clone();
        let [Err(FetchError::NotConnected(failure))] = &seen[..] else { panic!("{url}: {seen:?}") };
        assert_eq!(failure.cause(), cause, "{url}: {failure}");
        let text = log.text();
        assert!(text.lines().any(|line| line.contains(&url) && line.contains(&cause.to_string())), "{text}");
        assert!(text.contains("WARN") && !text.contains("s3cret"), "{text}");
    }
    let watched = Watched(trusting(&localhost), Arc::default());
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(format!("https://localhost:{tls}/jwks"));
    let api = api_for(server, issuer, |builder| builder.http_fetch(watched.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Token, "the twin is reached; its key is another");
    let seen = watched.1.lock().unwrap().clone();
    assert!(seen.iter().all(|answer| answer.as_ref().unwrap().age == Some(Duration::from_secs(12))), "Age is read");
}

/// A TLS configuration that the client cannot use is an error, not a panic.
#[test]
fn rejects_a_tls_configuration_with_alpn_protocols() {
    let config = |protocols: &[&str]| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let roots = rustls::RootCertStore::empty();
        let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    };
    let rejected = HyperFetch::try_with_tls(config(&["h2"])).map(drop).unwrap_err();
    assert!(rejected.to_string().contains("ALPN"), "{rejected}");
    assert!(HyperFetch::try_with_tls(config(&[])).is_ok());
}
