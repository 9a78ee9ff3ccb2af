//! Replicas under steady load, and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::figures::{Figures, recovery};
use cluster::issuer::Issuer;
use cluster::load::{Event, Kind, Load, Outcome};
use cluster::servers::Replica;
use tokio::task::JoinHandle;

const PUBLIC_URL: &str = "https://api.example";
/// After this time without a fault, nothing is rejected any more. The row says how long it really took.
const RECOVERED: Duration = Duration::from_secs(10);
/// How long it has to stay so.
const QUIET: Duration = Duration::from_secs(2);

/// Three replicas, and clients.
pub(crate) struct World {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) load: Arc<Load>,
    running: JoinHandle<()>,
    /// KiB
    before: u64,
}

/// What a fault may do to valid requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Costs {
    /// Nothing.
    Nothing,
    /// They are rejected with 503 until it ends.
    Outage,
    /// Connections end too.
    Connections,
}

impl World {
    /// Starts replicas with these options, and the load.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let issuer = Arc::new(Issuer::start().await);
        let common = ["--public-url", PUBLIC_URL, "--issuer", issuer.url()];
        let options = [&common, options].concat();
        let replicas: Vec<Replica> = (0..3).map(|_| Replica::start(&options)).collect();
        let load = Arc::new(Load::new(&issuer, PUBLIC_URL, replicas.iter().map(Replica::url).collect()));
        let running = tokio::spawn({
            let load = Arc::clone(&load);
            async move { load.run().await }
        });
        let mut world = Self { issuer, replicas, load, running, before: 0 };
        tokio::time::sleep(Duration::from_secs(2)).await;
        let warm_up = world.load.take_events();
        assert!(Figures::of(&warm_up).accepted() > 0, "{}", Figures::of(&warm_up).table());
        world.before = world.memory().1;
        world
    }

    /// Memory of the replicas together, now and at most, in KiB.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let each = self.replicas.iter().filter_map(Replica::memory);
        each.fold((0, 0), |(now, most), (its_now, its_most)| (now + its_now, most + its_most))
    }

    /// Runs a fault: `breaks` begins it, and returns when it has ended.
    pub(crate) async fn fault(
        &mut self,
        report: &mut Report,
        name: &str,
        costs: Costs,
        breaks: impl AsyncFnOnce(&mut Self),
    ) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Figures::of(&self.load.take_events());
        report.outside(name, &before);
        breaks(self).await;
        let healed = Instant::now();
        let mut events = self.load.take_events();
        while healed.elapsed() < QUIET || healed.elapsed() < recovery(&events, healed) + QUIET {
            tokio::time::sleep(Duration::from_millis(200)).await;
            events.extend(self.load.take_events());
            assert!(healed.elapsed() < 3 * RECOVERED, "{name}\n{}", Figures::of(&events).table());
        }
        report.row(name, costs, &events, healed, self.memory().1.saturating_sub(self.before));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What is printed.
#[derive(Default)]
pub(crate) struct Report {
    totals: Figures,
    wrong: Vec<String>,
}

impl Report {
    /// Prints the head of the table.
    pub(crate) fn new() -> Self {
        println!(
            "{:48}{:>10}{:>9}{:>9}{:>9}{:>8}{:>10}{:>9}",
            "", "accepted", "refused", "attacks", "accepted", "p99", "recovery", "memory"
        );
        println!("{:48}{:>10}{:>9}{:>9}{:>9}{:>8}{:>10}{:>9}", "fault", "", "", "", "of them", "ms", "ms", "+MiB");
        Self::default()
    }

    /// Notes what must not be.
    pub(crate) fn wrong(&mut self, what: String) {
        println!("  WRONG: {what}");
        self.wrong.push(what);
    }

    fn outside(&mut self, name: &str, figures: &Figures) {
        self.totals.add(figures);
        if figures.refused() + figures.attacks_accepted() > 0 {
            self.wrong(format!("before: {name}\n{}", figures.table()));
        }
    }

    fn row(&mut self, name: &str, costs: Costs, events: &[Event], healed: Instant, memory: u64) {
        let figures = Figures::of(events);
        let during = Figures::of(events.iter().filter(|event| event.at < healed));
        let recovery = recovery(events, healed);
        println!(
            "{name:48}{:>10}{:>9}{:>9}{:>9}{:>8}{:>10}{:>9}",
            figures.accepted(),
            figures.refused(),
            figures.attacks(),
            figures.attacks_accepted(),
            during.time(0.99).as_millis(),
            recovery.as_millis(),
            memory / 1024,
        );
        self.totals.add(&figures);
        let lost = events.iter().any(|event| event.kind == Kind::Valid && event.outcome == Outcome::NoAnswer);
        let is_wrong = figures.attacks_accepted() + figures.wrongly_rejected() > 0
            || costs == Costs::Nothing && figures.refused() > 0
            || costs != Costs::Connections && lost
            || recovery > RECOVERED;
        if is_wrong {
            self.wrong(format!("{name}\n{}", figures.table()));
        }
    }

    /// Prints the sums.
    pub(crate) fn end(self) {
        println!("\n{}", self.totals);
        assert!(self.wrong.is_empty(), "{} of the above are wrong", self.wrong.len());
    }
}
