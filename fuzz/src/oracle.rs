//! What must hold of a request that passed, read out of it anew: with a lenient JSON parser, none of the layer's code, and
//! the rules of RFC 9449 §4.3, RFC 9068 §4, RFC 8705 §3 and RFC 7800 §3 written down a second time.

use pop_core::content::content_digest;
use serde_json::Value;
use tower_pop::{ProofKind, VerifiedToken};

use crate::envelope::{self, Form};
use crate::key::sha256;
use crate::scene::Scene;
use crate::signature::{Message, base, identifiers, parameters, plain_string};
use crate::world::{AUDIENCE, CLIENT_KEY, ISSUER, NONCE_PATH, NOW, jwe, nonce, trusted_field};

/// Seconds that the layer tolerates by default.
const LEEWAY: u64 = 30;
const PROOF_MAX_AGE: u64 = 60;

/// Panics unless the scene deserved to pass as this token.
pub fn check(scene: &Scene, passed: &VerifiedToken) {
    let claims = object(&scene.token_claims);
    check_token(&object(&scene.token_header), &claims);
    assert_eq!(passed.issuer(), ISSUER);
    assert_eq!(passed.subject(), claims["sub"].as_str());
    assert_eq!(Some(passed.expires_at()), date(&claims["exp"]));

    let fields = |name| scene.parts.headers.get_all(name).iter().count();
    assert_eq!(fields("authorization"), 1);
    match passed.proof().kind() {
        ProofKind::Dpop => {
            assert_eq!(fields("dpop"), 1);
            assert_eq!(claims["cnf"]["jkt"], CLIENT_KEY.thumbprint());
            check_proof(scene, &object(&scene.proof_header), &object(&scene.proof_claims), passed);
        }
        ProofKind::MutualTls => {
            assert!(claims["cnf"].get("jkt").is_none());
            assert!(["jwk", "kid", "jwe"].iter().all(|key| claims["cnf"].get(*key).is_none()));
            assert!(claims["cnf"]["x5t#S256"].is_string());
        }
        ProofKind::HttpSig => {
            assert!(claims["cnf"].get("jkt").is_none());
            let jwk = &claims["cnf"]["jwk"];
            assert!(jwk["alg"] == "Ed25519" && sha256(public_part(jwk)) == CLIENT_KEY.thumbprint());
            check_signature(scene, "httpsig-oauth", passed);
        }
        ProofKind::Hmac => {
            check_shared_key(&claims);
            check_signature(scene, "oauth-pop-hmac", passed);
        }
        ProofKind::SignedRequest => check_envelope(scene, &claims, passed),
        other => panic!("passed without proof: {other:?}"),
    }
    if let Some(bound) = claims["cnf"].get("x5t#S256") {
        assert_eq!(*bound, certificate(scene).expect("a certificate of a trusted proxy"));
    }
}

fn check_token(header: &Value, claims: &Value) {
    let typ = header["typ"].as_str().expect("a typ").to_ascii_lowercase();
    assert!(["at+jwt", "application/at+jwt"].contains(&typ.as_str()), "{typ}");
    check_header(header);
    assert_eq!(claims["iss"], ISSUER);
    let audience = &claims["aud"];
    assert!(*audience == AUDIENCE || audience.as_array().is_some_and(|list| list.contains(&AUDIENCE.into())));
    for name in ["sub", "client_id", "jti"] {
        assert!(claims[name].is_string(), "{name}");
    }
    assert!(date(&claims["exp"]).is_some_and(|exp| NOW < exp + LEEWAY), "exp");
    assert!(date(&claims["iat"]).is_some_and(|iat| iat <= NOW + LEEWAY), "iat");
    assert!(claims.get("nbf").is_none_or(|nbf| date(nbf).is_some_and(|nbf| nbf <= NOW + LEEWAY)), "nbf");
}

fn check_proof(scene: &Scene, header: &Value, claims: &Value, passed: &VerifiedToken) {
    assert_eq!(header["typ"], "dpop+jwt");
    check_header(header);
    assert_eq!(sha256(public_part(&header["jwk"])), CLIENT_KEY.thumbprint());
    assert!(header["jwk"].get("d").is_none());

    let jti = claims["jti"].as_str().expect("a jti");
    assert!((1..=256).contains(&jti.len()));
    assert_eq!(passed.proof().jti(), Some(jti));
    assert_eq!(passed.proof().key_thumbprint().map(ToString::to_string), Some(CLIENT_KEY.thumbprint()));
    assert_eq!(claims["htm"], scene.parts.method.as_str());
    let htu = claims["htu"].as_str().expect("an htu");
    assert!(is_same_resource(htu, &format!("{AUDIENCE}{}", scene.parts.uri.path())), "{htu} {}", scene.parts.uri);
    let path = decode_unreserved(scene.parts.uri.path());
    assert!(!path.split('/').any(|segment| [".", ".."].contains(&segment)), "D-20 {path}");
    assert_eq!(claims["ath"], sha256(&scene.token));
    let iat = date(&claims["iat"]).expect("an iat");
    assert!((NOW - PROOF_MAX_AGE..=NOW + LEEWAY).contains(&iat), "{iat}");
    assert!(claims.get("exp").is_none_or(|exp| date(exp).is_some_and(|exp| NOW < exp + LEEWAY)), "exp");
    assert!(claims.get("nbf").is_none_or(|nbf| date(nbf).is_some_and(|nbf| nbf <= NOW + LEEWAY)), "nbf");
    if scene.parts.uri.path().starts_with(NONCE_PATH) {
        assert!((-2..=1).any(|steps| claims["nonce"] == nonce(steps)), "{}", claims["nonce"]);
    }
}

fn check_shared_key(claims: &Value) {
    let cnf = &claims["cnf"];
    assert!(cnf.get("jkt").is_none() && cnf.get("jwk").is_none());
    assert_eq!(cnf["jwe"], jwe());
    assert!(claims["aud"].as_array().is_none_or(|list| list.len() == 1), "several recipients");
}

fn check_signature(scene: &Scene, tag: &str, passed: &VerifiedToken) {
    let input = format!("{}{}", scene.proof_header, scene.proof_claims);
    let (covered, parameters) = (identifiers(&input).expect("components"), parameters(&input).expect("parameters"));
    for name in ["\"@method\"", "\"@target-uri\"", "\"authorization\""] {
        assert!(covered.contains(&name), "{name}");
    }
    let names = covered.iter().map(|identifier| plain_string(identifier).unwrap_or(identifier));
    assert!(names.eq(passed.proof().covered()), "{covered:?}");
    let get = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    assert_eq!(get("tag").and_then(plain_string), Some(tag));
    assert!(["alg", "keyid", "pub"].iter().all(|name| get(name).is_none()));
    assert!(get("nonce").is_some_and(|nonce| nonce.len() > 2));
    let created: u64 = get("created").expect("created").parse().expect("an integer");
    assert!((NOW - PROOF_MAX_AGE..=NOW + LEEWAY).contains(&created), "{created}");
    assert!(base(message(scene), &input).is_some());
    if !scene.content.is_empty() {
        assert!(covered.contains(&"\"content-digest\""));
        let digest = content_digest(scene.content.as_bytes());
        let digest = digest.to_str().expect("ASCII");
        let field = scene.parts.headers["content-digest"].to_str().expect("ASCII");
        assert!(field.contains(digest) || field.contains("sha-512=:"), "{field}");
    }
}

fn check_envelope(scene: &Scene, token: &Value, passed: &VerifiedToken) {
    let (header, claims) = (object(&scene.proof_header), object(&scene.proof_claims));
    if header["alg"] == "HS256" {
        check_shared_key(token);
    } else {
        check_header(&header);
        let cnf = &token["cnf"];
        assert!(cnf.get("jkt").is_none() && cnf.get("jwe").is_none());
        let own = claims["cnf"].get("jwk").map(|jwk| sha256(public_part(jwk)));
        assert!(own.as_ref().is_none_or(|own| *own == CLIENT_KEY.thumbprint()));
        match cnf.get("kid") {
            Some(kid) => assert!(own.is_some() && *kid == CLIENT_KEY.thumbprint()),
            None => assert_eq!(sha256(public_part(&cnf["jwk"])), CLIENT_KEY.thumbprint()),
        }
    }
    assert_eq!(claims["at"], scene.token);
    envelope::check(Form::Draft, &header, &claims, message(scene), scene.content.as_bytes());
    let names = ["m", "u", "p", "q", "h", "b"].into_iter().filter(|name| match claims.get(*name) {
        Some(cover) => *name != "h" || cover[0].as_array().is_some_and(|names| !names.is_empty()),
        None => false,
    });
    assert!(names.eq(passed.proof().covered()));
    if scene.parts.uri.path().starts_with(NONCE_PATH) {
        assert!((-2..=1).any(|steps| claims["nonce"] == nonce(steps)), "{}", claims["nonce"]);
    }
}

fn message(scene: &Scene) -> Message<'_> {
    let target = scene.parts.uri.path_and_query().map_or("/", |target| target.as_str());
    Message { method: scene.parts.method.as_str(), target, headers: &scene.parts.headers }
}

fn check_header(header: &Value) {
    assert!(["Ed25519", "EdDSA"].contains(&header["alg"].as_str().expect("an alg")));
    for name in ["crit", "zip", "enc"] {
        assert!(header.get(name).is_none(), "{name}");
    }
    assert!(header.get("b64").is_none_or(|b64| *b64 == true));
}

/// The members that RFC 7638 hashes.
fn public_part(jwk: &Value) -> String {
    format!(r#"{{"crv":{},"kty":{},"x":{}}}"#, jwk["crv"], jwk["kty"], jwk["x"])
}

/// The thumbprint of the certificate that a trusted proxy passes on.
fn certificate(scene: &Scene) -> Option<String> {
    let (field, format) = trusted_field(scene.peer?)?;
    let mut lines = scene.parts.headers.get_all(field).iter();
    let line = lines.next()?;
    assert!(lines.next().is_none());
    format.read(line.as_bytes()).expect("a well-formed field").map(|thumbprint| thumbprint.to_string())
}

fn object(json: &str) -> Value {
    let value: Value = serde_json::from_str(json).expect("JSON");
    assert!(value.is_object());
    value
}

/// Seconds, fractions left out.
pub fn date(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64))
}

/// Whether two URIs are the same after RFC 3986 §6.2.2 and §6.2.3, query and fragment left out. What browsers leave raw in a
/// path stands for its encoding, and `ws` and `wss` for the schemes of their handshakes.
pub fn is_same_resource(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

fn canonical(uri: &str) -> Option<String> {
    let uri = decode_unreserved(uri.split(['?', '#']).next()?);
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" => "http".to_owned(),
        "wss" => "https".to_owned(),
        other => other.to_owned(),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let default_port = if scheme == "https" { 443 } else { 80 };
    let authority = match authority.rsplit_once(':') {
        Some((host, port)) if port.is_empty() || port.parse() == Ok(default_port) => host,
        _ => &authority,
    };
    let raw = [("|", "%7C"), ("[", "%5B"), ("]", "%5D"), ("^", "%5E")];
    let path = raw.into_iter().fold(path.to_owned(), |path, (raw, encoded)| path.replace(raw, encoded));
    Some(format!("{scheme}://{authority}{}", without_dots(&path)))
}

fn decode_unreserved(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => decoded.push(byte.into()),
            Some(byte) => decoded.push_str(&format!("%{byte:02X}")),
            None => decoded.push('%'),
        }
        decoded.push_str(if byte.is_some() { &part[2..] } else { part });
    }
    decoded
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
        if segments.peek().is_none() && [".", ".."].contains(&segment) {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}
