// STUB
use super::PopKey;
use crate::SignatureError;
use crate::content::ExpectedContent;
use crate::policy::SignaturePolicy;
use crate::request::RequestHead;
use http::HeaderMap;
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureProfile {
    /// x
    HttpSig,
    /// x
    Hmac,
    /// x
    Request,
}
impl SignatureProfile {
    /// x
    pub const fn tag(self) -> &'static str {
        ""
    }
}
/// x
#[derive(Debug)]
pub struct MessageSignature<'r>(&'r str);
#[allow(missing_docs, clippy::missing_errors_doc)]
impl<'r> MessageSignature<'r> {
    pub fn is_present(_: &HeaderMap, _: SignatureProfile) -> bool {
        false
    }
    pub fn parse(_: SignatureProfile, _: &RequestHead<'r>, _: &SignaturePolicy) -> Result<Self, SignatureError> {
        Err(SignatureError::Missing)
    }
    pub fn verify_signature(
        &self,
        _: PopKey<'_>,
        _: &RequestHead<'_>,
        _: &SignaturePolicy,
    ) -> Result<(), SignatureError> {
        Err(SignatureError::Missing)
    }
    pub fn check_time(&self, _: &SignaturePolicy, _: u64) -> Result<(), SignatureError> {
        Err(SignatureError::Missing)
    }
    pub fn created(&self) -> u64 {
        0
    }
    pub fn nonce(&self) -> Option<&str> {
        None
    }
    pub fn keyid(&self) -> Option<&str> {
        None
    }
    pub fn covered(&self) -> impl Iterator<Item = &str> {
        [].into_iter()
    }
    pub fn expected_content(&self) -> Option<ExpectedContent> {
        None
    }
    pub fn signature_input(&self) -> impl Iterator<Item = &str> {
        [].into_iter()
    }
}
