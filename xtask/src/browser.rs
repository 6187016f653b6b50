//! `cargo xtask browser`: the console, Swagger UI and the book in a headless browser, by `tools/browser/run`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{book, product, workspace};

/// The exit code of the script when its programs cannot be had.
const UNAVAILABLE: i32 = 3;

/// Options of `cargo xtask browser`.
#[derive(Args)]
#[command(
    after_help = "Needs Node.js 20 with npm. Chromium is installed from Debian's packages where it is missing and that is \
    allowed, and mdBook into target/tools."
)]
pub(crate) struct Options {
    /// Keep the screenshots in docs/images, where the documents use them
    #[arg(long)]
    save: bool,
    /// Some of the files in tools/browser that end in `.test.mjs`; all of them by default
    #[arg(value_name = "FILES")]
    files: Vec<OsString>,
}

/// How it went.
pub(crate) enum Outcome {
    Passed,
    /// A program that it needs cannot be had; the reason was printed.
    NotRun,
}

/// Runs the tests.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match check(options)? {
        Outcome::Passed => Ok(ExitCode::SUCCESS),
        Outcome::NotRun => bail!("a program that is needed cannot be had; the reason is above"),
    }
}

/// Runs all tests, with the binary that the other tests were run with.
pub(crate) fn check_all() -> Result<Outcome> {
    check(&Options {
        save: false,
        files: Vec::new(),
    })
}

fn check(options: &Options) -> Result<Outcome> {
    book::build(true)?;
    let mut script = Command::new(workspace::root().join("tools/browser/run"));
    if let Some(binary) = product::executable_of(&product::messages_of_tests()?, "bin", "async-starter") {
        script.env("ASYNC_STARTER_BIN", binary);
    }
    if options.save {
        script.arg("--save");
    }
    script.args(&options.files);
    let status = workspace::status(&mut script)?;
    match status.code() {
        Some(0) => Ok(Outcome::Passed),
        Some(UNAVAILABLE) => Ok(Outcome::NotRun),
        _ => bail!("`{}` failed ({status})", workspace::shown(&script)),
    }
}
