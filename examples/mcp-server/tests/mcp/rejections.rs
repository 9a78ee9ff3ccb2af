//! Requests that a client would not send. Each stands beside one that is accepted and differs in one thing.

use http::{HeaderMap, Method, StatusCode};
use pop_client::ResourceMetadata;
use reqwest::Response;
use tower_pop::NoncePolicy;

use crate::support::{Server, call, challenge, credentials, parameter};

const POST: Method = Method::POST;

async fn servers() -> [Server; 2] {
    [Server::start(NoncePolicy::Off).await, Server::start(NoncePolicy::Required).await]
}

async fn accepts(server: &Server, token: &str) {
    let accepted = server.send_signed(&POST, token, &HeaderMap::new(), None).await;
    assert_eq!(accepted.status(), StatusCode::OK, "{}", challenge(&accepted));
    let text = accepted.text().await.unwrap();
    assert!(text.contains("user alice, client app"), "{text}");
}

/// META-11: the challenge has this error, or none, and says where the metadata is.
fn is_rejected(response: &Response, error: Option<&str>) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(parameter(response, "error").as_deref(), error, "{}", challenge(response));
    let metadata = parameter(response, "resource_metadata").unwrap();
    assert!(metadata.ends_with("/.well-known/oauth-protected-resource/mcp"), "{metadata}");
}

/// META-08, META-11: the metadata names the authorization server, whose tokens are accepted.
#[tokio::test]
async fn rejects_a_request_without_a_token_and_names_the_authorization_server() {
    for server in servers().await {
        is_rejected(&server.send(&POST, HeaderMap::new(), None).await, None);
        let metadata = ResourceMetadata::fetch(&server.url).await.unwrap();
        assert_eq!(metadata.resource, server.url);
        assert_eq!(metadata.authorization_servers, [server.issuer.issuer()]);
        assert!(metadata.dpop_bound_access_tokens_required);
        accepts(&server, &server.token("profile")).await;
    }
}

/// DPOP-30
#[tokio::test]
async fn rejects_a_bound_token_under_the_scheme_bearer() {
    for server in servers().await {
        let token = server.token("profile");
        let proof = server.proof(&POST, &token, None);
        for scheme in ["Bearer", "bearer"] {
            is_rejected(&server.send(&POST, credentials(scheme, &token, &proof), None).await, Some("invalid_token"));
        }
        accepts(&server, &token).await;
    }
}

/// REPLAY-02
#[tokio::test]
async fn rejects_a_proof_that_was_used_before() {
    for server in servers().await {
        let token = server.token("profile");
        let first = server.send(&POST, credentials("DPoP", &token, &server.proof(&POST, &token, None)), None).await;
        let nonce = first.headers().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
        let fields = credentials("DPoP", &token, &server.proof(&POST, &token, nonce.as_deref()));
        assert_eq!(server.send(&POST, fields.clone(), None).await.status(), StatusCode::OK);
        is_rejected(&server.send(&POST, fields, None).await, Some("invalid_dpop_proof"));
        accepts(&server, &token).await;
    }
}

/// ATK-10, CNF-17: with a valid proof.
#[tokio::test]
async fn rejects_a_token_for_another_audience() {
    for server in servers().await {
        for audience in ["https://other.example/mcp", server.url.trim_end_matches("/mcp")] {
            let token = server.issuer.token().audience(audience).bound_to(&server.key).mint();
            is_rejected(&server.send_signed(&POST, &token, &HeaderMap::new(), None).await, Some("invalid_token"));
        }
        accepts(&server, &server.token("profile")).await;
    }
}

/// SCOPE-01: whatever the version of the client is.
#[tokio::test]
async fn rejects_a_call_of_a_tool_whose_scope_the_token_lacks() {
    for server in servers().await {
        let add = |scope| {
            let token = server.token(scope);
            let server = &server;
            async move { server.send_signed(&POST, &token, &HeaderMap::new(), Some(call("add_note"))).await }
        };
        let rejected = add("profile").await;
        assert_eq!(rejected.status(), StatusCode::FORBIDDEN);
        assert_eq!(parameter(&rejected, "error").as_deref(), Some("insufficient_scope"));
        assert_eq!(parameter(&rejected, "scope").as_deref(), Some("notes:write"));
        assert!(parameter(&rejected, "resource_metadata").is_some());
        let accepted = add("profile notes:write").await;
        assert_eq!(accepted.status(), StatusCode::OK);
        assert!(accepted.text().await.unwrap().contains("noted: buy milk"));
    }
}
