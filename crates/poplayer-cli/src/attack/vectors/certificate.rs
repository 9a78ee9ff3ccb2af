//! Tokens that are bound to a client certificate (RFC 8705).

use pop_core::jose::{CertThumbprint, encode_standard};
use serde_json::json;

use super::{Must, Vector, When, one, vectors};
use crate::attack::requests::{Attempt, Connection, Requests, mint};
use crate::failure::Failure;

use Connection::{Anonymous, Own, Thief};

pub(in crate::attack) const CERTIFICATE: &[Vector] = vectors! {
    // the credentials and the connection
    Accept Always "good": "a good request", "RFC 8705 §3", |requests| one(bearer(requests, Own));
    Accept Always "scheme-case": "the scheme in lower case", "RFC 9110 §11.1", |requests| one(requests.attempt(&[("bearer", &requests.token)], &[]));
    Reject Always "no-credentials": "the certificate without a token", "RFC 6750 §3", |requests| one(requests.attempt(&[], &[]));
    Reject Always "two-tokens": "the token twice", "RFC 9110 §11.6.2", |requests| one(requests.attempt(&[("Bearer", &requests.token), ("Bearer", &requests.token)], &[]));
    Reject Always "no-certificate": "the token without a certificate, as thieves send it", "RFC 8705 §3", |requests| one(bearer(requests, Anonymous));
    Reject Always "other-certificate": "the token with the certificate of a thief", "RFC 8705 §3", |requests| one(bearer(requests, Thief));
    Reject Always "dpop": "the token with a DPoP proof by a thief, without a certificate", "RFC 8705 §3", |requests| Ok(Some(vec![requests.attempt(&[("DPoP", &requests.token)], &[&mint(&requests.proof_by(&requests.thief))?])?.over(Anonymous)]));
    // the certificate in a field, as only a proxy may say it
    Reject Always "field-client-cert": "the certificate in `Client-Cert`, sent by the client", "RFC 9440 §4", |requests| forged(requests, "client-cert", byte_sequence);
    Reject Always "field-xfcc": "in `X-Forwarded-Client-Cert` (Envoy)", "RFC 8705 §6.5", |requests| forged(requests, "x-forwarded-client-cert", xfcc);
    Reject Always "field-traefik": "in `X-Forwarded-Tls-Client-Cert` (Traefik)", "RFC 8705 §6.5", |requests| forged(requests, "x-forwarded-tls-client-cert", base64);
    Reject Always "field-ssl-client-cert": "in `Ssl-Client-Cert` (ingress-nginx)", "RFC 8705 §6.5", |requests| forged(requests, "ssl-client-cert", escaped);
    Reject Always "field-x-ssl-client-cert": "in `X-SSL-Client-Cert`, as PEM in one line (Apache httpd)", "RFC 8705 §6.5", |requests| forged(requests, "x-ssl-client-cert", pem_in_a_line);
    Reject Always "field-x-ssl-client-cert-escaped": "in `X-SSL-Client-Cert`, percent-encoded", "RFC 8705 §6.5", |requests| forged(requests, "x-ssl-client-cert", escaped);
    Reject Always "field-nginx": "in `X-Ssl-Client-Escaped-Cert` (nginx)", "RFC 8705 §6.5", |requests| forged(requests, "x-ssl-client-escaped-cert", escaped);
    Reject Always "field-der": "in `X-Ssl-Client-Der` (HAProxy, Caddy)", "RFC 8705 §6.5", |requests| forged(requests, "x-ssl-client-der", base64);
    Reject Always "field-x-client-cert": "in `X-Client-Cert`", "RFC 8705 §6.5", |requests| forged(requests, "x-client-cert", escaped);
    Reject Always "field-azure": "in `X-ARR-ClientCert` (Azure)", "RFC 8705 §6.5", |requests| forged(requests, "x-arr-clientcert", base64);
    Reject Always "field-aws": "in `X-Amzn-Mtls-Clientcert-Leaf` (AWS)", "RFC 8705 §6.5", |requests| forged(requests, "x-amzn-mtls-clientcert-leaf", escaped);
    Reject Always "field-cloudflare": "in `Cf-Client-Cert-Der-Base64` (Cloudflare)", "RFC 8705 §6.5", |requests| forged(requests, "cf-client-cert-der-base64", base64);
    Reject Always "fields-all": "in all of these, over a connection with the certificate of a thief", "RFC 8705 §6.5", all_forged;
    // the token
    Reject Always "token-garbage": "a token that was not issued", "RFC 6750 §3.1", |requests| one(requests.attempt(&[("Bearer", "garbage")], &[]));
    Reject Always "token-signature": "a token with a flipped bit in its signature", "RFC 9068 §4", |requests| one(requests.attempt(&[("Bearer", &requests.token_with_another_signature())], &[]));
    Reject Always "token-alg-none": "the claims of the token with `alg` `none`", "RFC 9068 §4", token_without_signature;
    Reject Always "token-rebound": "the token with the certificate of a thief in `cnf`", "RFC 9068 §4", |requests| changed(requests, json!({ "x5t#S256": thumbprint(&requests.certificates.thief) }));
    Reject Always "token-unbound": "the token without `cnf`, over the connection of a thief", "RFC 9068 §4", |requests| changed(requests, json!({}));
    Accept Always "two-requests": "two requests with the token", "RFC 8705 §3", |requests| Ok(Some(vec![bearer(requests, Own)?, bearer(requests, Own)?]));
    Accept Always "good-again": "a good request after all of these", "RFC 8705 §3", |requests| one(bearer(requests, Own));
};

/// How a proxy writes a certificate.
type Format = fn(&[u8]) -> String;

fn bearer(requests: &Requests, connection: Connection) -> Result<Attempt, Failure> {
    Ok(requests.attempt(&[("Bearer", &requests.token)], &[])?.over(connection))
}

/// The token over a connection without a certificate, and the right certificate in a field.
fn forged(requests: &Requests, field: &'static str, format: Format) -> Result<Option<Vec<Attempt>>, Failure> {
    let attempt = bearer(requests, Anonymous)?.field(field, &format(&requests.certificates.own))?;
    one(attempt.field("x-ssl-client-verify", "SUCCESS"))
}

/// All fields of the requests above. The server must accept as long ones: a rejection would show nothing otherwise.
fn all_forged(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let (mut as_long, mut forged) = (bearer(requests, Own)?, bearer(requests, Thief)?);
    for vector in CERTIFICATE.iter().filter(|vector| vector.name.starts_with("field-")) {
        for (name, value) in (vector.attempts)(requests)?.into_iter().flatten().flat_map(|one| one.headers) {
            if let Some(name) = name.filter(|name| !forged.headers.contains_key(name)) {
                as_long = as_long.field("x-poplayer-filler", &"x".repeat(value.len()))?;
                forged.headers.insert(name, value);
            }
        }
    }
    Ok(Some(vec![as_long, forged]))
}

fn token_without_signature(requests: &Requests) -> Result<Option<Vec<Attempt>>, Failure> {
    let Some([header, claims, _]) = requests.token_with(|header, _| header["alg"] = "none".into()) else {
        return Ok(None);
    };
    one(requests.attempt(&[("Bearer", &format!("{header}.{claims}."))], &[]))
}

/// The token with another `cnf`, over the connection of a thief.
fn changed(requests: &Requests, cnf: serde_json::Value) -> Result<Option<Vec<Attempt>>, Failure> {
    let Some([header, claims, signature]) = requests.token_with(|_, claims| claims["cnf"] = cnf) else {
        return Ok(None);
    };
    let attempt = requests.attempt(&[("Bearer", &format!("{header}.{claims}.{signature}"))], &[])?;
    Ok(Some(vec![attempt.over(Thief)]))
}

fn thumbprint(der: &[u8]) -> String {
    CertThumbprint::of_der(der).to_string()
}

fn base64(der: &[u8]) -> String {
    encode_standard(der)
}

fn byte_sequence(der: &[u8]) -> String {
    format!(":{}:", base64(der))
}

fn pem_in_a_line(der: &[u8]) -> String {
    pem(der).replace('\n', " ")
}

fn escaped(der: &[u8]) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    pem(der).bytes().map(escape).collect()
}

fn xfcc(der: &[u8]) -> String {
    let hash: String = CertThumbprint::of_der(der).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Hash={hash};Cert=\"{}\"", escaped(der))
}

fn pem(der: &[u8]) -> String {
    let base64 = base64(der);
    let lines: Vec<&str> =
        (0..base64.len()).step_by(64).filter_map(|at| base64.get(at..base64.len().min(at + 64))).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
