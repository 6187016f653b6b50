//! What is kept of a run in `docs/`: the figures, and the plots and tables that are written from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::{Experiment, Extent, plots, table};
use crate::database::Engine;
use crate::machine::Machine;

/// The figures, below the top of the repository.
const FIGURES: &str = "docs/benchmarks/lab.json";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) product_version: String,
    pub(super) machine: Machine,
    /// How many programs wanted a processor in the minute before.
    pub(super) load_average: Option<f64>,
    pub(super) engine: Engine,
    pub(super) engine_version: String,
    pub(super) extent: Extent,
    pub(super) experiments: BTreeMap<Experiment, Vec<Row>>,
}

/// The last run on each engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Records(BTreeMap<Engine, Record>);

impl Records {
    /// Those that are kept; none if there are none.
    ///
    /// # Errors
    /// When the file cannot be read or understood.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let file = root.join(FIGURES);
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
    }

    /// Replaces the run on the same engine.
    pub(super) fn put(&mut self, record: Record) {
        self.0.insert(record.engine, record);
    }

    /// Writes figures, plots and tables.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        for (name, text) in self.files()? {
            let file = root.join(&name);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            println!("kept: {name}");
        }
        Ok(())
    }

    /// The runs, in the order of the engines.
    #[cfg(test)]
    pub(super) fn runs(&self) -> impl Iterator<Item = &Record> {
        self.0.values()
    }

    /// All files by their names below the top of the repository.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        if self.0.is_empty() {
            return Ok(files);
        }
        files.insert(FIGURES.to_owned(), serde_json::to_string_pretty(self)? + "\n");
        for record in self.0.values() {
            for (name, plot) in plots::all(record)? {
                files.insert(format!("docs/images/{name}"), plot);
            }
            for (experiment, rows) in &record.experiments {
                let name = file_name(*experiment, record.engine, "txt");
                let text = format!("{}\n{}\n", table::text(*experiment, rows), table::context(record));
                files.insert(format!("docs/benchmarks/{name}"), text);
            }
        }
        Ok(files)
    }
}

/// The name of a file about an experiment on an engine.
pub(super) fn file_name(experiment: Experiment, engine: Engine, extension: &str) -> String {
    format!("lab-{}-{}.{extension}", experiment.name(), engine.name())
}
