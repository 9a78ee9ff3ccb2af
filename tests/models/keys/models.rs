//! What must hold in every order.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::poll_fn;
use pop_core::Unavailable;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{AlgorithmSet, RsaLimits};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::sync::atomic::{AtomicUsize, Ordering};

use super::caching::JwksCaching;
use super::discovery::KeyLocation;
use super::fetch::{Exchange, FetchError, FetchResponse, HttpFetch};
use super::remote::{KeyLookup, KeyPolicy, RemoteKeys};
use crate::clock::ManualClock;
use crate::sync::{end_of_tasks, stop_runtime};
use crate::{NOW, check};

/// The key of RFC 9449 §4.2.
const KEYS: &str = r#"{"keys":[{"kty":"EC","kid":"one","crv":"P-256",
    "x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}]}"#;

/// An authorization server that takes a while.
#[derive(Clone, Default)]
struct Server {
    /// How many fetches have begun.
    fetches: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    /// The number of the fetch that fails, from 0.
    failing: Option<usize>,
}

impl HttpFetch for Server {
    fn fetch(&self) -> Exchange {
        let server = self.clone();
        Box::pin(async move {
            let number = server.fetches.fetch_add(1, Ordering::SeqCst);
            let running = Running::new(&server.running);
            yield_now().await;
            drop(running);
            if server.failing == Some(number) { Err(FetchError::Timeout) } else { Ok(FetchResponse::new(KEYS)) }
        })
    }
}

/// A fetch that has begun, until it ends or is dropped.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(running: &Arc<AtomicUsize>) -> Self {
        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two fetches at a time");
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn keys(server: &Server, location: KeyLocation) -> (Arc<RemoteKeys>, Arc<ManualClock>) {
    let policy = KeyPolicy {
        algorithms: AlgorithmSet::TOKEN,
        rsa: RsaLimits::default(),
        backend: CryptoBackend::default(),
        caching: JwksCaching::default(),
        allow_http: false,
    };
    let clock = Arc::new(ManualClock::at(NOW));
    let keys = RemoteKeys::new("https://as.example", location, policy, Arc::new(server.clone()), clock.clone());
    (Arc::new(keys), clock)
}

fn at_uri(server: &Server) -> (Arc<RemoteKeys>, Arc<ManualClock>) {
    keys(server, KeyLocation::Uri("https://as.example/jwks".to_owned()))
}

/// Returns whether there is a key for a token, as the verifier finds out.
async fn has_key(keys: &Arc<RemoteKeys>, kid: &str) -> Result<bool, Unavailable> {
    let known = match keys.lookup(Some(kid), false) {
        KeyLookup::Ready(known) => known,
        KeyLookup::Failed(error) => return Err(error),
        KeyLookup::Fetch(refresh) => {
            refresh.run().await?;
            match keys.lookup(Some(kid), true) {
                KeyLookup::Ready(known) => known,
                KeyLookup::Failed(error) => return Err(error),
                KeyLookup::Fetch(_) => panic!("a refresh that succeeded left no keys"),
            }
        }
    };
    Ok(known.keys.has_kid(kid))
}

/// Has requests with tokens of these `kid`s at the same time.
async fn requests<const N: usize>(keys: &Arc<RemoteKeys>, kids: [&'static str; N]) -> Vec<Result<bool, Unavailable>> {
    let requests = kids.map(|kid| {
        let keys = Arc::clone(keys);
        spawn(async move { has_key(&keys, kid).await })
    });
    let mut results = Vec::new();
    for request in requests {
        results.push(request.await.unwrap());
    }
    results
}

/// Polls a request this many times, and drops it.
async fn cancelled_after(keys: Arc<RemoteKeys>, polls: usize) {
    let mut request = pin!(has_key(&keys, "one"));
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await.is_ready() {
            return;
        }
        yield_now().await;
    }
}

/// Runs a model whose requests are tasks.
fn check_async(model: impl AsyncFn() + Clone + Send + Sync + 'static) {
    check(move || block_on(model()));
}

/// ATK-26: single flight.
#[test]
fn requests_at_the_same_time_cause_one_fetch_and_all_end() {
    check_async(async || {
        let server = Server::default();
        let (keys, _) = at_uri(&server);
        assert_eq!(requests(&keys, ["one"; 4]).await, [Ok(true); 4]);
        assert_eq!(server.fetches(), 1);
    });
}

/// META-17: the look-up of the URL is a part of the same flight.
#[test]
fn discovery_is_part_of_the_one_fetch() {
    check_async(async || {
        let server = Server::default();
        let (keys, _) = keys(&server, KeyLocation::Discovery);
        assert_eq!(requests(&keys, ["one"; 3]).await, [Ok(true); 3]);
        assert_eq!(server.fetches(), 2, "one of the metadata, one of the keys");
    });
}

/// ATK-26: requests that are gone neither end the fetch nor leave the others waiting.
#[test]
fn cancelled_requests_leave_no_other_request_waiting() {
    check_async(async || {
        let server = Server::default();
        let (keys, _) = at_uri(&server);
        let cancelled = [1, 2].map(|polls| spawn(cancelled_after(Arc::clone(&keys), polls)));
        assert_eq!(requests(&keys, ["one"; 2]).await, [Ok(true); 2]);
        for request in cancelled {
            request.await.unwrap();
        }
        assert_eq!(server.fetches(), 1);
    });
}

/// ATK-26: a failure is the result of all requests, and no reason for each of them to try again.
#[test]
fn requests_that_wait_for_a_failed_fetch_cause_no_other_one() {
    check_async(async || {
        let server = Server { failing: Some(0), ..Server::default() };
        let (keys, clock) = at_uri(&server);
        assert_eq!(requests(&keys, ["one"; 3]).await, [Err(Unavailable::Keys); 3]);
        assert_eq!(server.fetches(), 1);
        clock.advance(5);
        assert_eq!(requests(&keys, ["one"; 3]).await, [Ok(true); 3]);
        assert_eq!(server.fetches(), 2);
    });
}

/// ATK-26: of requests that miss a key in the same set, whenever they begin to refresh it.
#[test]
fn requests_with_an_unknown_key_cause_one_fetch() {
    check_async(async || {
        let server = Server::default();
        let (keys, _) = at_uri(&server);
        assert_eq!(has_key(&keys, "one").await, Ok(true));
        let refreshes = [(); 3].map(|()| match keys.lookup(Some("two"), false) {
            KeyLookup::Fetch(refresh) => refresh,
            _ => panic!("no fetch is due"),
        });
        let refreshes = refreshes.map(|refresh| spawn(refresh.run()));
        assert_eq!(requests(&keys, ["one"; 2]).await, [Ok(true); 2]);
        for refresh in refreshes {
            assert_eq!(refresh.await.unwrap(), Ok(()));
        }
        assert_eq!(server.fetches(), 2);
    });
}

/// ATK-27: keys that are no longer fresh are used while one fetch renews them, and after it has failed another one.
#[test]
fn keys_are_used_while_one_fetch_at_a_time_renews_them() {
    check_async(async || {
        let server = Server { failing: Some(1), ..Server::default() };
        let (keys, clock) = at_uri(&server);
        assert_eq!(has_key(&keys, "one").await, Ok(true));
        for (seconds, fetches) in [(301, 2), (5, 3)] {
            clock.advance(seconds);
            assert_eq!(requests(&keys, ["one"; 3]).await, [Ok(true); 3]);
            end_of_tasks().await;
            assert_eq!(server.fetches(), fetches);
        }
    });
}

/// ATK-26: a fetch whose runtime stops leaves no request waiting, and does not keep others from fetching.
#[test]
fn a_fetch_that_is_dropped_leaves_no_request_waiting() {
    check_async(async || {
        let server = Server::default();
        let (keys, clock) = at_uri(&server);
        let stop = spawn(async {
            yield_now().await;
            stop_runtime();
        });
        for result in requests(&keys, ["one"; 3]).await {
            assert!(matches!(result, Ok(true) | Err(Unavailable::Keys)), "{result:?}");
        }
        stop.await.unwrap();
        clock.advance(5);
        let _ = has_key(&keys, "one").await; // may learn that the fetch is gone
        assert_eq!(requests(&keys, ["one"; 2]).await, [Ok(true); 2]);
    });
}
