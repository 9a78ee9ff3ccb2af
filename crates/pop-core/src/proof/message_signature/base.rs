//! One signature, and its signature base (RFC 9421 §2.5).

use std::ops::Range;

use sfv::ListSerializer;

use super::component::Component;
use super::fields::Member;
use super::parameters::Parameters;
use super::value::Effort;
use crate::SignatureError;
use crate::jose::Algorithm;
use crate::proof::PopKey;
use crate::request::RequestHead;

/// Serializes a member of `Signature-Input`, and returns where its component identifiers are.
pub(super) fn serialize(member: &Member<'_>) -> (String, Vec<Range<usize>>) {
    let mut places = Vec::with_capacity(member.components.len());
    let mut input = String::with_capacity(256);
    let mut list = ListSerializer::with_buffer(&mut input);
    let mut inner = list.inner_list();
    let mut start = 1_usize; // after the parenthesis
    for item in &member.components {
        let parameters = item.parameters.iter().map(|(key, value)| (*key, value));
        let end = inner.bare_item(&*item.name).parameters(parameters).finish().len();
        places.push(start..end);
        start = end.saturating_add(1); // after the space
    }
    _ = inner.finish().parameters(member.parameters.iter().map(|(key, value)| (*key, value))).finish();
    (input, places)
}

/// A signature whose components and parameters are known. Nothing is checked that a profile demands.
pub(super) struct Signature<'r> {
    /// The serialized member of `Signature-Input`: components and parameters in the order of the field.
    input: String,
    /// The components, and where their serialized identifiers are in `input`.
    components: Vec<(Component<'r>, Range<usize>)>,
    pub(super) parameters: Parameters<'r>,
    value: Vec<u8>,
}

impl<'r> Signature<'r> {
    pub(super) fn new(mut member: Member<'r>) -> Result<Self, SignatureError> {
        let value = member.take_signature();
        let (input, at) = serialize(&member);
        let mut components = Vec::with_capacity(member.components.len());
        for (item, at) in member.components.iter().zip(at) {
            let component = Component::new(item)?;
            if components.iter().any(|(other, _)| *other == component) {
                return Err(SignatureError::ComponentDuplicated);
            }
            components.push((component, at));
        }
        Ok(Self { input, components, parameters: Parameters::new(member.parameters)?, value })
    }

    /// Returns the value of `@signature-params`.
    pub(super) fn input(&self) -> &str {
        &self.input
    }

    pub(super) fn components(&self) -> impl Iterator<Item = &Component<'r>> {
        self.components.iter().map(|(component, _)| component)
    }

    /// Returns the names of the components, and the serialized identifiers of those that have parameters.
    pub(super) fn covered(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|(_, at)| {
            let identifier = self.input.get(at.clone()).unwrap_or_default();
            let name = identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            // An identifier with parameters can end with a quotation mark, too, but then it has others inside.
            name.filter(|name| !name.contains('"')).unwrap_or(identifier)
        })
    }

    pub(super) fn covers(&self, component: &str) -> bool {
        self.covered().any(|covered| covered == component)
    }

    /// Appends the signature base. It has at most `max_len` bytes.
    pub(super) fn append_base(
        &self,
        base: &mut String,
        head: &RequestHead<'_>,
        max_len: usize,
        effort: &mut Effort,
    ) -> Result<(), SignatureError> {
        let components = self.components.iter().map(|(component, at)| (component, at.clone()));
        append_base(base, &self.input, components, max_len, |base, component| component.append_to(base, head, effort))
    }

    /// Verifies the signature over its base. JOSE algorithms sign the base itself (RFC 9421 §3.3.7).
    pub(super) fn verify(&self, key: PopKey<'_>, base: &str) -> Result<(), SignatureError> {
        verify(key, base, &self.value)
    }
}

/// Appends a signature base: the components, whose identifiers are in `input`, and `input` itself. It has at most `max_len` bytes.
/// `append` appends the value of a component.
pub(super) fn append_base<C>(
    base: &mut String,
    input: &str,
    components: impl Iterator<Item = (C, Range<usize>)>,
    max_len: usize,
    mut append: impl FnMut(&mut String, C) -> Result<(), SignatureError>,
) -> Result<(), SignatureError> {
    let end = base.len().saturating_add(max_len);
    for (component, at) in components {
        base.push_str(input.get(at).unwrap_or_default());
        base.push_str(": ");
        append(base, component)?;
        base.push('\n');
        if base.len() > end {
            return Err(SignatureError::TooLarge);
        }
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(input);
    if base.len() > end { Err(SignatureError::TooLarge) } else { Ok(()) }
}

/// Checks that `alg`, if present, is the name of the key's algorithm (RFC 9421 §3.2, step 6). ML-DSA is rejected: the registry of
/// RFC 9421 §6.2.2 does not have it, and no profile names it.
pub(super) fn check_alg(parameters: &Parameters<'_>, key: PopKey<'_>) -> Result<(), SignatureError> {
    match parameters.alg() {
        _ if matches!(key, PopKey::Public(key) if key.algorithm().is_ml_dsa()) => Err(SignatureError::Algorithm),
        None => Ok(()),
        Some(alg) if name_of(key) == Some(alg) => Ok(()),
        Some(_) => Err(SignatureError::Algorithm),
    }
}

pub(super) fn verify(key: PopKey<'_>, base: &str, signature: &[u8]) -> Result<(), SignatureError> {
    if key.verifies(base.as_bytes(), signature) { Ok(()) } else { Err(SignatureError::Invalid) }
}

fn name_of(key: PopKey<'_>) -> Option<&'static str> {
    match key {
        PopKey::Shared(_) => Some("hmac-sha256"),
        PopKey::Public(key) => registered_name(key.algorithm()),
    }
}

/// Returns the name of an algorithm in the registry of RFC 9421 §6.2.2. JOSE algorithms that are not in it have none.
pub(super) const fn registered_name(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::ES256 => Some("ecdsa-p256-sha256"),
        Algorithm::ES384 => Some("ecdsa-p384-sha384"),
        Algorithm::Ed25519 | Algorithm::EdDSA => Some("ed25519"),
        Algorithm::PS512 => Some("rsa-pss-sha512"),
        Algorithm::RS256 => Some("rsa-v1_5-sha256"),
        _ => None,
    }
}
