//! Component values: the examples of RFC 9421 §2, and what has no value.

use super::{headers, origin};
use crate::SignatureError as E;
use crate::proof::message_signature::base::Signature;
use crate::proof::message_signature::fields::Member;
use crate::proof::message_signature::value::Effort;
use crate::request::RequestHead;
use crate::target::Origin;

/// Returns the value of a component of `GET` to this target.
fn value(component: &str, origin: &Origin, path: &str, fields: &[(&str, &[u8])]) -> Result<String, E> {
    let (member, headers) = (format!("s=({component})"), headers(fields));
    let signature = Signature::new(Member::parse(&member).unwrap()).unwrap();
    let mut base = String::new();
    let head = RequestHead::new("GET", origin, path, &headers, 0);
    signature.append_base(&mut base, &head, 64 * 1024, &mut Effort(64 * 1024))?;
    let value = base.strip_prefix(&format!("{component}: ")).unwrap();
    Ok(value.strip_suffix(&format!("\n\"@signature-params\": ({component})")).unwrap().to_owned())
}

/// SIG-18: RFC 9421 §2.1, §2.1.1 to §2.1.3.
#[test]
fn fields_have_the_values_that_the_rfc_prints() {
    let fields: &[(&str, &[u8])] = &[
        ("x-ows", b"  Leading and trailing whitespace. \t "),
        ("x-empty", b""),
        ("cache-control", b"max-age=60"),
        ("Cache-Control", b"   must-revalidate"),
        ("dict", b" a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("item", b"  1.50;q=?1 "),
        ("list", b"a,   b"),
        ("example", b"value, with, lots"),
        ("example", b"of, commas"),
        ("single", b"value, with, lots, of, commas"),
        ("latin", b" caf\xe9 "),
        ("cert", b":AA==:"),
        ("dupes", b"a, b, a"),
        ("split", b"a=1"),
        ("split", b"b=2"),
        ("late", b"a=1, a=2;x"),
        ("bad", b"a=1, "),
    ];
    for (component, expected) in [
        (r#""x-ows""#, Ok("Leading and trailing whitespace.")),
        (r#""x-empty""#, Ok("")),
        (r#""x-empty";bs"#, Ok("::")),
        (r#""x-empty";sf"#, Ok("")),
        (r#""cache-control""#, Ok("max-age=60, must-revalidate")),
        (r#""cache-control";sf"#, Ok("max-age=60, must-revalidate")),
        (r#""dict""#, Ok("a=1,    b=2;x=1;y=2,   c=(a   b   c), d")),
        (r#""dict";sf"#, Ok("a=1, b=2;x=1;y=2, c=(a b c), d")),
        (r#""dict";key="a""#, Ok("1")),
        (r#""dict";key="b""#, Ok("2;x=1;y=2")),
        (r#""dict";key="c""#, Ok("(a b c)")),
        (r#""dict";key="d""#, Ok("?1")),
        (r#""dict";sf;key="c""#, Ok("(a b c)")),
        (r#""split";key="b""#, Ok("2")),
        (r#""late";key="a""#, Ok("2;x")),
        (r#""late";sf"#, Ok("a=2;x")),
        (r#""item";sf"#, Ok("1.5;q")),
        (r#""list";sf"#, Ok("a, b")),
        (r#""cert";sf"#, Ok(":AA==:")),
        (r#""example""#, Ok("value, with, lots, of, commas")),
        (r#""example";bs"#, Ok(":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:")),
        (r#""single";bs"#, Ok(":dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:")),
        (r#""latin";bs"#, Ok(":Y2Fm6Q==:")),
        // SIG-17: what has no value.
        (r#""latin""#, Err(E::ComponentValue)),
        (r#""latin";sf"#, Err(E::ComponentValue)),
        (r#""absent""#, Err(E::ComponentMissing)),
        (r#""absent";sf"#, Err(E::ComponentMissing)),
        (r#""absent";bs"#, Err(E::ComponentMissing)),
        (r#""absent";key="a""#, Err(E::ComponentMissing)),
        (r#""dict";key="e""#, Err(E::ComponentMissing)),
        (r#""dict";key="A""#, Err(E::ComponentMissing)),
        (r#""list";key="c""#, Err(E::ComponentMissing)),
        (r#""cert";key="c""#, Err(E::ComponentValue)),
        (r#""x-ows";sf"#, Err(E::ComponentValue)),
        (r#""bad";sf"#, Err(E::ComponentValue)),
        (r#""bad";key="a""#, Err(E::ComponentValue)),
        // As a list it has three members, as a dictionary two.
        (r#""dupes";sf"#, Err(E::ComponentValue)),
    ] {
        let value = value(component, &origin(), "/", fields);
        assert_eq!(value.as_deref().map_err(|error| *error), expected, "{component}");
    }
}

/// SIG-20, SIG-21, SIG-22: RFC 9421 §2.2.1 to §2.2.8.
#[test]
fn derived_components_have_the_values_that_the_rfc_prints() {
    let path = "/path?param=value";
    let form = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
    let qux = "/path?param=value&foo=bar&baz=batman&qux=&&a&x=1&x=2&%78y=1&xy=2&bad=%ff&t=%zz*-._~";
    let origin = Origin::parse("https://WWW.Example.com:443").unwrap();
    let other = Origin::parse("http://[::1]:8080").unwrap();
    for (component, origin, path, expected) in [
        (r#""@method""#, &origin, path, Ok("GET")),
        (r#""@target-uri""#, &origin, path, Ok("https://www.example.com/path?param=value")),
        (r#""@target-uri""#, &origin, "/%7Ea/%2f//b?", Ok("https://www.example.com/%7Ea/%2f//b?")),
        (r#""@target-uri""#, &origin, "", Ok("https://www.example.com/")),
        (r#""@target-uri""#, &other, "/", Ok("http://[::1]:8080/")),
        (r#""@authority""#, &origin, path, Ok("www.example.com")),
        (r#""@authority""#, &other, path, Ok("[::1]:8080")),
        (r#""@scheme""#, &origin, path, Ok("https")),
        (r#""@scheme""#, &other, path, Ok("http")),
        (r#""@request-target""#, &origin, path, Ok("/path?param=value")),
        (r#""@path""#, &origin, path, Ok("/path")),
        (r#""@path""#, &origin, "/%7ea?b", Ok("/%7ea")),
        (r#""@path""#, &origin, "?b", Ok("/")),
        (r#""@query""#, &origin, "/path?param=value&foo=bar&baz=bat%2Dman", Ok("?param=value&foo=bar&baz=bat%2Dman")),
        (r#""@query""#, &origin, "/path?queryString", Ok("?queryString")),
        (r#""@query""#, &origin, "/path", Ok("?")),
        (r#""@query""#, &origin, "/path?", Ok("?")),
        (r#""@query-param";name="baz""#, &origin, qux, Ok("batman")),
        (r#""@query-param";name="qux""#, &origin, qux, Ok("")),
        (r#""@query-param";name="a""#, &origin, qux, Ok("")),
        (r#""@query-param";name="t""#, &origin, "/?t=%zz*-._~/", Ok("%25zz*-._%7E%2F")),
        (r#""@query-param";name="var""#, &origin, form, Ok("this%20is%20a%20big%0Amultiline%20value")),
        (r#""@query-param";name="bar""#, &origin, form, Ok("with%20plus%20whitespace")),
        (r#""@query-param";name="fa%C3%A7ade%22%3A%20""#, &origin, form, Ok("something")),
        // SIG-17, SIG-22: what has no value.
        (r#""@query-param";name="x""#, &origin, "/?x=1&x=2", Err(E::ComponentValue)),
        (r#""@query-param";name="xy""#, &origin, "/?%78y=1&xy=2", Err(E::ComponentValue)),
        (r#""@query-param";name="x""#, &origin, "/?x=%ff", Err(E::ComponentValue)),
        (r#""@query-param";name="baz""#, &origin, "/", Err(E::ComponentMissing)),
        (r#""@query-param";name="BAZ""#, &origin, "/?baz=1", Err(E::ComponentMissing)),
        (r#""@query-param";name="a b""#, &origin, "/?a%20b=1", Err(E::ComponentMissing)),
        (r#""@query""#, &origin, "/?\u{e9}", Err(E::ComponentValue)),
        (r#""@query""#, &origin, "/?a\n\"@path\": /b", Err(E::ComponentValue)),
        (r#""@target-uri""#, &origin, "/a/../b", Err(E::ComponentValue)),
        (r#""@path""#, &origin, "*", Err(E::ComponentValue)),
    ] {
        let value = value(component, origin, path, &[]);
        assert_eq!(value.as_deref().map_err(|error| *error), expected, "{component} {path:?}");
    }
}

/// SIG-19, SIG-20, X-60: methods are compared by case, cannot break out of their line, and never come from a field.
#[test]
fn a_method_is_taken_as_received() {
    let (origin, headers) = (origin(), headers::<&str>(&[]));
    let base = |method| {
        let signature = Signature::new(Member::parse(r#"s=("@method")"#).unwrap()).unwrap();
        let mut base = String::new();
        let head = RequestHead::new(method, &origin, "/", &headers, 0);
        signature.append_base(&mut base, &head, 1024, &mut Effort(0)).map(|()| base)
    };
    assert_eq!(base("get").unwrap(), "\"@method\": get\n\"@signature-params\": (\"@method\")");
    assert_eq!(base("GET\n"), Err(E::ComponentValue));
    assert!("@method".parse::<http::HeaderName>().is_err(), "no field has such a name");
}
