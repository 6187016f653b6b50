//! Keeps the timeline of the pools up to date while there is a console to show it.

use api::Console;
use tokio::task::JoinHandle;

/// A task that looks at the pools until this is dropped; none where there is no console.
#[derive(Debug)]
pub(crate) struct ConsoleWatch(Option<JoinHandle<()>>);

impl ConsoleWatch {
    /// Begins on the runtime of the caller.
    pub(crate) fn start(console: Option<&Console>) -> Self {
        let console = console.cloned();
        Self(console.map(|console| tokio::spawn(async move { console.watch_pools().await })))
    }
}

impl Drop for ConsoleWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            // It only counts, so it can end anywhere.
            task.abort();
        }
    }
}
