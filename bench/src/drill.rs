//! `drill`: something is broken while the product is used, and what its clients were told is held against the database.
//!
//! Each drill starts the product's binary on a database of its own, with settings of production, and lets clients create,
//! change and read users. They keep a ledger: what was asked for, what was acknowledged, what was refused, and what they
//! do not know. Then a fault is injected and ends. Afterwards the database and the export of the product must show what the
//! ledger says: every acknowledged write, once, and nothing that nobody asked for.

mod api;
mod balancer;
mod ledger;
mod proxy;
mod report;
mod scenes;
mod stage;
mod tally;
mod workload;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::task::LocalSet;

use crate::cluster::Cluster;
use crate::database::Engine;
use crate::database_server::DatabaseServer;
use report::{Record, Verdict};
use stage::{Place, Setup};

/// A drill may take so long; one that takes longer hangs.
const DRILL_LIMIT: Duration = Duration::from_mins(3);

/// Options of `drill`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What is broken
    #[arg(value_enum)]
    name: Choice,
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE")]
    product: PathBuf,
    /// The database engines, which must then be there; by default all that can be had
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ENGINE,…")]
    engine: Vec<Engine>,
    /// A folder for databases, servers and logs
    #[arg(long, value_name = "FOLDER", default_value = "target/drill")]
    folder: PathBuf,
    /// How long each fault lasts
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Clients that use the product at the same time
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=1000))]
    clients: u64,
    /// Write the results into this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.5..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("0.5 to 60 seconds".to_owned()),
    }
}

/// A drill, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The wire to the database is cut; then it is silent, and its connections never speak again
    DatabaseOutage,
    /// The database is killed and started again
    KillDatabase,
    /// The product is killed and started again
    KillServer,
    /// Far more clients than connections to a database that keeps each of them long
    PoolExhaustion,
    /// The database gets slower until no request can end in time
    SlowDatabase,
    /// All clients change the same few users as fast as they can
    LostUpdate,
    /// One instance after the other is replaced
    RollingRestart,
    /// The node of a database cluster that takes the writes is killed, and comes back
    NodeLoss,
    /// All of them, one after the other
    All,
}

/// A drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    DatabaseOutage,
    KillDatabase,
    KillServer,
    PoolExhaustion,
    SlowDatabase,
    LostUpdate,
    RollingRestart,
    NodeLoss,
}

impl Name {
    const ALL: [Self; 8] = [
        Self::DatabaseOutage,
        Self::KillDatabase,
        Self::KillServer,
        Self::PoolExhaustion,
        Self::SlowDatabase,
        Self::LostUpdate,
        Self::RollingRestart,
        Self::NodeLoss,
    ];

    /// As it is typed.
    fn title(self) -> &'static str {
        match self {
            Self::DatabaseOutage => "database-outage",
            Self::KillDatabase => "kill-database",
            Self::KillServer => "kill-server",
            Self::PoolExhaustion => "pool-exhaustion",
            Self::SlowDatabase => "slow-database",
            Self::LostUpdate => "lost-update",
            Self::RollingRestart => "rolling-restart",
            Self::NodeLoss => "node-loss",
        }
    }
}

impl Choice {
    fn names(self) -> Vec<Name> {
        match self {
            Self::DatabaseOutage => vec![Name::DatabaseOutage],
            Self::KillDatabase => vec![Name::KillDatabase],
            Self::KillServer => vec![Name::KillServer],
            Self::PoolExhaustion => vec![Name::PoolExhaustion],
            Self::SlowDatabase => vec![Name::SlowDatabase],
            Self::LostUpdate => vec![Name::LostUpdate],
            Self::RollingRestart => vec![Name::RollingRestart],
            Self::NodeLoss => vec![Name::NodeLoss],
            Self::All => Name::ALL.to_vec(),
        }
    }
}

/// Plays the drills on each engine, goes on after one that fails, and shows what came of them.
///
/// # Errors
/// When a drill cannot even begin.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let begin = Instant::now();
    fs::create_dir_all(&options.folder).with_context(|| format!("cannot make {}", options.folder.display()))?;
    let folder = options.folder.canonicalize()?;
    let is_named = !options.engine.is_empty();
    let engines = if is_named {
        options.engine.as_slice()
    } else {
        &Engine::ALL
    };
    let names = options.name.names();
    let mut records = Vec::new();
    let (on_clusters, on_servers): (Vec<Name>, Vec<Name>) = names.iter().partition(|name| **name == Name::NodeLoss);
    let servers = folder.join("servers");
    for engine in engines {
        if !on_servers.is_empty() {
            let server = DatabaseServer::start(*engine, &servers, is_named).await;
            let played = match &server {
                Ok(server) => {
                    let place = server.as_ref().map_or(Place::Embedded, Place::Server);
                    play_all(options, *engine, &on_servers, place, &folder).await?
                }
                Err(error) => not_to_be_had(*engine, &on_servers, error),
            };
            records.extend(played);
        }
        for name in &on_clusters {
            if let Some(reason) = scenes::does_not_apply(*name, *engine) {
                let reason = reason.to_owned();
                records.push(record(*name, *engine, Duration::ZERO, Verdict::DoesNotApply { reason }));
                continue;
            }
            let played = match Cluster::start(*engine, &servers, is_named).await {
                Ok(cluster) => play_all(options, *engine, &[*name], Place::Cluster(&cluster), &folder).await?,
                Err(error) => not_to_be_had(*engine, &[*name], &error),
            };
            records.extend(played);
        }
    }
    println!(
        "\n{}\nin all {:.0} s",
        report::summary(&records),
        begin.elapsed().as_secs_f64()
    );
    for record in &records {
        if let Verdict::Skipped { reason } = &record.verdict {
            println!("{} on {}: {reason}", record.drill.title(), record.engine.title());
        }
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&records)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // Where no engine can be had nothing has been shown, and one that was named has to be there.
    let is_skipped = |record: &Record| matches!(record.verdict, Verdict::Skipped { .. });
    let are_missing = records.iter().all(is_skipped) || is_named && records.iter().any(is_skipped);
    let has_failed = are_missing || records.iter().any(|record| record.verdict.is_failure());
    Ok(if has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What comes of drills for which there is no database.
fn not_to_be_had(engine: Engine, names: &[Name], error: &anyhow::Error) -> Vec<Record> {
    let reason = format!("{} cannot be had: {error:#}", engine.title());
    let skipped = |name: &Name| {
        let reason = reason.clone();
        record(*name, engine, Duration::ZERO, Verdict::Skipped { reason })
    };
    names.iter().map(skipped).collect()
}

async fn play_all(
    options: &Options,
    engine: Engine,
    names: &[Name],
    place: Place<'_>,
    folder: &Path,
) -> Result<Vec<Record>> {
    let work = tempfile::Builder::new().prefix("run-").tempdir_in(folder);
    let work = work.with_context(|| format!("cannot make a folder in {}", folder.display()))?;
    let setup = Setup {
        engine,
        place,
        product: &options.product,
        folder: work.path(),
        clients: options.clients,
        fault: Duration::from_secs_f64(options.seconds),
    };
    let mut records = Vec::new();
    for name in names {
        println!("\n{} on {}", name.title(), engine.title());
        let begin = Instant::now();
        let verdict = match scenes::does_not_apply(*name, engine) {
            Some(reason) => Verdict::DoesNotApply {
                reason: reason.to_owned(),
            },
            None => play(*name, &setup).await,
        };
        if let (Verdict::Broken { .. }, Place::Server(server)) = (&verdict, place) {
            // It may have been broken off while the server was down; the next one can be played all the same.
            server.start_again().await?;
        }
        let record = record(*name, engine, begin.elapsed(), verdict);
        print!("{}", record.text());
        records.push(record);
    }
    Ok(records)
}

async fn play(name: Name, setup: &Setup<'_>) -> Verdict {
    // All tasks of a drill end with it.
    let local = LocalSet::new();
    let played = local.run_until(tokio::time::timeout(DRILL_LIMIT, scenes::play(name, setup)));
    match played.await {
        Ok(Ok(outcome)) => Verdict::of(outcome),
        Ok(Err(error)) => Verdict::Broken {
            reason: format!("{error:#}"),
        },
        Err(_) => Verdict::Broken {
            reason: format!("not over after {DRILL_LIMIT:?}"),
        },
    }
}

fn record(drill: Name, engine: Engine, duration: Duration, verdict: Verdict) -> Record {
    Record {
        drill,
        engine,
        seconds: duration.as_secs_f64(),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_shown_as_it_is_typed() {
        for name in Name::ALL {
            let choice = Choice::from_str(name.title(), false).unwrap();
            assert_eq!(choice.names(), [name]);
        }
        assert_eq!(Choice::All.names(), Name::ALL);
        assert_eq!(Choice::value_variants().len(), Name::ALL.len() + 1);
    }
}
