//! Tests that the repository is tidy: every Rust file says what lives in it, and the documents name files that exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace;

/// Folders whose contents the documents name by path.
const FOLDERS: &[&str] = &[
    "crates/", "docs/", "xtask/", "tools/", "deploy/", "bench/", "fuzz/", ".ci/", ".cargo/", ".github/",
];

/// Files at the top of the repository that the documents name.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    "README.md",
    "README.ja.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "compose.yaml",
    "Dockerfile",
    ".dockerignore",
    "init.sql",
    ".env.example",
];

#[test]
fn every_rust_file_opens_by_saying_what_lives_in_it() {
    let mut silent = Vec::new();
    for folder in ["crates", "xtask", "bench", "fuzz"] {
        for file in files_below(&workspace::root().join(folder), "rs") {
            if !fs::read_to_string(&file).unwrap().starts_with("//!") {
                silent.push(relative(&file));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new(), "these files do not open with `//!`");
}

#[test]
fn no_merge_was_left_half_done() {
    let documents = files_below(&workspace::root().join("docs"), "md");
    let is_mark = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let torn = documents
        .iter()
        .filter(|file| fs::read_to_string(file).unwrap().lines().any(is_mark));
    assert_eq!(
        torn.map(|file| relative(file)).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

/// A file that passes this wants to be split.
const MAX_LINES: usize = 400;

#[test]
fn no_rust_file_has_grown_out_of_one_sitting() {
    let mut long = Vec::new();
    for folder in ["crates", "xtask", "bench", "fuzz"] {
        for file in files_below(&workspace::root().join(folder), "rs") {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > MAX_LINES {
                long.push(format!("{}: {lines}", relative(&file)));
            }
        }
    }
    assert_eq!(
        long,
        Vec::<String>::new(),
        "these files have more than {MAX_LINES} lines"
    );
}

#[test]
fn the_documents_name_files_that_exist() {
    let root = workspace::root();
    let top = ["README.md", "README.ja.md", "CONTRIBUTING.md"].map(|name| root.join(name));
    let documents = top
        .into_iter()
        .filter(|file| file.exists())
        .chain(files_below(&root.join("docs"), "md"));
    let mut dangling = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for path in named_paths(&text) {
            if !root.join(&path).exists() && !root.join(kept_for_the_reader(&path)).exists() {
                dangling.push(format!("{} names {path}", relative(&document)));
            }
        }
    }
    assert_eq!(dangling, Vec::<String>::new(), "these paths do not exist");
}

#[test]
fn a_path_is_found_in_code_spans_and_nowhere_else() {
    let text = "See `crates/domain/src/user.rs:12`, `tools/real-mysql start DIR` and `init.sql`; not crates/x, \
                `crates/*/tests`, `docs/<language>`, `src/main.rs` or `Other.toml`.\n```sh\n`docs/in-a-block`\n```\n`docs/`";
    assert_eq!(
        named_paths(text),
        ["crates/domain/src/user.rs", "tools/real-mysql", "init.sql", "docs/"]
    );
}

/// Where a file is kept that a reader of the book creates at `path`: `crates/CRATE/tests/first_query/…`, see
/// `xtask/src/walk.rs`.
fn kept_for_the_reader(path: &str) -> String {
    let end_of_crate = path.match_indices('/').nth(1).map_or(0, |(position, _)| position + 1);
    let (folder, file) = path.split_at(end_of_crate);
    format!("{folder}tests/first_query/{file}")
}

/// The repository paths in the code spans of a Markdown text, code blocks left out.
fn named_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            // Between the first and second backtick, the third and fourth, and so on.
            paths.extend(line.split('`').skip(1).step_by(2).filter_map(path_in));
        }
    }
    paths
}

/// The path that a code span begins with, without a line number; `None` if it names none or a pattern of several.
fn path_in(span: &str) -> Option<String> {
    let word = span.split_whitespace().next()?.trim_start_matches("./");
    let path = word.split(':').next()?.trim_end_matches([',', ';', '.']);
    let is_ours = TOP_LEVEL.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder));
    let is_pattern = path.contains(['*', '{', '<', '…', '$']) || path.contains("...");
    (is_ours && !is_pattern).then(|| path.to_owned())
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn relative(file: &Path) -> String {
    file.strip_prefix(workspace::root())
        .unwrap_or(file)
        .display()
        .to_string()
}
