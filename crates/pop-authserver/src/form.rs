//! Forms and query strings, read strictly.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::oauth_error::OAuthError;

/// Parameters that authenticate a client.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The parameters of a form or a query string. No parameter occurs twice (RFC 6749 §3.2), except `resource` (RFC 8707
/// §2).
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Parses the `application/x-www-form-urlencoded` encoding.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if name != "resource" && parameters.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::invalid_request("a parameter occurs twice"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        // A parameter without a value counts as omitted (RFC 6749 §3.2), but only after the check for duplicates, so
        // that it cannot hide one.
        parameters.retain(|(_, value)| !value.is_empty());
        Ok(Self(parameters))
    }

    /// Reads the body of a POST request, which must have the media type of a form.
    pub(crate) fn of_request(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let is_form = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if is_form { Self::parse(body) } else { Err(OAuthError::invalid_request("the body is not a form")) }
    }

    /// Returns the value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Returns the value of a parameter that must be present.
    pub(crate) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request("a parameter is missing"))
    }

    /// Returns all values of a parameter.
    pub(crate) fn values<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Removes the parameters that authenticate the client.
    pub(crate) fn without_credentials(mut self) -> Self {
        self.0.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        self
    }

    /// Adds `dpop_jkt` if it is absent and there is a key to bind the code to (RFC 9449 §10.1).
    pub(crate) fn with_dpop_jkt(mut self, jkt: Option<String>) -> Self {
        if let Some(jkt) = jkt
            && self.get("dpop_jkt").is_none()
        {
            self.0.push(("dpop_jkt".to_owned(), jkt));
        }
        self
    }
}
