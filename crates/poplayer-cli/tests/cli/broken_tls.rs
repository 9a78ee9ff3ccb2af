//! A resource server over mutual TLS, with one defect. It is written for these tests, and is an example of nothing.

use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use pop_authserver::{TestAuthServer, TestCertificate};
use pop_core::access_token::UnverifiedToken;
use pop_core::certificate::CertificateFormat;
use pop_core::jose::{CertThumbprint, DecodedJws, JwkSet, decode};
use pop_core::policy::TokenPolicy;
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_pop::tls::{self, TlsPeer};

/// What the server fails to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Defect {
    None,
    /// Not a defect: the handshake needs a certificate that the server knows.
    KnownCertificatesOnly,
    AnyCertificate,
    CertificateOptional,
    /// Believes this field, whoever sends it, if the connection has no certificate.
    Field(&'static str, CertificateFormat),
    /// Believes `Client-Cert` rather than the connection.
    FieldFirst,
    AcceptsDpop,
    NoTokenSignature,
    UnboundTokens,
    FirstTokenOnly,
    SchemeWithCase,
    RejectsEverySecond,
    /// Never answers a connection without a certificate.
    Hangs,
    /// Falls over when it reads `Client-Cert`.
    Panics,
}

struct Server {
    defect: Defect,
    keys: JwkSet,
    calls: std::sync::Mutex<u32>,
}

/// Starts a server with a defect. Returns its URL; it runs as long as the runtime.
pub(crate) async fn start(
    issuer: &TestAuthServer,
    own: &TestCertificate,
    known: &TestCertificate,
    defect: Defect,
) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/notes", listener.local_addr().unwrap());
    let policy = TokenPolicy::default();
    let jwks = issuer.jwks_json();
    let (keys, _) = JwkSet::parse(jwks.as_bytes(), policy.algorithms, policy.rsa, policy.backend).unwrap();
    let verifier = match defect {
        Defect::KnownCertificatesOnly => {
            let mut roots = RootCertStore::empty();
            roots.add(known.der().to_vec().into()).unwrap();
            tls::client_certificate_under(roots).unwrap()
        }
        _ => tls::any_client_certificate(),
    };
    let key = PrivatePkcs8KeyDer::from(own.key_der());
    let config = tls::server_config(vec![own.der().to_vec().into()], key.into(), verifier).unwrap();
    let server = Arc::new(Server { defect, keys, calls: std::sync::Mutex::default() });
    let handler = get(async move |ConnectInfo(peer): ConnectInfo<TlsPeer>, headers: HeaderMap| {
        let shown = peer.certificate.as_ref().map(|shown| *shown.thumbprint());
        if server.defect == Defect::Hangs && shown.is_none() {
            std::future::pending::<()>().await;
        }
        assert!(server.defect != Defect::Panics || !headers.contains_key("client-cert"), "a defect");
        if server.check(shown, &headers).is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    });
    let app = Router::new().route("/notes", handler).into_make_service_with_connect_info::<TlsPeer>();
    tokio::spawn(async move { axum::serve(tls::listener(listener, config), app).await });
    url
}

impl Server {
    fn check(&self, shown: Option<CertThumbprint>, headers: &HeaderMap) -> Option<()> {
        let mut fields = headers.get_all("authorization").iter();
        let (scheme, token) = fields.next()?.to_str().ok()?.split_once(' ')?;
        (fields.next().is_none() || self.defect == Defect::FirstTokenOnly).then_some(())?;
        if scheme == "DPoP" {
            return (self.defect == Defect::AcceptsDpop && headers.contains_key("dpop")).then_some(());
        }
        (scheme == "Bearer" || scheme == "bearer" && self.defect != Defect::SchemeWithCase).then_some(())?;
        let claims = self.token(token)?;
        *self.calls.lock().unwrap() += 1;
        let is_second = self.calls.lock().unwrap().is_multiple_of(2);
        (self.defect != Defect::RejectsEverySecond || !is_second).then_some(())?;
        let shown = match self.defect {
            Defect::Field(name, format) => shown.or_else(|| field(headers, name, format)),
            Defect::FieldFirst => field(headers, "client-cert", CertificateFormat::Rfc9440).or(shown),
            _ => shown,
        };
        let Some(bound) = claims["cnf"]["x5t#S256"].as_str() else {
            return (self.defect == Defect::UnboundTokens).then_some(());
        };
        match shown {
            Some(shown) => (shown.to_string() == bound || self.defect == Defect::AnyCertificate).then_some(()),
            None => (self.defect == Defect::CertificateOptional).then_some(()),
        }
    }

    fn token(&self, token: &str) -> Option<Value> {
        if !matches!(self.defect, Defect::NoTokenSignature | Defect::UnboundTokens) {
            let policy = TokenPolicy::default();
            let jws = DecodedJws::parse(token, policy.max_len).ok()?;
            UnverifiedToken::parse(&jws, &policy).ok()?.verify_signature(&self.keys).ok()?;
        }
        serde_json::from_slice(&decode(token.split('.').nth(1)?).ok()?).ok()
    }
}

fn field(headers: &HeaderMap, name: &str, format: CertificateFormat) -> Option<CertThumbprint> {
    format.read(headers.get(name)?.as_bytes()).ok().flatten()
}
