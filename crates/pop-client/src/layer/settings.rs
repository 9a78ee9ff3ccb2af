//! What a layer and its services share.

use super::destination::Destination;
use crate::signer::Signer;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) signer: Signer,
    pub(super) destination: Destination,
    pub(super) max_kept_len: usize,
}
