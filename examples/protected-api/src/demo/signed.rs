//! Requests that are signed as a whole, and what comes back if one is changed on its way.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use pop_authserver::{Algorithm, AuthServer, DpopKey, SharedKey};
use pop_client::{BoundToken, Challenge, ProofMethod, TokenBinding, TokenClient};
use pop_core::content::content_digest;
use pop_core::jose::{decode, decode_standard, encode};
use reqwest::Request;
use serde_json::Value;

use super::error::DemoError;
use super::row::{POP_PROOF, PROOF, Row, SIGNATURE, TOKEN, describe};
use super::signing::{CONTENT_DIGEST, sign};

const CONTENT: &str = r#"{"pay":"10"}"#;
const OTHER_CONTENT: &str = r#"{"pay":"99"}"#;

/// Where the API requires a signature in addition to DPoP.
pub(super) const SIGNATURE_REQUIRED: &str = "/signed";

/// What is changed on the way.
type Change = fn(&mut Request) -> Option<()>;

/// A client with a token of one kind.
struct Sender {
    http: reqwest::Client,
    url: String,
    token: BoundToken,
    /// The newest nonce of the API, if it requires one.
    nonce: Option<String>,
}

/// Sends a valid request of each kind, and the same request with one part changed.
pub(super) async fn run(
    server: &AuthServer,
    audience: &str,
    public_url: &str,
    rows: &mut Vec<Row>,
) -> Result<(), DemoError> {
    for (name, binding, algorithm, prefix, error) in [
        ("HTTPSig", TokenBinding::HttpSig, Algorithm::Ed25519, "", SIGNATURE),
        ("PoP", TokenBinding::Pop, Algorithm::PS256, "", POP_PROOF),
        ("PoP with HMAC", TokenBinding::SharedKey, Algorithm::ES256, "", POP_PROOF),
        ("DPoP and signature", TokenBinding::Dpop, Algorithm::ES256, SIGNATURE_REQUIRED, SIGNATURE),
    ] {
        let key = DpopKey::generate(algorithm)?;
        let client = TokenClient::builder(server.issuer(), "demo").binding(binding).build(key).await?;
        let token = client.client_credentials(Some("notes:write"), Some(audience)).await?;
        let token = client.bound_token(&token)?;
        let url = format!("{public_url}{prefix}/echo?draft=1");
        let mut sender = Sender { http: reqwest::Client::new(), url, token, nonce: None };
        sender.nonce = sender.fetch_nonce().await?;
        let mut row = |what: &str, expected, actual| rows.push(Row::new(format!("{name}: {what}"), expected, actual));

        row("POST with content", "200", sender.send(|_| Some(())).await?);
        // The DPoP proof covers the method too.
        let method_error = if binding == TokenBinding::Dpop { PROOF } else { error };
        row("method changed", method_error, sender.send(change_method).await?);
        for (what, expected, change) in [
            ("query changed", error, change_query as Change),
            ("header field changed", error, change_field),
            ("content changed", error, change_content),
            ("content and digest changed", error, change_content_and_digest),
            ("token with a flipped bit", TOKEN, change_token),
        ] {
            row(what, expected, sender.send(change).await?);
        }
        let thief = other_key(sender.token.proof())?;
        let request = sender.signed(&thief)?;
        row("signed by the thief's key", error, describe(&sender.http.execute(request).await?));
    }
    Ok(())
}

impl Sender {
    /// Returns a request that is signed with a key.
    fn signed(&self, by: &ProofMethod) -> Result<Request, DemoError> {
        let request = self.http.post(&self.url).header(CONTENT_TYPE, "application/json").body(CONTENT);
        let mut request = request.build()?;
        sign(&mut request, &self.token, by, self.nonce.as_deref())?;
        Ok(request)
    }

    /// Sends a signed request that is changed after it was signed.
    async fn send(&self, change: Change) -> Result<String, DemoError> {
        let mut request = self.signed(self.token.proof())?;
        change(&mut request).ok_or(DemoError::Change)?;
        Ok(describe(&self.http.execute(request).await?))
    }

    async fn fetch_nonce(&self) -> Result<Option<String>, DemoError> {
        let response = self.http.execute(self.signed(self.token.proof())?).await?;
        let of_dpop = response.headers().get("dpop-nonce").and_then(|nonce| nonce.to_str().ok());
        let challenges = Challenge::from_headers(response.headers());
        let of_pop = challenges.iter().filter(|challenge| challenge.is("PoP")).find_map(|pop| pop.parameter("nonce"));
        Ok(of_dpop.or(of_pop).map(ToOwned::to_owned))
    }
}

/// Returns a new key of the same kind.
fn other_key(proof: &ProofMethod) -> Result<ProofMethod, DemoError> {
    Ok(match proof {
        ProofMethod::HttpSig(key) => ProofMethod::HttpSig(DpopKey::generate(key.algorithm())?),
        ProofMethod::Pop(key) => ProofMethod::Pop(DpopKey::generate(key.algorithm())?),
        ProofMethod::Dpop(key) => ProofMethod::Dpop(DpopKey::generate(key.algorithm())?),
        _ => ProofMethod::SharedKey(SharedKey::new([0; SharedKey::MIN_LEN])?.into()),
    })
}

fn change_method(request: &mut Request) -> Option<()> {
    *request.method_mut() = Method::PUT;
    Some(())
}

fn change_query(request: &mut Request) -> Option<()> {
    request.url_mut().set_query(Some("draft=0"));
    Some(())
}

fn change_field(request: &mut Request) -> Option<()> {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    Some(())
}

fn change_content(request: &mut Request) -> Option<()> {
    *request.body_mut() = Some(OTHER_CONTENT.into());
    Some(())
}

/// The digest is in a header field, or in the signed request as `b`.
fn change_content_and_digest(request: &mut Request) -> Option<()> {
    change_content(request)?;
    let digest = content_digest(OTHER_CONTENT.as_bytes());
    if let Some(field) = request.headers_mut().get_mut(CONTENT_DIGEST) {
        *field = digest;
        return Some(());
    }
    let digest = digest.to_str().ok()?.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    let digest = encode(decode_standard(digest).ok()?);
    change_claim(request, "b", |_| Some(digest))
}

/// The token is in the header field, or in the signed request as `at`.
fn change_token(request: &mut Request) -> Option<()> {
    if change_claim(request, "at", with_flipped_bit).is_some() {
        return Some(());
    }
    let (scheme, token) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let changed = format!("{scheme} {}", with_flipped_bit(token)?);
    request.headers_mut().insert(AUTHORIZATION, changed.parse().ok()?);
    Some(())
}

/// Flips a bit of the signature.
fn with_flipped_bit(token: &str) -> Option<String> {
    let (signed, signature) = token.rsplit_once('.')?;
    let mut signature = decode(signature).ok()?;
    *signature.first_mut()? ^= 1;
    Some(format!("{signed}.{}", encode(signature)))
}

/// Changes a claim of a signed request.
fn change_claim(request: &mut Request, claim: &str, change: impl FnOnce(&str) -> Option<String>) -> Option<()> {
    let envelope = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("PoP ")?;
    let (header, rest) = envelope.split_once('.')?;
    let (payload, signature) = rest.split_once('.')?;
    let mut claims: Value = serde_json::from_slice(&decode(payload).ok()?).ok()?;
    claims[claim] = change(claims.get(claim)?.as_str()?)?.into();
    let changed = format!("PoP {header}.{}.{signature}", encode(claims.to_string()));
    request.headers_mut().insert(AUTHORIZATION, changed.parse().ok()?);
    Some(())
}
