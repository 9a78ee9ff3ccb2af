//! Stateless server-provided nonces (RFC 9449 §8, §9). A nonce is a time step and a MAC over it, so that every replica with the
//! same key accepts it.
//!
//! 1. A nonce is `base64url(step ‖ serial ‖ first 16 bytes of HMAC-SHA-256(key, label ‖ audience ‖ step ‖ serial))`: 32
//!    characters, all of them allowed by RFC 9449 §8.1.
//! 2. A step lasts 60 s. A nonce is accepted during its own step and the two steps after it. It is also accepted during the
//!    step before, because the clocks of replicas differ.
//! 3. A nonce is not bound to a client and may be used any number of times. Only `jti` is single-use.
//! 4. The serial number tells nonces of one step apart, for signed HTTP requests: a client that sets no `jti` signs equal requests
//!    of one second alike, unless their nonces differ. It is 0 for DPoP.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::NonceError;
use crate::{constant_time, jose};

/// The length of a step, in seconds.
pub const STEP_SECONDS: u64 = 60;
/// The number of steps after its own in which a nonce is accepted.
pub const PREVIOUS_STEPS: u64 = 2;
/// The length of a nonce, in characters.
const NONCE_LEN: usize = 32;
/// The length of the truncated MAC, in bytes.
const MAC_LEN: usize = 16;
/// The length of step, serial number and MAC, in bytes.
const NONCE_BYTES: usize = 8 + MAC_LEN;

/// The keys that create and check nonces. `Debug` shows only the number of keys.
#[derive(Clone)]
pub struct NonceKeys {
    keys: Vec<Hmac<Sha256>>,
    audience: Box<str>,
}

/// A nonce that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedNonce {
    /// Whether the client should get a new nonce.
    pub freshness: Freshness,
    /// The time from which the nonce is no longer accepted, in seconds since the epoch. It depends on the nonce alone, not on
    /// the time of the check.
    pub until: u64,
}

/// The age of an accepted nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The nonce is of the current step, or of the next one.
    Current,
    /// The nonce is of an earlier step. The response should carry the current nonce (RFC 9449 §8.2).
    Renew,
}

impl NonceKeys {
    /// Creates a set of keys. Returns `None` if there is no key.
    ///
    /// The first key creates nonces; every key checks them, so that keys can be rotated with overlap. The MAC covers
    /// `audience`: if two resources share keys, a nonce of one is not accepted by the other.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>, audience: &str) -> Option<Self> {
        let keys = keys
            .into_iter()
            .map(|key| <Hmac<Sha256> as KeyInit>::new_from_slice(&*Zeroizing::new(key)).ok())
            .collect::<Option<Vec<_>>>()?;
        (!keys.is_empty()).then(|| Self { keys, audience: audience.into() })
    }

    /// Returns the step that contains `now`, which is in seconds since the epoch.
    #[must_use]
    pub const fn step_at(now: u64) -> u64 {
        now / STEP_SECONDS
    }

    /// Returns the nonce of a step, with the serial number 0.
    #[must_use]
    pub fn issue(&self, step: u64) -> String {
        self.issue_numbered(step, 0)
    }

    /// Returns the nonce of a step with a serial number.
    #[must_use]
    pub fn issue_numbered(&self, step: u64, serial: u32) -> String {
        let serial = serial.to_be_bytes();
        let mac = self.keys.first().map(|key| self.mac(key, step, serial)).unwrap_or_default();
        jose::encode([&short_step(step)[..], &serial, &mac].concat())
    }

    /// Checks the nonce of a proof. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// [`NonceError::Stale`] unless one of the keys created the nonce for the current step, one of the two steps before it or
    /// the step after it.
    pub fn check(&self, nonce: &str, now: u64) -> Result<AcceptedNonce, NonceError> {
        if nonce.len() != NONCE_LEN {
            return Err(NonceError::Stale);
        }
        let bytes: [u8; NONCE_BYTES] = jose::decode_array(nonce).map_err(|_| NonceError::Stale)?;
        let (number, rest) = bytes.split_first_chunk::<4>().ok_or(NonceError::Stale)?;
        let (serial, mac) = rest.split_first_chunk::<4>().ok_or(NonceError::Stale)?;
        let mac: &[u8; MAC_LEN] = mac.try_into().map_err(|_| NonceError::Stale)?;
        let current = Self::step_at(now);
        let step = (current.saturating_sub(PREVIOUS_STEPS)..=current.saturating_add(1))
            .find(|step| short_step(*step) == *number)
            .ok_or(NonceError::Stale)?;
        let genuine = self.keys.iter().any(|key| constant_time::equal(&self.mac(key, step, *serial), mac));
        if !genuine {
            return Err(NonceError::Stale);
        }
        let freshness = if step < current { Freshness::Renew } else { Freshness::Current };
        let until = step.saturating_add(PREVIOUS_STEPS + 1).saturating_mul(STEP_SECONDS);
        Ok(AcceptedNonce { freshness, until })
    }

    fn mac(&self, key: &Hmac<Sha256>, step: u64, serial: [u8; 4]) -> [u8; MAC_LEN] {
        let mut mac = key.clone();
        mac.update(b"poplayer dpop nonce\0");
        mac.update(self.audience.as_bytes());
        mac.update(&[0]);
        mac.update(&step.to_be_bytes());
        mac.update(&serial);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; MAC_LEN];
        short.copy_from_slice(&full[..MAC_LEN]);
        short
    }
}

/// Returns the low four bytes of a step number. They tell the accepted steps apart; the MAC covers all eight bytes.
fn short_step(step: u64) -> [u8; 4] {
    let [.., a, b, c, d] = step.to_be_bytes();
    [a, b, c, d]
}

impl fmt::Debug for NonceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NonceKeys({})", self.keys.len())
    }
}

/// Returns whether a string is a nonce by RFC 9449 §8.1: `1*NQCHAR`.
#[must_use]
pub fn is_nonce(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
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
        assert!(keys.check(&nonce, until - 1).is_ok_and(|nonce| nonce.until == until), "NONCE-11 the end is fixed");
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
        for altered in [
            &nonce[1..],
            &nonce[..NONCE_LEN - 1],
            &format!("{nonce}A"),
            "",
            &nonce.to_ascii_uppercase(),
            &"A".repeat(100_000),
        ] {
            assert_eq!(keys(7).check(altered, NOW), Err(NonceError::Stale));
        }
    }

    /// NONCE-02, NONCE-05: and the serial number is covered by the MAC, as each position above shows.
    #[test]
    fn nonces_of_one_step_differ_by_their_serial_number() {
        let step = NonceKeys::step_at(NOW);
        let issued = [0, 1, 2, u32::MAX].map(|serial| keys(7).issue_numbered(step, serial));
        assert_eq!(issued[0], keys(7).issue(step));
        let distinct: std::collections::HashSet<_> = issued.iter().collect();
        assert_eq!(distinct.len(), issued.len());
        assert!(issued.iter().all(|nonce| is_nonce(nonce) && keys(7).check(nonce, NOW).is_ok()));
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
