//! The key-encryption keys of this server, which can be replaced while requests are verified.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use pop_core::jose::KeyEncryptionKeys;

/// The current keys; none if tokens with symmetric keys are not accepted.
#[derive(Debug, Default)]
pub(crate) struct KeyRing(ArcSwapOption<KeyEncryptionKeys>);

impl KeyRing {
    pub(crate) fn new(keys: Option<KeyEncryptionKeys>) -> Self {
        Self(ArcSwapOption::new(keys.map(Arc::new)))
    }

    pub(crate) fn current(&self) -> Option<Arc<KeyEncryptionKeys>> {
        self.0.load_full()
    }

    pub(crate) fn replace(&self, keys: KeyEncryptionKeys) {
        self.0.store(Some(Arc::new(keys)));
    }
}
