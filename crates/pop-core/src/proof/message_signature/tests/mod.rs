mod data;
mod fields;
mod limits;
mod profiles;
mod several;
mod token_request;
mod values;
mod vectors;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{MessageSignature, SignatureProfile};
use crate::SignatureError;
use crate::policy::SignaturePolicy;
use crate::request::RequestHead;
use crate::target::Origin;

const NOW: u64 = 1_800_000_000;
const COMPONENTS: &str = r#""@method" "@target-uri" "authorization""#;
const PARAMETERS: &str = r#";created=1800000000;nonce="n1";tag="httpsig-oauth""#;

fn headers<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    headers
}

fn origin() -> Origin {
    Origin::parse("https://api.example").unwrap()
}

/// Calls `check` with what becomes of a request with these fields, to `GET /notes?id=1`.
fn parsed<T>(
    profile: SignatureProfile,
    headers: &HeaderMap,
    policy: &SignaturePolicy,
    check: impl FnOnce(Result<MessageSignature<'_>, SignatureError>) -> T,
) -> T {
    let origin = origin();
    check(MessageSignature::parse(profile, &RequestHead::new("GET", &origin, "/notes?id=1", headers, NOW), policy))
}

/// Returns the error of a request with this `Signature-Input`, and a partner for the label `s`.
fn error(profile: SignatureProfile, input: &str, further: &[(&str, &str)]) -> Option<SignatureError> {
    let fields = [&[("authorization", "x t"), ("signature-input", input), ("signature", "s=:AA==:")], further].concat();
    parsed(profile, &headers(&fields), &SignaturePolicy::default(), |result| result.map(drop)).err()
}
