//! Signed HTTP requests. In several lines: form, method and target; the header and the claims of the envelope, which is then
//! signed; the content; fields. What passes satisfies the oracle (`fuzz/src/envelope.rs`), and fails as soon as what it
//! covers is changed. In one line: credentials as they are, which are an envelope only if they hold an access token.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pop_core::jose::{decode, encode};
use pop_core::policy::SignedRequestPolicy;
use pop_core::proof::signed_request::EnvelopeAlgorithm;
use pop_core::proof::{PopCredentials, PopKey, SignedRequest};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use poplayer_fuzz::envelope::{Form, check};
use poplayer_fuzz::key::{BACKEND, jws, sha256};
use poplayer_fuzz::signature::Message;
use poplayer_fuzz::world::{AUDIENCE, CLIENT_KEY, NOW, SHARED_KEY};
use serde_json::Value;

/// These must pass.
const ACCEPTED: [&str; 5] = [
    include_str!("../seeds/envelope/accepted"),
    include_str!("../seeds/envelope/accepted-everything"),
    include_str!("../seeds/envelope/accepted-hs256"),
    include_str!("../seeds/envelope/accepted-entra"),
    include_str!("../seeds/envelope/accepted-spellings"),
];

fuzz_target!(
    init: {
        for text in ACCEPTED {
            let passed = Case::read(text).is_some_and(|case| case.attempt());
            assert!(passed, "refused: {text}");
        }
    },
    |text: &str| match Case::read(text) {
        Some(case) => drop(case.attempt()),
        None if !text.contains('\n') => check_credentials(text),
        None => {}
    }
);

struct Case<'t> {
    form: Form,
    method: &'t str,
    target: &'t str,
    header: String,
    claims: String,
    content: &'t str,
    headers: HeaderMap,
    envelope: String,
}

impl<'t> Case<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let form = match words.next()? {
            "draft" => Form::Draft,
            "entra" => Form::Entra,
            _ => return None,
        };
        let (method, target) = (words.next()?, words.next().filter(|target| target.starts_with('/'))?);
        let (header, claims, content) = (lines.next()?, lines.next()?, lines.next().unwrap_or_default());
        let mut headers = HeaderMap::new();
        for field in lines.take(8) {
            let (name, value) = field.split_once(':')?;
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?);
        }
        let fields: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default().trim_ascii()))
            .collect();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let claims = claims
            .replace("$NOW", &NOW.to_string())
            .replace("$JWK", &CLIENT_KEY.jwk())
            .replace("$Q", &sha256(query))
            .replace("$H", &sha256(fields.join("\n")))
            .replace("$B", &sha256(content));
        let shared = header.contains("HS256");
        let envelope = jws(header, &claims, |message| {
            if shared { SHARED_KEY.sign(message).to_vec() } else { CLIENT_KEY.sign_bytes(message) }
        });
        Some(Self { form, method, target, header: header.to_owned(), claims, content, headers, envelope })
    }

    fn attempt(&self) -> bool {
        if !self.passes(&self.envelope, self.method, self.target, &self.headers, self.content) {
            return false;
        }
        let object = |json: &str| -> Value { serde_json::from_str(json).expect("JSON") };
        let (header, claims) = (object(&self.header), object(&self.claims));
        let message = Message { method: self.method, target: self.target, headers: &self.headers };
        check(self.form, &header, &claims, message, self.content.as_bytes());

        let passes = |method: &str, target: &str, headers: &HeaderMap, content: &str| {
            self.passes(&self.envelope, method, target, headers, content)
        };
        let covers = |name: &str| claims.get(name).is_some();
        let (method, target, headers, content) = (self.method, self.target, &self.headers, self.content);
        assert!(!covers("m") || !passes("OTHER", target, headers, content));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        assert!(!covers("p") || !passes(method, &format!("{path}/x?{query}"), headers, content));
        assert!(!covers("q") || !passes(method, &format!("{path}?{query}&x=1"), headers, content));
        assert!(!covers("b") || !passes(method, target, headers, &format!("{content}x")));
        if let Some(name) = claims["h"][0].as_array().and_then(|names| names.first()).and_then(Value::as_str) {
            let mut headers = headers.clone();
            headers.insert(HeaderName::try_from(name).expect("a name"), HeaderValue::from_static("another value"));
            assert!(!passes(method, target, &headers, content), "{name} was changed");
        }
        let (message, signature) = self.envelope.rsplit_once('.').expect("a signature");
        let mut signature = decode(signature).expect("base64url");
        signature[0] ^= 1;
        assert!(!self.passes(&format!("{message}.{}", encode(signature)), method, target, headers, content));
        true
    }

    fn passes(&self, envelope: &str, method: &str, target: &str, headers: &HeaderMap, content: &str) -> bool {
        let mut policy = match self.form {
            Form::Draft => SignedRequestPolicy::default(),
            Form::Entra => SignedRequestPolicy::entra(),
        };
        policy.backend = BACKEND;
        policy.algorithms = SignedRequestPolicy::default().algorithms;
        let Ok(PopCredentials::Envelope(read)) = SignedRequest::read(envelope, &policy) else { return false };
        let key = match read.algorithm() {
            EnvelopeAlgorithm::Hs256 => PopKey::Shared(&SHARED_KEY),
            _ => PopKey::Public(CLIENT_KEY.verifying_key()),
        };
        let origin = Origin::parse(AUDIENCE).expect("an origin");
        let head = RequestHead::new(method, &origin, target, headers, NOW);
        let content_is_right =
            || read.expected_content(&policy).is_none_or(|expected| expected.check(content.as_bytes()).is_ok());
        read.check_request(&head, &policy).is_ok()
            && read.verify_signature(key).is_ok()
            && read.check_time(&policy, NOW).is_ok()
            && content_is_right()
    }
}

fn check_credentials(text: &str) {
    let Ok(credentials) = SignedRequest::read(text, &SignedRequestPolicy::default()) else { return };
    let segments: Vec<&str> = text.split('.').collect();
    let payload = |segment: &str| serde_json::from_slice::<Value>(&decode(segment).ok()?).ok();
    let holds_token = segments.len() == 3 && payload(segments[1]).is_some_and(|payload| payload.get("at").is_some());
    assert_eq!(holds_token, matches!(credentials, PopCredentials::Envelope(_)), "{text}");
}
