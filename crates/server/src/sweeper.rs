//! Clears away, while the server runs, what has had its time.

use std::time::Duration;

use service::UserService;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The longest time between two sweeps.
const LONGEST_INTERVAL: Duration = Duration::from_mins(10);

/// How long a statement under way may take to end when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A task that deletes expired idempotency keys. The server that starts it also stops it.
#[derive(Debug)]
pub(crate) struct Sweeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sweeper {
    /// Starts sweeping. Several instances over one database may all do so: what one has deleted the others pass over.
    pub(crate) fn start(users: UserService, time_to_live: Duration) -> Self {
        let stop = CancellationToken::new();
        let interval = (time_to_live / 2).min(LONGEST_INTERVAL);
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            let sweep_again_and_again = async {
                loop {
                    sleep(interval).await;
                    sweep(&users).await;
                }
            };
            tokio::select! {
                () = stopped => {}
                () = sweep_again_and_again => {}
            }
        });
        Self { stop, task }
    }

    /// Stops sweeping, between two statements.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if timeout(STOP_PATIENCE, self.task).await.is_err() {
            tracing::warn!("a sweep did not end in time");
        }
    }
}

async fn sweep(users: &UserService) {
    match users.sweep_idempotency_keys().await {
        Ok(0) => {}
        Ok(swept) => tracing::debug!(swept, "forgot expired idempotency keys"),
        Err(error) => tracing::warn!(
            reason = api::error_chain(&error),
            "cannot clear expired idempotency keys away; the next sweep will try again"
        ),
    }
}
