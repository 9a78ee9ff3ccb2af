//! Connections that fail: the error and the log say which URL and why.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;

use pop_client::{ClientError, ClientOptions, Endpoints, HttpFailure, ResourceMetadata, TokenClient};
use support::{Log, chain, client, head, key, raw, response, write};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A TLS server with a certificate for this name; returns its port and certificate.
async fn tls(name: &str) -> (u16, String) {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                drop(stream.read(&mut [0; 4096]).await);
                drop(stream.write_all(response("200 OK", "", "{}").as_bytes()).await);
                drop(stream.shutdown().await);
            });
        }
    });
    (port, cert.pem())
}

fn trusting(pem: &str) -> ClientOptions {
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    ClientOptions::new().http(move |http| http.tls_certs_merge([certificate.clone()]))
}

/// A port where nothing listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// CLI-29, CLI-11: in the error and in the log, without query and token.
#[tokio::test]
async fn a_failed_connection_names_its_url_and_the_cause() {
    let ((known, pem), (named, named_pem)) = (tls("127.0.0.1").await, tls("other.example").await);
    let plain = raw(|mut stream, _| async move {
        use tokio::io::AsyncReadExt;
        drop(stream.read(&mut [0; 4096]).await);
        write(&mut stream, &response("400 Bad Request", "", "")).await;
    })
    .await;
    let plain: u16 = plain.rsplit(':').next().unwrap().parse().unwrap();
    let accepting_all = ClientOptions::new().http(|http| http.tls_danger_accept_invalid_certs(true));
    for (row, origin, options, expected, cause) in [
        (
            "untrusted",
            format!("https://127.0.0.1:{known}"),
            ClientOptions::new(),
            HttpFailure::UntrustedCertificate,
            "trusted CA",
        ),
        (
            "untrusted, whatever the caller sets",
            format!("https://127.0.0.1:{known}"),
            accepting_all,
            HttpFailure::UntrustedCertificate,
            "trusted CA",
        ),
        (
            "another name",
            format!("https://127.0.0.1:{named}"),
            trusting(&named_pem),
            HttpFailure::CertificateName,
            "another name",
        ),
        (
            "no TLS",
            format!("https://127.0.0.1:{plain}"),
            ClientOptions::new(),
            HttpFailure::NotTls,
            "does not speak TLS",
        ),
        ("refused", format!("http://127.0.0.1:{}", free_port()), ClientOptions::new(), HttpFailure::Refused, "refused"),
        (
            "refused over TLS",
            format!("https://127.0.0.1:{}", free_port()),
            ClientOptions::new(),
            HttpFailure::Refused,
            "refused",
        ),
        (
            "no such name",
            "https://no-such-name.invalid".to_owned(),
            ClientOptions::new(),
            HttpFailure::UnknownHost,
            "no such host",
        ),
    ] {
        let endpoints = Endpoints::new(format!("{origin}/token?secret"));
        let tokens = TokenClient::builder(&origin, "app").options(options.clone());
        let by_hand = tokens.clone().endpoints(endpoints).build(key()).await.unwrap();
        let (log, guard) = Log::begin();
        let errors = [
            ("/api", client(&options).get(format!("{origin}/api?secret=1")).send().await.map(drop)),
            ("/warm", client(&options).warm_up(format!("{origin}/warm?secret=1")).await.map(drop)),
            ("/token", by_hand.client_credentials(None, None).await.map(drop)),
            ("/.well-known/oauth-authorization-server", tokens.build(key()).await.map(drop)),
            (
                "/.well-known/oauth-protected-resource",
                ResourceMetadata::fetch_with_options(&origin, &options).await.map(drop),
            ),
        ];
        drop(guard);
        let log = log.text();
        for (path, outcome) in errors {
            let error = outcome.unwrap_err();
            let text = chain(&error);
            let ClientError::Http(error) = error else { panic!("CLI-29 {row}: {text}") };
            assert_eq!(error.failure(), expected, "CLI-29 {row} {path}: {text}");
            assert_eq!(error.url(), Some(&*format!("{origin}{path}")), "CLI-29 {row}");
            assert!(text.contains(cause) && std::error::Error::source(&error).is_some(), "CLI-29 {row}: {text}");
            assert!(!text.contains("secret") && !text.contains("the-token"), "CLI-11 {text}");
            let line = log.lines().find(|line| line.contains("WARN") && line.contains(&format!("{origin}{path}\"")));
            assert!(line.is_some_and(|line| line.contains(cause)), "CLI-29 {row} {path}: {log}");
        }
        assert!(!log.contains("secret") && !log.contains("the-token"), "CLI-11 {log}");
    }
    let answer = client(&trusting(&pem)).get(format!("https://127.0.0.1:{known}/")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "CLI-29 the twin, with a CA of the caller's");
}

/// CLI-29: and not a timeout.
#[tokio::test]
async fn a_connection_that_ends_early_is_an_error_with_its_url() {
    let url = raw(|mut stream, _| async move {
        head(&mut stream).await;
    })
    .await;
    match client(&ClientOptions::new()).get(format!("{url}/a?secret")).send().await {
        Err(ClientError::Http(error)) => {
            assert_eq!((error.failure(), error.url()), (HttpFailure::Broken, Some(&*format!("{url}/a"))), "CLI-29");
        }
        other => panic!("{other:?}"),
    }
    let error = ClientError::from(reqwest::Client::new().get("http://[").build().unwrap_err());
    assert!(!error.to_string().is_empty(), "CLI-29");
}

/// CLI-05: although the client looked into it for a nonce challenge.
#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let url = raw(|mut stream, _| async move {
        head(&mut stream).await;
        let fields = "content-type: application/json\r\ncontent-length: 100\r\n";
        write(&mut stream, &format!("HTTP/1.1 401 Unauthorized\r\n{fields}\r\n{{\"error\":")).await;
    })
    .await;
    let answer = client(&ClientOptions::new()).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 401, "CLI-05");
    assert!(answer.bytes().await.is_err(), "CLI-05 an error, as if the client had not read the body");
}
