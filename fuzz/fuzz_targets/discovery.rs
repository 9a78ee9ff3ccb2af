//! What an issuer says of itself (RFC 8414) and its keys, as answers to a resource that knows nothing yet: the first line is
//! `Cache-Control`, the second the metadata, the others the key set. A good request passes only if the metadata names the
//! very issuer and the set holds the very key; nothing but https is followed, whatever the metadata says.
#![no_main]

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use poplayer_fuzz::oracle;
use poplayer_fuzz::scene::Scene;
use poplayer_fuzz::world::{ISSUER, ISSUER_KEY, NOW, configure};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower_pop::clock::ManualClock;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{IssuerConfig, Verification};

const SEED: &str = include_str!("../seeds/discovery/accepted");
const WELL_KNOWN: &str = "https://as.example/.well-known/oauth-authorization-server";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

fuzz_target!(init: { assert!(passes(SEED)) }, |text: &str| {
    if passes(text) {
        let server = Server::read(text);
        let metadata: Value = serde_json::from_str(&server.metadata).expect("JSON");
        assert_eq!(metadata["issuer"], ISSUER);
        let set: Value = serde_json::from_str(&server.keys).expect("JSON");
        let own: Value = serde_json::from_str(&ISSUER_KEY.jwk()).expect("JSON");
        assert!(set["keys"].as_array().expect("an array").iter().any(|key| key["x"] == own["x"]));
    }
});

fn passes(text: &str) -> bool {
    let scene = Scene::read(include_str!("../seeds/pipeline/accepted-dpop")).expect("a scene");
    let server = Server::read(text);
    let fetched = Arc::clone(&server.fetched);
    let resource = configure(IssuerConfig::new(ISSUER), Arc::new(ManualClock::at(NOW)))
        .http_fetch(server)
        .build()
        .expect("a valid configuration");
    let Verification::Later(verdict) = resource.verify(&scene.parts) else {
        panic!("no keys are known yet");
    };
    let verdict = RUNTIME.block_on(verdict).into_verdict();

    let fetched = fetched.lock().expect("nobody panicked");
    assert_eq!(fetched[0], WELL_KNOWN);
    assert!(fetched.len() <= 3 && fetched.iter().all(|url| url.to_ascii_lowercase().starts_with("https://")));
    match verdict {
        Ok(admitted) => {
            oracle::check(&scene, &admitted.token.expect("mode Required never admits anonymous requests"));
            true
        }
        Err(rejection) => {
            let code = rejection.error().code();
            let expected = ["token.unknown_key", "token.signature", "unavailable.keys"];
            assert!(expected.contains(&code), "{code}");
            false
        }
    }
}

struct Server {
    cache_control: String,
    metadata: String,
    keys: String,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn read(text: &str) -> Self {
        let mut parts = text.splitn(3, '\n').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Self { cache_control: part(), metadata: part(), keys: part(), fetched: Arc::default() }
    }
}

impl HttpFetch for Server {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let body = if request.url.contains("/.well-known/") { &self.metadata } else { &self.keys };
        let response = FetchResponse::new(body.clone()).cache_control(&self.cache_control);
        self.fetched.lock().expect("nobody panicked").push(request.url);
        Box::pin(ready(Ok(response)))
    }
}
