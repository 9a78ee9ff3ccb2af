//! Feature `metrics`: what operators count. A program of its own, so that nobody else's requests are counted.
#![allow(clippy::unwrap_used)]

#[path = "suite/support.rs"]
#[allow(dead_code)]
mod support;

use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tower_pop::Mode;

type Seen = Arc<Mutex<Vec<String>>>;

/// Writes down every count with its labels.
struct Notes(Seen);

struct Note(Seen, String);

impl CounterFn for Note {
    fn increment(&self, value: u64) {
        self.0.lock().unwrap().push(format!("{} +{value}", self.1));
    }

    fn absolute(&self, _: u64) {}
}

impl HistogramFn for Note {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(format!("{} {value}", self.1));
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Counter::from_arc(Arc::new(Note(Arc::clone(&self.0), format!("{} {}", key.name(), labels.join(" ")))))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Note(Arc::clone(&self.0), key.name().to_owned())))
    }
}

#[tokio::test]
async fn outcomes_are_counted_by_code_and_proof_ages_recorded() {
    let seen = Seen::default();
    metrics::set_global_recorder(Notes(Arc::clone(&seen))).unwrap();
    let api = support::api();
    api.with_proof(|proof| proof.issued_at(support::NOW - 7)).await;
    api.with_proof(|proof| proof.method("PUT")).await;
    let report = support::api_with(|builder| builder.mode(Mode::ReportOnly));
    report.with_proof(|proof| proof.method("PUT")).await;
    let seen = seen.lock().unwrap();
    let expected = [
        "pop_proof_age_seconds 7",
        "pop_requests_total outcome=admitted code=dpop +1",
        "pop_requests_total outcome=rejected code=proof.htm_mismatch +1",
        "pop_requests_total outcome=unproven code=proof.htm_mismatch +1",
        "pop_requests_total outcome=admitted code=unproven +1",
    ];
    assert_eq!(*seen, expected);
}
