//! The tables in the terminal and in the documents.

use super::Experiment;
use super::record::Record;
use super::rows::Row;
use crate::report::{grouped, ratio};

/// Where and when it was measured, in a line.
pub(super) fn context(record: &Record) -> String {
    let load = record
        .load_average
        .map_or(String::new(), |load| format!(", load average before {load:.1}"));
    let machine = &record.machine;
    let memory = match machine.memory_gib {
        0 => String::new(),
        gib => format!(", {gib} GiB"),
    };
    format!(
        "{} {}; async-starter {} ({}); {}, {} cores{memory}, {}{load}; {} round{} of {} s; {}",
        record.engine.title(),
        record.engine_version,
        record.product_version,
        record.commit,
        machine.processor,
        machine.cores,
        machine.kernel,
        record.extent.rounds,
        if record.extent.rounds == 1 { "" } else { "s" },
        record.extent.seconds,
        record.date,
    )
}

/// The table of an experiment.
pub(super) fn text(experiment: Experiment, rows: &[Row]) -> String {
    let mut cells = vec![
        ["", "requests/s", "p50 ms", "p99 ms", "ratio", "min to max"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in rows {
        cells.push(vec![
            row.key.name.clone(),
            grouped(row.requests_per_second.median),
            millis(row.p50_micros),
            millis(row.p99_micros),
            times(row.ratio.median),
            format!("{} to {}", times(row.ratio.min), times(row.ratio.max)),
        ]);
    }
    if let Some(column) = experiment.own_column() {
        let values = rows.iter().map(|row| own(experiment, row.own));
        for (line, cell) in cells.iter_mut().zip(std::iter::once(column.to_owned()).chain(values)) {
            line.push(cell);
        }
    }
    if let Some(corner) = cells.first_mut().and_then(|head| head.first_mut()) {
        experiment.name().clone_into(corner);
    }
    aligned(&cells)
}

fn own(experiment: Experiment, value: Option<f64>) -> String {
    match (experiment, value) {
        (_, None) => "–".to_owned(),
        (Experiment::Pool, Some(micros)) => format!("{} ms", millis(micros)),
        (_, Some(requests)) => format!("{requests:.1}"),
    }
}

/// A ratio, with another place where it would hardly be told from nothing.
fn times(value: f64) -> String {
    if value < 0.1 {
        format!("{value:.3}×")
    } else {
        ratio(value)
    }
}

/// Microseconds as milliseconds.
fn millis(micros: f64) -> String {
    format!("{:.2}", micros / 1e3)
}

/// The first column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let length = |cell: &String| cell.chars().count();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}
