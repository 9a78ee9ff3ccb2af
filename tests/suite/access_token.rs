//! Access tokens (RFC 9068 §4), on both backends. Every table has its accepting twin.

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TokenMint};
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::encode;
use serde_json::{Value, json};
use tower_pop::IssuerConfig;

use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api, api_for, api_on, api_with, issuer};

type Change = Box<dyn Fn(&Api, TokenMint) -> TokenMint>;

fn change(change: impl Fn(&Api, TokenMint) -> TokenMint + 'static) -> Change {
    Box::new(change)
}

fn claim(name: &'static str, value: Value) -> Change {
    change(move |_, token| token.claim(name, value.clone()))
}

fn header(name: &'static str, value: Value) -> Change {
    change(move |_, token| token.header(name, value.clone()))
}

/// Inserts a string right after the opening brace of the payload.
fn prefixed(text: &'static str) -> Change {
    change(move |_, token| {
        let payload = token.payload_text();
        token.raw_payload(format!("{{{text},{}", &payload[1..]))
    })
}

fn rejected() -> Vec<(&'static str, &'static str, Change)> {
    let mut rows = vec![
        ("ATK-07", "token.typ", header("typ", json!("JWT"))),
        ("ATK-07", "token.typ", header("typ", json!("application/jwt"))),
        ("ATK-07", "token.typ", header("typ", json!(1))),
        ("ATK-07", "token.typ", header("typ", json!("at+jwt+x"))),
        ("ATK-07", "token.typ", change(|_, token| token.without_header("typ"))),
        ("ATK-08", "token.issuer", claim("iss", json!("https://as.example/"))),
        ("ATK-08", "token.issuer", claim("iss", json!("HTTPS://as.example"))),
        ("ATK-08", "token.issuer", claim("iss", json!("https://as.example:443"))),
        ("ATK-08", "token.issuer", claim("iss", json!(123))),
        ("ATK-08", "token.issuer", change(|_, token| token.without("iss"))),
        ("CNF-11", "token.issuer", change(|_, token| token.without("iss").without("sub"))),
        ("ATK-10", "token.audience", claim("aud", json!("https://other.example"))),
        ("ATK-10", "token.audience", claim("aud", json!("https://API.example"))),
        ("ATK-10", "token.audience", claim("aud", json!([1]))),
        ("ATK-10", "token.audience", claim("aud", json!([AUDIENCE, 1]))),
        ("ATK-10", "token.audience", claim("aud", json!({}))),
        ("ATK-10", "token.audience", claim("aud", json!([]))),
        ("ATK-10", "token.audience", change(|_, token| token.without("aud"))),
        ("CNF-17", "token.audience", claim("aud", json!("https://other.example"))),
        ("ATK-11", "token.not_compact", change(|_, token| token.alg_none())),
        ("ATK-11", "token.alg", header("alg", json!("none"))),
        ("ATK-11", "token.alg", header("alg", json!("None"))),
        ("ATK-11", "token.alg", header("alg", json!("nOnE"))),
        ("ATK-11", "token.alg", header("alg", json!("HS256"))),
        ("ATK-11", "token.alg", header("alg", json!(" ES256"))),
        ("ATK-11", "token.alg", header("alg", json!(["ES256"]))),
        ("ATK-11", "token.alg", change(|_, token| token.without_header("alg"))),
        ("ATK-12", "token.unknown_key", header("alg", json!("ES384"))),
        ("ATK-12", "token.unknown_key", header("alg", json!("RS256"))),
        ("ATK-13", "token.expired", change(|_, token| token.expires_in(-3600))),
        ("ATK-13", "token.missing_claim", change(|_, token| token.without("exp"))),
        ("ATK-13", "token.invalid_claim", claim("exp", json!("4102444800"))),
        ("ATK-13", "token.invalid_claim", claim("exp", json!(null))),
        ("ATK-13", "token.invalid_claim", claim("exp", json!(-1))),
        ("ATK-13", "token.invalid_claim", claim("exp", json!(1e300))),
        (
            "ATK-13",
            "token.not_json",
            change(|_, token| {
                let payload = token.payload_text();
                token.raw_payload(payload.replace("\"exp\":1800000300", "\"exp\":1e400"))
            }),
        ),
        ("ATK-14", "token.not_yet_valid", claim("nbf", json!(NOW + 3600))),
        ("ATK-14", "token.invalid_claim", claim("nbf", json!("x"))),
        ("JOSE-19", "token.invalid_claim", claim("nbf", json!(null))),
        ("ATK-15", "token.issued_in_future", claim("iat", json!(NOW + 61))),
        ("JOSE-18", "token.invalid_claim", claim("iat", json!(9_007_199_254_740_993_u64))),
        ("ATK-16", "token.missing_claim", change(|_, token| token.without("sub"))),
        ("ATK-16", "token.missing_claim", change(|_, token| token.without("client_id"))),
        ("ATK-16", "token.missing_claim", change(|_, token| token.without("jti"))),
        ("ATK-16", "token.missing_claim", change(|_, token| token.without("iat"))),
        ("ATK-16", "token.invalid_claim", claim("sub", json!(1))),
        ("ATK-16", "token.invalid_claim", claim("client_id", json!(["a"]))),
        ("ATK-19", "token.typ", change(|_, token| token.header("typ", "JWT").claim("nonce", "n").without("client_id"))),
        (
            "ATK-21",
            "token.signature",
            change(|api, token| token.header("jwk", api.key.public_jwk()).signed_by(&api.key)),
        ),
        (
            "ATK-21",
            "token.unknown_key",
            change(|api, token| {
                token
                    .header("jku", "http://169.254.169.254/jwks")
                    .header("kid", "https://evil.example")
                    .signed_by(&api.key)
            }),
        ),
        (
            "ATK-34",
            "token.not_json",
            change(|_, token| {
                let inner = token.mint();
                token.header("cty", "JWT").raw_payload(inner)
            }),
        ),
        ("ATK-35", "token.invalid_claim", claim("scope", json!(["notes:read"]))),
        ("ATK-35", "token.invalid_claim", claim("scope", json!(1))),
        ("SCOPE-06", "token.invalid_claim", claim("authorization_details", json!({}))),
        ("SCOPE-06", "token.invalid_claim", claim("authorization_details", json!([{ "actions": [] }]))),
        ("JOSE-04", "token.duplicate_member", prefixed(r#""exp":1"#)),
        ("JOSE-04", "token.duplicate_member", prefixed(r#""\u0065xp":1"#)),
        ("JOSE-04", "token.duplicate_member", prefixed(r#""x":{"a":1,"a":2}"#)),
        ("CNF-01", "token.duplicate_member", prefixed(r#""cnf":{}"#)),
        ("JOSE-05", "token.too_deep", prefixed(r#""x":[[[[[[[[[[]]]]]]]]]]"#)),
        (
            "JOSE-03",
            "token.not_json",
            change(|_, token| {
                let payload = token.payload_text();
                token.raw_payload(format!("\u{feff}{payload}"))
            }),
        ),
        ("JOSE-03", "token.not_object", change(|_, token| token.raw_payload("[]"))),
        ("JOSE-06", "token.crit", header("crit", json!(["x"]))),
        ("JOSE-06", "token.crit", header("crit", json!([]))),
        ("JOSE-06", "token.crit", header("crit", json!(["exp", "exp"]))),
        ("JOSE-06", "token.crit", header("crit", json!(["alg"]))),
        ("JOSE-06", "token.crit", header("crit", json!("x"))),
        ("JOSE-07", "token.encoding", header("b64", json!(false))),
        ("JOSE-07", "token.crit", change(|_, token| token.header("b64", false).header("crit", json!(["b64"])))),
        ("JOSE-22", "token.encoding", header("zip", json!("DEF"))),
        ("JOSE-17", "token.unknown_key", header("kid", json!("../../x"))),
        ("JOSE-17", "token.unknown_key", header("kid", json!("' OR 1=1 --"))),
        ("JOSE-17", "token.unknown_key", header("kid", json!("k".repeat(2000)))),
        ("JOSE-17", "token.header_parameter", header("kid", json!(1))),
        ("X-03", "token.signature", change(|api, token| token.signed_by(&api.key))),
        ("X-09", "token.signature", change(|_, token| token.tampered_signature())),
        ("CNF-01", "confirmation.not_object", claim("cnf", json!(null))),
        ("CNF-01", "confirmation.not_object", claim("cnf", json!([]))),
        ("CNF-01", "confirmation.not_object", claim("cnf", json!("x"))),
        ("CNF-02", "confirmation.several_keys", claim("cnf", json!({ "jwk": {}, "jwe": "x" }))),
        ("CNF-03", "confirmation.no_known_method", claim("cnf", json!({ "foo": 1 }))),
        ("CNF-04", "confirmation.no_known_method", claim("cnf", json!({}))),
        ("CNF-08", "confirmation.symmetric_key_in_clear", claim("cnf", json!({ "jwk": { "kty": "oct", "k": "AA" } }))),
        ("CNF-09", "confirmation.unsupported", claim("cnf", json!({ "kid": "x" }))),
        ("CNF-10", "confirmation.unsupported", claim("cnf", json!({ "jku": "http://169.254.169.254" }))),
        (
            "CNF-16",
            "confirmation.missing",
            change(|api, token| {
                let jkt = api.key.thumbprint().to_string();
                token.without("cnf").claim("act", json!({ "cnf": { "jkt": jkt } }))
            }),
        ),
        ("DPOP-29", "confirmation.missing", change(|_, token| token.without("cnf"))),
        ("CNF-12", "confirmation.missing", change(|_, token| token.without("cnf"))),
        (
            "MTLS-03",
            "binding.not_bound_to_proof",
            change(|api, token| token.claim("cnf", json!({ "x5t#S256": api.key.thumbprint().to_string() }))),
        ),
        (
            "MTLS-08",
            "binding.certificate_missing",
            change(|api, token| {
                let jkt = api.key.thumbprint().to_string();
                token.claim("cnf", json!({ "jkt": jkt, "x5t#S256": jkt }))
            }),
        ),
        (
            "CNF-05",
            "binding.signature_missing",
            change(|api, token| {
                let jkt = api.key.thumbprint().to_string();
                token.claim("cnf", json!({ "jkt": jkt, "jwk": api.key.public_jwk() }))
            }),
        ),
    ];
    for typ in [
        "dpop+jwt",
        "token-introspection+jwt",
        "logout+jwt",
        "secevent+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "oauth-client-attestation+jwt",
        "oauth-client-attestation-pop+jwt",
        "txntoken+jwt",
        "wit+jwt",
        "wpt+jwt",
        "kb+jwt",
    ] {
        rows.push(("ATK-20", "token.typ", header("typ", json!(typ))));
    }
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for value in [json!("1"), json!(true), json!({}), json!([1])] {
            rows.push(("JOSE-18", "token.invalid_claim", claim(name, value)));
        }
    }
    rows
}

/// ATK-32: whatever is wrong with a token, the error is `invalid_token`. Each row names what it proves.
#[tokio::test]
async fn rejects_every_defective_token_with_the_right_code() {
    for backend in CryptoBackend::COMPILED_IN {
        let api = api_on(*backend);
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "the twin");
        for (row, code, change) in rejected() {
            let token = change(&api, api.token()).mint();
            let row = format!("{row} {code} on {backend:?}");
            api.with_token(&token).await.is(Expected::Token, &row).coded(code, &row);
        }
    }
}

/// The accepting twins of the table above. Each row names what it proves.
#[tokio::test]
async fn accepts_every_form_that_the_rfcs_allow() {
    let api = api();
    let rows: Vec<(&str, Change)> = vec![
        ("ATK-07", header("typ", json!("at+JWT"))),
        ("ATK-07", header("typ", json!("application/at+jwt"))),
        ("JOSE-27", header("typ", json!("APPLICATION/AT+JWT"))),
        ("ATK-10", claim("aud", json!(["https://other.example", AUDIENCE]))),
        ("ATK-13", change(|_, token| token.expires_in(-29))),
        ("ATK-14", claim("nbf", json!(NOW + 20))),
        ("ATK-15", claim("iat", json!(NOW + 8))),
        ("ATK-22", change(|_, token| token.without_header("kid"))),
        ("JOSE-18", claim("exp", json!(1_800_000_300.5))),
        ("JOSE-07", header("b64", json!(true))),
        ("SCOPE-06", claim("authorization_details", json!([{ "type": "payment" }]))),
        (
            "CNF-03",
            change(|api, token| token.claim("cnf", json!({ "jkt": api.key.thumbprint().to_string(), "foo": 1 }))),
        ),
        ("DPOP-25", change(|_, token| token.header("tx_id", 1).claim("tx_id", json!({ "a": [1, null] })))),
    ];
    for (row, change) in rows {
        api.with_token(&change(&api, api.token()).mint()).await.is(Expected::Ok, row);
    }
}

/// ATK-01, ATK-02, ATK-03, ATK-04, DPOP-31, DPOP-35: one `Authorization` field with a scheme in any case, spaces and
/// one token.
#[tokio::test]
async fn reads_exactly_one_token_of_a_known_scheme() {
    let api = api();
    let token = api.token().mint();
    let send = |values: Vec<String>| {
        let mut request = crate::support::request(&token, &api.proof(&token).mint());
        request.headers_mut().remove("authorization");
        for value in values {
            request.headers_mut().append("authorization", value.parse().unwrap());
        }
        api.send(request)
    };
    for scheme in ["DPoP", "dpop", "DPOP", "DPoP "] {
        send(vec![format!("{scheme} {token}")]).await.is(Expected::Ok, "ATK-01 ATK-02");
    }
    for value in ["DPoP".to_owned(), format!("DPoP\t{token}"), format!("DPoP {token} b"), format!("DPoP {token},x=y")] {
        send(vec![value.clone()]).await.is(Expected::BadRequest, "ATK-02");
    }
    for second in ["DPoP x", "Bearer x"] {
        send(vec![format!("DPoP {token}"), second.to_owned()]).await.is(Expected::BadRequest, "ATK-03");
    }
    send(vec![format!("Bearer {token}, DPoP {token}")]).await.is(Expected::BadRequest, "ATK-04");
    send(vec![]).await.is(Expected::NoCredentials, "DPOP-31");
    send(vec!["Basic dTpw".to_owned()]).await.is(Expected::NoCredentials, "an unknown scheme");
    send(vec![format!("PoP {token}")]).await.is(Expected::Token, "SHR-01: a scheme that is not enabled");
    let mut proxy = crate::support::request(&token, &api.proof(&token).mint());
    let value = proxy.headers_mut().remove("authorization").unwrap();
    proxy.headers_mut().insert("proxy-authorization", value);
    api.send(proxy).await.is(Expected::NoCredentials, "DPOP-35");
}

/// ATK-05, ATK-06, D-03: only `Authorization` carries a token. By option a token in the query is rejected.
#[tokio::test]
async fn ignores_tokens_in_the_query_and_in_the_body() {
    let api = api();
    let token = api.token().mint();
    let query = |api: &Api, with_header: bool| {
        let mut request = crate::support::request(&token, &api.proof(&token).mint());
        *request.uri_mut() = format!("/notes?access_token={token}").parse().unwrap();
        if !with_header {
            request.headers_mut().remove("authorization");
        }
        request
    };
    api.send(query(&api, false)).await.is(Expected::NoCredentials, "ATK-05");
    api.send(query(&api, true)).await.is(Expected::Ok, "ATK-05: the header decides");
    let mut form = query(&api, false);
    *form.uri_mut() = "/notes".parse().unwrap();
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    api.send(form).await.is(Expected::NoCredentials, "ATK-06");
    let strict = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer(&api.server), |builder| {
        builder.reject_token_in_query()
    });
    strict.send(query(&api, true)).await.is(Expected::BadRequest, "ATK-05, strict option, D-03");
    for (parameter, expected) in [
        ("access%5Ftoken=x", Expected::BadRequest),
        ("a=1&%61ccess_toke%6E=x", Expected::BadRequest),
        ("access_token", Expected::BadRequest),
        ("access%255Ftoken=x", Expected::NoCredentials),
        ("token=access_token", Expected::NoCredentials),
    ] {
        let request = http::Request::get(format!("/notes?{parameter}")).body(()).unwrap();
        strict.send(request).await.is(expected, &format!("ATK-05 {parameter}, strict option"));
    }
}

/// ATK-29: a token counts in the cache by the memory that it takes, so that many short audiences are not free.
#[tokio::test]
async fn the_size_of_a_cached_token_includes_its_audiences() {
    let api = api();
    let mut many = vec![AUDIENCE.to_owned()];
    many.extend((0..1_000).map(|number| (number % 10).to_string()));
    for (audiences, least) in [(json!(AUDIENCE), 0), (json!(many), 1_001 * 16)] {
        let answer = api.with_token(&api.token().claim("aud", audiences).mint()).await.is(Expected::Ok, "ATK-10");
        let token = answer.token.unwrap();
        let (claims, size) = (token.access_token().raw_claims().len(), token.access_token().size());
        assert!(size >= claims + least, "ATK-29 {size} bytes for {claims} of claims");
        assert_eq!(least == 0, size < claims + 64, "ATK-29 {size}");
    }
}

/// ATK-09, X-15: two issuers publish different keys under one `kid`.
#[tokio::test]
async fn verifies_a_token_with_keys_of_its_own_issuer_only() {
    let (one, other) = (TestAuthServer::offline_at(ISSUER, NOW), TestAuthServer::offline_at("https://b.example", NOW));
    // Both sets publish the same kid, for different keys.
    let with_kid = |server: &TestAuthServer| {
        let mut jwks: Value = serde_json::from_str(&server.jwks_json()).unwrap();
        jwks["keys"][0]["kid"] = "same".into();
        IssuerConfig::new(server.issuer()).static_jwks(jwks.to_string())
    };
    let second = with_kid(&other);
    let first = with_kid(&one);
    let api = api_for(one, first, |builder| builder.issuer(second));
    let token = || api.token().header("kid", "same");
    api.with_token(&token().mint()).await.is(Expected::Ok, "the twin");
    let theirs = other.token().header("kid", "same").audience(AUDIENCE).bound_to(&api.key);
    api.with_token(&theirs.mint()).await.is(Expected::Ok, "the other issuer's own token");
    let mixed = theirs.claim("iss", ISSUER).mint();
    api.with_token(&mixed).await.is(Expected::Token, "ATK-09 X-15").coded("token.signature", "ATK-09");
}

/// ATK-11, X-02: the published key as the secret of HS256.
#[tokio::test]
async fn rejects_a_mac_when_its_secret_is_a_public_key() {
    let api = api();
    let jwk: Value = serde_json::from_str(&api.server.jwks_json()).unwrap();
    let text = jwk["keys"][0].to_string();
    let header = encode(json!({ "typ": "at+jwt", "alg": "HS256", "kid": jwk["keys"][0]["kid"] }).to_string());
    let message = format!("{header}.{}", encode(api.token().payload_text()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, text.as_bytes());
    let mac = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    let token = format!("{message}.{}", encode(mac.as_ref()));
    api.with_token(&token).await.is(Expected::Token, "ATK-11 X-02").coded("token.alg", "ATK-11");
}

/// ATK-12, ATK-23, ATK-24: type, algorithm and use of a key must fit; unusable keys are skipped, and several keys may
/// share a `kid`.
#[tokio::test]
async fn uses_only_keys_that_fit_the_token() {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let jwks: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    let good = jwks["keys"][0].clone();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut key = good.clone();
        change(&mut key);
        key
    };
    let rsa = DpopKey::generate(Algorithm::RS256).unwrap();
    let mut rsa_jwk = rsa.public_jwk();
    rsa_jwk["kid"] = good["kid"].clone();
    let set = |keys: Vec<Value>| json!({ "keys": keys }).to_string();
    let bad_keys = vec![
        json!({ "kty": "XYZ", "kid": "a" }),
        json!({ "kty": "RSA", "e": "AQAB", "kid": "b" }),
        json!({ "kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32]), "kid": "off-curve" }),
        json!({ "kty": "oct", "k": encode([7; 32]), "kid": "c" }),
        with(&|key| key["d"] = "AA".into()),
        json!("no object"),
        rsa_jwk,
    ];
    let mut keys = bad_keys.clone();
    keys.push(good.clone());
    let issuer = |keys: Vec<Value>| IssuerConfig::new(ISSUER).static_jwks(set(keys));
    let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer(keys), |builder| builder);
    let token = server.token().audience(AUDIENCE).bound_to(&api.key);
    api.with_token(&token.mint()).await.is(Expected::Ok, "ATK-24: the usable key is found");
    let by_rsa = token.clone().header("alg", "RS256").signed_by(&rsa).mint();
    api.with_token(&by_rsa).await.is(Expected::Ok, "ATK-23: RSA and EC under one kid");
    for (row, key) in [
        ("ATK-12 use", with(&|key| key["use"] = "enc".into())),
        ("ATK-12 alg", with(&|key| key["alg"] = "ES384".into())),
        ("ATK-12 key_ops", with(&|key| key["key_ops"] = json!(["sign"]))),
        ("ATK-24 private", with(&|key| key["d"] = "AA".into())),
        ("ATK-24 oct", json!({ "kty": "oct", "k": encode([7; 32]), "kid": good["kid"] })),
    ] {
        let another = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
        let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer(vec![key, another]), |builder| builder);
        let token = server.token().audience(AUDIENCE).bound_to(&api.key).mint();
        api.with_token(&token).await.is(Expected::Token, row).coded("token.unknown_key", row);
    }
}

/// ATK-22: without a limit, a large key set makes each token expensive.
#[tokio::test]
async fn tries_at_most_eight_keys_for_a_token_without_kid() {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let jwks: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    let mut keys: Vec<Value> = (0..7).map(|_| DpopKey::generate(Algorithm::ES256).unwrap().public_jwk()).collect();
    keys.push(jwks["keys"][0].clone());
    for (decoys, expected) in [(7, Expected::Ok), (8, Expected::Token)] {
        if decoys == 8 {
            keys.insert(0, DpopKey::generate(Algorithm::ES256).unwrap().public_jwk());
        }
        let issuer = IssuerConfig::new(ISSUER).static_jwks(json!({ "keys": keys }).to_string());
        let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer, |builder| builder);
        let token = server.token().without_header("kid").audience(AUDIENCE).bound_to(&api.key).mint();
        api.with_token(&token).await.is(expected, "ATK-22: eight candidates are tried");
    }
}

/// ATK-17, ATK-18, X-19: a JWE is never verified as a JWS, and neither is a JWS that claims to be encrypted.
#[tokio::test]
async fn rejects_encrypted_tokens() {
    let api = api();
    let header = encode(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#);
    let jwe = format!("{header}.AA.AA.AA.AA");
    api.with_token(&jwe).await.is(Expected::Token, "ATK-17").coded("token.encrypted", "ATK-17");
    let polyglot = api.token().header("enc", "A256GCM").mint();
    api.with_token(&polyglot).await.is(Expected::Token, "ATK-18").coded("token.encoding", "X-19");
}

/// ATK-31: `sub` equals `client_id` in a token without a user.
#[tokio::test]
async fn tells_clients_that_act_for_themselves_from_users() {
    let api = api();
    let user = api.with_token(&api.token().mint()).await.is(Expected::Ok, "ATK-31").token.unwrap();
    assert!(!user.access_token().acts_for_itself());
    let client = api.with_token(&api.token().subject("app").mint()).await.token.unwrap();
    assert!(client.access_token().acts_for_itself());
    assert_eq!((client.subject(), client.client_id()), (Some("app"), Some("app")));
}

/// ATK-33: the limit is configurable.
#[tokio::test]
async fn rejects_oversized_tokens_before_reading_them() {
    let api = api();
    let padded = |len: usize| api.token().claim("pad", "x".repeat(len)).mint();
    api.with_token(&padded(8_000)).await.is(Expected::Ok, "ATK-33, the twin");
    api.with_token(&padded(16_000)).await.is(Expected::Token, "ATK-33").coded("token.too_large", "ATK-33");
    let junk = format!("a.b.{}", "A".repeat(1 << 20));
    api.with_token(&junk).await.is(Expected::Token, "ATK-33, 1 MiB").coded("token.too_large", "ATK-33");
    let wide = api_with(|builder| builder.max_token_len(64 * 1024));
    let token = wide.token().claim("pad", "x".repeat(20_000)).mint();
    wide.with_token(&token).await.is(Expected::Ok, "ATK-33, the limit is configurable");
}

/// ATK-07, ATK-16, ATK-35: what one issuer may leave out or write otherwise, other issuers may not.
#[tokio::test]
async fn allowances_hold_for_one_issuer_only() {
    let lenient = TestAuthServer::offline_at("https://legacy.example", NOW);
    let allowances = issuer(&lenient)
        .allow_typ_jwt()
        .allow_scope_array()
        .allow_missing_sub()
        .allow_missing_client_id()
        .allow_missing_jti()
        .allow_missing_iat();
    let api = api_with(|builder| builder.issuer(allowances));
    let deviate = |token: TokenMint| {
        let token = token.header("typ", "JWT").claim("scope", json!(["a", "b"]));
        token.without("sub").without("client_id").without("jti").without("iat")
    };
    let theirs = deviate(lenient.token().audience(AUDIENCE).bound_to(&api.key)).mint();
    let token = api.with_token(&theirs).await.is(Expected::Ok, "ATK-16 ATK-35").token.unwrap();
    assert_eq!(token.scopes().collect::<Vec<_>>(), ["a", "b"]);
    let untyped = lenient.token().without_header("typ").audience(AUDIENCE).bound_to(&api.key).mint();
    api.with_token(&untyped).await.is(Expected::Ok, "ATK-07, by allowance");
    api.with_token(&deviate(api.token()).mint()).await.is(Expected::Token, "the strict issuer stays strict");
}

/// DPOP-05, JOSE-09, JOSE-28: each algorithm verifies on each backend; those that are off by default are rejected.
#[tokio::test]
async fn every_algorithm_works_on_every_backend_when_it_is_allowed() {
    for algorithm in Algorithm::compiled_in() {
        let builder = TestAuthServer::defaults().signing_algorithm(algorithm);
        let server = TestAuthServer::offline_with(
            builder.clock(std::sync::Arc::new(tower_pop::clock::ManualClock::at(NOW))),
            ISSUER,
        );
        let jwks = server.jwks_json();
        let token = server.token().audience(AUDIENCE);
        let mut api = api_for(server, IssuerConfig::new(ISSUER).static_jwks(jwks.clone()), |builder| {
            let builder = builder.crypto_backend(CryptoBackend::default());
            builder.token_algorithms(Algorithm::compiled_in()).proof_algorithms(Algorithm::compiled_in())
        });
        api.key = DpopKey::generate(algorithm).unwrap();
        let token = token.bound_to(&api.key).mint();
        for backend in CryptoBackend::COMPILED_IN.iter().filter(|backend| backend.verifies(algorithm)) {
            let issuer = IssuerConfig::new(ISSUER).static_jwks(jwks.clone());
            let all = || Algorithm::compiled_in().filter(|algorithm| backend.verifies(*algorithm));
            let other = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer, |builder| {
                builder.token_algorithms(all()).proof_algorithms(all()).crypto_backend(*backend)
            });
            let good = api.proof(&token).mint();
            other.with(&token, &good).await.is(Expected::Ok, &format!("{algorithm} on {backend:?}, JOSE-09"));
            let bad = api.proof(&token).tampered_signature().mint();
            other.with(&token, &bad).await.is(Expected::Proof, &format!("{algorithm} on {backend:?}"));
        }
        if !pop_core::jose::AlgorithmSet::PROOF.contains(algorithm) {
            let strict = api_for(
                TestAuthServer::offline_at(ISSUER, NOW),
                {
                    let ours = TestAuthServer::offline_at(ISSUER, NOW);
                    issuer(&ours)
                },
                |builder| builder,
            );
            let good = api.proof(&token).mint();
            let code = if good.len() > 8 * 1024 { "proof.too_large" } else { "proof.alg" };
            let answer = strict.with(&token, &good).await;
            answer.is(Expected::Proof, "DPOP-05: off by default").coded(code, "JOSE-28 DPOP-40");
        }
    }
}

#[tokio::test]
async fn an_independent_library_verifies_our_tokens() {
    let api = api();
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&api.server.jwks_json()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwks.keys[0]).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_exp = false;
    let token = api.token().mint();
    let read = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
    assert_eq!(read.claims["sub"], "alice");
    let tampered = api.token().tampered_signature().mint();
    assert!(jsonwebtoken::decode::<Value>(&tampered, &key, &validation).is_err());
}

/// ATK-19, ATK-20: where `typ` in the header leaves the kind of token open, the claims must not name another kind.
#[tokio::test]
async fn rejects_a_token_when_its_claims_name_another_kind() {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let lenient = issuer(&server).allow_typ_jwt();
    let api = api_for(server, lenient, |builder| builder);
    for (name, value, expected) in [
        ("token_use", json!("access"), Expected::Ok),
        ("token_use", json!("access_token"), Expected::Ok),
        ("token_use", json!("id"), Expected::Token),
        ("token_use", json!("refresh"), Expected::Token),
        ("token_use", json!(["access"]), Expected::Token),
        ("typ", json!("Bearer"), Expected::Ok),
        ("typ", json!("DPoP"), Expected::Ok),
        ("typ", json!("ID"), Expected::Token),
        ("typ", json!("Refresh"), Expected::Token),
        ("typ", json!("Offline"), Expected::Token),
        ("typ", json!(1), Expected::Token),
    ] {
        for token in [api.token().header("typ", "JWT"), api.token().without_header("typ")] {
            let token = token.claim(name, value.clone()).mint();
            api.with_token(&token).await.is(expected, &format!("ATK-19 {name}: {value}"));
        }
        let typed = api.token().claim(name, value.clone()).mint();
        api.with_token(&typed).await.is(Expected::Ok, &format!("ATK-20 at+jwt says it already; {name}: {value}"));
    }
}

/// DPOP-42: an application ends a stream when its token ends.
#[tokio::test]
async fn expires_at_is_the_exp_of_the_token() {
    let api = api();
    for seconds in [1, 300] {
        let answer = api.with_token(&api.token().claim("exp", NOW + seconds).mint()).await.is(Expected::Ok, "DPOP-42");
        assert_eq!(answer.token.unwrap().expires_at(), NOW + seconds, "DPOP-42");
    }
}
