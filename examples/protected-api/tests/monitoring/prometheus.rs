//! A real Prometheus, until it is dropped.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::servers::{Process, free_port};
use serde_json::Value;

use crate::support::Files;

pub(crate) struct Prometheus {
    _process: Process,
    url: String,
    _files: Files,
}

impl Prometheus {
    /// Scrapes these addresses every second, with these rules.
    pub(crate) async fn start(targets: &[String], rules: &Path) -> Self {
        let files = Files::new("prometheus");
        let rules = rules.canonicalize().unwrap();
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{rules:?}]\nscrape_configs:\n  \
             - job_name: notes\n    static_configs:\n      - targets: {targets:?}\n"
        );
        let config = files.write("prometheus.yml", config);
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={config}"))
            .arg(format!("--storage.tsdb.path={}", files.path("data")))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let prometheus =
            Self { _process: Process::start(&mut command), url: format!("http://{address}"), _files: files };
        let start = Instant::now();
        while !reqwest::get(format!("{}/-/ready", prometheus.url)).await.is_ok_and(|answer| answer.status() == 200) {
            assert!(start.elapsed() < Duration::from_secs(20), "prometheus does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        prometheus
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), parameters).unwrap();
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{parameters:?} {answer}");
        answer["data"].clone()
    }

    /// The numbers that a query returns now. Quotients and quantiles of nothing are none.
    pub(crate) async fn numbers(&self, query: &str) -> Vec<f64> {
        let data = self.ask("query", &[("query", query)]).await;
        let values = data["result"].as_array().unwrap().iter().map(|series| &series["value"][1]);
        values.map(|value| value.as_str().unwrap().parse().unwrap()).filter(|number: &f64| number.is_finite()).collect()
    }

    /// The course of each series of a query, in seconds since `start`, with the value of a label.
    pub(crate) async fn course(
        &self,
        query: &str,
        label: &str,
        start: u64,
        end: u64,
    ) -> Vec<(String, Vec<(f64, f64)>)> {
        let (from, to) = (start.to_string(), end.to_string());
        let parameters = [("query", query), ("start", &from), ("end", &to), ("step", "1")];
        let data = self.ask("query_range", &parameters).await;
        #[allow(clippy::cast_precision_loss)]
        let point = |pair: &Value| {
            let value = pair[1].as_str().unwrap().parse::<f64>().unwrap();
            value.is_finite().then_some((pair[0].as_f64().unwrap() - start as f64, value))
        };
        let series = data["result"].as_array().unwrap().iter().map(|series| {
            let name = series["metric"][label].as_str().unwrap_or(label).to_owned();
            (name, series["values"].as_array().unwrap().iter().filter_map(point).collect())
        });
        series.collect()
    }

    /// All rules of all groups.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let data = self.ask("rules", &[]).await;
        let groups = data["groups"].as_array().unwrap().iter();
        groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }
}
