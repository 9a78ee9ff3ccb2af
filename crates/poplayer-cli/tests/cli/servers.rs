//! The authorization code flow in the browser, certificate-bound tokens, and `serve-as`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use pop_authserver::{Client, TestCertificate};
use tower_pop::tls::{self, TlsPeer};
use tower_pop::{ClientCertificates, PopConfig, PopLayer};

use crate::api::Api;
use crate::support::{Folder, poplayer, poplayer_with};

/// A program that runs until it is dropped.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poplayer"));
        command.args(arguments).env("BROWSER", "true").env("POPLAYER_CLIENT_SECRET", "hunter2");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// The rest of a line that begins with `start`.
    fn line(output: impl Read, start: &str) -> String {
        let mut lines = BufReader::new(output).lines().map(Result::unwrap);
        lines.find_map(|line| Some(line.strip_prefix(start)?.to_owned())).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// RFC 8252 §7.3, RFC 7636: the redirect URI is on loopback, and requests for anything else don't end the wait.
#[test]
fn asks_the_user_in_the_browser() {
    let api = Api::start(|builder| builder, |builder| builder);
    let mut running = Running::start(&["call", &api.echo(), "--client-id", "worker", "--browser"]);
    let url = Running::line(running.0.stderr.take().unwrap(), "* open in the browser: ");
    for part in [
        "code_challenge_method=S256",
        "code_challenge=",
        "state=",
        "dpop_jkt=",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
    let redirect = url.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
    let redirect = redirect.replace("%3A", ":").replace("%2F", "/");
    let get = async |url: String| pop_client::reqwest::get(url).await.unwrap().status().as_u16();
    assert_eq!(api.block_on(get(redirect.replace("/callback", "/favicon.ico"))), 404);
    assert_eq!(api.block_on(get(url)), 200, "the answer for the browser, after the redirect");
    let mut printed = String::new();
    running.0.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "GET /echo?a=1 - -  by Dpop");
    assert!(running.0.wait().unwrap().success());
}

/// RFC 9207, RFC 6749 §10.12: an answer with another state is not the user's.
#[test]
fn rejects_an_answer_that_belongs_to_another_request() {
    let api = Api::start(|builder| builder, |builder| builder);
    let mut running = Running::start(&["call", &api.echo(), "--client-id", "worker", "--browser"]);
    let mut stderr = BufReader::new(running.0.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let redirect = line.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
    let redirect = redirect.replace("%3A", ":").replace("%2F", "/");
    let forged = format!("{redirect}?code=stolen&state=guessed&iss={}", api.server.issuer());
    let get = async |url: String| pop_client::reqwest::get(url).await.unwrap().status().as_u16();
    assert_eq!(api.block_on(get(forged)), 404);
    assert!(running.0.try_wait().unwrap().is_none(), "it still waits for the answer of the user");
    // The twin: that answer.
    assert_eq!(api.block_on(get(line.split_whitespace().last().unwrap().to_owned())), 200);
    assert!(running.0.wait().unwrap().success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("stolen"), "{rest}");
}

/// RFC 8705: the token is bound to the certificate, and `inspect` agrees.
#[test]
fn gets_tokens_that_are_bound_to_a_certificate() {
    let folder = Folder::new("call-certificate");
    let client = || Client::public("bound").certificate_bound_access_tokens();
    let api = Api::start(|builder| builder.mutual_tls().client(client()), |builder| builder);
    let own = TestCertificate::self_signed("bound");
    let (certificate, key) = (folder.file("own.pem", own.pem()), folder.file("own-key.pem", own.key_pem()));
    let cacert = folder.file("as.pem", api.server.tls_certificate_pem().unwrap());
    let tls = ["--certificate", &certificate, "--certificate-key", &key, "--cacert", &cacert];
    let with = |more: &[&str]| {
        api.call_with(&[&tls[..], &["--client-id", "bound", "--binding", "certificate"], more].concat())
    };
    let ran = with(&["--print-headers"]);
    assert!(ran.status == 0 && ran.out.starts_with("authorization: Bearer eyJ"), "{ran:?}");
    let inspect = ["inspect", "--json", "--url", &api.echo(), "--issuer", api.server.issuer()];
    let report = poplayer_with(&[&inspect[..], &["--certificate", &certificate]].concat(), &ran.out, &[]).json();
    assert_eq!(report["accepted"], true, "{report:#}");
    let report = poplayer_with(&inspect, &ran.out, &[]).json();
    assert_eq!(report["code"], "binding.certificate_missing", "without the certificate");
    let bad = folder.file("bad.pem", "no certificate");
    let swapped =
        ["--certificate", &bad, "--certificate-key", &key, "--binding", "certificate", "--client-id", "bound"];
    api.call_with(&swapped).is_rejected("expected a certificate and its private key");
    api.call_with(&["--cacert", &bad, "--client-id", "bound"]).is_rejected("expected PEM");
}

/// Over TLS, with the certificate at both servers, and with one that the API does not know.
#[test]
fn calls_an_api_over_tls_with_a_client_certificate() {
    let folder = Folder::new("call-tls");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = || Client::public("bound").certificate_bound_access_tokens();
    let api = Api::start(|builder| builder.mutual_tls().client(client()).audience(&url), |builder| builder);
    let certificate = TestCertificate::self_signed("127.0.0.1");
    let trusted = format!("{}\n{}", api.server.tls_certificate_pem().unwrap(), certificate.pem());
    let cacert = folder.file("trusted.pem", trusted);
    api.block_on(async {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.key_der());
        let chain = vec![certificate.der().to_vec().into()];
        let tls = tls::server_config(chain, key.into(), tls::any_client_certificate()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tls::listener(tokio::net::TcpListener::from_std(listener).unwrap(), tls);
        let cfg =
            PopConfig::builder(api.server.issuer(), &url).client_certificates(ClientCertificates::from_connection());
        let app = axum::Router::new().route("/", axum::routing::get(async || "hello"));
        let app = app.layer(PopLayer::new(cfg.build().unwrap()));
        let app = app.into_make_service_with_connect_info::<TlsPeer>();
        tokio::spawn(async move { axum::serve(listener, app).await });
    });
    let with = |name: &str, more: &[&str]| {
        let own = TestCertificate::self_signed(name);
        let (pem, key) = (folder.file("own.pem", own.pem()), folder.file("key.pem", own.key_pem()));
        let arguments = ["call", &url, "--cacert", &cacert, "--certificate", &pem, "--certificate-key", &key];
        poplayer(&[&arguments[..], &["--binding", "certificate"], more].concat())
    };
    let token = ["--issuer", api.server.issuer(), "--client-id", "bound", "--resource", &url];
    let ran = with("bound", &token);
    assert_eq!((ran.status, ran.out.as_str()), (0, "hello"), "{ran:?}");
    let printed = with("bound", &[&token[..], &["--print-headers"]].concat()).out;
    let stolen = printed.trim().strip_prefix("authorization: Bearer ").unwrap();
    let ran = with("thief", &["--token", stolen, "--fail", "-i"]);
    assert!(ran.status == 1 && ran.out.starts_with("HTTP 401"), "{ran:?}");
    let ran = poplayer(&["call", &url, "--token", "t", "--key", &folder.path("key.pem")]);
    assert!(ran.status == 1 && ran.err.contains("certificate"), "a server that is not trusted: {ran:?}");
}

#[test]
fn serves_the_development_authorization_server() {
    let mut running = Running::start(&["serve-as", "--listen", "127.0.0.1:0", "--audience", "http://127.0.0.1:9"]);
    let issuer = Running::line(running.0.stdout.take().unwrap(), "ready ");
    let metadata = format!("{issuer}/.well-known/oauth-authorization-server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let metadata = runtime.block_on(async { pop_client::reqwest::get(metadata).await.unwrap().text().await.unwrap() });
    assert!(metadata.contains(&issuer), "{metadata}");
    poplayer(&["serve-as", "--listen", "192.0.2.1:1"]).is_rejected("not on loopback");
    poplayer(&["serve-as", "--resource-server", "hunter2"]).is_rejected("not id:secret");
    let busy = issuer.strip_prefix("http://").unwrap();
    let ran = poplayer(&["serve-as", "--listen", busy]);
    assert!(ran.status == 1 && ran.err.contains("cannot listen"), "{ran:?}");
}

#[test]
fn generates_completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = poplayer(&["completions", shell]);
        assert!(ran.status == 0 && ran.out.contains("inspect") && ran.out.contains("serve-as"), "{shell}");
    }
    poplayer(&["completions", "tcsh"]).is_rejected("possible values");
    let folder = Folder::new("man");
    assert!(poplayer(&["man"]).out.contains(".TH poplayer 1"));
    assert_eq!(poplayer(&["man", "--out", &folder.path("")]).status, 0);
    let page = std::fs::read_to_string(folder.path("poplayer-inspect.1")).unwrap();
    assert!(page.contains("\\-\\-jwks") && page.contains("why 401"), "{page}");
    poplayer(&["man", "--out", "/nowhere/at/all"]).is_rejected("cannot write to");
}
