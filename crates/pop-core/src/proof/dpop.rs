//! DPoP proofs (RFC 9449 §4): parsing, and the checks of §4.3 one by one.

use std::sync::Arc;

use http::HeaderMap;

use super::key::{ProofKey, ProofKeyCache};
use super::text::Text;
use super::window;
use crate::DpopError;
use crate::access_token::AccessTokenHash;
use crate::constant_time;
use crate::jose::crypto::VerifyingKey;
use crate::jose::{
    CompactJws, DecodedJws, Found, Json, JsonLimits, JwkThumbprint, Malformed, Member, Object, WrongType, decode_array,
};
use crate::policy::DpopPolicy;
use crate::target::RequestTarget;

/// The maximum length of `nonce`, in bytes.
const MAX_NONCE_LEN: usize = 1024;

/// Returns the single `DPoP` field line.
///
/// # Errors
/// [`DpopError::Missing`], [`DpopError::Duplicated`], or [`DpopError::Malformed`] if it is not UTF-8.
pub fn field(headers: &HeaderMap) -> Result<&str, DpopError> {
    let mut lines = headers.get_all("dpop").iter();
    let line = lines.next().ok_or(DpopError::Missing)?;
    if lines.next().is_some() {
        return Err(DpopError::Duplicated);
    }
    // The base64url decoder rejects all other characters that a proof cannot contain.
    std::str::from_utf8(line.as_bytes()).map_err(|_| Malformed::NotCompact.into())
}

/// A strictly parsed proof. Each check is a method, and no check implies another. `Debug` shows the key only.
pub struct DpopProof<'r> {
    jws: DecodedJws<'r>,
    key: Arc<ProofKey>,
    key_is_new: bool,
    jti: Text,
    htm: Text,
    htu: Text,
    iat: u64,
    exp: Option<u64>,
    nbf: Option<u64>,
    ath: Option<Text>,
    nonce: Option<Text>,
}

impl<'r> DpopProof<'r> {
    /// Parses a proof: the value of the `DPoP` field. The key of its header is taken from `keys` if it is there. Unknown
    /// parameters and claims are ignored.
    ///
    /// # Errors
    /// [`DpopError::Malformed`], [`DpopError::Header`], [`DpopError::Key`], [`DpopError::MissingClaim`],
    /// [`DpopError::InvalidClaim`] or [`DpopError::JtiLength`].
    pub fn parse(text: &'r str, policy: &DpopPolicy, keys: &dyn ProofKeyCache) -> Result<Self, DpopError> {
        let compact = CompactJws::split(text, policy.max_len)?;
        let (key, key_is_new) = match keys.get(compact.header_segment()) {
            Some(key) => (key, false),
            None => (Arc::new(ProofKey::parse(compact.header_segment(), policy)?), true),
        };
        let jws = compact.decode_body()?;
        let mut claims = Claims::default();
        let json = Object::walk(jws.payload(), JsonLimits::PROOF, &mut |name, value| claims.take(name, value))?;
        let required = |claim: Member<'_>, name| {
            claim.into_text(name)?.map(|text| Text::new(text, json)).ok_or(DpopError::MissingClaim(name))
        };
        let optional =
            |claim: Member<'_>, name| Ok::<_, DpopError>(claim.into_text(name)?.map(|text| Text::new(text, json)));
        let (jti, htm, htu) =
            (required(claims.jti, "jti")?, required(claims.htm, "htm")?, required(claims.htu, "htu")?);
        let iat = claims.iat.date("iat")?.ok_or(DpopError::MissingClaim("iat"))?;
        let (exp, nbf) = (claims.exp.date("exp")?, claims.nbf.date("nbf")?);
        let (ath, nonce) = (optional(claims.ath, "ath")?, optional(claims.nonce, "nonce")?);
        if jti.is_empty() || jti.len() > policy.max_jti_len {
            return Err(DpopError::JtiLength);
        }
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_LEN) {
            return Err(DpopError::InvalidClaim { claim: "nonce", found: Found::String });
        }
        Ok(Self { jws, key, key_is_new, jti, htm, htu, iat, exp, nbf, ath, nonce })
    }

    /// Verifies the signature with the key of the proof.
    ///
    /// # Errors
    /// [`DpopError::Signature`].
    pub fn verify_signature(&self) -> Result<(), DpopError> {
        let key = self.key.verifying_key();
        key.verify(self.jws.signing_input(), self.jws.signature()).map_err(|_| DpopError::Signature)
    }

    /// Checks that `htm` is the method of the request, case-sensitively.
    ///
    /// # Errors
    /// [`DpopError::MethodMismatch`].
    pub fn check_method(&self, method: &str) -> Result<(), DpopError> {
        if self.bytes(&self.htm) == method.as_bytes() { Ok(()) } else { Err(DpopError::MethodMismatch) }
    }

    /// Checks that `htu` names the target of the request; queries and fragments are ignored.
    ///
    /// # Errors
    /// [`DpopError::TargetInvalid`] or [`DpopError::TargetMismatch`].
    pub fn check_target(&self, target: &RequestTarget<'_>) -> Result<(), DpopError> {
        match target.matches(self.text(&self.htu)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(DpopError::TargetMismatch),
            Err(_) => Err(DpopError::TargetInvalid),
        }
    }

    /// Checks that `ath` is the hash of the access token in canonical base64url. The comparison takes constant time.
    ///
    /// # Errors
    /// [`DpopError::AccessTokenHashMissing`] or [`DpopError::AccessTokenHashMismatch`].
    pub fn check_access_token(&self, token: &AccessTokenHash) -> Result<(), DpopError> {
        let ath = self.ath.as_ref().ok_or(DpopError::AccessTokenHashMissing)?;
        let ath: [u8; 32] = decode_array(self.bytes(ath)).map_err(|_| DpopError::AccessTokenHashMismatch)?;
        if constant_time::equal(&ath, token.as_bytes()) { Ok(()) } else { Err(DpopError::AccessTokenHashMismatch) }
    }

    /// Checks that `iat` is within the window, and `exp` and `nbf` if they are present. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// [`DpopError::TooOld`], [`DpopError::InFuture`], [`DpopError::Milliseconds`], [`DpopError::Expired`] or
    /// [`DpopError::NotYetValid`].
    pub fn check_time(&self, policy: &DpopPolicy, now: u64) -> Result<(), DpopError> {
        window::check(self.iat, now, policy.max_age, policy.clock_skew)?;
        self.check_expiry(policy, now)
    }

    /// Checks `exp` and `nbf` if they are present, but not `iat`: for proofs whose nonce shows that they are fresh.
    ///
    /// # Errors
    /// [`DpopError::Expired`] or [`DpopError::NotYetValid`].
    pub fn check_expiry(&self, policy: &DpopPolicy, now: u64) -> Result<(), DpopError> {
        let skew = policy.clock_skew.as_secs();
        if let Some(exp) = self.exp.filter(|exp| now >= exp.saturating_add(skew)) {
            return Err(DpopError::Expired { ago: now.saturating_sub(exp) });
        }
        if let Some(nbf) = self.nbf.filter(|nbf| *nbf > now.saturating_add(skew)) {
            return Err(DpopError::NotYetValid { ahead: nbf.saturating_sub(now) });
        }
        Ok(())
    }

    /// Returns the key of the proof.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// Returns the thumbprint of the key of the proof.
    #[must_use]
    pub fn thumbprint(&self) -> &JwkThumbprint {
        self.key.thumbprint()
    }

    /// Returns `jti`, unescaped.
    #[must_use]
    pub fn jti(&self) -> &str {
        self.text(&self.jti)
    }

    /// Returns `iat`, in seconds since the epoch.
    #[must_use]
    pub const fn issued_at(&self) -> u64 {
        self.iat
    }

    /// Returns `nonce`.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_ref().map(|nonce| self.text(nonce))
    }

    /// Returns the encoded header and its key if the key did not come from the cache.
    #[must_use]
    pub fn new_key(&self) -> Option<(&'r str, &Arc<ProofKey>)> {
        self.key_is_new.then(|| (self.jws.header_segment(), &self.key))
    }

    /// Keeps `jti` alone, without copying it.
    pub(super) fn into_jti(self) -> Jti {
        Jti { payload: self.jws.into_payload(), text: self.jti }
    }

    /// Returns the bytes of `jti`, unescaped.
    pub(super) fn jti_bytes(&self) -> &[u8] {
        self.bytes(&self.jti)
    }

    fn text<'s>(&'s self, text: &'s Text) -> &'s str {
        text.as_str(self.jws.payload())
    }

    fn bytes<'s>(&'s self, text: &'s Text) -> &'s [u8] {
        text.bytes(self.jws.payload())
    }
}

impl std::fmt::Debug for DpopProof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DpopProof").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The `jti` of a proof, within the payload that it came in.
#[derive(Clone)]
pub(super) struct Jti {
    payload: Vec<u8>,
    text: Text,
}

impl Jti {
    pub(super) fn as_str(&self) -> &str {
        self.text.as_str(&self.payload)
    }
}

/// The claims of a proof that are checked, as received.
#[derive(Default)]
struct Claims<'j> {
    jti: Member<'j>,
    htm: Member<'j>,
    htu: Member<'j>,
    iat: Member<'j>,
    exp: Member<'j>,
    nbf: Member<'j>,
    ath: Member<'j>,
    nonce: Member<'j>,
}

impl<'j> Claims<'j> {
    fn take(&mut self, name: &str, value: Json<'j>) {
        let claim = match name {
            "jti" => &mut self.jti,
            "htm" => &mut self.htm,
            "htu" => &mut self.htu,
            "iat" => &mut self.iat,
            "exp" => &mut self.exp,
            "nbf" => &mut self.nbf,
            "ath" => &mut self.ath,
            "nonce" => &mut self.nonce,
            _ => return,
        };
        *claim = value.into();
    }
}

impl From<WrongType> for DpopError {
    fn from(WrongType { claim, found }: WrongType) -> Self {
        Self::InvalidClaim { claim, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// DPOP-01, DPOP-02: there is one `DPoP` field line.
    #[test]
    fn takes_a_single_field_line() {
        let mut headers = HeaderMap::new();
        assert_eq!(field(&headers), Err(DpopError::Missing));
        headers.append("DPoP", HeaderValue::from_static("p"));
        assert_eq!(field(&headers), Ok("p"));
        headers.append("dPoP", HeaderValue::from_static("p"));
        assert_eq!(field(&headers), Err(DpopError::Duplicated));
    }
}
