//! The user's answer in the browser: a loopback redirect URI (RFC 8252 §7.3).

use std::io::Write;
use std::time::Duration;

use pop_client::reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;

/// How long the user may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long one connection may take to send its request.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_HEAD: usize = 16 * 1024;

/// A port that the browser is redirected to.
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

impl Callback {
    pub(super) async fn listen(port: u16) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("cannot listen on 127.0.0.1:{port}: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Opens the browser, and returns the URL that it was redirected to.
    pub(super) async fn ask(self, url: &str) -> Result<String, Failure> {
        let _ = writeln!(std::io::stderr(), "* open in the browser: {url}");
        open(url);
        let state = state_of(url);
        let answer = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok((stream, _)) = self.listener.accept().await
                    && let Ok(Some(target)) = tokio::time::timeout(READ_TIMEOUT, target(stream, state.as_deref())).await
                {
                    return format!("http://127.0.0.1:{}{target}", self.port);
                }
            }
        });
        answer.await.map_err(|_| Failure::failed("there was no answer from the browser within 300 s"))
    }
}

/// Returns `state` of a URL. An authorization request that was pushed has none (RFC 9126 §4).
fn state_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
}

/// Returns the target of a request for the redirect URI, and answers it. Any page can send such a request: one with another
/// state than the expected one does not end the wait.
async fn target(mut stream: TcpStream, state: Option<&str>) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0 && head.len() < MAX_HEAD)?;
        head.extend_from_slice(part.get(..read)?);
    }
    let line = String::from_utf8_lossy(&head).lines().next()?.to_owned();
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let is_expected =
        |target: &&str| state.is_none() || state_of(&format!("http://127.0.0.1{target}")).as_deref() == state;
    let target = target.filter(|target| target.starts_with("/callback?")).filter(is_expected);
    let (status, text) = match target {
        Some(_) => ("200 OK", "You can close this window, and go back to the terminal."),
        None => ("404 Not Found", "This is not the answer to the request in the terminal."),
    };
    let length = text.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{text}"
    );
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
    target.map(ToOwned::to_owned)
}

/// Opens a URL in the program of `BROWSER`, or in that of the system. The user can open it too.
fn open(url: &str) {
    let program = std::env::var("BROWSER").ok().filter(|program| !program.is_empty());
    let (program, first) = match program.as_deref() {
        Some(program) => (program, None),
        None if cfg!(target_os = "macos") => ("open", None),
        None if cfg!(windows) => ("rundll32", Some("url.dll,FileProtocolHandler")),
        None => ("xdg-open", None),
    };
    let mut command = tokio::process::Command::new(program);
    command.args(first).arg(url);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let _ = command.spawn();
}
