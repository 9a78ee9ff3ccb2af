//! One authorization server as one client sees it: its endpoints, and requests to them with client authentication.

use http::header::{ACCEPT, AUTHORIZATION};
use pop_core::jose::SigningKey as DpopKey;
use pop_core::proof::message_signature::SignatureProfile;
use reqwest::{Body, Request, Url};

use crate::challenge::preferred;
use crate::client_authentication::ClientAuthentication;
use crate::discovery::ServerMetadata;
use crate::error::ClientError;
use crate::header::{DPOP, sensitive};
use crate::message_signature::RequestSignature;
use crate::transport::{CompleteResponse, Transport};

/// The endpoints of one issuer, for one client.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationServer {
    pub(crate) transport: Transport,
    pub(crate) issuer: String,
    pub(crate) metadata: ServerMetadata,
    pub(crate) client_id: String,
    pub(crate) authentication: ClientAuthentication,
}

/// What shows possession of a key in a request to the server.
pub(crate) enum RequestProof<'r> {
    None,
    Dpop(String),
    /// A message signature. Without `keyid` it brings the public key along.
    Signature {
        key: &'r DpopKey,
        keyid: Option<&'r str>,
    },
}

impl AuthorizationServer {
    /// Checks that the server accepts proofs that are signed with this key.
    pub(crate) fn check_key(&self, key: &DpopKey) -> Result<(), ClientError> {
        match &self.metadata.proof_algorithms {
            Some(names) if !names.iter().any(|name| name == key.algorithm().name()) => {
                Err(ClientError::Algorithm { preferred: preferred(names.iter().map(String::as_str)) })
            }
            _ => Ok(()),
        }
    }

    pub(crate) const fn token_endpoint(&self) -> &Url {
        &self.metadata.token
    }

    pub(crate) fn authorization_endpoint(&self) -> Result<&Url, ClientError> {
        let url = self.metadata.authorization.as_ref();
        url.ok_or(ClientError::Response("the server has no authorization endpoint"))
    }

    /// The endpoint for pushed authorization requests (RFC 9126).
    pub(crate) fn pushed_authorization_endpoint(&self) -> Result<&Url, ClientError> {
        let url = self.metadata.pushed_authorization.as_ref();
        url.ok_or(ClientError::Response("the server has no endpoint for pushed authorization requests"))
    }

    /// Sends a form to an endpoint of the server, with client authentication.
    pub(crate) async fn send(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        proof: RequestProof<'_>,
    ) -> Result<CompleteResponse, ClientError> {
        let mut request = self.transport.client(url).post(url.clone()).header(ACCEPT, "application/json");
        let credentials = self.authentication.credentials(&self.client_id, &self.issuer)?;
        if let Some(authorization) = credentials.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        // A pushed authorization request has a `client_id` of its own (RFC 9126 §2.1).
        let names_client = form.iter().any(|(name, _)| *name == "client_id");
        let added = credentials.parameters.iter().filter(|(name, _)| !(names_client && *name == "client_id"));
        let form: Vec<_> = form.iter().copied().chain(added.map(|(name, value)| (*name, value.as_str()))).collect();
        let options = &self.transport.options;
        let mut request = request.form(&form).build()?;
        match proof {
            RequestProof::None => {}
            RequestProof::Dpop(proof) => {
                request.headers_mut().insert(DPOP, sensitive(proof)?);
            }
            RequestProof::Signature { key, keyid } => sign(&mut request, key, keyid)?,
        }
        self.transport.exchange(request, options.token_timeout, options.max_token_response_len).await
    }
}

/// Signs a request that is complete.
fn sign(request: &mut Request, key: &DpopKey, keyid: Option<&str>) -> Result<(), ClientError> {
    let mut headers = std::mem::take(request.headers_mut());
    let content = request.body().and_then(Body::as_bytes).unwrap_or_default();
    let mut signature = RequestSignature::new(SignatureProfile::TokenRequest).content(content);
    if let Some(keyid) = keyid {
        signature = signature.keyid(keyid);
    }
    signature.sign(request.method().as_str(), request.url().as_str(), &mut headers, key)?;
    *request.headers_mut() = headers;
    Ok(())
}
