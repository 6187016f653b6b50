//! `cargo xtask book`: the book in `docs/en` and `docs/ja`: whether it is whole, and how it is made into pages for a browser.
//!
//! What `check` finds is also found by the test at the end of this file, and so by `cargo test`.

mod build;
mod code;
mod edition;
mod endings;
mod files;
mod html;
mod links;
mod original;
mod outline;
pub(crate) mod page;
mod preprocess;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use self::edition::{ENGLISH, Edition, JAPANESE};
use self::files::Files;
use crate::workspace;

/// What to do with the book.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Check that both languages agree, that code is included and never typed in, and that links lead somewhere
    Check,
    /// Make both languages into pages for a browser, in target/book, and check their links
    Build(build::Options),
    /// What mdBook runs on the chapters that it has read; `docs/en/book.toml` says so
    #[command(hide = true)]
    Preprocess(Question),
}

/// What mdBook asks of a preprocessor before it uses it: `supports RENDERER`.
#[derive(Args)]
pub(crate) struct Question {
    #[arg(value_name = "QUESTION")]
    words: Vec<String>,
}

/// Makes both languages into pages. mdBook is installed if need be, where `install` says so.
///
/// # Errors
/// When a chapter is not as it should be, mdBook cannot be had, or a link leads nowhere.
pub(crate) fn build(install: bool) -> Result<()> {
    check()?;
    build::run(&build::Options { install })
}

/// Does what is asked.
pub(crate) fn run(action: &Action) -> Result<ExitCode> {
    match action {
        Action::Check => check()?,
        Action::Build(options) => {
            check()?;
            build::run(options)?;
        }
        // We are good for every renderer.
        Action::Preprocess(question) if !question.words.is_empty() => {}
        Action::Preprocess(_) => preprocess::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check() -> Result<()> {
    let files = Files::read(&workspace::root())?;
    let faults = faults(&files);
    if !faults.is_empty() {
        bail!("the book is not whole:\n{}", faults.join("\n"));
    }
    let english = Edition::read(&files, ENGLISH);
    println!(
        "the book is whole: {} of {} chapters are written, in both languages",
        english.pages.len(),
        english.contents.len()
    );
    Ok(())
}

/// Everything that is wrong with the book, each as `path:line: what`.
fn faults(files: &Files) -> Vec<String> {
    let (english, japanese) = (Edition::read(files, ENGLISH), Edition::read(files, JAPANESE));
    let mut faults = outline::faults_of_contents(&english, &japanese);
    faults.extend(outline::faults_of_translation(&english, &japanese));
    let editions = [&english, &japanese];
    for edition in editions {
        faults.extend(code::faults_of_blocks(edition, files));
        faults.extend(endings::faults(edition));
        faults.extend(original::faults(edition, files));
    }
    faults.extend(code::faults_of_anchors(&editions, files));
    faults.extend(links::faults(&editions, files));
    faults
}

#[cfg(test)]
mod tests {
    use super::faults;
    use super::files::Files;
    use crate::workspace;

    #[test]
    fn the_book_is_whole_and_the_same_in_both_languages() {
        let faults = faults(&Files::read(&workspace::root()).unwrap());
        assert!(faults.is_empty(), "the book has faults:\n{}", faults.join("\n"));
    }
}
