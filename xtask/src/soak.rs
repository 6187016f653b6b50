//! `cargo xtask soak`: the product under a mixed load for a long time, on a private database, with nothing that keeps
//! growing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::engines::Engine;
use crate::{product, workspace};

const PRODUCT: &str = "async-starter";
const BENCH: &str = "async-starter-bench";

/// The engines of the product.
#[derive(Clone, Copy, ValueEnum)]
enum Soaked {
    Sqlite,
    Mariadb,
    Mysql,
    Postgres,
}

impl Soaked {
    fn engine(self) -> Engine {
        match self {
            Self::Sqlite => Engine::Sqlite,
            Self::Mariadb => Engine::Mariadb,
            Self::Mysql => Engine::Mysql,
            Self::Postgres => Engine::Postgres,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// Options of `cargo xtask soak`.
#[derive(Args)]
#[command(
    after_help = "Memory, handles, threads, tasks, connections, prepared statements and queues are read every few seconds. \
    After a fifth of the time to warm up they must stay flat; else the exit code is 1, and the report names what grew.\n\
    For a first look: cargo xtask soak --minutes 1 --engine sqlite"
)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    minutes: u32,
    /// The engine; MySQL is downloaded once (about 400 MB)
    #[arg(long, value_enum, default_value = "mariadb")]
    engine: Soaked,
    /// Requests a second [default: 200]
    #[arg(long, value_name = "COUNT")]
    per_second: Option<u32>,
    /// Write figures and all samples to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A database server to use in place of a private one; `async_starter_bench` on it is dropped
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
}

/// Builds, soaks and stops what it started. The exit code is that of the soak.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let binaries = product::built_for_release(&[PRODUCT, BENCH])?;
    let [product, bench] = binaries.as_slice() else {
        bail!("cargo built neither product nor benchmark");
    };
    let folder = workspace::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(url) = &options.server_url {
        return soak(options, product, bench, &folder, Some(url));
    }
    let found = options.engine.engine().start_private();
    if let Some(reason) = found.missing() {
        bail!("{} cannot be had: {reason}", options.engine.engine().title());
    }
    let code = soak(options, product, bench, &folder, found.url());
    drop(found); // stops the server, if we started it
    code
}

fn soak(options: &Options, product: &Path, bench: &Path, folder: &Path, url: Option<&str>) -> Result<ExitCode> {
    let mut command = Command::new(bench);
    command.args(["soak", "--engine", options.engine.name()]);
    command.args(["--minutes", &options.minutes.to_string()]);
    command.arg("--product").arg(product).arg("--folder").arg(folder);
    if let Some(url) = url {
        command.args(["--server-url", url]);
    }
    if let Some(per_second) = options.per_second {
        command.args(["--per-second", &per_second.to_string()]);
    }
    if let Some(file) = &options.json {
        command.arg("--json").arg(file);
    }
    workspace::status(&mut command).map(workspace::exit_code)
}
