//! The URI that a request was sent to.

use std::net::IpAddr;

use axum::extract::OriginalUri;
use axum::{Router, body::Body, routing::get};
use pop_core::target::{Origin, RequestTarget};
use proptest::prelude::*;
use tower::ServiceExt;
use tower_pop::{Mode, OriginalTarget, PeerAddress, PopLayer};

use crate::support::{Api, Expected, api, api_with, request};

/// Sends a request to a path with a proof for a URL.
async fn visit(api: &Api, path: &str, htu: &str) -> crate::support::Answer {
    let token = api.token().mint();
    let mut request = request(&token, &api.proof(&token).url(htu).mint());
    *request.uri_mut() = path.parse().unwrap();
    api.send(request).await
}

/// DPOP-14, DPOP-15, DPOP-16: query and fragment do not count, equivalent URIs are equal, and all others differ.
#[tokio::test]
async fn compares_targets_after_rfc_3986_normalisation_and_no_further() {
    let api = api();
    let origin = "https://api.example";
    for (path, htu) in [
        ("/r?a=1", "/r"),
        ("/r?a=1", "/r?zzz#f"),
        ("/r", "/r#f"),
        ("/%7Euser", "/~user"),
        ("/~user", "/%7euser"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/b", "/a/./b"),
        ("/a/b", "/a/c/../b"),
        ("/", ""),
        ("/;p=1", "/;p=1"),
        ("/a//b", "/a//b"),
        ("//r", "//r"),
        ("/a%20b", "/a%20b"),
    ] {
        visit(&api, path, &format!("{origin}{htu}")).await.is(Expected::Ok, &format!("DPOP-15 {path} {htu}"));
    }
    for (path, htu) in [
        ("/r", "/R"),
        ("/a/b", "/a%2Fb"),
        ("/r", "/r/"),
        ("/r/", "/r"),
        ("/r", "//r"),
        ("//r", "/r"),
        ("/a//b", "/a/b"),
        ("/a;p=1", "/a"),
        ("/r", "/r%00"),
        ("/r", "/r."),
        ("/a%20b", "/a+b"),
        ("/r", "/r%3Fx"),
    ] {
        visit(&api, path, &format!("{origin}{htu}")).await.is(Expected::Proof, &format!("DPOP-16 X-49 {path} {htu}"));
    }
    for htu in ["https://api.example./notes", "https://xn--api-9na.example/notes", "https://api.example:8443/notes"] {
        visit(&api, "/notes", htu).await.is(Expected::Proof, &format!("DPOP-16 X-50 {htu}"));
    }
}

/// DPOP-18, X-48: the origin comes from the configuration.
#[tokio::test]
async fn nothing_in_a_request_chooses_the_origin() {
    let api = api();
    for header in ["host", "x-forwarded-host", "x-original-host", "forwarded"] {
        let token = api.token().mint();
        let spoof = |proof: String| {
            let mut request = request(&token, &proof);
            let value = if header == "forwarded" { "host=evil.example;proto=https" } else { "evil.example" };
            request.headers_mut().insert(http::HeaderName::try_from(header).unwrap(), value.parse().unwrap());
            request.extensions_mut().insert(PeerAddress(IpAddr::from([10, 0, 0, 1])));
            request
        };
        let evil = spoof(api.proof(&token).url("https://evil.example/notes").mint());
        api.send(evil).await.is(Expected::Proof, &format!("DPOP-18 X-48 {header}"));
        let ours = spoof(api.proof(&token).mint());
        api.send(ours).await.is(Expected::Ok, &format!("DPOP-18, the twin: the configured origin counts, {header}"));
    }
}

/// DPOP-21: `Host` and the authority of the target must agree with each other and with the configuration.
#[tokio::test]
async fn rejects_conflicting_hosts() {
    let api = api();
    let token = api.token().mint();
    let with = |uri: &str, hosts: &[&str]| {
        let mut request = request(&token, &api.proof(&token).mint());
        *request.uri_mut() = uri.parse().unwrap();
        for host in hosts {
            request.headers_mut().append("host", host.parse().unwrap());
        }
        api.send(request)
    };
    for (uri, hosts) in [
        ("/notes", &["api.example"][..]),
        ("https://api.example/notes", &[]),
        ("https://api.example/notes", &["api.example"]),
        ("https://api.example/notes", &["API.EXAMPLE:443"]),
    ] {
        with(uri, hosts).await.is(Expected::Ok, &format!("DPOP-21 {uri} {hosts:?}"));
    }
    for (uri, hosts) in [
        ("/notes", &["api.example", "api.example"][..]),
        ("/notes", &["api.example, evil.example"]),
        ("https://api.example/notes", &["evil.example"]),
        ("https://api.example/notes", &["api.example:8443"]),
    ] {
        with(uri, hosts).await.is(Expected::BadRequest, &format!("DPOP-21 {uri} {hosts:?}"));
    }
    let mut star = request(&token, &api.proof(&token).mint());
    *star.method_mut() = http::Method::OPTIONS;
    *star.uri_mut() = "*".parse().unwrap();
    api.send(star).await.is(Expected::BadRequest, "DPOP-21 OPTIONS *");
    let mut connect = request(&token, &api.proof(&token).mint());
    *connect.method_mut() = http::Method::CONNECT;
    *connect.uri_mut() = "api.example:443".parse().unwrap();
    api.send(connect).await.is(Expected::BadRequest, "DPOP-21 CONNECT");
    let odd = visit(&api, "/caf\u{e9}", "https://api.example/caf\u{e9}").await;
    odd.is(Expected::BadRequest, "DPOP-17 a path outside RFC 3986");
}

/// ERR-02, DPOP-17: such a request is rejected before its token is looked at, in every mode.
#[tokio::test]
async fn rejects_request_targets_that_a_proof_cannot_name() {
    for mode in [Mode::Required, Mode::Optional, Mode::ReportOnly] {
        let api = api_with(|builder| builder.mode(mode));
        for proof_for in ["https://api.example/notes", "https://api.example/no%tes"] {
            let answer =
                visit(&api, "/no%tes", proof_for).await.is(Expected::BadRequest, &format!("{mode} {proof_for}"));
            answer.coded("credential.target", &mode.to_string());
        }
        visit(&api, "/no%20tes", "https://api.example/no%20tes").await.is(Expected::Ok, &format!("{mode}: the twin"));
    }
}

/// D-20, X-47, X-49: a router does not resolve dot segments. The path `/admin/x/../../notes` would run the handler of
/// `/admin/{*rest}` with a proof for `/notes`.
#[tokio::test]
async fn rejects_request_targets_with_dot_segments() {
    let api = api();
    for path in [
        "/admin/x/../../notes",
        "/admin/x/%2e%2e/%2e%2e/notes",
        "/admin/x/.%2E/%2e./notes",
        "/admin/%2E%2E/notes",
        "/./notes",
        "/%2e/notes",
        "/notes/.",
        "/notes/..",
        "/notes/%2e",
        "/x/..",
        "/../notes",
        "//../notes",
        "/x/../notes?a=1",
    ] {
        for htu in ["https://api.example/notes", &format!("https://api.example{path}")] {
            let answer = visit(&api, path, htu).await.is(Expected::BadRequest, &format!("X-49 {path} {htu}"));
            answer.coded("credential.dot_segments", path);
        }
        let mut anonymous = http::Request::get(path).body(()).unwrap();
        api.send(anonymous).await.is(Expected::BadRequest, &format!("X-49 {path} without credentials"));
        anonymous = http::Request::get(path).header("authorization", "Bearer x").body(()).unwrap();
        api.send(anonymous).await.is(Expected::BadRequest, &format!("X-49 {path} under another scheme"));
    }
    for path in [
        "/notes",
        "/.well-known/notes",
        "/notes/...",
        "/a..b",
        "/..a",
        "/a/%2e%2ea",
        "/%2e%2e%2fnotes",
        "/notes?x=/../a",
    ] {
        let htu = format!("https://api.example{}", path.split('?').next().unwrap());
        visit(&api, path, &htu).await.is(Expected::Ok, &format!("X-49 the twin: {path}"));
    }
    let prefixed = api_with(|builder| builder.path_prefix("/gateway"));
    let answer = visit(&prefixed, "/../notes", "https://api.example/notes").await;
    answer.is(Expected::BadRequest, "D-20 X-49 behind a prefix");
}

/// X-47: the router and the layer see one path, also with a wildcard route.
#[tokio::test]
async fn a_proof_for_one_route_does_not_run_another() {
    let api = api();
    let app = Router::new()
        .route("/notes", get(|| async { "notes" }))
        .route("/admin/{*rest}", get(|| async { "admin" }))
        .layer(PopLayer::new(api.cfg.clone()));
    let send = |path: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).mint()).map(|()| Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        app.clone().oneshot(request)
    };
    for path in ["/admin/x/../../notes", "/admin/x/%2e%2e/%2e%2e/notes"] {
        assert_eq!(send(path).await.unwrap().status(), 400, "X-47 {path}");
    }
    assert_eq!(send("/notes").await.unwrap().status(), 200, "the twin");
}

/// DPOP-15, DPOP-17: `htu` and targets as browsers and their libraries write them.
#[tokio::test]
async fn understands_paths_as_browsers_send_them() {
    let api = api();
    for (path, htu) in [
        ("/notes?filter[name]=x", "/notes?filter[name]=x"),
        ("/notes?a=|^`{}", "/notes?a=|^`{}"),
        ("/notes", "/notes?q=caf\u{e9} au lait#\u{e9}"),
        ("/notes", "/notes#x?y"),
        ("/a|b", "/a|b"),
        ("/a|b", "/a%7Cb"),
        ("/a%7cb", "/a|b"),
        ("/[x]^y", "/[x]^y"),
        ("/[x]^y", "/%5bx%5D%5Ey"),
        ("/%5Bx%5d%5ey", "/[x]^y"),
    ] {
        let answer = visit(&api, path, &format!("https://api.example{htu}")).await;
        answer.is(Expected::Ok, &format!("DPOP-15 {path} {htu}"));
    }
    for (path, htu) in
        [("/a|b", "/a"), ("/a|b", "/a|c"), ("/a", "/caf\u{e9}"), ("/a", "/a b"), ("/a", "/a\\"), ("/a", "/a`")]
    {
        let answer = visit(&api, path, &format!("https://api.example{htu}")).await;
        answer.is(Expected::Proof, &format!("DPOP-17 {path} {htu}"));
    }
    for (htu, expected) in [
        ("wss://api.example/notes", Expected::Ok),
        ("WSS://api.example:443/notes", Expected::Ok),
        ("https://api.example:0443/notes", Expected::Ok), // a port is a number
        ("https://api.example:0444/notes", Expected::Proof),
        ("ws://api.example/notes", Expected::Proof),
        ("wsss://api.example/notes", Expected::Proof),
        ("https://api.example[/notes", Expected::Proof),
        ("https://[api.example]/notes", Expected::Proof),
    ] {
        visit(&api, "/notes", htu).await.is(expected, &format!("DPOP-17 {htu}"));
    }
    let plain = api_with(|builder| builder.public_origin("http://127.0.0.1:3000"));
    visit(&plain, "/notes", "ws://127.0.0.1:3000/notes").await.is(Expected::Ok, "DPOP-17 ws is http");
    visit(&plain, "/notes", "wss://127.0.0.1:3000/notes").await.is(Expected::Proof, "DPOP-17 wss is https");
}

/// X-47: an original target counts only where the path of the request is its end.
#[tokio::test]
async fn ignores_an_original_target_that_was_copied_to_another_request() {
    let api = api();
    let with = |path: &str, original: OriginalUri, htu: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(&format!("https://api.example{htu}")).mint());
        *request.uri_mut() = path.parse().unwrap();
        request.extensions_mut().insert(OriginalTarget(original.0.clone()));
        let mut twin = request.clone();
        let token = api.token().mint();
        twin.headers_mut().insert("authorization", format!("DPoP {token}").parse().unwrap());
        let proof = api.proof(&token).url(&format!("https://api.example{htu}")).mint();
        twin.headers_mut().insert("dpop", proof.parse().unwrap());
        twin.extensions_mut().clear();
        twin.extensions_mut().insert(original);
        [request, twin]
    };
    let uri = |text: &str| OriginalUri(text.parse().unwrap());
    for (path, original, htu, expected) in [
        ("/notes", "/api/notes", "/api/notes", Expected::Ok),
        ("/notes?a=1", "/api/notes?a=1", "/api/notes", Expected::Ok),
        ("/", "/api/", "/api/", Expected::Ok),
        ("/admin/delete", "/batch", "/batch", Expected::Proof),
        ("/admin/delete", "/batch", "/admin/delete", Expected::Ok),
        ("/admin/delete", "/xadmin/delete", "/xadmin/delete", Expected::Proof),
        ("/notes?a=2", "/api/notes?a=1", "/api/notes", Expected::Proof),
        ("/", "/batch", "/batch", Expected::Proof),
        ("/", "/batch", "/", Expected::Ok),
    ] {
        for request in with(path, uri(original), htu) {
            api.send(request).await.is(expected, &format!("X-47 {path}, said to be {original}, proven for {htu}"));
        }
    }
}

/// DPOP-20: axum leaves nothing of the path for the root of a nested router.
#[tokio::test]
async fn accepts_the_root_of_a_nested_router() {
    let api = api();
    let inner = Router::new().route("/", get(|| async { "root" })).layer(PopLayer::new(api.cfg.clone()));
    let app = Router::new().nest("/api/{tenant}", inner);
    let send = |htu: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(htu).mint()).map(|()| Body::empty());
        *request.uri_mut() = "/api/one?q=1".parse().unwrap();
        app.clone().oneshot(request)
    };
    assert_eq!(send("https://api.example/api/one").await.unwrap().status(), 200, "DPOP-20");
    assert_eq!(send("https://api.example/").await.unwrap().status(), 401, "DPOP-20 the stripped path");
}

/// X-47: the batch handler copies header fields and extensions to requests that it makes.
#[tokio::test]
async fn a_batch_handler_cannot_reach_other_routes_with_one_proof() {
    let api = api();
    let inner = Router::new()
        .route("/admin/delete", get(|| async { "deleted" }))
        .route("/batch", get(|| async { "batch" }))
        .layer(PopLayer::new(api.cfg.clone()));
    let within = inner.clone();
    let batch = move |batch: axum::extract::Request| {
        let inner = within.clone();
        async move {
            let mut part = http::Request::get("/admin/delete").body(Body::empty()).unwrap();
            *part.headers_mut() = batch.headers().clone();
            *part.extensions_mut() = batch.extensions().clone();
            inner.oneshot(part).await.unwrap()
        }
    };
    let app = Router::new().route("/batch", get(batch)).layer(PopLayer::new(api.cfg.clone()));
    let token = api.token().mint();
    let proof = api.proof(&token).url("https://api.example/batch").mint();
    let mut request = request(&token, &proof).map(|()| Body::empty());
    *request.uri_mut() = "/batch".parse().unwrap();
    let again = {
        let token = api.token().mint();
        let proof = api.proof(&token).url("https://api.example/batch").mint();
        let mut request = crate::support::request(&token, &proof).map(|()| Body::empty());
        *request.uri_mut() = "/batch".parse().unwrap();
        request
    };
    assert_eq!(app.oneshot(request).await.unwrap().status(), 401, "X-47");
    assert_eq!(inner.oneshot(again).await.unwrap().status(), 200, "the twin");
}

/// DPOP-18, ERR-19: an unknown host is 400.
#[tokio::test]
async fn a_host_allowlist_chooses_among_its_origins_only() {
    let api = api_with(|builder| builder.allowed_origins(["https://a.example", "https://b.example:8443"]));
    let send = |host: &'static str, htu: &'static str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(htu).mint());
        request.headers_mut().insert("host", host.parse().unwrap());
        api.send(request)
    };
    send("a.example", "https://a.example/notes").await.is(Expected::Ok, "the first");
    send("A.example:443", "https://a.example/notes").await.is(Expected::Ok, "in another form");
    send("b.example:8443", "https://b.example:8443/notes").await.is(Expected::Ok, "the second");
    send("a.example", "https://b.example:8443/notes").await.is(Expected::Proof, "DPOP-18 the other one's proof");
    for host in ["evil.example", "b.example", "a.example.evil.example", "a.example@evil.example", ""] {
        send(host, "https://a.example/notes").await.is(Expected::BadRequest, &format!("ERR-19 {host}"));
    }
    let token = api.token().mint();
    let no_host = request(&token, &api.proof(&token).mint());
    api.send(no_host).await.is(Expected::BadRequest, "no host at all");
}

/// DPOP-18, X-75: forwarded hosts count from trusted peers only, and must be on the list.
#[tokio::test]
async fn trusted_proxies_choose_among_the_allowed_origins() {
    let api = api_with(|builder| {
        builder
            .allowed_origins(["https://a.example", "https://b.example"])
            .trusted_proxies(["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()])
    });
    let send = |peer: &str, headers: &[(&'static str, &'static str)], htu: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(htu).mint());
        request.headers_mut().insert("host", "a.example".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
        api.send(request)
    };
    let (a, b) = ("https://a.example/notes", "https://b.example/notes");
    let forwarded = [("x-forwarded-host", "b.example"), ("x-forwarded-proto", "https")];
    for peer in ["10.1.2.3", "::1", "::ffff:10.1.2.3"] {
        send(peer, &forwarded, b).await.is(Expected::Ok, peer);
        send(peer, &[], a).await.is(Expected::Ok, peer);
        send(peer, &[("x-forwarded-host", "evil.example")], "https://evil.example/notes")
            .await
            .is(Expected::BadRequest, "DPOP-18 not on the list");
        send(peer, &[("x-forwarded-host", "b.example"), ("x-forwarded-proto", "http")], b)
            .await
            .is(Expected::BadRequest, "another scheme");
        send(peer, &[("x-forwarded-proto", "http")], a).await.is(Expected::BadRequest, "the scheme alone counts");
        send(peer, &[("x-forwarded-host", "b.example"), ("x-forwarded-host", "a.example")], b)
            .await
            .is(Expected::BadRequest, "X-75 two lines");
        send(peer, &[("x-forwarded-host", "evil.example, b.example")], b).await.is(Expected::BadRequest, "X-75 a list");
    }
    for peer in ["192.0.2.1", "2001:db8::1"] {
        send(peer, &forwarded, b).await.is(Expected::Proof, "DPOP-18 not a trusted peer");
        send(peer, &forwarded, a).await.is(Expected::Ok, "its fields are ignored");
    }
}

/// DPOP-20: under `Router::nest`, with `OriginalTarget`, and behind a proxy that strips a prefix.
#[tokio::test]
async fn compares_the_path_that_the_client_used() {
    let api = api();
    let inner = Router::new().route("/notes", get(|| async { "notes" })).layer(PopLayer::new(api.cfg.clone()));
    let app = Router::new().nest("/api/v1", inner);
    let send = |htu: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(htu).mint()).map(|()| Body::empty());
        *request.uri_mut() = "/api/v1/notes?q=1".parse().unwrap();
        app.clone().oneshot(request)
    };
    assert_eq!(send("https://api.example/api/v1/notes").await.unwrap().status(), 200, "DPOP-20");
    assert_eq!(send("https://api.example/notes").await.unwrap().status(), 401, "DPOP-20 the stripped path");

    let stripped = |api: &Api, htu: &str| {
        let token = api.token().mint();
        let mut request = request(&token, &api.proof(&token).url(htu).mint());
        request.extensions_mut().insert(OriginalTarget("/outer/notes".parse().unwrap()));
        request
    };
    api.send(stripped(&api, "https://api.example/outer/notes")).await.is(Expected::Ok, "DPOP-20 without axum");
    api.send(stripped(&api, "https://api.example/notes")).await.is(Expected::Proof, "DPOP-20 without axum");

    let behind = api_with(|builder| builder.path_prefix("/gateway"));
    visit(&behind, "/notes", "https://api.example/gateway/notes")
        .await
        .is(Expected::Ok, "DPOP-20 a prefix the proxy strips");
    visit(&behind, "/notes", "https://api.example/notes").await.is(Expected::Proof, "DPOP-20");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// X-49: whatever `htu` matches has our scheme and authority, and nothing makes the comparison panic.
    #[test]
    fn no_htu_reaches_another_origin(htu in "(https?|HTTPS)?:?/{0,3}[a-z@:.%\\\\?#/0-9A-Z\u{e9} ]{0,40}") {
        let origin = Origin::parse("https://api.example").unwrap();
        let target = RequestTarget::new(&origin, "/notes").unwrap();
        if target.matches(&htu) == Ok(true) {
            let lower = htu.to_ascii_lowercase();
            prop_assert!(lower.starts_with("https://api.example/") || lower.starts_with("https://api.example:443/"), "{htu}");
        }
    }

    /// ERR-17: any path and any `htu`.
    #[test]
    fn request_targets_never_panic(path in any::<String>(), htu in any::<String>()) {
        let origin = Origin::parse("https://api.example").unwrap();
        if let Ok(target) = RequestTarget::new(&origin, &path) {
            let _ = target.matches(&htu);
            prop_assert_eq!(target.matches(&format!("https://api.example{}", target.path())), Ok(true));
        }
        let _ = Origin::parse(&htu);
    }

    /// DPOP-15: a target that is normalised once stays the same.
    #[test]
    fn normalisation_is_stable(path in "(/[a-zA-Z0-9._~%2Ff;:@-]{0,8}){1,5}") {
        let origin = Origin::parse("https://api.example").unwrap();
        if let Ok(target) = RequestTarget::new(&origin, &path) {
            let again = RequestTarget::new(&origin, target.path()).unwrap();
            prop_assert_eq!(target.path(), again.path());
        }
    }
}
