//! The table of a count in the terminal, and what it means.

use std::fmt::Write as _;

use super::Path;
use super::baseline::{Baseline, Comparison, TOLERANCE_PERCENT, Verdict};
use crate::report::grouped;

/// How a new baseline is accepted.
const SAVE: &str = "cargo xtask instructions --save";

/// The counts path by path, and below what they mean.
pub(super) fn text(kept: Option<&Baseline>, now: &Baseline, comparison: &Comparison) -> String {
    let mut text = line(["instructions per request", "baseline", "now", "difference"], "");
    for (path, count) in &now.instructions_per_request {
        let kept = kept.and_then(|kept| kept.instructions_per_request.get(path)).copied();
        let shown_kept = kept.map_or_else(|| "–".to_owned(), shown);
        let difference = kept.map_or_else(|| "–".to_owned(), |kept| difference(kept, *count));
        text += &line(
            [path.name(), &shown_kept, &shown(*count), &difference],
            remark(*path, comparison),
        );
    }
    text.push('\n');
    text += &meaning(comparison);
    text
}

fn line([path, kept, now, difference]: [&str; 4], remark: &str) -> String {
    let line = format!("{path:24}  {kept:>11}  {now:>11}  {difference:>10}  {remark}");
    line.trim_end().to_owned() + "\n"
}

fn remark(path: Path, comparison: &Comparison) -> &'static str {
    match comparison {
        Comparison::NoBaseline => "",
        Comparison::OtherToolchain(_) => "not compared",
        Comparison::Compared(verdicts) => match verdicts.get(&path) {
            Some(Verdict::Steady) => "ok",
            Some(Verdict::Regressed) => "REGRESSION",
            Some(Verdict::Improved) => "improvement",
            Some(Verdict::Unknown) | None => "NOT IN THE BASELINE",
        },
    }
}

fn meaning(comparison: &Comparison) -> String {
    let mut text = String::new();
    match comparison {
        Comparison::NoBaseline => {
            let _ = writeln!(
                text,
                "There is no baseline to compare with: `{SAVE}` makes these counts the baseline."
            );
        }
        Comparison::OtherToolchain(reasons) => {
            let _ = writeln!(
                text,
                "NOTHING WAS COMPARED, because the baseline is of another toolchain: {}. `{SAVE}` makes these counts the \
                 baseline.",
                reasons.join(", ")
            );
        }
        Comparison::Compared(verdicts) => {
            let any = |wanted| verdicts.values().any(|verdict| *verdict == wanted);
            if any(Verdict::Regressed) {
                let _ = writeln!(
                    text,
                    "A request takes over {TOLERANCE_PERCENT} % more instructions than in the baseline. Find out why; if it is worth it, \
                     `{SAVE}` accepts it."
                );
            }
            if any(Verdict::Unknown) {
                let _ = writeln!(text, "A path is not in the baseline: `{SAVE}` adds it.");
            }
            if any(Verdict::Improved) {
                let _ = writeln!(
                    text,
                    "A request takes over {TOLERANCE_PERCENT} % fewer instructions than in the baseline. Keep that with `{SAVE}`, or a \
                     later regression will not be noticed."
                );
            }
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn shown(count: u64) -> String {
    grouped(count as f64)
}

/// How much more `now` is, in percent.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn difference(kept: u64, now: u64) -> String {
    format!("{:+.1} %", (now as f64 / kept as f64 - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::baseline::tests::get_of;
    use super::*;

    fn text_of(kept: Option<&Baseline>, now: &Baseline) -> String {
        text(kept, now, &Comparison::of(kept, now))
    }

    #[test]
    fn a_regression_is_shown_with_its_percentage() {
        let text = text_of(Some(&get_of(200_000)), &get_of(221_000));
        let expected = "get                           200,000      221,000     +10.5 %  REGRESSION\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("over 10 % more"), "{text}");
    }

    #[test]
    fn an_improvement_hints_at_a_new_baseline() {
        let text = text_of(Some(&get_of(200_000)), &get_of(150_000));
        assert!(text.contains("-25.0 %  improvement\n"), "{text}");
        assert!(text.contains(SAVE), "{text}");
    }

    #[test]
    fn a_steady_count_needs_no_words() {
        let text = text_of(Some(&get_of(200_000)), &get_of(200_600));
        assert!(text.ends_with("+0.3 %  ok\n\n"), "{text}");
    }

    #[test]
    fn without_a_baseline_the_counts_are_shown_with_the_advice_to_save_them() {
        let text = text_of(None, &get_of(288_549));
        assert!(text.contains("288,549") && text.contains(SAVE), "{text}");
    }

    #[test]
    fn another_toolchain_is_told_loudly() {
        let mut now = get_of(288_549);
        now.toolchain.rustc = "1.96.0".to_owned();
        let text = text_of(Some(&get_of(100)), &now);
        assert!(text.contains("not compared\n"), "{text}");
        assert!(
            text.contains("NOTHING WAS COMPARED") && text.contains("rustc was 1.95.0 and is 1.96.0"),
            "{text}"
        );
    }
}
