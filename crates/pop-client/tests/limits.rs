//! Limits of time and memory, and what settings of the caller cannot change.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use pop_client::{
    ClientError, ClientOptions, DpopClient, Endpoints, HttpFailure, ResourceMetadata, TokenClient, UrlError,
};
use support::{client, content_length, head, key, mute, raw, response, rest, write};
use tokio::io::AsyncReadExt;

const SHORT: Duration = Duration::from_millis(300);

fn short() -> ClientOptions {
    ClientOptions::new()
        .connect_timeout(SHORT)
        .document_timeout(SHORT)
        .token_timeout(SHORT)
        .response_timeout(SHORT)
        .body_delay(Duration::ZERO)
}

async fn token_client(url: &str, options: ClientOptions) -> TokenClient {
    let endpoints = Endpoints::new(format!("{url}/token")).authorization(format!("{url}/authorize"));
    let endpoints = endpoints.pushed_authorization(format!("{url}/par"));
    TokenClient::builder(url, "app").options(options).endpoints(endpoints).build(key()).await.unwrap()
}

fn timed_out<T>(outcome: Result<T, ClientError>) -> bool {
    match outcome {
        Err(ClientError::Http(error)) => error.failure() == HttpFailure::Timeout,
        Err(ClientError::Discovery(error)) => error
            .attempts()
            .all(|(_, error)| matches!(error, ClientError::Http(error) if error.failure() == HttpFailure::Timeout)),
        _ => false,
    }
}

/// CLI-26: discovery, tokens and resources.
#[tokio::test]
async fn every_request_times_out_when_the_server_does_not_answer() {
    let url = mute().await;
    let begun = Instant::now();
    let tokens = token_client(&url, short()).await;
    let resource = client(&short());
    assert!(timed_out(TokenClient::builder(&url, "app").options(short()).build(key()).await), "CLI-26 discovery");
    assert!(timed_out(ResourceMetadata::fetch_with_options(&url, &short()).await), "CLI-26 metadata");
    assert!(timed_out(tokens.client_credentials(None, None).await), "CLI-26 token");
    let request = tokens.authorize("http://127.0.0.1/callback", None, None).unwrap();
    assert!(timed_out(tokens.push(request).await), "CLI-26 pushed request");
    assert!(timed_out(resource.get(&url).send().await), "CLI-26 resource");
    assert!(timed_out(resource.post(&url).body(vec![0; 100_000]).send().await), "CLI-26 after a large body");
    assert!(timed_out(resource.warm_up(&url).await), "CLI-26 warm-up");
    assert!(begun.elapsed() < Duration::from_secs(10), "CLI-26 {:?}", begun.elapsed());
}

/// CLI-26: the body of a resource belongs to the caller and has no limit by default.
#[tokio::test]
async fn a_slow_document_times_out_as_a_whole() {
    let url = raw(|mut stream, _| async move {
        head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":\"").await;
        for _ in 0..200 {
            write(&mut stream, "x").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(timed_out(TokenClient::builder(&url, "app").options(short()).build(key()).await), "CLI-26 discovery");
    assert!(timed_out(ResourceMetadata::fetch_with_options(&url, &short()).await), "CLI-26 metadata");
    assert!(timed_out(token_client(&url, short()).await.client_credentials(None, None).await), "CLI-26 token");
    // The body of a resource belongs to the caller: it is read to its end unless the caller sets a limit.
    let slow = client(&short()).get(&url).send().await.unwrap();
    let read = tokio::time::timeout(3 * SHORT, slow.bytes()).await;
    assert!(read.is_err(), "CLI-26 still reading after three response timeouts");
    let limited = client(&short().total_timeout(SHORT)).get(&url).send().await.unwrap();
    assert!(limited.bytes().await.unwrap_err().is_timeout(), "CLI-26 by option");
    let limited = client(&short()).get(&url).timeout(SHORT).send().await.unwrap();
    assert!(limited.bytes().await.unwrap_err().is_timeout(), "CLI-26 for one call");
}

/// Sends a JSON document that does not end; counts the bytes that were read.
async fn endless(status: &'static str, fields: &'static str) -> (String, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let url = raw(move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            use tokio::io::AsyncWriteExt;
            head(&mut stream).await;
            write(&mut stream, &format!("HTTP/1.1 {status}\r\n{fields}\r\n{{\"a\":\"")).await;
            let piece = vec![b'x'; 16 * 1024];
            while stream.write_all(&piece).await.is_ok() && count.load(Ordering::Relaxed) < 600 << 20 {
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    (url, taken)
}

/// CLI-26: metadata and token responses have maximum lengths.
#[tokio::test]
async fn endless_responses_are_not_read() {
    /// What the buffers of all connections may hold.
    const BUFFERS: usize = 100 << 20;
    for fields in ["content-type: application/json\r\n", "content-length: 629145600\r\n"] {
        let (url, taken) = endless("200 OK", fields).await;
        match TokenClient::builder(&url, "app").build(key()).await {
            Err(ClientError::Discovery(error)) => {
                let large = |error: &ClientError| matches!(error, ClientError::TooLarge { limit: 262_144, .. });
                assert!(error.attempts().all(|(_, error)| large(error)), "CLI-26 {error}");
            }
            other => panic!("{other:?}"),
        }
        let metadata = ResourceMetadata::fetch(&url).await;
        assert!(matches!(metadata, Err(ClientError::TooLarge { .. })), "CLI-26 {metadata:?}");
        let token = token_client(&url, ClientOptions::new()).await.client_credentials(None, None).await;
        assert!(matches!(token, Err(ClientError::TooLarge { limit: 65_536, .. })), "CLI-26 {token:?}");
        assert!(taken.load(Ordering::Relaxed) < BUFFERS, "CLI-26 {} bytes", taken.load(Ordering::Relaxed));
    }
    for status in ["400 Bad Request", "401 Unauthorized"] {
        let (url, taken) = endless(status, "content-type: application/json\r\n").await;
        let token = token_client(&url, ClientOptions::new()).await.client_credentials(None, None).await;
        assert!(matches!(token, Err(ClientError::Status { .. })), "CLI-26 an error keeps its status {token:?}");
        let mut answer = client(&ClientOptions::new()).get(&url).send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap()[..6], b"{\"a\":\""[..], "CLI-26 the caller's, whole");
        drop(answer);
        assert!(taken.load(Ordering::Relaxed) < BUFFERS, "CLI-26 {} bytes", taken.load(Ordering::Relaxed));
    }
}

/// CLI-26: one byte more is an error.
#[tokio::test]
async fn the_maximum_length_of_a_response_is_exact() {
    for (limit, accepted) in [(1000, true), (999, false)] {
        let url = raw(|mut stream, _| async move {
            let (head, _) = head(&mut stream).await;
            let document = r#"{"access_token":"at","token_type":"DPoP","x":""}"#;
            let filled = document.replace("\"\"", &format!("\"{}\"", "x".repeat(1000 - document.len())));
            assert!(head.starts_with("POST /token"));
            write(&mut stream, &response("200 OK", "", &filled)).await;
        })
        .await;
        let client = token_client(&url, ClientOptions::new().max_token_response_len(limit)).await;
        assert_eq!(client.client_credentials(None, None).await.is_ok(), accepted, "CLI-26 {limit}");
    }
}

/// CLI-26: the timeout of a response counts after the body.
#[tokio::test]
async fn a_long_upload_is_not_cut_off_while_it_progresses() {
    const SIZE: usize = 24 << 20;
    let url = raw(|mut stream, _| async move {
        let (head, begun) = head(&mut stream).await;
        let length = content_length(&head);
        let (mut total, mut buffer) = (begun.len(), vec![0; 1 << 20]);
        while total < length {
            let before = total >> 20;
            total += stream.read(&mut buffer).await.unwrap();
            // For each mebibyte, not for each read: what the kernel holds at the end must be read in time.
            if total >> 20 > before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        write(&mut stream, &response("200 OK", "", &total.to_string())).await;
    })
    .await;
    let begun = Instant::now();
    let answer = client(&short()).put(&url).body(vec![7; SIZE]).send().await.unwrap();
    assert!(begun.elapsed() > SHORT, "CLI-26 the upload took longer than the wait for a response");
    assert_eq!(answer.text().await.unwrap(), SIZE.to_string(), "CLI-26");
}

trait Put {
    fn put(&self, url: &str) -> pop_client::RequestBuilder;
}

impl Put for DpopClient {
    fn put(&self, url: &str) -> pop_client::RequestBuilder {
        self.request(Method::PUT, url)
    }
}

/// CLI-26: zero is none of the limits.
#[tokio::test]
async fn rejects_wrong_options_and_names_them() {
    let zero = Duration::ZERO;
    for (name, options) in [
        ("connect_timeout", ClientOptions::new().connect_timeout(zero)),
        ("document_timeout", ClientOptions::new().document_timeout(zero)),
        ("token_timeout", ClientOptions::new().token_timeout(zero)),
        ("response_timeout", ClientOptions::new().response_timeout(zero)),
        ("total_timeout", ClientOptions::new().total_timeout(zero)),
        ("max_document_len", ClientOptions::new().max_document_len(0)),
        ("max_token_response_len", ClientOptions::new().max_token_response_len(0)),
    ] {
        match DpopClient::with_options(key(), "t", &options) {
            Err(ClientError::Options(error)) => assert!(error.to_string().contains(name), "CLI-26 {error}"),
            other => panic!("{name} {other:?}"),
        }
    }
    let maximum = ClientOptions::new().response_timeout(Duration::MAX).connect_timeout(Duration::MAX);
    let url = raw(|mut stream, _| async move {
        head(&mut stream).await;
        write(&mut stream, &response("200 OK", "", "")).await;
    })
    .await;
    assert_eq!(client(&maximum).get(&url).send().await.unwrap().status(), 200, "CLI-26 the twin");
}

/// A proxy that responds with 418 and counts requests.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let url = raw(move |mut stream, _| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            head(&mut stream).await;
            write(&mut stream, &response("418 I'm a teapot", "", "")).await;
        }
    })
    .await;
    (url, seen)
}

/// A server with metadata, token endpoint and resource.
async fn direct() -> String {
    raw(|mut stream, _| async move {
        let (head, begun) = head(&mut stream).await;
        rest(&mut stream, content_length(&head), begun.len()).await;
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let body = format!(
            r#"{{"issuer":"http://{host}","resource":"http://{host}","token_endpoint":"http://{host}/token",
                "access_token":"at","token_type":"DPoP"}}"#
        );
        write(&mut stream, &response("200 OK", "", &body)).await;
    })
    .await
}

/// Every kind of request over plain http; then one over https.
async fn everything(url: &str, options: &ClientOptions) {
    let tokens = TokenClient::builder(url, "app").options(options.clone()).build(key()).await.unwrap();
    let token = tokens.client_credentials(None, None).await.unwrap();
    assert_eq!(tokens.http_client(&token).get(url).send().await.unwrap().status(), 200);
    assert_eq!(client(options).get(url).send().await.unwrap().status(), 200);
    ResourceMetadata::fetch_with_options(url, options).await.unwrap();
}

/// CLI-27: the proxy would see the token.
#[tokio::test]
async fn plain_http_never_goes_through_a_proxy_of_the_callers_settings() {
    let (proxy, seen) = proxy().await;
    let own = proxy.clone();
    let options = ClientOptions::new().http(move |http| http.proxy(reqwest::Proxy::all(&own).unwrap()));
    everything(&direct().await, &options).await;
    let own = proxy.clone();
    let custom = ClientOptions::new().http(move |http| {
        let own = own.clone();
        http.proxy(reqwest::Proxy::custom(move |_| Some(own.clone())))
    });
    everything(&direct().await, &custom).await;
    assert_eq!(seen.load(Ordering::Relaxed), 0, "CLI-27");
    let tunnelled = client(&options).get("https://api.example/").send().await;
    assert!(tunnelled.is_err() && seen.load(Ordering::Relaxed) == 1, "CLI-27 the twin: https goes there");
}

/// CLI-27: `HTTP_PROXY` and its relatives.
#[tokio::test]
async fn plain_http_never_goes_through_a_proxy_of_the_environment() {
    const URLS: &str = "POP_CLIENT_TEST_DIRECT";
    if let Ok(url) = std::env::var(URLS) {
        everything(&url, &ClientOptions::new()).await;
        everything(&url, &ClientOptions::new().http(|http| http.user_agent("x"))).await;
        assert!(client(&ClientOptions::new()).get("https://api.example/").send().await.is_err());
        return;
    }
    let ((proxy, seen), direct) = (proxy().await, direct().await);
    // Environment variables can only be set for another process.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.arg("plain_http_never_goes_through_a_proxy_of_the_environment").env(URLS, direct);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
        child.env(name, &proxy);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("REQUEST_METHOD");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "CLI-27 {}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(seen.load(Ordering::Relaxed), 1, "CLI-27 https alone went there");
}

/// CLI-09, CLI-27: the token would follow them.
#[tokio::test]
async fn settings_of_the_caller_cannot_turn_redirects_on() {
    let (other, seen) = proxy().await;
    let url = raw(move |mut stream, _| {
        let other = other.clone();
        async move {
            head(&mut stream).await;
            write(&mut stream, &response("307 Temporary Redirect", &format!("location: {other}/\r\n"), "")).await;
        }
    })
    .await;
    let options = ClientOptions::new().http(|http| http.redirect(reqwest::redirect::Policy::limited(9)));
    let answer = client(&options).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 307, "CLI-09");
    assert!(matches!(token_client(&url, options).await.client_credentials(None, None).await,
        Err(ClientError::Status { status, .. }) if status == 307));
    assert_eq!(seen.load(Ordering::Relaxed), 0, "CLI-09 CLI-27 nothing was sent there");
}

/// CLI-18: for all kinds of requests.
#[tokio::test]
async fn plain_http_beyond_loopback_needs_a_dangerous_option() {
    let url = direct().await;
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let options = ClientOptions::new().http(move |http| http.resolve("api.test", address));
    let named = format!("http://api.test:{}", address.port());
    let rejected = |error: ClientError| matches!(error, ClientError::Url(UrlError::PlainHttp { .. }));
    let dangerous = options.clone().dangerous().allow_http();
    everything(&named, &dangerous).await;
    assert!(rejected(client(&options).get(&named).send().await.unwrap_err()), "CLI-18");
    assert!(rejected(client(&options).warm_up(&named).await.unwrap_err()), "CLI-18");
    assert!(rejected(ResourceMetadata::fetch_with_options(&named, &options).await.unwrap_err()), "CLI-18");
    assert!(rejected(TokenClient::builder(&named, "app").options(options).build(key()).await.unwrap_err()), "CLI-18");
}
