//! `cargo xtask instructions`: the instructions of a request, counted by valgrind and held against a kept baseline.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";
/// The exit code of the benchmark when the baseline is of another toolchain.
const NOTHING_COMPARED: i32 = 3;

/// Options of `cargo xtask instructions`.
#[derive(Args, Default)]
#[command(
    after_help = "Needs valgrind, and takes a minute or two after the build. The machine may do other work meanwhile.\n\
    docs/benchmarks/README.md tells what is counted."
)]
pub(crate) struct Options {
    /// Fail if a path takes over 10 % more than in the baseline, or there is no baseline
    #[arg(long, conflicts_with = "save")]
    pub(crate) check: bool,
    /// Keep the counts as the new baseline in docs/benchmarks
    #[arg(long)]
    pub(crate) save: bool,
}

/// How a count ended.
pub(crate) enum Outcome {
    /// It was made, and a check passed if one was wanted.
    Counted,
    /// It was made or not, but nothing was checked, for this reason.
    NotChecked(String),
    /// With this exit code; the reason has been printed.
    Failed(ExitCode),
}

/// Counts. A baseline of another toolchain is told, and is no failure.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if let Some(reason) = missing() {
        bail!(reason);
    }
    Ok(match count(options)? {
        Outcome::Counted | Outcome::NotChecked(_) => ExitCode::SUCCESS,
        Outcome::Failed(code) => code,
    })
}

/// Counts and checks, where that is possible.
pub(crate) fn check() -> Result<Outcome> {
    if let Some(reason) = missing() {
        // Known before the build, which takes minutes.
        return Ok(Outcome::NotChecked(reason));
    }
    count(&Options {
        check: true,
        ..Options::default()
    })
}

fn count(options: &Options) -> Result<Outcome> {
    // Together, as `cargo xtask bench` builds them: what is counted is the program that is measured.
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    let folder = workspace::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Command::new(bench);
    command.arg("instructions").arg("--product").arg(product);
    command.arg("--folder").arg(&folder);
    for (flag, is_given) in [("--check", options.check), ("--save", options.save)] {
        if is_given {
            command.arg(flag);
        }
    }
    let status = workspace::status(&mut command)?;
    Ok(match status.code() {
        Some(0) => Outcome::Counted,
        Some(NOTHING_COMPARED) if options.check => Outcome::NotChecked(
            "nothing was compared, because the baseline is of another toolchain (see above)".to_owned(),
        ),
        _ => Outcome::Failed(workspace::exit_code(status)),
    })
}

/// Why nothing can be counted here.
fn missing() -> Option<String> {
    let is_there = |program: &str| {
        let mut version = Command::new(program);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        // vgdb calls its own `--version` a wrong use; that it starts is enough.
        version.stdin(Stdio::null()).status().is_ok()
    };
    (!is_there("valgrind") || !is_there("vgdb"))
        .then(|| "valgrind is not installed (Debian: `apt-get install valgrind`)".to_owned())
}
