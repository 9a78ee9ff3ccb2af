//! Not an example for users, but the client that tests/interop/run gives to the conformance suite of the protocol, whose
//! authorization server knows only the authorization code grant.

#[path = "mcp-client/signed_http.rs"]
mod signed_http;

use std::error::Error;

use pop_client::{Algorithm, ClientAuthentication, DpopKey, ResourceMetadata, TokenClient};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use crate::signed_http::SignedHttp;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: mcp-conformance URL")?;
    let resource = ResourceMetadata::fetch(&url).await?;
    let issuer = resource.authorization_servers.first().ok_or("the resource names no authorization server")?;
    let key = DpopKey::generate(Algorithm::ES256)?;
    let server = TokenClient::discover(issuer, "test-client-id", ClientAuthentication::None, key.clone()).await?;
    let request = server.authorize("http://127.0.0.1/callback", None, Some(&resource.resource))?;
    let user = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let answer = user.get(request.url.clone()).send().await?;
    let redirected_to = answer.headers().get("location").ok_or("the user did not approve")?.to_str()?;
    let token = server.exchange(&request, redirected_to).await?;

    let http = SignedHttp::new(key, token.access_token)?;
    let transport =
        StreamableHttpClientTransport::with_client(http, StreamableHttpClientTransportConfig::with_uri(url));
    let client = ().serve(transport).await?;
    for tool in client.list_all_tools().await? {
        client.call_tool(CallToolRequestParams::new(tool.name)).await?;
    }
    client.cancel().await?;
    Ok(())
}
