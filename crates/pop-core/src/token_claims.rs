//! The claims that signed tokens (RFC 9068) and introspection responses (RFC 7662) have in common.

use std::borrow::Cow;

use crate::access_token::Expectations;
use crate::claims::{AccessToken, Audience};
use crate::cnf::Confirmation;
use crate::error::Found;
use crate::jose::{Claim, Json, JsonLimits, Malformed, Object, WrongType};
use crate::scope::Scopes;
use crate::texts::{Span, Texts};
use crate::{ConfirmationError, Error, TokenError};

/// Stands for a missing `exp` until whoever reads the claims has judged that.
pub(crate) const NO_EXPIRY: u64 = u64::MAX;

/// What servers put into `token_use` for access tokens.
const ACCESS_TOKEN_USES: [&str; 2] = ["access_token", "access"];
/// What servers put into `typ` for access tokens: the token type, the media type of a JWT, or a word.
const ACCESS_TOKEN_TYPES: [&str; 8] =
    ["Bearer", "DPoP", "at+jwt", "application/at+jwt", "JWT", "access_token", "access", "AccessToken"];

/// The claims that mean something here, as they came, and the JSON that they came in.
#[derive(Default)]
pub(crate) struct TokenClaims<'c> {
    raw: &'c str,
    /// Whether this is an introspection response, in which `null` and empty strings count as absent.
    empty_is_absent: bool,
    active: Claim<'c>,
    iss: Claim<'c>,
    aud: Claim<'c>,
    exp: Claim<'c>,
    nbf: Claim<'c>,
    iat: Claim<'c>,
    sub: Claim<'c>,
    client_id: Claim<'c>,
    jti: Claim<'c>,
    scope: Claim<'c>,
    auth_time: Claim<'c>,
    acr: Claim<'c>,
    cnf: Claim<'c>,
    token_type: Claim<'c>,
    token_use: Claim<'c>,
    typ: Claim<'c>,
    authorization_details: Claim<'c>,
}

impl<'c> TokenClaims<'c> {
    /// Reads the JSON of a token's claims.
    pub(crate) fn parse(json: &'c [u8], limits: JsonLimits) -> Result<Self, Malformed> {
        let mut claims = Self::default();
        claims.raw = Object::walk(json, limits, &mut |name, value| claims.take(name, value))?;
        Ok(claims)
    }

    /// Reads the JSON of an introspection response. Servers that fill in a template write `null` or an empty string for what
    /// they don't know: such members count as absent, except those that the decision compares.
    pub(crate) fn parse_response(json: &'c [u8], limits: JsonLimits) -> Result<Self, Malformed> {
        let mut claims = Self { empty_is_absent: true, ..Self::default() };
        claims.raw = Object::walk(json, limits, &mut |name, value| {
            let compared = matches!(name, "active" | "iss" | "aud" | "exp" | "nbf" | "iat" | "cnf");
            if compared || !is_empty(&value) {
                claims.take(name, value);
            }
        })?;
        Ok(claims)
    }

    fn take(&mut self, name: &str, value: Json<'c>) {
        let claim = match name {
            "active" => &mut self.active,
            "iss" => &mut self.iss,
            "aud" => &mut self.aud,
            "exp" => &mut self.exp,
            "nbf" => &mut self.nbf,
            "iat" => &mut self.iat,
            "sub" => &mut self.sub,
            "client_id" => &mut self.client_id,
            "jti" => &mut self.jti,
            "scope" => &mut self.scope,
            "auth_time" => &mut self.auth_time,
            "acr" => &mut self.acr,
            "cnf" => &mut self.cnf,
            "token_type" => &mut self.token_type,
            "token_use" => &mut self.token_use,
            "typ" => &mut self.typ,
            "authorization_details" => &mut self.authorization_details,
            _ => return,
        };
        *claim = value.into();
    }

    pub(crate) fn issuer(&self) -> Result<Option<&str>, TokenError> {
        Ok(self.iss.text("iss")?)
    }

    /// What stands in `iss`.
    pub(crate) const fn found_issuer(&self) -> Found {
        self.iss.found()
    }

    pub(crate) fn token_type(&self) -> Result<Option<&str>, TokenError> {
        Ok(self.token_type.text("token_type")?)
    }

    /// Whether `token_use`, and `typ` as a claim, name an access token where they are present. Servers write there what kind of
    /// token it is.
    pub(crate) fn may_be_an_access_token(&self) -> Result<bool, TokenError> {
        let is_one_of = |name: &str, allowed: &[&str]| allowed.iter().any(|one| one.eq_ignore_ascii_case(name));
        Ok(self.token_use.text("token_use")?.is_none_or(|name| is_one_of(name, &ACCESS_TOKEN_USES))
            && self.typ.text("typ")?.is_none_or(|name| is_one_of(name, &ACCESS_TOKEN_TYPES)))
    }

    /// `cnf`; `None` when there is no such claim.
    pub(crate) fn confirmation(&self) -> Result<Option<Confirmation>, ConfirmationError> {
        self.cnf.json().map(Confirmation::parse).transpose()
    }

    /// `active`, if it is a boolean.
    pub(crate) const fn is_active(&self) -> Option<bool> {
        match self.active.json() {
            Some(Json::Bool(active)) => Some(*active),
            _ => None,
        }
    }

    /// Reads every claim that is known, each of the right JSON type, and checks the audience. What may be missing, and
    /// times, are the caller's to judge.
    pub(crate) fn read(&self, issuer: &str, expected: &Expectations<'_>) -> Result<AccessToken, Error> {
        let mut token = self.unbound(issuer, expected)?;
        token.confirmation = self.confirmation()?;
        self.check_authorization_details()?;
        Ok(token)
    }

    fn unbound(&self, issuer: &str, expected: &Expectations<'_>) -> Result<AccessToken, TokenError> {
        let mut texts = Texts::of(self.raw);
        let mut kept = |text: Option<&str>| text.map(|text| texts.keep(text, self.raw));
        Ok(AccessToken {
            issuer: kept(Some(issuer)).unwrap_or_default(),
            audience: self.audience(expected, &mut |one| kept(Some(one)).unwrap_or_default())?,
            expires_at: self.exp.date("exp")?.unwrap_or(NO_EXPIRY),
            not_before: self.nbf.date("nbf")?,
            issued_at: self.iat.date("iat")?,
            subject: kept(self.sub.text("sub")?),
            client_id: kept(self.client_id.text("client_id")?),
            jti: kept(self.jti.text("jti")?),
            scope: kept(self.scope(expected)?.as_deref()).unwrap_or_default(),
            auth_time: self.auth_time.date("auth_time")?,
            acr: kept(self.acr.text("acr")?),
            confirmation: None,
            introspected: false,
            texts,
        })
    }

    fn audience(
        &self,
        expected: &Expectations<'_>,
        keep: &mut dyn FnMut(&str) -> Span,
    ) -> Result<Audience, TokenError> {
        let all = match self.aud.json() {
            Some(one @ Json::String(_)) => std::slice::from_ref(one),
            Some(Json::Array(many)) => many.as_slice(),
            None => return Ok(Audience::Many(Box::default())),
            _ => return Err(TokenError::Audience(self.aud.found())),
        };
        if all.is_empty() && expected.allowances.introspection_without_aud {
            return Ok(Audience::Many(Box::default()));
        }
        let is_ours = |one: &str| expected.audiences.iter().any(|own| **own == *one);
        if let [Json::String(one)] = all {
            return if is_ours(one) {
                Ok(Audience::One(keep(one)))
            } else {
                Err(TokenError::Audience(self.aud.found()))
            };
        }
        let all =
            all.iter().map(Json::as_str).collect::<Option<Vec<_>>>().ok_or(TokenError::Audience(self.aud.found()))?;
        if !all.iter().any(|one| is_ours(one)) {
            return Err(TokenError::Audience(self.aud.found()));
        }
        Ok(Audience::Many(all.into_iter().map(keep).collect()))
    }

    /// The scopes, of the one claim that the issuer writes them in: another one is not looked at.
    fn scope(&self, expected: &Expectations<'_>) -> Result<Option<Cow<'_, str>>, TokenError> {
        let allow = &expected.allowances;
        match allow.scope_claim {
            None => self.scope.json().map(|scope| scope_text(scope, allow.scope_array)).transpose(),
            Some(name) => {
                let claim = self.other(name.as_str(), expected.policy.json)?;
                let text = |scope| scope_text(scope, true).map(|text| Cow::Owned(text.into_owned()));
                claim.json().filter(|value| !(self.empty_is_absent && is_empty(value))).map(text).transpose()
            }
        }
    }

    /// A claim by its name, for those that are not kept.
    fn other(&self, name: &str, limits: JsonLimits) -> Result<Claim<'c>, TokenError> {
        let mut claim = Claim::ABSENT;
        Object::walk(self.raw.as_bytes(), limits, &mut |member, value| {
            if member == name {
                claim = value.into();
            }
        })?;
        Ok(claim)
    }

    /// `authorization_details` is an array of objects with a `type` (RFC 9396 §2).
    fn check_authorization_details(&self) -> Result<(), TokenError> {
        let Some(details) = self.authorization_details.json() else {
            return Ok(());
        };
        let typed = |detail: &Json<'_>| detail.as_object().and_then(|detail| detail.get("type")?.as_str()).is_some();
        match details.as_array() {
            Some(details) if details.iter().all(typed) => Ok(()),
            _ => Err(TokenError::InvalidClaim {
                claim: "authorization_details",
                found: self.authorization_details.found(),
            }),
        }
    }
}

fn is_empty(value: &Json<'_>) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Scopes as a string with spaces or, where that is allowed, as an array of strings of one scope each.
fn scope_text<'j>(scope: &'j Json<'_>, array_allowed: bool) -> Result<Cow<'j, str>, TokenError> {
    let invalid = TokenError::InvalidClaim { claim: "scope", found: Found::of(Some(scope)) };
    let text: Cow<'j, str> = match scope {
        Json::String(text) => Cow::Borrowed(text),
        Json::Array(list) if array_allowed => {
            let one = |scope: &'j Json<'_>| scope.as_str().filter(|scope| !scope.contains(' '));
            let list = list.iter().map(one).collect::<Option<Vec<_>>>();
            list.ok_or(invalid)?.join(" ").into()
        }
        _ => return Err(invalid),
    };
    if Scopes::parse(&text).is_some() { Ok(text) } else { Err(invalid) }
}

impl From<WrongType> for TokenError {
    fn from(WrongType { claim, found }: WrongType) -> Self {
        Self::InvalidClaim { claim, found }
    }
}
