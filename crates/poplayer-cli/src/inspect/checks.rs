//! The checks of the verifier, in its order. Each code of a rejection belongs to one of them.

/// One check that a request must pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// A short name, stable for scripts.
    pub(crate) name: &'static str,
    /// What must hold.
    pub(crate) rule: &'static str,
    /// Where the rule comes from.
    pub(crate) reference: &'static str,
    /// The requests that it applies to.
    pub(super) of: Of,
    /// When the verifier starts with this check, and when it has completed it. A check that another one interrupts is not passed.
    pub(super) starts: u8,
    pub(super) ends: u8,
    /// The codes of rejections by this check.
    pub(super) codes: &'static [&'static str],
}

/// The requests that a check applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// All.
    All,
    /// Those with a DPoP proof.
    Dpop,
    /// Those with an HTTP message signature.
    Signature,
    /// Signed HTTP requests.
    Envelope,
    /// None that can be inspected: the check needs the state of a running server, or the application.
    Server,
}

/// The last step that depends on the token alone.
pub(super) const TOKEN_ENDS: u8 = 54;
/// The first one.
pub(super) const TOKEN_STARTS: u8 = 40;

/// Returns the check that a code belongs to.
pub(crate) fn check_of(code: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.codes.contains(&code))
}

macro_rules! checks {
    ($($of:ident $starts:literal..$ends:literal $name:literal: $rule:literal, $reference:literal, $codes:expr;)*) => {
        &[$(Check {
            name: $name, rule: $rule, reference: $reference, of: Of::$of, starts: $starts, ends: $ends, codes: &$codes,
        }),*]
    };
}

/// All checks.
pub(crate) const CHECKS: &[Check] = checks! {
    // the request
    All 10..10 "early-data": "not sent in TLS early data, if the server says so", "RFC 8470 §5.2", ["credential.early_data"];
    All 11..11 "query": "no access token in the query, if the server says so", "RFC 9700 §4.3.2", ["credential.token_in_query"];
    All 12..12 "target": "one known host, and a path without dot segments", "RFC 9110 §7.1", ["credential.target", "credential.dot_segments"];
    All 13..13 "certificate-field": "the proxy's certificate field can be read", "RFC 9440 §2", ["credential.client_certificate", "credential.client_certificate_too_large"];
    All 14..14 "authorization": "one `Authorization` with an accepted scheme and one token", "RFC 9449 §7.1", ["credential.missing", "credential.duplicated", "credential.malformed", "credential.scheme_not_enabled"];
    All 15..39 "token-length": "the token is not longer than the limit", "RFC 8725 §3.11", ["token.too_large"];
    // DPoP: the form of the proof
    Dpop 20..20 "proof-field": "one `DPoP` field", "RFC 9449 §4.3 (1)", ["proof.missing", "proof.duplicated"];
    Dpop 21..31 "proof-form": "a compact JWS of strict JSON", "RFC 9449 §4.3 (2)", ["proof.too_large", "proof.not_compact", "proof.encrypted", "proof.not_base64url", "proof.not_json", "proof.not_object", "proof.duplicate_member", "proof.too_deep", "proof.too_many_members"];
    Dpop 22..22 "proof-header": "no unknown extension, and parameters of the right type", "RFC 7515 §4.1", ["proof.crit", "proof.encoding", "proof.header_parameter"];
    Dpop 23..23 "proof-typ": "`typ` is `dpop+jwt`", "RFC 9449 §4.3 (4)", ["proof.typ"];
    Dpop 22..24 "proof-alg": "`alg` is an accepted asymmetric algorithm", "RFC 9449 §4.3 (5)", ["proof.alg"];
    Dpop 25..25 "proof-jwk": "`jwk` is a public key that fits `alg`", "RFC 9449 §4.3 (7)", ["proof.jwk_missing", "proof.jwk_private", "proof.jwk_kty", "proof.jwk_crv", "proof.jwk_member", "proof.jwk_point", "proof.jwk_rsa_modulus", "proof.jwk_rsa_exponent", "proof.jwk_algorithm", "proof.jwk_usage"];
    Dpop 28..31 "proof-claims": "`jti`, `htm`, `htu` and `iat` are there, each of the right type", "RFC 9449 §4.3 (3)", ["proof.missing_claim", "proof.invalid_claim"];
    Dpop 30..30 "proof-jti": "`jti` is neither empty nor too long", "RFC 9449 §4.2", ["proof.jti_length"];
    // signed HTTP requests: the form of the envelope
    Envelope 21..31 "envelope-form": "a compact JWS of strict JSON", "RFC 7515 §3.1", ["envelope.too_large", "envelope.not_compact", "envelope.encrypted", "envelope.not_base64url", "envelope.not_json", "envelope.not_object", "envelope.duplicate_member", "envelope.too_deep", "envelope.too_many_members"];
    Envelope 22..24 "envelope-header": "`typ` is `pop`, `alg` is accepted, and there is no unknown extension", "draft-ietf-oauth-signed-http-request §3", ["envelope.alg", "envelope.typ", "envelope.crit", "envelope.encoding", "envelope.header_parameter"];
    Envelope 25..31 "envelope-jwk": "`cnf.jwk`, if present, is a public key that fits `alg`", "RFC 7800 §3.2", ["envelope.jwk_missing", "envelope.jwk_private", "envelope.jwk_kty", "envelope.jwk_crv", "envelope.jwk_member", "envelope.jwk_point", "envelope.jwk_rsa_modulus", "envelope.jwk_rsa_exponent", "envelope.jwk_algorithm", "envelope.jwk_usage"];
    Envelope 25..64 "envelope-claims": "all required claims are there, each of the right type", "draft-ietf-oauth-signed-http-request §3", ["envelope.missing_claim", "envelope.invalid_claim", "envelope.nonce_length"];
    // HTTP message signatures: their form
    Signature 20..31 "signature-fields": "`Signature-Input` and `Signature` with the tag of the profile", "RFC 9421 §4", ["signature.missing", "signature.too_large", "signature.malformed", "signature.labels"];
    Signature 20..66 "signature-components": "the covered components are in the request, each once", "RFC 9421 §2", ["signature.component", "signature.component_duplicated", "signature.component_missing", "signature.component_value"];
    Signature 20..66 "signature-coverage": "all that must be covered is covered", "RFC 9421 §7.2.1", ["signature.not_covered"];
    Signature 20..66 "signature-parameters": "the parameters are those of the profile", "RFC 9421 §2.3", ["signature.missing_parameter", "signature.invalid_parameter", "signature.forbidden_parameter", "signature.nonce_length", "signature.inconsistent"];
    Signature 20..66 "signature-digest": "`Content-Digest` can be used", "RFC 9530 §2", ["signature.content_digest", "signature.content_digest_algorithm"];
    // the access token
    All 40..42 "token-form": "a compact JWS of strict JSON", "RFC 7515 §3.1", ["token.not_compact", "token.encrypted", "token.not_base64url", "token.not_json", "token.not_object", "token.duplicate_member", "token.too_deep", "token.too_many_members"];
    All 41..44 "token-header": "no unknown extension, and parameters of the right type", "RFC 7515 §4.1", ["token.crit", "token.encoding", "token.header_parameter"];
    All 41..41 "token-alg": "`alg` is an accepted asymmetric algorithm", "RFC 9068 §4", ["token.alg"];
    All 43..43 "token-issuer": "`iss` is the issuer", "RFC 9068 §4", ["token.issuer"];
    All 44..45 "token-key": "the issuer has a key for `kid` and `alg`", "RFC 7515 §4.1.4", ["token.unknown_key"];
    All 46..46 "token-signature": "the signature verifies with a key of the issuer", "RFC 9068 §4", ["token.signature"];
    All 47..47 "token-typ": "`typ` is `at+jwt`", "RFC 9068 §4", ["token.typ"];
    All 48..48 "token-type": "it is an access token", "RFC 8725 §3.11", ["token.token_type"];
    All 49..52 "token-audience": "`aud` names this resource", "RFC 9068 §4", ["token.audience"];
    All 51..51 "token-cnf": "`cnf` names one key or certificate", "RFC 7800 §3.1", ["confirmation.not_object", "confirmation.no_known_method", "confirmation.several_keys", "confirmation.malformed", "confirmation.symmetric_key_in_clear", "confirmation.contradiction", "confirmation.several_audiences", "confirmation.unsupported"];
    All 48..53 "token-claims": "the required claims are there, each of the right type", "RFC 9068 §2.2", ["token.missing_claim", "token.invalid_claim"];
    All 54..54 "token-times": "not expired, and not from the future", "RFC 9068 §4", ["token.expired", "token.not_yet_valid", "token.issued_in_future"];
    // the proofs against the request
    All 60..60 "bound": "the token is bound to a key or a certificate", "RFC 9449 §6", ["confirmation.missing"];
    All 61..65 "bound-to-proof": "the token is bound to the kind of key that the scheme needs", "RFC 9449 §6.1", ["binding.not_bound_to_proof"];
    Dpop 62..62 "htm": "`htm` is the method of the request", "RFC 9449 §4.3 (8)", ["proof.htm_mismatch"];
    Dpop 63..63 "htu": "`htu` is the URL of the request, without query and fragment", "RFC 9449 §4.3 (9)", ["proof.htu_invalid", "proof.htu_mismatch"];
    Dpop 64..64 "ath": "`ath` is the hash of the access token", "RFC 9449 §4.3 (12)", ["proof.ath_missing", "proof.ath_mismatch"];
    Dpop 65..65 "proof-signature": "the signature verifies with `jwk`", "RFC 9449 §4.3 (6)", ["proof.signature"];
    Envelope 62..62 "envelope-method": "`m` is the method of the request", "draft-ietf-oauth-signed-http-request §4", ["envelope.m_mismatch"];
    Envelope 62..64 "envelope-target": "`u`, `p` and `q` are the host, path and query of the request", "draft-ietf-oauth-signed-http-request §4", ["envelope.target", "envelope.u_mismatch", "envelope.p_mismatch", "envelope.q_mismatch", "envelope.q_uncovered", "envelope.q_repeated"];
    Envelope 62..64 "envelope-fields": "`h` covers the header fields of the request", "draft-ietf-oauth-signed-http-request §4", ["envelope.h_mismatch", "envelope.h_missing_field", "envelope.h_repeated_field"];
    All 62..66 "bound-key": "the key of the token can be used", "RFC 7800 §3", ["confirmation.algorithm", "confirmation.not_unwrapped"];
    Envelope 65..65 "envelope-signature": "the signature verifies with the key of the token", "RFC 7515 §5.2", ["envelope.key_algorithm", "envelope.signature"];
    Signature 62..66 "signature-key": "the key of the signature is known and accepted", "RFC 9421 §3.2", ["signature.unknown_key", "signature.algorithm"];
    Signature 65..66 "signature": "the signature verifies", "RFC 9421 §3.2", ["signature.invalid"];
    All 61..67 "binding": "the key of the proof is the key that `cnf` names", "RFC 9449 §6.1", ["binding.key_mismatch", "binding.bound_token_as_bearer", "binding.signature_missing"];
    All 66..67 "certificate": "the client's certificate is the one that `cnf` names", "RFC 8705 §3", ["binding.certificate_missing", "binding.certificate_mismatch"];
    Dpop 70..70 "proof-times": "`iat` is recent, and `exp` and `nbf` hold", "RFC 9449 §4.3 (11)", ["proof.iat_too_old", "proof.iat_in_future", "proof.iat_milliseconds", "proof.expired", "proof.not_yet_valid"];
    Envelope 70..70 "envelope-times": "`ts` is recent", "draft-ietf-oauth-signed-http-request §4", ["envelope.ts_too_old", "envelope.ts_in_future", "envelope.ts_milliseconds"];
    Signature 70..71 "signature-times": "`created` is recent, and `expires` holds", "RFC 9421 §7.2.2", ["signature.created_too_old", "signature.created_in_future", "signature.created_milliseconds", "signature.expired"];
    All 71..71 "nonce": "the proof has a fresh nonce of this server, if it wants one", "RFC 9449 §4.3 (10), §9", ["nonce.missing", "nonce.stale"];
    All 72..80 "content": "the content is what the proof covers", "RFC 9530 §2", ["content.uncovered", "content.digest_mismatch", "content.too_large"];
    // what the route requires
    All 90..91 "scope": "the token has the scopes that the route requires", "RFC 6750 §3.1", ["scope.insufficient"];
    All 90..91 "step-up": "the user's authentication is strong and recent enough", "RFC 9470 §3", ["step_up.acr", "step_up.max_age"];
    All 92..92 "claims": "the claims have the values that the route requires", "RFC 9068 §2.2", ["claim.insufficient"];
    // what depends on a running server
    Server 85..85 "replay": "the proof was not used before", "RFC 9449 §11.1", ["replay.replayed", "replay.key_quota", "replay.full", "replay.unavailable", "signature.nonce_used"];
    Server 46..46 "introspection": "the authorization server says that the token is active", "RFC 7662 §2.2", ["token.inactive", "unavailable.introspection"];
    Server 44..44 "keys": "the keys of the issuer can be fetched", "RFC 8414 §3", ["unavailable.keys", "unavailable.key_refresh"];
    Server 72..80 "content-stream": "the content arrives completely, in time, and is read", "RFC 9112 §8", ["content.incomplete", "content.late", "content.unread"];
    Server 92..92 "claims-type": "the claims fit the type of the handler", "RFC 9068 §2.2", ["claim.shape"];
};

#[cfg(test)]
mod tests {
    use super::*;
    use pop_core::CODES;

    #[test]
    fn every_code_belongs_to_exactly_one_check() {
        for entry in CODES {
            let owners = CHECKS.iter().filter(|check| check.codes.contains(&entry.code)).count();
            assert_eq!(owners, 1, "{}", entry.code);
        }
        for check in CHECKS {
            assert!(check.codes.iter().all(|code| pop_core::help(code).is_some()), "{}", check.name);
            assert_eq!(CHECKS.iter().filter(|other| other.name == check.name).count(), 1, "{}", check.name);
            assert!(check.starts <= check.ends && check.reference.contains('§'), "{}", check.name);
        }
    }
}
