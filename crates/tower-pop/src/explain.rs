//! Explains to operators why a request was rejected: the claim, what was found, what was expected, and what to change.
//!
//! An explanation names claims, kinds of JSON values and time differences. It never contains a value of a token or proof. What
//! was expected comes from the configuration of this resource.

mod signed;

use std::borrow::Cow;

use pop_core::jose::{HeaderError, JwkError, Malformed};
use pop_core::{DpopError, Error, Found, ProofError, TokenError, help};

use crate::config::State;

/// An explanation of one rejection, for operators.
///
/// # Security
/// It contains no value of a token or proof, so `Debug` and `Display` are safe to log. It does describe the configuration, for
/// example the accepted issuers: it goes into responses only with
/// [`explain_rejections`](crate::PopConfigBuilder::explain_rejections).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// The claim, header parameter, or component or parameter of a message signature that caused the rejection, if any.
    pub claim: Option<&'static str>,
    /// What was found there: a kind of value or a time difference.
    pub found: Option<Cow<'static, str>>,
    /// What this resource expects.
    pub expected: Option<Cow<'static, str>>,
    /// What to change, and where.
    pub remedy: Option<Cow<'static, str>>,
}

/// A time that differs by more than this many seconds is in another unit.
const ANOTHER_UNIT: u64 = 1_000_000_000;

const LOCAL_TIME: &str = "the client's clock is off by whole hours: it uses local time as UTC";

impl Explanation {
    /// Explains an error. `target` is the URL that the proof must name.
    pub(crate) fn of(error: &Error, state: &State, target: Option<&str>) -> Self {
        let explanation = match error {
            Error::Token(error) => of_token(*error, state),
            Error::Proof(ProofError::Dpop(error)) => of_dpop_proof(*error, state, target),
            Error::Proof(ProofError::Signature(error)) => signed::of_message(*error, state),
            Error::Proof(ProofError::SignedRequest(error)) => signed::of_envelope(*error, state),
            Error::Content(error) => signed::of_content(*error, state),
            Error::Confirmation(_) | Error::Binding(_) => Self { claim: Some("cnf"), ..Self::default() },
            Error::Nonce(_) => Self { claim: Some("nonce"), ..Self::default() },
            Error::Scope(error) => Self::default().claim("scope").expected(error.needed().to_owned()),
            _ => Self::default(),
        };
        let remedy = || help(error.code()).map(|help| help.remedy.into());
        Self { remedy: explanation.remedy.or_else(remedy), ..explanation }
    }

    fn claim(self, claim: &'static str) -> Self {
        Self { claim: Some(claim), ..self }
    }

    fn found(self, found: impl Into<Cow<'static, str>>) -> Self {
        Self { found: Some(found.into()), ..self }
    }

    fn expected(self, expected: impl Into<Cow<'static, str>>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    fn remedy(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("claim", self.claim),
            ("found", self.found.as_deref()),
            ("expected", self.expected.as_deref()),
            ("remedy", self.remedy.as_deref()),
        ];
        let mut separator = "";
        for (name, text) in parts {
            if let Some(text) = text {
                write!(f, "{separator}{name}: {text}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}

fn of_token(error: TokenError, state: &State) -> Explanation {
    let explanation = Explanation::default();
    let leeway = state.tokens.policy.leeway.as_secs();
    match error {
        TokenError::Malformed(Malformed::TooLarge) => {
            explanation.expected(format!("at most {} bytes", state.tokens.policy.max_len))
        }
        TokenError::Header(HeaderError::Algorithm) => {
            explanation.claim("alg").expected(state.tokens.policy.algorithms.names())
        }
        TokenError::Header(HeaderError::Type(found)) => {
            let found = other_than(found, "another type");
            explanation.claim("typ").found(found).expected("at+jwt")
        }
        TokenError::Header(HeaderError::Critical) => explanation.claim("crit"),
        TokenError::Issuer(found) => {
            let found = other_than(found, "another issuer");
            let ours = listed(state.tokens.issuers.iter().map(|issuer| &*issuer.name));
            explanation.claim("iss").found(found).expected(ours)
        }
        TokenError::Audience(found) => {
            let found = match found {
                Found::Array => "a list without this resource",
                found => other_than(found, "another audience"),
            };
            explanation
                .claim("aud")
                .found(found)
                .expected(listed(state.tokens.audiences.iter().map(|audience| &**audience)))
        }
        TokenError::UnknownKey => explanation.claim("kid"),
        TokenError::Expired { ago } => explanation
            .claim("exp")
            .found(format!("{ago} s in the past"))
            .expected(format!("at most {leeway} s in the past")),
        TokenError::NotYetValid { ahead } => ahead_of("nbf", ahead, leeway),
        TokenError::IssuedInFuture { ahead } => ahead_of("iat", ahead, leeway),
        TokenError::MissingClaim(claim) => {
            let explanation = explanation.claim(claim).found(Found::Nothing.as_str());
            match claim {
                "sub" => explanation.remedy("`IssuerConfig::allow_missing_sub()`"),
                "client_id" => explanation.remedy(
                    "`IssuerConfig::client_id_claim(..)` if another claim names the client, or `IssuerConfig::allow_missing_client_id()`",
                ),
                "jti" => explanation.remedy("`IssuerConfig::allow_missing_jti()`"),
                "iat" => explanation.remedy("`IssuerConfig::allow_missing_iat()`"),
                _ => explanation.remedy("authorization server: every token needs this claim"),
            }
        }
        TokenError::InvalidClaim { claim, found } => {
            let explanation = explanation.claim(claim).found(found.as_str());
            let explanation = match claim {
                "exp" | "nbf" | "iat" | "auth_time" => explanation.expected("seconds since the epoch, as a number"),
                "authorization_details" => explanation.expected("an array of objects with a type"),
                "scope" => explanation.expected("scope tokens, separated by spaces"),
                _ => explanation.expected("a string"),
            };
            if found == Found::Array && claim != "authorization_details" {
                explanation.remedy("`IssuerConfig::allow_scope_array()`, if it is the scope")
            } else {
                explanation.remedy("authorization server")
            }
        }
        TokenError::TokenType(claim) => explanation.claim(claim).expected("an access token"),
        _ => explanation,
    }
}

fn of_dpop_proof(error: DpopError, state: &State, target: Option<&str>) -> Explanation {
    let explanation = Explanation::default();
    let (max_age, skew) = (state.proof.dpop.max_age.as_secs(), state.proof.dpop.clock_skew.as_secs());
    match error {
        DpopError::Malformed(Malformed::TooLarge) => {
            explanation.expected(format!("at most {} bytes", state.proof.dpop.max_len))
        }
        DpopError::Header(HeaderError::Algorithm) => {
            explanation.claim("alg").expected(state.proof.dpop.algorithms.names())
        }
        DpopError::Header(HeaderError::Type(found)) => {
            let found = other_than(found, "another type");
            explanation.claim("typ").found(found).expected("dpop+jwt")
        }
        DpopError::Header(HeaderError::Critical) => explanation.claim("crit"),
        DpopError::Key(JwkError::RsaModulus) => {
            explanation.claim("jwk").expected("a modulus of 2048 bits or more, within `.max_proof_rsa_bits(..)`")
        }
        DpopError::Key(_) => explanation.claim("jwk"),
        DpopError::MissingClaim(claim) => explanation.claim(claim).found(Found::Nothing.as_str()),
        DpopError::InvalidClaim { claim, found } => {
            let expected = match claim {
                "exp" | "nbf" | "iat" => "seconds since the epoch, as a number",
                _ => "a string",
            };
            explanation.claim(claim).found(found.as_str()).expected(expected)
        }
        DpopError::JtiLength => {
            explanation.claim("jti").expected(format!("1 to {} bytes", state.proof.dpop.max_jti_len))
        }
        DpopError::MethodMismatch => explanation.claim("htm").expected("the method of the request"),
        DpopError::TargetInvalid | DpopError::TargetMismatch => {
            let explanation = explanation.claim("htu");
            match target {
                Some(target) => explanation.expected(target.to_owned()),
                None => explanation,
            }
        }
        DpopError::TooOld { age } => too_old("iat", age, max_age, ".proof_max_age(..)"),
        DpopError::InFuture { ahead } => in_future("iat", ahead, skew),
        DpopError::Milliseconds => milliseconds("iat"),
        DpopError::Expired { ago } => {
            explanation.claim("exp").found(in_the_past(ago)).expected(format!("at most {skew} s in the past"))
        }
        DpopError::NotYetValid { ahead } => ahead_of("nbf", ahead, skew),
        DpopError::AccessTokenHashMissing => explanation.claim("ath").found(Found::Nothing.as_str()),
        DpopError::AccessTokenHashMismatch => {
            explanation.claim("ath").expected("base64url of the SHA-256 of the access token")
        }
        _ => explanation,
    }
}

/// Describes what was found where a certain string is expected.
const fn other_than(found: Found, another: &'static str) -> &'static str {
    match found {
        Found::String => another,
        found => found.as_str(),
    }
}

fn in_the_past(seconds: u64) -> String {
    if seconds >= ANOTHER_UNIT {
        "not a recent time: perhaps another unit than seconds".to_owned()
    } else {
        format!("{seconds} s in the past")
    }
}

/// Explains the time of a proof that is too old. `option` sets the maximum age.
fn too_old(claim: &'static str, age: u64, max_age: u64, option: &'static str) -> Explanation {
    let explanation = Explanation::default().claim(claim).found(in_the_past(age));
    let explanation = explanation.expected(format!("at most {max_age} s in the past"));
    if age >= ANOTHER_UNIT {
        explanation
    } else if is_whole_hours(age) {
        explanation.remedy(LOCAL_TIME)
    } else {
        explanation.remedy(format!(
            "the client's clock is {age} s behind this one, or it sent a proof that it made {age} s before; `{option}`"
        ))
    }
}

/// Explains the time of a proof that is in the future.
fn in_future(claim: &'static str, ahead: u64, skew: u64) -> Explanation {
    let explanation = ahead_of(claim, ahead, skew);
    if ahead >= ANOTHER_UNIT {
        explanation
    } else if is_whole_hours(ahead) {
        explanation.remedy(LOCAL_TIME)
    } else {
        explanation.remedy(format!("the client's clock is {ahead} s ahead of this one; `.clock_skew(..)`"))
    }
}

fn milliseconds(claim: &'static str) -> Explanation {
    Explanation::default().claim(claim).found("milliseconds").expected("seconds since the epoch, as a number")
}

fn ahead_of(claim: &'static str, ahead: u64, tolerance: u64) -> Explanation {
    let explanation = Explanation::default().claim(claim).expected(format!("at most {tolerance} s in the future"));
    if ahead >= ANOTHER_UNIT {
        explanation.found("milliseconds").remedy("NumericDate counts seconds")
    } else {
        explanation.found(format!("{ahead} s in the future"))
    }
}

/// Returns whether a time difference is one to fourteen whole hours, give or take a minute: the difference of a time zone.
const fn is_whole_hours(seconds: u64) -> bool {
    let minutes = (seconds + 30) / 60;
    let hours = (minutes + 1) / 60;
    hours >= 1 && hours <= 14 && minutes.abs_diff(hours * 60) <= 1
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    names.join(" or ")
}
