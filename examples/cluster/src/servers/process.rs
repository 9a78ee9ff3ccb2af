//! A child process.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns whether a program is installed. Says so if it is not; fails where the environment variable is set.
#[allow(clippy::print_stderr)]
pub fn is_installed(program: &str, required_by: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os(required_by).is_none(), "{program} is not installed");
        eprintln!("LEFT OUT: {program} is not installed here");
    }
    found
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something listens on the port.
pub(super) async fn until_it_listens(port: u16, what: &str) {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} does not accept connections");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until something is so.
///
/// # Panics
/// After 20 s.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A process that ends with this value.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Panics
    /// If the program is not installed.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display())))
    }

    /// The first line that it prints. It must have been started with a pipe.
    ///
    /// # Panics
    /// If it was not, or if it was called before.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }

    /// Sends a signal, such as `-HUP`.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// A line of `/proc/…/status` in KiB, such as `VmRSS` and `VmHWM`; `None` where there is no such file.
    pub fn memory(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
