//! The program as users run it.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Calls are accepted and rejected as the program says, and a stream ends with its token.
#[test]
fn prints_what_happens_to_each_call() {
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-example")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        ("unary call: 250 cents", ""),
        ("replayed proof: status 16, ", r#"DPoP error="invalid_dpop_proof""#),
        ("missing scope: status 7, ", r#"DPoP error="insufficient_scope""#),
        ("stream: 250 cents", ""),
        (r#"stream ended: status 16, "the access token has expired""#, ""),
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, (start, challenge)) in lines.iter().zip(expected) {
        assert!(line.starts_with(start) && line.contains(challenge), "{line}");
    }
    assert!(!text.contains("eyJ"), "no token and no proof is printed");
}
