//! Requests with an opaque token that is bound to a DPoP key. The API introspects it (RFC 7662).

use pop_authserver::{Algorithm, AuthServer, DpopKey};
use pop_client::{ClientAuthentication, TokenClient};

use super::dpop_bound::DpopRequests;
use super::error::DemoError;
use super::row::{Row, TOKEN, describe};

pub(super) async fn run(server: &AuthServer, requests: &DpopRequests, rows: &mut Vec<Row>) -> Result<(), DemoError> {
    let key = DpopKey::generate(Algorithm::ES256)?;
    let authentication = ClientAuthentication::None;
    let client = TokenClient::discover(server.issuer(), "demo-opaque", authentication, key.clone()).await?;
    let mut row = |request, expected, actual| rows.push(Row::new(request, expected, actual));

    let token = client.client_credentials(Some("notes:read"), None).await?;
    let response = client.http_client(&token).get(&requests.url).send().await?;
    row("GET with an opaque token and a fresh proof", "200", describe(&response));

    let stolen = requests.proof(&requests.thief, &token.access_token).mint();
    let actual = requests.send_dpop(&token.access_token, &stolen).await?;
    row("stolen opaque token, proof by the thief's key", TOKEN, actual);

    let unknown = "b3BhcXVlLWJ1dC11bmtub3du";
    let proof = requests.proof(&key, unknown).mint();
    row("opaque token that was never issued", TOKEN, requests.send_dpop(unknown, &proof).await?);

    let token = client.client_credentials(Some("notes:read"), None).await?;
    server.revoke(&token.access_token);
    let response = client.http_client(&token).get(&requests.url).send().await?;
    row("opaque token that was revoked", TOKEN, describe(&response));
    Ok(())
}
