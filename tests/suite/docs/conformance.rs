//! The tables in docs/conformance name tests that exist, and each test names the requirement that it proves.

use super::{files, read};

/// A row of a table: `| DPOP-01 | in short | `file::test` |`.
struct Row {
    page: String,
    id: String,
    file: String,
    test: String,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for path in files("docs/conformance", "md") {
        let (page, text) = (path.display().to_string(), read(&path));
        rows.extend(text.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            let (id, _, proof) = (cells.next()?, cells.next()?, cells.next()?);
            let (file, test) = proof.trim_matches('`').split_once("::")?;
            Some(Row { page: page.clone(), id: id.to_owned(), file: file.to_owned(), test: test.to_owned() })
        }));
    }
    rows
}

/// A test: its attributes and doc comment, and its body.
struct Test<'s> {
    attributes: String,
    body: &'s str,
}

impl<'s> Test<'s> {
    fn find(file: &str, source: &'s str, name: &str) -> Option<Self> {
        let (before, body) = item(source, &format!("fn {name}("))?;
        let attributes = attributes(before);
        // This program is a test as a whole: it has no harness.
        let is_test = attributes.contains("test") || file.starts_with("tests/faults/");
        is_test.then_some(Self { attributes, body })
    }

    /// Whether the test names a requirement: in its doc comment, its body, the tables it walks, or its file of vectors.
    fn names(&self, id: &str, source: &str) -> bool {
        let tables = || {
            self.body.split(|c: char| !c.is_alphanumeric() && c != '_').filter_map(|word| {
                let table = item(source, &format!("fn {word}(")).or_else(|| item(source, &format!("const {word}: ")));
                table.map(|(_, body)| body)
            })
        };
        let vectors = || {
            let file = source.split_once("\"tests/vectors/").map(|(_, rest)| rest.split('"').next().unwrap());
            file.is_some_and(|file| has(&read(format!("tests/vectors/{file}")), id))
        };
        has(&self.attributes, id) || has(self.body, id) || tables().any(|table| has(table, id)) || vectors()
    }
}

/// The attributes and the doc comment right before an item.
fn attributes(before: &str) -> String {
    let is_attribute = |line: &&str| line.starts_with("///") || line.starts_with("#[");
    before.rsplit('\n').skip(1).map(str::trim).take_while(is_attribute).collect::<Vec<_>>().join("\n")
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

/// Whether a text has an ID, and not only a longer one.
fn has(text: &str, id: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '-');
    text.match_indices(id).any(|(at, _)| {
        ends(text[..at].chars().next_back())
            && text[at + id.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric())
    })
}

#[test]
fn every_requirement_in_the_tables_is_proven_by_a_test_that_names_it() {
    let rows = rows();
    let mut wrong = Vec::new();
    for Row { page, id, file, test } in &rows {
        let source = read(file);
        match Test::find(file, &source, test) {
            None => wrong.push(format!("{page} {id}: there is no test {test} in {file}")),
            Some(found) if !found.names(id, &source) => {
                wrong.push(format!("{page} {id}: {file}::{test} does not name it"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 490, "only {} rows were read", rows.len());
}

/// Every requirement of these areas is in a table, or is named among those that are not implemented.
#[test]
fn every_requirement_is_in_a_table_or_named_as_not_implemented() {
    const AREAS: [(&str, usize); 17] = [
        ("ATK", 35),
        ("DPOP", 44),
        ("NONCE", 18),
        ("REPLAY", 16),
        ("MTLS", 20),
        ("CNF", 20),
        ("SYM", 16),
        ("SIG", 32),
        ("SHR", 14),
        ("INTRO", 15),
        ("META", 18),
        ("ERR", 20),
        ("SCOPE", 8),
        ("STEP", 5),
        ("JOSE", 28),
        ("CLI", 20),
        ("AS", 31),
    ];
    let pages: String = files("docs/conformance", "md").into_iter().map(read).collect();
    let mut missing = Vec::new();
    for (area, count) in AREAS {
        let ids = (1..=count).map(|number| format!("{area}-{number:02}"));
        missing.extend(ids.filter(|id| !has(&pages, id)));
    }
    assert!(missing.is_empty(), "neither in a table nor named as not implemented: {missing:?}");
}

/// Attacks and vectors are explained in docs/conformance, and decisions in DESIGN.md.
#[test]
fn every_attack_vector_and_decision_that_a_test_names_is_explained() {
    let pages: String = files("docs/conformance", "md").into_iter().map(read).collect();
    let design = read("DESIGN.md");
    let (mut count, mut unexplained) = (0, Vec::new());
    for path in ["tests", "crates", "examples"].into_iter().flat_map(|folder| files(folder, "rs")) {
        let source = read(&path);
        for word in source.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            let explained = match word.split_once('-') {
                Some(("X" | "V", number)) if is_number(number) => pages.contains(&format!("| {word} | ")),
                Some(("D", number)) if is_number(number) => has(&design, word),
                _ => continue,
            };
            count += 1;
            if !explained {
                unexplained.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert!(count > 100, "only {count} IDs were found");
}

fn is_number(word: &str) -> bool {
    word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a test is a sentence. IDs stand in its doc comment or in its data.
#[test]
fn names_of_tests_hold_no_ids() {
    const AREAS: [&str; 20] = [
        "atk", "dpop", "nonce", "replay", "mtls", "cnf", "sym", "sig", "shr", "intro", "meta", "err", "scope", "step",
        "jose", "as", "cli", "x", "v", "d",
    ];
    let (mut count, mut with_ids) = (0, Vec::new());
    for path in ["tests", "crates", "examples"].into_iter().flat_map(|folder| files(folder, "rs")) {
        let source = read(&path);
        for (at, _) in source.match_indices("fn ") {
            let name = source[at + 3..].split(['(', '<']).next().unwrap();
            let is_test = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
            if !attributes(&source[..at]).lines().any(is_test) {
                continue;
            }
            count += 1;
            let words: Vec<&str> = name.split('_').collect();
            if words.windows(2).any(|pair| AREAS.contains(&pair[0]) && is_number(pair[1])) {
                with_ids.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(with_ids.is_empty(), "{}", with_ids.join("\n"));
    assert!(count > 450, "only {count} tests were found");
}
