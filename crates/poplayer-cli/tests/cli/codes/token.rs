//! Access tokens, and what they are bound to.

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TestCertificate, TokenMint};
use serde_json::{Value, json};

use super::{Case, jws};
use crate::inspect::{NOW, Setup, URL};

/// A request with a token, and a proof for it.
fn with(setup: &Setup, code: &str, token: &str) -> Case {
    Case::dpop(code, token, &setup.server.proof(&setup.key).url(URL).for_token(token).mint())
}

pub(super) fn cases(setup: &Setup) -> Vec<Case> {
    let good = || setup.server.token().scope("notes:read").bound_to(&setup.key);
    let claims: Value = serde_json::from_str(&good().payload_text()).unwrap();
    let header: Value = serde_json::from_str(&good().header_text()).unwrap();
    let malformed = jws::malformed(&setup.key, &header, &claims);
    // Only a token with a valid signature gets as far as its type.
    let malformed = malformed.into_iter().filter(|(code, _)| *code != "typ");
    let mut cases: Vec<_> = malformed.map(|(code, token)| with(setup, &format!("token.{code}"), &token)).collect();
    let stranger = TestAuthServer::offline_at("https://as.example", NOW);
    let twin = TestAuthServer::offline_at("https://other.example", NOW);
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let mut token = |code: &str, token: TokenMint| cases.push(with(setup, code, &token.mint()));
    token("", good());
    token("token.typ", good().header("typ", "JWT"));
    token("token.header_parameter", good().header("kid", 7));
    token("token.issuer", good().without("iss"));
    token("token.unknown_key", good().header("kid", "unknown"));
    token("token.unknown_key", stranger.token().bound_to(&setup.key));
    token("token.signature", good().tampered_signature());
    token("token.signature", good().signed_by(&other));
    token("token.audience", good().audience("https://other.example"));
    token("token.audience", good().without("aud"));
    token("token.expired", good().expires_in(-3600));
    token("token.not_yet_valid", good().claim("nbf", NOW + 3600));
    token("token.issued_in_future", good().claim("iat", NOW + 3600));
    token("token.missing_claim", good().without("sub"));
    token("token.invalid_claim", good().claim("sub", 7));
    token("confirmation.missing", good().without("cnf"));
    let mut bound = |code: &str, cnf: Value| cases.push(with(setup, code, &good().claim("cnf", cnf).mint()));
    let (jkt, jwk) = (setup.key.thumbprint().to_string(), setup.key.public_jwk());
    bound("confirmation.not_object", json!("text"));
    bound("confirmation.no_known_method", json!({ "x": 1 }));
    bound("confirmation.several_keys", json!({ "jwk": jwk, "kid": jkt }));
    bound("confirmation.malformed", json!({ "jkt": "short" }));
    bound("confirmation.symmetric_key_in_clear", json!({ "jwk": { "kty": "oct", "k": "AAAA" } }));
    bound("confirmation.contradiction", json!({ "jkt": other.thumbprint().to_string(), "jwk": jwk }));
    bound("confirmation.unsupported", json!({ "jku": "https://as.example/key" }));
    bound("binding.key_mismatch", json!({ "jkt": other.thumbprint().to_string() }));
    bound("binding.not_bound_to_proof", json!({ "jwk": jwk }));
    bound("binding.signature_missing", json!({ "jkt": jkt, "jwk": jwk }));
    let issuer = |case: Case| case.with(&["--issuer", "https://as.example"]);
    let of_twin = twin.token().bound_to(&setup.key).mint();
    cases.push(issuer(with(setup, "token.issuer", &of_twin)));
    let id_token = good().header("typ", "JWT").claim("token_use", "id").mint();
    cases.push(with(setup, "token.token_type", &id_token).with(&["--allow", "typ-jwt"]));
    // What `--allow` makes acceptable.
    let lax = |deviation: &str, token: TokenMint| with(setup, "", &token.mint()).with(&["--allow", deviation]);
    cases.push(lax("typ-jwt", good().header("typ", "JWT")));
    cases.push(lax("missing-sub,missing-jti", good().without("sub").without("jti")));
    let keycloak = good().header("typ", "JWT").claim("typ", "DPoP").without("client_id").claim("azp", "shop").mint();
    cases.push(with(setup, "", &keycloak).with(&["--issuer-profile", "keycloak"]));
    cases.push(with(setup, "token.typ", &keycloak));
    cases.push(lax("scope-array", good().claim("scope", json!(["notes:read"]))));
    cases.extend(opaque(setup));
    cases.extend(certificates(setup));
    cases.extend(required(setup, &good));
    cases
}

fn opaque(setup: &Setup) -> Vec<Case> {
    vec![
        with(setup, "token.not_compact", "opaque"),
        Case::new("binding.bound_token_as_bearer", &["--scheme", "Bearer", "--token", &setup.token]),
        Case::new(
            "credential.scheme_not_enabled",
            &["--scheme", "Bearer", "--token", &setup.token, "--proofs", "dpop"],
        ),
    ]
}

fn certificates(setup: &Setup) -> Vec<Case> {
    let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
    let token = setup.server.token().bound_to_certificate(own.der()).mint();
    let bearer = |code| Case::new(code, &["--scheme", "Bearer", "--token", &token]);
    let file = |name: &str, certificate: &TestCertificate| setup.folder.file(name, certificate.pem());
    vec![
        bearer("").with(&["--certificate", &file("own.pem", &own)]),
        bearer("binding.certificate_missing"),
        bearer("binding.certificate_mismatch").with(&["--certificate", &file("other.pem", &other)]),
    ]
}

/// What the route requires.
fn required(setup: &Setup, good: &dyn Fn() -> TokenMint) -> Vec<Case> {
    let user = good().claim("acr", "phr").claim("auth_time", NOW - 200).claim("roles", json!(["editor"]));
    let row = |code: &str, required: &[&str]| with(setup, code, &user.mint()).with(required);
    vec![
        row("", &["--require-scope", "notes:read", "--require-acr", "phr", "--require-max-age", "300"]),
        row("", &["--require-claim", "roles=editor"]),
        row("scope.insufficient", &["--require-scope", "notes:read,notes:write"]),
        row("step_up.acr", &["--require-acr", "mfa"]),
        row("step_up.max_age", &["--require-max-age", "30"]),
        row("claim.insufficient", &["--require-claim", "roles=admin"]),
    ]
}
