//! Configurations and servers that cannot be used.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pop_authserver::TestCertificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_pop::replay::{RedisReplayStore, RedisSetupError, RedisUnavailable, ReplayError};

use crate::{SOON, TIMEOUT, entry, insert, store};
use cluster::servers::Redis;

/// Each error names the value, and shows no credentials.
#[test]
fn a_configuration_that_cannot_work_fails_when_it_is_built() {
    let url = "redis://127.0.0.1";
    let builder = || RedisReplayStore::builder(url);
    assert!(builder().build().is_ok());
    let none: [&str; 0] = [];
    for (row, broken, expected) in [
        ("no URL", RedisReplayStore::builder("nonsense"), "nonsense"),
        ("another scheme", RedisReplayStore::builder("http://user:s3cret@redis.example/x"), "http://redis.example/x"),
        ("a port", RedisReplayStore::builder("redis://user:s3cret@redis.example:99999"), "redis.example:99999"),
        ("a database", RedisReplayStore::builder("redis://:s3cret@redis.example/zero"), "redis://redis.example/zero"),
        (
            "no check of names",
            RedisReplayStore::builder("rediss://:s3cret@redis.example/#insecure"),
            "certificates must be",
        ),
        ("no nodes", RedisReplayStore::cluster(none), "a cluster"),
        ("no Sentinels", RedisReplayStore::sentinel(none, "m"), "Sentinel"),
        ("a node", RedisReplayStore::cluster([url, "s3cret@x"]), "x is not a URL"),
        ("no time", builder().timeout(Duration::ZERO), "timeout in ms is 0"),
        ("too much time", builder().timeout(Duration::from_secs(61)), "timeout in ms is 61000"),
        ("no calls", builder().max_calls(0), "max_calls is 0"),
        ("clocks", builder().clock_difference(Duration::from_secs(3601)), "clock_difference in s is 3601"),
        ("replicas", builder().wait_for_replicas(0), "wait_for_replicas is 0"),
        ("memory", builder().local_capacity(999), "local_capacity is 999"),
        ("share", builder().per_key(0), "per_key is 0"),
        ("credentials", builder().credentials("user", "s3cret"), "credentials contradicts a URL"),
        ("certificate", builder().root_certificate("x"), "a certificate contradicts a URL without TLS"),
        ("PEM", RedisReplayStore::builder("rediss://127.0.0.1").client_certificate("x", "s3cret"), "certificates"),
    ] {
        let shown = format!("{broken:?}");
        let error: RedisSetupError = broken.build().unwrap_err();
        let text = format!("{error} {error:?} {shown}");
        assert!(text.contains(expected), "{row}: {text}");
        assert!(!text.contains("s3cret"), "{row}: {text}");
    }
}

/// A server that may drop entries is not used, unless that is allowed.
#[tokio::test]
async fn a_server_that_may_evict_is_not_used() {
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
        let Some(redis) = Redis::start(&["--maxmemory", "100mb", "--maxmemory-policy", policy]).await else { return };
        let strict = store(&redis.url());
        let error = strict.connect().await.unwrap_err();
        assert!(matches!(&error, RedisUnavailable::Evicts { policy: found } if found == policy), "{error}");
        assert!(error.needs_repair());
        assert_eq!(insert(&strict, entry(1, "strict")).await, Err(ReplayError::Unavailable));
        let lenient = RedisReplayStore::builder(redis.url()).dangerous().allow_eviction().build().unwrap();
        assert_eq!(insert(&lenient, entry(1, "lenient")).await, Ok(()));
        redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        crate::until_accepted(&strict).await;
        strict.connect().await.unwrap();
        redis.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let error = strict.connect().await.unwrap_err();
        assert!(matches!(error, RedisUnavailable::Evicts { .. }), "whoever asks learns of it: {error}");
        assert_eq!(insert(&strict, entry(1, "changed")).await, Err(ReplayError::Unavailable));
    }
}

/// A policy that changes while requests come is noticed by them, within seconds.
#[tokio::test]
async fn a_server_that_begins_to_evict_is_left() {
    let Some(redis) = Redis::start(&["--maxmemory", "100mb"]).await else { return };
    let store = store(&redis.url());
    assert_eq!(insert(&store, entry(1, "before")).await, Ok(()));
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let start = std::time::Instant::now();
    for number in 0.. {
        if insert(&store, entry(1, &format!("{number}"))).await == Err(ReplayError::Unavailable) {
            break;
        }
        assert!(start.elapsed() < SOON, "it is still in use");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A password, and a user who may do no more than is needed.
#[tokio::test]
async fn credentials_that_are_refused_are_named_without_being_shown() {
    let user = ["api", "on", ">s3cret", "~notes:*", "-@all", "+set", "+get", "+info"];
    let options = [&["--requirepass", "s3cret", "--user"], &user[..]].concat();
    let Some(redis) = Redis::start(&options).await else { return };
    let at = |user: &str| format!("redis://{user}127.0.0.1:{}", redis.port);
    for user in ["", ":wr0ng@", "api:wr0ng@", "nobody:s3cret@"] {
        let refused = RedisReplayStore::builder(at(user)).key_prefix("notes:").timeout(TIMEOUT).build().unwrap();
        let error = refused.connect().await.unwrap_err();
        let text = format!("{error} {:?} {refused:?}", error.source().map(ToString::to_string));
        assert!(error.needs_repair(), "{error:?}");
        assert!(!text.contains("wr0ng") && !text.contains("s3cret"), "{text}");
        assert!(
            text.contains("uthentication") || text.contains("WRONGPASS") || text.contains("NOAUTH"),
            "{user} {text}"
        );
        assert_eq!(insert(&refused, entry(1, "refused")).await, Err(ReplayError::Unavailable));
    }
    for user in [":s3cret@", "api:s3cret@"] {
        let accepted = RedisReplayStore::builder(at(user)).key_prefix("notes:").build().unwrap();
        assert_eq!(insert(&accepted, entry(1, user)).await, Ok(()), "{user}");
    }
    let elsewhere = RedisReplayStore::builder(at("api:s3cret@")).key_prefix("other:").timeout(TIMEOUT).build().unwrap();
    let error = elsewhere.connect().await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("no permissions"), "{:?}", error.source());
}

/// With the certificates of the system, or with those that are named.
#[tokio::test]
async fn a_server_must_have_a_certificate_that_is_trusted() {
    let folder = std::env::temp_dir().join(format!("poplayer-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, client) = (TestCertificate::self_signed("127.0.0.1"), TestCertificate::self_signed("client"));
    let file = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (pem, key) = (file("server.pem", certificate.pem()), file("server.key", certificate.key_pem()));
    let clients = file("clients.pem", client.pem());
    let port = cluster::servers::free_port().to_string();
    let options =
        ["--tls-port", &port, "--tls-cert-file", &pem, "--tls-key-file", &key, "--tls-ca-cert-file", &clients];
    let Some(_redis) = Redis::start(&options).await else { return };
    let builder = || RedisReplayStore::builder(format!("rediss://127.0.0.1:{port}"));
    let (known, own) = (certificate.pem(), (client.pem(), client.key_pem()));
    let trusts = builder().root_certificate(known.clone()).client_certificate(own.0.clone(), own.1.clone());
    assert_eq!(insert(&trusts.build().unwrap(), entry(1, "tls")).await, Ok(()));
    for (row, refused) in [
        ("not trusted", builder().timeout(TIMEOUT).client_certificate(own.0, own.1)),
        ("without a certificate of its own", builder().timeout(TIMEOUT).root_certificate(known)),
    ] {
        assert_eq!(insert(&refused.build().unwrap(), entry(1, row)).await, Err(ReplayError::Unavailable), "{row}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// What is not a string was not written by this store.
#[tokio::test]
async fn an_entry_of_another_type_is_no_answer() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = store(&redis.url());
    let known = entry(1, "known");
    assert_eq!(insert(&store, known).await, Ok(()));
    let script =
        "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) redis.call('LPUSH', key, 'x') end";
    redis.command(&["EVAL", script, "0"]);
    assert_eq!(insert(&self::store(&redis.url()), known).await, Err(ReplayError::Unavailable));
    assert_eq!(insert(&store, entry(1, "another")).await, Ok(()), "the connection is as good as before");
}

/// something listens there, and it is no Redis, or an old one.
#[tokio::test]
async fn answers_that_are_none_are_no_answers() {
    for (row, answer) in [
        ("HTML", "HTTP/1.1 400 Bad Request\r\n\r\n<html>"),
        ("nonsense", "$-5\r\n*1000000000\r\n"),
        ("OK to everything", "+OK\r\n"),
        ("an integer", ":1\r\n"),
        ("nil", "$-1\r\n"),
        ("empty", "\r\n"),
    ] {
        let store = store(&answers(vec![("", answer)]).await.url);
        assert_eq!(insert(&store, entry(1, row)).await, Err(ReplayError::Unavailable), "{row}");
        assert!(store.connect().await.is_err(), "{row}");
    }
    let memory = "$29\r\nmaxmemory_policy:noeviction\r\n\r\n";
    let old = answers(vec![("INFO", memory), ("SET\r\n", "-ERR syntax error\r\n"), ("", "+OK\r\n")]).await;
    let error = store(&old.url).connect().await.unwrap_err();
    assert!(matches!(error, RedisUnavailable::TooOld(_)) && error.needs_repair(), "{error:?}");
    // Its twin, which answers as Redis 7 does.
    let probe = ("poplayer:probe", "$5\r\nprobe\r\n");
    let new = answers(vec![("INFO", memory), probe, ("SET\r\n", "$-1\r\n"), ("", "+OK\r\n")]).await;
    assert_eq!(insert(&store(&new.url), entry(1, "new")).await, Ok(()));
    // It says of every key that it was not there.
    let forgetful = answers(vec![("INFO", memory), ("SET\r\n", "$-1\r\n"), ("", "+OK\r\n")]).await;
    let error = store(&forgetful.url).connect().await.unwrap_err();
    assert!(matches!(error, RedisUnavailable::Incompatible) && error.needs_repair(), "{error:?}");
    // It answers `SET` with its own kind of value: an integer is none.
    let odd = answers(vec![("INFO", memory), probe, ("SET\r\n", ":1\r\n"), ("", "+OK\r\n")]).await;
    assert_eq!(insert(&store(&odd.url), entry(1, "odd")).await, Err(ReplayError::Unavailable));
}

/// A node of a cluster that is used as if it were alone sends to another one: nothing is accepted, and it is asked once.
#[tokio::test]
async fn a_node_of_a_cluster_is_no_server_by_itself() {
    let memory = "$29\r\nmaxmemory_policy:noeviction\r\n\r\n";
    let probe = ("poplayer:probe", "$5\r\nprobe\r\n");
    let moved = "-MOVED 1 127.0.0.1:1\r\n";
    let node = answers(vec![("INFO", memory), probe, ("SET\r\n", moved), ("", "+OK\r\n")]).await;
    let store = store(&node.url);
    store.connect().await.unwrap();
    for number in 0..20 {
        let asked = node.sets();
        assert_eq!(insert(&store, entry(1, &format!("{number}"))).await, Err(ReplayError::Unavailable));
        assert_eq!(node.sets(), asked + 1, "{number}");
    }
}

/// A server of [`answers`].
struct Answers {
    url: String,
    sets: Arc<AtomicUsize>,
}

impl Answers {
    /// How many `SET` commands came.
    fn sets(&self) -> usize {
        self.sets.load(Ordering::Relaxed)
    }
}

/// A server that answers each command with the first row whose text it contains.
async fn answers(rows: Vec<(&'static str, &'static str)>) -> Answers {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let sets = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sets);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (rows, counted) = (rows.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = client.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    // Several commands may have come at once.
                    for command in text.split("\r\n*").filter(|command| !command.is_empty()) {
                        counted.fetch_add(usize::from(command.contains("SET\r\n")), Ordering::Relaxed);
                        let row = rows.iter().find(|(name, _)| format!("{command}\r\n").contains(name));
                        if client.write_all(row.unwrap().1.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    Answers { url, sets }
}
