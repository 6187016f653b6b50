//! `cargo xtask lab`: what concurrency, the size of the pool, shared statements and cursors do, measured on the reader's own
//! machine and, if one is named, on the reader's own database server.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";
/// What the bench reads the address of a server from: a command line can be read by everybody on the machine.
const DATABASE_URL: &str = "DATABASE_URL";

/// Options of `cargo xtask lab`.
#[derive(Args)]
#[command(
    after_help = "Takes about five minutes after the build; the quieter the machine, the better. docs/en/lab.md tells how to read it.\n\
    On a server, the database that is named must have no users and no tables but the product's: it is filled, and left with\n\
    the product's tables, without users. If it does not exist, it is made, and dropped at the end."
)]
pub(crate) struct Options {
    /// A database on your own server, `mysql://user:password@host/name` or `postgres://…` [default: `DATABASE_URL` from the
    /// environment if that is one, else SQLite in a temporary folder]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Run only this experiment
    #[arg(long, value_name = "NAME", value_parser = ["concurrency", "pool", "coalescing", "pagination"])]
    experiment: Option<String>,
    /// A look at how it works, within a minute; the figures say little
    #[arg(long)]
    quick: bool,
    /// Keep plots in docs/images and figures in docs/benchmarks
    #[arg(long, conflicts_with_all = ["quick", "experiment"])]
    save: bool,
    /// Measure nothing: write the kept plots and tables again from docs/benchmarks/lab.json
    #[arg(long, conflicts_with_all = ["url", "experiment", "quick", "save"])]
    report: bool,
    /// More options of the measurement, after `--`
    #[arg(last = true, value_name = "OPTIONS")]
    arguments: Vec<OsString>,
}

/// Builds and measures. The exit code is that of the benchmark.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.report {
        let mut cargo = workspace::cargo_at_root(&["run", "--quiet", "--package", BENCH, "--", "lab", "--report"]);
        return workspace::status(&mut cargo).map(workspace::exit_code);
    }
    // Before the build, which takes minutes.
    let is_server = |url: &String| url.contains("://") && !url.starts_with("sqlite:");
    if !options.url.as_ref().is_none_or(is_server) {
        bail!("--url is the address of a server, mysql://… or postgres://…; without it SQLite is measured");
    }
    let mut command = measurement()?;
    if let Some(url) = &options.url {
        command.env(DATABASE_URL, url);
    }
    if let Some(experiment) = &options.experiment {
        command.args(["--experiment", experiment]);
    }
    for (flag, is_given) in [("--quick", options.quick), ("--save", options.save)] {
        if is_given {
            command.arg(flag);
        }
    }
    command.args(&options.arguments);
    workspace::status(&mut command).map(workspace::exit_code)
}

/// All experiments in short on SQLite, whatever database the environment names. Fails if one of them has no results.
pub(crate) fn check() -> Result<()> {
    workspace::succeed(measurement()?.arg("--quick").env_remove(DATABASE_URL))
}

fn measurement() -> Result<Command> {
    // Together, as `cargo xtask bench` builds them, so that nothing is compiled twice.
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    let mut command = Command::new(bench);
    command.arg("lab").arg("--product").arg(product);
    command.arg("--folder").arg(workspace::root().join("target/lab"));
    Ok(command)
}
