//! Signing of requests: with the proof that the token needs.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use pop_core::jose::SigningKey as DpopKey;
use pop_core::proof::message_signature::SignatureProfile;
use pop_core::target::Origin;
use reqwest::Url;

use super::{Content, Covered, Signer};
use crate::bound_token::ProofMethod;
use crate::clock::unix_now;
use crate::error::ClientError;
use crate::header::{DPOP, sensitive};
use crate::message_signature::{CONTENT_DIGEST, RequestSignature};
use crate::nonce::Role;
use crate::proof::Proof;
use crate::signature_key::SignatureKey;
use crate::signed_request::Envelope;

/// The head of a request that is to be signed.
pub(crate) struct Unsigned<'r> {
    pub(crate) method: &'r str,
    pub(crate) url: &'r Url,
    pub(crate) headers: &'r mut HeaderMap,
}

impl Signer {
    /// Adds the token and a new proof. `origin` is the origin of the URL.
    pub(crate) fn sign(
        &self,
        request: &mut Unsigned<'_>,
        origin: &Origin,
        covered: Covered<'_>,
    ) -> Result<(), ClientError> {
        let nonce = self.nonces.newest(Role::ResourceServer, origin);
        let now = self.server_clock.as_ref().map_or_else(unix_now, |clock| clock.now(origin));
        match self.token.proof() {
            ProofMethod::Dpop(key) => {
                self.add_token(request)?;
                self.add_dpop(request, key, nonce.as_deref(), now)?;
                match covered.fields {
                    _ if self.adds_signature => {
                        add_signature(request, SignatureProfile::Request, key.into(), covered, now)
                    }
                    [] => Ok(()),
                    _ => Err(ClientError::FieldsNotCovered),
                }
            }
            ProofMethod::HttpSig(key) => {
                self.add_token(request)?;
                add_signature(request, SignatureProfile::HttpSig, key.into(), covered, now)
            }
            ProofMethod::SharedKey(key) => {
                self.add_token(request)?;
                add_signature(request, SignatureProfile::Hmac, (&**key).into(), covered, now)
            }
            proof @ (ProofMethod::Pop(key) | ProofMethod::PopThumbprint(key)) => {
                let fields: Vec<&str> = covered.fields.iter().map(HeaderName::as_str).collect();
                let mut envelope = Envelope::new(request.method, request.url.as_str(), self.token.access_token())
                    .header_fields(request.headers, &fields)
                    .nonce(nonce.as_deref())
                    .issued_at(now);
                if matches!(proof, ProofMethod::PopThumbprint(_)) {
                    envelope = envelope.embed_key();
                }
                envelope = match covered.content {
                    Content::None => envelope,
                    Content::Bytes(content) => envelope.content(content),
                    Content::Stream => return Err(ClientError::StreamNotCovered),
                };
                let value = sensitive(format!("{} {}", proof.scheme(), envelope.sign(key)?))?;
                request.headers.insert(AUTHORIZATION, value);
                Ok(())
            }
        }
    }

    fn add_token(&self, request: &mut Unsigned<'_>) -> Result<(), ClientError> {
        let value = sensitive(format!("{} {}", self.token.proof().scheme(), self.token.access_token()))?;
        request.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn add_dpop(
        &self,
        request: &mut Unsigned<'_>,
        key: &DpopKey,
        nonce: Option<&str>,
        now: u64,
    ) -> Result<(), ClientError> {
        let proof = Proof::new(request.method, request.url.as_str())
            .access_token(self.token.access_token())
            .nonce(nonce)
            .issued_at(now)
            .sign(key)?;
        request.headers.insert(DPOP, sensitive(proof)?);
        Ok(())
    }
}

/// Adds a message signature. Call it last.
fn add_signature(
    request: &mut Unsigned<'_>,
    profile: SignatureProfile,
    key: SignatureKey<'_>,
    covered: Covered<'_>,
    now: u64,
) -> Result<(), ClientError> {
    let mut signature = RequestSignature::new(profile).created(now);
    for name in covered.fields {
        signature = signature.cover(name.as_str());
    }
    let signature = match covered.content {
        Content::Bytes(content) => signature.content(content),
        // The caller may know the digest of a stream.
        Content::Stream if !request.headers.contains_key(CONTENT_DIGEST) => {
            return Err(ClientError::StreamNotCovered);
        }
        Content::Stream | Content::None => signature,
    };
    Ok(signature.sign(request.method, request.url.as_str(), request.headers, key)?)
}
