//! The arithmetic of the limit: GCRA, the generic cell rate algorithm, in its form as a continuous-state leaky bucket
//! (ITU-T Recommendation I.371, annex A).
//!
//! What a client has used up drains away evenly. A request is let in if what it adds still fits, and adds nothing
//! otherwise. Levels are counted in microseconds × requests, so that neither a division nor a rounding is needed, and a
//! count in this process agrees with one in Redis to the last request.

use std::time::Duration;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// How many requests a client may make in which time: all at once after a pause, and evenly in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    requests: u32,
    window_seconds: u32,
}

impl Quota {
    /// The most requests in a window.
    pub const MAX_REQUESTS: u32 = 1_000_000;

    /// The longest window.
    pub const MAX_WINDOW: Duration = Duration::from_hours(24);

    /// `requests` in each `window`: 1 to [`Self::MAX_REQUESTS`] in whole seconds from 1 to [`Self::MAX_WINDOW`]. Nothing
    /// where either is out of bounds.
    #[must_use]
    pub fn new(requests: u32, window: Duration) -> Option<Self> {
        let is_accepted = (1..=Self::MAX_REQUESTS).contains(&requests)
            && (Duration::from_secs(1)..=Self::MAX_WINDOW).contains(&window)
            && window.subsec_nanos() == 0;
        let window_seconds = u32::try_from(window.as_secs()).ok()?;
        is_accepted.then_some(Self {
            requests,
            window_seconds,
        })
    }

    /// How many requests.
    #[must_use]
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// In how many seconds.
    #[must_use]
    pub fn window_seconds(self) -> u32 {
        self.window_seconds
    }

    /// What a request adds to the level of a bucket.
    pub(super) fn weight(self) -> u64 {
        u64::from(self.window_seconds) * MICROS_PER_SECOND
    }

    /// The level of a bucket that takes no more. At most 8.64 × 10^16, far from what a `u64` holds.
    pub(super) fn capacity(self) -> u64 {
        u64::from(self.requests) * self.weight()
    }

    /// Lets a request in at this time, or refuses it; and what becomes of the bucket. A clock that goes back costs the
    /// client what would have drained since.
    pub(super) fn take(self, bucket: Bucket, now_micros: u64) -> (Bucket, Decision) {
        let elapsed_micros = now_micros.saturating_sub(bucket.at_micros);
        let drained = elapsed_micros.saturating_mul(u64::from(self.requests));
        let level = bucket.level.saturating_sub(drained);
        let is_allowed = level + self.weight() <= self.capacity();
        let level = if is_allowed { level + self.weight() } else { level };
        let bucket = Bucket {
            level,
            at_micros: now_micros,
        };
        (bucket, self.decision(is_allowed, level))
    }

    /// What there is to say when this is the level after a request.
    pub(super) fn decision(self, is_allowed: bool, level: u64) -> Decision {
        let free = self.capacity().saturating_sub(level);
        let until_next = self.weight() - free % self.weight();
        Decision {
            is_allowed,
            remaining: free / self.weight(),
            next_in_seconds: until_next.div_ceil(u64::from(self.requests) * MICROS_PER_SECOND),
        }
    }
}

/// What a client has used up, as of a time. The default is a client that was never seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    level: u64,
    at_micros: u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) is_allowed: bool,
    /// How many requests would be let in now.
    pub(super) remaining: u64,
    /// Seconds, rounded up, until that is one more; at least 1.
    pub(super) next_in_seconds: u64,
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::{RateLimiter, clock::FakeRelativeClock};
    use proptest::prelude::*;

    use super::*;

    const MICROS: u64 = MICROS_PER_SECOND;

    fn quota(requests: u32, seconds: u64) -> Quota {
        Quota::new(requests, Duration::from_secs(seconds)).unwrap()
    }

    /// Decisions on requests at these times, from a bucket that was never used.
    fn decisions(quota: Quota, times: impl IntoIterator<Item = u64>) -> Vec<(bool, u64, u64)> {
        let mut bucket = Bucket::default();
        let decide = |now| {
            let (next, decision) = quota.take(bucket, now);
            bucket = next;
            (decision.is_allowed, decision.remaining, decision.next_in_seconds)
        };
        times.into_iter().map(decide).collect()
    }

    #[test]
    fn a_burst_of_the_whole_quota_is_let_in_and_no_more() {
        assert_eq!(
            decisions(quota(3, 60), [0, 0, 0, 0, 0]),
            [
                (true, 2, 20),
                (true, 1, 20),
                (true, 0, 20),
                (false, 0, 20),
                (false, 0, 20)
            ]
        );
    }

    #[test]
    fn a_token_comes_back_after_its_share_of_the_window_and_not_before() {
        let (second, last) = (20 * MICROS, 20 * MICROS - 1);
        assert_eq!(
            decisions(
                quota(3, 60),
                [0, 0, 0, last, second, second, 2 * second - 1, 2 * second]
            )[3..],
            [
                (false, 0, 1),
                (true, 0, 20),
                (false, 0, 20),
                (false, 0, 1),
                (true, 0, 20)
            ]
        );
    }

    #[test]
    fn after_a_window_of_rest_the_bucket_is_full_again() {
        let times = std::iter::repeat_n(0, 100).chain(std::iter::repeat_n(60 * MICROS, 101));
        let allowed = decisions(quota(100, 60), times).iter().filter(|it| it.0).count();
        assert_eq!(allowed, 200);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let hour = 3600 * MICROS;
        assert_eq!(
            decisions(quota(1, 10), [hour, 0, 10 * MICROS]),
            [(true, 0, 10), (false, 0, 10), (true, 0, 10)]
        );
    }

    #[test]
    fn a_quota_has_bounds() {
        for (requests, seconds) in [(1, 1), (1_000_000, 86_400)] {
            assert_eq!(
                quota(requests, seconds).capacity(),
                u64::from(requests) * seconds * MICROS
            );
        }
        let refused = [
            (0, 1000),
            (1_000_001, 1000),
            (1, 0),
            (1, 999),
            (1, 1500),
            (1, 86_401_000),
        ];
        for (requests, millis) in refused {
            assert_eq!(
                Quota::new(requests, Duration::from_millis(millis)),
                None,
                "{requests} {millis}"
            );
        }
    }

    proptest! {
        /// The crate `governor` is a proven implementation of the same algorithm, in its other form.
        #[test]
        fn the_decisions_are_those_of_governor(
            // Quotas whose tokens come at whole nanoseconds, since governor would round them.
            requests in prop::sample::select(vec![1, 2, 4, 5, 10, 50, 125, 1000]),
            seconds in 1..1000_u64,
            // Pauses around the time of a token, in thousandths of it.
            pauses in prop::collection::vec(0..2500_u64, 1..200),
        ) {
            let (clock, quota) = (FakeRelativeClock::default(), quota(requests, seconds));
            let token = Duration::from_secs(seconds) / requests;
            let theirs = governor::Quota::with_period(token).unwrap().allow_burst(NonZeroU32::new(requests).unwrap());
            let theirs = RateLimiter::direct_with_clock(theirs, clock.clone());
            // To whole microseconds, the units of ours.
            let token_micros = u64::try_from(token.as_micros()).unwrap();
            let pauses: Vec<_> = pauses.iter().map(|pause| pause * token_micros / 1000).collect();
            let mut now = 0;
            let times = pauses.iter().map(|pause| { now += pause; now });
            for (pause, (is_allowed, ..)) in pauses.iter().zip(decisions(quota, times)) {
                clock.advance(Duration::from_micros(*pause));
                prop_assert_eq!(is_allowed, theirs.check().is_ok());
            }
        }
    }
}
