//! `Signature-Input` and `Signature`: profile, method and target in the first line, components with their parentheses in
//! the second, parameters in the third, then fields. In those of the signature, `$INPUT` and `$SIG` stand for what is right.
//!
//! The signature is made over a base that another program text makes (`fuzz/src/signature.rs`) out of what the client wrote.
//! What passes therefore has the same base in the layer. It covers what its profile demands, is recent, and fails as soon as
//! anything that it covers is changed. Plain requests that do what is demanded must pass.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pop_core::content::ExpectedContent;
use pop_core::jose::encode_standard;
use pop_core::policy::SignaturePolicy;
use pop_core::proof::{MessageSignature, PopKey, SignatureProfile};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use poplayer_fuzz::signature::{Message, base, identifiers, parameters, plain_string};
use poplayer_fuzz::world::{AUDIENCE, CLIENT_KEY, NOW, SHARED_KEY};

/// These must pass.
const ACCEPTED: [&str; 5] = [
    include_str!("../seeds/signature/accepted-httpsig"),
    include_str!("../seeds/signature/accepted-hmac"),
    include_str!("../seeds/signature/accepted-addition"),
    include_str!("../seeds/signature/accepted-every-component"),
    include_str!("../seeds/signature/accepted-two-labels"),
];

fuzz_target!(
    init: {
        for text in ACCEPTED {
            let passed = Case::read(text).is_some_and(|case| case.attempt());
            assert!(passed, "refused: {text}");
        }
    },
    |text: &str| {
        if let Some(case) = Case::read(text) {
            case.attempt();
        }
    }
);

struct Case<'t> {
    profile: SignatureProfile,
    method: &'t str,
    target: &'t str,
    /// The member of `Signature-Input`.
    input: String,
    headers: HeaderMap,
    /// Whether nothing but one signature is in the fields of signatures.
    is_alone: bool,
    has_base: bool,
}

impl<'t> Case<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let profile = match words.next()? {
            "httpsig" => SignatureProfile::HttpSig,
            "hmac" => SignatureProfile::Hmac,
            "addition" => SignatureProfile::Request,
            _ => return None,
        };
        let (method, target) = (words.next()?, words.next().filter(|target| target.starts_with('/'))?);
        let input = format!("{}{}", lines.next()?, lines.next()?);
        let mut fields: Vec<&str> = lines.take(12).collect();
        let is_of_signature = |field: &&str| field.to_ascii_lowercase().starts_with("signature");
        let is_alone = !fields.iter().any(is_of_signature);
        if is_alone {
            fields.extend(["signature-input: sig=$INPUT", "signature: sig=:$SIG:"]);
        }
        let mut headers = HeaderMap::new();
        let (of_signature, others): (Vec<&str>, Vec<&str>) = fields.into_iter().partition(is_of_signature);
        let add = |line: &str, signature: &str, headers: &mut HeaderMap| {
            let (name, value) = line.split_once(':')?;
            let value = value.trim().replace("$SIG", signature).replace("$INPUT", &input); // the input may have `$SIG`
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
            Some(())
        };
        others.iter().try_for_each(|line| add(line, "", &mut headers))?;
        let base = base(Message { method, target, headers: &headers }, &input);
        let has_base = base.is_some();
        let message = base.unwrap_or_default();
        let signature = match profile {
            SignatureProfile::Hmac => SHARED_KEY.sign(message.as_bytes()).to_vec(),
            _ => CLIENT_KEY.sign_bytes(message.as_bytes()),
        };
        of_signature.iter().try_for_each(|line| add(line, &encode_standard(&signature), &mut headers))?;
        Some(Self { profile, method, target, input, headers, is_alone, has_base })
    }

    fn attempt(&self) -> bool {
        let Some(signature) = self.verified(self.method, self.target, &self.headers) else {
            assert!(!self.is_plain(), "refused: {}", self.input);
            return false;
        };
        assert_eq!(signature, self.input);
        assert!(self.has_base, "a component that is not there");
        self.check_parameters();
        self.check_components();
        true
    }

    /// Returns the components and parameters of what is verified.
    fn verified(&self, method: &str, target: &str, headers: &HeaderMap) -> Option<String> {
        let origin = Origin::parse(AUDIENCE).expect("an origin");
        let head = RequestHead::new(method, &origin, target, headers, NOW);
        let policy = SignaturePolicy::default();
        let signature = MessageSignature::parse(self.profile, &head, &policy).ok()?;
        let key = match self.profile {
            SignatureProfile::Hmac => PopKey::Shared(&SHARED_KEY),
            _ => PopKey::Public(CLIENT_KEY.verifying_key()),
        };
        signature.verify_signature(key, &head, &policy).ok()?;
        signature.check_time(&policy, NOW).ok()?;
        let covers_content = signature.covered().any(|covered| covered == "content-digest");
        let expected = signature.expected_content().expect("content must be covered");
        assert_eq!(covers_content, expected != ExpectedContent::EMPTY);
        let mut inputs = signature.signature_input().map(str::to_owned);
        let input = inputs.next().expect("at least one");
        assert!(inputs.all(|other| other == input), "nobody else can sign");
        Some(input)
    }

    fn check_parameters(&self) {
        let parameters = parameters(&self.input).expect("parameters");
        let get = |name: &str| {
            let mut values = parameters.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value);
            let value = values.next();
            assert!(values.next().is_none(), "{name} twice");
            value
        };
        assert_eq!(get("tag").and_then(plain_string), Some(self.profile.tag()));
        let created: u64 = get("created").expect("created").parse().expect("an integer");
        assert!((NOW - 60..=NOW + 30).contains(&created), "{created}");
        let expires = get("expires").map(|expires| expires.parse::<u64>().expect("an integer"));
        assert!(expires.is_none_or(|expires| NOW < expires + 30));
        assert_eq!(get("pub"), None);
        if self.profile == SignatureProfile::Request {
            assert!(get("alg").is_none_or(|alg| alg == "\"ed25519\""));
        } else {
            assert_eq!((get("alg"), get("keyid")), (None, None));
            assert!(get("nonce").is_some_and(|nonce| (3..=512 + 2).contains(&nonce.len())));
        }
    }

    /// What is demanded is covered, and nothing that is covered can be changed.
    fn check_components(&self) {
        let identifiers = identifiers(&self.input).expect("components");
        let mut required = vec!["\"@method\"", "\"@target-uri\"", "\"authorization\""];
        if self.profile == SignatureProfile::Request && self.headers.contains_key("dpop") {
            required.push("\"dpop\"");
        }
        for name in required {
            assert!(identifiers.contains(&name), "{name}");
        }
        assert!(identifiers.iter().enumerate().all(|(at, one)| !identifiers[..at].contains(one)), "one twice");
        assert!(self.verified("OTHER", self.target, &self.headers).is_none());
        assert!(self.verified(self.method, &format!("{}x", self.target), &self.headers).is_none());
        for identifier in identifiers {
            let Some(name) = plain_string(identifier).filter(|name| !name.starts_with('@')) else { continue };
            let mut headers = self.headers.clone();
            let value = headers.get_mut(name).expect("what is covered is there");
            let changed = [value.as_bytes(), b"x"].concat();
            *value = HeaderValue::from_bytes(&changed).expect("a value");
            assert!(self.verified(self.method, self.target, &headers).is_none(), "{name} was changed");
            headers.remove(name);
            assert!(self.verified(self.method, self.target, &headers).is_none(), "{name} was removed");
        }
    }

    /// Whether the request surely does what is demanded, in the simplest way of writing it.
    fn is_plain(&self) -> bool {
        let (Some(identifiers), Some(parameters)) = (identifiers(&self.input), parameters(&self.input)) else {
            return false;
        };
        let is_graphic = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let origin = Origin::parse(AUDIENCE).expect("an origin");
        let has_target = RequestHead::new(self.method, &origin, self.target, &self.headers, NOW).target().is_ok();
        let covers = |name: &str| identifiers.contains(&&*format!("\"{name}\""));
        let is_name = |identifier: &&str| {
            plain_string(identifier).is_some_and(|name| {
                ["@method", "@target-uri", "@authority", "@path", "@query", "@scheme"].contains(&name)
                    || name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            })
        };
        let is_first = |(at, one): (usize, &&str)| !identifiers[..at].contains(one);
        let is_time = |value: &str| {
            value.len() == 10 && value.parse().is_ok_and(|time: u64| (NOW - 60..=NOW + 30).contains(&time))
        };
        let [("created", created), ("nonce", nonce), ("tag", tag)] = parameters[..] else { return false };
        self.is_alone
            && self.has_base
            && has_target
            && is_graphic(self.method)
            && is_graphic(self.target)
            && self.headers.iter().map(|(_, value)| value.len()).sum::<usize>() < 2000
            && self.target.len() < 2000
            && !self.headers.contains_key("content-digest")
            && !self.headers.contains_key("dpop")
            && identifiers.len() <= 16
            && identifiers.iter().all(is_name)
            && identifiers.iter().enumerate().all(is_first)
            && ["@method", "@target-uri", "authorization"].into_iter().all(covers)
            && self.input == format!("({});created={created};nonce={nonce};tag={tag}", identifiers.join(" "))
            && is_time(created)
            && plain_string(nonce).is_some_and(|nonce| is_graphic(nonce) && (1..=256).contains(&nonce.len()))
            && plain_string(tag) == Some(self.profile.tag())
    }
}
