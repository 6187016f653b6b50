//! The coalescers over a store whose statements begin and end when the test says so.

mod reads;
mod writes;

use std::time::Duration;

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};

use super::CoalescingOptions;
use crate::{DatabaseRuntime, RuntimeStopped};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const ONE_BATCH: CoalescingOptions = CoalescingOptions {
    max_batches: 1,
    max_members: 100,
    patience: PATIENCE,
};

/// Why a store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It was asked for something that it refuses.
    Refused,
    /// Nobody knows what happened.
    Lost,
    /// The program is ending.
    Stopped,
}

impl From<RuntimeStopped> for Failure {
    fn from(_: RuntimeStopped) -> Self {
        Self::Stopped
    }
}

/// Lets statements end, as many as it is told.
struct Gate(Semaphore);

impl Gate {
    fn closed() -> Self {
        Self(Semaphore::new(0))
    }

    fn open(&self) {
        self.let_through(1_000_000);
    }

    fn let_through(&self, statements: usize) {
        self.0.add_permits(statements);
    }

    async fn pass(&self) {
        timeout(PATIENCE, self.0.acquire()).await.unwrap().unwrap().forget();
    }
}

fn runtime() -> DatabaseRuntime {
    DatabaseRuntime::new(Handle::current())
}

fn another_runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

async fn ended<T>(task: JoinHandle<T>) -> T {
    timeout(PATIENCE, task).await.unwrap().unwrap()
}
