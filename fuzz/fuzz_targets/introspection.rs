//! Introspection responses, plain and as the payload of a signed one: what passes is active, of this issuer, for this
//! resource, within its times and of one mind about how it is bound; a signed one is for this resource and recent besides.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pop_core::access_token::Expectations;
use pop_core::access_token::introspection::{IntrospectionExpectations, SignedIntrospection, read};
use pop_core::jose::{DecodedJws, JsonLimits, Object};
use pop_core::policy::{TokenAllowances, TokenPolicy};
use poplayer_fuzz::oracle::date;
use poplayer_fuzz::world::{AUDIENCE, ISSUER, ISSUER_KEY, NOW, issuer_keys};
use serde_json::Value;

const LEEWAY: u64 = 30;
const HEADER: &str = r#"{"typ":"token-introspection+jwt","alg":"Ed25519"}"#;

fuzz_target!(|text: &str| {
    check_plain(text.as_bytes());
    check_signed(text);
    // Whoever does not ask for a signed response need not be slowed down by a signature.
    if text.contains("token_introspection")
        && let Some(answer) = check_signed(&ISSUER_KEY.sign(HEADER, text))
    {
        let claims: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(claims["iss"], ISSUER);
        assert!(names(&claims["aud"]));
        let iat = date(&claims["iat"]).expect("an iat");
        assert!((NOW - 60 - LEEWAY..=NOW + LEEWAY).contains(&iat), "{iat}");
        let said: Value = serde_json::from_slice(&answer).expect("JSON");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&said), keys(&claims["token_introspection"]));
        assert!(Object::parse(&answer, JsonLimits::TOKEN).is_ok());
        check_plain(&answer);
    }
});

fn check_plain(body: &[u8]) {
    let (audiences, policy) = ([AUDIENCE.into()], TokenPolicy::default());
    let token = Expectations { audiences: &audiences, allowances: TokenAllowances::default(), policy: &policy };
    let expected = IntrospectionExpectations { issuer: ISSUER, token, cache_for: Duration::from_secs(10) };
    let Ok(token) = read(body, &expected, NOW) else { return };

    let claims: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(claims["active"], true);
    assert!(claims.get("iss").is_none_or(|iss| *iss == ISSUER) && token.issuer() == ISSUER);
    assert!(names(&claims["aud"]));
    assert!(token.expires_at() > NOW);
    assert_eq!(token.expires_at(), claims.get("exp").map_or(NOW + 10, |exp| date(exp).expect("a date")));
    for name in ["nbf", "iat"] {
        assert!(claims.get(name).is_none_or(|time| date(time).is_some_and(|time| time <= NOW + LEEWAY)), "{name}");
    }
    if let Some(kind) = claims.get("token_type") {
        let is_dpop = kind.as_str().expect("a string").eq_ignore_ascii_case("dpop");
        assert_eq!(is_dpop, claims["cnf"].get("jkt").is_some());
    }
    let bound = token.confirmation();
    assert_eq!(claims.get("cnf").is_some(), bound.is_some_and(|bound| bound.requirements().next().is_some()));
}

/// The answer out of a signed response.
fn check_signed(text: &str) -> Option<Vec<u8>> {
    let policy = TokenPolicy::default();
    let jws = DecodedJws::parse(text, 65_536).ok()?;
    let signed = SignedIntrospection::parse(&jws, &policy).ok()?;
    signed.verify(&issuer_keys(), ISSUER, &[AUDIENCE], policy.leeway, NOW).ok()
}

/// Whether an `aud` names the resource.
fn names(audience: &Value) -> bool {
    *audience == AUDIENCE || audience.as_array().is_some_and(|list| list.contains(&AUDIENCE.into()))
}
