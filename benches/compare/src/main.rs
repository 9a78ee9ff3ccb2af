//! `cargo run --release --manifest-path benches/compare/Cargo.toml`: PopLayer and other crates doing the same work, in one
//! process and one run.
//!
//! With proof of possession: an ES256 access token bound to a key, and an ES256 DPoP proof of that key for the request.
//! All contenders get the same requests of one client: the token is always the same and known to them, the keys of the
//! authorization server are in memory, and each proof serves once, so the proofs of a round are signed just before it.
//! Layers for axum are called as layers of a router with one route; what is a function is called as one, and compared
//! with PopLayer as a bare tower service. Bearer only: the same, with an ES256 token that is bound to nothing.
//!
//! Each contender is set up as its documentation says, with its fastest cryptography and its own replay store. Before it
//! is measured it must let a good request through; what it lets through besides is said in its row. A round measures a
//! batch of requests with each contender, in another order each time; ratios are medians over the rounds.
#![allow(clippy::print_stdout)]

mod authkestra;
mod authplane;
mod contender;
mod dpop;
mod huskarl;
mod jwt_auth;
mod oauth_rs;
mod poplayer;
mod scene;
mod table;

use std::process::ExitCode;

use contender::Call::{Bare, Router};
use contender::Kind::{Bearer, Pop};
use contender::{Entry, Kind};
use scene::Scene;
use table::{Table, Target};

const ROUNDS: usize = 21;
const REQUESTS: usize = 100;

const POPLAYER: &str = "PopLayer";
const HUSKARL: &str = "huskarl-axum 0.1.0";

fn main() -> ExitCode {
    install_providers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(compare())
}

/// rustls and jsonwebtoken are built with more than one provider here, as the contenders ask for different ones.
fn install_providers() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first to install one");
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().expect("the first to install one");
}

async fn compare() -> ExitCode {
    let scene = Scene::start().await;
    let s = &scene;
    let entries = [
        Entry::new((POPLAYER, Pop, Router), poplayer::axum(s), s).await,
        Entry::new((POPLAYER, Pop, Bare), poplayer::bare(s), s).await,
        Entry::new((HUSKARL, Pop, Router), huskarl::contender(s).await, s).await,
        Entry::new(("authplane-sdk 0.1.0", Pop, Bare), authplane::contender(s).await, s).await,
        Entry::new(("authkestra-resource 0.13.3", Pop, Bare), authkestra::contender(s), s).await,
        Entry::new(("dpop-verifier 4.4.0 + jsonwebtoken 11.1.0", Pop, Bare), dpop::contender(s), s).await,
        Entry::new(("oauth-resource-server 0.4.1", Bearer, Router), oauth_rs::contender(s).await, s).await,
        Entry::new(("jwt-authorizer 0.15.0", Bearer, Router), jwt_auth::contender(s).await, s).await,
    ];
    let mut table = Table::new();
    let mut measured = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => measured.push(entry),
            Err((name, why)) => table.missing(name, &why),
        }
    }
    // The first round only warms up.
    for round in 0..=ROUNDS {
        let proofs = scene.proofs(REQUESTS);
        for turn in 0..measured.len() {
            let at = (round + turn) % measured.len();
            let entry = &mut measured[at];
            let requests = match entry.kind {
                Kind::Pop => proofs.iter().map(|proof| scene.with_proof(proof)).collect(),
                Kind::Bearer => (0..REQUESTS).map(|_| scene.bearer()).collect(),
            };
            let seconds = entry.round(requests).await;
            if round > 0 {
                entry.seconds.push(seconds);
            }
        }
    }
    report(&mut table, &measured);
    table.verdict()
}

fn report(table: &mut Table, entries: &[Entry]) {
    for entry in entries {
        table.time(entry);
    }
    // The same way of calling on both sides.
    let ours = |theirs: &Entry| entries.iter().find(|own| own.name == POPLAYER && own.call == theirs.call);
    let mut faster = Vec::new();
    let mut over_bearer = Vec::new();
    for theirs in entries.iter().filter(|entry| entry.name != POPLAYER) {
        let Some(ours) = ours(theirs) else { continue };
        match theirs.kind {
            Pop => faster.push((table::ratio(theirs, ours), theirs.name)),
            Bearer => over_bearer.push((table::ratio(ours, theirs), theirs.name)),
        }
    }
    for (ratio, name) in &faster {
        table.row(&format!("{name} / PopLayer"), *ratio, Target::None);
    }
    for (ratio, name) in &over_bearer {
        table.row(&format!("PopLayer with PoP / {name} without"), *ratio, Target::None);
    }
    let hardest = faster.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
    table.target("PopLayer is faster than the fastest PoP crate by", hardest, Target::AtLeast(2.0));
    let huskarl = faster.iter().copied().find(|(_, name)| *name == HUSKARL);
    table.target("PopLayer is faster than huskarl-axum by", huskarl, Target::AtLeast(8.0));
    let hardest = over_bearer.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    table.target("PopLayer with PoP / fastest Bearer-only middleware", hardest, Target::AtMost(1.05));
}
