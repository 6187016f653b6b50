//! Minimum, median and maximum of a few rounds.

use serde::{Deserialize, Serialize};

/// What the rounds of a measurement came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// That of these values; nothing if there are none, or one is not a number.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let upper = values.get(values.len() / 2)?;
        let lower = values.get((values.len() - 1) / 2)?;
        Some(Self {
            min: *values.first()?,
            median: f64::midpoint(*lower, *upper),
            max: *values.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_of_rounds_is_the_middle_one() {
        let summary = Summary::of([3.0, 1.0, 10.0]).unwrap();
        assert_eq!((summary.min, summary.median, summary.max), (1.0, 3.0, 10.0));
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_lies_between_the_middle_two() {
        let summary = Summary::of([4.0, 1.0, 2.0, 100.0]).unwrap();
        assert!((summary.median - 3.0).abs() < 1e-9, "{summary:?}");
    }

    #[test]
    fn without_rounds_or_with_a_division_by_zero_there_is_no_summary() {
        assert_eq!(Summary::of([]), None);
        assert_eq!(Summary::of([1.0, f64::INFINITY]), None);
        assert_eq!(Summary::of([f64::NAN]), None);
    }
}
