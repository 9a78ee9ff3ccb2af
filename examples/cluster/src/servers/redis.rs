//! Redis, Valkey and Sentinel.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::{Process, free_port, is_installed, until, until_it_listens};

/// A server with a folder of its own.
#[derive(Debug)]
pub struct Redis {
    program: &'static str,
    process: Option<Process>,
    folder: PathBuf,
    args: Vec<String>,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Redis {
    /// Starts `redis-server` with these options, and waits until it answers. `None` if it is not installed.
    pub async fn start(options: &[&str]) -> Option<Self> {
        Self::start_program("redis-server", free_port(), options).await
    }

    /// Starts another program: `valkey-server`, or `redis-sentinel`, whose options are lines of its file.
    pub async fn start_program(program: &'static str, port: u16, options: &[&str]) -> Option<Self> {
        if !is_installed(program, "POPLAYER_REQUIRE_REDIS") {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("poplayer-redis-{port}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let folder_text = folder.to_str().unwrap().to_owned();
        let mut args = Vec::new();
        if program == "redis-sentinel" {
            // Sentinel writes to its configuration.
            let text = format!("port {port}\ndir {folder_text}\nbind 127.0.0.1\n{}\n", options.join("\n"));
            std::fs::write(folder.join("sentinel.conf"), text).unwrap();
            args.push(folder.join("sentinel.conf").to_str().unwrap().to_owned());
        } else {
            let fixed = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &folder_text, "--save", ""];
            args.extend(fixed.iter().chain(options).map(|text| (*text).to_owned()));
        }
        let mut server = Self { program, process: None, folder, args, port };
        server.restart().await;
        Some(server)
    }

    /// Starts a Sentinel that watches a server under the name `notes`, and waits until it knows this many replicas.
    pub async fn start_sentinel(primary: &Self, replicas: usize) -> Option<Self> {
        let monitor = format!("sentinel monitor notes 127.0.0.1 {} 1", primary.port);
        let options = [&*monitor, "sentinel down-after-milliseconds notes 500", "sentinel failover-timeout notes 3000"];
        let sentinel = Self::start_program("redis-sentinel", free_port(), &options).await?;
        let knows = format!("slaves={replicas}");
        until("Sentinel knows the replicas", || sentinel.command(&["INFO", "sentinel"]).contains(&knows)).await;
        Some(sentinel)
    }

    /// Starts a cluster of three primaries with a replica each, which have these options.
    ///
    /// # Panics
    /// If they do not come together.
    pub async fn start_cluster(options: &[&str]) -> Option<Vec<Self>> {
        let options = [&["--cluster-enabled", "yes", "--cluster-node-timeout", "800"], options].concat();
        let mut nodes = Vec::new();
        for _ in 0..6 {
            // Nodes talk to each other on the port that is 10,000 higher.
            let port = std::iter::repeat_with(free_port).find(|port| *port < 50_000)?;
            nodes.push(Self::start_program("redis-server", port, &options).await?);
        }
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let words = ["--cluster", "create", "--cluster-replicas", "1", "--cluster-yes"];
        let words: Vec<&str> = words.into_iter().chain(addresses.iter().map(String::as_str)).collect();
        let created = nodes[0].command(&words);
        assert!(created.contains("All 16384 slots covered"), "{created}");
        until("all are in step", || nodes.iter().all(|node| node.is_primary() || node.is_in_step())).await;
        until("the cluster is whole", || nodes.iter().all(Self::is_in_whole_cluster)).await;
        Some(nodes)
    }

    /// Whether it answers as a primary.
    pub fn is_primary(&self) -> bool {
        self.command(&["ROLE"]).starts_with("master")
    }

    /// Whether it answers as a replica that has what its primary has.
    pub fn is_in_step(&self) -> bool {
        self.command(&["INFO", "replication"]).contains("master_link_status:up")
    }

    /// Whether it is a node of a cluster in which every slot has a primary.
    pub fn is_in_whole_cluster(&self) -> bool {
        self.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
    }

    /// Starts it again, with the data that it wrote to its folder.
    pub async fn restart(&mut self) {
        let mut command = Command::new(self.program);
        self.process = Some(Process::start(command.args(&self.args).stdout(Stdio::null()).stderr(Stdio::null())));
        until_it_listens(self.port, self.program).await;
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it in the middle of whatever it does, or lets it go on.
    ///
    /// # Panics
    /// If it was killed.
    pub fn pause(&self, paused: bool) {
        self.process.as_ref().unwrap().signal(if paused { "-STOP" } else { "-CONT" });
    }

    /// Its resident memory in KiB.
    pub fn memory(&self) -> Option<u64> {
        self.process.as_ref()?.memory("VmRSS")
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The answer of a command, as the server's own client prints it.
    pub fn command(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// How many `SET` commands it has run.
    pub fn sets(&self) -> u64 {
        let statistics = self.command(&["INFO", "commandstats"]);
        let set = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_set:calls="));
        set.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
