//! Revocation (RFC 7009).

use serde_json::{Map, Value};

use crate::server::AuthServer;

impl AuthServer {
    /// Revokes an access token: it is inactive in introspection responses. A JWT that a resource server verifies itself
    /// stays valid until it expires.
    pub fn revoke(&self, token: &str) {
        let jti = self.verified_claims(token).and_then(|claims| Some(claims.get("jti")?.as_str()?.to_owned()));
        self.tokens().revoke(token, jti.as_deref());
    }

    /// Revokes an access or refresh token for a client, if it was issued to this client.
    pub(crate) fn revoke_for(&self, client_id: &str, token: &str) {
        let is_own = |claims: &Map<String, Value>| claims.get("client_id").and_then(Value::as_str) == Some(client_id);
        let claims = self.tokens().get(token).cloned().or_else(|| self.verified_claims(token));
        if claims.as_ref().is_some_and(is_own) {
            self.revoke(token);
        }
        let mut refresh_tokens = self.refresh_tokens();
        if refresh_tokens.peek(token, self.now()).is_some_and(|refresh| refresh.grant.client_id == client_id) {
            drop(refresh_tokens.take(token, self.now()));
        }
    }
}
