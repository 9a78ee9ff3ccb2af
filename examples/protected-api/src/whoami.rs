//! What the layer knows about a caller, as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::json;
use tower_pop::{CertThumbprint, JwkThumbprint, ProofOfPossession, VerifiedToken};

/// Bytes. Most responses are smaller, so that the buffer does not grow.
const CAPACITY: usize = 512;

/// The response. It borrows from the verified token.
#[derive(Serialize)]
struct Caller<'t> {
    iss: &'t str,
    sub: Option<&'t str>,
    client_id: Option<&'t str>,
    #[serde(serialize_with = "audience")]
    aud: &'t VerifiedToken,
    scope: &'t str,
    cnf: Confirmation<'t>,
    proof: Proof<'t>,
}

/// What the token is bound to.
#[derive(Serialize)]
struct Confirmation<'t> {
    #[serde(skip_serializing_if = "Option::is_none")]
    jkt: Option<&'t JwkThumbprint>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    x5t: Option<&'t CertThumbprint>,
}

/// What the client proved possession of.
#[derive(Serialize)]
struct Proof<'t> {
    kind: &'static str,
    jkt: Option<&'t JwkThumbprint>,
    jti: Option<&'t str>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    x5t: Option<&'t CertThumbprint>,
    #[serde(serialize_with = "covered")]
    covered: &'t ProofOfPossession,
}

impl<'t> From<&'t VerifiedToken> for Caller<'t> {
    fn from(token: &'t VerifiedToken) -> Self {
        let (bound_to, proof) = (token.access_token().confirmation(), token.proof());
        Self {
            iss: token.issuer(),
            sub: token.subject(),
            client_id: token.client_id(),
            aud: token,
            scope: token.access_token().scopes().as_str(),
            cnf: Confirmation { jkt: bound_to.and_then(|cnf| cnf.jkt()), x5t: bound_to.and_then(|cnf| cnf.x5t()) },
            proof: Proof {
                kind: proof.kind().as_str(),
                jkt: proof.key_thumbprint(),
                jti: proof.jti(),
                x5t: proof.certificate_thumbprint(),
                covered: proof,
            },
        }
    }
}

fn audience<S: Serializer>(token: &&VerifiedToken, output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(token.audience())
}

fn covered<S: Serializer>(proof: &&ProofOfPossession, output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(proof.covered())
}

/// In mode `optional`, a request without credentials has no token.
pub(crate) async fn whoami(token: Option<VerifiedToken>) -> Response {
    let Some(token) = token else {
        return Json(json!({ "anonymous": true })).into_response();
    };
    let mut body = Vec::with_capacity(CAPACITY);
    match serde_json::to_writer(&mut body, &Caller::from(&token)) {
        Ok(()) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
