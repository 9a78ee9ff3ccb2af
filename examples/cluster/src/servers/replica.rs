//! A replica of the API, in a process of its own.

use std::process::{Command, Stdio};

use super::process::{Process, free_port};

/// A replica. It is this very program, started as `… replica --listen …`.
#[derive(Debug)]
pub struct Replica {
    options: Vec<String>,
    process: Option<Process>,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Replica {
    /// Starts one. `options` are those of [`ReplicaArgs`](crate::replica::ReplicaArgs) but for the address.
    pub fn start(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut replica = Self { options, process: None, port: free_port() };
        replica.restart();
        replica
    }

    /// Kills it if it runs, and starts it again on the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["replica", "--listen", &format!("127.0.0.1:{}", self.port)]).args(&self.options);
        let mut process = Process::start(command.stdout(Stdio::piped()));
        let line = process.first_line();
        assert!(line.starts_with("ready "), "{:?} {line}", self.options);
        self.process = Some(process);
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its memory now, and at most, in KiB.
    pub fn memory(&self) -> Option<(u64, u64)> {
        let process = self.process.as_ref()?;
        Some((process.memory("VmRSS")?, process.memory("VmHWM")?))
    }

    /// The URL of its resource.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/whoami", self.port)
    }
}
