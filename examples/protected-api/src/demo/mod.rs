//! Good requests and attacks, each with what should come back and what does.

mod certificates;
mod dpop;
mod opaque;

use http::header::WWW_AUTHENTICATE;
use pop_authserver::{AuthServer, Client, TestCertificate};
use pop_client::{Challenge, ClientError};
use tokio::net::TcpListener;
use tower_pop::{ClientCertificates, Introspection, IssuerConfig, tls};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Key(#[from] pop_client::KeyError),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// One line of the table.
struct Row {
    what: &'static str,
    expected: &'static str,
    got: String,
}

/// What the demonstration needs beside authorization server and API: the API once more over TLS, with a certificate of its
/// own, and clients of three kinds.
pub(crate) struct Stage {
    pub(crate) listener: TcpListener,
    pub(crate) certificate: TestCertificate,
    tls_url: String,
}

impl Stage {
    pub(crate) async fn new() -> Result<Self, std::io::Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let tls_url = format!("https://{}", listener.local_addr()?);
        Ok(Self { listener, certificate: TestCertificate::self_signed("127.0.0.1"), tls_url })
    }

    /// The clients of the demonstration, and the API itself, which asks about opaque tokens.
    pub(crate) fn clients(audience: &str) -> [Client; 4] {
        let scopes = "notes:read notes:write";
        [
            Client::public("demo").redirect_uri("http://127.0.0.1/callback").scopes(scopes),
            Client::public("demo-mtls").scopes(scopes).certificate_bound_access_tokens(),
            Client::public("demo-opaque").scopes(scopes).opaque_access_tokens(),
            Client::confidential("api", "demonstration").introspects(audience),
        ]
    }

    /// JWTs are verified by the API itself; it asks about all other tokens.
    pub(crate) fn issuer(server: &AuthServer) -> IssuerConfig {
        let endpoint = server.introspection_endpoint();
        let introspection = Introspection::at(endpoint).client_secret_basic("api", "demonstration").jwt_first();
        IssuerConfig::new(server.issuer()).introspection(introspection)
    }

    pub(crate) const fn client_certificates() -> ClientCertificates {
        ClientCertificates::from_connection()
    }

    pub(crate) fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(self.certificate.key_der());
        let chain = vec![self.certificate.der().to_vec().into()];
        tls::server_config(chain, key.into(), tls::any_client_certificate())
    }

    pub(crate) fn tls_url(&self) -> &str {
        &self.tls_url
    }
}

/// Shows the table; whether every line is as expected.
#[allow(clippy::print_stdout)]
pub(crate) async fn run(
    server: &AuthServer,
    public_url: &str,
    tls_url: &str,
    tls_certificate: &TestCertificate,
) -> Result<bool, DemoError> {
    let mut rows = Vec::new();
    let scene = dpop::play(server, public_url, &mut rows).await?;
    certificates::play(server, tls_url, tls_certificate, &mut rows).await?;
    opaque::play(server, &scene, &mut rows).await?;
    println!("{:<47} {:<28} {:<28}", "request", "expected", "came back");
    println!("{:-<47} {:-<28} {:-<28}", "", "", "");
    for Row { what, expected, got } in &rows {
        let mark = if got == expected { "" } else { "<-- NOT AS EXPECTED" };
        println!("{what:<47} {expected:<28} {got:<28}{mark}");
    }
    let wrong = rows.iter().filter(|row| row.got != row.expected).count();
    println!("\n{} of {} as expected\n", rows.len() - wrong, rows.len());
    Ok(wrong == 0)
}

const TOKEN: &str = "401 invalid_token";
const PROOF: &str = "401 invalid_dpop_proof";

/// Status and the `error` of the first challenge.
fn describe(response: &reqwest::Response) -> String {
    let status = response.status().as_u16();
    let challenges = Challenge::from_headers(response.headers());
    debug_assert!(status != 401 || response.headers().contains_key(WWW_AUTHENTICATE));
    match challenges.iter().find_map(Challenge::error) {
        Some(error) => format!("{status} {error}"),
        None => status.to_string(),
    }
}

/// Commands for a second terminal.
#[allow(clippy::print_stdout)]
pub(crate) fn print_how_to_call(server: &AuthServer, public_url: &str) {
    println!("still serving; in a second terminal:");
    println!("  curl -i {public_url}/notes                                    # 401 and how to do better");
    println!("  curl {public_url}/.well-known/oauth-protected-resource        # what this API asks for");
    println!("  curl {}/.well-known/oauth-authorization-server", server.issuer());
    println!("Ctrl-C stops both.");
}
