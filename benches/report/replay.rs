//! The in-memory replay store by itself: instructions, memory, threads.

use std::process::Command;
use std::time::Instant;

use pop_core::jose::JwkThumbprint;
use pop_core::replay::{ReplayEntry, ReplayKey, ReplayTimes};
use sha2::{Digest, Sha256};
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayStore};

use crate::instructions::{counted, measured_section};
use crate::{Report, Target};

const NOW: u64 = 1_800_000_000;
const LIFETIME: u64 = 91;
/// Client keys among which entries are spread.
const CLIENTS: u64 = 10_000;

pub(crate) fn rows(report: &mut Report) {
    instructions(report);
    memory(report);
    threads(report);
}

fn instructions(report: &mut Report) {
    let (few_name, many_name) = ("instructions: replay insert, 10^4 live", "instructions: replay insert, 10^7 live");
    let flat = "instructions: replay insert, 10^7 live / 10^4 live";
    if !report.full || ![few_name, many_name, flat].iter().any(|name| report.wants(name, true)) {
        return;
    }
    let inserts = 5000;
    let count = |live: &str| counted(&["replay-instructions", live, &inserts.to_string()]);
    match (count("10000"), count("10000000")) {
        (Ok(few), Ok(many)) => {
            report.row(few_name, few / f64::from(inserts), Target::AtMost(600.0));
            report.row(many_name, many / f64::from(inserts), Target::AtMost(600.0));
            report.row(flat, many / few, Target::AtMost(1.2));
        }
        (Err(why), _) | (_, Err(why)) => report.missing(flat, &why),
    }
}

pub(crate) fn instructions_child(live: usize, inserts: usize) {
    let store = store(2 * (live + inserts));
    let mut entries = Entries::default();
    for _ in 0..live {
        insert(&store, entries.next());
    }
    let more: Vec<ReplayEntry> = (0..inserts).map(|_| entries.next()).collect();
    measured_section(&mut || {
        for entry in &more {
            insert(&store, *entry);
        }
    });
}

fn memory(report: &mut Report) {
    let name = "memory: bytes per live entry, 10^7 entries of 10^4 keys";
    if !report.wants(name, false) {
        return;
    }
    let entries = report.size(10_000_000, 10_000);
    let output = std::env::current_exe()
        .and_then(|program| Command::new(program).args(["--child", "replay-memory", &entries.to_string()]).output());
    let bytes = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok());
    match bytes {
        // Where little is stored, what the process needs anyway shows.
        Some(bytes) if report.full => report.row(name, bytes, Target::AtMost(48.0)),
        Some(bytes) => report.row(name, bytes, Target::None),
        None => report.missing(name, "the resident set cannot be read here"),
    }
}

/// Prints the growth of the resident set per entry.
pub(crate) fn memory_child(entries: usize, _: usize) {
    let store = store(2 * entries);
    let mut made = Entries::default();
    let Some(before) = resident() else { return };
    for _ in 0..entries {
        insert(&store, made.next());
    }
    let Some(after) = resident() else { return };
    assert_eq!(store.len(), entries);
    println!("{}", (after - before) as f64 / entries as f64);
}

/// Bytes of the resident set.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<i64>().ok().map(|kib| kib * 1024)
}

fn threads(report: &mut Report) {
    let name = "throughput: replay store, two threads / one";
    if !report.wants(name, false) {
        return;
    }
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        report.missing(name, "this needs two cores");
        return;
    }
    let inserts = if report.full { 1_000_000 } else { 1_000 };
    // The same work on both sides: an insert into a larger store costs more, in any number of threads.
    let ratios = (0..report.size(9, 1)).map(|_| rate(2, inserts) / rate(1, 2 * inserts));
    report.rounds(name, &ratios.collect::<Vec<_>>(), Target::AtLeast(if report.full { 1.7 } else { 0.0 }));
}

/// Prints inserts per second, for a profiler to look at.
pub(crate) fn threads_child(threads: usize, inserts: usize) {
    let number = |value: usize| u32::try_from(value).expect("a small number");
    println!("{:.0}", rate(number(threads), number(inserts)));
}

/// Inserts per second of all threads together.
fn rate(threads: u32, inserts: u32) -> f64 {
    let store = store(10_000_000);
    let lists: Vec<Vec<ReplayEntry>> = (0..threads)
        .map(|thread| {
            let mut entries = Entries { next: u64::from(thread) << 40 };
            (0..inserts).map(|_| entries.next()).collect()
        })
        .collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for list in &lists {
            let store = &store;
            scope.spawn(move || list.iter().for_each(|entry| insert(store, *entry)));
        }
    });
    f64::from(threads) * f64::from(inserts) / start.elapsed().as_secs_f64()
}

fn store(capacity: usize) -> MemoryReplayStore {
    MemoryReplayStore::with_capacity(capacity).per_key(capacity)
}

fn insert(store: &MemoryReplayStore, entry: ReplayEntry) {
    assert!(matches!(store.insert(entry), ReplayAnswer::Now(Ok(_))), "a new entry");
}

/// Entries that all differ, made cheaply.
#[derive(Default)]
struct Entries {
    next: u64,
}

impl Entries {
    fn next(&mut self) -> ReplayEntry {
        self.next += 1;
        let mix = |value: u64| {
            // The finaliser of splitmix64: as good as random, and never the same for two numbers.
            let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            value ^ (value >> 31)
        };
        let mut digest = [0; 32];
        for (part, chunk) in (0_u64..).zip(digest.chunks_exact_mut(8)) {
            chunk.copy_from_slice(&mix(self.next.wrapping_mul(4).wrapping_add(part)).to_le_bytes());
        }
        let client = client(self.next % CLIENTS);
        // Proofs arrive over a minute, and so expire over one.
        let issued_at = NOW - self.next % 60;
        let times = ReplayTimes { issued_at, expires_at: issued_at + LIFETIME, now: NOW };
        ReplayEntry::new(ReplayKey::from_digest(digest), client, times)
    }
}

fn client(number: u64) -> JwkThumbprint {
    thread_local! {
        static CLIENT_KEYS: Vec<JwkThumbprint> = (0..CLIENTS)
            .map(|number| {
                let text = pop_core::jose::encode(Sha256::digest(number.to_le_bytes()));
                JwkThumbprint::parse(&text).expect("a thumbprint")
            })
            .collect();
    }
    CLIENT_KEYS.with(|keys| keys[usize::try_from(number).expect("a small number")])
}
