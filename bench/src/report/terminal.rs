//! The table of a run in the terminal. A target that was missed is red, one that was reached green.

use std::env;
use std::io::{IsTerminal as _, stdout};

use super::words::{Language, bound, figure_value, grouped, ratio, subject_value};
use crate::database::Engine;
use crate::results::{EngineResults, Group, Side};
use crate::statistics::Summary;
use crate::targets::{Target, Verdict};

const ENGLISH: Language = Language::English;
/// A generator that is busy for more of the time than this may be what was measured.
const BUSY: f64 = 0.9;
/// Rounds below which a median says little.
const FEW_ROUNDS: u32 = 5;

/// Whether any target of this run was missed.
pub(crate) fn is_missed(engine: Engine, results: &EngineResults) -> bool {
    Target::of(engine).any(|target| target.judge(results).is_missed())
}

/// Prints the results of a run.
pub(crate) fn show(engine: Engine, results: &EngineResults) {
    let is_coloured = stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    print!("{}", text(engine, results, is_coloured));
}

fn text(engine: Engine, results: &EngineResults, is_coloured: bool) -> String {
    let mut lines = vec![format!("\n{} {}", engine.title(), results.context.engine_version)];
    lines.extend(comparisons(results));
    lines.extend(targets(engine, results, is_coloured));
    lines.extend(figures(results));
    lines.extend(warnings(results));
    lines.join("\n") + "\n"
}

fn comparisons(results: &EngineResults) -> Vec<String> {
    let mut rows = vec![
        ["", "req/s", "p50 µs", "p99 µs", "CPU µs/req", "RSS MiB", "peak MiB"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (group, measured) in &results.groups {
        for comparison in &measured.comparisons {
            let pairs: Vec<_> = COLUMNS
                .iter()
                .filter_map(|(value, _)| comparison.medians(value))
                .collect();
            let row = |name: &str, pick: fn(&(f64, f64)) -> f64| {
                let values = pairs.iter().zip(COLUMNS).map(|(pair, (_, shown))| shown(pick(pair)));
                let name = format!("{}, c={}, {name}", ENGLISH.work(*group), comparison.connections);
                std::iter::once(name).chain(values).collect::<Vec<_>>()
            };
            rows.push(row("hand-written", |pair| pair.0));
            rows.push(row("product", |pair| pair.1));
        }
    }
    if rows.len() == 1 { Vec::new() } else { aligned(&rows) }
}

/// A number of a side, and how it is shown.
type Column = (fn(&Side) -> f64, fn(f64) -> String);

const COLUMNS: [Column; 6] = [
    (|side| side.requests_per_second, grouped),
    (|side| side.p50_micros, grouped),
    (|side| side.p99_micros, grouped),
    (|side| side.cpu_micros_per_request, one_decimal),
    (|side| side.resident_mib, one_decimal),
    (|side| side.peak_mib, one_decimal),
];

fn one_decimal(value: f64) -> String {
    format!("{value:.1}")
}

fn targets(engine: Engine, results: &EngineResults, is_coloured: bool) -> Vec<String> {
    let mut rows = vec![
        ["target", "bound", "median", "min", "max", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut verdicts = Vec::new();
    for target in Target::of(engine) {
        let verdict = target.judge(results);
        let values = |summary: Summary| {
            [summary.median, summary.min, summary.max].map(|value| subject_value(target.subject, value))
        };
        let nothing = || ["–"; 3].map(str::to_owned);
        let (values, said) = match verdict {
            Verdict::Hit(summary) => (values(summary), "hit"),
            Verdict::Miss(summary) => (values(summary), "MISS"),
            Verdict::Failed => (nothing(), "MISS: could not be measured"),
            Verdict::TooSmall(summary) => (values(summary), "not judged: the table was smaller"),
            Verdict::NotMeasured => continue,
        };
        let mut row = vec![ENGLISH.subject(target.subject), bound(target.subject, target.bound)];
        row.extend(values);
        row.push(said.to_owned());
        rows.push(row);
        verdicts.push(verdict);
    }
    if verdicts.is_empty() {
        return Vec::new();
    }
    let mut lines = aligned(&rows);
    if is_coloured {
        // Behind the blank line and the header.
        for (line, verdict) in lines.iter_mut().skip(2).zip(verdicts) {
            let colour = match verdict {
                Verdict::Hit(_) => "32",
                _ if verdict.is_missed() => "31",
                _ => continue,
            };
            *line = format!("\x1b[{colour}m{line}\x1b[0m");
        }
    }
    lines
}

fn figures(results: &EngineResults) -> Vec<String> {
    let mut rows = vec![["product alone", "median", "min", "max"].map(str::to_owned).to_vec()];
    for (figure, values) in results.groups.values().flat_map(|group| &group.figures) {
        if let Some(summary) = Summary::of(values.iter().copied()) {
            let values = [summary.median, summary.min, summary.max].map(|value| figure_value(*figure, value));
            rows.push(
                std::iter::once(ENGLISH.figure(*figure).to_owned())
                    .chain(values)
                    .collect(),
            );
        }
    }
    if rows.len() == 1 { Vec::new() } else { aligned(&rows) }
}

fn warnings(results: &EngineResults) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (group, measured) in &results.groups {
        lines.extend(
            measured
                .failures
                .iter()
                .map(|failure| format!("failed: {}: {failure}", group.name())),
        );
        for comparison in &measured.comparisons {
            let busy = comparison.medians(|side| side.generator_busy).unwrap_or_default();
            if busy.0.max(busy.1) > BUSY {
                lines.push(format!(
                    "note: at {}, c={}, the load generator was busy for {:.0} % of the time against the hand-written \
                     server and {:.0} % against the product: a faster generator might have measured more",
                    ENGLISH.work(*group),
                    comparison.connections,
                    busy.0 * 100.0,
                    busy.1 * 100.0
                ));
            }
            if *group != Group::Latency
                && let Some(limits) = comparison.ratio()
                && limits.max > 1.5 * limits.min
            {
                lines.push(format!(
                    "note: at {}, c={}, the rounds lie between {} and {}: the machine was not quiet",
                    ENGLISH.work(*group),
                    comparison.connections,
                    ratio(limits.min),
                    ratio(limits.max)
                ));
            }
        }
    }
    if results.context.parameters.rounds < FEW_ROUNDS {
        lines.push(format!("note: a trial, because it has fewer than {FEW_ROUNDS} rounds"));
    }
    lines
}

/// The rows in columns, with a blank line before them: the first to the left, the last as it is, the others to the right.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let lengths = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:width$}"),
                5 if columns == 6 => cell.clone(),
                _ => format!("{cell:>width$}"),
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(String::new()).chain(rows.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::GroupResults;
    use crate::results::tests::{comparison, engine_results};

    fn results() -> EngineResults {
        let get = GroupResults {
            comparisons: vec![comparison(1, &[0.95]), comparison(32, &[1.2])],
            ..GroupResults::default()
        };
        let bulk = GroupResults {
            failures: vec!["export: GET /x is answered with 404".to_owned()],
            ..GroupResults::default()
        };
        engine_results("a", [(Group::Get, get), (Group::Bulk, bulk)])
    }

    /// The line that speaks of a target.
    fn line<'a>(text: &'a str, of: &str) -> &'a str {
        text.lines()
            .find(|line| line.contains(of) && line.contains('≥'))
            .unwrap()
    }

    #[test]
    fn a_miss_is_red_and_a_hit_is_green() {
        let text = text(Engine::Sqlite, &results(), true);
        assert!(line(&text, "c=1 ").starts_with("\x1b[32m"), "{text}");
        assert!(line(&text, "c=32").starts_with("\x1b[31m"), "{text}");
        assert!(line(&text, "export").starts_with("\x1b[31m"), "{text}");
        assert!(is_missed(Engine::Sqlite, &results()));
    }

    #[test]
    fn without_colour_the_words_say_it() {
        let text = text(Engine::Sqlite, &results(), false);
        assert!(!text.contains('\x1b'));
        assert!(line(&text, "c=1 ").ends_with("hit"), "{text}");
        assert!(line(&text, "c=32").ends_with("MISS"), "{text}");
        assert!(
            text.contains("failed: bulk: export: GET /x is answered with 404"),
            "{text}"
        );
    }
}
