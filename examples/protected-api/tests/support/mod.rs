//! The program as a child process, and files for its options.

use std::process::Command;

pub(crate) const AUDIENCE: &str = "https://notes.example";

pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
    command.args(["--listen", "127.0.0.1:0", "--authserver-listen", "127.0.0.1:0"]).args(args);
    command
}

/// A folder with files for the options, until it is dropped.
pub(crate) struct Files(std::path::PathBuf);

impl Files {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("poplayer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: String) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
