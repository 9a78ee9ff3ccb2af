//! What pages of other sites can do with a server on the machine of the user: nothing, unless their origin is allowed.
#![allow(clippy::unwrap_used, missing_docs)]

use pop_authserver::{AuthServer, TestAuthServer};
use reqwest::Client;
use tower::ServiceExt;

/// A site whose name resolves to loopback (DNS rebinding) is the server's own origin for the browser.
#[tokio::test]
async fn answers_for_loopback_and_its_issuer_only() {
    let server = TestAuthServer::start().await;
    let url = format!("{}/jwks", server.issuer());
    let status =
        async |host: &str| Client::new().get(&url).header("host", host).send().await.unwrap().status().as_u16();
    for own in ["127.0.0.1", "127.0.0.1:1", "localhost:9400", "[::1]:9400", "LOCALHOST"] {
        assert_eq!(status(own).await, 200, "{own}");
    }
    for other in [
        "attacker.example",
        "127.0.0.1.attacker.example",
        "localhost.attacker.example:9400",
        "192.0.2.1",
        "a b",
        "me@127.0.0.1",
        "localhost.",
        "[::ffff:127.0.0.1]",
        "",
    ] {
        assert_eq!(status(other).await, 421, "{other}");
    }
    let router = AuthServer::builder().build("https://as.example").unwrap().router();
    let answer = async |uri: &str, host: Option<&str>| {
        let mut request = http::Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!(answer("/jwks", Some("as.example")).await, 200, "behind a proxy that keeps the host");
    assert_eq!(answer("/jwks", Some("as.example:443")).await, 200);
    assert_eq!(answer("/jwks", None).await, 200, "called in the process");
    assert_eq!(answer("https://as.example/jwks", None).await, 200, "HTTP/2");
    assert_eq!(answer("https://as.example/jwks", Some("attacker.example")).await, 421, "both count");
    assert_eq!(answer("https://attacker.example/jwks", Some("as.example")).await, 421, "both count");
    assert_eq!(answer("https://attacker.example/jwks", None).await, 421, "HTTP/2");
    assert_eq!(answer("/jwks", Some("as.example:444")).await, 421);
}

#[tokio::test]
async fn pages_of_other_origins_rotate_no_keys() {
    let builder = TestAuthServer::defaults().cors_origin("http://127.0.0.1:3000");
    let server = TestAuthServer::start_with(builder).await;
    let rotate = async |origin: &str| {
        let request = Client::new().post(format!("{}/rotate", server.issuer())).header("origin", origin);
        request.send().await.unwrap().status().as_u16()
    };
    let keys = || server.jwks_json().matches("\"kid\"").count();
    let before = keys();
    for other in ["https://attacker.example", "http://127.0.0.1:3001", "null"] {
        assert_eq!((rotate(other).await, keys()), (403, before), "{other}");
    }
    for own in ["http://127.0.0.1:3000", server.issuer()] {
        assert_eq!(rotate(own).await, 204, "{own}");
    }
    assert_eq!(keys(), before + 2);
}
