//! A client of the MCP server: it finds the authorization server, gets a token that is bound to a new key, and calls the
//! tools.
//!
//! ```sh
//! cargo run -p mcp-server --example mcp-client http://127.0.0.1:3000/mcp
//! ```

mod signed_http;

use std::error::Error;

use pop_client::{Algorithm, ClientAuthentication, DpopKey, ResourceMetadata, TokenClient};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;

use crate::signed_http::SignedHttp;

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: mcp-client URL [SCOPE]")?;
    let scope = std::env::args().nth(2).unwrap_or_else(|| "profile notes:write".to_owned());

    let resource = ResourceMetadata::fetch(&url).await?;
    let issuer = resource.authorization_servers.first().ok_or("the resource names no authorization server")?;
    let key = DpopKey::generate(Algorithm::ES256)?;
    let server = TokenClient::discover(issuer, "demo", ClientAuthentication::None, key.clone()).await?;
    let token = server.client_credentials(Some(&scope), Some(&resource.resource)).await?;

    let http = SignedHttp::new(key, token.access_token)?;
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await?;
    for tool in client.list_all_tools().await? {
        println!("tool {}: {}", tool.name, tool.description.unwrap_or_default());
    }
    let note = json!({ "text": "buy milk" }).as_object().cloned().unwrap_or_default();
    for call in [CallToolRequestParams::new("whoami"), CallToolRequestParams::new("add_note").with_arguments(note)] {
        let name = call.name.clone();
        match client.call_tool(call).await {
            Ok(result) => println!("{name}: {}", text(&result)),
            Err(error) => println!("{name}: {error}: {}", error.auth_challenge().unwrap_or("no challenge")),
        }
    }
    client.cancel().await?;
    Ok(())
}

fn text(result: &rmcp::model::CallToolResult) -> String {
    result.content.iter().filter_map(|content| content.as_text()).map(|text| text.text.as_str()).collect()
}
