//! `cargo run --release --manifest-path benches/compare/Cargo.toml`: PopLayer and other crates doing the same work, in
//! one process and one run.
//!
//! With proof of possession: an ES256 access token bound to a key, and an ES256 DPoP proof of that key for the request.
//! All contenders get the same requests of one client: the token is always the same and known to them, the keys of the
//! authorization server are in memory, and each proof serves once, so the proofs of a round are signed just before it.
//! Layers for axum are called as layers of a router with one route; what is a function is called as one, and compared
//! with PopLayer as a bare tower service. Bearer only: the same, with an ES256 token that is bound to nothing.
//!
//! authkestra-resource takes no EC keys of an authorization server: it is measured, and PopLayer beside it, with an
//! RS256 token, which is the quickest to verify of those that it takes.
//!
//! Each contender is set up as its documentation says, with its fastest cryptography and, where it ships one, its
//! replay store; where the type of claims is the application's, it holds the subject only. Before it is measured it
//! must let a good request through, and is tried with a proof of another key and with a replayed one, or with a token
//! whose signature is wrong; what it lets through of these is said in its row. A round measures a batch of requests
//! with each contender, in another order each time; times and ratios are medians over the rounds.
//!
//! Rows are short when they miss their target or could not be measured, and then the exit code is not zero.
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
use contender::Entry;
use contender::Kind::{Bearer, Pop};
use pop_authserver::Algorithm;
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
    let scenes = [Scene::start(Algorithm::ES256).await, Scene::start(Algorithm::RS256).await];
    let [es, rs] = &scenes;
    let entries = [
        Entry::new((POPLAYER, Pop, Router), poplayer::axum(es), es).await,
        Entry::new((POPLAYER, Pop, Bare), poplayer::bare(es), es).await,
        Entry::new((POPLAYER, Pop, Bare), poplayer::bare(rs), rs).await,
        Entry::new((HUSKARL, Pop, Router), huskarl::contender(es).await, es).await,
        Entry::new(("authplane-sdk 0.1.0", Pop, Bare), authplane::contender(es).await, es).await,
        Entry::new(("authkestra-resource 0.13.3", Pop, Bare), authkestra::contender(rs), rs).await,
        Entry::new(("dpop-verifier 4.4.0 + jsonwebtoken 11.1.0", Pop, Bare), dpop::contender(es), es).await,
        Entry::new(("oauth-resource-server 0.4.1", Bearer, Router), oauth_rs::contender(es).await, es).await,
        Entry::new(("jwt-authorizer 0.15.0", Bearer, Router), jwt_auth::contender(es).await, es).await,
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
        let proofs = [es.proofs(REQUESTS), rs.proofs(REQUESTS)];
        for turn in 0..measured.len() {
            let at = (round + turn) % measured.len();
            let entry = &mut measured[at];
            let seconds = entry.round(&proofs[usize::from(entry.scene.algorithm != Algorithm::ES256)]).await;
            if round > 0 {
                entry.seconds.push(seconds);
            }
        }
    }
    report(&mut table, &measured);
    table.verdict()
}

fn report(table: &mut Table, entries: &[Entry<'_>]) {
    for entry in entries {
        table.time(entry);
    }
    // The same requests and the same way of calling on both sides.
    let ours = |theirs: &Entry<'_>| {
        let same = |own: &&Entry<'_>| own.call == theirs.call && own.scene.algorithm == theirs.scene.algorithm;
        entries.iter().filter(|own| own.name == POPLAYER).find(same)
    };
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
