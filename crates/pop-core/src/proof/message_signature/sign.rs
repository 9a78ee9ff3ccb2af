//! Making signatures: for clients and tests.

use std::fmt;

use http::HeaderValue;
use sfv::{DictSerializer, Integer, KeyRef, StringRef};

use super::base::Signature;
use super::fields::Member;
use super::profile::SignatureProfile;
use super::value::Effort;
use crate::SignatureError;
use crate::request::RequestHead;

/// The parameters of a signature that is to be made. `Debug` shows `created` and `tag` only.
///
/// ```
/// use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile};
///
/// let parameters = SignatureParameters::new(1_800_000_000).tag(SignatureProfile::HttpSig.tag()).nonce("k9Jyxem");
/// ```
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
#[must_use = "the parameters are used by sign()"]
pub struct SignatureParameters<'p> {
    /// `created`, in seconds since the epoch.
    pub created: Option<u64>,
    /// `expires`, in seconds since the epoch.
    pub expires: Option<u64>,
    /// `keyid`.
    pub keyid: Option<&'p str>,
    /// `alg`.
    pub alg: Option<&'p str>,
    /// `pub`, the key itself in the encoding of [`RuntimeKey`](super::RuntimeKey).
    pub public_key: Option<&'p [u8]>,
    /// `nonce`.
    pub nonce: Option<&'p str>,
    /// `tag`.
    pub tag: Option<&'p str>,
    /// `jti`, which is not registered: it makes signatures different that have the same `nonce`, because a server chose
    /// it.
    pub jti: Option<&'p str>,
}

impl<'p> SignatureParameters<'p> {
    /// Starts with `created` alone, in seconds since the epoch.
    pub const fn new(created: u64) -> Self {
        Self {
            created: Some(created),
            expires: None,
            keyid: None,
            alg: None,
            public_key: None,
            nonce: None,
            tag: None,
            jti: None,
        }
    }

    /// Starts with `created` and the `tag` of a profile.
    pub const fn of(profile: SignatureProfile, created: u64) -> Self {
        Self::new(created).tag(profile.tag())
    }

    /// Sets `expires`, in seconds since the epoch.
    pub const fn expires(mut self, seconds: u64) -> Self {
        self.expires = Some(seconds);
        self
    }

    /// Sets `keyid`.
    pub const fn keyid(mut self, keyid: &'p str) -> Self {
        self.keyid = Some(keyid);
        self
    }

    /// Sets `alg`, the name of the algorithm in the registry of RFC 9421.
    pub const fn alg(mut self, alg: &'p str) -> Self {
        self.alg = Some(alg);
        self
    }

    /// Sets `pub`, the key itself in the encoding of [`RuntimeKey`](super::RuntimeKey).
    pub const fn public_key(mut self, bytes: &'p [u8]) -> Self {
        self.public_key = Some(bytes);
        self
    }

    /// Sets `nonce`.
    pub const fn nonce(mut self, nonce: &'p str) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Sets `tag`.
    pub const fn tag(mut self, tag: &'p str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Sets `jti`.
    pub const fn jti(mut self, jti: &'p str) -> Self {
        self.jti = Some(jti);
        self
    }
}

impl fmt::Debug for SignatureParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureParameters")
            .field("created", &self.created)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// Why a signature cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError<E> {
    /// The label, a component or a parameter cannot be written, or a component is not in the request.
    #[error("the request cannot be signed: {0}")]
    Request(SignatureError),
    /// The key failed.
    #[error("the key failed")]
    Key(#[source] E),
}

impl<E> From<SignatureError> for SignError<E> {
    fn from(error: SignatureError) -> Self {
        Self::Request(error)
    }
}

/// Signs the head of a request. Returns the values of `Signature-Input` and `Signature`, with one member each, under
/// this label.
///
/// A component is a name, such as `@method` or `content-digest`, or a serialized identifier, such as
/// `"@query-param";name="id"`. `key` signs the signature base, which is not hashed before.
///
/// # Errors
/// [`SignError::Request`] or [`SignError::Key`].
pub fn sign<E>(
    head: &RequestHead<'_>,
    label: &str,
    components: &[&str],
    parameters: &SignatureParameters<'_>,
    key: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(HeaderValue, HeaderValue), SignError<E>> {
    let member = member(label, components, parameters)?;
    let signature = Signature::new(Member::parse(&member)?)?;
    let mut base = String::with_capacity(1024);
    signature.append_base(&mut base, head, usize::MAX, &mut Effort(usize::MAX))?;
    let value = key(base.as_bytes()).map_err(SignError::Key)?;
    Ok(field_values(label, signature.input(), &value)?)
}

/// Returns the values of `Signature-Input` and `Signature`.
pub(super) fn field_values(
    label: &str,
    input: &str,
    signature: &[u8],
) -> Result<(HeaderValue, HeaderValue), SignatureError> {
    let label = KeyRef::from_str(label).map_err(|_| SignatureError::Labels)?;
    let mut dictionary = DictSerializer::new();
    _ = dictionary.bare_item(label, signature).finish();
    let value = |text: String| HeaderValue::try_from(text).map_err(|_| SignatureError::Malformed);
    Ok((value(format!("{label}={input}"))?, value(dictionary.finish().unwrap_or_default())?))
}

/// Returns the member of `Signature-Input`.
pub(super) fn member(
    label: &str,
    components: &[&str],
    parameters: &SignatureParameters<'_>,
) -> Result<String, SignatureError> {
    let label = KeyRef::from_str(label).map_err(|_| SignatureError::Labels)?;
    let string = |text| StringRef::from_str(text).map_err(|_| SignatureError::Component);
    let mut dictionary = DictSerializer::new();
    let mut list = dictionary.inner_list(label);
    let items: Vec<sfv::Item> = components
        .iter()
        .map(|component| match component.strip_prefix('"') {
            Some(_) => sfv::Parser::new(*component).parse().map_err(|_| SignatureError::Component),
            None => Ok(sfv::Item::new(string(component)?)),
        })
        .collect::<Result<_, _>>()?;
    list.items(&items);
    let mut serializer = list.finish();
    for (name, seconds) in [("created", parameters.created), ("expires", parameters.expires)] {
        if let Some(seconds) = seconds {
            let seconds = Integer::try_from(seconds).map_err(|_| SignatureError::InvalidParameter(name))?;
            serializer = serializer.parameter(sfv::key_ref(name), seconds);
        }
    }
    for (name, text) in [
        ("keyid", parameters.keyid),
        ("alg", parameters.alg),
        ("nonce", parameters.nonce),
        ("tag", parameters.tag),
        ("jti", parameters.jti),
    ] {
        if let Some(text) = text {
            let text = StringRef::from_str(text).map_err(|_| SignatureError::InvalidParameter(name))?;
            serializer = serializer.parameter(sfv::key_ref(name), text);
        }
    }
    if let Some(bytes) = parameters.public_key {
        serializer = serializer.parameter(sfv::key_ref("pub"), bytes);
    }
    _ = serializer.finish();
    dictionary.finish().ok_or(SignatureError::Malformed)
}
