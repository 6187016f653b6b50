//! `cargo xtask bench`: the product against a hand-written server, on a private database of each engine.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::engines::Engine;
use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";

/// The engines that the hand-written server speaks to.
#[derive(Clone, Copy, ValueEnum)]
enum Measured {
    Sqlite,
    Mariadb,
    Mysql,
}

impl Measured {
    fn engine(self) -> Engine {
        match self {
            Self::Sqlite => Engine::Sqlite,
            Self::Mariadb => Engine::Mariadb,
            Self::Mysql => Engine::Mysql,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }
}

/// Options of `cargo xtask bench`.
#[derive(Args)]
#[command(
    after_help = "The machine should be quiet, and takes about a quarter of an hour for each engine. For a first look:\n  \
    cargo xtask bench --engine sqlite --only get,post --rounds 1 --seconds 1\n\n\
    docs/benchmarks/README.md tells what is measured and how to read it. All options of a measurement:\n  \
    cargo xtask bench -- --help"
)]
pub(crate) struct Options {
    /// The engines to measure on, one after the other; MySQL is downloaded once (about 400 MB)
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "ENGINE,…",
        default_value = "sqlite,mariadb"
    )]
    engine: Vec<Measured>,
    /// Measure only some of get, list, latency, post, batch, keyset, bulk, memory, start
    #[arg(long, value_name = "GROUP,…")]
    only: Option<String>,
    /// How often each comparison is made [default: 5]
    #[arg(long, value_name = "COUNT")]
    rounds: Option<String>,
    /// How long each load lasts [default: 3]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<String>,
    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
    /// Keep the results in docs/benchmarks and write the report there; needs five rounds
    #[arg(long)]
    save: bool,
    /// Measure nothing: write the report again from docs/benchmarks/results.json
    #[arg(long, conflicts_with_all = ["only", "rounds", "seconds", "check", "save", "arguments"])]
    report: bool,
    /// More options of a measurement, after `--`
    #[arg(last = true, value_name = "OPTIONS")]
    arguments: Vec<OsString>,
}

/// Builds, measures on each engine and stops what it started. The exit code is the first that is not 0.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.report {
        let mut cargo = workspace::cargo_at_root(&["run", "--quiet", "--package", BENCH, "--", "report"]);
        return workspace::status(&mut cargo).map(workspace::exit_code);
    }
    if options
        .arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        // Not worth a build for release.
        let mut cargo = workspace::cargo_at_root(&["run", "--quiet", "--package", BENCH, "--", "run", "--help"]);
        return workspace::status(&mut cargo).map(workspace::exit_code);
    }
    // Together, so that what both use is compiled once and in the same way.
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    // Not the folder for temporary files: where that is in memory, durability would cost SQLite nothing.
    let folder = workspace::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;

    let mut outcome = ExitCode::SUCCESS;
    for measured in &options.engine {
        let code = measure(*measured, options, product, bench, &folder)?;
        if outcome == ExitCode::SUCCESS {
            outcome = code;
        }
    }
    Ok(outcome)
}

fn measure(measured: Measured, options: &Options, product: &Path, bench: &Path, folder: &Path) -> Result<ExitCode> {
    let found = measured.engine().start_private();
    if let Some(reason) = found.missing() {
        bail!("{} cannot be had: {reason}", measured.engine().title());
    }
    let mut command = Command::new(bench);
    command.args(["run", "--engine", measured.name()]);
    command.arg("--product").arg(product).arg("--folder").arg(folder);
    if let Some(url) = found.url() {
        command.args(["--server-url", url]);
    }
    for (flag, value) in [
        ("--only", &options.only),
        ("--rounds", &options.rounds),
        ("--seconds", &options.seconds),
    ] {
        if let Some(value) = value {
            command.args([flag, value]);
        }
    }
    for (flag, is_given) in [("--check", options.check), ("--save", options.save)] {
        if is_given {
            command.arg(flag);
        }
    }
    command.args(&options.arguments);
    let status = workspace::status(&mut command)?;
    drop(found); // stops the server, if we started it
    Ok(workspace::exit_code(status))
}
