//! JWE in compact serialization (RFC 7516), as far as it carries symmetric proof-of-possession keys (RFC 7800 §3.3).
//!
//! 1. The lengths are checked first: 8 KiB for the JWE, 4 KiB each for its header and its ciphertext.
//! 2. The header decides next, before any cryptography. `alg` and `enc` must be on the allowlist: RSA-OAEP-256, ECDH-ES,
//!    ECDH-ES+A256KW, A256KW, A256GCMKW and dir; A128CBC-HS256 and A256GCM. `RSA1_5`, RSA-OAEP with SHA-1 and PBES2 do not exist
//!    here. `zip`, `crit` and `b64` are rejected.
//! 3. `kid` selects the key. `alg` must be the algorithm of that key, so that a key serves one algorithm only (RFC 8725 §3.1).
//! 4. When a content key cannot be unwrapped, a random one takes its place and the authentication tag fails (RFC 7516 §11.5).
//!    All failures are the same [`JweError`].
//!
//! Private RSA operations need the constant-time code of `aws-lc-rs` (RUSTSEC-2023-0071), so that this module requires it.

mod agreement;
mod algorithm;
mod compact;
mod content;
mod error;
mod gcm;
mod header;
mod key_wrap;
mod keys;
mod member;
mod oaep;
mod private_key;
mod recipient;
#[cfg(test)]
mod tests;
mod unwrap;

pub use algorithm::{ContentEncryption, KeyManagement};
pub use error::{EncryptError, JweError, KeyEncryptionKeysError, UnusableKey};
pub use keys::{KeyEncryptionKeyId, KeyEncryptionKeys};
pub use recipient::Recipient;
pub use unwrap::UnwrappedKey;

/// A content-encryption key, or the key that wraps it. Both content encryptions and all key wraps use 256 bits.
type Key = zeroize::Zeroizing<[u8; 32]>;
