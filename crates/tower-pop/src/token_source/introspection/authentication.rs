//! Client authentication at the introspection endpoint (RFC 7662 §2.1).

use std::fmt;

use http::HeaderValue;

/// An introspection request with client authentication: its form, and the value of `Authorization`.
pub(super) struct Authenticated {
    pub(super) form: String,
    pub(super) authorization: Option<HeaderValue>,
}

/// A method of client authentication. `Debug` shows the method and the client identifier, never a secret.
#[derive(Clone)]
pub(crate) enum Authentication {
    None,
    SecretBasic {
        id: String,
        secret: String,
    },
    #[cfg(feature = "http-client")]
    PrivateKeyJwt {
        id: String,
        key: pop_core::jose::SigningKey,
    },
    MutualTls {
        id: String,
    },
}

impl Authentication {
    /// Returns the client identifier, if the method has one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::SecretBasic { id, .. } | Self::MutualTls { id } => Some(id),
            #[cfg(feature = "http-client")]
            Self::PrivateKeyJwt { id, .. } => Some(id),
        }
    }

    /// Returns whether the TLS connection must authenticate the client.
    pub(crate) const fn is_mutual_tls(&self) -> bool {
        matches!(self, Self::MutualTls { .. })
    }

    /// Returns the authenticated request for a token; `None` if no client assertion could be made.
    pub(super) fn request(&self, token: &str, issuer: &str, now: u64) -> Option<Authenticated> {
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(token.len() + 64));
        form.append_pair("token", token).append_pair("token_type_hint", "access_token");
        let mut authorization = None;
        match self {
            Self::None => {}
            Self::SecretBasic { id, secret } => authorization = Some(basic(id, secret)?),
            Self::MutualTls { id } => {
                form.append_pair("client_id", id);
            }
            #[cfg(feature = "http-client")]
            Self::PrivateKeyJwt { id, key } => {
                let assertion = assertion(id, key, issuer, now)?;
                form.append_pair("client_id", id)
                    .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    .append_pair("client_assertion", &assertion);
            }
        }
        let _ = (issuer, now);
        Some(Authenticated { form: form.finish(), authorization })
    }
}

/// Returns the value of `Authorization` for HTTP Basic. RFC 6749 §2.3.1 form-encodes both parts first.
fn basic(id: &str, secret: &str) -> Option<HeaderValue> {
    let encoded = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(id), encoded(secret));
    let mut value = HeaderValue::try_from(format!("Basic {}", pop_core::jose::encode_standard(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns a client assertion (RFC 7523 §3). Its only audience is the issuer, so no other server accepts it.
#[cfg(feature = "http-client")]
fn assertion(id: &str, key: &pop_core::jose::SigningKey, issuer: &str, now: u64) -> Option<String> {
    let mut jti = [0; 16];
    getrandom::fill(&mut jti).ok()?;
    let header = serde_json::json!({
        "typ": "client-authentication+jwt",
        "alg": key.algorithm().name(),
        "kid": key.thumbprint().to_string(),
    });
    let claims = serde_json::json!({
        "iss": id, "sub": id, "aud": issuer, "jti": pop_core::jose::encode(jti), "iat": now, "exp": now + 60,
    });
    key.sign_jws(&header.to_string(), &claims.to_string()).ok()
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::None => "None",
            Self::SecretBasic { .. } => "SecretBasic",
            #[cfg(feature = "http-client")]
            Self::PrivateKeyJwt { .. } => "PrivateKeyJwt",
            Self::MutualTls { .. } => "MutualTls",
        };
        write!(f, "{kind}({})", self.client_id().unwrap_or_default())
    }
}
