//! Results that nobody measured, and what is made of them. What the book shows has a file of its own.

use std::collections::BTreeMap;
use std::fs;

use super::record::{Record, Records};
use super::rows::{Figures, Key, rows};
use super::{Experiment, Extent, plots, table};
use crate::database::Engine;
use crate::machine::Machine;
use crate::report;

mod fair_ratios;
mod littles_law;

/// A key of a group, `at` somewhere.
fn key(group: &str, at: u64) -> Key {
    Key {
        name: format!("{group}, {at}"),
        group: group.to_owned(),
        line: group.to_owned(),
        panel: String::new(),
        at,
    }
}

/// A load with so many requests a second.
fn figures(requests_per_second: f64) -> Figures {
    Figures {
        requests_per_second,
        p50_micros: 1e6 / requests_per_second,
        p99_micros: 3e6 / requests_per_second,
        own: Some(2.0),
    }
}

/// A run in which reads grew by three and creates did not.
fn record(engine: Engine) -> Record {
    let keys = [key("read", 1), key("read", 8), key("create", 1), key("create", 8)];
    let rows = rows(&keys, &[[1000.0, 3000.0, 100.0, 100.0].map(figures).to_vec()]);
    Record {
        date: "2026-01-02".to_owned(),
        commit: "0123abcd".to_owned(),
        product_version: "0.1.0".to_owned(),
        machine: Machine::this(),
        load_average: Some(0.5),
        engine,
        engine_version: "1.2".to_owned(),
        extent: Extent::QUICK,
        experiments: Experiment::ALL.map(|experiment| (experiment, rows.clone())).into(),
    }
}

#[test]
fn a_row_without_a_figure_of_its_own_in_every_round_has_none() {
    let without = Figures {
        own: None,
        ..figures(10.0)
    };
    let rows = rows(&[key("read", 1)], &[vec![figures(10.0)], vec![without]]);
    assert_eq!(rows[0].own, None);
}

#[test]
fn without_rounds_there_are_no_rows() {
    assert_eq!(rows(&[key("read", 1)], &[]), []);
    let nothing = vec![figures(0.0)];
    assert_eq!(rows(&[key("read", 1)], &[nothing]), [], "no ratio to nothing");
}

#[test]
fn a_table_has_throughput_latencies_and_the_ratio_to_the_first_row() {
    let rows = rows(
        &[key("read", 1), key("read", 8)],
        &[vec![figures(1000.0), figures(2500.0)]],
    );
    let text = table::text(Experiment::Concurrency, &rows);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("concurrency  requests/s"), "{text}");
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["read,", "8", "2,500", "0.40", "1.20", "2.50×", "2.50×", "to", "2.50×"]
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_experiment_may_have_a_column_of_its_own() {
    let rows = rows(&[key("read", 1)], &[vec![figures(1000.0)]]);
    let pool = table::text(Experiment::Pool, &rows);
    assert!(
        pool.contains("wait for a connection") && pool.ends_with("0.00 ms\n"),
        "{pool}"
    );
    let coalescing = table::text(Experiment::Coalescing, &rows);
    assert!(coalescing.ends_with(" 2.0\n"), "{coalescing}");
}

#[test]
fn every_experiment_has_a_plot_that_names_its_lines_and_places() {
    let plots = plots::all(&record(Engine::Sqlite)).unwrap();
    assert_eq!(plots.len(), Experiment::ALL.len());
    let plot = &plots["lab-concurrency-sqlite.svg"];
    for word in ["read", "create", "1", "8", "requests at once", "median latency in ms"] {
        assert!(plot.lines().any(|line| line.trim() == word), "{word} in {plot}");
    }
    assert_eq!(plots, plots::all(&record(Engine::Sqlite)).unwrap());
}

#[test]
fn a_plot_without_figures_can_be_drawn() {
    let empty = Record {
        experiments: Experiment::ALL.map(|experiment| (experiment, Vec::new())).into(),
        ..record(Engine::Sqlite)
    };
    let plots: BTreeMap<String, String> = plots::all(&empty).unwrap();
    assert!(plots.values().all(|plot| plot.starts_with("<svg")), "{plots:?}");
}

#[test]
fn a_run_replaces_the_one_before_on_the_same_engine() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = Records::default();
    records.put(record(Engine::Sqlite));
    records.put(record(Engine::Mariadb));
    let later = Record {
        date: "2026-01-03".to_owned(),
        ..record(Engine::Sqlite)
    };
    records.put(later.clone());
    records.write(folder.path()).unwrap();
    let read = Records::read(folder.path()).unwrap();
    assert_eq!(read, records);
    assert_eq!(read.runs().collect::<Vec<_>>(), [&later, &record(Engine::Mariadb)]);
    for name in ["lab-pool-mariadb.txt", "lab-pagination-sqlite.txt"] {
        let table = fs::read_to_string(folder.path().join("docs/benchmarks").join(name)).unwrap();
        assert!(table.contains("3.00×") && table.contains("0123abcd"), "{table}");
    }
}

#[test]
fn the_plots_and_tables_in_the_repository_are_what_the_figures_say() {
    let root = report::root();
    for (name, text) in Records::read(&root).unwrap().files().unwrap() {
        let kept = fs::read_to_string(root.join(&name)).unwrap_or_default();
        assert!(kept == text, "`cargo xtask lab --report` writes {name}");
    }
}
