//! Metadata (RFC 8414) and keys.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pop_core::jose::{Algorithm, AlgorithmSet};
use serde_json::{Value, json};

use crate::server::AuthServer;

pub(super) async fn metadata(State(server): State<AuthServer>) -> Json<Value> {
    let issuer = server.issuer();
    let base = issuer.trim_end_matches('/');
    let names = |set: AlgorithmSet| set.iter().map(Algorithm::name).collect::<Vec<_>>();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "pushed_authorization_request_endpoint": format!("{base}/par"),
        "introspection_endpoint": format!("{base}/introspect"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": names(AlgorithmSet::PROOF),
        "dpop_signing_alg_values_supported": names(server.inner.policy.algorithms),
        "authorization_response_iss_parameter_supported": true,
        // OpenID Connect Discovery asks for these two.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if let Some(tls) = server.tls() {
        // RFC 8705 §3.3 and §5
        let base = format!("{}{}", tls.origin(), server.issuer_path());
        document["tls_client_certificate_bound_access_tokens"] = true.into();
        document["token_endpoint_auth_methods_supported"]
            .as_array_mut()
            .into_iter()
            .for_each(|methods| methods.push("self_signed_tls_client_auth".into()));
        document["mtls_endpoint_aliases"] = json!({
            "token_endpoint": format!("{base}/token"),
            "pushed_authorization_request_endpoint": format!("{base}/par"),
            "introspection_endpoint": format!("{base}/introspect"),
            "revocation_endpoint": format!("{base}/revoke"),
        });
    }
    Json(document)
}

pub(super) async fn jwks(State(server): State<AuthServer>) -> Json<Value> {
    server.inner.jwks_requests.fetch_add(1, Ordering::Relaxed);
    Json(server.keys().jwks())
}

/// `POST /rotate`: a new key; with `?drop`, the old ones are no longer published.
pub(super) async fn rotate(State(server): State<AuthServer>, RawQuery(query): RawQuery) -> Response {
    if server.rotate_keys().is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if query.as_deref() == Some("drop") {
        server.drop_old_keys();
    }
    StatusCode::NO_CONTENT.into_response()
}
