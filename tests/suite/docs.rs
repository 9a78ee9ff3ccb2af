//! The documentation keeps its word: every test that docs/*.md names exists and names the line it proves.

use std::path::Path;

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

#[test]
fn every_line_of_the_documentation_is_proven_by_a_test_that_names_it() {
    let mut checked = 0;
    let pages = [
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
    for page in pages.map(|name| format!("docs/{name}.md")) {
        for (id, file, test) in rows(&read(&page)) {
            let source = read(file);
            assert!(source.contains(&format!("fn {test}(")), "{page} {id}: there is no {test} in {file}");
            let lower = id.to_lowercase();
            let named = source.contains(id) || source.contains(&lower.replace('-', "_"));
            assert!(named, "{page} {id}: {file} does not name it");
            checked += 1;
        }
    }
    assert!(checked > 220, "only {checked} lines were read");
}

#[test]
fn dpop_38_the_documentation_says_what_is_not_covered() {
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
    for (language, file) in [("nginx", "tests/proxies/nginx.conf"), ("haproxy", "tests/proxies/haproxy.cfg")] {
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
    ] {
        assert!(!read(page).is_empty() && readme.contains(page), "{page}");
    }
}
