//! The threads on which database work runs, and what keeps them from being woken in vain.
//!
//! A request that is alone spends more time on waking threads than on anything that they then do. Both measures here come
//! from following who wakes whom; `docs/benchmarks/profile.md` has the numbers.

use std::{num::NonZero, thread::available_parallelism, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Sooner than the time-outs that each statement sets are due, unless `DB_POOL_TIMEOUT` is very short, and rarely enough that
/// nobody notices.
const PULSE: Duration = Duration::from_millis(100);

/// The runtime of the process, which database sockets live on, with half as many threads as the machine has cores, rounded
/// up.
///
/// The other half of a request is HTTP, which has threads of its own. A thread of this runtime that finds work wakes another
/// one, in case there is more. Where cores are idle that costs little; where there are none to spare, it takes the time of
/// those who have something to do. It was measured on two cores, where half of them is one thread and nobody is left to be
/// woken.
///
/// # Errors
/// When the operating system refuses threads.
// ANCHOR: runtime
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(2))
        .enable_all()
        .build()
}
// ANCHOR_END: runtime

/// A timer that is always due soon, until this is dropped.
///
/// When a timer is set that is due before all others, tokio (1.54) wakes the thread that sleeps until the first of them is,
/// so that it sleeps less long. Every statement sets some, for waiting no longer than allowed, and nearly all are cancelled
/// before they are due. This one is due before them, so they wake nobody.
#[derive(Debug)]
pub(crate) struct Pulse(JoinHandle<()>);

impl Pulse {
    /// Begins on the runtime of the caller.
    pub(crate) fn start() -> Self {
        Self(tokio::spawn(async {
            let mut pulse = interval(PULSE);
            // A process that was stopped for an hour has nothing to make up for.
            pulse.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                pulse.tick().await;
            }
        }))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_database_thread_for_every_two_cores_and_at_least_one() {
        let cores = available_parallelism().unwrap().get();
        let threads = runtime().unwrap().metrics().num_workers();
        assert!(
            threads >= 1 && (threads == cores / 2 || threads == cores / 2 + 1),
            "{threads} for {cores}"
        );
    }

    #[tokio::test]
    async fn the_pulse_ends_when_it_is_dropped() {
        let pulse = Pulse::start();
        let task = pulse.0.abort_handle();
        assert!(!task.is_finished());
        drop(pulse);
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
