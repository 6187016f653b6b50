//! `lab`: what concurrency, the size of the pool, shared statements and cursors do, on the reader's own machine and engine.
//!
//! Each experiment changes one thing and leaves the rest. All its rows are measured in turn, and that several times over, so
//! that a machine that slows down slows all of them: what counts are the ratios within a round, and of those the median.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::Utc;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::machine::{Machine, git_commit};
use crate::report;
use measure::Lab;
use place::Place;
use record::{Record, Records};

mod cases;
mod measure;
mod place;
mod plots;
mod record;
mod rows;
mod table;
#[cfg(test)]
mod tests;

/// Options of `lab`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE", required_unless_present = "report")]
    product: Option<PathBuf>,
    /// A database on your own server, `mysql://user:password@host/name` or `postgres://…`, which must have no users and no
    /// tables but the product's, or not exist [default: the environment's `DATABASE_URL` if that is one, else SQLite in a
    /// temporary folder]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Run only this experiment
    #[arg(long, value_enum, value_name = "NAME")]
    experiment: Option<Experiment>,
    /// A look at how it works, within a minute; the figures say little
    #[arg(long)]
    quick: bool,
    /// Keep plots in docs/images and figures in docs/benchmarks
    #[arg(long, conflicts_with_all = ["quick", "experiment"])]
    save: bool,
    /// Measure nothing: write the plots and tables again from docs/benchmarks/lab.json
    #[arg(long, conflicts_with_all = ["url", "experiment", "quick", "save"])]
    report: bool,
    /// A folder for plots, databases and logs; not in memory, or SQLite's durability costs nothing
    #[arg(long, value_name = "FOLDER", default_value = "target/lab")]
    folder: PathBuf,
}

/// What can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Experiment {
    /// The same number of requests, one after the other and over more and more connections at once
    Concurrency,
    /// Pools of 1 to 32 connections, for as many requests at once
    Pool,
    /// Requests that share statements, and such that do not
    Coalescing,
    /// Pages by number and by cursor, further and further down a long list
    Pagination,
}

impl Experiment {
    const ALL: [Self; 4] = [Self::Concurrency, Self::Pool, Self::Coalescing, Self::Pagination];

    fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Pool => "pool",
            Self::Coalescing => "coalescing",
            Self::Pagination => "pagination",
        }
    }

    /// What its last column is, if it has one of its own.
    fn own_column(self) -> Option<&'static str> {
        match self {
            Self::Pool => Some("wait for a connection"),
            Self::Coalescing => Some("requests/statement"),
            Self::Concurrency | Self::Pagination => None,
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extent {
    rounds: u32,
    /// How long each load lasts.
    seconds: f64,
    /// In the table of all experiments but `pagination`.
    users: u64,
    /// In the table of `pagination`.
    long_list: u64,
}

impl Extent {
    const FULL: Self = Self {
        rounds: 5,
        seconds: 1.0,
        users: 10_000,
        long_list: 200_000,
    };
    const QUICK: Self = Self {
        rounds: 1,
        seconds: 0.2,
        users: 1_000,
        long_list: 10_000,
    };

    fn duration(self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Measures, shows tables, writes plots, and leaves the database as it says.
///
/// # Errors
/// When the database is not one to experiment on, or a request fails.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    if options.report {
        let records = Records::read(&report::root())?;
        records.write(&report::root())?;
        return Ok(ExitCode::SUCCESS);
    }
    fs::create_dir_all(&options.folder).with_context(|| format!("cannot make {}", options.folder.display()))?;
    let folder = options.folder.canonicalize()?;
    let work_folder = tempfile::Builder::new().prefix("run-").tempdir_in(&folder)?;
    let product = options.product.as_deref().context("there is no --product")?;
    let url = match &options.url {
        Some(url) => Some(url.clone()),
        None => place::url_of_environment(),
    };
    let place = Place::find(url.as_deref(), work_folder.path()).await?;
    println!("{}", place.terms());
    let lab = Lab {
        binary: product.to_owned(),
        folder: work_folder.path().to_owned(),
        place,
        extent: if options.quick { Extent::QUICK } else { Extent::FULL },
        next_user: std::rc::Rc::default(),
    };
    let outcome = tokio::select! {
        outcome = measured(&lab, options.experiment) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    // Also after a failure: nothing is left behind but what was said.
    let left = lab.place.leave().await;
    let record = outcome?;
    left?;
    for (name, plot) in plots::all(&record)? {
        let file = folder.join(name);
        fs::write(&file, plot).with_context(|| format!("cannot write {}", file.display()))?;
        println!("plot: {}", file.display());
    }
    if options.save {
        let mut records = Records::read(&report::root())?;
        records.put(record);
        records.write(&report::root())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measured(lab: &Lab, only: Option<Experiment>) -> Result<Record> {
    let product = lab.product(&[])?;
    let load_average = fs::read_to_string("/proc/loadavg").ok();
    let load_average = load_average.and_then(|text| text.split_whitespace().next()?.parse().ok());
    let database = lab.place.prepare(&product, 0).await?;
    let mut record = Record {
        date: Utc::now().format("%Y-%m-%d").to_string(),
        commit: git_commit(&report::root()),
        product_version: product.version()?,
        machine: Machine::this(),
        load_average,
        engine: database.engine(),
        engine_version: database.version().await?,
        extent: lab.extent,
        experiments: BTreeMap::new(),
    };
    println!("{}", table::context(&record));
    for experiment in Experiment::ALL {
        if only.is_some_and(|only| only != experiment) {
            continue;
        }
        let rows = lab.run(experiment).await;
        let rows = rows.with_context(|| format!("the experiment {} failed", experiment.name()))?;
        ensure!(!rows.is_empty(), "the experiment {} has no results", experiment.name());
        print!("\n{}", table::text(experiment, &rows));
        record.experiments.insert(experiment, rows);
    }
    if record.experiments.is_empty() {
        bail!("nothing was measured");
    }
    println!();
    Ok(record)
}
