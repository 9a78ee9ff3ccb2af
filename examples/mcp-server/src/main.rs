//! The MCP server, for an authorization server or with one for development.
//!
//! ```sh
//! cargo run -p mcp-server -- --nonce required
//! ```

use std::error::Error;
use std::net::SocketAddr;

use clap::Parser;
use pop_authserver::{AuthServer, Client, TestAuthServer};
use rmcp::transport::StreamableHttpServerConfig;
use tokio::net::TcpListener;
use tower_pop::{NoncePolicy, PopConfig, Preset};

/// An MCP server that needs a DPoP proof with each request.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Whether proofs need a nonce: off or required.
    #[arg(long, default_value = "off")]
    nonce: NoncePolicy,
    /// The authorization server [default: one for development, which approves every request of the client `demo`].
    #[arg(long)]
    issuer: Option<String>,
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let development; // runs until it is dropped
    let issuer = match args.issuer {
        Some(issuer) => issuer,
        None => {
            let client = Client::public("demo").redirect_uri("http://127.0.0.1/callback");
            development = TestAuthServer::try_start_with(AuthServer::builder().client(client).audience(&url)).await?;
            development.issuer().to_owned()
        }
    };

    let cfg = PopConfig::builder(issuer, &url) // the URL is the audience of tokens, too
        .preset(Preset::Mcp)
        .nonce(args.nonce)
        .scopes_supported(["profile"]) // what clients ask for first; tools name the others
        .build()?;
    // Without sessions, which `rmcp` does not bind to a token. A tool runs before the response starts, and can deny it.
    let transport = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .enforce_origin_validation(); // no web page may call it
    println!("ready {url}");
    Ok(axum::serve(listener, mcp_server::router(&cfg, transport)).await?)
}
