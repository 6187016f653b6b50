//! Watches, while the server runs, which read replicas are fresh enough to be asked.

use persistence::Database;
use tokio::task::JoinHandle;

/// A task that watches the replicas until this is dropped. Without replicas it has nothing to do and ends at once.
#[derive(Debug)]
pub(crate) struct ReplicaWatch(JoinHandle<()>);

impl ReplicaWatch {
    /// Begins on the runtime of the caller.
    pub(crate) fn start(database: &Database) -> Self {
        let database = database.clone();
        Self(tokio::spawn(async move { database.watch_replicas().await }))
    }
}

impl Drop for ReplicaWatch {
    fn drop(&mut self) {
        // What it has sent is given up on; its connections are its own, and closed with the others.
        self.0.abort();
    }
}
