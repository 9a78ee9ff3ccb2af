//! Random identifiers (FAPI 2.0 Security Profile §5.4.1: at least 128 bits) and keys.

use pop_core::jose::{SharedKey, encode};

/// Returns 128 random bits as base64url.
///
/// # Panics
/// When the operating system gives no random bytes.
pub(crate) fn random_id() -> String {
    encode(random_bytes::<16>())
}

/// Returns a symmetric key of 256 random bits.
///
/// # Panics
/// When the operating system gives no random bytes.
pub(crate) fn random_key() -> SharedKey {
    match SharedKey::new(random_bytes::<{ SharedKey::MIN_LEN }>()) {
        Ok(key) => key,
        Err(error) => unreachable!("{error}"),
    }
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        panic!("the operating system gives no random bytes");
    }
    bytes
}
