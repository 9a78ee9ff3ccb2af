//! An opaque token, about which the API asks the authorization server (RFC 7662). It is bound to a DPoP key all the same.

use pop_authserver::{Algorithm, AuthServer, DpopKey};
use pop_client::{ClientAuthentication, TokenClient};

use super::dpop::Scene;
use super::{DemoError, Row, TOKEN, describe};

pub(super) async fn play(server: &AuthServer, scene: &Scene, rows: &mut Vec<Row>) -> Result<(), DemoError> {
    let key = DpopKey::generate(Algorithm::ES256)?;
    let authentication = ClientAuthentication::None;
    let client = TokenClient::discover(server.issuer(), "demo-opaque", authentication, key.clone()).await?;
    let mut row = |what, expected, got| rows.push(Row { what, expected, got });

    let token = client.client_credentials(Some("notes:read"), None).await?;
    let answer = client.http_client(&token).get(&scene.url).send().await?;
    row("GET with an opaque token and a fresh proof", "200", describe(&answer));

    let stolen = scene.proof(&scene.attacker, &token.access_token).mint();
    let got = scene.dpop(&token.access_token, &stolen).await?;
    row("stolen opaque token, proof by the thief's key", TOKEN, got);

    let unknown = "b3BhcXVlLWJ1dC11bmtub3du";
    let proof = scene.proof(&key, unknown).mint();
    row("opaque token that nobody issued", TOKEN, scene.dpop(unknown, &proof).await?);

    let token = client.client_credentials(Some("notes:read"), None).await?;
    server.revoke(&token.access_token);
    let answer = client.http_client(&token).get(&scene.url).send().await?;
    row("opaque token that was revoked", TOKEN, describe(&answer));
    Ok(())
}
