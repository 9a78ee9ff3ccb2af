//! The documentation keeps its word: every test that docs/*.md names exists and names the line it proves.

use std::path::Path;

/// The pages with one line for each requirement.
const PAGES: [&str; 11] = [
    "rfc9449",
    "rfc8705",
    "introspection",
    "rfc9470",
    "rfc9068",
    "jose",
    "rfc7800",
    "rfc9728",
    "errors",
    "client",
    "authserver",
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `| DPOP-01 | text | `file::test` |`
fn rows(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let (id, _, proof) = (cells.next()?, cells.next()?, cells.next()?);
        let (file, test) = proof.trim_matches('`').split_once("::")?;
        id.contains('-').then_some((id, file, test))
    })
}

/// A test, with its attributes and doc comment, and its body.
struct Test<'s> {
    name: &'s str,
    attributes: String,
    body: &'s str,
}

impl<'s> Test<'s> {
    fn find(source: &'s str, name: &'s str) -> Option<Self> {
        let (before, body) = item(source, &format!("fn {name}("))?;
        let attributes: Vec<&str> = before.rsplit('\n').skip(1).map(str::trim).take_while(is_attribute).collect();
        let attributes = attributes.join("\n");
        attributes.contains("test").then_some(Self { name, attributes, body })
    }

    /// Whether the test names a requirement: in its doc comment, its body, the tables it walks, or its file of vectors.
    fn names(&self, id: &str, source: &str) -> bool {
        let named = |text: &str| text.contains(id);
        let tables = || {
            self.body.split(|c: char| !c.is_alphanumeric() && c != '_').filter_map(|word| {
                let table = item(source, &format!("fn {word}(")).or_else(|| item(source, &format!("const {word}: ")));
                table.map(|(_, body)| body)
            })
        };
        let vectors = self.body.contains("vectors/dpop.json") || source.contains("vectors/dpop.json");
        named(&self.attributes)
            || named(self.body)
            || tables().any(named)
            || (vectors && named(&read("tests/vectors/dpop.json")))
    }
}

fn is_attribute(line: &&str) -> bool {
    line.starts_with("///") || line.starts_with("#[")
}

/// What stands before an item, and the item up to the brace or bracket that closes it at its own indentation.
fn item<'s>(source: &'s str, start: &str) -> Option<(&'s str, &'s str)> {
    let (before, rest) = source.split_once(start)?;
    let line = before.rsplit('\n').next()?;
    let indentation = &line[..line.len() - line.trim_start().len()];
    let end = ["}\n", "];\n", ";\n"].map(|close| rest.find(&format!("\n{indentation}{close}")));
    let body = end.into_iter().flatten().min().map_or(rest, |end| &rest[..end]);
    Some((before, body))
}

#[test]
fn every_line_of_the_documentation_is_proven_by_a_test_that_names_it() {
    let (mut checked, mut unnamed) = (0, Vec::new());
    for page in PAGES.map(|name| format!("docs/{name}.md")) {
        for (id, file, test) in rows(&read(&page)) {
            let source = read(file);
            let test = Test::find(&source, test).unwrap_or_else(|| panic!("{page} {id}: no test {test} in {file}"));
            if !test.names(id, &source) {
                unnamed.push(format!("{page} {id}: {file}::{}", test.name));
            }
            checked += 1;
        }
    }
    assert!(unnamed.is_empty(), "tests that do not name the line they prove:\n{}", unnamed.join("\n"));
    assert!(checked > 220, "only {checked} lines were read");
}

/// Every requirement of the areas that this version covers is on a page, or is named among those that are left out.
#[test]
fn every_line_of_the_areas_in_scope_is_documented() {
    const AREAS: [(&str, usize); 14] = [
        ("ATK", 35),
        ("DPOP", 44),
        ("NONCE", 18),
        ("REPLAY", 16),
        ("MTLS", 20),
        ("CNF", 20),
        ("INTRO", 15),
        ("META", 18),
        ("ERR", 20),
        ("SCOPE", 8),
        ("STEP", 5),
        ("JOSE", 28),
        ("CLI", 20),
        ("AS", 31),
    ];
    let pages: String = PAGES.map(|name| read(&format!("docs/{name}.md"))).concat();
    let mut missing = Vec::new();
    for (area, count) in AREAS {
        let ids = (1..=count).map(|number| format!("{area}-{number:02}"));
        missing.extend(ids.filter(|id| !pages.contains(id.as_str())));
    }
    assert!(missing.is_empty(), "neither documented nor named as left out: {missing:?}");
}

/// JOSE-26, ERR-18: what must not be learnt byte by byte is compared in constant time.
#[test]
fn secrets_are_compared_in_constant_time() {
    let ours = "constant_time::equal(";
    for (file, call, compared) in [
        ("crates/pop-core/src/constant_time.rs", ".ct_eq(", "what the next three are compared by"),
        ("crates/pop-core/src/jose/thumbprint.rs", ours, "thumbprints of keys and certificates"),
        ("crates/pop-core/src/proof/dpop.rs", ours, "ath"),
        ("crates/pop-core/src/nonce.rs", ours, "the MAC of a nonce"),
        ("crates/pop-authserver/src/authentication.rs", ".ct_eq(", "client secrets"),
    ] {
        assert!(read(file).contains(call), "JOSE-26 {compared} in {file}");
    }
}

/// DPOP-38, DPOP-42: what a proof does not cover, and what happens to streams.
#[test]
fn the_documentation_says_what_is_not_covered() {
    let readme = read("README.md");
    let (_, unprotected) = readme.split_once("## What this does not protect").expect("the section");
    for word in ["body", "header", "RFC 9449 §11.7", "another process", "expires_at"] {
        assert!(unprotected.contains(word), "DPOP-38 DPOP-42 CNF-20 {word}");
    }
    assert!(read("crates/tower-pop/src/lib.rs").contains("RFC 9449 §11.7"), "DPOP-38");
    assert!(read("crates/tower-pop/src/token.rs").contains("close long-lived streams"), "DPOP-42");
}

/// pop-core stays free of I/O: nothing that does any is among its dependencies.
#[test]
fn pop_core_depends_on_nothing_that_does_io() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "pop-core", "-e", "normal", "--prefix", "none", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("pop-core") && tree.contains("serde_json"), "{tree}");
    for name in ["tokio", "hyper", "reqwest", "tower", "tracing", "redis", "axum", "mio", "socket2"] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(name)), "pop-core depends on {name}");
    }
}

/// What the deployment page shows of a proxy's configuration is in the file that is tested.
#[test]
fn shown_proxy_configuration_is_the_tested_one() {
    let page = read("docs/deployment.md");
    for (language, file) in [
        ("nginx", "tests/proxies/nginx.conf"),
        ("haproxy", "tests/proxies/haproxy.cfg"),
        ("apache", "tests/proxies/apache.conf"),
    ] {
        let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
        let tested = read(file);
        let lines: Vec<&str> = block.split("```").next().unwrap().lines().collect();
        assert!(lines.len() >= 3, "{language}");
        for line in lines {
            assert!(tested.lines().any(|tested| tested.trim() == line), "{file} has no line {line:?}");
        }
    }
}

/// The product speaks of itself alone.
#[test]
fn every_page_is_there_and_linked() {
    let readme = read("README.md");
    for page in [
        "DESIGN.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/rfc9449.md",
        "docs/rfc8705.md",
        "docs/introspection.md",
        "docs/rfc9470.md",
        "docs/threat-model.md",
        "docs/performance.md",
    ] {
        assert!(!read(page).is_empty() && readme.contains(page), "{page}");
    }
}
