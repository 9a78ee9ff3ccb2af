//! Running the program, and a folder for its files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What the program said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The program says in one line what it expected, with status 2.
    pub(crate) fn is_rejected(&self, expected: &str) {
        assert_eq!((self.status, self.err.lines().count()), (2, 1), "{self:?}");
        assert!(self.err.starts_with("error: ") && self.err.contains(expected), "{expected:?} in {self:?}");
        assert_eq!(self.out, "", "{self:?}");
    }
}

/// Runs the program.
pub(crate) fn poplayer(arguments: &[&str]) -> Ran {
    poplayer_with(arguments, "", &[])
}

/// Runs the program with this standard input and these environment variables.
pub(crate) fn poplayer_with(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poplayer"));
    for name in ["TOKEN", "ISSUER", "CLIENT_ID", "CLIENT_SECRET"] {
        command.env_remove(format!("POPLAYER_{name}"));
    }
    let mut child = command
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that rejects its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: ended.status.code().unwrap(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A folder of one test. It is emptied when the test starts.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, and returns its path.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}
