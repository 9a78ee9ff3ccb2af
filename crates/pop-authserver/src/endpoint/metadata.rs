//! Metadata (RFC 8414).

use axum::Json;
use axum::extract::State;
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
        // OpenID Connect Discovery §3 requires these two.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if let Some(tls) = &server.inner.tls {
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
