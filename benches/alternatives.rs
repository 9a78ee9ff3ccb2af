//! `cargo bench --bench alternatives`: what was weighed before it was chosen or left. docs/performance.md has the outcome.
//!
//! 1. Two caches for verified tokens, hit by one thread and by one of two.
//! 2. Whether the same client key over and over could be verified with faster than with one that is new: the only maintained
//!    library that offers tables for a key of one's own does so for Ed25519.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::edwards::{CompressedEdwardsY, VartimeEdwardsPrecomputation};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul;
use pop_authserver::{Algorithm, DpopKey};
use sha2::{Digest, Sha512};

mod support;

type Value = Arc<[u8; 200]>;

const ENTRIES: u64 = 10_000;

/// As random as the hashes of tokens.
fn key(number: u64) -> [u64; 4] {
    [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number, !number, number.rotate_left(17)]
}

/// Hits, while another thread does nothing or the same.
fn hits(criterion: &mut Criterion, name: &str, get: impl Fn(u64) + Sync) {
    let mut group = criterion.benchmark_group("token cache, one hit");
    for other in [false, true] {
        let running = AtomicBool::new(other);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = ENTRIES / 2;
                while running.load(Ordering::Relaxed) {
                    get(number % ENTRIES);
                    number += 1;
                }
            });
            let mut number = 0;
            group.bench_function(format!("{name}, {}", if other { "of two threads" } else { "alone" }), |bencher| {
                bencher.iter(|| {
                    get(number % ENTRIES);
                    number += 1;
                });
            });
            running.store(false, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn caches(criterion: &mut Criterion) {
    let quick = quick_cache::sync::Cache::<[u64; 4], Value>::new(20_000);
    let moka = moka::sync::Cache::<[u64; 4], Value>::new(20_000);
    for number in 0..ENTRIES {
        quick.insert(key(number), Arc::new([0; 200]));
        moka.insert(key(number), Arc::new([0; 200]));
    }
    moka.run_pending_tasks();
    hits(criterion, "quick_cache", |number| assert!(black_box(quick.get(&key(number))).is_some()));
    hits(criterion, "moka", |number| assert!(black_box(moka.get(&key(number))).is_some()));
}

/// RFC 8032 §5.1.7 with a table for the key: `S·B − k·A` must be `R`.
struct Tabled {
    key: [u8; 32],
    table: VartimeEdwardsPrecomputation,
}

impl Tabled {
    fn new(key: [u8; 32]) -> Self {
        let point = CompressedEdwardsY(key).decompress().unwrap();
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        Self { key, table: VartimeEdwardsPrecomputation::new([base, -point]) }
    }

    fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let (r, s) = signature.split_at(32);
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().unwrap())) else {
            return false;
        };
        let hash = Sha512::new().chain_update(r).chain_update(self.key).chain_update(message).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        self.table.vartime_multiscalar_mul([s, k]).compress().as_bytes() == r
    }
}

fn same_key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verification by one key");
    let message = [b'm'; 420];
    let bare = support::Bare::new();
    group.bench_function("ES256, aws-lc-rs", |bencher| bencher.iter(|| bare.verify()));

    let signer = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let jwk = signer.public_jwk();
    let public: [u8; 32] = pop_core::jose::decode(jwk["x"].as_str().unwrap()).unwrap().try_into().unwrap();
    let signature: [u8; 64] = signer.sign(&message).unwrap().try_into().unwrap();
    let parsed = ParsedPublicKey::new(&ED25519, public).unwrap();
    group.bench_function("Ed25519, aws-lc-rs", |bencher| {
        bencher.iter(|| parsed.verify_sig(black_box(&message), &signature).unwrap());
    });
    let tabled = Tabled::new(public);
    assert!(tabled.verifies(&message, &signature) && !tabled.verifies(b"other", &signature));
    group.bench_function("Ed25519, curve25519-dalek with a table for the key", |bencher| {
        bencher.iter(|| assert!(tabled.verifies(black_box(&message), &signature)));
    });
    group.finish();
}

criterion_group!(benches, caches, same_key);
criterion_main!(benches);
