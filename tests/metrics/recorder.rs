//! Recorders that keep what they get.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// Writes down every change of a metric with its labels, and the names of all that are described or created.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    changes: Seen,
    described: Arc<Mutex<BTreeSet<String>>>,
    created: Arc<Mutex<BTreeSet<String>>>,
}

struct Note(Seen, String);

impl Notes {
    pub(crate) fn to(changes: &Seen) -> Self {
        Self { changes: Arc::clone(changes), ..Self::default() }
    }

    pub(crate) fn described(&self) -> BTreeSet<String> {
        self.described.lock().unwrap().clone()
    }

    /// The series that exist, such as `name label=value`.
    pub(crate) fn created(&self) -> BTreeSet<String> {
        self.created.lock().unwrap().clone()
    }

    /// How often this series changed.
    pub(crate) fn count(&self, series: &str) -> usize {
        self.values(series).len()
    }

    /// The sum of all increments and decrements, or of all values of a histogram.
    pub(crate) fn sum(&self, series: &str) -> f64 {
        self.values(series).iter().sum()
    }

    /// The values in the order of the changes.
    pub(crate) fn values(&self, series: &str) -> Vec<f64> {
        let changes = self.changes.lock().unwrap();
        let values = changes.iter().filter_map(|change| change.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        values.collect()
    }

    fn note(&self, key: &Key) -> Arc<Note> {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value())).collect::<String>();
        let series = format!("{}{labels}", key.name());
        self.created.lock().unwrap().insert(series.clone());
        Arc::new(Note(Arc::clone(&self.changes), series))
    }

    fn describe(&self, name: &KeyName) {
        self.described.lock().unwrap().insert(name.as_str().to_owned());
    }
}

impl Note {
    fn add(&self, value: impl std::fmt::Display) {
        self.0.lock().unwrap().push(format!("{} {value}", self.1));
    }
}

impl CounterFn for Note {
    fn increment(&self, value: u64) {
        self.add(format_args!("+{value}"));
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Note {
    fn increment(&self, value: f64) {
        self.add(format_args!("+{value}"));
    }

    fn decrement(&self, value: f64) {
        self.add(format_args!("-{value}"));
    }

    fn set(&self, value: f64) {
        self.add(value);
    }
}

impl HistogramFn for Note {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.note(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.note(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.note(key))
    }
}
