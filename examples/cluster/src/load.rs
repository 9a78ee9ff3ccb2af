//! Load whose outcome is known in advance: valid requests, and attacks on the same replicas.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use tokio::task::JoinSet;

use crate::issuer::Issuer;
use crate::replica::CODE;

/// How many clients there are.
const CLIENTS: usize = 40;
/// How many rounds are under way at a time.
const ROUNDS: u32 = 24;
/// How often each of them begins.
const EVERY: Duration = Duration::from_millis(100);
/// How many accepted proofs are kept, to be sent again.
const USED: usize = 20_000;
/// After this time a proof is too old, and kept no longer.
const FRESH: Duration = Duration::from_secs(55);

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It must be accepted.
    Valid,
    /// A proof that was just sent to another replica.
    Replay,
    /// A proof that was accepted up to a minute ago, before or during some fault.
    LateReplay,
    /// A token with a proof by another key.
    StolenToken,
    /// A proof for another URL.
    OtherUrl,
    /// A proof from an hour ago.
    OldProof,
    /// A token that nobody issued.
    ForgedToken,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Valid,
        Self::Replay,
        Self::LateReplay,
        Self::StolenToken,
        Self::OtherUrl,
        Self::OldProof,
        Self::ForgedToken,
    ];

    /// Returns what it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid request",
            Self::Replay => "replay at another replica",
            Self::LateReplay => "late replay",
            Self::StolenToken => "stolen token, other key",
            Self::OtherUrl => "proof for another URL",
            Self::OldProof => "proof from an hour ago",
            Self::ForgedToken => "forged token",
        }
    }
}

/// What came back: 200, or the code of the rejection, or no response at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// 200
    Accepted,
    /// Another status, and the code.
    Rejected(u16, &'static str),
    /// The connection was refused or ended.
    NoAnswer,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// When it was sent.
    pub at: Instant,
    /// How long the response took.
    pub took: Duration,
    /// What it was.
    pub kind: Kind,
    /// What came back.
    pub outcome: Outcome,
}

struct Client {
    key: DpopKey,
    token: RwLock<Arc<str>>,
}

#[derive(Clone)]
struct Signed {
    token: Arc<str>,
    proof: Arc<str>,
    at: Instant,
}

/// Clients, and what became of their requests.
pub struct Load {
    issuer: Arc<Issuer>,
    public_url: String,
    targets: Vec<String>,
    http: reqwest::Client,
    clients: Vec<Client>,
    forger: Client,
    /// Whether each request has a new token.
    new_tokens: AtomicBool,
    used: Mutex<VecDeque<Signed>>,
    events: Mutex<Vec<Event>>,
    codes: Mutex<HashSet<&'static str>>,
}

impl Load {
    /// Clients of these URLs, which all are the same resource.
    pub fn new(issuer: &Arc<Issuer>, public_url: &str, targets: Vec<String>) -> Self {
        let client = |token: &dyn Fn(&DpopKey) -> String| {
            let key = DpopKey::generate(Algorithm::ES256).unwrap();
            let token = RwLock::new(token(&key).into());
            Client { key, token }
        };
        let forger = TestAuthServer::offline(issuer.url()); // it has other keys
        Self {
            issuer: Arc::clone(issuer),
            public_url: public_url.to_owned(),
            targets,
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap(),
            clients: (0..CLIENTS).map(|_| client(&|key| issuer.token(public_url, key))).collect(),
            forger: client(&|key| forger.token().audience(public_url).bound_to(key).mint()),
            new_tokens: AtomicBool::new(false),
            used: Mutex::default(),
            events: Mutex::default(),
            codes: Mutex::default(),
        }
    }

    /// Sends requests until the future is dropped.
    pub async fn run(self: &Arc<Self>) {
        let mut rounds = JoinSet::new();
        for number in 0..ROUNDS {
            let load = Arc::clone(self);
            rounds.spawn(async move {
                tokio::time::sleep(EVERY * number / ROUNDS).await;
                let mut ticks = tokio::time::interval(EVERY);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    load.round().await;
                }
            });
        }
        while rounds.join_next().await.is_some() {}
    }

    /// Whether each request has a new token from now on, signed with the current key.
    pub fn use_new_tokens(&self, new: bool) {
        self.new_tokens.store(new, Ordering::Relaxed);
        for client in &self.clients {
            *client.token.write().unwrap() = self.issuer.token(&self.public_url, &client.key).into();
        }
    }

    /// Takes the events so far.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    /// Signs with one client's key as fast as possible, and sends this many requests to all targets in turn. Returns how many of them
    /// were accepted, and how many were rejected for the client's quota.
    pub async fn flood(&self, requests: usize) -> (usize, usize) {
        let client = &self.clients[0];
        let (mut accepted, mut over) = (0, 0);
        for batch in 0..requests.div_ceil(50) {
            let target = &self.targets[batch % self.targets.len()];
            let sent = (0..50).map(|_| self.send(target, self.sign(client, &client.key)));
            for (outcome, _) in futures_util::future::join_all(sent).await {
                accepted += usize::from(outcome == Outcome::Accepted);
                over += usize::from(matches!(outcome, Outcome::Rejected(429, "replay.key_quota")));
            }
        }
        (accepted, over)
    }

    /// One valid request, and attacks with what it showed.
    async fn round(&self) {
        let client = &self.clients[fastrand::usize(1..CLIENTS)];
        if self.new_tokens.load(Ordering::Relaxed) {
            *client.token.write().unwrap() = self.issuer.token(&self.public_url, &client.key).into();
        }
        let signed = self.sign(client, &client.key);
        let first = fastrand::usize(..self.targets.len());
        let second = (first + 1 + fastrand::usize(..self.targets.len() - 1)) % self.targets.len();
        if fastrand::u8(..10) == 0 {
            // Both at once: one of them is the replay.
            let at = Instant::now();
            let [one, two] = [first, second].map(|target| self.send(&self.targets[target], signed.clone()));
            let (one, two) = tokio::join!(one, two);
            // The store may have recorded one of them, and its answer was lost: the other one is the replay all the same.
            let is_replay = matches!(one.0, Outcome::Rejected(_, "replay.replayed"));
            let (valid, replay) = if is_replay || two.0 == Outcome::Accepted { (two, one) } else { (one, two) };
            self.record(at, Kind::Valid, valid);
            self.record(at, Kind::Replay, replay);
        } else {
            let at = Instant::now();
            let valid = self.send(&self.targets[first], signed.clone()).await;
            self.record(at, Kind::Valid, valid);
            let at = Instant::now();
            let replay = self.send(&self.targets[second], signed.clone()).await;
            // What was not accepted before may be accepted now, once.
            let kind = if valid.0 == Outcome::Accepted { Kind::Replay } else { Kind::Valid };
            if kind == Kind::Replay || replay.0 == Outcome::Accepted {
                self.record(at, kind, replay);
            }
            if valid.0 == Outcome::Accepted || replay.0 == Outcome::Accepted {
                self.keep(signed);
            }
        }
        let kinds = [Kind::LateReplay, Kind::StolenToken, Kind::OtherUrl, Kind::OldProof, Kind::ForgedToken];
        let kind = kinds[if fastrand::bool() { 0 } else { fastrand::usize(1..kinds.len()) }];
        if let Some(attack) = self.attack(kind, client) {
            let at = Instant::now();
            let outcome = self.send(&self.targets[first], attack).await;
            self.record(at, kind, outcome);
        }
    }

    fn attack(&self, kind: Kind, client: &Client) -> Option<Signed> {
        let token = Arc::clone(&client.token.read().unwrap());
        let url = format!("{}/whoami", self.public_url);
        let made = match kind {
            Kind::Valid | Kind::Replay => return None,
            Kind::LateReplay => return self.used_proof(),
            Kind::StolenToken => return Some(self.sign(client, &self.forger.key)),
            Kind::ForgedToken => return Some(self.sign(&self.forger, &self.forger.key)),
            Kind::OtherUrl => proof(&client.key).url(&format!("{url}/other")).for_token(&token).mint(),
            Kind::OldProof => proof(&client.key).url(&url).for_token(&token).issued_at(an_hour_ago()).mint(),
        };
        Some(Signed { token, proof: made.into(), at: Instant::now() })
    }

    fn sign(&self, client: &Client, key: &DpopKey) -> Signed {
        let token = Arc::clone(&client.token.read().unwrap());
        let made = proof(key).url(&format!("{}/whoami", self.public_url)).for_token(&token).mint();
        Signed { token, proof: made.into(), at: Instant::now() }
    }

    fn keep(&self, signed: Signed) {
        let mut used = self.used.lock().unwrap();
        if used.len() == USED {
            used.pop_front();
        }
        used.push_back(signed);
    }

    fn used_proof(&self) -> Option<Signed> {
        let mut used = self.used.lock().unwrap();
        while used.front().is_some_and(|oldest| oldest.at.elapsed() > FRESH) {
            used.pop_front();
        }
        let len = used.len();
        (len > 0).then(|| used[fastrand::usize(..len)].clone())
    }

    async fn send(&self, target: &str, signed: Signed) -> (Outcome, Duration) {
        let start = Instant::now();
        let request = self.http.get(target).header("authorization", format!("DPoP {}", signed.token));
        let outcome = match request.header("dpop", &*signed.proof).send().await {
            Err(_) => Outcome::NoAnswer,
            Ok(response) if response.status() == 200 => match response.bytes().await {
                Ok(_) => Outcome::Accepted,
                Err(_) => Outcome::NoAnswer,
            },
            Ok(response) => {
                let code = response.headers().get(CODE).and_then(|code| code.to_str().ok());
                Outcome::Rejected(response.status().as_u16(), self.code(code.unwrap_or("none")))
            }
        };
        (outcome, start.elapsed())
    }

    /// There are few codes.
    fn code(&self, code: &str) -> &'static str {
        let mut codes = self.codes.lock().unwrap();
        codes.get(code).copied().unwrap_or_else(|| {
            let code: &'static str = Box::leak(code.into());
            codes.insert(code);
            code
        })
    }

    fn record(&self, at: Instant, kind: Kind, (outcome, took): (Outcome, Duration)) {
        self.events.lock().unwrap().push(Event { at, took, kind, outcome });
    }
}

fn an_hour_ago() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 3600
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load").field("targets", &self.targets).finish_non_exhaustive()
    }
}
