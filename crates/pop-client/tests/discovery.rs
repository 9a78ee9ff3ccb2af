//! Metadata at well-known URLs, and endpoints without discovery.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pop_client::{ClientError, ClientOptions, Endpoints, ResourceMetadata, TokenClient};
use serde_json::json;
use support::{Log, content_length, head, key, raw, response, rest, write};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OIDC: &str = "/.well-known/openid-configuration";

/// Serves pages by path; `@` stands for the origin of the server. Other paths are 404. Returns the paths that were requested.
async fn site(pages: &[(&str, &str, String)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let pages: HashMap<String, (String, String)> =
        pages.iter().map(|(path, status, body)| ((*path).to_owned(), ((*status).to_owned(), body.clone()))).collect();
    let (pages, seen) = (Arc::new(pages), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&seen);
    let url = raw(move |mut stream, _| {
        let (pages, log) = (Arc::clone(&pages), Arc::clone(&log));
        async move {
            let (head, begun) = head(&mut stream).await;
            rest(&mut stream, content_length(&head), begun.len()).await;
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let missing = ("404 Not Found".to_owned(), "<html>".to_owned());
            let (status, body) = pages.get(&path).unwrap_or(&missing);
            log.lock().unwrap().push(path);
            let fields = if status.starts_with('3') { "location: /elsewhere\r\n" } else { "" };
            write(&mut stream, &response(status, fields, &body.replace('@', &format!("http://{host}")))).await;
        }
    })
    .await;
    (url, seen)
}

fn good(issuer: &str) -> String {
    json!({ "issuer": issuer, "token_endpoint": "@/token", "authorization_endpoint": "@/authorize" }).to_string()
}

async fn discover(issuer: &str) -> Result<TokenClient, ClientError> {
    TokenClient::builder(issuer, "app").build(key()).await
}

/// CLI-23: four places for an issuer with a path, two for one without.
#[tokio::test]
async fn tries_the_next_well_known_url_after_any_failure() {
    let without = |name: &str| {
        let mut document: serde_json::Value = serde_json::from_str(&good("@/t")).unwrap();
        document.as_object_mut().unwrap().remove(name);
        document.to_string()
    };
    let twice = good("@/t").replacen('{', "{\"token_endpoint\":\"@/other\",", 1);
    let foreign = good("https://other.example");
    let insecure = good("@/t").replace("@/token", "http://as.example/token");
    let null = good("@/t").replace("\"@/token\"", "null");
    let typed = good("@/t").replace("\"@/token\"", "[\"@/token\"]");
    for (row, status, body) in [
        ("absent", "404 Not Found", String::new()),
        ("forbidden", "403 Forbidden", "no".to_owned()),
        ("HTML", "200 OK", "<html>".to_owned()),
        ("a redirect", "302 Found", String::new()),
        ("an outage", "503 Service Unavailable", String::new()),
        ("no content", "204 No Content", String::new()),
        ("no token endpoint", "200 OK", without("token_endpoint")),
        ("a null token endpoint", "200 OK", null),
        ("an empty token endpoint", "200 OK", good("@/t").replace("@/token", "")),
        ("a token endpoint of another type", "200 OK", typed),
        ("a token endpoint without TLS", "200 OK", insecure),
        ("no issuer", "200 OK", without("issuer")),
        ("another issuer", "200 OK", foreign),
        ("the issuer with a slash", "200 OK", good("@/t/")),
        ("a duplicate member", "200 OK", twice),
        ("an array", "200 OK", format!("[{}]", good("@/t"))),
    ] {
        let places = [format!("{OAUTH}/t"), format!("{OIDC}/t"), format!("/t{OIDC}"), format!("/t{OAUTH}")];
        for at in 1..places.len() {
            let mut pages: Vec<(&str, &str, String)> =
                places[..at].iter().map(|place| (place.as_str(), status, body.clone())).collect();
            pages.push((&places[at], "200 OK", good("@/t")));
            let (url, seen) = site(&pages).await;
            let found = discover(&format!("{url}/t")).await;
            assert!(found.is_ok(), "CLI-23 {row} {at}: {:?}", found.err());
            assert_eq!(*seen.lock().unwrap(), places[..=at], "CLI-23 {row}");
        }
    }
    let (url, seen) = site(&[(OIDC, "200 OK", good("@"))]).await;
    assert!(discover(&url).await.is_ok(), "CLI-23 without a path");
    assert_eq!(*seen.lock().unwrap(), [OAUTH, OIDC], "CLI-23");
}

/// CLI-13, CLI-23: another case or one more slash is another issuer.
#[tokio::test]
async fn the_issuer_must_match_exactly_wherever_the_metadata_is() {
    for (issuer, path, accepted) in [("@/t", "/t", true), ("@/t", "/t/", false), ("@/T", "/t", false)] {
        let pages: Vec<String> = [OAUTH, OIDC].iter().map(|name| format!("{name}/t")).collect();
        let pages: Vec<_> = pages.iter().map(|page| (page.as_str(), "200 OK", good(issuer))).collect();
        let (url, _) = site(&pages).await;
        match discover(&format!("{url}{path}")).await {
            Ok(_) => assert!(accepted, "CLI-13 {issuer} {path}"),
            Err(error) => assert!(!accepted && matches!(error, ClientError::WrongMetadata("issuer")), "CLI-13 {error}"),
        }
    }
}

/// CLI-11, CLI-23, CLI-25: without its query.
#[tokio::test]
async fn errors_and_logs_name_each_url_and_what_was_wrong_there() {
    let (url, _) = site(&[(OAUTH, "403 Forbidden", String::new()), (OIDC, "200 OK", "<html>".to_owned())]).await;
    let (log, guard) = Log::begin();
    let error = discover(&url).await.unwrap_err();
    drop(guard);
    let (text, log) = (error.to_string(), log.text());
    for part in [format!("{url}{OAUTH}"), format!("{url}{OIDC}"), "403".to_owned(), "JSON".to_owned()] {
        assert!(text.contains(&part), "CLI-23 {part} in {text}");
        assert!(log.contains(&part), "CLI-23 {part} in {log}");
    }
    match error {
        ClientError::Discovery(error) => assert_eq!((error.issuer(), error.attempts().count()), (url.as_str(), 2)),
        other => panic!("{other}"),
    }
    let (log, guard) = Log::begin();
    let error = ResourceMetadata::fetch(&format!("{url}/api?secret")).await.unwrap_err();
    drop(guard);
    let expected = format!("{url}/.well-known/oauth-protected-resource/api");
    assert!(error.to_string().contains(&expected) && log.text().contains(&expected), "CLI-23 {error} {}", log.text());
    assert!(!log.text().contains("secret"), "CLI-11 {}", log.text());
}

/// CLI-22: duplicate members are rejected.
#[tokio::test]
async fn null_and_empty_members_of_metadata_count_as_absent() {
    let document = json!({
        "issuer": "@", "token_endpoint": "@/token", "authorization_endpoint": null,
        "authorization_response_iss_parameter_supported": null, "dpop_signing_alg_values_supported": [],
        "mtls_endpoint_aliases": null, "pushed_authorization_request_endpoint": "", "scopes_supported": null,
    });
    let resource = json!({
        "resource": "@", "authorization_servers": null, "scopes_supported": [], "dpop_signing_alg_values_supported": null,
        "dpop_bound_access_tokens_required": null,
    });
    let at = "/.well-known/oauth-protected-resource";
    let (url, _) = site(&[(OAUTH, "200 OK", document.to_string()), (at, "200 OK", resource.to_string())]).await;
    let client = discover(&url).await.unwrap();
    assert!(client.authorize("http://127.0.0.1/", None, None).is_err(), "CLI-22 no such endpoint");
    let metadata = ResourceMetadata::fetch(&url).await.unwrap();
    assert!(metadata.authorization_servers.is_empty() && !metadata.dpop_bound_access_tokens_required, "CLI-22");
    let twice = r#"{"resource":"@","resource":"@"}"#;
    for (row, body) in [("absent", "{}"), ("null", r#"{"resource":null}"#), ("twice", twice), ("a list", "[]")] {
        let (url, _) = site(&[(at, "200 OK", body.to_owned())]).await;
        assert!(matches!(ResourceMetadata::fetch(&url).await, Err(ClientError::Response(_))), "CLI-22 {row}");
    }
}

/// CLI-24, CLI-18, CLI-19: the rules for URLs stay the same.
#[tokio::test]
async fn endpoints_can_be_configured_without_discovery() {
    let token = json!({ "access_token": "at", "token_type": "DPoP" }).to_string();
    let pushed = json!({ "request_uri": "urn:x", "expires_in": 60 }).to_string();
    let pages = [("/own/token", "200 OK", token), ("/own/par", "201 Created", pushed)];
    let (url, seen) = site(&pages).await;
    let endpoints = Endpoints::new(format!("{url}/own/token"))
        .authorization(format!("{url}/own/authorize?policy=p"))
        .pushed_authorization(format!("{url}/own/par"))
        .requires_iss();
    let builder = TokenClient::builder("https://as.example", "app").endpoints(endpoints);
    let client = builder.clone().build(key()).await.unwrap();
    assert!(seen.lock().unwrap().is_empty(), "CLI-24 nothing is fetched");
    client.client_credentials(None, None).await.unwrap();
    let request = client.push(client.authorize("http://127.0.0.1/", None, None).unwrap()).await.unwrap();
    let expected = format!("{url}/own/authorize?policy=p&client_id=app&request_uri=urn%3Ax");
    assert_eq!(request.url.as_str(), expected, "CLI-24");
    let state = client.authorize("http://127.0.0.1/", None, None).unwrap();
    let own = state.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for (row, iss, accepted) in
        [("missing", "", false), ("another", "&iss=x", false), ("right", "&iss=https://as.example", true)]
    {
        let back = format!("http://127.0.0.1/?code=c&state={own}{iss}");
        assert_eq!(client.exchange(&state, &back).await.is_ok(), accepted, "CLI-19 {row}");
    }
    for (row, endpoints) in [
        ("http", Endpoints::new("http://as.example/token")),
        ("no URL", Endpoints::new("token")),
        ("userinfo", Endpoints::new("https://user:secret@as.example/token")),
        ("authorization", Endpoints::new("https://as.example/token").authorization("http://as.example/")),
        ("pushed", Endpoints::new("https://as.example/token").pushed_authorization("ftp://as.example/")),
    ] {
        let error = builder.clone().endpoints(endpoints.clone()).build(key()).await.map(drop).unwrap_err();
        assert!(matches!(&error, ClientError::Url(_)) && !error.to_string().contains("secret"), "CLI-24 {row} {error}");
    }
    let http = Endpoints::new("http://as.example/token");
    let options = ClientOptions::new().dangerous().allow_http();
    assert!(builder.endpoints(http).options(options).build(key()).await.is_ok(), "CLI-18 by option");
}
