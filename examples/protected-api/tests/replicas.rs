//! Several replicas of the program. Those tests that need Redis print `LEFT OUT` where it is not installed, and fail where
//! POPLAYER_REQUIRE_REDIS is set.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::servers::{Process, Redis, free_port};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use pop_core::jose::encode;

use self::support::{AUDIENCE, Files};

/// An authorization server, and a client of it.
struct World {
    files: Files,
    key: DpopKey,
    token: String,
}

struct Replica {
    process: Process,
    url: String,
}

/// What came back.
struct Answer {
    status: u16,
    nonce: Option<String>,
    body: String,
}

impl World {
    fn new(name: &str) -> Self {
        let (server, files) = (TestAuthServer::offline("https://as.example"), Files::new(name));
        files.write("jwks.json", server.jwks_json());
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let token = server.token().audience(AUDIENCE).scope("notes:read").bound_to(&key).mint();
        Self { files, key, token }
    }

    fn command(&self, port: u16, options: &[&str]) -> Command {
        let jwks = self.files.path("jwks.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--public-url", AUDIENCE, "--audience", AUDIENCE]);
        command.args(["--issuer", "https://as.example", "--jwks-file", &jwks]).args(options);
        command
    }

    fn replica(&self, options: &[&str]) -> Replica {
        let port = free_port();
        let mut command = self.command(port, options);
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let line = process.first_line();
        assert!(line.starts_with("ready "), "{options:?} {line}");
        Replica { url: format!("http://127.0.0.1:{port}"), process }
    }

    fn proof(&self, nonce: Option<&str>) -> String {
        let proof = proof(&self.key).url(&format!("{AUDIENCE}/whoami")).for_token(&self.token);
        match nonce {
            Some(nonce) => proof.nonce(nonce).mint(),
            None => proof.mint(),
        }
    }
}

impl Replica {
    async fn get(&self, path: &str) -> Answer {
        Answer::of(reqwest::get(format!("{}{path}", self.url)).await.unwrap()).await
    }

    async fn whoami(&self, world: &World, proof: &str) -> Answer {
        let request = reqwest::Client::new().get(format!("{}/whoami", self.url));
        let request = request.header("authorization", format!("DPoP {}", world.token)).header("dpop", proof);
        Answer::of(request.send().await.unwrap()).await
    }

    fn hang_up(&self) {
        self.process.signal("-HUP");
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let nonce = response.headers().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
        Self { status: response.status().as_u16(), nonce, body: response.text().await.unwrap() }
    }
}

/// REPLAY-10, X-37, X-69: and the health of replicas while their store is gone.
#[tokio::test]
async fn replicas_share_used_proofs_and_are_not_ready_without_their_store() {
    let port = free_port();
    let Some(mut server) = Redis::start_program("redis-server", port, &[]).await else { return };
    let world = World::new("share");
    let url = format!("redis://127.0.0.1:{port}");
    let metrics = format!("127.0.0.1:{}", free_port());
    let options = ["--replay", &url, "--replay-timeout", "300"];
    let replicas = [world.replica(&options), world.replica(&[&options[..], &["--metrics-listen", &metrics]].concat())];
    let used = world.proof(None);
    assert_eq!(replicas[0].whoami(&world, &used).await.status, 200);
    for replica in &replicas {
        assert_eq!(replica.whoami(&world, &used).await.status, 401);
        assert_eq!(replica.get("/readyz").await.status, 200);
    }
    server.kill();
    let counted = async |outcome: &str| {
        let text = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
        let name = format!("pop_replay_store_duration_seconds_count{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&*name)).map_or(0, |count| count.parse::<u32>().unwrap())
    };
    assert_eq!(counted("replayed").await, 1, "it was used at the other replica");
    for replica in &replicas {
        assert_eq!(replica.whoami(&world, &world.proof(None)).await.status, 503);
        let ready = replica.get("/readyz").await;
        assert!(ready.status == 503 && ready.body.starts_with("replay store: "), "{}", ready.body);
        assert_eq!(replica.get("/livez").await.status, 200);
    }
    server.restart().await;
    let start = Instant::now();
    while replicas[1].get("/readyz").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(replicas[1].whoami(&world, &world.proof(None)).await.status, 200);
    assert_eq!((counted("first").await, counted("unavailable").await), (1, 1));
}

/// REPLAY-10, X-69: a program that starts before its store is not ready, and goes on.
#[tokio::test]
async fn a_replica_can_start_before_its_store() {
    let port = free_port();
    let world = World::new("first");
    let replica = world.replica(&["--replay", &format!("redis://127.0.0.1:{port}"), "--replay-timeout", "200"]);
    assert_eq!(replica.get("/readyz").await.status, 503);
    let Some(_server) = Redis::start_program("redis-server", port, &[]).await else { return };
    let start = Instant::now();
    while replica.get("/readyz").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(replica.whoami(&world, &world.proof(None)).await.status, 200);
}

/// What can never work is named at the start, without credentials.
#[tokio::test]
async fn a_store_that_cannot_be_used_and_a_file_without_keys_end_the_program() {
    let port = free_port();
    let evicts = ["--requirepass", "s3cret", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(_server) = Redis::start_program("redis-server", port, &evicts).await else { return };
    let world = World::new("defects");
    let short = world.files.write("short", "# key\nAAAA\n".to_owned());
    let empty = world.files.write("empty", String::new());
    let none = world.files.path("none");
    let at = |user: &str| format!("redis://{user}127.0.0.1:{port}");
    let (wrong, right) = (at(":wr0ng-s3cret@"), at(":s3cret@"));
    let nonces = |file: &'static str| ["--nonce", "required", "--nonce-keys-file", file];
    let leak = |text: String| -> &'static str { text.leak() };
    let (short, empty, none) = (leak(short), leak(empty), leak(none));
    for (options, part) in [
        (&["--replay", "http://redis.example"][..], "redis://"),
        (&["--replay", "redis://:s3cret@redis.example:99999"], "redis://redis.example:99999"),
        (&["--replay-timeout", "100"], "--replay-timeout needs --replay"),
        (&["--replay", &right, "--replay-timeout", "0"], "timeout in ms is 0"),
        (&["--replay", &wrong], "uthentication"),
        (&["--replay", &right], "allkeys-lru"),
        (&nonces(short), "line 2"),
        (&nonces(empty), "there is none"),
        (&nonces(none), "none: "),
        (&["--nonce-keys-file", short], "line 2"),
    ] {
        let output = world.command(0, options).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "{options:?} {text}");
        assert!(!text.contains("s3cret"), "{options:?} {text}");
    }
}

/// NONCE-13, NONCE-14: and none of another service.
#[tokio::test]
async fn replicas_share_nonces_while_their_keys_rotate() {
    let world = World::new("nonces");
    let (old, new) = (encode([7; 32]), encode([8; 32]));
    let file = world.files.write("nonces", format!("{old}\n"));
    let other = world.files.write("other", format!("{}\n", encode([9; 32])));
    let options = ["--nonce", "required", "--nonce-keys-file", &file];
    let replicas = [world.replica(&options), world.replica(&options)];
    let stranger = world.replica(&["--nonce", "required", "--nonce-keys-file", &other]);
    let nonce_of = async |replica: &Replica| replica.whoami(&world, &world.proof(None)).await.nonce.unwrap();
    let by_old = nonce_of(&replicas[0]).await;
    assert_eq!(replicas[1].whoami(&world, &world.proof(Some(&by_old))).await.status, 200);
    assert_eq!(stranger.whoami(&world, &world.proof(Some(&by_old))).await.status, 401);
    // Known everywhere, then used everywhere.
    for keys in [format!("{old}\n{new}\n"), format!("# May\n{new}\n{old}\n")] {
        world.files.write("nonces", keys);
        replicas.iter().for_each(Replica::hang_up);
        tokio::time::sleep(Duration::from_millis(200)).await;
        for replica in &replicas {
            assert_eq!(replica.whoami(&world, &world.proof(Some(&by_old))).await.status, 200);
        }
    }
    let by_new = nonce_of(&replicas[0]).await;
    assert_ne!(by_new, by_old);
    assert_eq!(replicas[1].whoami(&world, &world.proof(Some(&by_new))).await.status, 200);
    // What cannot be read changes nothing.
    world.files.write("nonces", "nonsense".to_owned());
    replicas[0].hang_up();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(replicas[0].whoami(&world, &world.proof(Some(&by_new))).await.status, 200);
}

/// Prometheus' text format, on an address of its own.
#[tokio::test]
async fn metrics_are_served_beside_the_api() {
    let world = World::new("metrics");
    let address = format!("127.0.0.1:{}", free_port());
    let replica = world.replica(&["--metrics-listen", &address]);
    let used = world.proof(None);
    for status in [200, 401] {
        assert_eq!(replica.whoami(&world, &used).await.status, status);
    }
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    for line in [
        r#"pop_requests_total{outcome="admitted",code="dpop"} 1"#,
        r#"pop_requests_total{outcome="rejected",code="replay.replayed"} 1"#,
        r#"pop_token_lookups_total{result="hit"} 1"#,
        r#"pop_token_lookups_total{result="miss"} 1"#,
        "pop_proof_age_seconds_count ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_ne!(replica.get("/metrics").await.status, 200, "not on the address of the API");
}
