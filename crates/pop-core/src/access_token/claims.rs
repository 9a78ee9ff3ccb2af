//! The claims that JWT access tokens (RFC 9068) and introspection responses (RFC 7662) have in common.

use std::borrow::Cow;

use super::arena::{Arena, Span};
use super::expectations::Expectations;
use super::token::{AccessToken, Audience};
use crate::confirmation::{Confirmation, ConfirmationPolicy};
use crate::jose::{Found, Json, JsonLimits, Malformed, Member, Object, WrongType};
use crate::policy::{TokenKind, TokenPolicy};
use crate::scope::Scopes;
use crate::{ConfirmationError, Error, TokenError};

/// Stands for a missing `exp` until the caller has decided whether it may be missing.
pub(super) const NO_EXPIRY: u64 = u64::MAX;

/// The values of `token_use` that name an access token.
const ACCESS_TOKEN_USES: [&str; 2] = ["access_token", "access"];
/// The values of the claim `typ` that name an access token: a token type, the media type of a JWT, or a word.
const ACCESS_TOKEN_TYPES: [&str; 8] =
    ["Bearer", "DPoP", "at+jwt", "application/at+jwt", "JWT", "access_token", "access", "AccessToken"];

/// The claims that are checked, as received, and the JSON that holds them.
#[derive(Default)]
pub(super) struct TokenClaims<'c> {
    raw: &'c str,
    /// Whether this is an introspection response, where `null` and empty strings count as absent.
    empty_is_absent: bool,
    active: Member<'c>,
    iss: Member<'c>,
    aud: Member<'c>,
    exp: Member<'c>,
    nbf: Member<'c>,
    iat: Member<'c>,
    sub: Member<'c>,
    client_id: Member<'c>,
    jti: Member<'c>,
    scope: Member<'c>,
    auth_time: Member<'c>,
    acr: Member<'c>,
    cnf: Member<'c>,
    token_type: Member<'c>,
    token_use: Member<'c>,
    typ: Member<'c>,
    authorization_details: Member<'c>,
    /// A claim that access tokens never have.
    of_another_kind: Option<&'static str>,
}

impl<'c> TokenClaims<'c> {
    /// Reads the claims of a JWT.
    pub(super) fn parse(json: &'c [u8], limits: JsonLimits) -> Result<Self, Malformed> {
        let mut claims = Self::default();
        claims.raw = Object::walk(json, limits, &mut |name, value| claims.take(name, value))?;
        Ok(claims)
    }

    /// Reads an introspection response. Some servers write `null` or an empty string for members without a value. These
    /// count as absent, except for the members that verification compares.
    pub(super) fn parse_response(json: &'c [u8], limits: JsonLimits) -> Result<Self, Malformed> {
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
            "at_hash" => return self.of_another_kind = Some("at_hash"),
            "c_hash" => return self.of_another_kind = Some("c_hash"),
            "events" if value.as_object().is_some() => return self.of_another_kind = Some("events"),
            _ => return,
        };
        *claim = value.into();
    }

    pub(super) fn issuer(&self) -> Result<Option<&str>, TokenError> {
        Ok(self.iss.text("iss")?)
    }

    /// Returns the kind of value that `iss` has.
    pub(super) const fn found_issuer(&self) -> Found {
        self.iss.found()
    }

    pub(super) fn token_type(&self) -> Result<Option<&str>, TokenError> {
        Ok(self.token_type.text("token_type")?)
    }

    /// Checks that the claims `token_use` and `typ`, where present, name an access token, and that there is no claim of ID tokens
    /// (OpenID Connect Core §3.1.3.6, §3.3.2.11) or logout tokens (OpenID Connect Back-Channel Logout §2.4).
    pub(super) fn check_no_other_kind(&self) -> Result<(), TokenError> {
        let is_one_of = |name: &str, allowed: &[&str]| allowed.iter().any(|one| one.eq_ignore_ascii_case(name));
        if let Some(claim) = self.of_another_kind {
            Err(TokenError::TokenType(claim))
        } else if self.token_use.text("token_use")?.is_some_and(|name| !is_one_of(name, &ACCESS_TOKEN_USES)) {
            Err(TokenError::TokenType("token_use"))
        } else if self.typ.text("typ")?.is_some_and(|name| !is_one_of(name, &ACCESS_TOKEN_TYPES)) {
            Err(TokenError::TokenType("typ"))
        } else {
            Ok(())
        }
    }

    /// Checks that a token without `typ: at+jwt` is an access token.
    pub(super) fn check_kind(&self, expected: &Expectations<'_>) -> Result<(), TokenError> {
        self.check_no_other_kind()?;
        let (claim, is_there) = match expected.allowances.kind {
            TokenKind::Audience => return Ok(()),
            TokenKind::TypClaim => ("typ", self.typ.json().is_some()),
            TokenKind::TokenUseClaim => ("token_use", self.token_use.json().is_some()),
            TokenKind::ClientClaim => ("client_id", self.client_id(expected)?.is_some()),
            TokenKind::JtiClaim => ("jti", self.jti.json().is_some()),
        };
        if is_there { Ok(()) } else { Err(TokenError::TokenType(claim)) }
    }

    /// Reads `cnf`; `None` if there is no such claim.
    fn confirmation(&self, expected: &Expectations<'_>) -> Result<Option<Confirmation>, ConfirmationError> {
        let TokenPolicy { rsa, backend, .. } = *expected.policy;
        let symmetric_key_in_clear = self.empty_is_absent && expected.allowances.introspected_symmetric_keys;
        let policy = ConfirmationPolicy { rsa, backend, symmetric_key_in_clear };
        self.cnf.json().map(|cnf| Confirmation::parse(cnf, policy)).transpose()
    }

    /// Returns the unencrypted symmetric key in `cnf`.
    fn symmetric_key(&self) -> Option<&str> {
        self.cnf.json()?.as_object()?.get("jwk")?.as_object()?.get("k")?.as_str()
    }

    /// Returns `active`, if it is a boolean.
    pub(super) const fn is_active(&self) -> Option<bool> {
        match self.active.json() {
            Some(Json::Bool(active)) => Some(*active),
            _ => None,
        }
    }

    /// Reads all known claims, each of the right JSON type, and checks the audience. The caller checks the times, and
    /// whether required claims are present.
    pub(super) fn read(&self, issuer: &str, expected: &Expectations<'_>) -> Result<AccessToken, Error> {
        let mut token = self.unbound(issuer, expected)?;
        token.confirmation = self.confirmation(expected)?;
        let has_shared_key = token.confirmation.as_ref().is_some_and(|bound| bound.shared_key().is_some());
        if let Some(secret) = self.symmetric_key() {
            // The application can read all claims. An escaped key cannot be found; base64url needs no escapes.
            if !token.arena.erase(secret, self.raw) {
                return Err(ConfirmationError::Malformed.into());
            }
        }
        if has_shared_key && token.audience.spans().len() != 1 {
            return Err(ConfirmationError::SeveralAudiences.into());
        }
        self.check_authorization_details()?;
        Ok(token)
    }

    fn unbound(&self, issuer: &str, expected: &Expectations<'_>) -> Result<AccessToken, TokenError> {
        let mut arena = Arena::new(self.raw);
        let mut kept = |text: Option<&str>| text.map(|text| arena.keep(text, self.raw));
        Ok(AccessToken {
            issuer: kept(Some(issuer)).unwrap_or_default(),
            audience: self.audience(expected, &mut |one| kept(Some(one)).unwrap_or_default())?,
            expires_at: self.exp.date("exp")?.unwrap_or(NO_EXPIRY),
            not_before: self.nbf.date("nbf")?,
            issued_at: self.iat.date("iat")?,
            subject: kept(self.sub.text("sub")?),
            client_id: kept(self.client_id(expected)?.as_deref()),
            jti: kept(self.jti.text("jti")?),
            scope: kept(self.scope(expected)?.as_deref()).unwrap_or_default(),
            auth_time: self.auth_time.date("auth_time")?,
            acr: kept(self.acr.text("acr")?),
            confirmation: None,
            introspected: false,
            arena,
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

    /// Reads the claim that is configured for the issuer or, without it, `client_id`.
    fn client_id(&self, expected: &Expectations<'_>) -> Result<Option<Cow<'_, str>>, TokenError> {
        let client_id = self.client_id.text("client_id")?.map(Cow::Borrowed);
        if let Some(name) = expected.allowances.client_id_claim {
            let claim = self.other(name.as_str(), expected.policy.json)?;
            let is_absent = self.empty_is_absent && claim.json().is_some_and(is_empty);
            if claim.json().is_some() && !is_absent {
                return Ok(claim.into_text("client_id")?);
            }
        }
        Ok(client_id)
    }

    /// Reads the scopes from the one claim that is configured for the issuer.
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

    /// Reads a claim that is not among the known ones.
    fn other(&self, name: &str, limits: JsonLimits) -> Result<Member<'c>, TokenError> {
        let mut claim = Member::ABSENT;
        Object::walk(self.raw.as_bytes(), limits, &mut |member, value| {
            if member == name {
                claim = value.into();
            }
        })?;
        Ok(claim)
    }

    /// `authorization_details` must be an array of objects with a `type` (RFC 9396 §2).
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

/// Reads scopes from a string with spaces or, if allowed, from an array with one scope in each string.
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
