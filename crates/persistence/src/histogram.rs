//! Counting how long or how large things were, without locks. Who renders the counts decides what they are called.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How often a value fell below each of some bounds. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By upper bound, ascending; the last is infinite.
    buckets: Vec<(f64, AtomicU64)>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these inclusive upper bounds, ascending; everything beyond them is counted as well.
    #[must_use]
    pub fn new(upper_bounds: &[f64]) -> Self {
        let bounds = upper_bounds.iter().copied().chain([f64::INFINITY]);
        Self(Arc::new(Inner {
            buckets: bounds.map(|bound| (bound, AtomicU64::new(0))).collect(),
            sum: AtomicU64::new(0.0_f64.to_bits()),
        }))
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let Some((_, count)) = self.0.buckets.iter().find(|(bound, _)| value <= *bound) else {
            return; // not a number
        };
        count.fetch_add(1, Ordering::Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // It fails only if `add` declines, which it never does.
        let _ = self.0.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// How many values fell into each bucket, by its upper bound.
    #[must_use]
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let load = |(bound, count): &(f64, AtomicU64)| (*bound, count.load(Ordering::Relaxed));
        self.0.buckets.iter().map(load).collect()
    }

    /// All values together.
    #[must_use]
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_and_including_the_bound() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        for value in [0.0, 0.5, 0.75, 1.0, 7.0, f64::NAN] {
            histogram.observe(value);
        }
        assert_eq!(histogram.buckets(), [(0.5, 2), (1.0, 2), (f64::INFINITY, 1)]);
        assert!((histogram.sum() - 9.25).abs() < f64::EPSILON);
    }
}
