//! HTTP message signatures (RFC 9421) as proofs of possession.
//!
//! 1. `Signature-Input` and `Signature` are parsed as dictionaries (RFC 9651). Their labels are the same, and each is
//!    used once.
//! 2. Signatures are selected by their `tag`, never by their label. What signatures with other tags cover is not read.
//! 3. If several signatures have the tag, every one must cover everything that is required, be recent, and verify with
//!    the same key. Their `nonce` and `keyid` must be the same. Otherwise an attacker could remove one of them, and
//!    replay the request with the rest. A token request may have only one.
//! 4. Components are those of a request: `@status`, `req` and `tr` are rejected, and so are unknown components and
//!    parameters. The parameters `sf`, `key` and `bs` make another component of a field. It does not count as covering
//!    the field.
//! 5. The algorithm comes from the key alone. `alg` can only contradict it. ECDSA signatures are `r ‖ s`.
//! 6. `@target-uri`, `@authority` and `@scheme` come from the trusted [`Origin`](crate::target::Origin), path and query
//!    from the request as received.
//! 7. A covered `content-digest` becomes an expectation of the content ([`MessageSignature::expected_content`]).
//!
//! Trailers never count: only the header section is read. What the caller must do: find the key, check the token,
//! compare the content, and record the nonce.

mod base;
mod component;
mod fields;
mod parameters;
mod profile;
mod response;
mod runtime_key;
mod sign;
#[cfg(test)]
mod tests;
mod value;

pub use self::profile::SignatureProfile;
pub use self::response::{RESPONSE_TAG, ResponseHead, sign_response, verify_response};
pub use self::runtime_key::RuntimeKey;
pub use self::sign::{SignError, SignatureParameters, sign};

use http::HeaderMap;
use memchr::memmem;

use self::base::Signature;
use self::value::Effort;
use super::PopKey;
use crate::SignatureError;
use crate::content::ExpectedContent;
use crate::policy::SignaturePolicy;
use crate::request::RequestHead;

/// The signatures of a request that have the tag of one profile, strictly parsed, but not verified. There is at least
/// one. `Debug` shows what they cover.
pub struct MessageSignature<'r> {
    profile: SignatureProfile,
    signatures: Vec<Signature<'r>>,
    content: Option<ExpectedContent>,
}

impl<'r> MessageSignature<'r> {
    /// Returns whether a request has a signature of this profile. Fields that cannot be parsed count as one.
    #[must_use]
    pub fn is_present(headers: &HeaderMap, profile: SignatureProfile) -> bool {
        let tag = profile.tag().as_bytes();
        // One tag is the beginning of another. Quotation marks tell them apart.
        let has_tag = |line: &[u8]| {
            memmem::find_iter(line, tag).any(|at| {
                let before = at.checked_sub(1).and_then(|at| line.get(at));
                (before, line.get(at.saturating_add(tag.len()))) == (Some(&b'"'), Some(&b'"'))
            })
        };
        if headers.get_all(fields::SIGNATURE_INPUT).iter().any(|line| has_tag(line.as_bytes())) {
            return true;
        }
        // No character of a tag can be escaped: fields without its bytes don't have it.
        !matches!(fields::read(headers), Ok(_) | Err(SignatureError::Missing))
    }

    /// Parses the signatures of a request, and checks everything that can be checked without a key: syntax, labels,
    /// parameters, components, and that each signature covers what its profile and the policy require.
    ///
    /// # Errors
    /// Any [`SignatureError`] except [`Algorithm`](SignatureError::Algorithm), [`Invalid`](SignatureError::Invalid) and
    /// the errors of [`check_time`](Self::check_time). [`SignatureError::Missing`] if no signature has the tag.
    pub fn parse(
        profile: SignatureProfile,
        head: &RequestHead<'r>,
        policy: &SignaturePolicy,
    ) -> Result<Self, SignatureError> {
        let members = fields::read(head.headers())?;
        let tagged = members.into_iter().filter(|member| member.has_tag(profile.tag())).map(Signature::new);
        let signatures = tagged.collect::<Result<Vec<_>, _>>()?;
        let first = signatures.first().ok_or(SignatureError::Missing)?;
        if signatures.len() > 1 && !profile.allows_several() {
            return Err(SignatureError::Inconsistent);
        }
        for signature in &signatures {
            profile.check_parameters(&signature.parameters, policy)?;
            profile.check_coverage(signature, head, policy)?;
            let (own, other) = (&signature.parameters, &first.parameters);
            if own.nonce() != other.nonce() || own.keyid() != other.keyid() {
                return Err(SignatureError::Inconsistent);
            }
        }
        let content = profile::expected_content(&signatures, head.headers(), policy.content)?;
        Ok(Self { profile, signatures, content })
    }

    /// Verifies every signature over its signature base. All bases are made, within [`SignaturePolicy::max_base_len`],
    /// before the first signature is verified.
    ///
    /// # Errors
    /// [`SignatureError::Algorithm`] if the kind of key does not belong to the profile, its algorithm is not allowed,
    /// or `alg` contradicts it. [`SignatureError::ComponentMissing`], [`SignatureError::ComponentValue`],
    /// [`SignatureError::TooLarge`] or [`SignatureError::Invalid`].
    pub fn verify_signature(
        &self,
        key: PopKey<'_>,
        head: &RequestHead<'_>,
        policy: &SignaturePolicy,
    ) -> Result<(), SignatureError> {
        let is_allowed = match (self.profile, key) {
            (SignatureProfile::Hmac, PopKey::Shared(_)) => true,
            (
                SignatureProfile::HttpSig | SignatureProfile::Request | SignatureProfile::TokenRequest,
                PopKey::Public(key),
            ) => policy.algorithms.contains(key.algorithm()),
            (SignatureProfile::Hmac, PopKey::Public(_)) => false,
            (
                SignatureProfile::HttpSig | SignatureProfile::Request | SignatureProfile::TokenRequest,
                PopKey::Shared(_),
            ) => false,
        };
        if !is_allowed {
            return Err(SignatureError::Algorithm);
        }
        let mut base = String::with_capacity(1024);
        let mut ends = Vec::with_capacity(self.signatures.len());
        let mut effort = Effort(policy.max_base_len);
        for signature in &self.signatures {
            base::check_alg(&signature.parameters, key)?;
            signature.append_base(&mut base, head, policy.max_base_len, &mut effort)?;
            ends.push(base.len());
        }
        let mut start = 0;
        for (signature, end) in self.signatures.iter().zip(ends) {
            signature.verify(key, base.get(start..end).unwrap_or_default())?;
            start = end;
        }
        Ok(())
    }

    /// Checks that every signature is recent: `created` is within the window, and `expires` has not passed. `now` is in
    /// seconds since the epoch.
    ///
    /// # Errors
    /// [`SignatureError::TooOld`], [`SignatureError::InFuture`], [`SignatureError::Milliseconds`] or
    /// [`SignatureError::Expired`].
    pub fn check_time(&self, policy: &SignaturePolicy, now: u64) -> Result<(), SignatureError> {
        self.signatures.iter().try_for_each(|signature| signature.parameters.check_time(policy, now))
    }

    /// Returns the profile.
    #[must_use]
    pub const fn profile(&self) -> SignatureProfile {
        self.profile
    }

    /// Returns the newest `created` of the signatures, in seconds since the epoch. A replay store must remember the
    /// request until a signature of that time is too old: the older ones can be removed from the request.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.signatures.iter().filter_map(|signature| signature.parameters.created).max().unwrap_or(0)
    }

    /// Returns `nonce`, which all signatures have in common. It is always present, except in
    /// [`SignatureProfile::Request`].
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.signatures.first().and_then(|signature| signature.parameters.nonce())
    }

    /// Returns `keyid`, which all signatures have in common. It is never present, except in
    /// [`SignatureProfile::Request`] and [`SignatureProfile::TokenRequest`].
    #[must_use]
    pub fn keyid(&self) -> Option<&str> {
        self.signatures.first().and_then(|signature| signature.parameters.keyid())
    }

    /// Returns what the signatures cover, each component once: its name, such as `@method`, or its serialized
    /// identifier if it has parameters, such as `"@query-param";name="id"`.
    pub fn covered(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().enumerate().flat_map(move |(at, signature)| {
            let earlier = self.signatures.get(..at).unwrap_or_default();
            signature.covered().filter(move |covered| !earlier.iter().any(|other| other.covers(covered)))
        })
    }

    /// Returns what the signatures say about the content, or `None` if it need not be verified. If content must be
    /// covered but is not, the content must be empty.
    #[must_use]
    pub const fn expected_content(&self) -> Option<ExpectedContent> {
        self.content
    }

    /// Returns the serialized components and parameters of each signature: the value of `@signature-params`.
    ///
    /// # Security
    /// A replay store that tells requests apart by these instead of by a nonce must record each value as an entry of
    /// its own. Otherwise a request with several signatures could be replayed with some of them.
    pub fn signature_input(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(Signature::input)
    }
}

impl std::fmt::Debug for MessageSignature<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageSignature")
            .field("profile", &self.profile)
            .field("signatures", &self.signatures.len())
            .finish_non_exhaustive()
    }
}
