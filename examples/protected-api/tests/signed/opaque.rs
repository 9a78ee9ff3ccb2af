//! Opaque tokens with the same bindings, which the API introspects.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use http::Method;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, Client, DpopKey, ResourceServer, TestAuthServer};
use pop_client::{Envelope, ProofMethod, TokenBinding, TokenClient};
use pop_core::proof::SignatureProfile;
use reqwest::Request;

use crate::support::{AUDIENCE, Files, program};
use crate::{Answer, Draft, kek, set};

/// SYM-14, SIG-03, SHR-03, AS-15: tokens of real token requests.
#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_can_be_bound_in_the_same_ways() {
    let files = Files::new("opaque");
    let keks = set(&[kek(1)]);
    let resource = ResourceServer::new(AUDIENCE).key_encryption_keys(&keks).unwrap();
    let builder = TestAuthServer::defaults()
        .resource(resource)
        .client(Client::public("opaque").opaque_access_tokens())
        .client(Client::confidential("api", "secret").introspects(AUDIENCE));
    let server = TestAuthServer::start_with(builder).await;
    let mut command = program(&["--issuer", server.issuer(), "--audience", AUDIENCE, "--proofs", "httpsig,pop,hmac"]);
    command.args([
        "--kek-file",
        &files.write("kek.json", keks),
        "--introspection-url",
        &server.introspection_endpoint(),
    ]);
    command.args(["--introspection-client-id", "api", "--introspection-client-secret", "secret"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let url = format!("{}/whoami", ready.trim().strip_prefix("ready ").unwrap());

    let mut kinds = Vec::new();
    for binding in [TokenBinding::HttpSig, TokenBinding::Pop, TokenBinding::PopThumbprint, TokenBinding::SharedKey] {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let client = TokenClient::builder(server.issuer(), "opaque").binding(binding).build(key).await.unwrap();
        let token = client.client_credentials(Some("notes:read"), Some(AUDIENCE)).await.unwrap();
        let token = client.bound_token(&token).unwrap();
        assert!(!token.access_token().contains('.'), "{binding:?}");
        let request = || Request::new(Method::GET, url.parse().unwrap());
        let envelope = |envelope: Envelope<'_>, key: &DpopKey| {
            let mut request = request();
            let credentials = format!("PoP {}", envelope.sign(key).unwrap());
            request.headers_mut().insert(AUTHORIZATION, credentials.parse().unwrap());
            request
        };
        let draft = |profile| Draft::new(profile, token.proof().scheme(), token.access_token(), request());
        let other = DpopKey::generate(Algorithm::ES256).unwrap();
        let plain = Envelope::new("GET", &url, token.access_token());
        let (good, stolen) = match token.proof() {
            ProofMethod::HttpSig(key) => (
                draft(SignatureProfile::HttpSig).sign(|_| {}, |base| key.sign(base).unwrap()),
                draft(SignatureProfile::HttpSig).sign(|_| {}, |base| other.sign(base).unwrap()),
            ),
            ProofMethod::Pop(key) => (envelope(plain.clone(), key), envelope(plain, &other)),
            ProofMethod::PopThumbprint(key) => {
                (envelope(plain.clone().embed_key(), key), envelope(plain.embed_key(), &other))
            }
            ProofMethod::SharedKey(key) => (
                draft(SignatureProfile::Hmac).sign(|_| {}, |base| key.sign(base).to_vec()),
                draft(SignatureProfile::Hmac).sign(|_| {}, |_| vec![0; 32]),
            ),
            other => panic!("{other:?}"),
        };
        assert_eq!(Answer::to(stolen).await.status, 401, "{binding:?}");
        let answer = Answer::to(good).await.accepted(&format!("{binding:?}")).json();
        kinds.push(answer["proof"]["kind"].as_str().unwrap().to_owned());
    }
    let _ = (child.kill(), child.wait());
    assert_eq!(kinds, ["httpsig", "pop", "pop", "hmac"]);
}
