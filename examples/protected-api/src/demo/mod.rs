//! Valid requests and attacks, each with its expected and its actual response.

mod certificate_bound;
mod dpop_bound;
mod error;
mod opaque;
mod row;
mod setup;
mod signed;
mod signing;

use pop_authserver::{AuthServer, TestCertificate};

pub(crate) use self::error::DemoError;
use self::row::Row;
pub(crate) use self::setup::{TlsSetup, client_certificates, clients, config, issuer, key_encryption_key, router};

/// Sends all requests and prints the table. Returns whether every row is as expected.
#[allow(clippy::print_stdout)]
pub(crate) async fn run(
    server: &AuthServer,
    audience: &str,
    public_url: &str,
    tls_url: &str,
    tls_certificate: &TestCertificate,
) -> Result<bool, DemoError> {
    let mut rows = Vec::new();
    let requests = dpop_bound::run(server, public_url, &mut rows).await?;
    certificate_bound::run(server, tls_url, tls_certificate, &mut rows).await?;
    opaque::run(server, &requests, &mut rows).await?;
    signed::run(server, audience, public_url, &mut rows).await?;
    println!("{:<47} {:<28} {:<28}", "request", "expected", "came back");
    println!("{:-<47} {:-<28} {:-<28}", "", "", "");
    for row in &rows {
        let Row { request, expected, actual } = row;
        let mark = if row.is_as_expected() { "" } else { "<-- NOT AS EXPECTED" };
        println!("{request:<47} {expected:<28} {actual:<28}{mark}");
    }
    let as_expected = rows.iter().filter(|row| row.is_as_expected()).count();
    println!("\n{as_expected} of {} as expected\n", rows.len());
    Ok(as_expected == rows.len())
}

/// Prints commands for a second terminal.
#[allow(clippy::print_stdout)]
pub(crate) fn print_commands(server: &AuthServer, public_url: &str) {
    println!("still serving; in a second terminal:");
    println!("  curl -i {public_url}/notes                                    # 401 with a challenge");
    println!("  curl {public_url}/.well-known/oauth-protected-resource        # the metadata of this API");
    println!("  curl {}/.well-known/oauth-authorization-server", server.issuer());
    println!("Ctrl-C stops both.");
}
