//! What the rounds of an experiment came to, as the rows of its table.

use serde::{Deserialize, Serialize};

use crate::statistics::Summary;

/// What a row measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// The row's own words, in the table.
    pub(super) name: String,
    /// The rows that are compared with the first of them.
    pub(super) group: String,
    /// The line in the plot.
    pub(super) line: String,
    /// The part of the plot, by its title; empty if there is one.
    pub(super) panel: String,
    /// The place on the plot's lower axis.
    pub(super) at: u64,
}

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) requests_per_second: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    /// What the experiment's own column says.
    pub(super) own: Option<f64>,
}

/// A row of a table: medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) key: Key,
    pub(super) requests_per_second: Summary,
    /// Requests a second over those of the first row of the group in the same round.
    pub(super) ratio: Summary,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    pub(super) own: Option<f64>,
}

/// The rows that belong to these keys. Each round has a load for each of them.
pub(super) fn rows(keys: &[Key], rounds: &[Vec<Figures>]) -> Vec<Row> {
    let row = |(index, key): (usize, &Key)| {
        let first = keys.iter().position(|other| other.group == key.group)?;
        let of = |figure: &dyn Fn(&Figures) -> f64| {
            Summary::of(rounds.iter().filter_map(|round| round.get(index).map(figure)))
        };
        // ANCHOR: ratios
        // Within a round, so that what slows a whole round down changes nothing.
        let ratios = rounds.iter().filter_map(|round| {
            let base = round.get(first)?.requests_per_second;
            Some(round.get(index)?.requests_per_second / base)
        });
        // ANCHOR_END: ratios
        let own: Option<Vec<f64>> = rounds.iter().map(|round| round.get(index)?.own).collect();
        Some(Row {
            key: key.clone(),
            requests_per_second: rounded(of(&|figures| figures.requests_per_second)?, 0),
            ratio: rounded(Summary::of(ratios)?, 3),
            p50_micros: decimals(of(&|figures| figures.p50_micros)?.median, 1),
            p99_micros: decimals(of(&|figures| figures.p99_micros)?.median, 1),
            own: own.and_then(Summary::of).map(|summary| decimals(summary.median, 2)),
        })
    };
    keys.iter().enumerate().filter_map(row).collect()
}

fn rounded(summary: Summary, places: i32) -> Summary {
    Summary {
        min: decimals(summary.min, places),
        median: decimals(summary.median, places),
        max: decimals(summary.max, places),
    }
}

fn decimals(value: f64, places: i32) -> f64 {
    let factor = 10_f64.powi(places);
    (value * factor).round() / factor
}
