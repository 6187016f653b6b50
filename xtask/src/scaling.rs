//! `cargo xtask scaling`: what a request costs with one, two and three instances over one database cluster.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";

/// Options of `cargo xtask scaling`.
#[derive(Args)]
#[command(
    after_help = "Starts a cluster of its own, and takes two to three minutes after the build. All options:\n  \
    cargo xtask scaling -- --help"
)]
pub(crate) struct Options {
    /// Keep the results in docs/benchmarks/scaling-ENGINE.json
    #[arg(long)]
    save: bool,
    /// More options of the measurement, after `--`
    #[arg(last = true, value_name = "OPTIONS")]
    arguments: Vec<OsString>,
}

/// Builds and measures. The exit code is that of the benchmark.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    // Together, as `cargo xtask bench` builds them, so that nothing is compiled twice.
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    let mut command = Command::new(bench);
    command.arg("scaling").arg("--product").arg(product);
    command.arg("--folder").arg(workspace::root().join("target/scaling"));
    if options.save {
        command.arg("--save");
    }
    command.args(&options.arguments);
    workspace::status(&mut command).map(workspace::exit_code)
}
