//! The client of `rmcp`, with proofs of `pop-client`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use rmcp::ServiceError;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, StreamableHttpServerConfig};
use serde_json::json;
use tower_pop::NoncePolicy;

use crate::signed_http::SignedHttp;
use crate::support::Server;

fn lifecycles() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}

async fn connect(server: &Server, scope: &str, lifecycle: ClientLifecycleMode) -> RunningService<RoleClient, ()> {
    let http = SignedHttp::new(server.key.clone(), server.token(scope)).unwrap();
    let config = StreamableHttpClientTransportConfig::with_uri(server.url.as_str());
    let transport = StreamableHttpClientTransport::with_client(http, config);
    ().serve_with_lifecycle(transport, lifecycle).await.unwrap()
}

async fn call(client: &RunningService<RoleClient, ()>, tool: &'static str) -> Result<String, ServiceError> {
    let note = json!({ "text": "buy milk" }).as_object().cloned().unwrap();
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(note)).await.map(|result| text(&result))
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|content| content.as_text()).map(|text| text.text.as_str()).collect()
}

async fn calls_tools(server: &Server, lifecycle: ClientLifecycleMode) {
    let client = connect(server, "profile notes:write", lifecycle).await;
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["add_note", "whoami"]);
    assert_eq!(call(&client, "whoami").await.unwrap(), "user alice, client app");
    assert_eq!(call(&client, "add_note").await.unwrap(), "noted: buy milk");
    client.cancel().await.unwrap();
}

/// CLI-05: with and without nonces, with and without sessions, with and without the handshake of earlier versions.
#[tokio::test]
async fn a_client_lists_and_calls_tools() {
    for nonce in [NoncePolicy::Off, NoncePolicy::Required] {
        for lifecycle in lifecycles() {
            calls_tools(&Server::start(nonce.clone()).await, lifecycle.clone()).await;
            let with_sessions = Server::start_with(nonce.clone(), StreamableHttpServerConfig::default()).await;
            calls_tools(&with_sessions, lifecycle).await;
        }
    }
}

/// CLI-05: some servers have a route for POST alone.
#[tokio::test]
async fn a_client_gets_a_nonce_from_a_server_that_knows_only_post() {
    async fn post_only(request: Request, next: Next) -> Response {
        let allowed = request.method() == Method::POST;
        if allowed { next.run(request).await } else { StatusCode::NOT_FOUND.into_response() }
    }
    for lifecycle in lifecycles() {
        let transport = StreamableHttpServerConfig::default().with_legacy_session_mode(false);
        let front = |app: Router| app.layer(from_fn(post_only));
        calls_tools(&Server::start_behind(NoncePolicy::Required, transport, front).await, lifecycle).await;
    }
}

/// CLI-05: two requests at once are rejected for the same nonce, and one of them gets the new one first.
#[tokio::test]
async fn a_request_is_repeated_if_another_one_has_got_the_nonce() {
    let rejections = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&rejections);
    let reject = move |request: Request, next: Next| {
        let has_content = request.headers().get("content-length").is_some_and(|length| length != "0");
        let rejects = has_content && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        async move {
            let challenge = [("www-authenticate", r#"DPoP error="use_dpop_nonce""#)];
            if rejects { (StatusCode::UNAUTHORIZED, challenge).into_response() } else { next.run(request).await }
        }
    };
    for lifecycle in lifecycles() {
        let transport = StreamableHttpServerConfig::default().with_legacy_session_mode(false);
        let front = |app: Router| app.layer(from_fn(reject.clone()));
        let server = Server::start_behind(NoncePolicy::Required, transport, front).await;
        let client = connect(&server, "profile", lifecycle).await;
        rejections.store(1, SeqCst);
        assert_eq!(call(&client, "whoami").await.unwrap(), "user alice, client app");
        assert_eq!(rejections.load(SeqCst), 0, "it was rejected");
        rejections.store(2, SeqCst);
        assert!(call(&client, "whoami").await.is_err(), "it is sent again once");
        rejections.store(0, SeqCst);
    }
}

/// SCOPE-01: a client learns which scope it needs, and where to ask for it.
#[tokio::test]
async fn a_tool_names_the_scope_that_the_token_lacks() {
    let server = Server::start(NoncePolicy::Off).await;
    for lifecycle in lifecycles() {
        let client = connect(&server, "profile", lifecycle).await;
        let error = call(&client, "add_note").await.unwrap_err();
        let challenge = error.auth_challenge().unwrap();
        for expected in [r#"error="insufficient_scope""#, r#"scope="notes:write""#, "resource_metadata="] {
            assert!(challenge.starts_with("DPoP ") && challenge.contains(expected), "{challenge}");
        }
        assert_eq!(call(&client, "whoami").await.unwrap(), "user alice, client app", "the client may go on");
    }
}

/// With sessions, the response has begun when the tool runs. So the error has no challenge.
#[tokio::test]
async fn a_tool_of_a_session_rejects_a_token_without_its_scope() {
    let server = Server::start_with(NoncePolicy::Off, StreamableHttpServerConfig::default()).await;
    let client = connect(&server, "profile", ClientLifecycleMode::Initialize).await;
    let error = call(&client, "add_note").await.unwrap_err();
    assert!(
        matches!(&error, ServiceError::McpError(error) if error.message.contains("lacks a required scope")),
        "{error}"
    );
    let client = connect(&server, "notes:write", ClientLifecycleMode::Initialize).await;
    assert_eq!(call(&client, "add_note").await.unwrap(), "noted: buy milk");
}
