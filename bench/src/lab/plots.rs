//! A plot for each experiment.

use std::collections::BTreeMap;

use anyhow::Result;
use plotters::chart::SeriesLabelPosition;
use plotters::element::{Circle, PathElement};
use plotters::series::LineSeries;
use plotters::style::{Color as _, RGBColor};

use super::Experiment;
use super::cases::number;
use super::record::{Record, file_name};
use super::rows::Row;
use crate::report::plots::{Chart, PRODUCT, Panel, legend, picture};
use crate::report::{grouped, ratio};
use crate::statistics::Summary;

const PANEL_SIZE: (u32, u32) = (460, 400);
const SECOND: RGBColor = RGBColor(190, 115, 20);

/// What a part of a plot shows.
struct Part {
    title: &'static str,
    /// Which rows, by their panel; all if empty.
    panel: &'static str,
    value: fn(&Row) -> Summary,
    shown: fn(f64) -> String,
    place: SeriesLabelPosition,
}

/// All plots that the record has figures for, by file name.
pub(super) fn all(record: &Record) -> Result<BTreeMap<String, String>> {
    let mut plots = BTreeMap::new();
    for (experiment, rows) in &record.experiments {
        let name = file_name(*experiment, record.engine, "svg");
        plots.insert(name, plot(*experiment, rows)?);
    }
    Ok(plots)
}

fn parts(experiment: Experiment) -> Vec<Part> {
    let throughput = Part {
        title: "throughput, first = 1",
        panel: "",
        value: |row| row.ratio,
        shown: ratio,
        place: SeriesLabelPosition::UpperLeft,
    };
    let per_second = |title, panel| Part {
        title,
        panel,
        value: |row| row.requests_per_second,
        shown: grouped,
        place: SeriesLabelPosition::UpperLeft,
    };
    let latency = |place| Part {
        title: "median latency in ms",
        panel: "",
        value: |row| alone(row.p50_micros / 1e3),
        shown: |millis| format!("{millis:.2}"),
        place,
    };
    match experiment {
        Experiment::Concurrency => vec![throughput, latency(SeriesLabelPosition::UpperLeft)],
        Experiment::Pool => vec![throughput, latency(SeriesLabelPosition::UpperRight)],
        Experiment::Coalescing => vec![
            per_second("read a user: requests/s", "read a user"),
            per_second("create a user: requests/s", "create a user"),
        ],
        Experiment::Pagination => vec![latency(SeriesLabelPosition::UpperLeft)],
    }
}

fn below(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Concurrency | Experiment::Coalescing => "requests at once",
        Experiment::Pool => "connections in the pool (DB_POOL_MAX_SIZE)",
        Experiment::Pagination => "users before the page",
    }
}

fn alone(value: f64) -> Summary {
    Summary {
        min: value,
        median: value,
        max: value,
    }
}

fn plot(experiment: Experiment, rows: &[Row]) -> Result<String> {
    let parts = parts(experiment);
    let count = u32::try_from(parts.len())?;
    let width = if count == 1 { 760 } else { count * PANEL_SIZE.0 };
    picture((width, PANEL_SIZE.1), |area| {
        for (part, area) in parts.iter().zip(area.split_evenly((1, parts.len()))) {
            let rows: Vec<&Row> = rows
                .iter()
                .filter(|row| part.panel.is_empty() || row.key.panel == part.panel)
                .collect();
            let mut places: Vec<u64> = rows.iter().map(|row| row.key.at).collect();
            places.sort_unstable();
            places.dedup();
            let labels: Vec<String> = places.iter().map(|at| number(*at)).collect();
            let highest = rows.iter().map(|row| (part.value)(row).max).fold(0.0, f64::max);
            let panel = Panel {
                title: part.title,
                labels: &labels,
                below: below(experiment),
                legend_place: part.place.clone(),
                // Room for the legend.
                highest: if highest > 0.0 { highest * 1.25 } else { 1.0 },
                shown: part.shown,
            };
            panel.draw(&area, |chart| draw_lines(chart, &rows, &places, part.value))?;
        }
        Ok(())
    })
}

/// A line for each name, through the medians, with the span of the rounds at each.
fn draw_lines(chart: &mut Chart<'_>, rows: &[&Row], places: &[u64], value: fn(&Row) -> Summary) -> Result<()> {
    let mut lines: Vec<&str> = Vec::new();
    for row in rows {
        if !lines.contains(&row.key.line.as_str()) {
            lines.push(&row.key.line);
        }
    }
    for (line, colour) in lines.into_iter().zip([PRODUCT, SECOND]) {
        let points: Vec<(f64, Summary)> = rows
            .iter()
            .filter(|row| row.key.line == line)
            .filter_map(|row| {
                let place = places.iter().position(|at| *at == row.key.at)?;
                Some((f64::from(u32::try_from(place).ok()?), value(row)))
            })
            .collect();
        let medians: Vec<(f64, f64)> = points.iter().map(|(x, value)| (*x, value.median)).collect();
        legend(
            chart.draw_series(LineSeries::new(medians.clone(), colour.stroke_width(2)))?,
            line,
            colour,
        );
        chart.draw_series(medians.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
        chart.draw_series(
            points
                .iter()
                .map(|(x, value)| PathElement::new(vec![(*x, value.min), (*x, value.max)], colour.stroke_width(1))),
        )?;
    }
    Ok(())
}
