//! The program as users run it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use pop_authserver::{Algorithm, DpopKey, TestCertificate};
use pop_client::{ClientAuthentication, ClientCertificate, MtlsTokenClient, TokenClient};
use serde_json::Value;

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pop-authserver"));
    command.args(["--listen", "127.0.0.1:0", "--audience", "https://api.example"]).args(args);
    command
}

/// A running server, until it is dropped.
struct Running(Child, String);

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut child = program(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let issuer = ready.trim().strip_prefix("ready ").unwrap().to_owned();
        Self(child, issuer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// AS-12, AS-13: opaque and certificate-bound tokens, and a resource server that introspects them.
#[tokio::test]
async fn flags_turn_on_every_kind_of_token() {
    let file = std::env::temp_dir().join(format!("poplayer-as-{}.pem", std::process::id()));
    let tls = file.to_str().unwrap();
    let server = Running::start(&[
        "--opaque-client",
        "opaque",
        "--mtls-client",
        "mtls",
        "--mutual-tls",
        tls,
        "--resource-server",
        "api:secret",
    ]);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let opaque = TokenClient::discover(&server.1, "opaque", ClientAuthentication::None, key).await.unwrap();
    let own = TestCertificate::self_signed("own");
    let pem = std::fs::read_to_string(&file).unwrap();
    let certificate = ClientCertificate::from_pem(&own.pem(), &own.key_pem()).unwrap().trust(&pem).unwrap();
    let mtls = MtlsTokenClient::discover(&server.1, "mtls", ClientAuthentication::None, certificate).await.unwrap();
    for (token, member) in [
        (opaque.client_credentials(None, None).await.unwrap().access_token, "jkt"),
        (mtls.client_credentials(None, None).await.unwrap().access_token, "x5t#S256"),
    ] {
        let request = reqwest::Client::new().post(format!("{}/introspect", server.1));
        let answer = request.basic_auth("api", Some("secret")).form(&[("token", token)]).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["active"] == true && answer["cnf"][member].is_string(), "AS-13 {answer}");
    }
    std::fs::remove_file(file).unwrap();
}

/// AS-01: an address beyond loopback is one of them.
#[test]
fn wrong_flags_are_named() {
    for (args, part) in [
        (&["--listen", "0.0.0.0:0"][..], "not on loopback"),
        (&["--mtls-client", "a"], "--mutual-tls"),
        (&["--resource-server", "nosecret"], "a value of --resource-server is not id:secret"),
        (&["--issuer", "nonsense"], "nonsense"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pop-authserver"));
        let defaults: &[&str] = if args[0] == "--listen" { &[] } else { &["--listen", "127.0.0.1:0"] };
        let output = command.args(defaults).args(args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "AS-01 {args:?}: {text}");
    }
}
