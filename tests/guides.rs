//! Every page of Markdown that has a Rust snippet is compiled by the doctests of `pop-authserver`.
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn every_page_with_a_snippet_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiled = std::fs::read_to_string(root.join("crates/pop-authserver/src/guides.rs")).unwrap();
    let guides = root.join("docs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut checked = 0;
    for page in guides.chain([root.join("README.md")]).filter(|page| page.extension().is_some_and(|own| own == "md")) {
        let name = page.strip_prefix(root).unwrap().to_str().unwrap();
        if std::fs::read_to_string(&page).unwrap().contains("```rust") {
            assert!(compiled.contains(&format!("/{name}\"")), "guides.rs does not have {name}");
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} pages have snippets");
}
