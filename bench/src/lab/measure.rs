//! The rounds of an experiment.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::cases::{Case, cases};
use super::place::Place;
use super::rows::{Figures, Key, Row, rows};
use super::{Experiment, Extent};
use crate::load::{Load, Pace, drive};
use crate::metrics::Metrics;
use crate::process::Server;
use crate::product::Product;

/// How many times as long as the first load one of as many requests may take.
const COUNTED_PATIENCE: u32 = 10;
/// How often it is tried how many requests fit into the time of a load; the most count, for a moment may be a bad one.
const TRIALS: u32 = 3;
/// The fewest requests of a load that is counted.
const FEWEST_COUNTED: u64 = 100;

/// On top of the benchmark's settings. On a machine that does something else as well, a disk may keep a writer waiting for
/// seconds: that is slow, and no failure.
const PATIENCE: [&str; 3] = ["DB_POOL_TIMEOUT=30", "DB_STATEMENT_TIMEOUT=30", "REQUEST_TIMEOUT=60"];

/// What all experiments need.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) binary: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) place: Place,
    pub(super) extent: Extent,
    /// The number of the next user that is made; it makes addresses unique.
    pub(super) next_user: Rc<Cell<u64>>,
}

impl Lab {
    /// Measures all cases of an experiment in turn, several times over.
    ///
    /// # Errors
    /// When the product or its database cannot be had, or a request fails.
    pub(super) async fn run(&self, experiment: Experiment) -> Result<Vec<Row>> {
        let users = match experiment {
            Experiment::Pagination => self.extent.long_list,
            Experiment::Concurrency | Experiment::Pool | Experiment::Coalescing => self.extent.users,
        };
        let plain = self.product(&[])?;
        let database = self.place.prepare(&plain, users).await?;
        let ids = database.ids().await?;
        ensure!(!ids.is_empty(), "there are no users to read");
        let first = plain.serve(&database).await?;
        let cases = cases(experiment, self.extent, first.address).await?;
        // One for each way to set it up, all at the same time: those that are not asked do nothing.
        let mut servers = BTreeMap::from([(Vec::new(), first)]);
        for case in &cases {
            if !servers.contains_key(&case.settings) {
                let server = self.product(&case.settings)?.serve(&database).await?;
                servers.insert(case.settings.clone(), server);
            }
        }
        let rounds = self.rounds(experiment, &cases, &servers, &ids).await?;
        for server in servers.into_values() {
            server.stop().await?;
        }
        let keys: Vec<Key> = cases.into_iter().map(|case| case.key).collect();
        Ok(rows(&keys, &rounds))
    }

    /// The product with these settings.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn product(&self, settings: &[String]) -> Result<Product> {
        let settings = [&PATIENCE.map(str::to_owned), settings].concat();
        Product::new(&self.binary, &self.folder, &settings)
    }

    async fn rounds(
        &self,
        experiment: Experiment,
        cases: &[Case],
        servers: &BTreeMap<Vec<String>, Server>,
        ids: &[i64],
    ) -> Result<Vec<Vec<Figures>>> {
        let steps = u64::from(self.extent.rounds + 1) * u64::try_from(cases.len())?;
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}, {eta} left: {msg}")?;
        let bar = ProgressBar::new(steps).with_style(style).with_prefix(experiment.name());
        let counts = self.counts(cases, servers, ids).await?;
        let mut rounds = Vec::new();
        // The first round only warms up.
        for round in 0..=self.extent.rounds {
            let mut order: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
            if round % 2 == 1 {
                // What changes slowly, such as the size of the table, favours neither end of it.
                order.reverse();
            }
            let mut figures = Vec::new();
            for (index, case) in order {
                bar.set_message(case.key.name.clone());
                let server = servers.get(&case.settings).context("a case has no server")?;
                let count = counts.get(case.key.group.as_str()).copied();
                let (_, measured) = self.measure(case, server, count, ids).await?;
                figures.push((index, measured));
                bar.inc(1);
            }
            if round > 0 {
                figures.sort_by_key(|(index, _)| *index);
                rounds.push(figures.into_iter().map(|(_, figures)| figures).collect());
            }
        }
        bar.finish_and_clear();
        Ok(rounds)
    }

    /// How many requests the first case of a group sends in the time of a load: all of the group send as many.
    async fn counts<'a>(
        &self,
        cases: &'a [Case],
        servers: &BTreeMap<Vec<String>, Server>,
        ids: &[i64],
    ) -> Result<BTreeMap<&'a str, u64>> {
        let mut counts = BTreeMap::new();
        for case in cases.iter().filter(|case| case.is_counted) {
            if counts.contains_key(case.key.group.as_str()) {
                continue;
            }
            let server = servers.get(&case.settings).context("a case has no server")?;
            let mut most = FEWEST_COUNTED;
            for _ in 0..TRIALS {
                most = most.max(self.measure(case, server, None, ids).await?.0);
            }
            counts.insert(case.key.group.as_str(), most);
        }
        Ok(counts)
    }

    /// Puts the load of a case on its server: how many requests were answered, and what that came to.
    async fn measure(&self, case: &Case, server: &Server, count: Option<u64>, ids: &[i64]) -> Result<(u64, Figures)> {
        let duration = self.extent.duration();
        let (pace, duration) = match count {
            Some(requests) => (Pace::Counted { requests }, duration * COUNTED_PATIENCE),
            None => (Pace::Closed, duration),
        };
        let load = Load {
            connections: case.connections,
            duration,
            pace,
        };
        let requests = case.work.requests(ids, &self.next_user);
        let before = Metrics::of(server.address).await?;
        let sample = drive(server.address, &requests, load)
            .await
            .with_context(|| case.key.name.clone())?;
        let after = Metrics::of(server.address).await?;
        server.empty_log()?;
        ensure!(sample.requests > 0, "{}: nothing was answered", case.key.name);
        let figures = Figures {
            requests_per_second: sample.per_second(),
            p50_micros: sample.latency_micros(0.5),
            p99_micros: sample.latency_micros(0.99),
            own: own_figure(case, &before, &after),
        };
        Ok((sample.requests, figures))
    }
}

/// How long a request waited for a connection on average, in microseconds, where the size of the pool is tried; else how
/// many requests shared a statement, where they could.
fn own_figure(case: &Case, before: &Metrics, after: &Metrics) -> Option<f64> {
    let increase = |name: &str| after.value(name) - before.value(name);
    let (sum, count) = if case
        .settings
        .iter()
        .any(|setting| setting.starts_with("DB_POOL_MAX_SIZE"))
    {
        let seconds = increase("db_pool_acquire_seconds_sum");
        (seconds * 1e6, increase("db_pool_acquire_seconds_count"))
    } else {
        let kind = case.work.shared_kind()?;
        let of_batches = |part: &str| increase(&format!("coalesced_batch_size_{part}{{kind=\"{kind}\"}}"));
        (of_batches("sum"), of_batches("count"))
    };
    (count > 0.0).then(|| sum / count)
}
