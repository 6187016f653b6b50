//! What the product is to reach, as data, and whether it does.

use crate::database::Engine;
use crate::results::{Comparison, EngineResults, Figure, Group, Parameters};
use crate::statistics::Summary;

/// What a target is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Throughput over that of the hand-written server.
    Throughput(Group, u32),
    /// 99th percentile of latency over that of the hand-written server.
    P99(Group, u32),
    /// A number of the product alone.
    Figure(Group, Figure),
}

/// Where a value has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    /// The number.
    pub(crate) fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }
}

/// A target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) subject: Subject,
    pub(crate) bound: Bound,
    /// Whether it holds for the embedded engine only.
    sqlite_only: bool,
}

const fn target(subject: Subject, bound: Bound) -> Target {
    Target {
        subject,
        bound,
        sqlite_only: false,
    }
}

const fn sqlite_target(subject: Subject, bound: Bound) -> Target {
    Target {
        subject,
        bound,
        sqlite_only: true,
    }
}

/// All targets, in the order of the report.
pub(crate) const TARGETS: [Target; 18] = [
    target(Subject::Throughput(Group::Get, 1), Bound::AtLeast(0.9)),
    target(Subject::P99(Group::Get, 1), Bound::AtMost(1.2)),
    target(Subject::Throughput(Group::Get, 32), Bound::AtLeast(1.8)),
    target(Subject::Throughput(Group::Get, 128), Bound::AtLeast(3.0)),
    target(Subject::Throughput(Group::List, 32), Bound::AtLeast(1.0)),
    target(Subject::Throughput(Group::Post, 1), Bound::AtLeast(0.95)),
    target(Subject::Throughput(Group::Post, 32), Bound::AtLeast(1.5)),
    target(Subject::Throughput(Group::Post, 128), Bound::AtLeast(2.5)),
    target(Subject::Figure(Group::Batch, Figure::BatchRatio), Bound::AtLeast(4.0)),
    target(
        Subject::Figure(Group::Keyset, Figure::KeysetDepthRatio),
        Bound::AtMost(1.2),
    ),
    sqlite_target(Subject::Figure(Group::Bulk, Figure::SeedSeconds), Bound::AtMost(20.0)),
    sqlite_target(
        Subject::Figure(Group::Bulk, Figure::ExportRowsPerSecond),
        Bound::AtLeast(200_000.0),
    ),
    sqlite_target(
        Subject::Figure(Group::Bulk, Figure::ExportGrowthMib),
        Bound::AtMost(16.0),
    ),
    sqlite_target(
        Subject::Figure(Group::Bulk, Figure::ImportRowsPerSecond),
        Bound::AtLeast(50_000.0),
    ),
    sqlite_target(
        Subject::Figure(Group::Bulk, Figure::ImportGrowthMib),
        Bound::AtMost(16.0),
    ),
    target(
        Subject::Figure(Group::Memory, Figure::MemoryAtRestMib),
        Bound::AtMost(25.0),
    ),
    target(
        Subject::Figure(Group::Memory, Figure::MemoryUnderLoadMib),
        Bound::AtMost(60.0),
    ),
    sqlite_target(Subject::Figure(Group::Start, Figure::StartMillis), Bound::AtMost(100.0)),
];

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Hit(Summary),
    Miss(Summary),
    /// It was to be measured, and could not be.
    Failed,
    /// The run was smaller than what the target speaks of.
    TooSmall(Summary),
    /// Its group was not part of the run.
    NotMeasured,
}

impl Verdict {
    /// Whether `--check` fails because of it.
    pub(crate) fn is_missed(self) -> bool {
        matches!(self, Self::Miss(_) | Self::Failed)
    }
}

impl Target {
    /// The targets for an engine.
    pub(crate) fn of(engine: Engine) -> impl Iterator<Item = &'static Self> {
        TARGETS
            .iter()
            .filter(move |target| !target.sqlite_only || engine == Engine::Sqlite)
    }

    /// How it stands by these results: the median over the rounds decides.
    pub(crate) fn judge(&self, results: &EngineResults) -> Verdict {
        let group = match self.subject {
            Subject::Throughput(group, _) | Subject::P99(group, _) | Subject::Figure(group, _) => group,
        };
        let Some(measured) = results.groups.get(&group) else {
            return Verdict::NotMeasured;
        };
        let value = match self.subject {
            Subject::Throughput(group, connections) => {
                results.comparison(group, connections).and_then(Comparison::ratio)
            }
            Subject::P99(group, connections) => results.comparison(group, connections).and_then(Comparison::p99_ratio),
            Subject::Figure(_, figure) => results.figure(figure),
        };
        match value {
            Some(value) if is_too_small(group, &results.context.parameters) => Verdict::TooSmall(value),
            Some(value) if self.bound.holds(value.median) => Verdict::Hit(value),
            Some(value) => Verdict::Miss(value),
            // Other numbers of connections were asked for.
            None if measured.failures.is_empty() && !measured.comparisons.is_empty() => Verdict::NotMeasured,
            None => Verdict::Failed,
        }
    }
}

/// Whether the targets of a group speak of a larger table than was made.
fn is_too_small(group: Group, parameters: &Parameters) -> bool {
    match group {
        Group::Keyset => parameters.keyset_users < 2_000_000,
        Group::Bulk => parameters.bulk_users < 1_000_000,
        Group::Get | Group::List | Group::Latency | Group::Post | Group::Batch | Group::Memory | Group::Start => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::GroupResults;
    use crate::results::tests::{comparison, engine_results};

    const AT_32: Target = target(Subject::Throughput(Group::Get, 32), Bound::AtLeast(1.8));
    const START: Target = target(Subject::Figure(Group::Start, Figure::StartMillis), Bound::AtMost(100.0));

    fn get(connections: u32, ratios: &[f64]) -> EngineResults {
        let comparisons = vec![comparison(connections, ratios)];
        engine_results(
            "a",
            [(
                Group::Get,
                GroupResults {
                    comparisons,
                    ..GroupResults::default()
                },
            )],
        )
    }

    fn figure(group: Group, figure: Figure, values: &[f64]) -> EngineResults {
        let figures = [(figure, values.to_vec())].into();
        engine_results(
            "a",
            [(
                group,
                GroupResults {
                    figures,
                    ..GroupResults::default()
                },
            )],
        )
    }

    #[test]
    fn a_value_on_the_right_side_of_its_bound_is_a_hit_and_else_a_miss() {
        assert!(matches!(AT_32.judge(&get(32, &[1.81])), Verdict::Hit(_)));
        assert!(matches!(AT_32.judge(&get(32, &[1.79])), Verdict::Miss(_)));
        let start = |value| START.judge(&figure(Group::Start, Figure::StartMillis, &[value]));
        assert!(matches!(start(100.0), Verdict::Hit(_)));
        assert!(matches!(start(100.1), Verdict::Miss(_)));
    }

    #[test]
    fn the_median_decides_and_not_the_best_round() {
        assert!(AT_32.judge(&get(32, &[1.0, 1.7, 5.0])).is_missed());
        assert!(!AT_32.judge(&get(32, &[1.0, 1.9, 5.0])).is_missed());
    }

    #[test]
    fn what_could_not_be_measured_is_missed() {
        let failed = GroupResults {
            failures: vec!["GET /users/1 is answered with 404".to_owned()],
            ..GroupResults::default()
        };
        let verdict = AT_32.judge(&engine_results("a", [(Group::Get, failed)]));
        assert_eq!((verdict, verdict.is_missed()), (Verdict::Failed, true));
    }

    #[test]
    fn what_was_not_asked_for_is_not_missed() {
        for results in [engine_results("a", []), get(8, &[1.0])] {
            let verdict = AT_32.judge(&results);
            assert_eq!((verdict, verdict.is_missed()), (Verdict::NotMeasured, false));
        }
    }

    #[test]
    fn a_smaller_table_than_the_target_speaks_of_decides_nothing() {
        let mut results = figure(Group::Bulk, Figure::SeedSeconds, &[1.0]);
        results.context.parameters.bulk_users = 1000;
        let seed = Target::of(Engine::Sqlite)
            .find(|target| target.subject == Subject::Figure(Group::Bulk, Figure::SeedSeconds))
            .unwrap();
        assert!(matches!(seed.judge(&results), Verdict::TooSmall(_)));
    }

    #[test]
    fn bulk_targets_are_those_of_the_embedded_engine() {
        assert_eq!(Target::of(Engine::Sqlite).count(), TARGETS.len());
        assert_eq!(Target::of(Engine::Mariadb).count(), TARGETS.len() - 6);
    }
}
