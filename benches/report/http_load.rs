//! Over HTTP: the example API beside an axum server that verifies one bare signature per request, under the same load.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};

use crate::support::Bare;
use crate::{Report, Target, instructions, median};

const NAME: &str = "throughput: requests/s of protected-api / one bare verification";
const INSTRUCTIONS: &str = "instructions: request to protected-api / one bare verification over HTTP";
/// The difference between so many requests and so few is measured.
const FEW: usize = 20;
const MANY: usize = 220;
const ISSUER: &str = "https://as.example";
const KEY_SET: &str = "jwks.json";
const WITH_REDIS: &str = "throughput: requests/s of protected-api with Redis / in memory";
const AUDIENCE: &str = "https://api.example";
const CLIENTS: usize = 1000;
const CONNECTIONS: &str = "32";
const ROUNDS: u32 = 31;
const SECONDS: u32 = 1;

pub(crate) fn rows(report: &mut Report) {
    if report.full && report.wants(INSTRUCTIONS, true) {
        match instructions() {
            Ok(ratio) => report.row(INSTRUCTIONS, ratio, Target::AtMost(1.06)),
            Err(why) => report.missing(INSTRUCTIONS, &why),
        }
    }
    let measured = |report: &mut Report, name: &str, measure: &dyn Fn() -> Result<Vec<(f64, f64)>, String>| {
        if !report.full || !report.wants(name, false) {
            return None;
        }
        let has_wrk = Command::new("wrk").arg("--version").output().is_ok();
        let pairs = if has_wrk { measure() } else { Err("the load generator wrk is not installed".to_owned()) };
        pairs.map_err(|why| report.missing(name, &why)).ok()
    };
    let ratios = |pairs: &[(f64, f64)]| pairs.iter().map(|(one, other)| one / other).collect::<Vec<_>>();
    if let Some(pairs) = measured(report, WITH_REDIS, &with_redis) {
        report.rounds(WITH_REDIS, &ratios(&pairs), Target::AtLeast(0.80));
    }
    if let Some(pairs) = measured(report, NAME, &compare) {
        let (ours, bare): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        report.row("throughput: requests/s, bare verification", median(&bare), Target::None);
        report.row("throughput: requests/s, protected-api", median(&ours), Target::None);
        report.rounds(NAME, &ratios(&pairs), Target::None); // depends on caches and the load generator
    }
}

/// Pairs of runs in alternating order: a ratio is taken pair by pair, for a machine that is not equally fast all the time.
fn pairs(
    prepare: impl Fn() -> Result<(), String>,
    one: impl Fn() -> Result<f64, String>,
    other: impl Fn() -> Result<f64, String>,
) -> Result<Vec<(f64, f64)>, String> {
    let mut pairs = Vec::new();
    for round in 0..=ROUNDS {
        prepare()?;
        let pair = if round % 2 == 0 {
            (one()?, other()?)
        } else {
            let other = other()?;
            (one()?, other)
        };
        if round > 0 {
            pairs.push(pair); // the first one warms caches up
        }
    }
    Ok(pairs)
}

/// Requests per second with the replay store in Redis on this machine, and with the store in memory, with 64 connections each.
fn with_redis() -> Result<Vec<(f64, f64)>, String> {
    let clients = Clients::new()?;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = port.map_err(|error| error.to_string())?.port().to_string();
    let mut redis = Command::new("redis-server");
    redis.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]).stdout(Stdio::null());
    let redis = redis.spawn().map_err(|_| "redis-server is not installed".to_owned())?;
    let _redis = Server { child: Mutex::new(redis), url: String::new() };
    let memory = Server::start(&mut clients.example())?;
    let shared = Server::start(clients.example().args(["--replay", &format!("redis://127.0.0.1:{port}")]))?;
    let requests = clients.folder.join("requests");
    let rate = |server: &Server| {
        let signed = clients.sign(&server.url, CLIENTS, 30_000).join("\n");
        std::fs::write(&requests, signed).map_err(|error| error.to_string())?;
        load(server, &requests, SECONDS, "64")
    };
    pairs(|| Ok(()), || rate(&shared), || rate(&memory))
}

/// Instructions outside of the kernel for one request, ours over the other server's. What a server needs to start is left out:
/// counts of few and of many requests are subtracted.
fn instructions() -> Result<f64, String> {
    let clients = Clients::new()?;
    let per_request = |start: &dyn Fn() -> Command| {
        let count = |requests: usize| {
            let mut valgrind = Command::new("valgrind");
            let command = start();
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(command.get_program());
            let server = Server::start(valgrind.args(command.get_args()).stderr(Stdio::piped()))?;
            send_one_by_one(&server.url, &clients.sign(&server.url, 1, requests))?;
            server.instructions()
        };
        Ok::<_, String>((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
    };
    Ok(per_request(&|| clients.example())? / per_request(&bare_server_command)?)
}

/// Sends requests over one connection.
fn send_one_by_one(url: &str, requests: &[String]) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let address = url.strip_prefix("http://").ok_or("no http URL")?;
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    let mut response = vec![0; 4096];
    for request in requests {
        let (authorization, proof) = request.split_once('\t').ok_or("no request")?;
        let head = format!(
            "GET /whoami HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\ndpop: {proof}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let length = stream.read(&mut response).map_err(failed)?; // short enough to arrive at once
        if !response[..length].starts_with(b"HTTP/1.1 200") {
            return Err(format!("the server sent {}", String::from_utf8_lossy(&response[..length])));
        }
    }
    Ok(())
}

/// Requests per second of the example, and of a server with one bare verification.
fn compare() -> Result<Vec<(f64, f64)>, String> {
    let clients = Clients::new()?;
    let ours = Server::start(&mut clients.example())?;
    let bare = Server::start(&mut bare_server_command())?;

    let requests = clients.folder.join("requests");
    let sign = |count: usize| {
        std::fs::write(&requests, clients.sign(&ours.url, CLIENTS, count).join("\n")).map_err(|error| error.to_string())
    };
    sign(20_000)?;
    let first = load(&bare, &requests, 2, CONNECTIONS)?; // how many requests a run takes
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = (first * f64::from(SECONDS) * 1.3) as usize;
    let rate = |server| load(server, &requests, SECONDS, CONNECTIONS);
    pairs(|| sign(count), || rate(&ours), || rate(&bare))
}

/// Clients with a token each, and the key set of its issuer in a file.
struct Clients {
    clients: Vec<(DpopKey, String)>,
    folder: PathBuf,
    program: PathBuf,
}

impl Clients {
    fn new() -> Result<Self, String> {
        let issuer = TestAuthServer::offline(ISSUER);
        let folder = std::env::temp_dir().join(format!("poplayer-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        std::fs::write(folder.join(KEY_SET), issuer.jwks_json()).map_err(|error| error.to_string())?;
        let client = |_| {
            let key = DpopKey::generate(Algorithm::ES256).expect("a key");
            let token = issuer.token().audience(AUDIENCE).scope("notes:read").bound_to(&key).expires_in(3600).mint();
            (key, token)
        };
        Ok(Self { clients: (0..CLIENTS).map(client).collect(), folder, program: example()? })
    }

    /// The example program, for these clients.
    fn example(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--listen", "127.0.0.1:0", "--issuer", ISSUER, "--audience", AUDIENCE, "--proof-max-age", "300"]);
        command.arg("--jwks-file").arg(self.folder.join(KEY_SET));
        command
    }

    /// The values of `Authorization` and `DPoP` of this many requests by the first clients, with a tab between them.
    fn sign(&self, url: &str, clients: usize, count: usize) -> Vec<String> {
        let url = format!("{url}/whoami");
        let sign = |(key, token): &(DpopKey, String)| {
            format!("DPoP {token}\t{}", proof(key).url(&url).for_token(token).mint())
        };
        self.clients.iter().take(clients).cycle().take(count).map(sign).collect()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Requests per second that a server answers, all of them with 2xx.
fn load(server: &Server, requests: &PathBuf, seconds: u32, connections: &str) -> Result<f64, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load/replay.lua");
    let output = Command::new("wrk")
        .args(["-t1", "-c", connections, &format!("-d{seconds}s"), "-s", script])
        .arg(format!("{}/whoami", server.url))
        .env("POP_REQUESTS", requests)
        .env("POP_THREADS", "1")
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(errors) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("under load: {}", errors.trim()));
    }
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.ok_or_else(|| format!("wrk said: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// The example, built as this program was.
fn example() -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--release", "-p", "protected-api"])
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the example does not build".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    Ok(target.join("release/protected-api"))
}

/// A server process, until it is dropped.
struct Server {
    child: Mutex<Child>,
    url: String,
}

impl Server {
    /// Waits for `ready http://…`.
    fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let url = line.trim().strip_prefix("ready ").ok_or("the server did not start")?.to_owned();
        Ok(Self { child: Mutex::new(child), url })
    }

    /// Ends the server, and returns what callgrind counted.
    fn instructions(mut self) -> Result<f64, String> {
        let child = self.child.get_mut().map_err(|error| error.to_string())?;
        let ended = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        ended.map_err(|error| error.to_string())?;
        let mut text = String::new();
        let mut errors = child.stderr.take().ok_or("no errors")?;
        errors.read_to_string(&mut text).map_err(|error| error.to_string())?;
        instructions::collected(&text).ok_or(text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = (child.kill(), child.wait());
        }
    }
}

fn bare_server_command() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["--child", "bare-server"]);
    command
}

/// The other side of the ratio: axum, and one bare verification for each request. Connections are served as the example
/// serves them, with a limit for the time that a head may take, so that what differs is what a request has to pass.
pub(crate) fn bare_server() {
    thread_local! {
        static BARE: RefCell<Option<Bare>> = const { RefCell::new(None) };
    }
    let handler = get(|| async {
        BARE.with_borrow_mut(|bare| bare.get_or_insert_with(Bare::new).verify());
        axum::Json(serde_json::json!({ "verified": "x".repeat(263) })) // as long as the other answer
    });
    let app = Router::new().route("/whoami", handler);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        println!("ready http://{}", listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move { builder.serve_connection(TokioIo::new(stream), service).await.is_ok() });
        }
    });
}
