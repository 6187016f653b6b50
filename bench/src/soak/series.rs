//! What is watched, and whether it stayed flat.
//!
//! The first fifth of a soak is for warming up: pools fill, caches fill, the allocator finds its size. After it a series
//! must pass two tests. The straight line through its points (least squares) must not rise by more than is allowed from the
//! first to the last, and the median of the last fifth must not lie further above that of the second. The line sees a slow
//! rise, the medians one that a few outliers hide.

use serde::Serialize;

use crate::statistics::Summary;

/// The parts that a soak is divided into.
const PARTS: f64 = 5.0;
/// Points without which a part says nothing.
const FEWEST_POINTS: usize = 3;

/// Something that the product holds, or that the load must keep steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Series {
    ResidentMemoryMib,
    OpenHandles,
    Threads,
    AliveTasks,
    QueuedTasks,
    RequestsInProgress,
    PoolConnections,
    PreparedStatements,
    Users,
}

impl Series {
    /// In the order in which they are shown.
    pub(super) const ALL: [Self; 9] = [
        Self::ResidentMemoryMib,
        Self::OpenHandles,
        Self::Threads,
        Self::AliveTasks,
        Self::QueuedTasks,
        Self::RequestsInProgress,
        Self::PoolConnections,
        Self::PreparedStatements,
        Self::Users,
    ];

    /// The name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ResidentMemoryMib => "resident memory, MiB",
            Self::OpenHandles => "open handles",
            Self::Threads => "threads",
            Self::AliveTasks => "tasks of the database runtime",
            Self::QueuedTasks => "tasks that wait for a thread",
            Self::RequestsInProgress => "requests in progress",
            Self::PoolConnections => "connections of the pools",
            Self::PreparedStatements => "prepared statements",
            Self::Users => "users in the table",
        }
    }

    /// By how much it may rise: this much, or this share of its median in the second fifth, whichever is more. What follows
    /// the requests of the moment differs from sample to sample, and more so on a machine that does other work too; what is
    /// left of them at rest is the sharper test.
    pub(super) fn tolerance(self) -> Tolerance {
        let (absolute, share) = match self {
            Self::ResidentMemoryMib => (4.0, 0.05),
            Self::OpenHandles | Self::AliveTasks | Self::QueuedTasks | Self::RequestsInProgress => (8.0, 0.1),
            Self::Threads => (4.0, 0.1),
            Self::PoolConnections => (2.0, 0.1),
            // A tooth of a saw for each minute, in which all connections are replaced at once; the line rises by a share of one.
            Self::PreparedStatements => (40.0, 0.1),
            Self::Users => (0.0, 0.05),
        };
        Tolerance { absolute, share }
    }

    /// Whether a fall spoils the soak as a rise does. The table must be of one size, or the rest is not comparable.
    fn must_not_fall(self) -> bool {
        self == Self::Users
    }
}

/// How far from flat is still flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tolerance {
    /// In the unit of the series.
    pub(super) absolute: f64,
    /// Of the median of the second fifth.
    pub(super) share: f64,
}

/// A value and when it was read, in seconds from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    pub(super) second: f64,
    pub(super) value: f64,
}

/// What became of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Judgement {
    pub(super) series: Series,
    pub(super) median_of_second_fifth: f64,
    pub(super) median_of_last_fifth: f64,
    /// What the line through the points rises from the end of the warm-up to the last point.
    pub(super) rise_of_line: f64,
    pub(super) allowed_rise: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) is_flat: bool,
}

/// Judges a series of a soak of so many seconds. Nothing if there are too few points.
pub(super) fn judge(series: Series, points: &[Point], seconds: f64) -> Option<Judgement> {
    let part = seconds / PARTS;
    let between = |from: f64, to: f64| -> Vec<Point> {
        let is_within = |point: &&Point| (from..to).contains(&point.second);
        points.iter().filter(is_within).copied().collect()
    };
    let (early, late, warm) = (
        between(part, 2.0 * part),
        between(4.0 * part, f64::INFINITY),
        between(part, f64::INFINITY),
    );
    if early.len() < FEWEST_POINTS || late.len() < FEWEST_POINTS {
        return None;
    }
    let values = |points: &[Point]| Summary::of(points.iter().map(|point| point.value));
    let (early, late, all) = (values(&early)?, values(&late)?, values(&warm)?);
    let Tolerance { absolute, share } = series.tolerance();
    let allowed_rise = absolute.max(share * early.median);
    let rise_of_line = rise_of_line(&warm)?;
    let is_allowed = |rise: f64| rise <= allowed_rise && (!series.must_not_fall() || -rise <= allowed_rise);
    Some(Judgement {
        series,
        median_of_second_fifth: early.median,
        median_of_last_fifth: late.median,
        rise_of_line,
        allowed_rise,
        min: all.min,
        max: all.max,
        is_flat: is_allowed(rise_of_line) && is_allowed(late.median - early.median),
    })
}

/// What the line of least squares rises from the first to the last point; nothing if all were read at once.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 points")]
fn rise_of_line(points: &[Point]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |value: fn(&Point) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (mean_second, mean_value) = (mean(|point| point.second), mean(|point| point.value));
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        let terms = points
            .iter()
            .map(|point| term(point.second - mean_second, point.value - mean_value));
        terms.sum()
    };
    let spread = sum(&|second, _| second * second);
    let slope = sum(&|second, value| second * value) / spread;
    let span = points.last()?.second - points.first()?.second;
    (spread > 0.0).then_some(slope * span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: f64 = 600.0;

    /// A point every five seconds.
    fn points(value: impl Fn(f64) -> f64) -> Vec<Point> {
        let seconds = (0..120).map(|number| f64::from(number) * 5.0);
        let point = |second| Point {
            second,
            value: value(second),
        };
        seconds.map(point).collect()
    }

    /// Between -1 and 1, without a trend.
    fn noise(second: f64) -> f64 {
        (second * 12.9898).sin()
    }

    fn is_flat(series: Series, value: impl Fn(f64) -> f64) -> bool {
        judge(series, &points(value), SECONDS).unwrap().is_flat
    }

    #[test]
    fn a_noisy_series_without_a_trend_passes() {
        for series in Series::ALL {
            let amplitude = series.tolerance().absolute.max(20.0 * series.tolerance().share);
            assert!(
                is_flat(series, |second| 100.0 + amplitude * noise(second)),
                "{series:?}"
            );
        }
    }

    #[test]
    fn a_leak_is_found_in_every_series_however_noisy() {
        for series in Series::ALL {
            // Over the four fifths that count, twice what is allowed.
            let tolerance = series.tolerance();
            let leak = 2.0 * tolerance.absolute.max(tolerance.share * 100.0) / (0.8 * SECONDS);
            let value = |second: f64| 100.0 + leak * second + tolerance.absolute * noise(second);
            assert!(!is_flat(series, value), "{series:?}");
        }
    }

    #[test]
    fn what_rises_while_warming_up_is_no_leak() {
        let value = |second: f64| 50.0 + second.min(SECONDS / 5.0);
        assert!(is_flat(Series::ResidentMemoryMib, value));
        assert!(!is_flat(Series::ResidentMemoryMib, |second| 50.0 + second.min(SECONDS / 2.0)));
    }

    #[test]
    fn a_step_that_stays_is_found() {
        let value = |second: f64| if second > SECONDS * 0.7 { 20.0 } else { 10.0 };
        assert!(!is_flat(Series::OpenHandles, value));
    }

    #[test]
    fn a_single_spike_is_no_leak() {
        let spike = |second: f64| {
            if second.to_bits() == 550.0_f64.to_bits() {
                60.0
            } else {
                50.0
            }
        };
        assert!(is_flat(Series::ResidentMemoryMib, spike));
    }

    #[test]
    fn a_fall_spoils_only_the_size_of_the_table() {
        let falls = |second: f64| 1000.0 - second;
        assert!(is_flat(Series::PreparedStatements, falls));
        assert!(!is_flat(Series::Users, falls));
    }

    #[test]
    fn the_line_is_that_of_least_squares() {
        let rise = rise_of_line(&points(|second| 3.0 + 0.1 * second)).unwrap();
        assert!((rise - 59.5).abs() < 1e-9, "{rise}");
        // By hand: slope 1.5 through (0, 1), (1, 2), (2, 4).
        let three = [(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)].map(|(second, value)| Point { second, value });
        assert!((rise_of_line(&three).unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_points_are_not_judged() {
        assert_eq!(judge(Series::Threads, &points(|_| 1.0)[..40], SECONDS), None);
        assert_eq!(judge(Series::Threads, &[], SECONDS), None);
    }
}
