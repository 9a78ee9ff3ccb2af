//! How clients authenticate at the authorization server (RFC 6749 §2.3, RFC 7523, RFC 8705 §2).

use std::fmt;

use http::HeaderValue;
use pop_core::jose::{SigningKey as DpopKey, encode_standard};
use reqwest::Url;
use serde_json::json;

use crate::clock::unix_now;
use crate::error::ClientError;
use crate::header::sensitive;
use crate::random::random_id;

/// RFC 7523 §2.2
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion is valid.
const ASSERTION_LIFETIME: u64 = 60;

/// How a client authenticates at the token endpoint. `Debug` shows the kind only.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// A public client: it only names itself.
    None,
    /// `client_secret_basic`.
    SecretBasic(String),
    /// `client_secret_post`: for servers without `client_secret_basic`, which RFC 6749 §2.3.1 prefers.
    SecretPost(String),
    /// `private_key_jwt`. The only audience of the assertion is the issuer.
    PrivateKeyJwt(DpopKey),
    /// `private_key_jwt` with a `kid` in the header of the assertion, for servers that know several keys of the client.
    PrivateKeyJwtWithKid {
        /// The key that signs.
        key: DpopKey,
        /// The `kid` that the server knows the key by.
        kid: String,
    },
    /// By the certificate of the TLS connection (RFC 8705 §2).
    TlsCertificate,
}

/// What a client adds to a request to authenticate.
pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl ClientAuthentication {
    /// Makes the credentials for one request to one issuer.
    pub(crate) fn credentials(&self, client_id: &str, issuer: &str) -> Result<Credentials, ClientError> {
        let client_id_parameter = || ("client_id", client_id.to_owned());
        let (authorization, parameters) = match self {
            Self::None | Self::TlsCertificate => (None, vec![client_id_parameter()]),
            Self::SecretBasic(secret) => (Some(sensitive(basic(client_id, secret))?), Vec::new()),
            Self::SecretPost(secret) => (None, vec![client_id_parameter(), ("client_secret", secret.clone())]),
            Self::PrivateKeyJwt(key) => (None, assertion_parameters(assertion(key, None, client_id, issuer)?)),
            Self::PrivateKeyJwtWithKid { key, kid } => {
                (None, assertion_parameters(assertion(key, Some(kid), client_id, issuer)?))
            }
        };
        Ok(Credentials { authorization, parameters })
    }
}

fn assertion_parameters(assertion: String) -> Vec<(&'static str, String)> {
    vec![("client_assertion_type", ASSERTION_TYPE.to_owned()), ("client_assertion", assertion)]
}

/// RFC 7523, with the issuer as the only audience, so that an assertion for one server is useless at another.
fn assertion(key: &DpopKey, kid: Option<&str>, client_id: &str, issuer: &str) -> Result<String, ClientError> {
    let now = unix_now();
    let mut header = json!({ "typ": "client-authentication+jwt", "alg": key.algorithm().name() });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": issuer,
        "iat": now, "exp": now + ASSERTION_LIFETIME, "jti": random_id()?,
    });
    Ok(key.sign_jws(&header.to_string(), &claims.to_string())?)
}

/// RFC 6749 §2.3.1: both parts form-encoded, then Basic.
fn basic(client_id: &str, secret: &str) -> String {
    let pair = format!("{}:{}", form_encoded(client_id), form_encoded(secret));
    format!("Basic {}", encode_standard(pair))
}

fn form_encoded(part: &str) -> String {
    let mut pair = Url::parse("x:?").map_or_else(
        |_| String::new(),
        |mut url| {
            url.query_pairs_mut().append_pair("", part);
            url.query().unwrap_or_default().to_owned()
        },
    );
    pair.split_off(pair.find('=').map_or(0, |at| at + 1))
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
