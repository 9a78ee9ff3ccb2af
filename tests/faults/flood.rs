//! Floods: tokens that nobody issued, with proofs of their own, and one client that makes as many proofs as it can.

use std::sync::Arc;

use cluster::servers::{Redis, Replica};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Costs, Report, World};

const GARBAGE: usize = 1_000_000;
/// How many requests are sent before their responses are read.
const BATCH: usize = 50;
const PROOFS: usize = 9_000;
/// Entries that one client may have at one replica.
const QUOTA: usize = 1_500;

/// REPLAY-06, REPLAY-07, X-41, X-63.
pub(crate) async fn faults(report: &mut Report) {
    let Some(redis) = Redis::start(&[]).await else { return };
    let mut world = World::start(&["--redis", &redis.url(), "--per-key", &QUOTA.to_string()]).await;
    let mut statuses = [0; 3];
    let garbage = async |world: &mut World| statuses = garbage(&world.replicas, world.issuer.url()).await;
    world.fault(report, "1,000,000 garbage tokens with proofs of their own", Costs::Nothing, garbage).await;
    let [accepted, unauthorized, unavailable] = statuses;
    println!("  of them: {unauthorized} x 401, {unavailable} x 503");
    if accepted > 0 || unauthorized + unavailable != GARBAGE {
        report.wrong(format!("{accepted} garbage tokens accepted, {unauthorized} x 401, {unavailable} x 503"));
    }
    let mut proofs = (0, 0);
    let flood = async |world: &mut World| proofs = world.load.flood(PROOFS).await;
    world.fault(report, "one client sends 9,000 proofs as fast as it can", Costs::Nothing, flood).await;
    let (accepted, over) = proofs;
    println!("  of them: {accepted} accepted, {over} x 429 replay.key_quota");
    // An entry takes a place at the replica that recorded it, and lives for more than a minute.
    if !(QUOTA..=3 * QUOTA).contains(&accepted) || accepted + over != PROOFS {
        report.wrong(format!("one client had {accepted} proofs accepted, {over} over its quota of 3 x {QUOTA}"));
    }
}

/// Sends garbage to all replicas. Returns how often the response was 200, 401 and 503.
async fn garbage(replicas: &[Replica], issuer: &str) -> [usize; 3] {
    let texts: Arc<[(String, String)]> = texts(issuer).into();
    let sending = replicas.iter().enumerate().map(|(number, replica)| {
        let (port, texts) = (replica.port, Arc::clone(&texts));
        let count = GARBAGE / replicas.len() + usize::from(number < GARBAGE % replicas.len());
        tokio::spawn(async move { send(port, &texts, count).await })
    });
    let mut sum = [0; 3];
    for counts in futures_util::future::join_all(sending).await {
        for (sum, count) in sum.iter_mut().zip(counts.unwrap()) {
            *sum += count;
        }
    }
    sum
}

/// Heads of tokens, which a number ends, and proofs. A third is signed by somebody else, a third says another issuer, a third is no JWT.
fn texts(issuer: &str) -> Vec<(String, String)> {
    let (forger, other) = (TestAuthServer::offline(issuer), TestAuthServer::offline("https://other.example"));
    let keys: Vec<DpopKey> = (0..20).map(|_| DpopKey::generate(Algorithm::ES256).unwrap()).collect();
    let texts = (0..600).map(|number| {
        let key = &keys[number % keys.len()];
        let token = match number % 3 {
            0 => forger.token().audience("https://api.example").bound_to(key).mint(),
            1 => other.token().audience("https://api.example").bound_to(key).mint(),
            _ => "no-token-at-all-".repeat(20),
        };
        let proof = proof(key).url("https://api.example/whoami").for_token(&token).mint();
        (token[..token.len() - 8].to_owned(), proof)
    });
    texts.collect()
}

async fn send(port: u16, texts: &[(String, String)], count: usize) -> [usize; 3] {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut request, mut response) = (Vec::new(), vec![0; 64 * 1024]);
    let (mut sent, mut counts) = (0, [0; 3]);
    while sent < count {
        request.clear();
        let batch = BATCH.min(count - sent);
        for number in sent..sent + batch {
            let (token, proof) = &texts[number % texts.len()];
            let head = "GET /whoami HTTP/1.1\r\nhost: api.example\r\nauthorization: DPoP";
            request.extend(format!("{head} {token}{number:08}\r\ndpop: {proof}\r\n\r\n").into_bytes());
        }
        stream.write_all(&request).await.unwrap();
        sent += batch;
        let mut text = Vec::new();
        let ends = |text: &[u8]| occurrences(text, b"\r\n\r\n");
        // The content of these responses has no empty line in it.
        while ends(&text) < batch {
            let length = stream.read(&mut response).await.unwrap();
            assert!(length > 0, "the connection ended");
            text.extend_from_slice(&response[..length]);
        }
        for (count, status) in counts.iter_mut().zip([&b"HTTP/1.1 200"[..], b"HTTP/1.1 401", b"HTTP/1.1 503"]) {
            *count += occurrences(&text, status);
        }
    }
    counts
}

fn occurrences(text: &[u8], part: &[u8]) -> usize {
    memchr::memmem::find_iter(text, part).count()
}
