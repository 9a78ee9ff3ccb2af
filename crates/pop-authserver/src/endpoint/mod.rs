//! The endpoints.

mod authorize;
mod introspect;
mod metadata;
mod pushed;
mod token;

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use tower_pop::PeerCertificate;

use crate::authentication::{ClientRequest, authenticate};
use crate::client::Client;
use crate::error::OAuthError;
use crate::grant::Grant;
use crate::server::AuthServer;

impl AuthServer {
    /// The server as an axum router.
    pub fn router(&self) -> Router {
        let at = |name: &str| format!("{}{name}", self.issuer_path());
        Router::new()
            // RFC 8414 §3.1 puts the well-known name before the issuer's path, OpenID Connect Discovery behind it.
            .route(&format!("/.well-known/oauth-authorization-server{}", self.issuer_path()), get(metadata::metadata))
            .route(&at("/.well-known/openid-configuration"), get(metadata::metadata))
            .route(&at("/jwks"), get(metadata::jwks))
            .route(&at("/authorize"), get(authorize::authorize))
            .route(&at("/par"), post(pushed::push))
            .route(&at("/token"), post(token::token))
            .route(&at("/introspect"), post(introspect::introspect))
            .route(&at("/revoke"), post(introspect::revoke))
            .route(&at("/rotate"), post(metadata::rotate))
            .layer(middleware::from_fn_with_state(self.clone(), outage))
            .with_state(self.clone())
    }
}

async fn outage(State(server): State<AuthServer>, request: Request, next: Next) -> Response {
    if server.inner.outage.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

/// The client of a request, whose assertion is used up by it.
fn authenticated<'s>(
    server: &'s AuthServer,
    headers: &HeaderMap,
    form: &Form,
    certificate: Option<&PeerCertificate>,
) -> Result<&'s Client, OAuthError> {
    let certificate = certificate.map(PeerCertificate::thumbprint);
    let request = ClientRequest { headers, form, certificate, now: server.now() };
    let (client, assertion) = authenticate(&server.inner.clients, server.issuer(), &request)?;
    if let Some(assertion) = assertion {
        token::record_assertion(server, client, &assertion)?;
    }
    Ok(client)
}

/// Parameters that authenticate a client.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// Form or query parameters, none of them twice (RFC 6749 §3.2) but `resource`.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if name != "resource" && parameters.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::invalid_request("a parameter occurs twice"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        // A parameter without a value counts as omitted, but not while it could hide another one.
        parameters.retain(|(_, value)| !value.is_empty());
        Ok(Self(parameters))
    }

    /// Reads the body of a POST.
    pub(crate) fn of_request(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let is_form = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if is_form { Self::parse(body) } else { Err(OAuthError::invalid_request("the body is not a form")) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The parameters but those that authenticate the client.
    pub(crate) fn without_credentials(mut self) -> Self {
        self.0.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        self
    }

    /// The parameters with `dpop_jkt`, if there is a key to bind the code to.
    pub(crate) fn bound_to(mut self, jkt: Option<String>) -> Self {
        if let Some(jkt) = jkt
            && self.get("dpop_jkt").is_none()
        {
            self.0.push(("dpop_jkt".to_owned(), jkt));
        }
        self
    }

    fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request("a parameter is missing"))
    }

    /// Refuses a `resource` other than the one that was granted (RFC 8707 §2.2).
    fn same_audience(&self, server: &AuthServer, grant: &Grant) -> Result<(), OAuthError> {
        match self.get("resource") {
            Some(_) if self.audience(server)? != grant.audience => Err(OAuthError::invalid_target()),
            _ => Ok(()),
        }
    }

    /// The scopes for a refreshed token: those granted, or fewer (RFC 6749 §6).
    fn narrowed(&self, granted: &str) -> Result<String, OAuthError> {
        let Some(asked) = self.get("scope") else {
            return Ok(granted.to_owned());
        };
        let covered = asked.split(' ').all(|scope| granted.split(' ').any(|own| own == scope));
        if covered { Ok(asked.to_owned()) } else { Err(OAuthError::invalid_scope()) }
    }

    /// The audience for the requested `resource`: a known one, one only (RFC 8707).
    fn audience(&self, server: &AuthServer) -> Result<String, OAuthError> {
        let mut requested = self.0.iter().filter(|(name, _)| name == "resource").map(|(_, value)| value);
        let known = &server.inner.audiences;
        match (requested.next(), requested.next()) {
            (None, _) => known.first().cloned().ok_or_else(OAuthError::invalid_target),
            (Some(one), None) if known.contains(one) => Ok(one.clone()),
            _ => Err(OAuthError::invalid_target()),
        }
    }

    /// The scopes to grant: those asked for when the client may have them all, or all it may have.
    fn scope(&self, client: &Client) -> Result<String, OAuthError> {
        match self.get("scope") {
            None => Ok(client.scopes.join(" ")),
            Some(scope) => {
                let allowed = |scope: &str| client.scopes.is_empty() || client.scopes.iter().any(|own| own == scope);
                let well_formed = pop_core::scope::Scopes::parse(scope).is_some();
                if well_formed && scope.split(' ').all(allowed) {
                    Ok(scope.to_owned())
                } else {
                    Err(OAuthError::invalid_scope())
                }
            }
        }
    }
}
