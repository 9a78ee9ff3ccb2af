//! Header fields that this client sends.

use http::{HeaderName, HeaderValue};

use crate::error::ClientError;

/// RFC 9449 §4.1
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Returns a field value that is never shown in debug output and never indexed by HTTP/2.
pub(crate) fn sensitive(value: String) -> Result<HeaderValue, ClientError> {
    let mut value =
        HeaderValue::try_from(value).map_err(|_| ClientError::Response("a token with control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}
