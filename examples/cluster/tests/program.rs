//! The command of the guide. It needs Redis and nginx, prints `LEFT OUT` where they are not installed, and fails there if
//! POPLAYER_REQUIRE_REDIS and POPLAYER_REQUIRE_PROXIES are set.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use cluster::servers::is_installed;

/// REPLAY-10, X-37.
#[test]
fn three_replicas_accept_each_proof_once() {
    if !is_installed("redis-server", "POPLAYER_REQUIRE_REDIS") || !is_installed("nginx", "POPLAYER_REQUIRE_PROXIES") {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_cluster")).args(["--seconds", "2"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in ["valid request               200 ", "replay at another replica   401 replay.replayed "] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains(", 0 refused\n") && text.contains(", 0 accepted\n"), "{text}");
}

#[test]
fn an_argument_that_it_does_not_know_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster")).args(["--minutes", "2"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("--minutes"));
}
