//! Servers on 127.0.0.1 that give scripted responses and keep the requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode};
use pop_client::{Algorithm, ClientAuthentication, DpopKey, TokenClient};
use pop_core::jose::CompactJws;
use serde_json::{Value, json};

pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// Header and claims of the proof.
    pub(crate) fn proof(&self) -> (Value, Value) {
        let jws = CompactJws::split(self.headers["dpop"].to_str().unwrap(), 8192).unwrap().decode().unwrap();
        (serde_json::from_slice(jws.header()).unwrap(), serde_json::from_slice(jws.payload()).unwrap())
    }

    pub(crate) fn claim(&self, name: &str) -> Value {
        self.proof().1[name].clone()
    }
}

/// The responses to give in order, and the requests so far.
pub(crate) type Script = Arc<Mutex<(VecDeque<Response>, Vec<Seen>)>>;

pub(crate) async fn server(answers: Vec<Response>) -> (String, Script) {
    let script: Script = Arc::new(Mutex::new((answers.into(), Vec::new())));
    let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, script)
}

async fn answer(
    State(script): State<Script>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.lock().unwrap();
    script.1.push(Seen { method, path: uri.to_string(), headers, body });
    script.0.pop_front().unwrap_or_else(|| StatusCode::IM_A_TEAPOT.into_response())
}

pub(crate) fn seen(script: &Script) -> Vec<Seen> {
    std::mem::take(&mut script.lock().unwrap().1)
}

pub(crate) fn ok() -> Response {
    StatusCode::OK.into_response()
}

pub(crate) fn ask_for(nonce: &'static str) -> Response {
    let headers = [("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", nonce)];
    (StatusCode::UNAUTHORIZED, headers).into_response()
}

pub(crate) fn metadata(issuer: &str) -> Response {
    let (token, authorize) = (format!("{issuer}/token"), format!("{issuer}/authorize"));
    Json(json!({ "issuer": issuer, "token_endpoint": token, "authorization_endpoint": authorize })).into_response()
}

pub(crate) async fn token_client(
    answers: Vec<Response>,
    authentication: ClientAuthentication,
) -> (TokenClient, Script) {
    let (url, script) = server(vec![]).await;
    script.lock().unwrap().0.push_back(metadata(&url));
    script.lock().unwrap().0.extend(answers);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let client = TokenClient::discover(&url, "app", authentication, key).await.unwrap();
    seen(&script);
    (client, script)
}

pub(crate) fn token(token_type: &str) -> Response {
    Json(json!({ "access_token": "at", "token_type": token_type, "expires_in": 60 })).into_response()
}
