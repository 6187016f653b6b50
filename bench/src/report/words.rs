//! The words of the report, in English and Japanese.

use crate::results::{Figure, Group};
use crate::targets::{Bound, Subject};

/// A language of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Japanese,
}

impl Language {
    /// One of the two.
    pub(super) fn choose<'a>(self, english: &'a str, japanese: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Japanese => japanese,
        }
    }

    /// What a group asks of the servers.
    pub(super) fn work(self, group: Group) -> &'static str {
        match group {
            Group::Get => self.choose("GET one user", "1 件取得（GET）"),
            Group::List => self.choose("list of 20 with total", "一覧 20 件と総数"),
            Group::Latency => self.choose("GET at a fixed rate", "固定レートの GET"),
            Group::Post => self.choose("POST one user", "1 件作成（POST）"),
            Group::Batch => self.choose("POST 1000 users", "1,000 件一括作成"),
            Group::Keyset => self.choose("pages by cursor", "カーソルによるページ送り"),
            Group::Bulk => self.choose("many users", "大量データ"),
            Group::Memory => self.choose("memory", "メモリ"),
            Group::Start => self.choose("start", "起動"),
        }
    }

    /// What a number is.
    pub(super) fn figure(self, figure: Figure) -> &'static str {
        match figure {
            Figure::KeysetDepthRatio => self.choose(
                "page by cursor in mid-table, p50 against the first page",
                "表の中央のカーソルページ、先頭ページに対する p50 の比",
            ),
            Figure::KeysetFirstPageMicros => self.choose("first page by cursor, p50", "先頭のカーソルページ、p50"),
            Figure::KeysetDeepPageMicros => {
                self.choose("page by cursor in mid-table, p50", "表の中央のカーソルページ、p50")
            }
            Figure::BatchRatio => self.choose(
                "batches of 1000, rows/s against hand-written single POSTs at c=32",
                "1,000 件一括作成、手書き版の 1 件 POST（c=32）に対する行/秒の比",
            ),
            Figure::BatchRowsPerSecond => self.choose("batches of 1000", "1,000 件一括作成"),
            Figure::SeedSeconds => self.choose("seed", "シード投入"),
            Figure::ExportRowsPerSecond => self.choose("export", "エクスポート"),
            Figure::ExportGrowthMib => self.choose("export, growth of memory", "エクスポート中のメモリ増加"),
            Figure::ImportRowsPerSecond => self.choose("import", "インポート"),
            Figure::ImportGrowthMib => self.choose("import, growth of memory", "インポート中のメモリ増加"),
            Figure::MemoryAtRestMib => self.choose("resident memory at rest", "常駐メモリ（待機時）"),
            Figure::MemoryUnderLoadMib => {
                self.choose("resident memory, peak at c=128", "常駐メモリ（c=128 でのピーク）")
            }
            Figure::StartMillis => self.choose("start to ready", "起動から ready まで"),
        }
    }

    /// What a target is about.
    pub(super) fn subject(self, subject: Subject) -> String {
        match subject {
            Subject::Throughput(group, connections) => format!("{}, c={connections}", self.work(group)),
            Subject::P99(group, connections) => {
                format!(
                    "{}, c={connections}, {}",
                    self.work(group),
                    self.choose("p99 latency", "p99 レイテンシー")
                )
            }
            Subject::Figure(_, figure) => self.figure(figure).to_owned(),
        }
    }
}

/// A number of a figure with its unit.
pub(super) fn figure_value(figure: Figure, value: f64) -> String {
    match figure {
        Figure::KeysetDepthRatio | Figure::BatchRatio => ratio(value),
        Figure::KeysetFirstPageMicros | Figure::KeysetDeepPageMicros => format!("{} µs", grouped(value)),
        Figure::BatchRowsPerSecond | Figure::ExportRowsPerSecond | Figure::ImportRowsPerSecond => {
            format!("{} rows/s", grouped(value))
        }
        Figure::SeedSeconds => format!("{value:.1} s"),
        Figure::ExportGrowthMib | Figure::ImportGrowthMib | Figure::MemoryAtRestMib | Figure::MemoryUnderLoadMib => {
            format!("{value:.1} MiB")
        }
        Figure::StartMillis => format!("{value:.1} ms"),
    }
}

/// A number of a subject with its unit.
pub(super) fn subject_value(subject: Subject, value: f64) -> String {
    match subject {
        Subject::Throughput(..) | Subject::P99(..) => ratio(value),
        Subject::Figure(_, figure) => figure_value(figure, value),
    }
}

/// A bound with its unit.
pub(super) fn bound(subject: Subject, bound: Bound) -> String {
    let sign = match bound {
        Bound::AtLeast(_) => "≥",
        Bound::AtMost(_) => "≤",
    };
    format!("{sign} {}", subject_value(subject, bound.limit()))
}

/// A ratio, such as `1.80×`.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.2}×")
}

/// A whole number with its digits in groups of three.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        for (value, text) in [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (-1_234_567.0, "-1,234,567"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn a_bound_has_sign_and_unit() {
        let start = Subject::Figure(Group::Start, Figure::StartMillis);
        assert_eq!(bound(start, Bound::AtMost(100.0)), "≤ 100.0 ms");
        assert_eq!(
            bound(Subject::Throughput(Group::Get, 1), Bound::AtLeast(0.9)),
            "≥ 0.90×"
        );
    }
}
