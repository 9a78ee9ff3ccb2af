//! Raw TCP servers, and the log of the client.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod script;

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use pop_client::{Algorithm, ClientOptions, DpopClient, DpopKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).unwrap()
}

pub(crate) fn client(options: &ClientOptions) -> DpopClient {
    DpopClient::with_options(key(), "the-token", options).unwrap()
}

/// The layer with a token that is bound by DPoP.
#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
pub(crate) fn layer(origin: &str) -> pop_client::ProofLayer {
    let token = pop_client::BoundToken::new("the-token", pop_client::ProofMethod::Dpop(key()));
    pop_client::ProofLayer::new(token, origin).unwrap()
}

/// Serves each connection with this function; returns the origin.
pub(crate) async fn raw<F, R>(serve: F) -> String
where
    F: Fn(TcpStream, usize) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    url
}

/// Accepts connections and never responds.
pub(crate) async fn mute() -> String {
    raw(|mut stream, _| async move { while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {} }).await
}

/// Reads the head of a request; returns it with the part of the body that came with it.
pub(crate) async fn head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut text = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        text.extend_from_slice(&buffer[..read]);
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = text.split_off(end + 4);
            return (String::from_utf8(text).unwrap(), body);
        }
        if read == 0 {
            return (String::new(), Vec::new());
        }
    }
}

pub(crate) fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:").map(str::to_owned));
    line.map_or(0, |length| length.trim().parse().unwrap())
}

/// Reads the rest of a body; returns its length.
pub(crate) async fn rest(stream: &mut TcpStream, length: usize, begun: usize) -> usize {
    let (mut total, mut buffer) = (begun, vec![0; 64 * 1024]);
    while total < length {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => total += read,
            _ => break,
        }
    }
    total
}

pub(crate) async fn write(stream: &mut TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()).await);
}

/// A response with this status, these lines of fields and this body, after which the connection ends.
pub(crate) fn response(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// What is logged on this thread while the guard lives.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        // With one subscriber alone, a thread without one may decide for all threads that nothing is logged.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
