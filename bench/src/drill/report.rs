//! What came of a drill, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::Name;
use super::ledger::Judgement;
use super::tally::{End, Recovery};
use crate::database::Engine;

/// A fault and how the service came back from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Episode {
    fault: String,
    lasted_seconds: f64,
    failed_requests: u64,
    seconds_to_first_success: Option<f64>,
    seconds_to_last_failure: f64,
    bound_seconds: f64,
    is_back: bool,
}

impl Episode {
    pub(super) fn new(
        fault: &str,
        lasted: Duration,
        failed_requests: u64,
        recovery: Recovery,
        bound: Duration,
    ) -> Self {
        Self {
            fault: fault.to_owned(),
            lasted_seconds: lasted.as_secs_f64(),
            failed_requests,
            seconds_to_first_success: recovery.to_first_success.map(|duration| duration.as_secs_f64()),
            seconds_to_last_failure: recovery.to_last_failure.as_secs_f64(),
            bound_seconds: bound.as_secs_f64(),
            is_back: recovery.is_calm,
        }
    }
}

/// What came of a drill that was played.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) requests: BTreeMap<End, u64>,
    pub(super) longest: Duration,
    pub(super) episodes: Vec<Episode>,
    /// The ledger held against the database.
    pub(super) judgement: Judgement,
    /// How many rows or changes are wrong in the database or, if that shows more, in the export.
    pub(super) wrong_rows: u64,
    /// Everything that must not happen, in words.
    pub(super) wrong: Vec<String>,
}

/// How a drill ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing was lost, and nothing was wrong.
    Passed(Figures),
    /// Something was.
    Failed(Figures),
    /// It could not be played to its end.
    Broken { reason: String },
    /// It means nothing on this engine.
    DoesNotApply { reason: String },
    /// The engine is not to be had here.
    Skipped { reason: String },
}

/// The figures of a drill.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    requests: BTreeMap<End, u64>,
    longest_answer_seconds: f64,
    episodes: Vec<Episode>,
    ledger: Judgement,
    wrong: Vec<String>,
}

/// A line of the summary.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    pub(super) drill: Name,
    pub(super) engine: Engine,
    pub(super) seconds: f64,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

impl Verdict {
    /// That of a drill that was played.
    pub(super) fn of(outcome: Outcome) -> Self {
        let has_passed = outcome.wrong.is_empty() && outcome.wrong_rows == 0;
        let figures = Figures {
            requests: outcome.requests,
            longest_answer_seconds: outcome.longest.as_secs_f64(),
            episodes: outcome.episodes,
            ledger: outcome.judgement,
            wrong: outcome.wrong,
        };
        if has_passed {
            Self::Passed(figures)
        } else {
            Self::Failed(figures)
        }
    }

    /// Whether the run has to end with an error.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Broken { .. })
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "FAILED",
            Self::Broken { .. } => "BROKEN",
            Self::DoesNotApply { .. } => "does not apply",
            Self::Skipped { .. } => "skipped",
        }
    }
}

impl Record {
    /// The report of one drill.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match &self.verdict {
            Verdict::Passed(figures) | Verdict::Failed(figures) => figures.write(&mut text),
            Verdict::Broken { reason } | Verdict::DoesNotApply { reason } | Verdict::Skipped { reason } => {
                let _ = writeln!(text, "  {reason}");
            }
        }
        let _ = writeln!(text, "  {}, after {:.1} s", self.verdict.word(), self.seconds);
        text
    }
}

impl Figures {
    // Writing to a String cannot fail.
    fn write(&self, text: &mut String) {
        let ends: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(end, count)| format!("{} {count}", end.title()))
            .collect();
        let _ = writeln!(text, "  requests        {}", ends.join(", "));
        let _ = writeln!(text, "  longest answer  {:.2} s", self.longest_answer_seconds);
        let ledger = &self.ledger;
        let _ = writeln!(
            text,
            "  acknowledged    {} users, {} changes",
            ledger.acknowledged_users, ledger.acknowledged_changes
        );
        let _ = writeln!(
            text,
            "  unclear         {}: {} there, {} not",
            ledger.unclear_there + ledger.unclear_not_there,
            ledger.unclear_there,
            ledger.unclear_not_there
        );
        let _ = writeln!(
            text,
            "  clear by key    {}: {} had been done, {} had not",
            ledger.cleared_there + ledger.cleared_not_there,
            ledger.cleared_there,
            ledger.cleared_not_there
        );
        for episode in &self.episodes {
            let first = episode.seconds_to_first_success;
            let _ = writeln!(
                text,
                "  {}: {:.1} s, {} requests failed; after it first success {}, last failure {:.2} s (at most {:.1} s)",
                episode.fault,
                episode.lasted_seconds,
                episode.failed_requests,
                first.map_or("never".to_owned(), |seconds| format!("{seconds:.2} s")),
                episode.seconds_to_last_failure,
                episode.bound_seconds
            );
        }
        let _ = writeln!(
            text,
            "  lost {}, doubled {}, uncalled for {}, half batches {}, lost updates {}, altered {}, never clear {}",
            ledger.lost,
            ledger.doubled,
            ledger.uncalled_for,
            ledger.half_batches,
            ledger.lost_updates,
            ledger.altered,
            ledger.never_clear
        );
        for wrong in &self.wrong {
            let _ = writeln!(text, "  WRONG: {wrong}");
        }
    }
}

/// All drills of a run, a line each.
pub(super) fn summary(records: &[Record]) -> String {
    let mut text = format!(
        "{:18} {:10} {:14} {:>9} {:>9} {:>9} {:>8} {:>5} {:>8} {:>9}\n",
        "drill", "engine", "verdict", "requests", "failed", "users", "changes", "wrong", "longest", "back in"
    );
    for record in records {
        let _ = write!(
            text,
            "{:18} {:10} {:14}",
            record.drill.title(),
            record.engine.title(),
            record.verdict.word()
        );
        if let Verdict::Passed(figures) | Verdict::Failed(figures) = &record.verdict {
            let ledger = &figures.ledger;
            let failed = figures.requests.iter().filter(|(end, _)| end.is_failure());
            let back = figures.episodes.iter().map(|episode| episode.seconds_to_last_failure);
            let _ = write!(
                text,
                " {:>9} {:>9} {:>9} {:>8} {:>5} {:>6.2} s {:>7}",
                figures.requests.values().sum::<u64>(),
                failed.map(|(_, count)| count).sum::<u64>(),
                ledger.acknowledged_users,
                ledger.acknowledged_changes,
                ledger.wrong(),
                figures.longest_answer_seconds,
                back.reduce(f64::max)
                    .map_or(String::new(), |seconds| format!("{seconds:.2} s")),
            );
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let recovery = Recovery {
            to_first_success: Some(Duration::from_millis(20)),
            to_last_failure: Duration::from_millis(510),
            is_calm: true,
        };
        Outcome {
            requests: BTreeMap::from([(End::Success, 900), (End::Unavailable, 7), (End::Broken, 0)]),
            longest: Duration::from_millis(1250),
            episodes: vec![Episode::new(
                "cut",
                Duration::from_secs(2),
                7,
                recovery,
                Duration::from_secs(3),
            )],
            judgement: Judgement {
                acknowledged_users: 400,
                ..Judgement::default()
            },
            wrong_rows: 0,
            wrong: Vec::new(),
        }
    }

    fn record(outcome: Outcome) -> Record {
        Record {
            drill: Name::DatabaseOutage,
            engine: Engine::Mariadb,
            seconds: 12.0,
            verdict: Verdict::of(outcome),
        }
    }

    #[test]
    fn a_drill_without_a_fault_of_the_product_passes() {
        let record = record(outcome());
        assert!(!record.verdict.is_failure());
        let text = record.text();
        assert!(text.contains("requests        2xx 900, 503 7\n"), "{text}");
        assert!(
            text.contains("first success 0.02 s, last failure 0.51 s (at most 3.0 s)"),
            "{text}"
        );
        assert!(text.ends_with("  passed, after 12.0 s\n"), "{text}");
    }

    #[test]
    fn whatever_is_wrong_fails_a_drill_and_is_told() {
        let lost = Outcome {
            wrong_rows: 1,
            ..outcome()
        };
        let slow = Outcome {
            wrong: vec!["get: no answer within 4s".to_owned()],
            ..outcome()
        };
        assert!(record(lost).verdict.is_failure());
        let slow = record(slow);
        assert!(slow.verdict.is_failure());
        assert!(
            slow.text().contains("WRONG: get: no answer within 4s\n"),
            "{}",
            slow.text()
        );
    }

    #[test]
    fn the_summary_has_a_line_for_each_drill() {
        let skipped = Record {
            verdict: Verdict::DoesNotApply {
                reason: "embedded".to_owned(),
            },
            ..record(outcome())
        };
        let summary = summary(&[record(outcome()), skipped]);
        let lines: Vec<&str> = summary.lines().collect();
        assert_eq!(lines.len(), 3, "{summary}");
        assert!(
            lines[1].starts_with("database-outage    MariaDB    passed "),
            "{summary}"
        );
        assert!(lines[2].contains("does not apply"), "{summary}");
    }

    #[test]
    fn programs_read_verdict_and_figures() {
        let json = serde_json::to_value(record(outcome())).unwrap();
        for (pointer, expected) in [
            ("/drill", serde_json::json!("database-outage")),
            ("/engine", serde_json::json!("mariadb")),
            ("/verdict", serde_json::json!("passed")),
            ("/requests/success", serde_json::json!(900)),
            ("/ledger/lost", serde_json::json!(0)),
            ("/episodes/0/failed_requests", serde_json::json!(7)),
        ] {
            assert_eq!(json.pointer(pointer), Some(&expected), "{pointer} in {json}");
        }
    }
}
