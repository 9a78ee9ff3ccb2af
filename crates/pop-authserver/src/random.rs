//! Random identifiers (FAPI 2.0 Security Profile §5.4.1: at least 128 bits).

use pop_core::jose::encode;

/// Returns 128 random bits as base64url.
///
/// # Panics
/// When the operating system gives no random bytes.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        panic!("the operating system gives no random bytes");
    }
    encode(bytes)
}
