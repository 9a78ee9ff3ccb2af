//! Streams of server-sent events, which sessions of earlier versions have.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use rmcp::transport::StreamableHttpServerConfig;
use serde_json::json;
use tokio::time::timeout;
use tower_pop::NoncePolicy;

use crate::support::{LIMIT, Server, challenge};

/// Starts a session. Returns its identifier, as a header field.
async fn session(server: &Server, token: &str) -> HeaderMap {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let response = server.send_signed(&Method::POST, token, &HeaderMap::new(), Some(initialize)).await;
    assert_eq!(response.status(), StatusCode::OK, "{}", challenge(&response));
    let mut fields = HeaderMap::new();
    fields.insert("mcp-session-id", response.headers()["mcp-session-id"].clone());
    fields.insert("mcp-protocol-version", HeaderValue::from_static("2025-11-25"));
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let accepted = server.send_signed(&Method::POST, token, &fields, Some(initialized)).await;
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    fields
}

async fn stream(server: &Server, token: &str, session: &HeaderMap) -> Response {
    let response = server.send_signed(&Method::GET, token, session, None).await;
    assert_eq!(response.status(), StatusCode::OK, "{}", challenge(&response));
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    response
}

/// Reads a stream until it ends.
async fn read_to_end(mut stream: Response) {
    while stream.chunk().await.unwrap().is_some() {}
}

/// DPOP-42: a stream ends with the token that it was opened with. The session stays, for the next token.
#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let server = Server::start_with(NoncePolicy::Required, StreamableHttpServerConfig::default()).await;
    let (short, long) = (server.token_for("profile", 3), server.token_for("profile", 300));
    let sessions = [session(&server, &short).await, session(&server, &long).await];
    let ends = tokio::spawn(read_to_end(stream(&server, &short, &sessions[0]).await));
    let stays = tokio::spawn(read_to_end(stream(&server, &long, &sessions[1]).await));
    timeout(LIMIT, ends).await.unwrap().unwrap();
    assert!(!stays.is_finished(), "a stream of a valid token goes on");
    stays.abort();
    stream(&server, &long, &sessions[0]).await;
}

/// ATK-13: the layer accepts a token for some seconds after it expires.
#[tokio::test]
async fn a_token_that_has_just_expired_gets_the_whole_response() {
    let json = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    for transport in [json.clone().with_json_response(false), json] {
        let server = Server::start_with(NoncePolicy::Off, transport).await;
        let response =
            server.send_signed(&Method::POST, &server.token_for("profile", -2), &HeaderMap::new(), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        let text = response.text().await.unwrap();
        assert!(text.contains("user alice, client app"), "{text}");
    }
}

/// ATK-13, ATK-29: in a session, too, each request needs a valid token.
#[tokio::test]
async fn rejects_an_expired_token_in_a_session() {
    let server = Server::start_with(NoncePolicy::Off, StreamableHttpServerConfig::default()).await;
    let valid = server.token("profile");
    let session = session(&server, &valid).await;
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let rejected = server.send_signed(&method, &server.token_for("profile", -120), &session, None).await;
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    }
    stream(&server, &valid, &session).await;
    let deleted = server.send_signed(&Method::DELETE, &valid, &session, None).await;
    assert_eq!(deleted.status(), StatusCode::ACCEPTED);
}
