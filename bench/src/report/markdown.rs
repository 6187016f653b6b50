//! The tables in the pages of `docs/benchmarks/`.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::words::{Language, bound, figure_value, grouped, ratio, subject_value};
use crate::database::Engine;
use crate::results::{Comparison, EngineResults, Group, Results};
use crate::statistics::Summary;
use crate::targets::{Subject, Target, Verdict};

const BEGIN: &str = "<!-- results: begin, written by `cargo xtask bench` -->";
const END: &str = "<!-- results: end -->";

/// The page with the tables of these results between its markers.
///
/// # Errors
/// When the markers are missing.
pub(super) fn with_tables(page: &str, results: &Results, plots: &[String], language: Language) -> Result<String> {
    let missing = || format!("a page lacks the lines `{BEGIN}` and `{END}`");
    let (before, rest) = page.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!(
        "{before}{BEGIN}\n\n{}{END}{after}",
        tables(results, plots, language)
    ))
}

fn tables(results: &Results, plots: &[String], language: Language) -> String {
    if results.engines.is_empty() {
        let none = language.choose(
            "No results have been kept yet: `cargo xtask bench --save` measures and writes them here.",
            "保存された結果はまだありません。`cargo xtask bench --save` で計測すると、ここに書き込まれます。",
        );
        return format!("{none}\n\n");
    }
    let mut text = String::new();
    for plot in plots.iter().filter(|plot| plot.starts_with("ratio-")) {
        let _ = writeln!(text, "![{}]({plot})\n", plot.trim_end_matches(".svg"));
    }
    for (engine, measured) in &results.engines {
        text += &engine_section(*engine, measured, plots, language);
    }
    text
}

fn engine_section(engine: Engine, results: &EngineResults, plots: &[String], language: Language) -> String {
    let setting = &results.context;
    let mut text = format!("### {} {}\n\n", engine.title(), setting.engine_version);
    let machine = &setting.machine;
    let _ = writeln!(
        text,
        "{} · {} · {} {} · {} GiB · {} · async-starter {} (`{}`) · {} × {} s\n",
        results.date,
        machine.processor,
        machine.cores,
        language.choose("cores", "コア"),
        machine.memory_gib,
        machine.kernel,
        setting.product_version,
        setting.git_commit,
        setting.parameters.rounds,
        setting.parameters.seconds,
    );
    text += &target_table(engine, results, language);
    text += &comparison_table(results, language);
    text += &figure_table(results, language);
    let failures: Vec<String> = results
        .groups
        .iter()
        .flat_map(|(group, measured)| measured.failures.iter().map(move |failure| (group, failure)))
        // A failure may quote a log; its first line says enough here.
        .map(|(group, failure)| format!("- `{}`: {}\n", group.name(), failure.lines().next().unwrap_or_default()))
        .collect();
    if !failures.is_empty() {
        let _ = writeln!(
            text,
            "{}\n",
            language.choose("Could not be measured:", "計測できなかったもの：")
        );
        text += &failures.concat();
        text.push('\n');
    }
    let plot = format!("throughput-{}.svg", engine.name());
    if plots.contains(&plot) {
        let _ = writeln!(text, "![{}]({plot})\n", plot.trim_end_matches(".svg"));
    }
    text
}

fn target_table(engine: Engine, results: &EngineResults, language: Language) -> String {
    let mut rows = Vec::new();
    for target in Target::of(engine) {
        let (value, mark) = match target.judge(results) {
            Verdict::Hit(summary) => (span(target.subject, summary), language.choose("✅ hit", "✅ 達成")),
            Verdict::Miss(summary) => (span(target.subject, summary), language.choose("❌ missed", "❌ 未達")),
            Verdict::Failed => (
                "–".to_owned(),
                language.choose("❌ could not be measured", "❌ 計測不能"),
            ),
            Verdict::TooSmall(summary) => (
                span(target.subject, summary),
                language.choose("smaller table, not judged", "小規模のため判定なし"),
            ),
            Verdict::NotMeasured => continue,
        };
        rows.push([
            language.subject(target.subject),
            bound(target.subject, target.bound),
            value,
            mark.to_owned(),
        ]);
    }
    let header = match language {
        Language::English => ["target", "bound", "median (min to max)", "verdict"],
        Language::Japanese => ["目標", "基準", "中央値（最小〜最大）", "判定"],
    };
    table(&header, "| --- | --- | ---: | --- |", &rows)
}

/// `1.85× (1.80× to 1.92×)`.
fn span(subject: Subject, summary: Summary) -> String {
    let shown = |value| subject_value(subject, value);
    if summary.min.total_cmp(&summary.max).is_eq() {
        return shown(summary.median);
    }
    format!(
        "{} ({} – {})",
        shown(summary.median),
        shown(summary.min),
        shown(summary.max)
    )
}

fn comparison_table(results: &EngineResults, language: Language) -> String {
    let mut rows = Vec::new();
    for (group, measured) in &results.groups {
        rows.extend(
            measured
                .comparisons
                .iter()
                .filter_map(|load| comparison_row(*group, load, language)),
        );
    }
    let header = match language {
        Language::English => [
            "load",
            "req/s",
            "ratio",
            "p50 µs",
            "p99 µs",
            "CPU µs/req",
            "resident MiB",
        ],
        Language::Japanese => [
            "負荷",
            "リクエスト/秒",
            "比",
            "p50 µs",
            "p99 µs",
            "CPU µs/件",
            "常駐 MiB",
        ],
    };
    let text = table(&header, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |", &rows);
    if text.is_empty() {
        return text;
    }
    let note = language.choose(
        "Each cell: hand-written → product, medians over the rounds.",
        "各セルは「手書き版 → 本製品」、いずれも全ラウンドの中央値です。",
    );
    format!("{text}{note}\n\n")
}

fn comparison_row(group: Group, load: &Comparison, language: Language) -> Option<[String; 7]> {
    let pair =
        |(baseline, product): (f64, f64), shown: fn(f64) -> String| format!("{} → {}", shown(baseline), shown(product));
    let one_decimal: fn(f64) -> String = |value| format!("{value:.1}");
    Some([
        format!("{}, c={}", language.work(group), load.connections),
        pair(load.medians(|side| side.requests_per_second)?, grouped),
        match group {
            // The throughput of an open loop is given, so it is the latency that tells.
            Group::Latency => format!("p99 {}", ratio(load.p99_ratio()?.median)),
            _ => ratio(load.ratio()?.median),
        },
        pair(load.medians(|side| side.p50_micros)?, grouped),
        pair(load.medians(|side| side.p99_micros)?, grouped),
        pair(load.medians(|side| side.cpu_micros_per_request)?, one_decimal),
        pair(load.medians(|side| side.resident_mib)?, one_decimal),
    ])
}

fn figure_table(results: &EngineResults, language: Language) -> String {
    let mut rows = Vec::new();
    for (figure, values) in results.groups.values().flat_map(|group| &group.figures) {
        if let Some(summary) = Summary::of(values.iter().copied()) {
            let shown = |value| figure_value(*figure, value);
            rows.push([
                language.figure(*figure).to_owned(),
                shown(summary.median),
                shown(summary.min),
                shown(summary.max),
            ]);
        }
    }
    let header = match language {
        Language::English => ["product alone", "median", "min", "max"],
        Language::Japanese => ["本製品のみの計測", "中央値", "最小", "最大"],
    };
    table(&header, "| --- | ---: | ---: | ---: |", &rows)
}

/// A table with a blank line behind it; nothing without rows.
fn table<const COLUMNS: usize>(header: &[&str; COLUMNS], rule: &str, rows: &[[String; COLUMNS]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("| {} |\n{rule}\n", header.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::GroupResults;
    use crate::results::tests::{comparison, engine_results};

    fn page(results: &Results) -> String {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n");
        with_tables(&page, results, &[], Language::English).unwrap()
    }

    #[test]
    fn without_results_the_page_says_so() {
        let page = page(&Results::default());
        assert!(
            page.contains("No results have been kept yet") && !page.contains("old"),
            "{page}"
        );
        assert!(page.starts_with("# Title\n") && page.ends_with("\n\nafter\n"), "{page}");
    }

    #[test]
    fn a_miss_and_a_failure_are_told() {
        let get = GroupResults {
            comparisons: vec![comparison(1, &[0.5])],
            ..GroupResults::default()
        };
        let bulk = GroupResults {
            failures: vec!["export: answered with 404\nand more".to_owned()],
            ..GroupResults::default()
        };
        let mut results = Results::default();
        results.merge(
            Engine::Sqlite,
            engine_results("a", [(Group::Get, get), (Group::Bulk, bulk)]),
        );
        let page = page(&results);
        assert!(
            page.contains("| GET one user, c=1 | ≥ 0.90× | 0.50× | ❌ missed |"),
            "{page}"
        );
        assert!(
            page.contains("| GET one user, c=1 | 10,000 → 5,000 | 0.50× |"),
            "{page}"
        );
        assert!(page.contains("- `bulk`: export: answered with 404\n\n"), "{page}");
    }

    #[test]
    fn a_page_without_markers_is_refused() {
        assert!(with_tables("# Title\n", &Results::default(), &[], Language::English).is_err());
    }
}
