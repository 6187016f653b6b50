//! The numbers of a run as they are kept, every round of them: `docs/benchmarks/results.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::database::Engine;
use crate::machine::Machine;
use crate::statistics::Summary;

/// The form of the file. A program that meets another one refuses it.
const FORMAT: u32 = 1;

/// The results of all engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    format: u32,
    pub(crate) engines: BTreeMap<Engine, EngineResults>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            format: FORMAT,
            engines: BTreeMap::new(),
        }
    }
}

/// What was measured on one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineResults {
    /// The day of the last run, in UTC.
    pub(crate) date: String,
    pub(crate) context: Setting,
    pub(crate) groups: BTreeMap<Group, GroupResults>,
}

/// What must be the same for numbers to stand in one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) machine: Machine,
    pub(crate) engine_version: String,
    pub(crate) product_version: String,
    /// The commit that was built; with `-dirty` if files had been changed since.
    pub(crate) git_commit: String,
    pub(crate) parameters: Parameters,
}

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) users: u64,
    pub(crate) open_loop_per_second: f64,
    pub(crate) keyset_users: u64,
    pub(crate) bulk_users: u64,
    /// Settings of the product that are not the defaults of production.
    pub(crate) product_settings: BTreeMap<String, String>,
}

/// Measurements that are made together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// One user by id
    Get,
    /// The 20 newest users with the number of all
    List,
    /// One user by id in an open loop: latency at a fixed rate
    Latency,
    /// One new user
    Post,
    /// 1000 new users in one request
    Batch,
    /// Pages by cursor, deep in a large table
    Keyset,
    /// Seeding, export and import of many users
    Bulk,
    /// Resident memory
    Memory,
    /// Time to the first answer
    Start,
}

impl Group {
    /// In the order in which they are measured. What fills the table of users comes after what reads it.
    pub(crate) const ALL: [Self; 9] = [
        Self::Get,
        Self::List,
        Self::Latency,
        Self::Post,
        Self::Batch,
        Self::Keyset,
        Self::Bulk,
        Self::Memory,
        Self::Start,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Latency => "latency",
            Self::Post => "post",
            Self::Batch => "batch",
            Self::Keyset => "keyset",
            Self::Bulk => "bulk",
            Self::Memory => "memory",
            Self::Start => "start",
        }
    }
}

/// What came of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupResults {
    /// Loads on product and hand-written server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) comparisons: Vec<Comparison>,
    /// Numbers of the product alone, one a round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) figures: BTreeMap<Figure, Vec<f64>>,
    /// What could not be measured, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<String>,
}

/// The same load on both, round by round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comparison {
    pub(crate) connections: u32,
    pub(crate) rounds: Vec<Round>,
}

/// A round: both loads, one right after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Round {
    pub(crate) baseline: Side,
    pub(crate) product: Side,
}

/// One server under one load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
    /// Processor time of the server for each request.
    pub(crate) cpu_micros_per_request: f64,
    /// Resident memory after the load.
    pub(crate) resident_mib: f64,
    /// Its peak since the server started.
    pub(crate) peak_mib: f64,
    /// The part of the time in which the load generator kept a core busy: near 1 it is the generator that was measured.
    pub(crate) generator_busy: f64,
}

impl Comparison {
    /// Throughput of the product over that of the hand-written server in the same round.
    pub(crate) fn ratio(&self) -> Option<Summary> {
        self.quotient(|side| side.requests_per_second)
    }

    /// 99th percentile of the product's latency over that of the hand-written server in the same round.
    pub(crate) fn p99_ratio(&self) -> Option<Summary> {
        self.quotient(|side| side.p99_micros)
    }

    fn quotient(&self, value: impl Fn(&Side) -> f64) -> Option<Summary> {
        Summary::of(
            self.rounds
                .iter()
                .map(|round| value(&round.product) / value(&round.baseline)),
        )
    }

    /// The median of something over the rounds, of the hand-written server and of the product.
    pub(crate) fn medians(&self, value: impl Fn(&Side) -> f64) -> Option<(f64, f64)> {
        let baseline = Summary::of(self.rounds.iter().map(|round| value(&round.baseline)))?;
        let product = Summary::of(self.rounds.iter().map(|round| value(&round.product)))?;
        Some((baseline.median, product.median))
    }
}

/// A number of the product alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Latency (p50) of a page half way down the table over that of the first page.
    KeysetDepthRatio,
    KeysetFirstPageMicros,
    KeysetDeepPageMicros,
    /// Rows a second in batches of 1000 over those of the hand-written server one by one at 32 connections.
    BatchRatio,
    BatchRowsPerSecond,
    SeedSeconds,
    ExportRowsPerSecond,
    ExportGrowthMib,
    ImportRowsPerSecond,
    ImportGrowthMib,
    MemoryAtRestMib,
    MemoryUnderLoadMib,
    StartMillis,
}

impl EngineResults {
    /// A load that was compared.
    pub(crate) fn comparison(&self, group: Group, connections: u32) -> Option<&Comparison> {
        let group = self.groups.get(&group)?;
        group
            .comparisons
            .iter()
            .find(|comparison| comparison.connections == connections)
    }

    /// A number of the product alone, over its rounds.
    pub(crate) fn figure(&self, figure: Figure) -> Option<Summary> {
        let values = self.groups.values().find_map(|group| group.figures.get(&figure))?;
        Summary::of(values.iter().copied())
    }
}

impl Results {
    /// The results kept in a file; none if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or is of another form.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let results: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is of another form; delete it and measure again", path.display()))?;
        ensure!(
            results.format == FORMAT,
            "{} is of form {}, not {FORMAT}",
            path.display(),
            results.format
        );
        Ok(results)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When a number is not finite.
    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Takes a run in. Other engines keep what they had. The other groups of this engine do so only if they were measured
    /// in the same way and on the same build: numbers of different commits do not belong in one table.
    pub(crate) fn merge(&mut self, engine: Engine, run: EngineResults) {
        match self.engines.get_mut(&engine) {
            Some(kept) if kept.context == run.context => {
                kept.date = run.date;
                kept.groups.extend(run.groups);
            }
            _ => {
                self.engines.insert(engine, run);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
