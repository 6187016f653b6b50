//! The account of an import, which those who write its chunks keep, and which is logged in the end.

use std::sync::{Arc, Mutex, PoisonError};

use super::ImportProgress;
use crate::Counter;

/// Cloning shares the account. The last of those who share it leaves the log line: an import that is dropped still has a
/// chunk under way, which may yet commit.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Account>);

struct Account {
    entries: Mutex<Entries>,
    imported: Counter,
}

#[derive(Default)]
struct Entries {
    progress: ImportProgress,
    is_complete: bool,
}

impl Ledger {
    /// An empty account. `imported` counts the users of all imports.
    pub(super) fn new(imported: Counter) -> Self {
        Self(Arc::new(Account {
            entries: Mutex::default(),
            imported,
        }))
    }

    /// Takes note of a chunk that was decided on, `created` of whose rows were committed.
    pub(super) fn decided(&self, received: usize, created: usize) {
        let (received, created) = (received as u64, created as u64);
        let progress = &mut self.0.entries.lock().unwrap_or_else(PoisonError::into_inner).progress;
        progress.received += received;
        progress.created += created;
        progress.rejected += received - created;
        progress.committed_chunks += u64::from(created > 0);
        self.0.imported.add(created);
    }

    pub(super) fn progress(&self) -> ImportProgress {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner).progress
    }

    /// Takes note that every row has been decided on.
    pub(super) fn complete(&self) {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_complete = true;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let Entries { progress, is_complete } = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        let ImportProgress {
            received,
            created,
            rejected,
            committed_chunks,
        } = *progress;
        if *is_complete {
            tracing::info!(received, created, rejected, committed_chunks, "import complete");
        } else if committed_chunks == 0 {
            // Mostly a file that is none. There is nothing to be tidied up after.
            tracing::info!(
                received,
                created,
                rejected,
                committed_chunks,
                "import ended early; nothing was committed"
            );
        } else {
            tracing::warn!(
                received,
                created,
                rejected,
                committed_chunks,
                "import ended early; what was committed stays"
            );
        }
    }
}
