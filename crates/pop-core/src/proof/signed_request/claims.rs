//! The claims of an envelope.

use std::collections::HashMap;

use serde::de::IgnoredAny;

use super::header::EnvelopeAlgorithm;
use super::key::EmbeddedKey;
use crate::SignedRequestError;
use crate::credentials::is_token68;
use crate::jose::{Found, Json, JsonLimits, Malformed, Member, Object, WrongType, decode_array};
use crate::policy::{EnvelopeClaims, EnvelopeForm, SignedRequestPolicy};
use crate::proof::text::Text;

/// Returns false if a payload surely has no member `at`. Most access tokens are told apart by this, without parsing them.
pub(super) fn may_have_access_token(payload: &[u8]) -> bool {
    memchr::memmem::find(payload, b"\"at\"").is_some() || memchr::memchr(b'\\', payload).is_some()
}

/// Returns whether a payload is a JSON object with a member `at`, even if the strict reader rejects it.
pub(super) fn has_access_token(payload: &[u8]) -> bool {
    serde_json::from_slice::<HashMap<String, IgnoredAny>>(payload).is_ok_and(|members| members.contains_key("at"))
}

/// The members that are read, as received. Other members are ignored.
#[derive(Default)]
pub(super) struct Members<'j> {
    at: Member<'j>,
    ts: Member<'j>,
    m: Member<'j>,
    u: Member<'j>,
    p: Member<'j>,
    q: Member<'j>,
    h: Member<'j>,
    b: Member<'j>,
    nonce: Member<'j>,
    jti: Member<'j>,
    cnf: Member<'j>,
}

impl<'j> Members<'j> {
    /// Reads a payload. Returns it as a string.
    pub(super) fn read(&mut self, payload: &'j [u8]) -> Result<&'j str, Malformed> {
        Object::walk(payload, JsonLimits::PROOF, &mut |name, value| self.take(name, value))
    }

    pub(super) const fn have_access_token(&self) -> bool {
        self.at.json().is_some()
    }

    fn take(&mut self, name: &str, value: Json<'j>) {
        let member = match name {
            "at" => &mut self.at,
            "ts" => &mut self.ts,
            "m" => &mut self.m,
            "u" => &mut self.u,
            "p" => &mut self.p,
            "q" => &mut self.q,
            "h" => &mut self.h,
            "b" => &mut self.b,
            "nonce" => &mut self.nonce,
            "jti" => &mut self.jti,
            "cnf" => &mut self.cnf,
            _ => return,
        };
        *member = value.into();
    }
}

/// The claims, whose strings are in the payload.
pub(super) struct Claims {
    pub(super) at: Text,
    pub(super) ts: u64,
    pub(super) m: Option<Text>,
    pub(super) u: Option<Text>,
    pub(super) p: Option<Text>,
    pub(super) q: Option<QueryCover>,
    pub(super) h: Option<FieldsCover>,
    pub(super) b: Option<[u8; 32]>,
    pub(super) nonce: Option<Text>,
    pub(super) jti: Option<Text>,
    pub(super) key: Option<EmbeddedKey>,
}

impl Claims {
    /// Checks the types of the members, and everything that needs no request. `json` is the payload.
    pub(super) fn read(
        members: Members<'_>,
        json: &str,
        algorithm: EnvelopeAlgorithm,
        policy: &SignedRequestPolicy,
    ) -> Result<Self, SignedRequestError> {
        let text = |member: Member<'_>, claim| {
            Ok::<_, SignedRequestError>(member.into_text(claim)?.map(|text| Text::new(text, json)))
        };
        let nonce = |member: Member<'_>, claim| {
            let nonce = text(member, claim)?;
            match nonce.as_ref().map(Text::len) {
                Some(len) if len == 0 || len > policy.max_nonce_len => Err(SignedRequestError::NonceLength(claim)),
                _ => Ok(nonce),
            }
        };
        let at = text(members.at, "at")?.ok_or(SignedRequestError::MissingClaim("at"))?;
        if !is_token68(at.as_str(json.as_bytes())) {
            return Err(invalid_string("at"));
        }
        let ts = timestamp(&members.ts)?;
        let (m, u, p) = (text(members.m, "m")?, text(members.u, "u")?, text(members.p, "p")?);
        let q = members.q.json().map(|q| QueryCover::read(q, json, policy.form)).transpose()?;
        let h = members.h.json().map(|h| FieldsCover::read(h, json)).transpose()?;
        let b = text(members.b, "b")?.map(|b| digest("b", b.as_str(json.as_bytes()))).transpose()?;
        let (nonce, jti) = (nonce(members.nonce, "nonce")?, nonce(members.jti, "jti")?);
        let key = members.cnf.json().map(|cnf| EmbeddedKey::read(cnf, algorithm, policy)).transpose()?.flatten();
        Ok(Self { at, ts, m, u, p, q, h, b, nonce, jti, key })
    }

    /// Returns which parts of the request are covered.
    pub(super) fn covered(&self) -> EnvelopeClaims {
        let covers_fields = self.h.as_ref().is_some_and(|h| !h.list.is_empty());
        [
            (self.m.is_some(), EnvelopeClaims::M),
            (self.u.is_some(), EnvelopeClaims::U),
            (self.p.is_some(), EnvelopeClaims::P),
            (self.q.is_some(), EnvelopeClaims::Q),
            (covers_fields, EnvelopeClaims::H),
            (self.b.is_some(), EnvelopeClaims::B),
        ]
        .into_iter()
        .filter_map(|(present, claim)| present.then_some(claim))
        .fold(EnvelopeClaims::EMPTY, EnvelopeClaims::with)
    }
}

/// Seconds since the epoch. Fractions of a second are rejected.
fn timestamp(ts: &Member<'_>) -> Result<u64, SignedRequestError> {
    let seconds = ts.date("ts")?.ok_or(SignedRequestError::MissingClaim("ts"))?;
    match ts.json() {
        Some(Json::Float(exact)) if exact.fract() != 0.0 => {
            Err(SignedRequestError::InvalidClaim { claim: "ts", found: Found::Number })
        }
        _ => Ok(seconds),
    }
}

/// `q`: names of parameters and a digest. In the form of Entra, also no names and the query itself.
pub(super) struct QueryCover {
    pub(super) list: List,
    pub(super) digest: Option<[u8; 32]>,
    /// The string beside the names, if it may be the query itself.
    pub(super) raw: Option<Text>,
}

impl QueryCover {
    fn read(q: &Json<'_>, json: &str, form: EnvelopeForm) -> Result<Self, SignedRequestError> {
        let (list, value) = List::read("q", q, json)?;
        let digest = digest("q", value.as_str(json.as_bytes()));
        if form == EnvelopeForm::Entra && list.is_empty() {
            return Ok(Self { list, digest: digest.ok(), raw: Some(value) });
        }
        Ok(Self { list, digest: Some(digest?), raw: None })
    }
}

/// `h`: names of header fields and a digest.
pub(super) struct FieldsCover {
    pub(super) list: List,
    pub(super) digest: [u8; 32],
}

impl FieldsCover {
    fn read(h: &Json<'_>, json: &str) -> Result<Self, SignedRequestError> {
        let (list, value) = List::read("h", h, json)?;
        let mut names: Vec<&str> = list.names(json.as_bytes()).collect();
        if names.iter().any(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
            return Err(SignedRequestError::InvalidClaim { claim: "h", found: Found::Array });
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(SignedRequestError::FieldRepeated);
        }
        Ok(Self { digest: digest("h", value.as_str(json.as_bytes()))?, list })
    }
}

/// The names in `q` or `h`, in their order.
pub(super) struct List(Vec<Text>);

impl List {
    /// Reads `[[name, …], value]`. Returns the value, too.
    fn read(claim: &'static str, value: &Json<'_>, json: &str) -> Result<(Self, Text), SignedRequestError> {
        let invalid = SignedRequestError::InvalidClaim { claim, found: Found::of(Some(value)) };
        let text = |text: &Json<'_>| match text {
            Json::String(text) => Some(Text::new(text.clone(), json)),
            _ => None,
        };
        let Some([Json::Array(names), value]) = value.as_array() else {
            return Err(invalid);
        };
        let names = names.iter().map(text).collect::<Option<Vec<_>>>().ok_or(invalid)?;
        Ok((Self(names), text(value).ok_or(invalid)?))
    }

    pub(super) fn names<'s>(&'s self, payload: &'s [u8]) -> impl Iterator<Item = &'s str> {
        self.0.iter().map(move |name| name.as_str(payload))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Decodes a SHA-256 digest.
fn digest(claim: &'static str, text: &str) -> Result<[u8; 32], SignedRequestError> {
    decode_array(text).map_err(|_| invalid_string(claim))
}

const fn invalid_string(claim: &'static str) -> SignedRequestError {
    SignedRequestError::InvalidClaim { claim, found: Found::String }
}

impl From<WrongType> for SignedRequestError {
    fn from(WrongType { claim, found }: WrongType) -> Self {
        Self::InvalidClaim { claim, found }
    }
}
