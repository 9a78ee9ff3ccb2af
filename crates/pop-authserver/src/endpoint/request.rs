//! Requests that clients send themselves, not through a browser: a form with client authentication, and a proof if it
//! has one.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use pop_core::jose::{CertThumbprint, JwkThumbprint};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use tower_pop::PeerCertificate;
use tower_pop::tls::TlsPeer;

use super::proof::{VerifiedProof, verify_proof};
use super::replay::{record_assertion, record_proof, record_signature};
use super::signature::{VerifiedSignature, verify_signature};
use crate::authentication::{Assertion, Credentials, authenticate};
use crate::client::Client;
use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;
use crate::tls_endpoint::TlsEndpoint;

/// A POST request of a client, before any check.
pub(super) struct ClientRequest {
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    certificate: Option<CertThumbprint>,
    over_tls: bool,
}

impl<S: Send + Sync> FromRequest<S> for ClientRequest {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, BytesRejection> {
        let certificate = request.extensions().get().map(|certificate: &PeerCertificate| *certificate.thumbprint());
        let over_tls = request.extensions().get::<TlsPeer>().is_some();
        let query = request.uri().query().map(ToOwned::to_owned);
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await?;
        Ok(Self { query, headers, body, certificate, over_tls })
    }
}

impl ClientRequest {
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Authenticates the client, and records its assertion.
    pub(super) fn authenticated<'s>(&self, server: &'s AuthServer) -> Result<(Form, &'s Client), OAuthError> {
        let form = Form::of_request(&self.headers, &self.body)?;
        let (client, assertion) = self.authenticate(server, &form)?;
        if let Some(assertion) = assertion {
            record_assertion(server, client, &assertion)?;
        }
        Ok((form, client))
    }

    /// Authenticates the client, and verifies the proof of a request to this endpoint. Nothing is recorded until
    /// [`VerifiedRequest::record`].
    pub(super) fn verified<'s>(
        &self,
        server: &'s AuthServer,
        endpoint: &str,
    ) -> Result<VerifiedRequest<'s>, OAuthError> {
        let form = Form::of_request(&self.headers, &self.body)?;
        let (client, assertion) = self.authenticate(server, &form)?;
        let proof = verify_proof(server, self.origin(server), endpoint, &self.headers)?;
        Ok(VerifiedRequest { form, client, certificate: self.certificate, proof, signature: None, assertion })
    }

    /// As [`verified`](Self::verified), with the message signature of a token request.
    pub(super) fn verified_with_signature<'s>(
        &self,
        server: &'s AuthServer,
        endpoint: &str,
    ) -> Result<VerifiedRequest<'s>, OAuthError> {
        let request = self.verified(server, endpoint)?;
        let mut target = format!("{}{endpoint}", server.issuer_path());
        if let Some(query) = &self.query {
            target.push('?');
            target.push_str(query);
        }
        let head = RequestHead::new("POST", self.origin(server), &target, &self.headers, server.now());
        let signature = verify_signature(request.client, &head, &self.body)?;
        Ok(VerifiedRequest { signature, ..request })
    }

    fn authenticate<'s>(
        &self,
        server: &'s AuthServer,
        form: &Form,
    ) -> Result<(&'s Client, Option<Assertion>), OAuthError> {
        let certificate = self.certificate.as_ref();
        let credentials = Credentials { headers: &self.headers, form, certificate, now: server.now() };
        authenticate(&server.inner.clients, server.issuer(), &credentials)
    }

    /// Returns the origin that proofs must name. Over TLS it is the origin of `mtls_endpoint_aliases`.
    fn origin<'s>(&self, server: &'s AuthServer) -> &'s Origin {
        server.inner.tls.as_ref().filter(|_| self.over_tls).map_or(&server.inner.origin, TlsEndpoint::origin)
    }
}

/// A request of an authenticated client whose proof and signature are valid.
pub(super) struct VerifiedRequest<'s> {
    pub(super) form: Form,
    pub(super) client: &'s Client,
    pub(super) certificate: Option<CertThumbprint>,
    pub(super) proof: Option<VerifiedProof>,
    pub(super) signature: Option<VerifiedSignature>,
    assertion: Option<Assertion>,
}

impl VerifiedRequest<'_> {
    /// Returns the key that the client has shown possession of.
    pub(super) fn key(&self) -> Option<JwkThumbprint> {
        let signed_by = self.signature.as_ref().map(|signature| signature.key);
        self.proof.as_ref().map(|proof| proof.key).or(signed_by)
    }

    /// Records the assertion, the proof and the signature. It is called after all other checks, so that a rejected
    /// request does not use them up.
    pub(super) fn record(&self, server: &AuthServer) -> Result<(), OAuthError> {
        if let Some(assertion) = &self.assertion {
            record_assertion(server, self.client, assertion)?;
        }
        if let Some(proof) = &self.proof {
            record_proof(server, proof)?;
        }
        match &self.signature {
            Some(signature) => record_signature(server, signature),
            None => Ok(()),
        }
    }
}
