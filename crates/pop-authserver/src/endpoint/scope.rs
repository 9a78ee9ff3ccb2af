//! The scopes of a token (RFC 6749 §3.3, §6).

use pop_core::scope::Scopes;

use crate::client::Client;
use crate::form::Form;
use crate::oauth_error::OAuthError;

/// Returns the scopes to grant: the requested ones if the client may have all of them. Without `scope`, all scopes of
/// the client.
pub(super) fn requested_scope(client: &Client, form: &Form) -> Result<String, OAuthError> {
    let Some(scope) = form.get("scope") else {
        return Ok(client.scopes.join(" "));
    };
    let allowed = |scope: &str| client.scopes.is_empty() || client.scopes.iter().any(|own| own == scope);
    let well_formed = Scopes::parse(scope).is_some();
    if !well_formed {
        return Err(OAuthError::invalid_scope("the scope is malformed"));
    }
    match scope.split(' ').find(|scope| !allowed(scope)) {
        None => Ok(scope.to_owned()),
        Some(other) => {
            let scopes = client.scopes.join(" ");
            Err(OAuthError::invalid_scope(format!("the client may not request {other}. It may request: {scopes}")))
        }
    }
}

/// Returns the scopes for a refreshed token: the granted ones, or fewer (RFC 6749 §6).
pub(super) fn narrowed_scope(form: &Form, granted: &str) -> Result<String, OAuthError> {
    let Some(requested) = form.get("scope") else {
        return Ok(granted.to_owned());
    };
    let covered = requested.split(' ').all(|scope| granted.split(' ').any(|own| own == scope));
    if covered {
        Ok(requested.to_owned())
    } else {
        Err(OAuthError::invalid_scope(format!("the grant has only these scopes: {granted}")))
    }
}
