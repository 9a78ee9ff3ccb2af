//! Every page is linked, and every link leads to a file and to a heading of it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{files, read, root};

/// The lines of a page outside code blocks, without the code in backticks.
fn prose(text: &str) -> Vec<String> {
    let mut fence = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let start = line.trim_start();
        let is_fence = start.starts_with("```") || start.starts_with("~~~");
        match fence {
            None if is_fence => fence = Some(&start[..3]),
            None => lines.push(line.split('`').step_by(2).collect()),
            Some(open) if start.starts_with(open) => fence = None,
            Some(_) => {}
        }
    }
    lines
}

/// The targets of the links of a page that lead into the repository.
fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        targets.extend(inline.map(ToOwned::to_owned));
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            targets.push(target.trim().to_owned());
        }
    }
    targets.retain(|target| !target.contains("://") && !target.starts_with("mailto:"));
    targets
}

/// The anchors of the headings of a page, as GitHub makes them.
fn anchors(text: &str) -> HashSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut anchors = HashSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let Some((_, heading)) = line.split_once(' ').filter(|(marks, _)| !fenced && is_heading(marks)) else {
            continue;
        };
        // A link counts with its text alone.
        let mut parts = heading.split("](");
        let first = parts.next().unwrap_or_default();
        let rest = parts.map(|part| part.split_once(')').map_or("", |(_, rest)| rest));
        let words: String = std::iter::once(first).chain(rest).collect();
        let kept = words.trim().to_lowercase().replace(|c: char| !c.is_alphanumeric() && !" -_".contains(c), "");
        let anchor = kept.replace(' ', "-");
        let count = counts.entry(anchor.clone()).or_default();
        anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

fn is_heading(marks: &str) -> bool {
    (1..=6).contains(&marks.len()) && marks.bytes().all(|byte| byte == b'#')
}

/// The file that a link on a page leads to, and its anchor.
fn resolve(page: &Path, target: &str) -> (PathBuf, Option<String>) {
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (target, None),
    };
    let path = if file.is_empty() { root().join(page) } else { root().join(page.parent().unwrap()).join(file) };
    (path, anchor)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let (mut checked, mut broken) = (0, Vec::new());
    for page in files(".", "md") {
        for target in links(&read(&page)) {
            let (path, anchor) = resolve(&page, &target);
            let is_heading = |anchor: &String| anchors(&read(&path)).contains(anchor);
            if !path.exists() || !anchor.as_ref().is_none_or(is_heading) {
                broken.push(format!("{}: {target}", page.display()));
            }
            checked += 1;
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    assert!(checked > 20, "only {checked} links were read");
}

#[test]
fn every_page_is_linked() {
    let linked = |from: &Path| -> Vec<PathBuf> {
        let targets = links(&read(from)).into_iter();
        targets.filter_map(|target| resolve(from, &target).0.canonicalize().ok()).collect()
    };
    let readme = linked(Path::new("README.md"));
    // The table of contents links to every page, and none links to it.
    let contents = Path::new("docs/SUMMARY.md");
    let guides: Vec<PathBuf> = files("docs", "md").into_iter().filter(|page| page != contents).collect();
    for page in files(".", "md") {
        let is_guide = page.starts_with("docs");
        if page == contents || page == Path::new("README.md") || !is_guide && page.components().count() > 1 {
            continue;
        }
        let own = root().join(&page).canonicalize().unwrap();
        let from_guides = || guides.iter().any(|from| *from != page && linked(from).contains(&own));
        assert!(readme.contains(&own) || is_guide && from_guides(), "no page links to {}", page.display());
        assert!(!read(&page).trim().is_empty(), "{} is empty", page.display());
    }
}

/// DPOP-38, DPOP-42, CNF-20: the README has a section on it.
#[test]
fn the_readme_says_what_is_not_protected() {
    let readme = read("README.md");
    let sections = readme.split("\n## ").skip(1);
    let section = sections.filter_map(|section| section.split_once('\n')).find(|(heading, _)| {
        let heading = heading.to_lowercase();
        heading.contains("not protect") || heading.contains("not covered")
    });
    assert!(section.is_some_and(|(_, text)| !text.trim().is_empty()));
}

#[test]
fn anchors_are_those_of_the_headings() {
    let page = "# One *and* `two`\ntext\n## Über: a [link](x.md#y)!\n```\n# no heading\n```\n## One\n## One\n";
    let expected = ["one-and-two", "über-a-link", "one", "one-1"].map(str::to_owned);
    assert_eq!(anchors(page), HashSet::from(expected));
    assert_eq!(links("[a](b.md) `[c](d)` [e](https://f)\n[g]: h.md\n```\n[i](j)\n```\n"), ["b.md", "h.md"]);
}
