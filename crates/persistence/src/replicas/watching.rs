//! Finds out how old each replica is, and says in the log what has changed. Why it is done this way stands in the module above.

use std::{
    error::Error,
    mem,
    sync::{MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use domain::Timestamp;
use futures_util::future::{join, join_all};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Replica, Replicas};
use crate::{
    DatabaseOptions, PersistenceError,
    beat::{BeatRepository, Beats},
    engine,
};

/// This many beats are written while a replica goes from just seen to too old.
const BEATS_IN_LAG: u32 = 5;

/// Beats come at most this far apart, however old a replica may be.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// And at least this far.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(20);

/// How long a replica may take to show its beat, and to let us connect for that.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// For so long at most, instead of `max_lag`, beats may be missing before the log says so: who tolerates old data still wants to
/// know.
const LONGEST_GRACE: Duration = Duration::from_secs(10);

/// Beats of processes that ended this long ago are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// That is looked for once in so many beats.
const FORGET_EVERY: i64 = 10_000;

/// How it stands with a replica.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Used,
    Behind,
    Unreachable,
}

impl Replicas {
    /// Keeps finding out how old each replica is, and says in the log when one is left out or used again. Never completes.
    ///
    /// Dropping the future ends it; from then on all replicas age out.
    pub(crate) async fn watch(&self) {
        let instance = i64::from_ne_bytes(rand::random::<[u8; 8]>()) & i64::MAX;
        let period = self.period();
        let beating = async {
            let mut ticks = ticks(period);
            let (mut failing_since, mut is_reported) = (None, false);
            loop {
                ticks.tick().await;
                match self.beat(instance).await {
                    Ok(()) => {
                        self.beating_since().get_or_insert_with(Instant::now);
                        failing_since = None;
                        if mem::take(&mut is_reported) {
                            tracing::info!(
                                "beats can be written to the primary again; replicas are used once they show one"
                            );
                        }
                    }
                    Err(error) => {
                        *self.beating_since() = None;
                        let since = failing_since.get_or_insert_with(Instant::now);
                        if !is_reported && since.elapsed() >= self.grace() {
                            is_reported = true;
                            self.report_missing_beats(&error).await;
                        }
                    }
                }
            }
        };
        let looking = join_all(self.0.replicas.iter().map(|replica| async move {
            let mut ticks = ticks(period);
            let mut reported = None;
            loop {
                ticks.tick().await;
                let failure = self.look(replica, instance).await.err();
                let standing = match failure {
                    _ if self.is_used(replica) => Standing::Used,
                    Some(_) => Standing::Unreachable,
                    None if self.had_time_to_show_a_beat() => Standing::Behind,
                    // It shows none because there is none: that is no fault of its own.
                    None => continue,
                };
                if reported.replace(standing) != Some(standing) {
                    self.report(replica, standing, failure).await;
                }
            }
        }));
        join(beating, looking).await;
    }

    /// For how long beats may be missing before the log says so.
    fn grace(&self) -> Duration {
        self.0.max_lag.min(LONGEST_GRACE)
    }

    /// Whether beats have been written for so long that a replica which shows none has itself to blame.
    fn had_time_to_show_a_beat(&self) -> bool {
        let since = *self.beating_since();
        since.is_some_and(|since| since.elapsed() >= self.grace())
    }

    /// How far beats are apart.
    fn period(&self) -> Duration {
        (self.0.max_lag / BEATS_IN_LAG).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    async fn beat(&self, instance: i64) -> Result<(), PersistenceError> {
        let (beat, began) = (self.beats().next(), Instant::now());
        let beats = BeatRepository::new(&self.0.primary);
        within_patience(beats.write(instance, beat, Timestamp::now())).await?;
        self.beats().note(beat, began);
        if beat % FORGET_EVERY == 1 {
            let oldest = Timestamp::now().saturating_sub(FORGOTTEN_AFTER);
            if let Err(error) = within_patience(beats.forget(oldest)).await {
                tracing::debug!(%error, "the beats of processes that ended long ago could not be forgotten");
            }
        }
        Ok(())
    }

    /// Finds out how old a replica is.
    async fn look(&self, replica: &Replica, instance: i64) -> Result<(), PersistenceError> {
        match within_patience(BeatRepository::new(&replica.probe).find(instance)).await {
            Ok(beat) => {
                let began = beat.and_then(|beat| self.beats().began(beat));
                if let Some(began) = began {
                    let as_of = began.saturating_duration_since(self.0.epoch).as_micros();
                    let as_of = u64::try_from(as_of).unwrap_or(u64::MAX).max(1);
                    replica.current_as_of.fetch_max(as_of, Ordering::Relaxed);
                }
                Ok(())
            }
            Err(error) => {
                replica.leave_out();
                Err(error)
            }
        }
    }

    async fn report_missing_beats(&self, failure: &PersistenceError) {
        let cause = cause(failure, &self.0.primary_options).await;
        tracing::warn!(
            cause,
            max_lag = ?self.0.max_lag,
            "no beat can be written to the primary; replicas are left out as they come to be older than REPLICA_MAX_LAG; check \
             that it runs, and that its account may write to replication_beats"
        );
    }

    async fn report(&self, replica: &Replica, standing: Standing, failure: Option<PersistenceError>) {
        let name = &replica.name;
        match standing {
            Standing::Used => tracing::info!(replica = name, "reads go to the replica"),
            Standing::Unreachable => {
                let cause = match &failure {
                    Some(failure) => Some(cause(failure, &replica.probe_options).await),
                    None => None,
                };
                tracing::warn!(
                    replica = name,
                    cause,
                    "the replica cannot be asked; reads go elsewhere; check that it runs, and its address in DATABASE_REPLICA_URLS"
                );
            }
            Standing::Behind => {
                let (age, max_lag) = (self.age(replica), self.0.max_lag);
                tracing::warn!(
                    replica = name,
                    ?age,
                    ?max_lag,
                    "the replica lags; reads go elsewhere; check that it replicates the primary, and how fast"
                );
            }
        }
    }

    // No code panics while it holds one of these locks, so what they hold is whole.

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beating_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.beating_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a server could not be asked, for the log. A pool that got no connection says only that it waited in vain; one more try
/// past the pool, bounded like that wait, says why. An error itself advises about the primary; what is behind it holds for all.
async fn cause(failure: &PersistenceError, options: &DatabaseOptions) -> String {
    let waited_in_vain = matches!(
        failure,
        PersistenceError::NoAnswer(_) | PersistenceError::Unavailable(_)
    );
    let retried = if waited_in_vain {
        engine::try_connection(options).await.err()
    } else {
        None
    };
    innermost(retried.as_ref().unwrap_or(failure)).to_string()
}

/// What an error was caused by in the first place.
fn innermost(error: &PersistenceError) -> &(dyn Error + 'static) {
    let mut error: &(dyn Error + 'static) = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// What a question ends with that must not take long.
async fn within_patience<T>(
    question: impl Future<Output = Result<T, PersistenceError>>,
) -> Result<T, PersistenceError> {
    let answer = timeout(PROBE_PATIENCE, question).await;
    answer.unwrap_or(Err(PersistenceError::NoAnswer(PROBE_PATIENCE)))
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
