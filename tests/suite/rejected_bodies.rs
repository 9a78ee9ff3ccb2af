//! The response to a rejected request arrives although the request has a body (RFC 9112 §9.6).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{Mode, NoncePolicy, PopConfigBuilder, PopLayer, RequireScope, VerifiedToken};

use crate::support::{AUDIENCE, Api, Slow, api, api_with};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Serves an API over TCP: `/notes` accepts any body, `/guarded` requires a scope that no token has.
async fn serve(api: &Api) -> SocketAddr {
    let app = Router::new()
        .route("/notes", post(|_: VerifiedToken, body: Bytes| async move { body.len().to_string() }))
        .route("/guarded", post(|body: Bytes| async move { body.len().to_string() }).layer(RequireScope::all(["none"])))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(PopLayer::new(api.cfg.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn proven(api: &Api, path: &str) -> (String, String) {
    let token = api.token().mint();
    let proof = api.proof(&token).method("POST").url(&format!("{AUDIENCE}{path}")).mint();
    (token, proof)
}

fn head(api: &Api, path: &str, framing: &str) -> String {
    let (token, proof) = proven(api, path);
    format!(
        "POST {path} HTTP/1.1\r\nHost: api.example\r\nAuthorization: DPoP {token}\r\nDPoP: {proof}\r\n{framing}\r\n\r\n"
    )
}

fn with_length(length: usize) -> String {
    format!("Content-Length: {length}")
}

/// Reads one response: its head, and its body away.
async fn response(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let head_ends = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "closed: {}", String::from_utf8_lossy(&read));
    };
    let head = String::from_utf8(read[..head_ends].to_vec()).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = read[head_ends..].to_vec();
    while body.len() < length {
        assert!(stream.read_buf(&mut body).await.unwrap() > 0, "closed within the body");
    }
    head
}

fn closes(head: &str) -> bool {
    head.contains("connection: close")
}

/// Writes a head and a body to the end, and only then reads.
async fn write_then_read(stream: &mut TcpStream, head: &str, length: usize, chunked: bool) -> String {
    let chunk = vec![b'x'; 16 * KIB];
    stream.write_all(head.as_bytes()).await.unwrap();
    for at in (0..length).step_by(chunk.len()) {
        let part = &chunk[..chunk.len().min(length - at)];
        if chunked {
            stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await.unwrap();
        }
        stream.write_all(part).await.unwrap();
        if chunked {
            stream.write_all(b"\r\n").await.unwrap();
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
    response(stream).await
}

fn nonce_required(builder: PopConfigBuilder) -> PopConfigBuilder {
    builder.nonce(NoncePolicy::Required)
}

type Configure = fn(PopConfigBuilder) -> PopConfigBuilder;

/// ERR-16: whatever rejects: the layer at once, the layer in mode `ReportOnly`, the layer after it waited, a guard.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_writes_first_gets_the_response_over_http_1() {
    let rows: [(&str, Configure, &str, &str); 4] = [
        ("nonce", nonce_required, "/notes", " 401 "),
        ("no credentials in mode ReportOnly", |builder| builder.mode(Mode::ReportOnly), "/notes", " 401 "),
        ("a store that answers later", |builder| builder.replay_store(Slow::default()), "/notes", " 401 "),
        ("a guard", |builder| builder, "/guarded", " 403 "),
    ];
    for (row, configure, path, status) in rows {
        let api = api_with(configure);
        let address = serve(&api).await;
        for (length, chunked) in
            [(1, false), (32 * KIB, false), (40 * KIB, true), (MIB, false), (5 * MIB, true), (16 * MIB, false)]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let framing = if chunked { "Transfer-Encoding: chunked".to_owned() } else { with_length(length) };
            let mut request = head(&api, path, &framing);
            if row.starts_with("no credentials") {
                request = request.replace("Authorization: ", "X-Authorization: ");
            }
            if row == "a store that answers later" {
                write_then_read(&mut stream, &request, length, chunked).await; // used up
            }
            let head = write_then_read(&mut stream, &request, length, chunked).await;
            assert!(head.contains(status), "ERR-16 {row} {length} {chunked}: {head}");
            assert_eq!(head.contains("dpop-nonce: "), row == "nonce", "NONCE-03 {head}");
            if !closes(&head) {
                let again =
                    write_then_read(&mut stream, &self::head(&api, "/guarded", &with_length(1)), 1, false).await;
                assert!(again.starts_with("http/1.1 40"), "the connection stays in use: {again}");
            }
        }
    }
}

/// ERR-16: closing would cost a connection for each nonce challenge.
#[tokio::test]
async fn a_body_that_was_read_to_its_end_leaves_the_connection_open() {
    let api = api_with(nonce_required);
    let mut stream = TcpStream::connect(serve(&api).await).await.unwrap();
    for (length, chunked) in [(0, false), (10, false), (64 * KIB, true), (64 * KIB, false), (0, true)] {
        let framing = if chunked { "Transfer-Encoding: chunked".to_owned() } else { with_length(length) };
        let head = write_then_read(&mut stream, &head(&api, "/notes", &framing), length, chunked).await;
        assert!(head.contains(" 401 ") && !closes(&head), "{length} {chunked}: {head}");
    }
    let accepted = crate::support::api();
    let mut stream = TcpStream::connect(serve(&accepted).await).await.unwrap();
    let head = write_then_read(&mut stream, &head(&accepted, "/notes", &with_length(64 * KIB)), 64 * KIB, false).await;
    assert!(head.contains(" 200 ") && !closes(&head), "the twin: {head}");
}

/// ERR-16: with `Connection: close`.
#[tokio::test]
async fn a_body_beyond_the_limit_ends_the_connection_and_the_response_says_so() {
    let api = api_with(|builder| nonce_required(builder).rejected_body_limit(64 * 1024));
    let address = serve(&api).await;
    for framing in [with_length(64 * KIB + 1), with_length(usize::MAX / 4), "Transfer-Encoding: chunked".to_owned()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head(&api, "/notes", &framing).as_bytes()).await.unwrap();
        if framing.contains("chunked") {
            // More than the limit, and less than what the kernel buffers.
            stream.write_all(format!("{:x}\r\n", 100 * KIB).as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; 100 * KIB]).await.unwrap();
        }
        let head = response(&mut stream).await;
        assert!(head.contains(" 401 ") && closes(&head), "{framing}: {head}");
    }
    // A body of exactly the limit is read.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = write_then_read(&mut stream, &head(&api, "/notes", &with_length(64 * KIB)), 64 * KIB, false).await;
    assert!(head.contains(" 401 ") && !closes(&head), "the twin: {head}");
}

/// ERR-16: a limit of zero bytes or of no time.
#[tokio::test]
async fn every_body_ends_the_connection_when_reading_is_off() {
    let bytes: Configure = |builder| builder.rejected_body_limit(0);
    let time: Configure = |builder| builder.rejected_body_timeout(Duration::ZERO);
    for configure in [bytes, time] {
        let api = api_with(|builder| configure(nonce_required(builder)));
        let address = serve(&api).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = write_then_read(&mut stream, &head(&api, "/notes", &with_length(10)), 10, false).await;
        assert!(answer.contains(" 401 ") && closes(&answer), "{answer}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = write_then_read(&mut stream, &head(&api, "/notes", &with_length(0)), 0, false).await;
        assert!(answer.contains(" 401 ") && !closes(&answer), "no body, the twin: {answer}");
    }
}

/// ERR-16: the response waits for half a second at most.
#[tokio::test]
async fn a_slow_body_delays_neither_the_response_nor_the_end_of_the_connection() {
    let api = api_with(|builder| nonce_required(builder).rejected_body_timeout(Duration::from_secs(4)));
    let mut stream = TcpStream::connect(serve(&api).await).await.unwrap();
    let start = Instant::now();
    stream.write_all(head(&api, "/notes", &with_length(1000)).as_bytes()).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let head = response(&mut stream).await;
    assert!(head.contains(" 401 ") && closes(&head), "{head}");
    assert!(start.elapsed() < Duration::from_millis(3500), "the response came after {:?}", start.elapsed());
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let end = async { reader.read(&mut [0]).await.unwrap_or(0) };
    tokio::select! { () = trickle => {} read = end => assert_eq!(read, 0) }
    assert!(start.elapsed() < Duration::from_secs(20), "the connection ended after {:?}", start.elapsed());
}

/// ERR-16: it has not sent its body.
#[tokio::test]
async fn a_client_that_expects_100_continue_gets_the_response_at_once() {
    let api = api_with(nonce_required);
    let framing = format!("{}\r\nExpect: 100-continue", with_length(MIB));
    // On a busy machine, one of ten is quick.
    let mut quickest = Duration::MAX;
    for _ in 0..10 {
        let mut stream = TcpStream::connect(serve(&api).await).await.unwrap();
        let start = Instant::now();
        stream.write_all(head(&api, "/notes", &framing).as_bytes()).await.unwrap();
        let answer = response(&mut stream).await;
        assert!(answer.starts_with("http/1.1 401 ") && closes(&answer), "{answer}");
        quickest = quickest.min(start.elapsed());
    }
    assert!(quickest < Duration::from_millis(450), "{quickest:?}");
    // A client that does not wait gets the response as well.
    let mut stream = TcpStream::connect(serve(&api).await).await.unwrap();
    let answer = write_then_read(&mut stream, &head(&api, "/notes", &framing), MIB, false).await;
    assert!(answer.starts_with("http/1.1 401 "), "{answer}");
}

/// ERR-16: and HTTP/2 responses never have `Connection`.
#[tokio::test(flavor = "multi_thread")]
async fn clients_get_the_response_over_http_1_and_http_2() {
    let api = api_with(nonce_required);
    let address = serve(&api).await;
    let clients = [
        reqwest::Client::builder().build().unwrap(),
        reqwest::Client::builder().http2_prior_knowledge().build().unwrap(),
    ];
    for (client, version) in clients.iter().zip([http::Version::HTTP_11, http::Version::HTTP_2]) {
        for length in [0, 32 * KIB, MIB, 16 * MIB, 40 * MIB] {
            for streamed in [false, true] {
                let (token, proof) = proven(&api, "/notes");
                let body = if streamed {
                    let part = Bytes::from(vec![b'x'; 16 * KIB]);
                    let parts = (0..length / part.len()).map(move |_| Ok::<_, Infallible>(Frame::data(part.clone())));
                    reqwest::Body::wrap(http_body_util::StreamBody::new(futures_util::stream::iter(parts)))
                } else {
                    vec![b'x'; length].into()
                };
                let request = client.post(format!("http://{address}/notes")).header("dpop", proof).body(body);
                let answer = request.header("authorization", format!("DPoP {token}")).send().await;
                let answer = answer.unwrap_or_else(|error| panic!("{version:?} {length} {streamed}: {error:?}"));
                assert_eq!((answer.status().as_u16(), answer.version()), (401, version), "{length}");
                assert!(answer.headers().contains_key("dpop-nonce"));
                let connection = answer.headers().get("connection");
                assert!(version == http::Version::HTTP_11 || connection.is_none(), "{length} {connection:?}");
            }
        }
    }
}

/// Never ends; counts what is read of it.
struct Endless(Arc<AtomicU64>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(KIB as u64, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; KIB])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

async fn reject<B: Send + 'static>(api: &Api, body: B) -> Response<String> {
    let inner = service_fn(|_: Request<B>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let request = Request::post("/notes").header("content-length", "7").body(body).unwrap();
    PopLayer::new(api.cfg.clone()).layer(inner).oneshot(request).await.unwrap()
}

/// ERR-16: a body of an unknown type stays unread, and the connection ends.
#[tokio::test]
async fn bodies_of_other_types_are_read_when_they_are_named() {
    let closes = |response: &Response<String>| response.headers().contains_key("connection");
    let named = api_with(PopConfigBuilder::rejected_body_type::<Full<Bytes>>);
    assert!(!closes(&reject(&named, Full::new(Bytes::from_static(b"1234567"))).await), "read to its end");
    assert!(closes(&reject(&api(), Full::new(Bytes::from_static(b"1234567"))).await), "unknown, so unread");
    assert!(!closes(&reject(&api(), Body::from("1234567")).await), "axum's is known");
    assert!(!closes(&reject(&api(), http_body_util::Limited::new(Body::from("1234567"), 10)).await));
    let read = Arc::new(AtomicU64::new(0));
    let limited = api_with(|builder| builder.rejected_body_type::<Endless>().rejected_body_limit(100 * 1024));
    assert!(closes(&reject(&limited, Endless(Arc::clone(&read))).await));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(read.load(Ordering::SeqCst), 101 * 1024, "one frame beyond the limit and no more");
}

/// ERR-16: without them the body stays unread.
#[test]
fn a_rejection_needs_neither_a_runtime_nor_timers() {
    let api = api();
    let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = without_timers.block_on(reject(&api, Body::from("1234567")));
    assert_eq!((response.status().as_u16(), &response.headers()["connection"]), (401, &"close".parse().unwrap()));
    let mut future = Box::pin(reject(&api, Body::from("1234567")));
    let Poll::Ready(response) = future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) else {
        panic!("nothing to wait for without a runtime");
    };
    assert_eq!((response.status().as_u16(), &response.headers()["connection"]), (401, &"close".parse().unwrap()));
}

/// ERR-14: and wrong timeouts of the replay store.
#[test]
fn build_rejects_wrong_limits_for_rejected_bodies() {
    let build = |configure: Configure| {
        let builder = tower_pop::PopConfig::builder("https://as.example", AUDIENCE);
        configure(builder).build().map(drop).map_err(|error| error.to_string())
    };
    let rows: [(Configure, &str); 4] = [
        (|b| b.rejected_body_limit((1 << 30) + 1), "rejected_body_limit is 1073741825, outside 0..=1073741824"),
        (
            |b| b.rejected_body_timeout(Duration::from_secs(61)),
            "rejected_body_timeout in ms is 61000, outside 0..=60000",
        ),
        (|b| b.replay_timeout(Duration::ZERO), "replay_timeout in ms is 0, outside 1..=60000"),
        (|b| b.replay_timeout(Duration::from_secs(61)), "replay_timeout in ms is 61000, outside 1..=60000"),
    ];
    for (configure, message) in rows {
        assert_eq!(build(configure), Err(message.to_owned()), "ERR-14");
    }
    assert_eq!(build(|b| b.rejected_body_limit(1 << 30).rejected_body_timeout(Duration::from_secs(60))), Ok(()));
}
