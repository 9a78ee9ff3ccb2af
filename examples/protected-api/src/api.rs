//! The API: notes in memory, readable and writable with the right scopes.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_http::cors::{Any, CorsLayer};
use tower_pop::{PopConfig, PopLayer, RequireScope, VerifiedToken, cors};

type Notes = Arc<Mutex<Vec<String>>>;

/// Everything under the layer but `/healthz` and the metadata; CORS outside of it, so that browsers can read challenges.
pub(crate) fn router(cfg: &PopConfig) -> Router {
    let notes = Notes::new(Mutex::new(vec!["buy milk".to_owned()]));
    let read = get(list).layer(RequireScope::all(["notes:read"]));
    let write = axum::routing::post(add).layer(RequireScope::all(["notes:write"]));
    Router::new()
        .route("/whoami", any(whoami))
        .route("/notes", read.merge(write))
        .layer(PopLayer::new(cfg.clone()))
        .merge(cfg.metadata_route())
        .route("/healthz", get(|| async { "ok" }))
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods(Any)
                .allow_headers(cors::ALLOW_HEADERS)
                .expose_headers(cors::EXPOSE_HEADERS),
        )
        .with_state(notes)
}

/// What the layer knows of the caller. `Option`: in mode `optional` there may be no caller.
async fn whoami(token: Option<VerifiedToken>) -> Json<Value> {
    let Some(token) = token else {
        return Json(json!({ "anonymous": true }));
    };
    let proof = token.proof();
    let mut cnf = json!({});
    if let Some(bound_to) = token.access_token().confirmation() {
        set(&mut cnf, "jkt", bound_to.jkt);
        set(&mut cnf, "x5t#S256", bound_to.x5t);
    }
    let mut shown = json!({
        "kind": proof.kind().as_str(),
        "jkt": proof.key_thumbprint().map(ToString::to_string),
        "jti": proof.jti(),
    });
    set(&mut shown, "x5t#S256", proof.certificate_thumbprint());
    Json(json!({
        "iss": token.issuer(),
        "sub": token.subject(),
        "client_id": token.client_id(),
        "aud": token.audience().collect::<Vec<_>>(),
        "scope": token.access_token().scopes().as_str(),
        "cnf": cnf,
        "proof": shown,
    }))
}

fn set(object: &mut Value, name: &str, thumbprint: Option<impl ToString>) {
    if let Some(thumbprint) = thumbprint {
        object[name] = thumbprint.to_string().into();
    }
}

async fn list(State(notes): State<Notes>) -> Json<Vec<String>> {
    Json(notes.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

async fn add(State(notes): State<Notes>, token: VerifiedToken, note: String) -> StatusCode {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() < 1000 && note.len() < 10_000 {
        notes.push(format!("{}: {note}", token.subject().unwrap_or("somebody")));
        StatusCode::CREATED
    } else {
        StatusCode::INSUFFICIENT_STORAGE
    }
}
