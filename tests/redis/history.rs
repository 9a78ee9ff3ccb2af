//! Random histories: many proofs, each tried several times, at random replicas and at random times. Whatever breaks
//! meanwhile, each proof is accepted at most once.
//!
//! A failure shows its seed. `POPLAYER_SEED` repeats the choices of that history, not the timing of threads and servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};
use tower_pop::replay::{
    FirstUse, MemoryReplayStore, RedisReplayStore, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore,
};

use crate::layer::Replicas;
use crate::{entry, now, store};
use cluster::servers::Redis;
use cluster::servers::{Network, Relay};

const REPLICAS: usize = 3;

/// Random numbers that a seed determines (SplitMix64).
#[derive(Clone)]
struct Random(u64);

impl Random {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn time_within(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(longest.as_micros()).unwrap().max(1)))
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Returns the seeds of this run, or the one that was asked for.
fn seeds(number: u64) -> Vec<u64> {
    if let Ok(seed) = std::env::var("POPLAYER_SEED") {
        return vec![seed.parse().unwrap()];
    }
    let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let mut random = Random(u64::try_from(start % u128::from(u64::MAX)).unwrap());
    (0..number).map(|_| random.below(u64::MAX)).collect()
}

/// What a replica said about a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Replayed,
    Unavailable,
}

impl From<Result<FirstUse, ReplayError>> for Verdict {
    fn from(result: Result<FirstUse, ReplayError>) -> Self {
        match result {
            Ok(_) => Self::Accepted,
            Err(ReplayError::Replayed) => Self::Replayed,
            Err(ReplayError::Unavailable) => Self::Unavailable,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The proofs of a history, and when they are tried.
#[derive(Clone, Copy)]
struct Plan {
    proofs: usize,
    /// How often each proof is tried.
    tries: usize,
    length: Duration,
    /// How many of a hundred clients are gone before they have an answer.
    impatient: u64,
}

impl Plan {
    /// Has proofs verified by `verify`, which gets the numbers of replica and proof. Returns the verdicts of each proof. Those
    /// that nobody waited for are not among them.
    async fn run<V>(self, random: &mut Random, verify: impl Fn(usize, usize) -> V) -> Vec<Vec<Verdict>>
    where
        V: Future<Output = Verdict> + Send + 'static,
    {
        let mut tries = Vec::new();
        for proof in 0..self.proofs {
            // Copies of one proof come close to each other, so that they meet.
            let first = random.time_within(self.length);
            for _ in 0..self.tries {
                let replica = usize::try_from(random.below(REPLICAS as u64)).unwrap();
                let start = first + random.time_within(self.length / 10);
                let gives_up = random.happens(self.impatient).then(|| random.time_within(self.length / 20));
                let verdict = verify(replica, proof);
                tries.push((
                    proof,
                    tokio::spawn(async move {
                        sleep(start).await;
                        match gives_up {
                            Some(patience) => timeout(patience, verdict).await.ok(),
                            None => Some(verdict.await),
                        }
                    }),
                ));
            }
        }
        let mut verdicts = vec![Vec::new(); self.proofs];
        for (proof, verdict) in tries {
            verdicts[proof].extend(verdict.await.unwrap());
        }
        verdicts
    }
}

fn count(verdicts: &[Verdict], verdict: Verdict) -> usize {
    verdicts.iter().filter(|found| **found == verdict).count()
}

fn assert_each_at_most_once(verdicts: &[Vec<Verdict>], seed: u64) {
    for (proof, verdicts) in verdicts.iter().enumerate() {
        let accepted = count(verdicts, Verdict::Accepted);
        assert!(accepted <= 1, "POPLAYER_SEED={seed}: proof {proof} was accepted {accepted} times: {verdicts:?}");
    }
}

fn assert_each_once(verdicts: &[Vec<Verdict>], seed: u64) {
    assert_each_at_most_once(verdicts, seed);
    for (proof, verdicts) in verdicts.iter().enumerate() {
        let (accepted, replayed) = (count(verdicts, Verdict::Accepted), count(verdicts, Verdict::Replayed));
        assert_eq!((accepted, replayed), (1, verdicts.len() - 1), "POPLAYER_SEED={seed}: proof {proof}: {verdicts:?}");
    }
}

/// The proofs of a history. Each try of one is verified with the time at which it comes.
fn proofs(number: usize, seed: u64) -> Arc<[ReplayEntry]> {
    (0..number).map(|proof| entry(u8::try_from(proof % 20).unwrap(), &format!("{seed} {proof}"))).collect()
}

async fn insert_now(store: Arc<dyn ReplayStore>, mut proof: ReplayEntry) -> Verdict {
    proof.now = now();
    store.insert(proof).wait().await.into()
}

/// REPLAY-05: replicas in one process.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_accepts_each_proof_once() {
    for seed in seeds(20) {
        let plan = Plan { proofs: 400, tries: 8, length: Duration::from_millis(50), impatient: 0 };
        let store: Arc<dyn ReplayStore> = Arc::new(MemoryReplayStore::with_capacity(10_000));
        let proofs = proofs(plan.proofs, seed);
        let verify = |_, proof: usize| insert_now(Arc::clone(&store), proofs[proof]);
        assert_each_once(&plan.run(&mut Random(seed), verify).await, seed);
    }
}

/// A database that is far away, and the network to it.
#[derive(Clone)]
struct FarStore {
    rows: Arc<Mutex<HashMap<[u8; 32], u64>>>,
    random: Arc<Mutex<Random>>,
    /// How many of a hundred questions, and of a hundred answers, are lost.
    lost: u64,
}

impl ReplayStore for FarStore {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        let longest = Duration::from_millis(80);
        let (there, back, question_is_lost, answer_is_lost) = {
            let mut random = self.random.lock().unwrap();
            let (there, back) = (random.time_within(longest), random.time_within(longest));
            (there, back, random.happens(self.lost), random.happens(self.lost))
        };
        let store = self.clone();
        ReplayAnswer::Later(Box::pin(async move {
            sleep(there).await;
            if question_is_lost {
                std::future::pending::<()>().await;
            }
            let is_new = store.rows.lock().unwrap().insert(*entry.key.as_bytes(), entry.expires_at).is_none();
            sleep(back).await;
            if answer_is_lost {
                std::future::pending::<()>().await;
            }
            if is_new { Ok(FirstUse::assertion()) } else { Err(ReplayError::Replayed) }
        }))
    }
}

/// REPLAY-05, REPLAY-10: whole requests through the layers of replicas with one store, whose answers come late or never.
#[tokio::test(start_paused = true)]
async fn layers_with_one_store_accept_each_proof_at_most_once() {
    for (lost, number) in [(0, 5), (20, 10)] {
        for seed in seeds(number) {
            let random = Arc::new(Mutex::new(Random(seed ^ 1)));
            let store = FarStore { rows: Arc::default(), random, lost };
            let timeout = Duration::from_millis(if lost == 0 { 10_000 } else { 120 });
            let replicas = Arc::new(Replicas::with(REPLICAS, |builder| {
                builder.replay_store(store.clone()).replay_timeout(timeout)
            }));
            let impatient = if lost == 0 { 0 } else { 20 };
            let plan = Plan { proofs: 20, tries: 6, length: Duration::from_secs(2), impatient };
            let requests: Vec<_> = (0..plan.proofs).map(|_| replicas.request()).collect();
            let verify = |replica, proof: usize| {
                let (replicas, request) = (Arc::clone(&replicas), requests[proof].clone());
                async move {
                    match replicas.send(replica, &request).await.status() {
                        StatusCode::OK => Verdict::Accepted,
                        StatusCode::UNAUTHORIZED => Verdict::Replayed,
                        StatusCode::SERVICE_UNAVAILABLE => Verdict::Unavailable,
                        status => panic!("{status}"),
                    }
                }
            };
            let verdicts = plan.run(&mut Random(seed), verify).await;
            if lost == 0 {
                assert_each_once(&verdicts, seed);
            } else {
                assert_each_at_most_once(&verdicts, seed);
            }
        }
    }
}

/// REPLAY-05, REPLAY-10
#[tokio::test(flavor = "multi_thread")]
async fn replicas_with_redis_accept_each_proof_once() {
    let Some(redis) = Redis::start(&[]).await else { return };
    // Without a fault nothing is unavailable, however slow the machine is.
    let patient = || RedisReplayStore::builder(redis.url()).timeout(Duration::from_secs(20)).build().unwrap();
    let replicas: Vec<_> = (0..REPLICAS).map(|_| Arc::new(patient())).collect();
    for seed in seeds(3) {
        let plan = Plan { proofs: 300, tries: 6, length: Duration::from_secs(1), impatient: 0 };
        let proofs = proofs(plan.proofs, seed);
        let verify = |replica: usize, proof: usize| insert_now(replicas[replica].clone(), proofs[proof]);
        assert_each_once(&plan.run(&mut Random(seed), verify).await, seed);
    }
}

/// Breaks the network between replicas and server again and again, and the server once. Ends with everything as it was.
async fn break_things(redis: &mut Redis, relays: &[Relay], mut random: Random, length: Duration) {
    let start = std::time::Instant::now();
    let mut has_crashed = false;
    while start.elapsed() < length {
        sleep(random.time_within(Duration::from_millis(60))).await;
        let relay = &relays[usize::try_from(random.below(relays.len() as u64)).unwrap()];
        match random.below(6) {
            0 => relay.set(Network::LosesAnswers),
            1 => relay.set(Network::DropsAll),
            2 => relay.set(Network::IsCut),
            3 => relay.forget(),
            4 => relay.reset(),
            _ if !has_crashed && start.elapsed() > length / 3 => {
                has_crashed = true;
                redis.kill();
                sleep(random.time_within(Duration::from_millis(200))).await;
                redis.restart().await;
            }
            _ => {}
        }
        sleep(random.time_within(Duration::from_millis(200))).await;
        relay.set(Network::Works);
    }
}

/// REPLAY-05, REPLAY-10: while answers are lost, connections end, the server crashes and clients leave.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_with_redis_accept_each_proof_at_most_once_whatever_breaks() {
    for seed in seeds(3) {
        let options = ["--appendonly", "yes", "--appendfsync", "always"];
        let Some(mut redis) = Redis::start(&options).await else { return };
        let mut relays = Vec::new();
        for _ in 0..REPLICAS {
            relays.push(Relay::to(redis.port).await);
        }
        let replicas: Vec<_> = relays.iter().map(|relay| Arc::new(store(&relay.url()))).collect();
        let plan = Plan { proofs: 200, tries: 6, length: Duration::from_secs(2), impatient: 10 };
        let proofs = proofs(plan.proofs, seed);
        let verify = |replica: usize, proof: usize| insert_now(replicas[replica].clone(), proofs[proof]);
        let mut random = Random(seed);
        let breaking = break_things(&mut redis, &relays, random.clone(), plan.length);
        let (mut verdicts, ()) = tokio::join!(plan.run(&mut random, verify), breaking);
        for replica in &replicas {
            crate::until_accepted(replica).await;
            for (proof, verdicts) in proofs.iter().zip(&mut verdicts) {
                verdicts.push(once_available(replica, *proof).await);
            }
        }
        assert_each_at_most_once(&verdicts, seed);
        for (proof, verdicts) in verdicts.iter().enumerate() {
            let last = &verdicts[verdicts.len() - (REPLICAS - 1)..];
            assert!(
                last.iter().all(|verdict| *verdict == Verdict::Replayed),
                "POPLAYER_SEED={seed}: {proof}: {verdicts:?}"
            );
        }
    }
}

/// Tries a proof until the server answers.
async fn once_available(replica: &Arc<RedisReplayStore>, proof: ReplayEntry) -> Verdict {
    for _ in 0..50 {
        let verdict = insert_now(replica.clone(), proof).await;
        if verdict != Verdict::Unavailable {
            return verdict;
        }
    }
    panic!("the server does not come back")
}
