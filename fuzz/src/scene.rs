//! A request whose token and proof are signed, made from text. One line each:
//!
//! 1. scheme, method, target and address of the peer;
//! 2. header and 3. claims of the token;
//! 4. header and 5. claims of the proof, both empty for none; under `PoP`, those of an envelope, which holds the token; or
//!    components in parentheses, and parameters of a message signature;
//! 6. seconds from the first use of the request to the second;
//! 7. and on: further fields, `name: value`, and content after `> `.
//!
//! `$NOW`, `$JWK`, `$JKT`, `$X5T`, `$JWE`, `$ATH`, `$NONCE`, `$CERTIFICATE`, `$TOKEN`, `$PROOF`, `$DIGEST` and `$B` stand for what
//! is right there. Under `PoP`, the key that the resource shares signs what is no envelope, and what says `HS256`.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts};
use pop_core::content::content_digest;
use pop_core::jose::encode_standard;
use tower_pop::PeerAddress;

use crate::key::{jws, sha256};
use crate::signature::{Message, base};
use crate::world::{CERTIFICATE, CLIENT_KEY, ISSUER_KEY, NOW, SHARED_KEY, jwe, nonce};

pub struct Scene {
    pub parts: Parts,
    pub peer: Option<IpAddr>,
    pub content: String,
    pub token: String,
    pub token_header: String,
    pub token_claims: String,
    pub proof_header: String,
    pub proof_claims: String,
    pub later: i64,
}

/// What the lines of a text say, before anything is filled in or signed.
struct Draft<'t> {
    scheme: &'t str,
    method: &'t str,
    target: &'t str,
    peer: Option<IpAddr>,
    token: [&'t str; 2],
    proof: [&'t str; 2],
    later: i64,
    fields: Vec<&'t str>,
    content: String,
}

impl<'t> Draft<'t> {
    fn read(text: &'t str) -> Self {
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_default();
        let mut words = line().split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (scheme, method, target, peer) = (word(), word(), word(), word().parse().ok());
        let (token, proof) = ([line(), line()], [line(), line()]);
        let later = line().parse().unwrap_or(0);
        let (content, fields): (Vec<&str>, Vec<&str>) = lines.take(8).partition(|line| line.starts_with("> "));
        let content = content.iter().map(|line| &line[2..]).collect::<Vec<_>>().join("\n");
        Self { scheme, method, target, peer, token, proof, later, fields, content }
    }
}

impl Scene {
    /// `None` for what HTTP itself refuses.
    pub fn read(text: &str) -> Option<Self> {
        let draft = Draft::read(text);
        let fill = |text: &str, token: &str, proof: &str| fill(text, token, proof, &draft.content);
        let [token_header, token_claims] = draft.token.map(|part| fill(part, "", ""));
        let token = ISSUER_KEY.sign(&token_header, &token_claims);
        let [proof_header, proof_claims] = draft.proof.map(|part| fill(part, &token, ""));
        let is_pop = draft.scheme.eq_ignore_ascii_case("pop");
        let is_signature = proof_header.starts_with('(');
        let has_proof = !is_signature && !(proof_header.is_empty() && proof_claims.is_empty());
        let proof = match has_proof {
            false => String::new(),
            true if is_pop && proof_header.contains("HS256") => {
                jws(&proof_header, &proof_claims, |message| SHARED_KEY.sign(message).to_vec())
            }
            true => CLIENT_KEY.sign(&proof_header, &proof_claims),
        };

        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
            Some(())
        };
        let credentials = if is_pop && has_proof { &proof } else { &token };
        add("authorization", &format!("{} {credentials}", draft.scheme))?;
        if has_proof && !is_pop {
            add("dpop", &proof)?;
        }
        for field in draft.fields.iter().take(5) {
            let (name, value) = field.split_once(':')?;
            add(name, &fill(value.trim(), &token, &proof))?;
        }
        if is_signature {
            let input = format!("{proof_header}{proof_claims}");
            let message = Message { method: draft.method, target: draft.target, headers: &headers };
            let message = base(message, &input).unwrap_or_default();
            let signature = match is_pop {
                true => SHARED_KEY.sign(message.as_bytes()).to_vec(),
                false => CLIENT_KEY.sign_bytes(message.as_bytes()),
            };
            headers.append("signature-input", HeaderValue::try_from(format!("sig={input}")).ok()?);
            let signature = format!("sig=:{}:", encode_standard(signature));
            headers.append("signature", HeaderValue::try_from(signature).ok()?);
        }

        let mut request = Request::builder().method(draft.method).uri(draft.target).body(()).ok()?;
        *request.headers_mut() = headers;
        if let Some(peer) = draft.peer {
            request.extensions_mut().insert(PeerAddress(peer));
        }
        let (parts, ()) = request.into_parts();
        let Draft { peer, later, content, .. } = draft;
        Some(Self { parts, peer, content, token, token_header, token_claims, proof_header, proof_claims, later })
    }
}

fn fill(text: &str, token: &str, proof: &str, content: &str) -> String {
    if !text.contains('$') {
        return text.to_owned();
    }
    text.replace("$NOW", &NOW.to_string())
        .replace("$JWK", &CLIENT_KEY.jwk())
        .replace("$JWE", jwe())
        .replace("$JKT", &CLIENT_KEY.thumbprint())
        .replace("$X5T", &sha256(CERTIFICATE))
        .replace("$ATH", &sha256(token))
        .replace("$NONCE", &nonce(0))
        .replace("$CERTIFICATE", &encode_standard(CERTIFICATE))
        .replace("$TOKEN", token)
        .replace("$PROOF", proof)
        .replace("$DIGEST", content_digest(content.as_bytes()).to_str().expect("ASCII"))
        .replace("$B", &sha256(content))
}
