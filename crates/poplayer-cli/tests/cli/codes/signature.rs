//! HTTP message signatures: under `HTTPSig`, with HMAC under `PoP`, and in addition to DPoP.

use std::convert::Infallible;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use pop_authserver::Recipient;
use pop_core::jose::{ContentEncryption, JsonLimits, Object, SharedKey, encode};
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::json;

use super::Case;
use crate::inspect::{NOW, Setup};

const COMPONENTS: [&str; 3] = ["@method", "@target-uri", "authorization"];

/// A request that is to be signed.
struct Draft<'s> {
    setup: &'s Setup,
    profile: SignatureProfile,
    headers: HeaderMap,
    components: Vec<&'s str>,
    parameters: SignatureParameters<'s>,
}

impl<'s> Draft<'s> {
    fn new(setup: &'s Setup, profile: SignatureProfile, scheme: &str, token: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("{scheme} {token}").parse().unwrap());
        let mut parameters = SignatureParameters::of(profile, NOW);
        parameters.nonce = Some("n-0S6_WzA2Mj");
        Self { setup, profile, headers, components: COMPONENTS.to_vec(), parameters }
    }

    fn field(mut self, name: &'static str, value: &str, component: &'s str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self.components.push(component);
        self
    }

    fn set(mut self, change: impl FnOnce(&mut SignatureParameters<'s>)) -> Self {
        change(&mut self.parameters);
        self
    }

    /// Returns the header lines of the signed request.
    fn lines(self) -> Vec<String> {
        let key = &self.setup.key;
        let shared = SharedKey::new([7; 32]).unwrap();
        let profile = self.profile;
        self.signed(|base| {
            if profile == SignatureProfile::Hmac { shared.sign(base).to_vec() } else { key.sign(base).unwrap() }
        })
    }

    fn signed(mut self, by: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<String> {
        let (origin, headers) = (Origin::parse("https://api.example").unwrap(), self.headers.clone());
        let head = RequestHead::new(Method::GET.as_str(), &origin, "/notes", &headers, NOW);
        let by = |base: &[u8]| Ok::<_, Infallible>(by(base));
        let (input, signature) = sign(&head, "sig1", &self.components, &self.parameters, by).unwrap();
        self.headers.append("signature-input", input);
        self.headers.append("signature", signature);
        let fields = self.headers.iter();
        fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }
}

pub(super) fn cases(setup: &Setup) -> Vec<Case> {
    let mut jwk = setup.key.public_jwk();
    jwk["alg"] = "ES256".into();
    let token = setup.server.token().claim("cnf", json!({ "jwk": jwk })).mint();
    let draft = || Draft::new(setup, SignatureProfile::HttpSig, "HTTPSig", &token);
    let authorization = format!("authorization: HTTPSig {token}");
    let raw = |code: &str, input: &str, signature: &str| {
        let lines = [&authorization, &format!("signature-input: {input}"), &format!("signature: {signature}")];
        Case::header(code, &lines.map(Clone::clone))
    };
    let input =
        draft().lines().iter().find_map(|line| Some(line.strip_prefix("signature-input: ")?.to_owned())).unwrap();
    let changed = |code: &str, from: &str, to: &str| {
        assert!(input.contains(from), "{from} in {input}");
        raw(code, &input.replacen(from, to, 1), "sig1=:AAAA:")
    };
    let other = draft().set(|parameters| parameters.nonce = Some("another")).lines();
    let second = |name: &str| {
        let line = other.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        line.replacen("sig1=", "sig2=", 1)
    };
    let two = raw(
        "signature.inconsistent",
        &format!("{input}, {}", second("signature-input: ")),
        &format!("sig1=:AAAA:, {}", second("signature: ")),
    );
    let signed = |code: &str, draft: Draft<'_>| Case::header(code, &draft.lines());
    let unnamed = setup.server.token().claim("cnf", json!({ "jwk": setup.key.public_jwk() })).mint();
    let mut cases = vec![
        signed("", draft()),
        Case::header("signature.missing", std::slice::from_ref(&authorization)),
        raw("signature.too_large", &format!("sig1=(\"{}\")", "a".repeat(17_000)), "sig1=:AAAA:"),
        raw("signature.malformed", "((", "sig1=:AAAA:"),
        raw("signature.labels", &input, "sig2=:AAAA:"),
        changed("signature.component", "\"@method\"", "\"@bogus\""),
        changed("signature.component_duplicated", "\"@method\"", "\"@method\" \"@method\""),
        changed("signature.component_missing", "\"@method\"", "\"@method\" \"x-missing\""),
        changed("signature.component_value", "\"@method\"", "\"@method\" \"x-own\";sf").with(&["-H", "X-Own: (("]),
        changed("signature.not_covered", "\"@method\" ", ""),
        changed("signature.missing_parameter", &format!(";created={NOW}"), ""),
        changed("signature.invalid_parameter", &format!("created={NOW}"), "created=\"x\""),
        changed("signature.forbidden_parameter", ";created", ";alg=\"x\";created"),
        changed("signature.nonce_length", "n-0S6_WzA2Mj", ""),
        two,
        signed("signature.created_too_old", draft().set(|parameters| parameters.created = Some(NOW - 600))),
        signed("signature.created_in_future", draft().set(|parameters| parameters.created = Some(NOW + 600))),
        signed("signature.created_milliseconds", draft().set(|parameters| parameters.created = Some(NOW * 1000))),
        signed("signature.expired", draft().set(|parameters| parameters.expires = Some(NOW - 600))),
        signed("signature.content_digest", draft().field("content-digest", "((", "content-digest")),
        signed("signature.content_digest_algorithm", draft().field("content-digest", "md5=:AA==:", "content-digest")),
        signed("confirmation.algorithm", Draft::new(setup, SignatureProfile::HttpSig, "HTTPSig", &unnamed)),
        raw("signature.invalid", &input, "sig1=:AAAA:"),
    ];
    cases.extend(in_addition(setup));
    cases.extend(hmac(setup));
    cases
}

/// A signature in addition to a DPoP proof, by the key of the proof.
fn in_addition(setup: &Setup) -> Vec<Case> {
    let proof = setup.proof().mint();
    let draft = || Draft::new(setup, SignatureProfile::Request, "DPoP", &setup.token).field("dpop", &proof, "dpop");
    let signed = |code: &str, draft: Draft<'_>| Case::header(code, &draft.lines()).with(&["--require-signature"]);
    vec![
        signed("", draft()),
        signed("signature.unknown_key", draft().set(|parameters| parameters.keyid = Some("unknown"))),
        signed("signature.algorithm", draft().set(|parameters| parameters.alg = Some("rsa-v1_5-sha256"))),
        Case::dpop("signature.missing", &setup.token, &proof).with(&["--require-signature"]),
    ]
}

/// A MAC with the symmetric key of the token.
fn hmac(setup: &Setup) -> Vec<Case> {
    let kek = json!({ "kty": "oct", "kid": "kek-1", "alg": "A256KW", "k": encode([1; 32]) });
    let file = setup.folder.file("kek.json", json!({ "keys": [kek] }).to_string());
    let recipient = Recipient::parse(&Object::parse(kek.to_string().as_bytes(), JsonLimits::TOKEN).unwrap()).unwrap();
    let key = json!({ "kty": "oct", "k": encode([7; 32]), "alg": "HS256" }).to_string();
    let jwe = recipient.encrypt(key.as_bytes(), ContentEncryption::A256Gcm).unwrap();
    let broken = format!("{}AAAA", &jwe[..jwe.len() - 4]);
    let with = |code: &str, token: &str| {
        let draft = Draft::new(setup, SignatureProfile::Hmac, "PoP", token);
        Case::header(code, &draft.lines()).with(&["--kek", &file])
    };
    let token = |jwe: &str| setup.server.token().claim("cnf", json!({ "jwe": jwe }));
    vec![
        with("", &token(&jwe).mint()),
        with("confirmation.not_unwrapped", &token(&broken).mint()),
        with("confirmation.several_audiences", &token(&jwe).claim("aud", json!(["https://api.example", "b"])).mint()),
    ]
}
