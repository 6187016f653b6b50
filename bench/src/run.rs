//! `run`: the measurements, group by group.

mod bulk;
mod compare;
mod product_alone;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use clap::Args;
use tempfile::TempDir;

use crate::database::{Database, Databases, Engine};
use crate::load::Requests;
use crate::machine::{Machine, git_commit};
use crate::process::Server;
use crate::product::{Product, serve_baseline};
use crate::report;
use crate::results::{EngineResults, Group, GroupResults, Parameters, Results, Setting};

/// Rounds that a median needs before it is kept.
const ROUNDS_TO_SAVE: u32 = 5;
/// How often a round that went wrong is run again.
const REPEATS: u32 = 2;

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE")]
    product: PathBuf,
    /// The program that has the hand-written server; this one by default
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The database engine
    #[arg(long, value_enum)]
    engine: Engine,
    /// The MariaDB or MySQL server, with an account that may create databases; `async_starter_bench` on it is dropped
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
    /// A folder for databases and logs, in a folder of their own that is deleted; not in memory, or SQLite's
    /// durability costs nothing
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    folder: PathBuf,
    #[command(flatten)]
    choice: Choice,
}

/// Options that `cargo xtask bench` passes on.
#[derive(Args, Debug)]
struct Choice {
    /// Measure only these groups
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP,…")]
    only: Vec<Group>,
    /// How often each comparison is made
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each load lasts
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// Numbers of connections for get and post
    #[arg(long, value_delimiter = ',', value_name = "COUNT,…", default_value = "1,8,32,128")]
    connections: Vec<u32>,
    /// Requests a second in the open loop of `latency`
    #[arg(long, default_value_t = 2000.0, value_name = "RATE")]
    open_loop_per_second: f64,
    /// Users in the table of get, list, latency and post
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    users: u64,
    /// Users in the table of keyset
    #[arg(long, default_value_t = 2_000_000, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1000..))]
    keyset_users: u64,
    /// Users that bulk seeds, exports and imports
    #[arg(long, default_value_t = 1_000_000, value_name = "COUNT")]
    bulk_users: u64,
    /// A setting of the product, such as `WRITE_COALESCING=false`, in place of the benchmark's
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
    /// Keep the results in docs/benchmarks and write the report there
    #[arg(long)]
    save: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("0.1 to 3600 seconds".to_owned()),
    }
}

/// What all groups need.
struct Bench {
    engine: Engine,
    product: Product,
    baseline: PathBuf,
    databases: Databases,
    folder: TempDir,
    rounds: u32,
    duration: Duration,
    connections: Vec<u32>,
    open_loop_per_second: f64,
    users: u64,
    keyset_users: u64,
    bulk_users: u64,
    /// The number of the next user that is made; it makes addresses unique.
    next_user: Rc<Cell<u64>>,
}

/// Measures, shows the table and keeps the results if that is wanted. The exit code says whether all could be measured
/// and, with `--check`, whether all targets were reached.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let choice = &options.choice;
    ensure!(
        !choice.save || choice.rounds >= ROUNDS_TO_SAVE,
        "--save needs at least {ROUNDS_TO_SAVE} rounds: fewer are a trial"
    );
    ensure!(
        options.engine != Engine::Postgres,
        "the hand-written server does not speak to PostgreSQL, so there is nothing to measure against"
    );
    let docs = report::folder();
    // Before the long part: a file that cannot be read should not be found at its end.
    let mut kept = Results::read(&docs.join(report::RESULTS))?;

    let folder = tempfile::Builder::new()
        .prefix("async-starter-bench-")
        .tempdir_in(&options.folder);
    let folder = folder.with_context(|| format!("cannot make a folder in {}", options.folder.display()))?;
    let work_folder = folder.path().canonicalize()?;
    let bench = Bench {
        engine: options.engine,
        product: Product::new(&options.product, &work_folder, &choice.settings)?,
        baseline: match &options.baseline {
            Some(file) => file
                .canonicalize()
                .with_context(|| format!("there is no {}", file.display()))?,
            None => std::env::current_exe()?,
        },
        databases: Databases::new(options.engine, options.server_url.as_deref(), &work_folder)?,
        folder,
        rounds: choice.rounds,
        duration: Duration::from_secs_f64(choice.seconds),
        connections: choice.connections.clone(),
        open_loop_per_second: choice.open_loop_per_second,
        users: choice.users,
        keyset_users: choice.keyset_users,
        bulk_users: choice.bulk_users,
        next_user: Rc::new(Cell::new(0)),
    };
    let setting = bench.setting(choice.seconds).await?;
    let mut results = EngineResults {
        date: Utc::now().format("%Y-%m-%d").to_string(),
        context: setting,
        groups: std::collections::BTreeMap::new(),
    };
    for group in Group::ALL {
        if choice.only.is_empty() || choice.only.contains(&group) {
            results.groups.insert(group, bench.measure(group).await);
        }
    }
    bench.databases.drop_all().await?;

    report::terminal::show(options.engine, &results);
    let has_failed = results.groups.values().any(|group| !group.failures.is_empty());
    let is_missed = report::terminal::is_missed(options.engine, &results);
    if choice.save {
        kept.merge(options.engine, results);
        report::write(&docs, &kept)?;
    }
    Ok(if has_failed || choice.check && is_missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Bench {
    async fn setting(&self, seconds: f64) -> Result<Setting> {
        Ok(Setting {
            machine: Machine::this(),
            engine_version: self.databases.version().await?,
            product_version: self.product.version()?,
            git_commit: git_commit(&report::root()),
            parameters: Parameters {
                rounds: self.rounds,
                seconds,
                users: self.users,
                open_loop_per_second: self.open_loop_per_second,
                keyset_users: self.keyset_users,
                bulk_users: self.bulk_users,
                product_settings: self.product.settings().clone(),
            },
        })
    }

    /// A group that fails says so in its results, and the others are measured all the same.
    async fn measure(&self, group: Group) -> GroupResults {
        println!("{}: {}", self.engine.title(), group.name());
        let mut results = GroupResults::default();
        let outcome = match group {
            Group::Get | Group::List | Group::Latency | Group::Post => self.compare(group, &mut results).await,
            Group::Batch => self.batch(&mut results).await,
            Group::Keyset => self.keyset(&mut results).await,
            Group::Bulk => self.bulk(&mut results).await,
            Group::Memory => self.memory(&mut results).await,
            Group::Start => self.start(&mut results).await,
        };
        if let Err(error) = outcome {
            results.failures.push(self.without_paths(&format!("{error:#}")));
        }
        for failure in &results.failures {
            eprintln!("  failed: {failure}");
        }
        results
    }

    /// A message without the folder of this run, which means nothing to others.
    fn without_paths(&self, message: &str) -> String {
        let folder = self.folder().to_string_lossy().into_owned();
        message.replace(&folder, "…")
    }

    /// The folder of this run, which is deleted at its end.
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A database with `users` users, and both servers on it.
    async fn both_servers(&self, users: u64) -> Result<(Database, Server, Server)> {
        let database = self.databases.make(&self.product, users).await?;
        let product = self.product.serve(&database).await?;
        let baseline = serve_baseline(&self.baseline, &database, self.folder()).await?;
        Ok((database, baseline, product))
    }

    /// New users, one a request, at this path.
    fn posts(&self, path: &str) -> Requests {
        Requests::post_user(path, &self.next_user)
    }
}
