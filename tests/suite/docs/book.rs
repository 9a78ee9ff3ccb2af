//! The guides as a book: what `book.toml` builds.

use std::path::Path;

use super::{files, read};

#[test]
fn every_guide_is_a_chapter_of_the_book() {
    let summary = read("docs/SUMMARY.md");
    let mut chapters = 0;
    for page in files("docs", "md") {
        let name = page.strip_prefix("docs").unwrap();
        if name != Path::new("SUMMARY.md") {
            assert!(summary.contains(&format!("]({})", name.display())), "SUMMARY.md has no {}", name.display());
            chapters += 1;
        }
    }
    assert!(chapters > 40, "only {chapters} chapters");
}

/// The program of the page is compiled as a doctest of `pop-authserver`.
#[test]
fn the_lines_for_problems_are_in_the_program_of_the_page() {
    let page = read("docs/problems.md");
    let (table, program) = page.split_once("```rust").unwrap();
    let mut lines = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let column = row.split(" | ").nth(1).unwrap();
        let code = column.split('`').skip(1).step_by(2);
        let of_router = |line: &&str| line.starts_with(".layer") || line.starts_with(".merge");
        for line in code.filter(|line| line.starts_with('.') && !of_router(line)) {
            assert!(program.contains(line), "{line}");
            lines += 1;
        }
    }
    assert!(lines > 15, "only {lines} lines");
}
