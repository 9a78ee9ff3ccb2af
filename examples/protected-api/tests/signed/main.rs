//! The program with proofs over the request itself, as clients and operators see it.
#![allow(clippy::unwrap_used)]

mod certificate;
mod hostile;
mod keys;
mod kinds;
mod opaque;
mod options;
mod replay;
#[path = "../support/mod.rs"]
mod support;
mod wrong;

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method};
use pop_authserver::{Algorithm, DpopKey, Recipient, SharedKey, TestAuthServer, TokenMint};
use pop_client::Envelope;
use pop_core::content::content_digest;
use pop_core::jose::{JsonLimits, Object, encode};
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use reqwest::Request;
use serde_json::{Value, json};

use support::{AUDIENCE, Files, program};

const ISSUER: &str = "https://as.example";
const CONTENT: &str = r#"{"note":"buy milk"}"#;
const ALL: &str = "dpop,httpsig,pop,hmac";

/// The API with key-encryption keys and the keys of an issuer from files, until it is dropped.
struct Api {
    child: Child,
    url: String,
    server: TestAuthServer,
    key: DpopKey,
    shared: SharedKey,
    files: Files,
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    content: String,
}

impl Api {
    /// Starts the program with these kinds of proof.
    fn start(name: &str, proofs: &str, args: &[&str]) -> Self {
        Self::start_with_environment(name, args, &[("POP_PROOFS", proofs)])
    }

    fn start_with_environment(name: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let (server, files) = (TestAuthServer::offline(ISSUER), Files::new(name));
        let jwks = files.write("jwks.json", server.jwks_json());
        let keks = files.write("kek.json", set(&[kek(1), kek(2)]));
        let mut command = program(&["--issuer", ISSUER, "--audience", AUDIENCE, "--jwks-file", &jwks]);
        command.args(["--kek-file", &keks]).args(args).envs(environment.iter().copied());
        let log = std::fs::File::create(files.path("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let log = std::fs::read_to_string(files.path("log")).unwrap_or_default();
        let url = ready.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{log}")).to_owned();
        let (key, shared) = (DpopKey::generate(Algorithm::ES256).unwrap(), SharedKey::new([7; 32]).unwrap());
        Self { child, url, server, key, shared, files }
    }

    /// A valid token that is not bound yet.
    fn token(&self) -> TokenMint {
        self.server.token().audience(AUDIENCE).scope("notes:read notes:write").without("cnf")
    }

    /// A request without a proof.
    fn request(&self, method: Method, path: &str, content: &'static str) -> Request {
        let mut request = Request::new(method, format!("{}{path}", self.url).parse().unwrap());
        if !content.is_empty() {
            *request.body_mut() = Some(content.into());
        }
        request
    }

    fn httpsig(&self, request: Request) -> Request {
        self.httpsig_with(request, &self.token().bound_to_jwk(&self.key).mint(), |_| {})
    }

    fn httpsig_with(&self, request: Request, token: &str, change: impl FnOnce(&mut Draft)) -> Request {
        let draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", token, request);
        draft.sign(change, |base| self.key.sign(base).unwrap())
    }

    fn hmac(&self, request: Request) -> Request {
        self.hmac_with(request, &self.shared_token(1), |_| {})
    }

    fn hmac_with(&self, request: Request, token: &str, change: impl FnOnce(&mut Draft)) -> Request {
        let draft = Draft::new(SignatureProfile::Hmac, "PoP", token, request);
        draft.sign(change, |base| self.shared.sign(base).to_vec())
    }

    /// A token with the symmetric key, encrypted for a key-encryption key.
    fn shared_token(&self, kek_number: u8) -> String {
        let kek = kek(kek_number).to_string();
        let kek = Recipient::parse(&Object::parse(kek.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
        self.token().bound_to_shared_key(&self.shared, &kek).mint()
    }

    /// A DPoP request with a signature in addition.
    fn dpop(&self, request: Request, change: impl FnOnce(&mut Draft)) -> Request {
        let token = self.token().bound_to(&self.key).mint();
        let url = request.url().as_str().split('?').next().unwrap().to_owned();
        let proof = pop_authserver::proof(&self.key).method(request.method().as_str()).url(&url).for_token(&token);
        let mut draft = Draft::new(SignatureProfile::Request, "DPoP", &token, request);
        draft.request.headers_mut().insert("dpop", proof.mint().parse().unwrap());
        draft.components.push("dpop");
        draft.sign(change, |base| self.key.sign(base).unwrap())
    }

    fn envelope(&self, request: Request) -> Request {
        self.envelope_with(request, &self.token().bound_to_jwk(&self.key).mint(), |envelope| envelope)
    }

    fn envelope_with(
        &self,
        mut request: Request,
        token: &str,
        change: impl for<'e> FnOnce(Envelope<'e>) -> Envelope<'e>,
    ) -> Request {
        let (method, url) = (request.method().as_str().to_owned(), request.url().as_str().to_owned());
        let envelope = change(Envelope::new(&method, &url, token).content(content(&request)));
        let envelope = envelope.sign(&self.key).unwrap();
        request.headers_mut().insert(AUTHORIZATION, format!("PoP {envelope}").parse().unwrap());
        request
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that is about to be signed. The default is valid.
struct Draft {
    request: Request,
    components: Vec<&'static str>,
    parameters: SignatureParameters<'static>,
}

impl Draft {
    fn new(profile: SignatureProfile, scheme: &str, token: &str, mut request: Request) -> Self {
        request.headers_mut().insert(AUTHORIZATION, format!("{scheme} {token}").parse().unwrap());
        let mut components = vec!["@method", "@target-uri", "authorization"];
        if !content(&request).is_empty() {
            let digest = content_digest(content(&request));
            request.headers_mut().insert("content-digest", digest);
            components.push("content-digest");
        }
        Self { request, components, parameters: SignatureParameters::of(profile, now()).nonce(fresh_nonce()) }
    }

    fn sign(mut self, change: impl FnOnce(&mut Self), key: impl FnOnce(&[u8]) -> Vec<u8>) -> Request {
        change(&mut self);
        let Self { mut request, components, parameters } = self;
        let url = request.url();
        let origin = Origin::parse(&url.origin().ascii_serialization()).unwrap();
        let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let head = RequestHead::new(request.method().as_str(), &origin, &target, request.headers(), now());
        let key = |base: &[u8]| Ok::<_, Infallible>(key(base));
        let (input, signature) = sign(&head, "sig1", &components, &parameters, key).unwrap();
        request.headers_mut().append("signature-input", input);
        request.headers_mut().append("signature", signature);
        request
    }

    fn without(&mut self, component: &str) {
        self.components.retain(|name| *name != component);
    }
}

impl Answer {
    async fn to(request: Request) -> Self {
        let response = reqwest::Client::new().execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, content: response.text().await.unwrap() }
    }

    fn challenges(&self) -> Vec<&str> {
        self.headers.get_all(WWW_AUTHENTICATE).iter().map(|line| line.to_str().unwrap()).collect()
    }

    #[track_caller]
    fn accepted(self, row: &str) -> Self {
        assert_eq!(self.status, 200, "{row}: {:?}", self.challenges());
        self
    }

    /// Checks the status, and the scheme and the error of the first challenge.
    #[track_caller]
    fn rejected(self, status: u16, scheme: &str, error: &str, row: &str) -> Self {
        let challenges = self.challenges();
        assert_eq!(self.status, status, "{row}: {challenges:?}");
        let first = challenges.first().unwrap_or_else(|| panic!("{row}: no challenge"));
        assert!(first.starts_with(&format!("{scheme} ")), "{row}: {first}");
        assert!(first.contains(&format!("error=\"{error}\"")), "{row}: {first}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.content).unwrap()
    }
}

fn content(request: &Request) -> &[u8] {
    request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn fresh_nonce() -> &'static str {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("nonce-{}", COUNT.fetch_add(1, Ordering::Relaxed)).leak()
}

/// A key-encryption key of the API.
fn kek(number: u8) -> Value {
    json!({ "kty": "oct", "kid": format!("kek-{number}"), "alg": "A256KW", "k": encode([number; 32]) })
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}
