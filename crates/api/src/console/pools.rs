//! How busy the pools were, tenth of a second by tenth of a second.
//!
//! A connection is often borrowed for less than a millisecond, which no regular look would notice. So the pools are looked
//! at whenever a connection has been borrowed as well, and of each tenth of a second the busiest moment counts.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use serde::Serialize;
use service::PoolStatus;

use super::lock;

/// The width of a slice of time.
const SLICE_MICROS: u64 = 100_000;
/// Two minutes.
const MAX_SLICES: usize = 1200;

/// The pools over the last minutes.
#[derive(Debug, Default)]
pub(super) struct PoolHistory(Mutex<VecDeque<Slice>>);

/// A tenth of a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Slice {
    /// When it began, in microseconds since the console began.
    pub(super) at_us: u64,
    pub(super) pools: Vec<Busy>,
}

/// How busy a pool was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Busy {
    pub(super) name: String,
    /// The most connections that executed something at one of the moments when somebody looked.
    pub(super) in_use: u32,
    /// Connections that were open, in use or not, when somebody last looked.
    pub(super) open: u32,
    pub(super) max: u32,
}

impl PoolHistory {
    // ANCHOR: note
    /// Notes how busy the pools are at `now_micros`.
    pub(super) fn note(&self, now_micros: u64, pools: &[PoolStatus]) {
        let at_us = now_micros - now_micros % SLICE_MICROS;
        let mut slices = self.slices();
        match slices.back_mut() {
            // Of two who look at once the later one may come first.
            Some(last) if last.at_us >= at_us => last.merge(pools),
            Some(_) | None => {
                if slices.len() == MAX_SLICES {
                    slices.pop_front();
                }
                slices.push_back(Slice::new(at_us, pools));
            }
        }
    }
    // ANCHOR_END: note

    /// The slices that began at `at_us` or later, the oldest first. The last one may still change.
    pub(super) fn since(&self, at_us: u64) -> Vec<Slice> {
        let slices = self.slices();
        let known = slices.partition_point(|slice| slice.at_us < at_us);
        slices.range(known..).cloned().collect()
    }

    fn slices(&self) -> MutexGuard<'_, VecDeque<Slice>> {
        lock(&self.0)
    }
}

impl Slice {
    fn new(at_us: u64, pools: &[PoolStatus]) -> Self {
        let busy = |pool: &PoolStatus| Busy {
            name: pool.name.to_string(),
            in_use: pool.in_use,
            open: pool.in_use + pool.idle,
            max: pool.max,
        };
        Self {
            at_us,
            pools: pools.iter().map(busy).collect(),
        }
    }

    fn merge(&mut self, pools: &[PoolStatus]) {
        for (busy, pool) in self.pools.iter_mut().zip(pools) {
            busy.in_use = busy.in_use.max(pool.in_use);
            busy.open = pool.in_use + pool.idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(in_use: u32, idle: u32) -> [PoolStatus; 1] {
        [PoolStatus {
            name: "primary".into(),
            max: 5,
            in_use,
            idle,
        }]
    }

    #[test]
    fn of_a_slice_the_busiest_moment_counts() {
        let history = PoolHistory::default();
        for (at, in_use) in [(10, 1), (20, 3), (99_999, 0), (100_000, 2)] {
            history.note(at, &pool(in_use, 1));
        }
        let shown = |since| {
            let slices = history.since(since);
            let shown = slices
                .iter()
                .map(|slice| (slice.at_us, slice.pools[0].in_use, slice.pools[0].open));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(shown(0), [(0, 3, 1), (100_000, 2, 3)]);
        assert_eq!(shown(100_000), [(100_000, 2, 3)]);
    }

    #[test]
    fn two_minutes_are_kept() {
        let history = PoolHistory::default();
        for slice in 0..2000 {
            history.note(slice * SLICE_MICROS, &pool(0, 0));
        }
        let slices = history.since(0);
        assert_eq!((slices.len(), slices[0].at_us), (MAX_SLICES, 800 * SLICE_MICROS));
    }
}
