//! `soak`: the product is used for a long time, and nothing that it holds may keep growing.
//!
//! A burst first opens all connections and fills all caches that it can; then a mixed load goes on at a moderate rate, that
//! of an open loop, while memory, handles, threads, tasks, connections and prepared statements are read every few seconds.
//! [`series`] says what counts as flat.
//!
//! With 4 MiB allowed over the 16 minutes that count of a soak of 20 at 200 requests a second, a leak of 22 bytes a request
//! is found. A cache that is bounded and takes longer than the warm-up to fill looks like a leak. So idempotency keys live
//! for a minute here, the rate limit hears of no more than a few thousand clients, and connections to the database are
//! replaced after a minute: each keeps up to a hundred prepared statements, and it takes hours until twenty of them have met
//! every number of rows that requests can share. It also has connections opened and closed all the time.

mod impolite;
mod report;
mod sampler;
mod series;
mod workload;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::database::{Databases, Engine};
use crate::machine::git_commit;
use crate::product::Product;
use report::Report;
use sampler::{Points, Sampler};
use series::{Series, judge};
use workload::Crowd;

/// Users that are there from the start and stay.
const USERS: u64 = 2000;
/// Connections of the load.
const CONNECTIONS: u32 = 32;
/// How many times as many connections and requests the burst has.
const BURST: u32 = 4;
/// How long the burst lasts.
const BURST_DURATION: Duration = Duration::from_secs(20);
/// How long the product is left alone before it counts as being at rest: longer than threads that have nothing to do live.
const REST: Duration = Duration::from_secs(12);
/// The longest time between two samples, and how many there are at least.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const FEWEST_SAMPLES: u32 = 60;
/// Settings of the product on top of the benchmark's.
const SETTINGS: [&str; 5] = [
    "IDEMPOTENCY_TTL=60s",
    "DB_POOL_RECYCLE=60",
    // As many as there may be are kept open, or their number would follow the load.
    "DB_POOL_MIN_SIZE=8",
    "DB_POOL_MAX_SIZE=8",
    "TRUSTED_PROXIES=127.0.0.1/32",
];

/// Options of `soak`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE")]
    product: PathBuf,
    /// The database engine
    #[arg(long, value_enum)]
    engine: Engine,
    /// The database server, with an account that may create databases; `async_starter_bench` on it is dropped
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
    /// A folder for databases and logs, in a folder of their own that is deleted
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    folder: PathBuf,
    /// How long
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
    /// Requests a second
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// Write figures and all samples to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A setting of the product, such as `WRITE_COALESCING=false`, in place of the soak's
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
}

/// Soaks, prints the report and tells by the exit code whether all stayed flat.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("async-starter-soak-")
        .tempdir_in(&options.folder);
    let folder = folder.with_context(|| format!("cannot make a folder in {}", options.folder.display()))?;
    let work_folder = folder.path().canonicalize()?;
    let mut settings: Vec<_> = SETTINGS.map(str::to_owned).to_vec();
    settings.extend_from_slice(&options.settings);
    let product = Product::new(&options.product, &work_folder, &settings)?;
    let databases = Databases::new(options.engine, options.server_url.as_deref(), &work_folder)?;
    let report = LocalSet::new().run_until(soak(options, &product, &databases)).await?;
    databases.drop_all().await?;
    print!("{}", report.text());
    if let Some(file) = &options.json {
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if report.faults().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn soak(options: &Options, product: &Product, databases: &Databases) -> Result<Report> {
    let database = databases.make(product, USERS).await?;
    let server = product.serve(&database).await?;
    let sampler = Sampler::new(&server, &database.url);
    let crowd = Crowd::gather(server.address).await?;
    let per_second = f64::from(options.per_second);
    println!(
        "{}: a burst of {} s, then {} minutes",
        options.engine.title(),
        BURST_DURATION.as_secs(),
        options.minutes
    );
    let burst = crowd.load(per_second * f64::from(BURST), CONNECTIONS * BURST, BURST_DURATION);
    burst.await?;
    crowd.tidy_up().await?;
    sleep(REST).await;
    let at_rest_before = sampler.read().await?;
    crowd.begin_anew();

    let duration = Duration::from_secs(u64::from(options.minutes) * 60);
    let processor_before = server.usage()?.cpu_micros;
    let mut points = Points::new();
    let begin = Instant::now();
    let watch = sampler.watch(begin, LONGEST_PAUSE.min(duration / FEWEST_SAMPLES), &mut points);
    tokio::select! {
        loaded = crowd.load(per_second, CONNECTIONS, duration) => loaded?,
        watched = watch => watched.with_context(|| format!("the product cannot be watched:\n{}", server.end_of_log()))?,
    }
    let seconds = begin.elapsed().as_secs_f64();
    let processor_micros = server.usage()?.cpu_micros - processor_before;
    sleep(REST).await;
    let at_rest_after = sampler.read().await?;
    let (tally, latencies) = crowd.results();
    server.stop().await?;

    let judged: Vec<_> = Series::ALL
        .into_iter()
        .filter_map(|series| Some((series, judge(series, points.get(&series)?, seconds))))
        .collect();
    let [p50, p99, longest] = latencies.map(|latency| latency.as_micros());
    Ok(Report {
        engine: options.engine.title(),
        engine_version: databases.version().await?,
        product_version: product.version()?,
        git_commit: git_commit(&crate::report::root()),
        seconds,
        per_second,
        requests: tally.answers.values().sum(),
        latency_micros_p50: p50,
        latency_micros_p99: p99,
        latency_micros_max: longest,
        processor_seconds: Duration::from_micros(processor_micros).as_secs_f64(),
        answers: tally
            .answers
            .iter()
            .map(|((asked, status), count)| (format!("{asked} {status}").trim_end_matches(" 0").to_owned(), *count))
            .collect(),
        surprises: tally.surprises,
        first_surprises: tally.told,
        at_rest_before,
        at_rest_after,
        not_judged: judged
            .iter()
            .filter(|(_, it)| it.is_none())
            .map(|(series, _)| *series)
            .collect(),
        judgements: judged.into_iter().filter_map(|(_, judgement)| judgement).collect(),
        points,
    })
}
