use pop_core::jose::KeyError;

use super::UrlError;

/// Why an envelope cannot be made for a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The key cannot sign, or the operating system gives no random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The URL is not an http or https URL, or has a user name or a password.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The query has a parameter more than once. An envelope cannot cover such a query.
    #[error("the query has a parameter more than once, which an envelope cannot cover")]
    QueryRepeated,
    /// The request does not have a header field that the envelope is to cover.
    #[error("the request has no header field {name}")]
    FieldMissing {
        /// The name of the field.
        name: String,
    },
    /// The request has several lines of a header field. An envelope cannot cover them.
    #[error("the request has several lines of the header field {name}, which an envelope cannot cover")]
    FieldRepeated {
        /// The name of the field.
        name: String,
    },
}
