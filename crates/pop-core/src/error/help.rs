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
    "credential.missing": "no `Authorization` of a known scheme", "client: send `Authorization: DPoP` and a proof, or another scheme of the challenges. `.mode(Mode::Optional)` lets anonymous requests pass";
    "credential.duplicated": "more than one `Authorization` field line", "client or proxy: send one";
    "credential.malformed": "`Authorization` is not a scheme, spaces and a token", "client: send the token as it was issued, without quotes or parameters";
    "credential.scheme_not_enabled": "a token under a scheme that is not accepted here", "client: use a scheme of the challenges. `.proofs(..)` sets the kinds of proof; `Bearer` is accepted with `.client_certificates(..)` or `.mode(Mode::AllowBearer)`";
    "credential.token_in_query": "`access_token` in the query, with `.reject_token_in_query()`", "client: send it in `Authorization`";
    "credential.target": "the host is unknown or given twice, or the path is not a path of RFC 3986", "`.allowed_origins(..)` must name the host; client: percent-encode the path";
    "credential.dot_segments": "the path has dot segments, plain or percent-encoded", "client: send the path without `.` and `..`";
    "credential.client_certificate": "the certificate field of a trusted proxy cannot be read", "`CertificateHeader` must name the field and the format that the proxy writes";
    "credential.client_certificate_too_large": "the certificate field of a trusted proxy is too long", "`CertificateHeader::max_len(..)`";
    "credential.early_data": "sent in TLS early data, with `.reject_early_data()`", "client: send it again after the handshake";
    // the access token
    "token.too_large": "longer than the limit", "`.max_token_len(..)`";
    "token.not_compact": "not three segments: not a JWT", "opaque tokens need `IssuerConfig::introspection(..)`. Under `PoP` an access token alone needs `ProofKind::Hmac`";
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
    "token.token_type": "`token_type` contradicts `cnf`, or the claims are those of another kind of token", "client: send the access token. Authorization server: `token_type` is `DPoP` for a token with `jkt`, else `Bearer`";
    // the confirmation
    "confirmation.missing": "the token is not bound to a key or a certificate", "authorization server: bind it. `.mode(Mode::AllowBearer)` accepts such tokens as `Bearer`";
    "confirmation.not_object": "`cnf` is not an object", "authorization server";
    "confirmation.no_known_method": "`cnf` has no known confirmation method", "authorization server: `jkt`, `x5t#S256`, `jwk`, `jwe` or `kid`";
    "confirmation.several_keys": "`cnf` has more than one of `jwk`, `jwe`, `jku` and `kid`", "authorization server";
    "confirmation.malformed": "a method of `cnf` has a malformed value", "authorization server: `jkt` and `x5t#S256` are base64url without padding; `jwk` is a public key that is accepted";
    "confirmation.symmetric_key_in_clear": "`cnf.jwk` is an unencrypted symmetric key", "authorization server: everyone who sees the token has the key; revoke it";
    "confirmation.contradiction": "`jkt` and `jwk` name different keys", "authorization server";
    "confirmation.not_unwrapped": "the symmetric key of `cnf.jwe` cannot be used, whatever the reason", "authorization server: encrypt it for a current key of `.key_encryption_keys(..)`: a JWK of type `oct`, 32 bytes or more, `alg` `HS256` or none";
    "confirmation.algorithm": "`alg` of `cnf.jwk` is missing, not fully specified or not accepted", "authorization server: such as `ES256` or `Ed25519`, not `EdDSA`; `.signature_algorithms(..)`";
    "confirmation.several_audiences": "a token with a symmetric key has several audiences: each could forge requests to the others", "authorization server: one audience for each symmetric key";
    "confirmation.unsupported": "`cnf` has `jku`, `htsk`, `osc` or `tbh`, which are not implemented, or a `kid` that is not a thumbprint", "authorization server: `jkt`, `x5t#S256`, `jwk`, `jwe` or `kid`";
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
    "proof.jwk_kty": "a type of key that is not accepted", "client: `EC`, `OKP` or `RSA`; `AKP` with the feature `ml-dsa`";
    "proof.jwk_crv": "a curve that is not accepted", "client: P-256, P-384, P-521 or Ed25519";
    "proof.jwk_member": "a member of `jwk` is missing or malformed", "client: coordinates and keys have their full length";
    "proof.jwk_point": "the point is not on the curve", "client";
    "proof.jwk_rsa_modulus": "an RSA modulus that is too short, too long or even", "client: 2048 bits or more; `.max_proof_rsa_bits(..)`";
    "proof.jwk_rsa_exponent": "an RSA exponent that is even, 1 or too long", "client: 65537";
    "proof.jwk_algorithm": "`alg` does not fit the key", "client";
    "proof.jwk_usage": "`use` or `key_ops` does not allow verifying", "client: leave them out";
    "proof.signature": "the signature does not verify with `jwk`", "client: ECDSA signatures are `r` and `s`, not DER";
    "proof.missing_claim": "`jti`, `htm`, `htu` or `iat` is missing", "client";
    "proof.invalid_claim": "a claim has the wrong type or value", "client";
    "proof.jti_length": "`jti` is empty or too long", "client; `.max_jti_len(..)`";
    "proof.htm_mismatch": "`htm` is not the method of the request", "client: a proof for each request, with its method as sent";
    "proof.htu_invalid": "`htu` is not an absolute http or https URI without userinfo", "client";
    "proof.htu_mismatch": "`htu` is not the URL of the request", "behind a proxy: `.public_origin(..)`, `.allowed_origins(..)`, `.path_prefix(..)`; client: the URL as sent, without query";
    "proof.iat_too_old": "`iat` is too far in the past", "client: make a proof for each request and compare the clocks; `.proof_max_age(..)`";
    "proof.iat_in_future": "`iat` is too far in the future", "compare the clocks; `.clock_skew(..)`";
    "proof.iat_milliseconds": "`iat` is in milliseconds", "client: NumericDate counts seconds";
    "proof.expired": "`exp` of the proof has passed", "client: leave `exp` out, or compare the clocks";
    "proof.not_yet_valid": "`nbf` of the proof is in the future", "client: leave `nbf` out, or compare the clocks";
    "proof.ath_missing": "`ath` is missing", "client: add the hash of the access token";
    "proof.ath_mismatch": "`ath` is not the hash of the access token", "client: base64url of the SHA-256 of the token as sent";
    // message signatures
    "signature.missing": "no signature with the `tag` of the profile", "client: sign the request with the `tag` in `Accept-Signature`";
    "signature.too_large": "more than 16 KiB of fields, 8 signatures, 32 components, 16 parameters or 64 KiB of signature base", "client: cover less";
    "signature.malformed": "`Signature-Input` or `Signature` is not a structured field of the right type", "client";
    "signature.labels": "a label is in one of the two fields only, or occurs twice", "client or proxy: both fields have the same labels";
    "signature.component": "a component that requests do not have, or a parameter that it does not have", "client: names in lower case; no `req`, `tr` or `@status`";
    "signature.component_duplicated": "a component is covered twice", "client";
    "signature.component_missing": "a covered component is not in the request", "client, or a proxy that removes the field";
    "signature.component_value": "a covered component has a value that cannot be signed: not ASCII, not a structured field, or a query parameter that occurs twice", "client: cover the whole field, or `@query`";
    "signature.not_covered": "a component that must be covered is not", "client: cover it. `.signature_components(..)` and `.signed_content(..)` say what is required";
    "signature.missing_parameter": "`created` or `nonce` is missing", "client";
    "signature.invalid_parameter": "a parameter has the wrong type or value", "client: `created` and `expires` are integers, the others strings";
    "signature.forbidden_parameter": "`alg`, `keyid` or `pub` where the token alone names the key", "client: leave it out";
    "signature.nonce_length": "`nonce` is empty or longer than 256 bytes", "client";
    "signature.nonce_used": "the `nonce` of a signature in addition to another proof was used before with this key", "client: a new nonce for each request, or none; or the request was captured";
    "signature.inconsistent": "several signatures have the `tag`, but not the same `nonce` and `keyid`", "client: send one signature";
    "signature.unknown_key": "`keyid` names no key of the client", "client: the key of the DPoP proof, without `keyid` or with its thumbprint; `.client_keys(..)` registers others";
    "signature.algorithm": "the algorithm of the key is not accepted, or `alg` is another one", "client: use an accepted algorithm; `.signature_algorithms(..)`";
    "signature.invalid": "a signature does not verify", "client: sign the request as sent, with the key of the token; ECDSA signatures are `r` and `s`, not DER. A proxy must not change covered fields";
    "signature.created_too_old": "`created` is too far in the past", "client: sign each request and compare the clocks; `.signature_max_age(..)`";
    "signature.created_in_future": "`created` is too far in the future", "compare the clocks; `.clock_skew(..)`";
    "signature.created_milliseconds": "`created` is in milliseconds", "client: `created` counts seconds";
    "signature.expired": "`expires` has passed", "client: leave `expires` out, or compare the clocks";
    "signature.content_digest": "`Content-Digest` is covered, but malformed", "client: a dictionary of byte sequences, such as `sha-256=:…:`";
    "signature.content_digest_algorithm": "`Content-Digest` is covered, but has neither `sha-256` nor `sha-512`", "client: add one of them";
    // signed HTTP requests
    "envelope.too_large": "longer than the limit", "`.max_proof_len(..)` and `.max_token_len(..)` together set it";
    "envelope.not_compact": "not three segments", "client: send a compact JWS";
    "envelope.encrypted": "a JWE", "client: send a signed JWT";
    "envelope.not_base64url": "a segment is not canonical base64url", "client: no padding, no line breaks";
    "envelope.not_json": "a segment is not JSON", "client";
    "envelope.not_object": "a segment is not a JSON object", "client";
    "envelope.duplicate_member": "a JSON member occurs twice", "client";
    "envelope.too_deep": "JSON is nested deeper than 8", "client";
    "envelope.too_many_members": "JSON has more than 64 members in an object or 256 values", "client: list fewer parameters in `q` and fields in `h`";
    "envelope.alg": "an algorithm that is not accepted", "client: an algorithm of `.proof_algorithms(..)`, or `HS256` with a symmetric key";
    "envelope.typ": "`typ` is not `pop`", "client. `Preset::Entra` accepts envelopes without `typ`";
    "envelope.crit": "`crit` names an extension", "client";
    "envelope.encoding": "`b64`, `zip` or `enc` changes the payload", "client";
    "envelope.header_parameter": "a header parameter has the wrong type", "client";
    "envelope.jwk_missing": "`cnf.jwk` is not an object", "client";
    "envelope.jwk_private": "`cnf.jwk` holds a private key", "client: send the public key, and replace this key, which is no longer secret";
    "envelope.jwk_kty": "`cnf.jwk` has a type of key that is not accepted", "client: `EC`, `OKP` or `RSA`; `AKP` with the feature `ml-dsa`";
    "envelope.jwk_crv": "`cnf.jwk` has a curve that is not accepted", "client: P-256, P-384, P-521 or Ed25519";
    "envelope.jwk_member": "a member of `cnf.jwk` is missing or malformed", "client: coordinates and keys have their full length";
    "envelope.jwk_point": "the point of `cnf.jwk` is not on the curve", "client";
    "envelope.jwk_rsa_modulus": "`cnf.jwk` has an RSA modulus that is too short, too long or even", "client: 2048 bits or more; `.max_proof_rsa_bits(..)`";
    "envelope.jwk_rsa_exponent": "`cnf.jwk` has an RSA exponent that is even, 1 or too long", "client: 65537";
    "envelope.jwk_algorithm": "`alg` does not fit `cnf.jwk`", "client";
    "envelope.jwk_usage": "`use` or `key_ops` of `cnf.jwk` does not allow verifying", "client: leave them out";
    "envelope.key_algorithm": "`alg` is not the algorithm of the token's key", "client: sign with the key of the token. `HS256` needs a symmetric key";
    "envelope.signature": "the signature does not verify", "client: sign with the key of the token; ECDSA signatures are `r` and `s`, not DER";
    "envelope.missing_claim": "`ts`, or a claim that must cover the request, is missing", "client: `m`, `u`, `p` and `q`, or what `.signed_request_claims(..)` requires";
    "envelope.invalid_claim": "a claim has the wrong type or value", "client";
    "envelope.nonce_length": "`nonce` or `jti` is empty or longer than 256 bytes", "client";
    "envelope.target": "the path of the request cannot be compared with `p`", "client: percent-encode the path";
    "envelope.m_mismatch": "`m` is not the method of the request", "client: a proof for each request, with its method as sent";
    "envelope.u_mismatch": "`u` is not the host of the request", "behind a proxy: `.public_origin(..)`, `.allowed_origins(..)`; client: the host, with the port unless it is the default";
    "envelope.p_mismatch": "`p` is not the path of the request", "client: the path as sent, without the query; behind a proxy: `.path_prefix(..)`";
    "envelope.q_mismatch": "`q` does not match the query of the request", "client: the parameters as sent. `Preset::Entra` accepts the raw query in lower case";
    "envelope.q_uncovered": "the query has parameters that `q` does not list", "client: list all of them; or they were added on the way";
    "envelope.q_repeated": "a query parameter occurs twice, in the query or in `q`", "client: each name once";
    "envelope.h_mismatch": "`h` does not match the header fields of the request", "client: lines joined by LF; or a proxy changes a field";
    "envelope.h_missing_field": "`h` lists a header field that the request does not have", "client, or a proxy that removes the field";
    "envelope.h_repeated_field": "a field of `h` has several lines in the request, or is listed twice", "client: cover fields with one line only";
    "envelope.ts_too_old": "`ts` is too far in the past", "client: sign each request and compare the clocks; `.signature_max_age(..)`";
    "envelope.ts_in_future": "`ts` is too far in the future", "compare the clocks; `.clock_skew(..)`";
    "envelope.ts_milliseconds": "`ts` is in milliseconds", "client: `ts` counts seconds";
    // the binding
    "binding.key_mismatch": "the key of the proof is not the key that `cnf` names", "client: use the key that the token was requested with; or the token was stolen";
    "binding.bound_token_as_bearer": "a token with `jkt` was sent under `Bearer`", "client: `Authorization: DPoP` and a proof; or the token was stolen";
    "binding.signature_missing": "the token is bound to a key that must sign the request, and the request has no such signature", "client: sign the request, under `HTTPSig` or `PoP`";
    "binding.not_bound_to_proof": "the token is not bound to the kind of key that the scheme needs", "client: use the scheme of the token: `DPoP` for `jkt`, `HTTPSig` or `PoP` for `jwk`, `PoP` for `jwe` and `kid`, `Bearer` for a certificate";
    "binding.certificate_missing": "the token is bound to a certificate, and there is no client certificate", "client: connect with it; behind a proxy: configure `ClientCertificates`, and pass on the address of the peer (`into_make_service_with_connect_info`)";
    "binding.certificate_mismatch": "the client certificate is not the certificate of `cnf.x5t#S256`", "client: connect with the certificate that the token was requested with; or the token was stolen";
    // freshness
    "nonce.missing": "a nonce is required", "client: repeat the request with the nonce of `DPoP-Nonce`, or of the challenge under `PoP`";
    "nonce.stale": "not a recent nonce of this resource", "client: use the newest nonce; replicas need the same `.nonce_keys(..)`";
    // the content
    "content.uncovered": "there is content that the proof does not cover", "client: cover a digest of it. `.signed_content(..)` sets the rule";
    "content.digest_mismatch": "the content does not match the digest that the proof covers", "client: hash the content as sent, after any compression; or it was changed on the way";
    "content.too_large": "the content is longer than the limit", "`.content_limit(..)`";
    "content.incomplete": "the content ended early", "client: send it again. The proof was not used up";
    "content.late": "the content came after the proof had become too old", "client: sign the request when its content is ready to be sent; `.signature_max_age(..)`";
    "content.unread": "the layer does not read content, and this request's content must be verified", "this server: mount the layer with `.verify_content()`";
    // replay
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
