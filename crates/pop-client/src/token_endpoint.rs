//! Responses of the token endpoint: a token (RFC 6749 §5.1) or an error (RFC 6749 §5.2).

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use pop_core::jose::{KeyEncryptionKeys, SharedKey};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::error::ClientError;
use crate::json::{self, Document};
use crate::redaction::redacted;
use crate::response_key::{decrypt_shared_key, take_shared_key};
use crate::transport::CompleteResponse;

/// Characters that are kept of an `error` or `error_description`.
const MAX_DESCRIPTION: usize = 1000;

/// A token response. The access token is opaque to clients: it is never parsed. `Debug` hides all tokens.
///
/// Optional members that are `null`, empty or of a wrong type count as absent, so that an issued token is not lost.
/// `access_token` and `token_type` are read strictly, and a response of the server with duplicate members is rejected.
///
/// A symmetric key in `cnf` is not among the [`members`](Self::members).
/// [`TokenClient::bound_token`](crate::TokenClient::bound_token) returns it. It is erased from memory when the last clone
/// of the response is dropped. Copies in the buffers of the HTTP connection are not.
///
/// ```
/// # fn main() -> Result<(), serde_json::Error> {
/// use pop_client::TokenResponse;
///
/// // A response that the application kept; it never holds the key.
/// let kept = r#"{"access_token":"at","token_type":"DPoP","expires_in":300,"id_token":"a.b.c"}"#;
/// let token: TokenResponse = serde_json::from_str(kept)?;
/// assert_eq!((token.access_token.as_str(), token.expires_in), ("at", Some(300)));
/// assert_eq!(token.member("id_token").and_then(|value| value.as_str()), Some("a.b.c"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// The lifetime of the access token in seconds. Servers that write it as a string or with a fraction are
    /// understood.
    pub expires_in: Option<u64>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The granted scopes, if they differ from the requested ones.
    pub scope: Option<String>,
    token_type: String,
    /// The symmetric key that the token is bound to. It is not a member of `extra`.
    shared_key: Option<Arc<SharedKey>>,
    extra: Document,
}

impl TokenResponse {
    /// Returns another member of the response, such as `id_token` or `authorization_details`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&serde_json::Value> {
        json::member(&self.extra, name)
    }

    /// Returns all other members of the response as the server sent them.
    #[must_use]
    pub const fn members(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.extra
    }

    /// Deserializes all other members of the response into a type of the caller.
    ///
    /// # Errors
    /// [`serde_json::Error`] when they do not fit the type.
    ///
    /// # Security
    /// The message of the error may quote the response.
    pub fn members_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.extra)
    }

    /// Reads a response of the token endpoint. A token of another type is discarded.
    pub(crate) fn read(response: CompleteResponse, token_type: &str) -> Result<Self, ClientError> {
        let token = Self::from_document(success(response)?).map_err(ClientError::Response)?;
        if !token.token_type.eq_ignore_ascii_case(token_type) {
            return Err(ClientError::TokenType);
        }
        Ok(token)
    }

    /// Returns the symmetric key that the token is bound to.
    pub(crate) fn shared_key(&self, keys: Option<&KeyEncryptionKeys>) -> Result<Arc<SharedKey>, ClientError> {
        let key = self.shared_key.clone().or_else(|| decrypt_shared_key(&self.extra, keys));
        key.ok_or(ClientError::Response("a token response without a usable symmetric key"))
    }

    /// Decrypts the symmetric key, so that it is done once.
    pub(crate) fn keep_shared_key(&mut self, keys: Option<&KeyEncryptionKeys>) -> Result<(), ClientError> {
        self.shared_key = Some(self.shared_key(keys)?);
        Ok(())
    }

    fn from_document(mut document: Document) -> Result<Self, &'static str> {
        let shared_key = take_shared_key(&mut document);
        let required = |name: &str| json::string(&document, name).ok().flatten();
        let access_token = required("access_token").ok_or("a token response without an access token")?;
        let token_type = required("token_type").ok_or("a token response without a token type")?;
        let optional = |name: &str| {
            json::string(&document, name).unwrap_or_else(|_| {
                tracing::warn!(member = name, "ignored a member of a token response because it has a wrong type");
                None
            })
        };
        let expires_in = json::seconds(&document, "expires_in");
        if expires_in.is_none() && json::member(&document, "expires_in").is_some() {
            tracing::warn!("ignored expires_in of a token response because it is not a number of seconds");
        }
        let (refresh_token, scope) = (optional("refresh_token"), optional("scope"));
        for name in ["access_token", "token_type", "expires_in", "refresh_token", "scope"] {
            document.remove(name);
        }
        Ok(Self { access_token, expires_in, refresh_token, scope, token_type, shared_key, extra: document })
    }
}

impl<'de> Deserialize<'de> for TokenResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_document(Document::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Returns the JSON object of a successful response, or the error that the server sent.
pub(crate) fn success(response: CompleteResponse) -> Result<Document, ClientError> {
    let CompleteResponse { url, status, body, .. } = response;
    let document = match body {
        Ok(body) => json::object(&body),
        Err(error) if status.is_success() => return Err(error),
        Err(_) => None,
    };
    let error = document.as_ref().filter(|document| !document.contains_key("access_token"));
    if let Some(error) = error.and_then(|document| oauth_error(document, status)) {
        return Err(error);
    }
    if !status.is_success() {
        let what = "neither a token nor an OAuth error";
        return Err(ClientError::Status { url: redacted(&url), status, what });
    }
    document.ok_or(ClientError::Response("not a single JSON object without duplicate members"))
}

/// RFC 6749 §5.2
fn oauth_error(document: &Document, status: StatusCode) -> Option<ClientError> {
    let code = json::string(document, "error").ok()??;
    let description = json::string(document, "error_description").ok().flatten();
    Some(ClientError::OAuth {
        status: Some(status),
        code: printable(&code),
        description: description.as_deref().map(printable),
    })
}

/// Replaces characters that RFC 6749 §5.2 does not allow in `error` and `error_description`, and limits the length.
pub(crate) fn printable(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
    text.chars().take(MAX_DESCRIPTION).map(|c| if allowed(c) { c } else { '?' }).collect()
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Url;

    fn read(body: &str, status: u16) -> Result<TokenResponse, ClientError> {
        let url = Url::parse("https://as.example/token").unwrap();
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), http::HeaderMap::new());
        TokenResponse::read(CompleteResponse { url, status, headers, body: Ok(body.to_owned().into()) }, "DPoP")
    }

    /// CLI-22: they count as absent.
    #[test]
    fn wrong_optional_members_of_a_token_response_do_not_lose_the_token() {
        for (members, expires_in, refresh_token, scope) in [
            ("", None, None, None),
            (r#","expires_in":60,"refresh_token":"r","scope":"a b""#, Some(60), Some("r"), Some("a b")),
            (r#","expires_in":"60","refresh_token":null,"scope":"""#, Some(60), None, None),
            (r#","expires_in":60.0,"refresh_token":"","scope":null"#, Some(60), None, None),
            (r#","expires_in":null,"refresh_token":"r","scope":["a"]"#, None, Some("r"), None),
            (r#","expires_in":"soon","refresh_token":"r""#, None, Some("r"), None),
        ] {
            let token = read(&format!(r#"{{"access_token":"at","token_type":"DPoP"{members}}}"#), 200).unwrap();
            let found = (token.expires_in, token.refresh_token.as_deref(), token.scope.as_deref());
            assert_eq!(found, (expires_in, refresh_token, scope), "CLI-22 {members}");
        }
        assert!(read(r#"{"access_token":"at","token_type":"DPoP"}"#, 201).is_ok(), "CLI-22 another success");
    }

    /// CLI-04, CLI-22: missing, duplicate or of another type is an error.
    #[test]
    fn reads_access_token_and_token_type_strictly() {
        for body in [
            r#"{"token_type":"DPoP"}"#,
            r#"{"access_token":null,"token_type":"DPoP"}"#,
            r#"{"access_token":"","token_type":"DPoP"}"#,
            r#"{"access_token":7,"token_type":"DPoP"}"#,
            r#"{"access_token":"at"}"#,
            r#"{"access_token":"at","token_type":null}"#,
            r#"{"access_token":"at","token_type":["DPoP"]}"#,
            r#"{"access_token":"at","access_token":"other","token_type":"DPoP"}"#,
            r#"{"access_token":"at","token_type":"Bearer","token_type":"DPoP"}"#,
            "[]",
            "at",
            "",
        ] {
            assert!(matches!(read(body, 200), Err(ClientError::Response(_))), "CLI-22 {body}");
        }
        let bearer = read(r#"{"access_token":"at","token_type":"Bearer"}"#, 200);
        assert!(matches!(bearer, Err(ClientError::TokenType)), "CLI-04");
    }

    /// CLI-24, CLI-11: `Debug` output does not show them.
    #[test]
    fn keeps_other_members_of_a_token_response() {
        #[derive(Deserialize)]
        struct Own {
            id_token: String,
            authorization_details: Vec<Document>,
        }
        let body = r#"{"access_token":"at","token_type":"DPoP","id_token":"a.b.c","expires_in":1,
            "authorization_details":[{"type":"x"}],"none":null}"#;
        let token = read(body, 200).unwrap();
        assert_eq!(token.member("id_token").and_then(serde_json::Value::as_str), Some("a.b.c"), "CLI-24");
        assert_eq!((token.member("none"), token.member("access_token"), token.members().len()), (None, None, 3));
        let own: Own = token.members_as().unwrap();
        assert_eq!((own.id_token.as_str(), own.authorization_details.len()), ("a.b.c", 1), "CLI-24");
        let kept: TokenResponse = serde_json::from_str(body).unwrap();
        assert_eq!(kept.access_token, "at", "a response that was kept can be read again");
        assert!(!format!("{token:?}").contains("a.b.c"), "CLI-11");
    }

    /// CLI-25: without control characters.
    #[test]
    fn errors_of_the_server_keep_code_description_and_status() {
        let with = |status: u16, body: &str| read(body, status).unwrap_err();
        let body = r#"{"error":"invalid_grant","error_description":"expired \"yesterday\"\n\u0007","error_uri":null}"#;
        match with(400, body) {
            ClientError::OAuth { status, code, description } => {
                assert_eq!((status.map(|status| status.as_u16()), code.as_str()), (Some(400), "invalid_grant"));
                assert_eq!(description.as_deref(), Some("expired ?yesterday???"), "CLI-25");
            }
            other => panic!("{other}"),
        }
        let text = with(401, r#"{"error":"invalid_client","error_description":"no such client"}"#).to_string();
        assert!(text.contains("invalid_client: no such client (status 401)"), "CLI-25 {text}");
        for description in ["null", "\"\"", "7"] {
            let body = format!(r#"{{"error":"invalid_grant","error_description":{description}}}"#);
            assert!(matches!(with(400, &body), ClientError::OAuth { description: None, .. }), "CLI-25 {description}");
        }
        for (status, body) in [(502, "<html>"), (400, r#"{"error":null}"#), (500, ""), (302, "{}")] {
            let error = with(status, body);
            let kept = matches!(error, ClientError::Status { status: kept, .. } if kept.as_u16() == status);
            assert!(kept, "CLI-25 {status} {error}");
        }
        assert!(matches!(with(200, r#"{"error":"slow_down"}"#), ClientError::OAuth { .. }), "CLI-25 an error with 200");
    }
}
