//! Requests with a JWT that is bound to the certificate of the client (RFC 8705).

use pop_authserver::{Algorithm, AuthServer, DpopKey, TestCertificate, proof};
use pop_client::{ClientAuthentication, ClientCertificate, ClientError, MtlsClient, MtlsTokenClient};

use super::error::DemoError;
use super::row::{Row, TOKEN, describe};

pub(super) async fn run(
    server: &AuthServer,
    tls_url: &str,
    api_certificate: &TestCertificate,
    rows: &mut Vec<Row>,
) -> Result<(), DemoError> {
    let trusting = |certificate: &TestCertificate| -> Result<ClientCertificate, ClientError> {
        ClientCertificate::from_pem(&certificate.pem(), &certificate.key_pem())?
            .trust(server.tls_certificate_pem().unwrap_or_default())?
            .trust(&api_certificate.pem())
    };
    let own = TestCertificate::self_signed("client.example");
    let thief = TestCertificate::self_signed("thief.example");
    let authentication = ClientAuthentication::None;
    let client = MtlsTokenClient::discover(server.issuer(), "demo-mtls", authentication, trusting(&own)?).await?;
    let token = client.client_credentials(Some("notes:read"), None).await?;
    let url = format!("{tls_url}/notes");
    let mut row = |request, expected, actual| rows.push(Row::new(request, expected, actual));

    let response = client.http_client(&token).get(&url)?.send().await?;
    row("GET with a certificate-bound token over mTLS", "200", describe(&response));
    let stolen = MtlsClient::new(trusting(&thief)?, &token.access_token)?;
    let response = stolen.get(&url)?.send().await?;
    row("the same token, the thief's certificate", TOKEN, describe(&response));

    let trusted = reqwest::Certificate::from_pem(api_certificate.pem().as_bytes())?;
    let without = reqwest::Client::builder().tls_certs_merge([trusted]).build()?;
    let bearer = format!("Bearer {}", token.access_token);
    let response = without.get(&url).header("authorization", &bearer).send().await?;
    row("the same token, no certificate", TOKEN, describe(&response));
    let claimed = format!(":{}:", pop_core::jose::encode_standard(own.der()));
    let response = without.get(&url).header("authorization", bearer).header("client-cert", claimed).send().await?;
    row("the same token, certificate claimed in a header", TOKEN, describe(&response));

    let key = DpopKey::generate(Algorithm::ES256)?;
    let proof = proof(&key).method("GET").url(&url).for_token(&token.access_token).mint();
    let request = without.get(&url).header("authorization", format!("DPoP {}", token.access_token));
    let response = request.header("dpop", proof).send().await?;
    row("the same token under DPoP, the thief's own key", TOKEN, describe(&response));
    Ok(())
}
