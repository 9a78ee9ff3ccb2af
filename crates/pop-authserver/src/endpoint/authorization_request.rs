//! The checks of authorization requests, from a browser or pushed (OAuth 2.1 §4.1.1, RFC 7636, RFC 9449 §10).

use pop_core::jose::JwkThumbprint;

use super::audience::requested_audience;
use super::scope::requested_scope;
use crate::client::Client;
use crate::form::Form;
use crate::grant::{Code, Grant};
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// The length of an S256 challenge: SHA-256 as base64url.
const CHALLENGE_LEN: usize = 43;

/// Returns the redirect URI, which must be registered. The browser is never redirected to another URI.
pub(super) fn registered_redirect_uri<'f>(client: &Client, form: &'f Form) -> Result<&'f str, OAuthError> {
    let redirect_uri = form.required("redirect_uri")?;
    let registered = client.redirect_uris.iter().any(|own| own == redirect_uri || is_own_port(own, redirect_uri));
    if registered { Ok(redirect_uri) } else { Err(OAuthError::invalid_request("redirect_uri is not registered")) }
}

/// Returns whether two redirect URIs on loopback differ in their port only. A program on the user's machine listens on whatever
/// port is free (RFC 8252 §7.3).
fn is_own_port(registered: &str, requested: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].into_iter().any(|host| {
        let (Some(path), Some(rest)) = (registered.strip_prefix(host), requested.strip_prefix(host)) else {
            return false;
        };
        let port = rest.strip_prefix(':').and_then(|rest| rest.strip_suffix(path));
        path.starts_with('/')
            && port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// An authorization request that may be approved.
pub(super) struct CheckedRequest {
    grant: Grant,
    challenge: String,
    dpop_jkt: Option<String>,
}

impl CheckedRequest {
    pub(super) fn check(server: &AuthServer, client: &Client, form: &Form) -> Result<Self, OAuthError> {
        if form.required("response_type")? != "code" {
            return Err(OAuthError::invalid_request("response_type is not code"));
        }
        let challenge = form.required("code_challenge")?;
        if form.required("code_challenge_method")? != "S256" || challenge.len() != CHALLENGE_LEN {
            return Err(OAuthError::invalid_request("PKCE with S256 is required"));
        }
        let dpop_jkt = form.get("dpop_jkt");
        if dpop_jkt.is_some_and(|jkt| JwkThumbprint::parse(jkt).is_err()) {
            return Err(OAuthError::invalid_request("dpop_jkt is not a thumbprint"));
        }
        let grant = Grant {
            client_id: client.id.clone(),
            subject: server.inner.user.clone(),
            scope: requested_scope(client, form)?,
            audience: requested_audience(server, form)?,
            names_resource: form.get("resource").is_some(),
            auth_time: Some(server.now()),
            // The user satisfies every requested authentication context (RFC 9470 §4).
            acr: form.get("acr_values").and_then(|values| values.split(' ').next()).map(ToOwned::to_owned),
        };
        Ok(Self { grant, challenge: challenge.to_owned(), dpop_jkt: dpop_jkt.map(ToOwned::to_owned) })
    }

    /// Approves the request. Returns the authorization code.
    pub(super) fn approve(self, server: &AuthServer, redirect_uri: &str) -> String {
        let Self { grant, challenge, dpop_jkt } = self;
        let code = Code { grant, redirect_uri: redirect_uri.to_owned(), challenge, dpop_jkt };
        server.codes().insert(code, Code::LIFETIME, server.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_on_loopback_may_have_another_port() {
        let own = "http://127.0.0.1/callback";
        for (registered, requested, accepted) in [
            (own, "http://127.0.0.1:4711/callback", true),
            ("http://[::1]/callback", "http://[::1]:4711/callback", true),
            (own, "http://127.0.0.1:4711/other", false),
            (own, "http://127.0.0.1:/callback", false),
            (own, "http://127.0.0.1:1@other.example/callback", false),
            (own, "http://127.0.0.1.other.example/callback", false),
            (own, "http://localhost:4711/callback", false),
            (own, "https://127.0.0.1:4711/callback", false),
            ("http://127.0.0.1", "http://127.0.0.1:4711", false),
            ("https://app.example/callback", "https://app.example:4711/callback", false),
        ] {
            assert_eq!(is_own_port(registered, requested), accepted, "{registered} {requested}");
        }
    }
}
