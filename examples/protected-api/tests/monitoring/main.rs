//! The dashboard and the alert rules in `docs/monitoring`: a real Prometheus scrapes two replicas under load, and every
//! query must have an answer. Prints `LEFT OUT` where Prometheus or Redis is not installed, and fails there if
//! `POPLAYER_REQUIRE_PROMETHEUS` is set.
//!
//! With `POPLAYER_PICTURE=docs/pictures/monitoring.svg` the load goes on for a minute, and its course is drawn.
#![allow(clippy::unwrap_used)]

mod load;
mod picture;
mod prometheus;
#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cluster::servers::is_installed;
use serde_json::Value;

use self::load::World;
use self::prometheus::Prometheus;

/// How long there is load before Redis is stopped, and after that.
const LOAD: [Duration; 2] = [Duration::from_secs(8), Duration::from_secs(3)];

fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring").join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboard_and_the_alerts_has_an_answer() {
    if !["prometheus", "promtool", "redis-server"]
        .into_iter()
        .all(|program| is_installed(program, "POPLAYER_REQUIRE_PROMETHEUS"))
    {
        return;
    }
    let rules = monitoring("alerts.yml");
    // Each rule fires when it should, and only then.
    for (words, file) in [(["check", "rules"], &rules), (["test", "rules"], &monitoring("alerts.test.yml"))] {
        let checked = Command::new("promtool").args(words).arg(file).output().unwrap();
        let said = [checked.stdout, checked.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(checked.status.success(), "{}", said.concat());
    }
    let picture = std::env::var_os("POPLAYER_PICTURE");
    let longer = if picture.is_some() { 5 } else { 1 };
    let mut world = World::start().await;
    let prometheus = Prometheus::start(&world.metrics(), &rules).await;
    world.load(LOAD[0] * longer).await;
    world.stop_redis();
    world.load(LOAD[1] * longer).await;

    let dashboard: Value = serde_json::from_slice(&std::fs::read(monitoring("dashboard.json")).unwrap()).unwrap();
    let mut missing = variables_without_values(&prometheus, &dashboard).await;
    let mut queries = dashboard_queries(&dashboard);
    assert!(queries.len() > 20, "{queries:?}");
    queries.extend(alert_queries(&prometheus).await);
    for (name, query) in queries {
        if prometheus.numbers(&query).await.is_empty() {
            missing.push(format!("{name}: {query}"));
        }
    }
    assert!(missing.is_empty(), "without an answer:\n{}", missing.join("\n"));
    let unknown = prometheus.numbers("pop_no_such_metric").await;
    assert!(unknown.is_empty(), "a query for what does not exist has none");
    if let Some(path) = picture {
        picture::draw(&prometheus, Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).await;
    }
}

/// The queries of all panels, as Grafana would send them.
fn dashboard_queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (panel["title"].as_str().unwrap(), target["expr"].as_str().unwrap()))
    });
    let queries = targets.map(|(title, query)| {
        let query = query.replace("$__rate_interval", "10s").replace("$job", ".*").replace("$instance", ".*");
        assert!(!query.contains('$'), "{title}: {query} has another variable");
        (title.to_owned(), without_comparison(&query))
    });
    queries.collect()
}

/// Asks for the values of each variable: `label_values(metric, label)`.
async fn variables_without_values(prometheus: &Prometheus, dashboard: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] != "query" {
            continue;
        }
        let query = variable["query"]["query"].as_str().unwrap().replace("$job", ".*");
        let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (metric, label) = inner.rsplit_once(", ").unwrap();
        if prometheus.numbers(&format!("count by ({label}) ({metric})")).await.is_empty() {
            missing.push(query);
        }
    }
    missing
}

/// The expressions of the rules that Prometheus has loaded, without their thresholds. Each rule says what to do, and where.
async fn alert_queries(prometheus: &Prometheus) -> Vec<(String, String)> {
    let rules = prometheus.rules().await;
    assert!(rules.len() > 10, "{rules:?}");
    let guide = std::fs::read_to_string(monitoring("../operations.md")).unwrap();
    let anchors: Vec<String> = guide.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let queries = rules.iter().map(|rule| {
        let (name, query) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        assert_eq!(rule["health"], "ok", "{name}: {}", rule["lastError"]);
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "description"] {
            assert!(
                rule["annotations"][annotation].as_str().is_some_and(|text| text.len() > 20),
                "{name} {annotation}"
            );
        }
        let page = rule["annotations"]["runbook_url"].as_str().unwrap();
        let (page, section) = page.split_once('#').unwrap();
        assert!(page.ends_with("/docs/operations.md") && anchors.iter().any(|own| own == section), "{name}: {section}");
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
        assert_ne!(query, without_comparison(query), "{name} has no threshold");
        (name.to_owned(), without_comparison(query))
    });
    queries.collect()
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || [' ', '-'].contains(char));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// An expression without its thresholds, so that it has a value below them too.
fn without_comparison(query: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut is_threshold = false;
    for word in query.split(' ') {
        if is_threshold {
            is_threshold = false;
            assert!(word.parse::<f64>().is_ok(), "{query}");
        } else if word == ">" || word == "<" {
            is_threshold = true;
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}
