//! The tour of `README.md`, walked command by command against the real program on every engine, so that it cannot rot.
//!
//! - `blocks` finds the commands, and what the page shows as their output
//! - `masks` hides what no two runs have in common, such as times
//! - `server` starts the program and ends it
//! - `tour` walks
//!
//! The page is the golden transcript: as every engine is held against it, all engines answer alike.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, process::ExitCode};

use persistence::{
    on_every_engine,
    test_db::{self, TestDatabase},
};

mod blocks;
mod masks;
mod server;
mod tour;

fn main() -> ExitCode {
    test_db::main(on_every_engine![
        tour::every_command_of_the_readme_prints_what_the_page_shows,
        both_readmes_have_the_same_outline_and_blocks,
    ])
}

/// A page at the top of the repository.
fn page(name: &str) -> String {
    let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// No database is needed for this; the pages are compared as text.
async fn both_readmes_have_the_same_outline_and_blocks(_: TestDatabase) {
    let (english, japanese) = (page("README.md"), page("README.ja.md"));
    assert_eq!(
        blocks::heading_levels(&english),
        blocks::heading_levels(&japanese),
        "the levels of the headings differ"
    );
    let (english, japanese) = (blocks::all(&english), blocks::all(&japanese));
    for (in_english, in_japanese) in english.iter().zip(&japanese) {
        let is_same = in_english.language == in_japanese.language && in_english.text == in_japanese.text;
        let (line, japanese_line) = (in_english.line, in_japanese.line);
        assert!(
            is_same,
            "the blocks at README.md:{line} and README.ja.md:{japanese_line} differ"
        );
    }
    assert_eq!(english.len(), japanese.len(), "the numbers of blocks differ");
}
