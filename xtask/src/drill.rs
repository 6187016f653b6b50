//! `cargo xtask drill`: something is broken while the product is used, and nothing may be lost.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";

/// Options of `cargo xtask drill`.
#[derive(Args)]
#[command(
    after_help = "Takes about a minute and a half for each engine after the build. Private database servers are started and stopped."
)]
pub(crate) struct Options {
    /// What is broken
    #[arg(value_parser = [
        "database-outage", "kill-database", "kill-server", "pool-exhaustion", "slow-database", "lost-update",
        "rolling-restart", "node-loss", "all",
    ])]
    name: String,
    /// The engines, which must then be there; by default all that can be had. MySQL is downloaded once (about 400 MB)
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENGINE,…",
        value_parser = ["sqlite", "mariadb", "mysql", "postgres"],
    )]
    engine: Vec<String>,
    /// How long each fault lasts [default: 2]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<String>,
    /// Clients that use the product at the same time [default: 24]
    #[arg(long, value_name = "COUNT")]
    clients: Option<String>,
    /// Write the results into this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    /// All drills on all engines, of which none may be missing.
    pub(crate) fn all() -> Self {
        Self {
            name: "all".to_owned(),
            engine: ["sqlite", "mariadb", "mysql", "postgres"].map(str::to_owned).to_vec(),
            seconds: None,
            clients: None,
            json: None,
        }
    }
}

/// Builds, and plays the drills. The exit code is that of the benchmark: not 0 if anything was lost.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    // Together, as `cargo xtask bench` builds them, so that nothing is compiled twice.
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    let mut command = Command::new(bench);
    command.arg("drill").arg(&options.name).arg("--product").arg(product);
    command.arg("--folder").arg(workspace::root().join("target/drill"));
    for engine in &options.engine {
        command.args(["--engine", engine]);
    }
    for (flag, value) in [
        ("--seconds", options.seconds.as_ref().map(OsString::from)),
        ("--clients", options.clients.as_ref().map(OsString::from)),
        ("--json", options.json.as_ref().map(OsString::from)),
    ] {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    workspace::status(&mut command).map(workspace::exit_code)
}
