/// The meaning of a stable code, and how to avoid the rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeHelp {
    /// The code, such as `proof.ath_mismatch`.
    pub code: &'static str,
    /// What was found in the request, or what is unavailable.
    pub meaning: &'static str,
    /// Which side can change what: the client, the authorization server, or an option of this library in backticks.
    pub remedy: &'static str,
}

/// Returns the help for a code, or `None` for an unknown code.
#[must_use]
pub fn help(code: &str) -> Option<&'static CodeHelp> {
    CODES.iter().find(|entry| entry.code == code)
}

macro_rules! codes {
    ($($code:literal: $meaning:literal, $remedy:literal;)*) => {
        &[$(CodeHelp { code: $code, meaning: $meaning, remedy: $remedy }),*]
    };
}

/// All codes, in the order of the checks.
pub const CODES: &[CodeHelp] = codes! {
    // the request
    "credential.missing": "no `Authorization` of a known scheme", "client: send `Authorization: DPoP` and a proof. `.mode(Mode::Optional)` lets anonymous requests pass";
    "credential.duplicated": "more than one `Authorization` field line", "client or proxy: send one";
    "credential.malformed": "`Authorization` is not a scheme, spaces and a token", "client: send the token as it was issued, without quotes or parameters";
    "credential.scheme_not_enabled": "a token under a scheme that is not accepted here", "client: use `DPoP`. `Bearer` is accepted with `.client_certificates(..)` or `.mode(Mode::AllowBearer)`";
    "credential.token_in_query": "`access_token` in the query, with `.reject_token_in_query()`", "client: send it in `Authorization`";
    "credential.target": "the host is unknown or given twice, or the path is not a path of RFC 3986", "`.allowed_origins(..)` must name the host; client: percent-encode the path";
    "credential.dot_segments": "the path has dot segments, plain or percent-encoded", "client: send the path without `.` and `..`";
    "credential.client_certificate": "the certificate field of a trusted proxy cannot be read", "`CertificateHeader` must name the field and the format that the proxy writes";
    "credential.client_certificate_too_large": "the certificate field of a trusted proxy is too long", "`CertificateHeader::max_len(..)`";
    "credential.early_data": "sent in TLS early data, with `.reject_early_data()`", "client: send it again after the handshake";
    // the access token
    "token.too_large": "longer than the limit", "`.max_token_len(..)`";
    "token.not_compact": "not three segments: not a JWT", "opaque tokens need `IssuerConfig::introspection(..)`";
    "token.encrypted": "an encrypted JWT (JWE)", "authorization server: issue signed tokens, or opaque ones with `IssuerConfig::introspection(..)`";
    "token.not_base64url": "a segment is not canonical base64url", "client: send the token as it was issued";
    "token.not_json": "a segment is not JSON", "authorization server";
    "token.not_object": "a segment is not a JSON object", "authorization server";
    "token.duplicate_member": "a JSON member occurs twice", "authorization server";
    "token.too_deep": "JSON is nested deeper than the limit", "`.max_token_depth(..)`";
    "token.too_many_members": "JSON has more members or values than the limit", "`.max_token_members(..)`, `.max_token_values(..)`";
    "token.alg": "an algorithm that is not accepted", "`.token_algorithms(..)`";
    "token.typ": "`typ` is not `at+jwt`", "`IssuerConfig::allow_typ_jwt()` accepts `JWT` and tokens without `typ`";
    "token.crit": "`crit` names an extension", "authorization server";
    "token.encoding": "`b64`, `zip` or `enc` changes the payload", "authorization server";
    "token.header_parameter": "a header parameter has the wrong type", "authorization server";
    "token.issuer": "`iss` is missing or names no configured issuer", "`.issuer(..)`; it is compared exactly, a trailing slash included";
    "token.unknown_key": "the issuer has no key with this `kid` for this algorithm", "authorization server: publish the key; `IssuerConfig::jwks_uri(..)`, `JwksCaching::cool_down`";
    "token.signature": "the signature does not verify", "the token is forged, or the issuer changed a key without changing its `kid`";
    "token.audience": "`aud` does not name this resource", "`.audience(..)`; client: ask for a token with `resource`";
    "token.expired": "`exp` has passed", "client: get a new token. `.token_leeway(..)` allows for clock differences";
    "token.not_yet_valid": "`nbf` is in the future", "compare the clocks; `.token_leeway(..)`";
    "token.issued_in_future": "`iat` is in the future", "compare the clocks; `.token_leeway(..)`";
    "token.missing_claim": "a required claim is missing", "`IssuerConfig::allow_missing_sub()`, `allow_missing_client_id()`, `allow_missing_jti()`, `allow_missing_iat()`";
    "token.invalid_claim": "a claim has the wrong type or value", "authorization server; `IssuerConfig::allow_scope_array()` for `scope` as an array";
    "token.inactive": "the authorization server says that the token is not active", "client: get a new token";
    "token.token_type": "`token_type` contradicts `cnf`, or `token_use` or `typ` names another kind of token", "authorization server: `token_type` is `DPoP` for a token with `jkt`, else `Bearer`";
    // the confirmation
    "confirmation.missing": "the token is not bound to a key or a certificate", "authorization server: bind it. `.mode(Mode::AllowBearer)` accepts such tokens as `Bearer`";
    "confirmation.not_object": "`cnf` is not an object", "authorization server";
    "confirmation.no_known_method": "`cnf` has no known confirmation method", "authorization server: `jkt` or `x5t#S256`";
    "confirmation.several_keys": "`cnf` has more than one key", "authorization server";
    "confirmation.malformed": "`jkt` or `x5t#S256` is not a SHA-256 in base64url", "authorization server: no hex, no padding";
    "confirmation.symmetric_key_in_clear": "`cnf.jwk` is an unencrypted symmetric key", "authorization server: everyone who sees the token has the key; revoke it";
    "confirmation.unsupported": "`cnf` has a confirmation method that is not implemented", "authorization server: `jkt` or `x5t#S256`";
    // the proof
    "proof.missing": "no `DPoP` field", "client: send a proof with every request";
    "proof.duplicated": "more than one `DPoP` field line", "client or proxy: send one";
    "proof.too_large": "longer than the limit", "`.max_proof_len(..)`";
    "proof.not_compact": "not three segments", "client: send a compact JWS";
    "proof.encrypted": "a JWE", "client: send a signed JWT";
    "proof.not_base64url": "a segment is not canonical base64url", "client: no padding, no line breaks";
    "proof.not_json": "a segment is not JSON", "client";
    "proof.not_object": "a segment is not a JSON object", "client";
    "proof.duplicate_member": "a JSON member occurs twice", "client";
    "proof.too_deep": "JSON is nested deeper than 8", "client";
    "proof.too_many_members": "JSON has more than 64 members in an object or 256 values", "client";
    "proof.alg": "an algorithm that is not accepted", "client: use one of `algs` in the challenge; `.proof_algorithms(..)`";
    "proof.typ": "`typ` is not `dpop+jwt`", "client";
    "proof.crit": "`crit` names an extension", "client";
    "proof.encoding": "`b64`, `zip` or `enc` changes the payload", "client";
    "proof.header_parameter": "a header parameter has the wrong type", "client";
    "proof.jwk_missing": "no `jwk` in the header", "client: `kid` and `x5c` don't replace it";
    "proof.jwk_private": "`jwk` holds a private key", "client: send the public key, and replace this key, which is no longer secret";
    "proof.jwk_kty": "a type of key that is not accepted", "client: `EC`, `OKP` or `RSA`";
    "proof.jwk_crv": "a curve that is not accepted", "client: P-256, P-384, P-521 or Ed25519";
    "proof.jwk_member": "a member of `jwk` is missing or malformed", "client: coordinates have their full length";
    "proof.jwk_point": "the point is not on the curve", "client";
    "proof.jwk_rsa_modulus": "an RSA modulus that is too short, too long or even", "client: 2048 bits or more; `.max_proof_rsa_bits(..)`";
    "proof.jwk_rsa_exponent": "an RSA exponent that is even, 1 or too long", "client: 65537";
    "proof.jwk_algorithm": "`alg` does not fit the key", "client";
    "proof.jwk_usage": "`use` or `key_ops` does not allow verifying", "client: leave them out";
    "proof.signature": "the signature does not verify with `jwk`", "client: ECDSA signatures are `r` and `s`, not DER";
    "proof.missing_claim": "`jti`, `htm`, `htu` or `iat` is missing", "client";
    "proof.invalid_claim": "a claim has the wrong type or value", "client";
    "proof.jti_length": "`jti` is empty or too long", "client; `.max_jti_len(..)`";
    "proof.htm_mismatch": "`htm` is not the method of the request", "client: upper case, as sent";
    "proof.htu_invalid": "`htu` is not an absolute http or https URI without userinfo", "client";
    "proof.htu_mismatch": "`htu` is not the URL of the request", "behind a proxy: `.public_origin(..)`, `.allowed_origins(..)`, `.path_prefix(..)`; client: the URL as sent, without query";
    "proof.iat_too_old": "`iat` is too far in the past", "client: make a proof for each request and compare the clocks; `.proof_max_age(..)`";
    "proof.iat_in_future": "`iat` is too far in the future", "compare the clocks; `.clock_skew(..)`";
    "proof.iat_milliseconds": "`iat` is in milliseconds", "client: NumericDate counts seconds";
    "proof.expired": "`exp` of the proof has passed", "client: leave `exp` out, or compare the clocks";
    "proof.not_yet_valid": "`nbf` of the proof is in the future", "client: leave `nbf` out, or compare the clocks";
    "proof.ath_missing": "`ath` is missing", "client: add the hash of the access token";
    "proof.ath_mismatch": "`ath` is not the hash of the access token", "client: base64url of the SHA-256 of the token as sent";
    // the binding
    "binding.key_mismatch": "the key of the proof is not the key of `cnf.jkt`", "client: use the key that the token was requested with; or the token was stolen";
    "binding.bound_token_as_bearer": "a token with `jkt` was sent under `Bearer`", "client: `Authorization: DPoP` and a proof; or the token was stolen";
    "binding.signature_missing": "the token is bound to a key that must sign the request, and the request has no such signature", "client: sign the request, under `HTTPSig` or `PoP`";
    "binding.not_bound_to_proof": "a token without `jkt` was sent under `DPoP`", "client: use `Bearer` for certificate-bound tokens";
    "binding.certificate_missing": "the token is bound to a certificate, and there is no client certificate", "client: connect with it; behind a proxy: configure `ClientCertificates`, and pass on the address of the peer (`into_make_service_with_connect_info`)";
    "binding.certificate_mismatch": "the client certificate is not the certificate of `cnf.x5t#S256`", "client: connect with the certificate that the token was requested with; or the token was stolen";
    // freshness and replay
    "nonce.missing": "a nonce is required", "client: repeat the request with the nonce of `DPoP-Nonce`";
    "nonce.stale": "not a recent nonce of this resource", "client: use the newest `DPoP-Nonce`; replicas need the same `.nonce_keys(..)`";
    "replay.replayed": "the proof was used before", "client: make a new proof for each request, retries included; or the proof was captured";
    "replay.key_quota": "this key or client has used its share of the store", "client: slow down; `.replay_capacity(..)`, `.replay_quota(..)`";
    "replay.full": "the replay store is full", "`.replay_capacity(..)`, or a shorter `.proof_max_age(..)`";
    "replay.unavailable": "the replay store did not answer", "check the replay store";
    // what the route requires
    "scope.insufficient": "the token lacks a scope", "client: ask for the scopes in the challenge; `IssuerConfig::scope_claim(..)` if the issuer uses another claim";
    "claim.insufficient": "a claim that the route requires is missing or does not have an accepted value", "authorization server: grant the role; the argument of `RequireClaim`";
    "claim.shape": "the claims cannot be deserialized into the type that the handler uses", "the type of `Claims<T>`, or the authorization server";
    "step_up.acr": "the user's authentication context class is not sufficient", "client: request a new authorization with `acr_values`";
    "step_up.max_age": "the user's authentication is too old, or its time is unknown", "client: request a new authorization with `max_age`";
    // what the decision depends on
    "unavailable.keys": "no usable keys of the issuer", "the log says why fetching them failed; `IssuerConfig::jwks_uri(..)`";
    "unavailable.key_refresh": "the `kid` is unknown, and refreshing the keys failed", "the log says why";
    "unavailable.introspection": "no usable introspection response", "the log says why; check the credentials of this resource server and the limits";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_described_once() {
        for (at, entry) in CODES.iter().enumerate() {
            assert!(CODES[..at].iter().all(|other| other.code != entry.code), "{}", entry.code);
            assert!(!entry.meaning.is_empty() && !entry.remedy.is_empty(), "{}", entry.code);
            assert_eq!(help(entry.code), Some(entry));
        }
        assert_eq!(help("proof.nothing"), None);
    }
}
