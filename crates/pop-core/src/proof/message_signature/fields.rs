//! The fields `Signature-Input` and `Signature` (RFC 9421 §4): two dictionaries with the same labels.

use std::borrow::Cow;
use std::cell::Cell;

use http::HeaderMap;
use sfv::visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, Never, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser, StringRef};

use crate::SignatureError;

pub(super) const SIGNATURE_INPUT: &str = "signature-input";
pub(super) const SIGNATURE: &str = "signature";

/// The maximum length of all lines of both fields together, in bytes.
pub(super) const MAX_LEN: usize = 16 * 1024;
/// The maximum number of signatures of a request, whatever their tags.
pub(super) const MAX_SIGNATURES: usize = 8;
/// The maximum number of components that one signature covers.
pub(super) const MAX_COMPONENTS: usize = 32;
/// The maximum number of parameters of a signature, or of a component.
pub(super) const MAX_PARAMETERS: usize = 16;

/// The parameters of an item or of an inner list, in the order of the field.
pub(super) type Parameters<'r> = Vec<(&'r KeyRef, BareItemFromInput<'r>)>;

/// One signature: its member of `Signature-Input` and its member of `Signature`. Only the syntax is checked.
pub(super) struct Member<'r> {
    label: &'r KeyRef,
    pub(super) components: Vec<Item<'r>>,
    pub(super) parameters: Parameters<'r>,
    signature: Option<Vec<u8>>,
}

/// A component identifier.
pub(super) struct Item<'r> {
    pub(super) name: Cow<'r, StringRef>,
    pub(super) parameters: Parameters<'r>,
}

impl<'r> Member<'r> {
    /// Parses one member of `Signature-Input` without its partner.
    pub(super) fn parse(line: &'r str) -> Result<Self, SignatureError> {
        let mut members = Members::default();
        members.read_input(line.as_bytes())?;
        members.list.pop().filter(|_| members.list.is_empty()).ok_or(SignatureError::Malformed)
    }

    pub(super) fn has_tag(&self, tag: &str) -> bool {
        let is_tag = |(key, value): &(&KeyRef, BareItemFromInput<'_>)| {
            key.as_str() == "tag" && value.as_string().is_some_and(|value| value.as_str() == tag)
        };
        self.parameters.iter().any(is_tag)
    }

    pub(super) fn take_signature(&mut self) -> Vec<u8> {
        self.signature.take().unwrap_or_default()
    }
}

/// Reads both fields. No label, component or parameter is interpreted.
pub(super) fn read(headers: &HeaderMap) -> Result<Vec<Member<'_>>, SignatureError> {
    let lines = || headers.get_all(SIGNATURE_INPUT).iter().chain(headers.get_all(SIGNATURE));
    if lines().next().is_none() {
        return Err(SignatureError::Missing);
    }
    // Two more bytes for each line: the comma and the space that would join it to the one before.
    if lines().fold(0_usize, |len, line| len.saturating_add(line.len()).saturating_add(2)) > MAX_LEN {
        return Err(SignatureError::TooLarge);
    }
    let mut members = Members::default();
    for line in headers.get_all(SIGNATURE_INPUT) {
        members.read_input(line.as_bytes())?;
    }
    for line in headers.get_all(SIGNATURE) {
        members.read_signature(line.as_bytes())?;
    }
    let list = members.list;
    if list.iter().all(|member| member.signature.is_some()) { Ok(list) } else { Err(SignatureError::Labels) }
}

#[derive(Default)]
struct Members<'r> {
    list: Vec<Member<'r>>,
    /// Why a visitor stopped the parser, which does not pass it on.
    failure: Failure,
}

impl<'r> Members<'r> {
    fn read_input(&mut self, line: &'r [u8]) -> Result<(), SignatureError> {
        let Self { list, failure } = self;
        let result = Parser::new(line).parse_dictionary_with_visitor(Inputs { list, failure });
        failure.of(line, result.is_ok())
    }

    fn read_signature(&mut self, line: &'r [u8]) -> Result<(), SignatureError> {
        let Self { list, failure } = self;
        let result = Parser::new(line).parse_dictionary_with_visitor(Signatures { list, failure });
        failure.of(line, result.is_ok())
    }
}

#[derive(Default)]
struct Failure(Cell<Option<SignatureError>>);

impl Failure {
    fn is<T>(&self, error: SignatureError) -> Result<T, SignatureError> {
        self.0.set(Some(error));
        Err(error)
    }

    /// Returns the result for one line. An empty line is an empty dictionary, but joined with another line it would be
    /// malformed.
    fn of(&self, line: &[u8], is_dictionary: bool) -> Result<(), SignatureError> {
        if is_dictionary && !line.trim_ascii().is_empty() {
            Ok(())
        } else {
            Err(self.0.get().unwrap_or(SignatureError::Malformed))
        }
    }
}

/// The members of `Signature-Input`.
struct Inputs<'m, 'r> {
    list: &'m mut Vec<Member<'r>>,
    failure: &'m Failure,
}

impl<'r> DictionaryVisitor<'r> for Inputs<'_, 'r> {
    type Out = ();
    type Error = SignatureError;

    /// RFC 9651 lets the last of several members with the same key win. Here the key is a label, which must be unique.
    fn entry(&mut self, label: &'r KeyRef) -> Result<impl EntryVisitor<'r>, SignatureError> {
        if self.list.iter().any(|member| member.label == label) {
            return self.failure.is(SignatureError::Labels);
        }
        if self.list.len() >= MAX_SIGNATURES {
            return self.failure.is(SignatureError::TooLarge);
        }
        self.list.push(Member {
            label,
            components: Vec::with_capacity(4),
            parameters: Vec::with_capacity(4),
            signature: None,
        });
        let Some(member) = self.list.last_mut() else {
            return self.failure.is(SignatureError::Malformed);
        };
        Ok(Input { member, failure: self.failure })
    }

    fn finish(self) -> Result<(), SignatureError> {
        Ok(())
    }
}

struct Input<'m, 'r> {
    member: &'m mut Member<'r>,
    failure: &'m Failure,
}

impl<'r> EntryVisitor<'r> for Input<'_, 'r> {
    type Error = SignatureError;

    fn item(self) -> Result<impl ItemVisitor<'r>, SignatureError> {
        Err::<Never, _>(SignatureError::Malformed)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'r>, SignatureError> {
        Ok(self)
    }
}

impl<'r> InnerListVisitor<'r> for Input<'_, 'r> {
    type Error = SignatureError;

    fn item(&mut self) -> Result<impl ItemVisitor<'r>, SignatureError> {
        if self.member.components.len() >= MAX_COMPONENTS {
            return self.failure.is(SignatureError::TooLarge);
        }
        Ok(Component { list: &mut self.member.components, failure: self.failure })
    }

    fn finish(self) -> Result<impl ParameterVisitor<'r>, SignatureError> {
        Ok(Collected { list: &mut self.member.parameters, failure: self.failure })
    }
}

struct Component<'m, 'r> {
    list: &'m mut Vec<Item<'r>>,
    failure: &'m Failure,
}

impl<'r> ItemVisitor<'r> for Component<'_, 'r> {
    type Out = ();
    type Error = SignatureError;

    fn bare_item(
        self,
        value: BareItemFromInput<'r>,
    ) -> Result<impl ParameterVisitor<'r, Out = Self::Out>, SignatureError> {
        let BareItemFromInput::String(name) = value else {
            return self.failure.is(SignatureError::Malformed);
        };
        self.list.push(Item { name, parameters: Vec::new() });
        match self.list.last_mut() {
            Some(item) => Ok(Collected { list: &mut item.parameters, failure: self.failure }),
            None => self.failure.is(SignatureError::Malformed),
        }
    }
}

/// The parameters of a component or of a signature. RFC 9651 lets the last of several with the same key win. Two
/// readers could differ in that, so that a second one is rejected.
struct Collected<'m, 'r> {
    list: &'m mut Parameters<'r>,
    failure: &'m Failure,
}

impl<'r> ParameterVisitor<'r> for Collected<'_, 'r> {
    type Out = ();
    type Error = SignatureError;

    fn parameter(&mut self, key: &'r KeyRef, value: BareItemFromInput<'r>) -> Result<(), SignatureError> {
        if self.list.len() >= MAX_PARAMETERS {
            return self.failure.is(SignatureError::TooLarge);
        }
        if self.list.iter().any(|(known, _)| *known == key) {
            return self.failure.is(SignatureError::Malformed);
        }
        self.list.push((key, value));
        Ok(())
    }

    fn finish(self) -> Result<(), SignatureError> {
        Ok(())
    }
}

/// The members of `Signature`.
struct Signatures<'m, 'r> {
    list: &'m mut Vec<Member<'r>>,
    failure: &'m Failure,
}

impl<'r> DictionaryVisitor<'r> for Signatures<'_, 'r> {
    type Out = ();
    type Error = SignatureError;

    fn entry(&mut self, label: &'r KeyRef) -> Result<impl EntryVisitor<'r>, SignatureError> {
        match self.list.iter_mut().find(|member| member.label == label) {
            Some(Member { signature, .. }) if signature.is_none() => Ok(Value { signature, failure: self.failure }),
            _ => self.failure.is(SignatureError::Labels),
        }
    }

    fn finish(self) -> Result<(), SignatureError> {
        Ok(())
    }
}

struct Value<'m> {
    signature: &'m mut Option<Vec<u8>>,
    failure: &'m Failure,
}

impl<'r> EntryVisitor<'r> for Value<'_> {
    type Error = SignatureError;

    fn item(self) -> Result<impl ItemVisitor<'r>, SignatureError> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'r>, SignatureError> {
        Err::<Never, _>(SignatureError::Malformed)
    }
}

impl<'r> ItemVisitor<'r> for Value<'_> {
    type Out = ();
    type Error = SignatureError;

    fn bare_item(
        self,
        value: BareItemFromInput<'r>,
    ) -> Result<impl ParameterVisitor<'r, Out = Self::Out>, SignatureError> {
        let BareItemFromInput::ByteSequence(signature) = value else {
            return self.failure.is(SignatureError::Malformed);
        };
        *self.signature = Some(signature);
        Ok(NoParameters)
    }
}

/// Parameters of a signature value would be covered by nothing.
struct NoParameters;

impl<'r> ParameterVisitor<'r> for NoParameters {
    type Out = ();
    type Error = SignatureError;

    fn parameter(&mut self, _: &'r KeyRef, _: BareItemFromInput<'r>) -> Result<(), SignatureError> {
        Err(SignatureError::Malformed)
    }

    fn finish(self) -> Result<(), SignatureError> {
        Ok(())
    }
}
