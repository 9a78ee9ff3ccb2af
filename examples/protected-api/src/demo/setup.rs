//! What the demonstration needs in addition to the authorization server and the API.

use axum::Router;
use pop_authserver::{AuthServer, Client, TestCertificate};
use pop_core::jose::encode;
use serde_json::json;
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;
use tower_pop::{
    ClientCertificates, Introspection, IssuerConfig, KeyEncryptionKeys, PopConfig, PopConfigBuilder, ProofKind,
    SignedContent, tls,
};

use super::error::DemoError;
use super::signed::SIGNATURE_REQUIRED;
use crate::api;

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

/// Returns a new key-encryption key in a JWK Set. The API and the authorization server have the same. A key that only the
/// API has would be an elliptic curve or RSA key.
pub(crate) fn key_encryption_key() -> Result<String, DemoError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| DemoError::Random)?;
    Ok(json!({ "keys": [{ "kty": "oct", "kid": "demo", "alg": "A256KW", "k": encode(key) }] }).to_string())
}

/// Returns the configuration of the demonstration, which shows all kinds of proof, whatever the options say about them.
pub(crate) fn config(builder: PopConfigBuilder, key_encryption_key: &str) -> Result<PopConfig, DemoError> {
    let all = [ProofKind::Dpop, ProofKind::MutualTls, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac];
    let builder = builder.proofs(all).key_encryption_keys(KeyEncryptionKeys::parse(key_encryption_key.as_bytes())?);
    Ok(builder.signed_content(SignedContent::Required).content_limit(1 << 20).build()?)
}

/// Returns the API, and the same API once more where requests with DPoP must have a signature too.
pub(crate) fn router(cfg: &PopConfig, cors: Option<CorsLayer>) -> Router {
    let with_signature = api::protected(&cfg.with_message_signature(true), true);
    api::router(&cfg.with_message_signature(false), true, cors).nest(SIGNATURE_REQUIRED, with_signature)
}
