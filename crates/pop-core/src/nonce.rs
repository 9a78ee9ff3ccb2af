//! Server-provided nonces without state (RFC 9449 §8, §9): a time step and a MAC over it, so that every replica with the
//! same key accepts them.
//!
//! A nonce is `base64url(step ‖ first 16 bytes of HMAC-SHA-256(key, label ‖ audience ‖ step))`, 27 characters of RFC 9449
//! §8.1's set. It is accepted during its own step and the two after it; a step lasts 60 s. The step before its time is
//! accepted too, for replicas whose clocks differ. Anybody may use it, any number of times: only `jti` is single-use.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::NonceError;
use crate::{constant_time, jose};

/// Seconds that one step lasts.
pub const STEP_SECONDS: u64 = 60;
/// Steps after its own in which a nonce is accepted.
pub const PREVIOUS_STEPS: u64 = 2;
/// Characters of every nonce issued here.
const NONCE_LEN: usize = 27;
const MAC_LEN: usize = 16;

/// The secrets that nonces are made and checked with. `Debug` shows their number only.
#[derive(Clone)]
pub struct NonceKeys {
    keys: Vec<Hmac<Sha256>>,
    audience: Box<str>,
}

/// A nonce that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedNonce {
    /// Whether the client should get another one.
    pub freshness: Freshness,
    /// The first second at which the nonce is no longer accepted: the same whenever it is looked at.
    pub until: u64,
}

/// How old an accepted nonce is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Of the current step.
    Current,
    /// Of an earlier step: the response should carry the current one (RFC 9449 §8.2).
    Renew,
}

impl NonceKeys {
    /// The first key makes nonces; all of them check, so that keys can be rotated with overlap. The audience keeps nonces
    /// of one resource from being used at another that shares the keys.
    ///
    /// Returns `None` when there is no key.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>, audience: &str) -> Option<Self> {
        let keys = keys
            .into_iter()
            .map(|key| <Hmac<Sha256> as KeyInit>::new_from_slice(&*Zeroizing::new(key)).ok())
            .collect::<Option<Vec<_>>>()?;
        (!keys.is_empty()).then(|| Self { keys, audience: audience.into() })
    }

    /// The number of the step that a time lies in.
    #[must_use]
    pub const fn step_at(now: u64) -> u64 {
        now / STEP_SECONDS
    }

    /// The nonce of a step.
    #[must_use]
    pub fn issue(&self, step: u64) -> String {
        let mut bytes = [0; 4 + MAC_LEN];
        let (number, mac) = bytes.split_at_mut(4);
        let short = short_step(step);
        number.copy_from_slice(&short);
        if let Some(key) = self.keys.first() {
            mac.copy_from_slice(&self.mac(key, step));
        }
        jose::encode(bytes)
    }

    /// Judges a nonce that a proof carries.
    ///
    /// # Errors
    /// [`NonceError::Stale`] for every nonce that was not made with one of the keys in the current step, one of the two
    /// before it or the one after it.
    pub fn check(&self, nonce: &str, now: u64) -> Result<AcceptedNonce, NonceError> {
        if nonce.len() != NONCE_LEN {
            return Err(NonceError::Stale);
        }
        let bytes: [u8; 4 + MAC_LEN] = jose::decode_array(nonce).map_err(|_| NonceError::Stale)?;
        let (number, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(NonceError::Stale)?;
        let current = Self::step_at(now);
        let step = (current.saturating_sub(PREVIOUS_STEPS)..=current.saturating_add(1))
            .find(|step| short_step(*step) == number)
            .ok_or(NonceError::Stale)?;
        let genuine = self.keys.iter().any(|key| constant_time::equal(&self.mac(key, step), mac));
        if !genuine {
            return Err(NonceError::Stale);
        }
        let freshness = if step < current { Freshness::Renew } else { Freshness::Current };
        let until = step.saturating_add(PREVIOUS_STEPS + 1).saturating_mul(STEP_SECONDS);
        Ok(AcceptedNonce { freshness, until })
    }

    fn mac(&self, key: &Hmac<Sha256>, step: u64) -> [u8; MAC_LEN] {
        let mut mac = key.clone();
        mac.update(b"poplayer dpop nonce\0");
        mac.update(self.audience.as_bytes());
        mac.update(&[0]);
        mac.update(&step.to_be_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; MAC_LEN];
        short.copy_from_slice(&full[..MAC_LEN]);
        short
    }
}

/// The low four bytes of a step number: enough to tell the accepted steps apart; the MAC covers all eight.
fn short_step(step: u64) -> [u8; 4] {
    let [.., a, b, c, d] = step.to_be_bytes();
    [a, b, c, d]
}

impl fmt::Debug for NonceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NonceKeys({})", self.keys.len())
    }
}

/// Whether a text is a nonce by RFC 9449 §8.1: `1*NQCHAR`.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8) -> NonceKeys {
        NonceKeys::new([[seed; 32]], "https://api.example").unwrap()
    }

    const NOW: u64 = 1_800_000_000;

    /// NONCE-04, V-11: the characters of RFC 6749 appendix A.
    #[test]
    fn issues_nonces_of_nqchar_only() {
        for step in 0..500 {
            let nonce = keys(7).issue(step * 7919);
            assert!(is_nonce(&nonce) && nonce.len() == NONCE_LEN, "{nonce}");
        }
        for text in ["", "a b", "a\"b", "a\\b", "é"] {
            assert!(!is_nonce(text), "{text:?}");
        }
        for example in ["eyJ7S_zG.eyJH0-Z.HX4w-7v", "eyJ7S_zG.eyJbYu3.xQmBj-1"] {
            assert!(is_nonce(example), "V-11 {example}");
        }
    }

    /// NONCE-08, NONCE-11: and the next one, for replicas whose clocks differ.
    #[test]
    fn accepts_the_current_and_two_previous_steps() {
        let keys = keys(7);
        let current = NonceKeys::step_at(NOW);
        assert_eq!(keys.check(&keys.issue(current), NOW).map(|nonce| nonce.freshness), Ok(Freshness::Current));
        assert_eq!(keys.check(&keys.issue(current + 1), NOW).map(|nonce| nonce.freshness), Ok(Freshness::Current));
        assert_eq!(keys.check(&keys.issue(current - 1), NOW).map(|nonce| nonce.freshness), Ok(Freshness::Renew));
        assert_eq!(keys.check(&keys.issue(current - 2), NOW).map(|nonce| nonce.freshness), Ok(Freshness::Renew));
        assert_eq!(keys.check(&keys.issue(current - 3), NOW), Err(NonceError::Stale));
        assert_eq!(keys.check(&keys.issue(current + 2), NOW), Err(NonceError::Stale));
        let nonce = keys.issue(current);
        let until = keys.check(&nonce, NOW).unwrap().until;
        assert!(keys.check(&nonce, until - 1).is_ok_and(|nonce| nonce.until == until), "NONCE-11 a fixed end");
        assert_eq!(keys.check(&nonce, until), Err(NonceError::Stale));
        let wrapped = keys.issue(current + (1 << 32));
        assert_eq!(keys.check(&wrapped, NOW), Err(NonceError::Stale));
    }

    /// NONCE-02, NONCE-18: at each position, and of any length.
    #[test]
    fn rejects_every_altered_nonce() {
        let nonce = keys(7).issue(NonceKeys::step_at(NOW));
        assert!(keys(7).check(&nonce, NOW).is_ok());
        for at in 0..nonce.len() {
            let mut altered = nonce.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(keys(7).check(&altered, NOW), Err(NonceError::Stale), "{at}");
        }
        for altered in [&nonce[1..], &nonce[..26], "", &nonce.to_ascii_uppercase(), &"A".repeat(100_000)] {
            assert_eq!(keys(7).check(altered, NOW), Err(NonceError::Stale));
        }
    }

    /// NONCE-05, NONCE-13: they carry a MAC, so that they cannot be guessed.
    #[test]
    fn nonces_differ_by_key_and_audience() {
        let step = NonceKeys::step_at(NOW);
        assert_ne!(keys(7).issue(step), keys(8).issue(step));
        assert_eq!(keys(7).check(&keys(8).issue(step), NOW), Err(NonceError::Stale));
        let other = NonceKeys::new([[7; 32]], "https://other.example").unwrap();
        assert_eq!(keys(7).check(&other.issue(step), NOW), Err(NonceError::Stale));
    }

    /// NONCE-14: the first key signs, and all keys verify.
    #[test]
    fn keys_rotate_with_overlap() {
        let step = NonceKeys::step_at(NOW);
        let rotated = NonceKeys::new([[8; 32], [7; 32]], "https://api.example").unwrap();
        assert!(rotated.check(&keys(7).issue(step), NOW).is_ok());
        assert_eq!(rotated.issue(step), keys(8).issue(step));
        assert!(NonceKeys::new([], "").is_none());
    }
}
