//! The plots, as SVG with a background of its own, so that they can be read in light and dark surroundings.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use plotters::chart::{ChartBuilder, ChartContext, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::prelude::{Cartesian2d, DrawingArea, IntoDrawingArea as _, SVGBackend};
use plotters::series::LineSeries;
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use super::words::{grouped, ratio};
use crate::database::Engine;
use crate::results::{EngineResults, Group, Results};
use crate::targets::{Subject, Target};

const SIZE: (u32, u32) = (760, 420);
const BACKGROUND: RGBColor = RGBColor(250, 250, 248);
const INK: RGBColor = RGBColor(45, 45, 50);
const FAINT: RGBColor = RGBColor(215, 215, 218);
pub(crate) const TARGET: RGBColor = RGBColor(200, 45, 45);
pub(crate) const BASELINE: RGBColor = RGBColor(150, 155, 165);
pub(crate) const PRODUCT: RGBColor = RGBColor(30, 110, 180);
/// The room of a category that its marks take.
const HALF_WIDTH: f64 = 0.36;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// All plots that the results have numbers for, by file name.
pub(super) fn all(results: &Results) -> Result<BTreeMap<String, String>> {
    let mut plots = BTreeMap::new();
    for group in [Group::Get, Group::Post] {
        if results.engines.values().any(|engine| has_loads(engine, group)) {
            plots.insert(format!("ratio-{}.svg", group.name()), ratios(results, group)?);
        }
    }
    for (engine, measured) in &results.engines {
        if has_loads(measured, Group::Get) || has_loads(measured, Group::Post) {
            plots.insert(
                format!("throughput-{}.svg", engine.name()),
                throughput(*engine, measured)?,
            );
        }
    }
    Ok(plots)
}

fn has_loads(results: &EngineResults, group: Group) -> bool {
    results
        .groups
        .get(&group)
        .is_some_and(|group| !group.comparisons.is_empty())
}

fn engine_colour(engine: Engine) -> RGBColor {
    match engine {
        Engine::Sqlite => PRODUCT,
        Engine::Mariadb => RGBColor(190, 115, 20),
        Engine::Mysql => RGBColor(25, 135, 105),
        Engine::Postgres => RGBColor(120, 80, 160),
    }
}

/// Throughput over that of the hand-written server by number of connections, a line an engine, with the targets.
fn ratios(results: &Results, group: Group) -> Result<String> {
    let loads = |engine: &EngineResults| engine.groups.get(&group).map(|group| group.comparisons.clone());
    let connections: BTreeSet<u32> = results
        .engines
        .values()
        .filter_map(loads)
        .flatten()
        .map(|load| load.connections)
        .collect();
    let connections: Vec<u32> = connections.into_iter().collect();
    let mut lines = Vec::new();
    let mut highest = 1.0_f64;
    for (engine, measured) in &results.engines {
        let points: Vec<_> = (0_u32..)
            .zip(&connections)
            .filter_map(|(x, count)| Some((f64::from(x), measured.comparison(group, *count)?.ratio()?)))
            .collect();
        highest = points.iter().map(|(_, ratio)| ratio.max).fold(highest, f64::max);
        lines.push((*engine, points));
    }
    let targets: Vec<(f64, f64)> = (0_u32..)
        .zip(&connections)
        .filter_map(|(x, count)| Some((f64::from(x), throughput_target(group, *count)?)))
        .collect();
    highest = targets.iter().map(|(_, target)| *target).fold(highest, f64::max);

    let labels: Vec<String> = connections.iter().map(|count| format!("c={count}")).collect();
    let title = format!(
        "{}: throughput against the hand-written server",
        group.name().to_uppercase()
    );
    let place = SeriesLabelPosition::UpperLeft;
    drawn(&title, &labels, place, highest * 1.12, ratio, |chart| {
        let bounds = targets.iter().map(|(x, target)| {
            PathElement::new(
                vec![(x - HALF_WIDTH, *target), (x + HALF_WIDTH, *target)],
                TARGET.stroke_width(2),
            )
        });
        legend(chart.draw_series(bounds)?, "target", TARGET);
        for (engine, points) in &lines {
            let colour = engine_colour(*engine);
            // Beside one another, so that the spans of the rounds do not hide each other.
            let shift = match engine {
                Engine::Sqlite => -0.06,
                Engine::Mariadb => 0.0,
                Engine::Mysql => 0.06,
                Engine::Postgres => 0.12,
            };
            let medians: Vec<_> = points.iter().map(|(x, ratio)| (x + shift, ratio.median)).collect();
            legend(
                chart.draw_series(LineSeries::new(medians.clone(), colour.stroke_width(2)))?,
                engine.title(),
                colour,
            );
            chart.draw_series(medians.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
            chart.draw_series(points.iter().map(|(x, ratio)| {
                PathElement::new(
                    vec![(x + shift, ratio.min), (x + shift, ratio.max)],
                    colour.stroke_width(1),
                )
            }))?;
        }
        Ok(())
    })
}

fn throughput_target(group: Group, connections: u32) -> Option<f64> {
    let subject = Subject::Throughput(group, connections);
    Target::of(Engine::Sqlite)
        .find(|target| target.subject == subject)
        .map(|target| target.bound.limit())
}

/// Requests a second of both servers on an engine.
fn throughput(engine: Engine, results: &EngineResults) -> Result<String> {
    let mut labels = Vec::new();
    let mut bars = Vec::new();
    for group in [Group::Get, Group::List, Group::Post] {
        for comparison in results
            .groups
            .get(&group)
            .into_iter()
            .flat_map(|group| &group.comparisons)
        {
            if let Some(pair) = comparison.medians(|side| side.requests_per_second) {
                labels.push(format!("{} c={}", group.name(), comparison.connections));
                bars.push(pair);
            }
        }
    }
    let highest = bars
        .iter()
        .map(|(baseline, product)| baseline.max(*product))
        .fold(1.0, f64::max);
    drawn(
        &format!("{}: requests per second", engine.title()),
        &labels,
        // Over the creates, whose bars are the lower ones.
        SeriesLabelPosition::UpperRight,
        highest * 1.08,
        grouped,
        |chart| {
            let bar = |x: f64, from: f64, to: f64, height: f64, colour: RGBColor| {
                Rectangle::new(
                    [(x + from * HALF_WIDTH, 0.0), (x + to * HALF_WIDTH, height)],
                    colour.filled(),
                )
            };
            let places = || (0_u32..).map(f64::from).zip(&bars);
            let hand_written = places().map(|(x, (height, _))| bar(x, -1.0, -0.04, *height, BASELINE));
            legend(chart.draw_series(hand_written)?, "hand-written", BASELINE);
            let product = places().map(|(x, (_, height))| bar(x, 0.04, 1.0, *height, PRODUCT));
            legend(chart.draw_series(product)?, "product", PRODUCT);
            Ok(())
        },
    )
}

/// Names a series in the legend.
pub(crate) fn legend(series: &mut plotters::chart::SeriesAnno<'_, SVGBackend<'_>>, name: &str, colour: RGBColor) {
    series
        .label(name)
        .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled()));
}

fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// A picture of one chart of `labels` beside one another, from 0 to `highest`.
fn drawn(
    title: &str,
    labels: &[String],
    legend_place: SeriesLabelPosition,
    highest: f64,
    shown: fn(f64) -> String,
    draw: impl FnOnce(&mut Chart<'_>) -> Result<()>,
) -> Result<String> {
    picture(SIZE, |area| {
        let panel = Panel {
            title,
            labels,
            below: "",
            legend_place,
            highest,
            shown,
        };
        panel.draw(area, draw)
    })
}

/// A picture with the background of all of them.
pub(crate) fn picture(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area: Area<'_> = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&BACKGROUND)?;
        draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// A chart of `labels` beside one another, from 0 to `highest`.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) labels: &'a [String],
    /// What the labels are; nothing if they say it themselves.
    pub(crate) below: &'a str,
    pub(crate) legend_place: SeriesLabelPosition,
    pub(crate) highest: f64,
    pub(crate) shown: fn(f64) -> String,
}

impl Panel<'_> {
    /// Draws axes, what `draw` adds, and the legend of that.
    pub(crate) fn draw(&self, area: &Area<'_>, draw: impl FnOnce(&mut Chart<'_>) -> Result<()>) -> Result<()> {
        let count = f64::from(u32::try_from(self.labels.len()).unwrap_or(u32::MAX));
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, text(20.0))
            .margin(14)
            .x_label_area_size(if self.below.is_empty() { 34 } else { 46 })
            .y_label_area_size(70)
            .build_cartesian_2d(-0.5..count - 0.5, 0.0..self.highest)?;
        let label = |x: &f64| label_at(self.labels, *x);
        let mut mesh = chart.configure_mesh();
        // An empty text would be one, too.
        if !self.below.is_empty() {
            mesh.x_desc(self.below);
        }
        mesh.disable_x_mesh()
            .light_line_style(ShapeStyle::from(&BACKGROUND))
            .bold_line_style(ShapeStyle::from(&FAINT))
            .axis_style(ShapeStyle::from(&INK))
            .label_style(text(13.0))
            .x_labels(2 * self.labels.len() + 1)
            .x_label_formatter(&label)
            .y_labels(8)
            .y_label_formatter(&|value| (self.shown)(*value))
            .draw()?;
        draw(&mut chart)?;
        chart
            .configure_series_labels()
            .position(self.legend_place.clone())
            .background_style(BACKGROUND.filled())
            .border_style(FAINT)
            .label_font(text(13.0))
            .draw()?;
        Ok(())
    }
}

/// The label of the category at `x`; none between two.
fn label_at(labels: &[String], x: f64) -> String {
    let index = labels
        .iter()
        .zip(0_u32..)
        .find(|(_, index)| (f64::from(*index) - x).abs() < 1e-6);
    index.map(|(label, _)| label.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::GroupResults;
    use crate::results::tests::{comparison, engine_results};

    fn results() -> Results {
        let loads = |ratios: &[(u32, f64)]| GroupResults {
            comparisons: ratios
                .iter()
                .map(|(count, ratio)| comparison(*count, &[*ratio, ratio * 1.1]))
                .collect(),
            ..GroupResults::default()
        };
        let get = loads(&[(1, 0.95), (8, 1.2), (32, 1.9), (128, 3.4)]);
        let post = loads(&[(1, 0.97), (32, 1.6)]);
        let mut results = Results::default();
        results.merge(
            Engine::Sqlite,
            engine_results("a", [(Group::Get, get.clone()), (Group::Post, post)]),
        );
        results.merge(Engine::Mariadb, engine_results("a", [(Group::Get, get)]));
        results
    }

    #[test]
    fn there_is_a_plot_for_whatever_has_numbers() {
        let plots = all(&results()).unwrap();
        let names: Vec<_> = plots.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "ratio-get.svg",
                "ratio-post.svg",
                "throughput-mariadb.svg",
                "throughput-sqlite.svg"
            ]
        );
        assert_eq!(all(&Results::default()).unwrap().len(), 0);
    }

    #[test]
    fn a_plot_names_every_number_of_connections_and_every_engine() {
        let plot = &all(&results()).unwrap()["ratio-get.svg"];
        for word in ["c=1", "c=8", "c=32", "c=128", "SQLite", "MariaDB", "target"] {
            assert!(plot.lines().any(|line| line.trim() == word), "{word} in {plot}");
        }
    }

    #[test]
    fn equal_results_give_equal_plots() {
        assert_eq!(all(&results()).unwrap(), all(&results()).unwrap());
    }
}
