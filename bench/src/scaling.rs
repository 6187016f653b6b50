//! `scaling`: one, two and three instances of the product over one database cluster, and what a request costs each of them.
//!
//! All of it runs on one machine, so requests a second say little: whoever is added takes the processor from the others. What
//! carries over is the processor time that a request costs in the product and in each database node, and how many requests share
//! a statement. The load is so many connections in all, split over the instances; with the most instances it is also measured
//! with so many for each of them, and with one instance also without sharing.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use clap::Args;
use futures_util::future::{join_all, try_join_all};
use serde::Serialize;

use crate::cluster::{Cluster, NODES};
use crate::database::{Database, Databases, Engine};
use crate::load::{Load, Pace, Requests, drive};
use crate::machine::{Machine, git_commit};
use crate::metrics::Metrics;
use crate::process::{Server, Usage};
use crate::product::Product;
use crate::report;
use crate::statistics::Summary;

mod table;

/// The most instances.
const INSTANCES: u8 = 3;

/// Options of `scaling`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE")]
    product: PathBuf,
    /// The engine of the cluster: `mariadb` is Galera, `mysql` is Group Replication
    #[arg(long, value_enum, default_value = "mariadb")]
    engine: Engine,
    /// A folder for the cluster and logs
    #[arg(long, value_name = "FOLDER", default_value = "target/scaling")]
    folder: PathBuf,
    /// How often each load is repeated; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// How long each load lasts, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections of the load
    #[arg(long, default_value_t = 96, value_parser = clap::value_parser!(u32).range(3..=1000))]
    connections: u32,
    /// Users in the table
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// Keep the results in docs/benchmarks/scaling-ENGINE.json
    #[arg(long)]
    save: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Work {
    Get,
    Post,
    List,
}

/// Which nodes the instances use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Placement {
    /// All the first that takes writes.
    SameNode,
    /// Each another one.
    NodeEach,
}

/// What a row measures.
#[derive(Clone, Copy, Debug, Serialize)]
struct Setup {
    work: Work,
    placement: Placement,
    instances: usize,
    /// Connections of the load to each instance.
    connections: u32,
    /// Whether requests may share a statement.
    shares: bool,
}

/// What a request costs there.
#[derive(Clone, Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    setup: Setup,
    /// Of all instances together, on this machine.
    requests_per_second: f64,
    /// Processor time of all instances for a request.
    product_micros: f64,
    /// Processor time of each node for a request, by number.
    node_micros: Vec<f64>,
    /// Requests that shared a statement, where they can.
    requests_per_statement: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Results {
    date: String,
    commit: String,
    machine: Machine,
    engine: Engine,
    engine_version: String,
    rows: Vec<Row>,
}

struct Scaling<'a> {
    options: &'a Options,
    cluster: Cluster,
    product: Product,
    unshared_product: Product,
    database: Database,
    /// Of the product's own table.
    ids: Vec<i64>,
    next_user: Rc<std::cell::Cell<u64>>,
}

/// Measures, shows a table, and keeps the results if that is wanted.
///
/// # Errors
/// When cluster or product cannot be had, or a request fails.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    ensure!(
        matches!(options.engine, Engine::Mariadb | Engine::Mysql),
        "there are clusters of mariadb and of mysql"
    );
    fs::create_dir_all(&options.folder).with_context(|| format!("cannot make {}", options.folder.display()))?;
    let folder = options.folder.canonicalize()?;
    let cluster = Cluster::start(options.engine, &folder.join("servers"), true).await?;
    let product = Product::new(&options.product, &folder, &[])?;
    let unshared = ["READ_COALESCING=off", "WRITE_COALESCING=off"].map(str::to_owned);
    let unshared_product = Product::new(&options.product, &folder, &unshared)?;
    let databases = Databases::new(options.engine, Some(&cluster.url()), &folder)?;
    let database = databases.make(&product, options.users).await?;
    let ids = database.ids().await?;
    ensure!(!ids.is_empty(), "there are no users to read");
    let scaling = Scaling {
        options,
        cluster,
        product,
        unshared_product,
        database,
        ids,
        next_user: Rc::default(),
    };
    let mut rows = Vec::new();
    for setup in setups(options) {
        let row = scaling.measure(setup).await?;
        println!("{}", table::line(&row));
        rows.push(row);
    }
    let results = Results {
        date: Utc::now().format("%Y-%m-%d").to_string(),
        commit: git_commit(&report::root()),
        machine: Machine::this(),
        engine: options.engine,
        engine_version: databases.version().await?,
        rows,
    };
    println!("\n{}", table::table(&results.rows));
    if options.save {
        let name = format!("docs/benchmarks/scaling-{}.json", options.engine.name());
        let file = report::root().join(&name);
        let text = serde_json::to_string_pretty(&results)? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("kept in {name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// All that is measured, in the order of the table.
fn setups(options: &Options) -> Vec<Setup> {
    let mut setups = Vec::new();
    for work in [Work::Get, Work::Post, Work::List] {
        let setup = Setup {
            work,
            placement: Placement::SameNode,
            instances: 1,
            connections: options.connections,
            shares: true,
        };
        if work != Work::List {
            setups.push(Setup { shares: false, ..setup });
        }
        setups.push(setup);
        for placement in [Placement::SameNode, Placement::NodeEach] {
            if placement == Placement::NodeEach && options.engine == Engine::Mysql {
                // One node alone takes writes.
                continue;
            }
            setups.extend((2..=INSTANCES).map(|instances| Setup {
                placement,
                instances: usize::from(instances),
                connections: options.connections / u32::from(instances),
                ..setup
            }));
            setups.push(Setup {
                placement,
                instances: usize::from(INSTANCES),
                ..setup
            });
        }
    }
    setups
}

impl Scaling<'_> {
    async fn measure(&self, setup: Setup) -> Result<Row> {
        let product = if setup.shares {
            &self.product
        } else {
            &self.unshared_product
        };
        let mut servers = Vec::new();
        for instance in 0..setup.instances {
            let database = match setup.placement {
                Placement::SameNode => self.database.clone(),
                Placement::NodeEach => self.database.with_hosts_rotated(instance),
            };
            servers.push(product.serve(&database).await?);
        }
        let mut rounds = Vec::new();
        // The first round only warms up what a request needs.
        for round in 0..=self.options.rounds {
            let row = self.round(setup, &servers).await?;
            if round > 0 {
                rounds.push(row);
            }
        }
        join_all(servers.into_iter().map(Server::stop))
            .await
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let of = |figure: &dyn Fn(&Row) -> f64| {
            Summary::of(rounds.iter().map(figure)).map_or(f64::NAN, |summary| summary.median)
        };
        let node_micros = (0..usize::from(NODES))
            .map(|node| of(&|row| row.node_micros.get(node).copied().unwrap_or_default()))
            .collect();
        let is_known = rounds.iter().all(|row| row.requests_per_statement.is_some());
        Ok(Row {
            setup,
            requests_per_second: of(&|row| row.requests_per_second),
            product_micros: of(&|row| row.product_micros),
            node_micros,
            requests_per_statement: is_known.then(|| of(&|row| row.requests_per_statement.unwrap_or_default())),
        })
    }

    async fn round(&self, setup: Setup, servers: &[Server]) -> Result<Row> {
        let requests = match setup.work {
            Work::Get => Requests::get(self.ids.iter().map(|id| format!("/api/v1/users/{id}"))),
            Work::Post => Requests::post_user("/api/v1/users", &self.next_user),
            Work::List => Requests::get(["/api/v1/users?per_page=20".to_owned()]),
        };
        let load = Load {
            connections: setup.connections,
            duration: Duration::from_secs(self.options.seconds),
            pace: Pace::Closed,
        };
        let before = self.seen(setup.work, servers).await?;
        let samples = try_join_all(servers.iter().map(|server| drive(server.address, &requests, load))).await?;
        let after = self.seen(setup.work, servers).await?;
        for server in servers {
            server.empty_log()?;
        }
        let count: u64 = samples.iter().map(|sample| sample.requests).sum();
        let per_request = |before: u64, after: u64| ratio(after.saturating_sub(before), count);
        let nodes = before.node_micros.iter().zip(&after.node_micros);
        let statements = after.statements - before.statements;
        Ok(Row {
            setup,
            requests_per_second: samples.iter().map(crate::load::Sample::per_second).sum(),
            product_micros: per_request(before.product_micros, after.product_micros),
            node_micros: nodes.map(|(before, after)| per_request(*before, *after)).collect(),
            requests_per_statement: (statements > 0.0).then(|| (after.shared - before.shared) / statements),
        })
    }

    /// What product and nodes have used until now.
    async fn seen(&self, work: Work, servers: &[Server]) -> Result<Seen> {
        let mut seen = Seen::default();
        for server in servers {
            seen.product_micros += server.usage()?.cpu_micros;
            let kind = match work {
                Work::Get => "read",
                Work::Post => "create",
                Work::List => continue,
            };
            let metrics = Metrics::of(server.address).await?;
            seen.shared += metrics.value(&format!("coalesced_batch_size_sum{{kind=\"{kind}\"}}"));
            seen.statements += metrics.value(&format!("coalesced_batch_size_count{{kind=\"{kind}\"}}"));
        }
        for node in 1..=NODES {
            seen.node_micros
                .push(Usage::of(&self.cluster.process_of(node)?)?.cpu_micros);
        }
        Ok(seen)
    }
}

#[derive(Debug, Default)]
struct Seen {
    product_micros: u64,
    node_micros: Vec<u64>,
    /// Requests that went with a shared statement, and how many of these there were.
    shared: f64,
    statements: f64,
}

#[expect(clippy::cast_precision_loss, reason = "microseconds and counts stay far below 2^52")]
fn ratio(micros: u64, count: u64) -> f64 {
    micros as f64 / count.max(1) as f64
}
