//! Two replicas, an authorization server and Redis, and requests of all kinds.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cluster::servers::{Process, Redis, free_port};
use pop_authserver::{Algorithm, Client, DpopKey, ProofMint, TestAuthServer, proof};
use reqwest::Response;

use crate::support::AUDIENCE;

pub(crate) struct World {
    server: TestAuthServer,
    key: DpopKey,
    client: reqwest::Client,
    redis: Redis,
    /// One with its store in memory, which introspects opaque tokens, and one with Redis, which wants nonces.
    replicas: [Replica; 2],
    nonce: Option<String>,
    requests: u32,
}

struct Replica {
    _process: Process,
    url: String,
    metrics: String,
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl World {
    pub(crate) async fn start() -> Self {
        let builder = TestAuthServer::defaults()
            .audience(AUDIENCE)
            .client(Client::confidential("api", "secret").introspects(AUDIENCE));
        let server = TestAuthServer::start_with(builder).await;
        let redis = Redis::start(&[]).await.unwrap();
        let endpoint = server.introspection_endpoint();
        let introspection =
            ["--introspection-url", &endpoint, "--introspection-client-id", "api", "--introspection-client-secret"];
        let in_memory = Replica::start(&server, &[&introspection[..], &["secret", "--jwt-first"]].concat());
        let url = redis.url();
        let shared = ["--replay", &url, "--replay-timeout", "200", "--nonce", "required"];
        let shared = Replica::start(&server, &shared);
        let (key, client) = (DpopKey::generate(Algorithm::ES256).unwrap(), reqwest::Client::new());
        Self { server, key, client, redis, replicas: [in_memory, shared], nonce: None, requests: 0 }
    }

    /// The addresses with metrics.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.replicas.iter().map(|replica| replica.metrics.clone()).collect()
    }

    pub(crate) fn stop_redis(&mut self) {
        self.redis.kill();
    }

    /// Valid requests and those that alerts are about, for this time.
    pub(crate) async fn load(&mut self, time: Duration) {
        let start = Instant::now();
        let mut token = self.token();
        while start.elapsed() < time {
            self.requests += 1;
            if self.requests % 5 == 1 {
                token = self.token();
            }
            let valid = self.proof(&token).mint();
            assert_eq!(self.send(0, &token, &valid).await.status(), 200);
            if self.requests.is_multiple_of(3) {
                self.send(0, &token, &valid).await;
            }
            match self.requests % 8 {
                0 => drop(self.send(0, &token, &self.proof(&token).method("PUT").mint()).await),
                2 => drop(self.send(0, &token, &self.proof(&token).issued_at(now() - 95).mint()).await),
                4 => drop(self.send(0, &token, &self.proof(&token).issued_at(now() + 45).mint()).await),
                6 => {
                    let opaque = format!("opaque-{}", self.requests);
                    self.send(0, &opaque, &self.proof(&opaque).mint()).await;
                }
                _ => {}
            }
            let nonce = if self.requests.is_multiple_of(10) { None } else { self.nonce.clone() };
            let proof = match nonce {
                Some(nonce) => self.proof(&token).nonce(&nonce),
                None => self.proof(&token),
            };
            let answer = self.send(1, &token, &proof.mint()).await;
            if let Some(nonce) = answer.headers().get("dpop-nonce") {
                self.nonce = Some(nonce.to_str().unwrap().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn token(&self) -> String {
        let token = self.server.token().audience(AUDIENCE).scope("notes:read").bound_to(&self.key);
        token.subject(&format!("user-{}", self.requests)).mint()
    }

    fn proof(&self, token: &str) -> ProofMint {
        proof(&self.key).url(&format!("{AUDIENCE}/whoami")).for_token(token)
    }

    async fn send(&self, replica: usize, token: &str, proof: &str) -> Response {
        let request = self.client.get(format!("{}/whoami", self.replicas[replica].url));
        request.header("authorization", format!("DPoP {token}")).header("dpop", proof).send().await.unwrap()
    }
}

impl Replica {
    fn start(server: &TestAuthServer, options: &[&str]) -> Self {
        let (address, metrics) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
        command.args(["--listen", &address, "--public-url", AUDIENCE, "--audience", AUDIENCE, "--issuer"]);
        command.args([server.issuer(), "--metrics-listen", &metrics]).args(options);
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let line = process.first_line();
        assert!(line.starts_with("ready "), "{options:?} {line}");
        Self { _process: process, url: format!("http://{address}"), metrics }
    }
}
