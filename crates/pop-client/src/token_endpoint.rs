//! The token endpoint: where it is, how a client authenticates there, and what it answers.

use std::fmt;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::DpopKey;
use crate::challenge::preferred;
use crate::discovery::ServerMetadata;
use crate::error::{ClientError, shown};
use crate::http::{DPOP, sensitive};
use crate::json::{self, Document};
use crate::proof::{random_id, unix_now};
use crate::transport::{Answer, Transport};

/// Characters that are kept of an `error_description`.
const MAX_DESCRIPTION: usize = 1000;

/// How a client authenticates at the token endpoint. `Debug` shows the kind only.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// A public client.
    None,
    /// `client_secret_basic`.
    SecretBasic(String),
    /// `client_secret_post`: for servers without `client_secret_basic`, which RFC 6749 §2.3.1 prefers.
    SecretPost(String),
    /// `private_key_jwt`; the assertion's sole audience is the issuer.
    PrivateKeyJwt(DpopKey),
    /// `private_key_jwt` with a `kid` in the assertion's header, for servers that know several keys of the client.
    PrivateKeyJwtWithKid {
        /// The key.
        key: DpopKey,
        /// Its name at the server.
        kid: String,
    },
    /// By the certificate of the TLS connection (RFC 8705 §2): with [`MtlsTokenClient`](crate::MtlsTokenClient).
    TlsCertificate,
}

/// A token response. The access token is opaque to clients and never looked into. `Debug` hides all tokens.
///
/// Optional members that are `null`, empty or of a type that they must not have count as absent: a token, once issued, is
/// not thrown away. `access_token` and `token_type` are read strictly, and members must not occur twice.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Document")]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Lifetime in seconds; also where the server writes it as a string or with a fraction.
    pub expires_in: Option<u64>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The scopes, where they differ from those asked for.
    pub scope: Option<String>,
    token_type: String,
    extra: Document,
}

/// The endpoints of one issuer, for one client.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    pub(crate) transport: Transport,
    pub(crate) issuer: String,
    pub(crate) url: Url,
    pub(crate) authorization_endpoint: Option<Url>,
    pushed_authorization_endpoint: Option<Url>,
    pub(crate) requires_push: bool,
    /// Whether every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub(crate) sends_iss: bool,
    proof_algorithms: Option<Vec<String>>,
    pub(crate) client_id: String,
    authentication: ClientAuthentication,
}

impl TokenEndpoint {
    pub(crate) fn new(
        transport: Transport,
        issuer: String,
        server: ServerMetadata,
        client_id: String,
        authentication: ClientAuthentication,
    ) -> Self {
        Self {
            transport,
            issuer,
            url: server.token,
            authorization_endpoint: server.authorization,
            pushed_authorization_endpoint: server.pushed_authorization,
            requires_push: server.requires_push,
            sends_iss: server.sends_iss,
            proof_algorithms: server.proof_algorithms,
            client_id,
            authentication,
        }
    }

    /// Whether the server takes proofs by this key.
    pub(crate) fn accepts(&self, key: &DpopKey) -> Result<(), ClientError> {
        match &self.proof_algorithms {
            Some(names) if !names.iter().any(|name| name == key.algorithm().name()) => {
                Err(ClientError::Algorithm { preferred: preferred(names.iter().map(String::as_str)) })
            }
            _ => Ok(()),
        }
    }

    /// The endpoint for pushed authorization requests.
    pub(crate) fn pushed_endpoint(&self) -> Result<&Url, ClientError> {
        let url = self.pushed_authorization_endpoint.as_ref();
        url.ok_or(ClientError::Response("the server has no endpoint for pushed authorization requests"))
    }

    /// Sends a request to an endpoint of the server, authenticated.
    pub(crate) async fn send(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        proof: Option<String>,
    ) -> Result<Answer, ClientError> {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let mut request = self.transport.client(url).post(url.clone()).header(ACCEPT, "application/json");
        if let Some(proof) = proof {
            request = request.header(DPOP, sensitive(proof)?);
        }
        let names_client = form.iter().any(|(name, _)| *name == "client_id");
        let client_id = Some(("client_id", self.client_id.as_str())).filter(|_| !names_client);
        let assertion;
        match &self.authentication {
            ClientAuthentication::None | ClientAuthentication::TlsCertificate => form.extend(client_id),
            ClientAuthentication::SecretBasic(secret) => {
                request = request.header(AUTHORIZATION, sensitive(basic(&self.client_id, secret))?);
            }
            ClientAuthentication::SecretPost(secret) => {
                form.extend(client_id);
                form.push(("client_secret", secret));
            }
            ClientAuthentication::PrivateKeyJwt(key) | ClientAuthentication::PrivateKeyJwtWithKid { key, .. } => {
                assertion = self.assertion(key)?;
                form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                form.push(("client_assertion", &assertion));
            }
        }
        let options = &self.transport.options;
        let request = request.form(&form).build()?;
        self.transport.exchange(request, options.token_timeout, options.max_token_response_len).await
    }

    /// RFC 7523, with the issuer as the sole audience: an assertion for one server is of no use at another.
    fn assertion(&self, key: &DpopKey) -> Result<String, ClientError> {
        let now = unix_now();
        let mut header = json!({ "typ": "client-authentication+jwt", "alg": key.algorithm().name() });
        if let ClientAuthentication::PrivateKeyJwtWithKid { kid, .. } = &self.authentication {
            header["kid"] = kid.as_str().into();
        }
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.issuer,
            "iat": now, "exp": now + 60, "jti": random_id()?,
        });
        Ok(key.sign_jws(&header.to_string(), &claims.to_string())?)
    }
}

impl TokenResponse {
    /// Another member of the response, such as `id_token` or `authorization_details`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&serde_json::Value> {
        json::member(&self.extra, name)
    }

    /// All other members of the response, as they were sent.
    #[must_use]
    pub const fn members(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.extra
    }

    /// All other members of the response, as a type of the caller's.
    ///
    /// # Errors
    /// When they do not fit the type. The message may quote the response.
    pub fn members_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.extra)
    }

    /// Reads an answer of the token endpoint; a token of another type is discarded.
    pub(crate) fn read(answer: Answer, token_type: &str) -> Result<Self, ClientError> {
        let token = Self::try_from(success(answer)?).map_err(ClientError::Response)?;
        if !token.token_type.eq_ignore_ascii_case(token_type) {
            return Err(ClientError::TokenType);
        }
        Ok(token)
    }
}

impl TryFrom<Document> for TokenResponse {
    type Error = &'static str;

    fn try_from(mut document: Document) -> Result<Self, &'static str> {
        let required = |name: &str| json::text(&document, name).ok().flatten();
        let access_token = required("access_token").ok_or("a token response without an access token")?;
        let token_type = required("token_type").ok_or("a token response without a token type")?;
        let optional = |name: &str| {
            json::text(&document, name).unwrap_or_else(|_| {
                tracing::warn!(member = name, "a member of a token response has another type, and is ignored");
                None
            })
        };
        let expires_in = json::seconds(&document, "expires_in");
        if expires_in.is_none() && json::member(&document, "expires_in").is_some() {
            tracing::warn!("expires_in of a token response is no number of seconds, and is ignored");
        }
        let (refresh_token, scope) = (optional("refresh_token"), optional("scope"));
        for name in ["access_token", "token_type", "expires_in", "refresh_token", "scope"] {
            document.remove(name);
        }
        Ok(Self { access_token, expires_in, refresh_token, scope, token_type, extra: document })
    }
}

/// The JSON object of a successful answer, or the error that the server sent.
pub(crate) fn success(answer: Answer) -> Result<Document, ClientError> {
    let Answer { url, status, body, .. } = answer;
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
        return Err(ClientError::Status { url: shown(&url), status, what });
    }
    document.ok_or(ClientError::Response("not one JSON object without duplicate members"))
}

/// RFC 6749 §5.2
fn oauth_error(document: &Document, status: StatusCode) -> Option<ClientError> {
    let code = json::text(document, "error").ok()??;
    let description = json::text(document, "error_description").ok().flatten();
    Some(ClientError::OAuth {
        status: Some(status),
        code: printable(&code),
        description: description.as_deref().map(printable),
    })
}

/// Replaces what RFC 6749 §5.2 does not allow in `error` and `error_description`, and limits the length.
pub(crate) fn printable(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
    text.chars().take(MAX_DESCRIPTION).map(|c| if allowed(c) { c } else { '?' }).collect()
}

/// RFC 6749 §2.3.1: both parts form-encoded, then Basic.
fn basic(client_id: &str, secret: &str) -> String {
    let encode_part = |part: &str| -> String {
        let mut pair = Url::parse("x:?").map_or_else(
            |_| String::new(),
            |mut url| {
                url.query_pairs_mut().append_pair("", part);
                url.query().unwrap_or_default().to_owned()
            },
        );
        pair.split_off(pair.find('=').map_or(0, |at| at + 1))
    };
    let pair = format!("{}:{}", encode_part(client_id), encode_part(secret));
    format!("Basic {}", pop_core::jose::encode_standard(pair))
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::SecretBasic(_) => "SecretBasic(..)",
            Self::SecretPost(_) => "SecretPost(..)",
            Self::PrivateKeyJwt(_) => "PrivateKeyJwt(..)",
            Self::PrivateKeyJwtWithKid { .. } => "PrivateKeyJwtWithKid(..)",
            Self::TlsCertificate => "TlsCertificate",
        })
    }
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

    fn read(body: &str, status: u16) -> Result<TokenResponse, ClientError> {
        let url = Url::parse("https://as.example/token").unwrap();
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), http::HeaderMap::new());
        TokenResponse::read(Answer { url, status, headers, body: Ok(body.to_owned().into()) }, "DPoP")
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
