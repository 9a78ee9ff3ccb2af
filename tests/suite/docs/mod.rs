//! The documentation matches the code: its requirement tables, its links and the configuration files that it shows.

mod book;
mod conformance;
mod links;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files under a folder of the repository with this extension, sorted. Build output and dependencies are left out.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules", "corpus"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// JOSE-26, ERR-18: an attacker must not learn a secret byte by byte.
#[test]
fn secrets_are_compared_in_constant_time() {
    let ours = "constant_time::equal(";
    for (file, call, compared) in [
        ("crates/pop-core/src/constant_time.rs", ".ct_eq(", "what the next three are compared by"),
        ("crates/pop-core/src/jose/thumbprint.rs", ours, "thumbprints of keys and certificates"),
        ("crates/pop-core/src/proof/dpop.rs", ours, "ath"),
        ("crates/pop-core/src/nonce.rs", ours, "the MAC of a nonce"),
        ("crates/pop-core/src/jose/mac.rs", ".verify_slice(", "MACs with symmetric keys"),
        ("crates/pop-core/src/proof/signed_request/covered.rs", ours, "digests in signed HTTP requests"),
        ("crates/pop-authserver/src/authentication.rs", ".ct_eq(", "client secrets"),
    ] {
        assert!(read(file).contains(call), "JOSE-26 {compared} in {file}");
    }
}

/// `pop-core` stays free of I/O: none of its dependencies does any.
#[test]
fn pop_core_depends_on_nothing_that_does_io() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "pop-core", "-e", "normal", "--prefix", "none", "--all-features"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("pop-core") && tree.contains("serde_json"), "{tree}");
    for name in ["tokio", "hyper", "reqwest", "tower", "tracing", "redis", "axum", "mio", "socket2"] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(name)), "pop-core depends on {name}");
    }
}

/// SYM-16: in bold, so that no reader misses it (RFC 9421 §7.3.3).
#[test]
fn the_guide_on_symmetric_keys_says_who_can_forge_requests() {
    let guide = read("docs/symmetric-keys.md");
    let bold: Vec<String> = guide.split("**").skip(1).step_by(2).map(|text| text.replace('\n', " ")).collect();
    assert!(bold.iter().any(|text| text.contains("can forge requests of its clients")), "{bold:?}");
}

/// The proxy configuration in the guides is part of the files that `tests/proxies` runs.
#[test]
fn the_guides_show_the_proxy_configuration_that_is_tested() {
    let guide = read("docs/deployment.md");
    for (heading, language, file) in [
        ("nginx", "nginx", "tests/proxies/nginx.conf"),
        ("HAProxy", "haproxy", "tests/proxies/haproxy.cfg"),
        ("Apache httpd", "apache", "tests/proxies/apache.conf"),
        ("Envoy", "yaml", "tests/proxies/envoy.yaml"),
        ("Traefik", "yaml", "tests/proxies/traefik-routes.yml"),
        ("Caddy", "caddyfile", "tests/proxies/Caddyfile"),
    ] {
        let section = guide.split(&format!("\n### {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        let section = section.split("\n### ").next().unwrap();
        let fence = format!("```{language}\n");
        let blocks: Vec<&str> = section.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
        assert!(!blocks.is_empty(), "the guide does not show the configuration of {heading}");
        let tested = read(file);
        for line in blocks.iter().flat_map(|block| block.lines()) {
            assert!(tested.lines().any(|tested| tested.trim() == line.trim()), "{file} has no line {line:?}");
        }
    }
    let shown = ["nginx", "haproxy", "apache", "caddyfile"].map(|language| format!("```{language}\n"));
    for other in files("docs", "md").into_iter().filter(|file| !file.ends_with("deployment.md")) {
        let text = read(&other);
        assert!(
            !shown.iter().any(|fence| text.contains(fence)),
            "{other:?}: the guide on deployment shows what is tested"
        );
    }
}
