//! Why the demonstration cannot go on.

use http::header::InvalidHeaderValue;
use pop_authserver::ResourceKeysError;
use pop_client::pop_core::jose::KeyTooShort;
use pop_client::{ClientError, EnvelopeError, KeyError};
use pop_core::proof::message_signature::SignError;
use tower_pop::{ConfigError, KeyEncryptionKeysError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Signature(#[from] SignError<KeyError>),
    #[error(transparent)]
    Field(#[from] InvalidHeaderValue),
    #[error(transparent)]
    SharedKey(#[from] KeyTooShort),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    KeyEncryptionKeys(#[from] KeyEncryptionKeysError),
    #[error(transparent)]
    ResourceKeys(#[from] ResourceKeysError),
    #[error("the operating system gives no random bytes")]
    Random,
    #[error("a signed request has another form than expected")]
    Change,
}
