//! `poplayer attack`: which bad requests does a resource server accept?
//!
//! 1. [`vectors`]: the requests, and what a server must do with each.
//! 2. [`requests`]: what they are made of.
//! 3. [`runner`]: sends them and judges the responses.
//! 4. [`report`]: table, JSON, JUnit XML.

mod arguments;
mod report;
mod requests;
mod runner;
mod vectors;

use std::process::Stdio;
use std::time::Duration;

use pop_authserver::TestCertificate;
use pop_client::reqwest::{Identity, Url};
use pop_client::{DpopKey, NonceMemory};
use pop_core::jose::CertThumbprint;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

pub(crate) use self::arguments::AttackArguments;
use self::requests::{Certificates, Requests};
use self::runner::{Clients, Runner};
use crate::Passed;
use crate::failure::{Failure, with_causes};
use crate::http_client::{HttpClient, origin};
use crate::input;
use crate::output::Output;
use crate::token::{Binding, Source};

/// The maximum length of what the command that prints a token may print, in bytes.
const MAX_TOKEN_LEN: u64 = 64 * 1024;
/// How long it may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: AttackArguments, output: &Output) -> Result<Passed, Failure> {
    let corpus = match arguments.token.binding {
        Binding::Dpop => vectors::DPOP,
        Binding::Certificate => vectors::CERTIFICATE,
        _ => {
            return Err(Failure::input(
                "attacks are on DPoP and on certificates: expected --binding dpop or --binding certificate",
            ));
        }
    };
    if arguments.list {
        report::list(corpus, *output);
        return Ok(true);
    }
    let url = arguments.url.clone().ok_or_else(|| Failure::input("there is no target: expected a URL"))?;
    check_target(&url, arguments.i_own_this_host)?;
    arguments.token.check()?;
    let method = input::method(&arguments.request)?;
    let http = HttpClient::new(&arguments.token, &url, arguments.max_time)?;
    let (token, key) = token(&arguments, &url, &http).await?;
    let thief = DpopKey::generate(key.algorithm()).map_err(|error| Failure::failed(error.to_string()))?;
    let (clients, certificates) = connections(http, &arguments, &url)?;
    let requests =
        Requests { method, url: url.clone(), token, key, thief, nonces: NonceMemory::default(), certificates };
    let pause = Duration::from_millis(arguments.pause);
    let findings = Runner::start(clients, requests, corpus, pause).await?.all().await?;
    // The query may have secrets.
    let target = format!("{}{}", url.origin().ascii_serialization(), url.path());
    if let Some(path) = &arguments.junit {
        let written = std::fs::write(path, report::junit(&findings, &target));
        written.map_err(|error| Failure::input(format!("cannot write {}: {error}", path.display())))?;
    }
    report::print(&findings, &target, *output);
    Ok(findings.iter().all(|finding| finding.outcome.is_good()))
}

/// Returns the clients, and the certificates that they show: three for an attack on certificates, else the one of the user.
fn connections(own: HttpClient, arguments: &AttackArguments, url: &Url) -> Result<(Clients, Certificates), Failure> {
    let (token, timeout) = (&arguments.token, arguments.max_time);
    let Some(path) = token.certificate.as_deref().filter(|_| token.binding == Binding::Certificate) else {
        let clients = Clients { anonymous: own.clone(), thief: own.clone(), own };
        return Ok((clients, Certificates::default()));
    };
    let failed = |error: &dyn std::error::Error| Failure::failed(with_causes(error));
    let thief = TestCertificate::try_self_signed("thief.example").map_err(|error| failed(&error))?;
    let pem = Zeroizing::new(format!("{}\n{}", thief.key_pem(), thief.pem()));
    let identity = Identity::from_pem(pem.as_bytes()).map_err(|error| failed(&error))?;
    let clients = Clients {
        own,
        anonymous: HttpClient::with(None, token, url, timeout)?,
        thief: HttpClient::with(Some(identity), token, url, timeout)?,
    };
    let certificates = Certificates { own: input::first_certificate(path)?, thief: thief.der().to_vec() };
    Ok((clients, certificates))
}

/// Attacks stay on this machine, unless the user says that the host is theirs.
fn check_target(url: &Url, owned: bool) -> Result<(), Failure> {
    let is_loopback = origin(url).is_some_and(|origin| origin.is_loopback());
    if is_loopback || owned {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err(Failure::input(format!("{host} is beyond this machine: expected --i-own-this-host, if it is yours")))
}

/// Gets the token of the run, and its key.
async fn token(arguments: &AttackArguments, url: &Url, http: &HttpClient) -> Result<(String, DpopKey), Failure> {
    let Some(command) = &arguments.token_command else {
        let token = Source::find(&arguments.token, url, http, arguments.max_time).await?.token().await?;
        return Ok((token.access_token, token.key));
    };
    let key = arguments.token.own_key()?;
    let failed = |why: &str| Failure::failed(format!("--token-command {why}: expected a command that prints a token"));
    let certificate = arguments.token.certificate.as_deref().map(input::first_certificate).transpose()?;
    let thumbprint = certificate.map(|der| CertThumbprint::of_der(&der).to_string());
    let shell = if cfg!(windows) { ["cmd", "/C"] } else { ["sh", "-c"] };
    let [shell, flag] = shell;
    let mut child = tokio::process::Command::new(shell)
        .args([flag, command])
        .env("POPLAYER_JWK", key.public_jwk().to_string())
        .env("POPLAYER_JKT", key.thumbprint().to_string())
        .envs(thumbprint.map(|thumbprint| ("POPLAYER_X5T_S256", thumbprint)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("cannot run ({error})")))?;
    let stdout = child.stdout.take();
    let ended = tokio::time::timeout(COMMAND_TIMEOUT, async {
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_TOKEN_LEN).read_to_end(&mut printed).await?; // the rest breaks its pipe
        }
        Ok::<_, std::io::Error>((child.wait().await?, printed))
    });
    let (status, printed) = ended
        .await
        .map_err(|_| failed("took more than 60 s"))?
        .map_err(|error| failed(&format!("cannot be read ({error})")))?;
    let token = String::from_utf8(printed).map_err(|_| failed("printed something else"))?.trim().to_owned();
    if !status.success() || token.is_empty() {
        return Err(failed("failed"));
    }
    Ok((token, key))
}
