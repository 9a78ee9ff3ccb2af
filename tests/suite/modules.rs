//! Modules have no circles: modules that use each other can only be read, tested and changed together.
//!
//! The tests read the sources. They resolve every path in the code to the module that defines the item, through imports
//! and re-exports; comments, strings and unit tests do not count. The children of one parent are compared with each other,
//! each with everything inside it. A child may use its parent and a parent its children.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const CRATES: [&str; 4] = ["pop-core", "tower-pop", "pop-client", "pop-authserver"];

/// The known circles: the crate or parent module, and the children. Only remove from this list.
const KNOWN: &[(&str, &[&str])] = &[];

/// Rejects circles that are not known, and known ones that are gone. `--nocapture` prints what is left.
#[test]
fn modules_have_no_circles() {
    let (mut new, mut left) = (String::new(), vec![false; KNOWN.len()]);
    for name in CRATES {
        let source = Crate::read(name);
        assert!(source.modules.len() > 5, "{name}: only {} modules were read", source.modules.len());
        for (parent, graph) in source.graphs() {
            for circle in circles(&graph) {
                let mut report = format!("{parent}: {}\n", circle.iter().copied().collect::<Vec<_>>().join(", "));
                for (from, to, places) in inside(&graph, &circle) {
                    report += &format!("    {from} uses {to} {} times: {}\n", places.len(), places[0]);
                }
                eprint!("{report}");
                let same = |(known, modules): &(&str, &[&str])| {
                    parent == *known && circle.iter().all(|module| modules.contains(module))
                };
                match KNOWN.iter().position(same) {
                    Some(at) => left[at] = true,
                    None => new += &report,
                }
            }
        }
    }
    assert!(new.is_empty(), "modules that use each other:\n{new}");
    let gone: Vec<_> = KNOWN.iter().zip(left).filter(|(_, left)| !left).map(|(known, _)| known).collect();
    assert!(gone.is_empty(), "these circles are gone, remove them from `KNOWN`: {gone:?}");
}

/// Proves that circles are found. Otherwise a mistake in the reader would pass as "no circles".
#[test]
fn circles_are_seen_through_imports_groups_and_re_exports() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; pub use b::{Item, Other as Renamed}; mod e;"),
        ("a.rs", "use crate::{Renamed, e::E}; fn a() {}"),
        ("b.rs", "fn b() -> crate::c::C { crate::c::C::<u8>::new(\"crate::e\") } // crate::e"),
        (
            "c/mod.rs",
            "mod inner; mod other; use inner::X; impl X {} pub struct C; #[cfg(test)] mod tests { use crate::d; }",
        ),
        ("c/inner.rs", "use super::other::Y; pub struct X(super::super::a::A);"),
        ("c/other.rs", "use super::X; const QUOTE: char = '\"'; pub struct Y;"),
        ("d.rs", "use crate::a; fn lifetime<'a>() { a::a(); } /* crate::e */"),
        ("e.rs", "#[derive(Debug)] pub(crate) struct E(std::marker::PhantomData<u8>);"),
    ];
    let graphs = Crate::of("sample", files.map(|(path, text)| (path.to_owned(), text.to_owned()))).graphs();
    let found = graphs.iter().map(|(parent, graph)| (parent.as_str(), circles(graph))).collect::<Vec<_>>();
    assert_eq!(found[0], ("sample", vec![BTreeSet::from(["a", "b", "c"])]));
    assert_eq!(found[1], ("sample::c", vec![BTreeSet::from(["inner", "other"])]));
    assert_eq!(found.len(), 2);
    assert_eq!(graphs[0].1["a"].keys().collect::<Vec<_>>(), ["b", "e"]);
    assert_eq!(graphs[0].1["d"].keys().collect::<Vec<_>>(), ["a"]);
}

/// Maps a module to the modules it uses, with the places.
type Graph = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A module, as its path from the root.
type Module = Vec<String>;

#[derive(Debug, Default)]
struct Crate {
    name: String,
    modules: BTreeMap<Module, File>,
}

#[derive(Debug, Default)]
struct File {
    path: String,
    /// The imports: a name, and the path it stands for.
    names: BTreeMap<String, Vec<String>>,
    /// Every path in the code, with its line.
    paths: Vec<(Vec<String>, usize)>,
}

impl Crate {
    fn read(name: &str) -> Self {
        fn visit(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    visit(&entry.path(), &format!("{path}/"), files);
                } else if path != "main.rs" && path.ends_with(".rs") {
                    files.push((path, fs::read_to_string(entry.path()).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(name).join("src"), "", &mut files);
        Self::of(name, files)
    }

    fn of(name: &str, files: impl IntoIterator<Item = (String, String)>) -> Self {
        let modules = files.into_iter().map(|(path, text)| {
            let mut module: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().unwrap().as_str(), "lib" | "mod") {
                module.pop();
            }
            let tokens = without_tests(&tokens(&text));
            let (names, paths) = (imports(&tokens), paths(&tokens));
            (module, File { path, names, paths })
        });
        Self { name: name.to_owned(), modules: modules.collect() }
    }

    /// Returns for every module with children which of them use which.
    fn graphs(&self) -> Vec<(String, Graph)> {
        let mut graphs: BTreeMap<&[String], Graph> = BTreeMap::new();
        for (from, file) in &self.modules {
            for (path, line) in &file.paths {
                let Some(to) = self.resolve(from, path, 0) else { continue };
                let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
                let (Some(user), Some(used)) = (from.get(common), to.get(common)) else { continue };
                let graph = graphs.entry(&from[..common]).or_default();
                let places = graph.entry(user.clone()).or_default().entry(used.clone()).or_default();
                places.push(format!("{}:{line} {}", file.path, path.join("::")));
            }
        }
        let named = |(parent, graph): (&[String], Graph)| {
            ([std::slice::from_ref(&self.name), parent].concat().join("::"), graph)
        };
        graphs.into_iter().map(named).collect()
    }

    /// Returns the module that defines what `path` names in module `from`, or `None` for other crates.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Module> {
        let mut module = from.to_vec();
        let mut segments = path.iter();
        match path.first()?.as_str() {
            "crate" => {
                module.clear();
                segments.next();
            }
            "self" => {
                segments.next();
            }
            "super" => {}
            first if self.child(&module, first).is_some() => {}
            first if self.modules[&module].names.contains_key(first) => {}
            _ => return None,
        }
        for segment in segments {
            if segment == "super" {
                module.pop()?;
            } else if let Some(child) = self.child(&module, segment) {
                module = child;
            } else {
                // An item: defined here, or imported.
                let imported = self.modules[&module].names.get(segment).filter(|_| depth < 8);
                return match imported {
                    Some(target) if target.as_slice() != path => self.resolve(&module, target, depth + 1),
                    _ => Some(module),
                };
            }
        }
        Some(module)
    }

    fn child(&self, module: &[String], name: &str) -> Option<Module> {
        let child = [module, &[name.to_owned()]].concat();
        self.modules.contains_key(&child).then_some(child)
    }
}

/// Returns the sets of modules that reach each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<&str>> {
    let reached = |from: &str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            for used in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(used.as_str()) {
                    open.push(used);
                }
            }
        }
        reached
    };
    let reaches: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|module| (module.as_str(), reached(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, reached) in reaches.iter().filter(|(module, reached)| reached.contains(*module)) {
        let back = |other: &&str| reaches.get(other).is_some_and(|reached| reached.contains(module));
        circles.insert(reached.iter().copied().filter(back).collect::<BTreeSet<_>>());
    }
    circles.into_iter().collect()
}

/// Returns the uses within a circle: user, used, places.
fn inside<'g>(graph: &'g Graph, circle: &BTreeSet<&str>) -> Vec<(&'g str, &'g str, &'g [String])> {
    let edges = graph.iter().flat_map(|(from, used)| used.iter().map(move |(to, places)| (from, to, places)));
    edges
        .filter(|(from, to, _)| circle.contains(from.as_str()) && circle.contains(to.as_str()))
        .map(|(from, to, places)| (from.as_str(), to.as_str(), places.as_slice()))
        .collect()
}

/// A word or a sign, with its line.
type Token<'s> = (&'s str, usize);

/// Splits a source into words and signs, without comments, strings and characters.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut rest, mut line) = (Vec::new(), source, 1);
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(end) = string(rest) {
            end
        } else if first == '\'' {
            character(rest)
        } else if word(first) {
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            tokens.push((&rest[..end], line));
            end
        } else {
            let end = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push((&rest[..end], line));
            }
            end
        };
        line += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    tokens
}

/// Returns the length of a comment, which may contain others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Returns the length of a string literal, if one starts here.
fn string(text: &str) -> Option<usize> {
    let prefix = ["", "b", "c", "r", "br", "cr"].into_iter().rev().find(|prefix| {
        let rest = text.strip_prefix(prefix).unwrap_or_default().trim_start_matches('#');
        rest.starts_with('"') && (prefix.ends_with('r') || text[prefix.len()..].starts_with('"'))
    })?;
    let open = text.find('"')? + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(open - 1 - prefix.len()));
        return Some(open + text[open..].find(&close).map_or(text.len() - open, |at| at + close.len()));
    }
    let mut escaped = false;
    let end = text[open..].char_indices().find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    Some(end.map_or(text.len(), |(at, _)| open + at + 1))
}

/// Returns the length of a character literal, or of the quote that starts a lifetime.
fn character(text: &str) -> usize {
    let mut rest = text[1..].char_indices();
    match (rest.next(), rest.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let after = 1 + escaped + c.len_utf8();
            text[after..].find('\'').map_or(text.len(), |at| after + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 2,
        _ => 1,
    }
}

/// Removes items that are compiled only for tests.
fn without_tests<'s>(tokens: &[Token<'s>]) -> Vec<Token<'s>> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if let Some((end, words)) = attribute(&tokens[at..]) {
            let has = |word: &str| words.iter().any(|(token, _)| *token == word);
            at += end;
            if has("cfg") && (has("test") || has("doctest")) && !has("not") {
                while let Some((end, _)) = attribute(&tokens[at..]) {
                    at += end;
                }
                at += item(&tokens[at..]);
            }
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Returns the length of an attribute, and what is in its brackets.
fn attribute<'t, 's>(tokens: &'t [Token<'s>]) -> Option<(usize, &'t [Token<'s>])> {
    if tokens.first()?.0 != "#" || tokens.get(1)?.0 != "[" {
        return None;
    }
    let mut depth = 0;
    let end = tokens.iter().position(|(token, _)| {
        depth += i32::from(*token == "[") - i32::from(*token == "]");
        *token == "]" && depth == 0
    })?;
    Some((end + 1, &tokens[2..end]))
}

/// Returns the length of an item: up to its semicolon or closing brace.
fn item(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns every path that contains `::`. A group of imports gives one path for each member.
fn paths(tokens: &[Token<'_>]) -> Vec<(Vec<String>, usize)> {
    let mut paths = Vec::new();
    for at in 0..tokens.len() {
        let starts = is_word(tokens[at].0) && (at == 0 || !matches!(tokens[at - 1].0, "::" | "."));
        if starts && tokens.get(at + 1).is_some_and(|(next, _)| *next == "::") {
            tree(tokens, at, &[], &mut |path, _, line| paths.push((path.to_vec(), line)));
        }
    }
    paths
}

/// Returns the imports of a module.
fn imports(tokens: &[Token<'_>]) -> BTreeMap<String, Vec<String>> {
    let mut imports = BTreeMap::new();
    for at in tokens.iter().enumerate().filter(|(_, (token, _))| *token == "use").map(|(at, _)| at + 1) {
        tree(tokens, at, &[], &mut |path, name, _| {
            imports.insert(name.to_owned(), path.to_vec());
        });
    }
    imports
}

/// Walks a path that may end in a group. Calls `leaf` with path, name and line of each member. Returns where the path ends.
fn tree(tokens: &[Token<'_>], at: usize, prefix: &[String], leaf: &mut dyn FnMut(&[String], &str, usize)) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", |(token, _)| *token);
    let (mut path, mut at) = (prefix.to_vec(), at);
    loop {
        match token(at) {
            "{" => {
                at += 1;
                while !matches!(token(at), "}" | "") {
                    at = if token(at) == "," { at + 1 } else { tree(tokens, at, &path, leaf).max(at + 1) };
                }
                return at + 1;
            }
            "self" if !prefix.is_empty() => {}
            word if is_word(word) => path.push(word.to_owned()),
            _ => {
                // A glob, or the type of a turbofish.
                leaf(&path, "*", tokens.get(at).map_or(0, |(_, line)| *line));
                return at + 1;
            }
        }
        if token(at + 1) != "::" {
            let name = if token(at + 1) == "as" { token(at + 2) } else { path.last().map_or("", String::as_str) };
            leaf(&path, name, tokens[at].1);
            return if token(at + 1) == "as" { at + 3 } else { at + 1 };
        }
        at += 2;
    }
}
