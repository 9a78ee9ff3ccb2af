//! nginx in front of replicas.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::{Process, is_installed, until_it_listens};
use super::replica::Replica;

/// A load balancer.
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    folder: PathBuf,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Nginx {
    /// Starts it on this port, which replicas must know before. `None` if it is not installed.
    pub async fn start(port: u16, replicas: &[Replica]) -> Option<Self> {
        if !is_installed("nginx", "POPLAYER_REQUIRE_PROXIES") {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("poplayer-cluster-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let servers: String = replicas.iter().map(|replica| format!("server 127.0.0.1:{};\n", replica.port)).collect();
        let text = include_str!("nginx.conf").replace("@FOLDER@", folder.to_str().unwrap());
        let text = text.replace("@PORT@", &port.to_string()).replace("@SERVERS@", &servers);
        std::fs::write(folder.join("nginx.conf"), text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(folder.join("nginx.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let nginx = Self { _process: Process::start(&mut command), folder, port };
        until_it_listens(port, "nginx").await;
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
