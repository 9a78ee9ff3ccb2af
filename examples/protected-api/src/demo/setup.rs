//! What the demonstration needs in addition to the authorization server and the API.

use pop_authserver::{AuthServer, Client, TestCertificate};
use tokio::net::TcpListener;
use tower_pop::{ClientCertificates, Introspection, IssuerConfig, tls};

/// A second listener of the API, for TLS, and its certificate.
pub(crate) struct TlsSetup {
    pub(crate) listener: TcpListener,
    pub(crate) certificate: TestCertificate,
    url: String,
}

impl TlsSetup {
    pub(crate) async fn new() -> Result<Self, std::io::Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        Ok(Self { listener, certificate: TestCertificate::self_signed("127.0.0.1"), url })
    }

    pub(crate) fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(self.certificate.key_der());
        let chain = vec![self.certificate.der().to_vec().into()];
        tls::server_config(chain, key.into(), tls::any_client_certificate())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Returns the clients of the demonstration, one for each kind of token, and the API as an introspection client.
pub(crate) fn clients(audience: &str) -> [Client; 4] {
    let scopes = "notes:read notes:write";
    [
        Client::public("demo").redirect_uri("http://127.0.0.1/callback").scopes(scopes),
        Client::public("demo-mtls").scopes(scopes).certificate_bound_access_tokens(),
        Client::public("demo-opaque").scopes(scopes).opaque_access_tokens(),
        Client::confidential("api", "demonstration").introspects(audience),
    ]
}

/// Returns the issuer for the API, which verifies JWTs locally and introspects all other tokens.
pub(crate) fn issuer(server: &AuthServer) -> IssuerConfig {
    let endpoint = server.introspection_endpoint();
    let introspection = Introspection::at(endpoint).client_secret_basic("api", "demonstration").jwt_first();
    IssuerConfig::new(server.issuer()).introspection(introspection)
}

/// Client certificates come from the TLS connection.
pub(crate) const fn client_certificates() -> ClientCertificates {
    ClientCertificates::from_connection()
}
