//! Real servers, started for a test and ended with it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns whether a program is installed. Says so if it is not; fails where `POPLAYER_REQUIRE_REDIS` is set.
pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os("POPLAYER_REQUIRE_REDIS").is_none(), "{program} is not installed");
        eprintln!("LEFT OUT: {program} is not installed here");
    }
    found
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A server with a folder of its own.
pub(crate) struct Redis {
    program: &'static str,
    child: Option<Child>,
    folder: PathBuf,
    args: Vec<String>,
    pub(crate) port: u16,
}

impl Redis {
    /// Starts `redis-server` with these options, and waits until it answers.
    pub(crate) async fn start(options: &[&str]) -> Option<Self> {
        Self::start_program("redis-server", free_port(), options).await
    }

    pub(crate) async fn start_program(program: &'static str, port: u16, options: &[&str]) -> Option<Self> {
        if !is_installed(program) {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("poplayer-redis-{port}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let folder_text = folder.to_str().unwrap().to_owned();
        let mut args = Vec::new();
        if program == "redis-sentinel" {
            // Sentinel writes to its configuration.
            let lines: Vec<String> = options.iter().map(|line| (*line).to_owned()).collect();
            let text = format!("port {port}\ndir {folder_text}\nbind 127.0.0.1\n{}\n", lines.join("\n"));
            std::fs::write(folder.join("sentinel.conf"), text).unwrap();
            args.push(folder.join("sentinel.conf").to_str().unwrap().to_owned());
        } else {
            let fixed = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &folder_text, "--save", ""];
            args.extend(fixed.iter().chain(options).map(|text| (*text).to_owned()));
        }
        let mut server = Self { program, child: None, folder, args, port };
        server.restart().await;
        Some(server)
    }

    /// Starts it again, with the data that it wrote to its folder.
    pub(crate) async fn restart(&mut self) {
        let mut command = Command::new(self.program);
        self.child = Some(command.args(&self.args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        self.accepts_connections().await;
    }

    async fn accepts_connections(&self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} does not accept connections: {:?}", self.program, self.args);
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = (child.kill(), child.wait());
        }
    }

    /// Stops it in the middle of whatever it does, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The answer of a command, as the server's own client prints it.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// How many `SET` commands it has run.
    pub(crate) fn sets(&self) -> u64 {
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
