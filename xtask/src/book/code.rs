//! Code is shown by including it: what is included exists, and no anchor is left that no chapter shows.

use std::collections::{BTreeMap, BTreeSet};

use super::edition::Edition;
use super::files::{self, Files};
use super::page::{Include, Page};

/// What may be written into a chapter. All else is included.
const LITERAL: &[&str] = &["sh", "text", "console", "toml", "json", "sql", "http", "yaml", "python"];
/// Chapters that show Rust which is not in the repository: the steps of an upgrade that is made up.
const WITH_MADE_UP_RUST: &[&str] = &["operating"];

/// Folders with sources, and so perhaps with anchors. Elsewhere anchors are only spoken of.
const WITH_ANCHORS: &[&str] = &[
    "crates/", "bench/", "fuzz/", "deploy/", "tools/", ".ci/", ".github/", ".cargo/",
];

/// The lines of a file between which an anchor is.
#[derive(Default)]
struct Anchor {
    begins: Vec<usize>,
    ends: Vec<usize>,
}

/// Blocks that should be included, and includes that lead nowhere.
pub(super) fn faults_of_blocks(edition: &Edition, files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (chapter, page) in &edition.pages {
        let mut report = |line, fault: &str| faults.push(format!("{}: {fault}", edition.place(chapter, line)));
        if let Some(line) = page.open_block {
            report(line, "this block is not closed");
        }
        for (line, fault) in faults_of_literal_code(chapter, page) {
            report(line, &fault);
        }
        for include in &page.includes {
            if let Some(fault) = fault_of_include(include, &edition.folder(), files) {
                report(include.line, &fault);
            }
        }
    }
    faults
}

fn faults_of_literal_code(chapter: &str, page: &Page) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    for block in &page.blocks {
        let lines = block.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_include = |line: &str| line.starts_with("{{#include ") && line.ends_with("}}");
        let language = block.language.split(',').next().unwrap_or_default();
        let (included, typed): (Vec<&str>, Vec<&str>) = lines.partition(|line| is_include(line));
        let may_be_typed = LITERAL.contains(&language) || language == "rust" && WITH_MADE_UP_RUST.contains(&chapter);
        if language.is_empty() {
            faults.push((block.line, "this block names no language".to_owned()));
        } else if !typed.is_empty() && (!may_be_typed || !included.is_empty()) {
            faults.push((
                block.line,
                format!("{language} is typed in here: include it from a file that is compiled or run"),
            ));
        } else if typed.is_empty() && included.is_empty() {
            faults.push((block.line, "this block is empty".to_owned()));
        }
    }
    faults
}

fn fault_of_include(include: &Include, folder: &str, files: &Files) -> Option<String> {
    let directive = &include.directive;
    let Some((target, anchor)) = include.parts() else {
        return Some(format!("{{{{#{directive}}}}} is not an include that the book uses"));
    };
    let text = files::resolve(folder, target).and_then(|path| files.text(&path));
    let Some(text) = text else {
        return Some(format!("{target} is no text file of the repository"));
    };
    let anchor = anchor?;
    let is_name = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '-' | '_');
    if !anchor.chars().all(is_name) || !anchor.contains(|character: char| character.is_ascii_lowercase()) {
        return Some(format!(
            "`{anchor}` is not the name of an anchor: those have lower-case letters, digits, - and _, and lines are not counted"
        ));
    }
    fault_of_anchor(anchor, target, text)
}

fn fault_of_anchor(anchor: &str, target: &str, text: &str) -> Option<String> {
    let mut anchors = anchors(text);
    let Anchor { begins, ends } = anchors.remove(anchor).unwrap_or_default();
    let (&[begin], &[end]) = (begins.as_slice(), ends.as_slice()) else {
        return Some(format!(
            "the anchor {anchor} begins {} times and ends {} times in {target}",
            begins.len(),
            ends.len()
        ));
    };
    let inside = text.lines().skip(begin).take(end.saturating_sub(begin + 1));
    let has_code = inside
        .filter(|line| anchor_in(line).is_none())
        .any(|line| !line.trim().is_empty());
    (!has_code).then(|| format!("there is nothing between begin and end of the anchor {anchor} in {target}"))
}

/// The anchors of a file.
fn anchors(text: &str) -> BTreeMap<&str, Anchor> {
    let mut anchors: BTreeMap<&str, Anchor> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        match anchor_in(line) {
            Some((name, true)) => anchors.entry(name).or_default().begins.push(number),
            Some((name, false)) => anchors.entry(name).or_default().ends.push(number),
            None => {}
        }
    }
    anchors
}

/// The name of the anchor that a line begins (or ends: `false`).
fn anchor_in(line: &str) -> Option<(&str, bool)> {
    let line = line.trim();
    let comment = ["//", "--", "#", "<!--"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))?;
    let comment = comment.trim_end_matches("-->");
    let comment = comment.trim_start();
    let begin = comment.strip_prefix("ANCHOR:").map(|name| (name.trim(), true));
    begin.or_else(|| comment.strip_prefix("ANCHOR_END:").map(|name| (name.trim(), false)))
}

/// Whether a line only says where an anchor begins or ends.
pub(super) fn is_anchor(line: &str) -> bool {
    anchor_in(line).is_some()
}

/// Anchors that no chapter shows.
pub(super) fn faults_of_anchors(editions: &[&Edition], files: &Files) -> Vec<String> {
    let mut shown = BTreeSet::new();
    for edition in editions {
        for include in edition.pages.values().flat_map(|page| &page.includes) {
            if let Some((target, Some(anchor))) = include.parts() {
                shown.extend(files::resolve(&edition.folder(), target).map(|path| (path, anchor)));
            }
        }
    }
    let sources = files
        .texts()
        .filter(|(path, _)| !path.contains('/') || WITH_ANCHORS.iter().any(|folder| path.starts_with(folder)))
        .filter(|(path, _)| !files::has_extension(path, "md"));
    let mut faults = Vec::new();
    for (path, text) in sources {
        for (name, Anchor { begins, ends }) in anchors(text) {
            let line = begins.first().or(ends.first()).copied().unwrap_or(1);
            if !shown.contains(&(path.to_owned(), name)) {
                faults.push(format!("{path}:{line}: no chapter shows the anchor {name}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::edition::{ENGLISH, Edition};
    use super::super::files::Files;
    use super::{faults_of_anchors, faults_of_blocks};

    const SOURCE: &str = "\
//! A file.
// ANCHOR: run
fn run() {
    // ANCHOR: inner
    go();
    // ANCHOR_END: inner
}
// ANCHOR_END: run
// ANCHOR: twice
// ANCHOR: twice
// ANCHOR_END: twice
// ANCHOR: empty

// ANCHOR_END: empty
";

    fn faults(chapter: &str, page: &str) -> Vec<String> {
        let path = format!("docs/en/{chapter}.md");
        let files = Files::of(&[
            (&path, page),
            ("crates/a/src/lib.rs", SOURCE),
            ("crates/a/a.toml", "a = 1\n"),
            (
                "docs/a.md",
                "# A\n<!-- ANCHOR: part -->\na\n<!-- ANCHOR_END: part -->\n",
            ),
        ]);
        faults_of_blocks(&Edition::read(&files, ENGLISH), &files)
    }

    #[test]
    fn an_include_names_a_file_and_an_anchor_that_are_there_once() {
        let page = |target: &str| format!("```rust\n{{{{#include ../../crates/a/{target}}}}}\n```\n");
        for target in [
            "src/lib.rs:run",
            "src/lib.rs:inner",
            "src/lib.rs",
            "a.toml",
            "../../docs/a.md:part",
        ] {
            assert_eq!(faults("pools", &page(target)), Vec::<String>::new(), "{target}");
        }
        for (target, fault) in [
            (
                "src/no.rs:run",
                "../../crates/a/src/no.rs is no text file of the repository",
            ),
            (
                "src/lib.rs:no",
                "the anchor no begins 0 times and ends 0 times in ../../crates/a/src/lib.rs",
            ),
            (
                "src/lib.rs:twice",
                "the anchor twice begins 2 times and ends 1 times in ../../crates/a/src/lib.rs",
            ),
            (
                "src/lib.rs:empty",
                "there is nothing between begin and end of the anchor empty in ../../crates/a/src/lib.rs",
            ),
            (
                "src/lib.rs:1:3",
                "`1:3` is not the name of an anchor: those have lower-case letters, digits, - and _, and lines are not counted",
            ),
        ] {
            assert_eq!(faults("pools", &page(target)), [format!("docs/en/pools.md:2: {fault}")]);
        }
        assert_eq!(
            faults("pools", "```rust\n{{#playground ../../crates/a/src/lib.rs}}\n```\n")
                .last()
                .unwrap(),
            "docs/en/pools.md:2: {{#playground ../../crates/a/src/lib.rs}} is not an include that the book uses"
        );
    }

    #[test]
    fn rust_is_never_typed_into_a_chapter() {
        let typed = "docs/en/pools.md:1: rust is typed in here: include it from a file that is compiled or run";
        assert_eq!(faults("pools", "```rust\nfn main() {}\n```\n"), [typed]);
        let mixed = "```rust\n{{#include ../../crates/a/src/lib.rs:run}}\nfn main() {}\n```\n";
        assert_eq!(faults("pools", mixed), [typed]);
        assert_eq!(
            faults("operating", "```rust\nfn main() {}\n```\n"),
            Vec::<String>::new()
        );
        assert_eq!(faults("pools", "```sh\ncargo run\n```\n"), Vec::<String>::new());
        assert_eq!(
            faults("pools", "```\nx\n```\n"),
            ["docs/en/pools.md:1: this block names no language"]
        );
        assert_eq!(
            faults("pools", "a\n```sh\n"),
            ["docs/en/pools.md:2: this block is not closed"]
        );
    }

    #[test]
    fn an_anchor_that_no_chapter_shows_is_litter() {
        let page = "```rust\n{{#include ../../crates/a/src/lib.rs:run}}\n```\n";
        let files = Files::of(&[
            ("docs/en/pools.md", page),
            (
                "crates/a/src/lib.rs",
                "// ANCHOR: run\nx\n// ANCHOR_END: run\n# ANCHOR: left\n",
            ),
            ("xtask/src/lib.rs", "// ANCHOR: spoken-of\n"),
        ]);
        let edition = Edition::read(&files, ENGLISH);
        assert_eq!(
            faults_of_anchors(&[&edition], &files),
            ["crates/a/src/lib.rs:4: no chapter shows the anchor left"]
        );
    }
}
