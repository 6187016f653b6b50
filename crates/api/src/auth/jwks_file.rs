//! A JWK set in a file that whoever deploys the service replaces while it runs.
//!
//! There is no task that watches: a request that needs the keys, and finds that nobody has looked for a second, looks. The
//! file is small, so it is read and compared as a whole. That finds every change: rewritten in place, renamed over, or
//! behind a symbolic link that now leads elsewhere, as Kubernetes does it.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, Semaphore, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{JwksError, keys::KeySet};
use crate::problem::error_chain;

/// How old what is known of the file may be.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long those who miss a key wait for each other, so that they share one look.
const SHARED_LOOK_DELAY: Duration = Duration::from_millis(50);

/// The most requests that wait for a second look at once. Anybody can make tokens that ask for one, and each holds a place
/// among the requests in progress meanwhile.
const MOST_SECOND_LOOKS: usize = 64;

/// How long a request waits for the disk before it goes on with the keys that are known.
const PATIENCE: Duration = Duration::from_secs(1);

const LARGEST_FILE_BYTES: u64 = 1024 * 1024;

/// The keys in a file. Readers never wait for each other.
#[derive(Debug)]
pub(super) struct JwksFile {
    keys: watch::Receiver<Arc<KeySet>>,
    /// Whoever looks has it, on a thread that may block.
    reader: Arc<Mutex<Reader>>,
    second_looks: Semaphore,
}

#[derive(Debug)]
struct Reader {
    path: PathBuf,
    looked_at: Instant,
    /// What the last look found, good or bad.
    seen: Result<Vec<u8>, String>,
    keys: watch::Sender<Arc<KeySet>>,
}

impl JwksFile {
    /// Reads the file, without which there is nothing to start with. Blocks the thread for as long as the disk takes.
    pub(super) fn open(path: &Path) -> Result<Self, JwksError> {
        let looked_at = Instant::now();
        let document = read(path)?;
        let (sender, keys) = watch::channel(Arc::new(KeySet::parse(&document)?));
        let reader = Reader {
            path: path.to_owned(),
            looked_at,
            seen: Ok(document),
            keys: sender,
        };
        reader.announce();
        Ok(Self {
            keys,
            reader: Arc::new(Mutex::new(reader)),
            second_looks: Semaphore::new(MOST_SECOND_LOOKS),
        })
    }

    /// The keys as the file had them a second ago at most.
    pub(super) async fn keys(&self) -> Arc<KeySet> {
        // While somebody else looks, the keys that are known will do.
        if let Ok(reader) = self.reader.clone().try_lock_owned()
            && reader.looked_at.elapsed() >= LOOK_INTERVAL
        {
            look(reader).await;
        }
        self.known()
    }

    /// The keys as the file has them now, for a token that no known key fits. The look is put off a little and shared, so that
    /// tokens of unknown keys cannot keep the disk busy; and where too many wait for it, the keys that are known have to do.
    pub(super) async fn latest_keys(&self) -> Arc<KeySet> {
        let Ok(_waiting) = self.second_looks.try_acquire() else {
            return self.known();
        };
        let asked_at = Instant::now();
        sleep(SHARED_LOOK_DELAY).await;
        if let Ok(reader) = timeout(PATIENCE, self.reader.clone().lock_owned()).await
            && reader.looked_at < asked_at
        {
            look(reader).await;
        }
        self.known()
    }

    fn known(&self) -> Arc<KeySet> {
        self.keys.borrow().clone()
    }
}

/// Looks at the file, where blocking is allowed. The lock travels along, so a disk that hangs holds up one thread, not more.
async fn look(mut reader: OwnedMutexGuard<Reader>) {
    // Whether it comes to an end in time or not: the known keys go on to serve.
    let _ = timeout(PATIENCE, spawn_blocking(move || reader.look())).await;
}

impl Reader {
    fn look(&mut self) {
        self.looked_at = Instant::now();
        let found = read(&self.path).map_err(|error| error_chain(&error));
        if found == self.seen {
            return;
        }
        let keys = match &found {
            Ok(document) => KeySet::parse(document).map_err(|error| error_chain(&error)),
            Err(reason) => Err(reason.clone()),
        };
        self.seen = found;
        match keys {
            Ok(keys) => {
                self.keys.send_replace(Arc::new(keys));
                self.announce();
            }
            Err(reason) => tracing::warn!(
                file = %self.path.display(),
                reason,
                "the keys for tokens cannot be read again; those known so far stay in force"
            ),
        }
    }

    fn announce(&self) {
        let keys = self.keys.borrow();
        tracing::info!(file = %self.path.display(), usable = keys.usable(), ignored = keys.ignored(), "read the keys for tokens");
    }
}

fn read(path: &Path) -> Result<Vec<u8>, JwksError> {
    let unreadable = |error: io::Error| JwksError::Unreadable(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    let mut document = Vec::new();
    let mut bounded = file.take(LARGEST_FILE_BYTES + 1);
    bounded.read_to_end(&mut document).map_err(unreadable)?;
    if bounded.limit() == 0 {
        return Err(JwksError::TooLarge(LARGEST_FILE_BYTES));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn where_too_many_wait_for_a_look_the_known_keys_have_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // From RFC 8037 appendix A.2.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x}]});
        std::fs::write(file.path(), set.to_string()).unwrap();
        let keys = JwksFile::open(file.path()).unwrap();
        assert!(keys.latest_keys().now_or_never().is_none(), "it takes a moment");
        let most = u32::try_from(MOST_SECOND_LOOKS).unwrap();
        let waiting = keys.second_looks.try_acquire_many(most).unwrap();
        assert!(keys.latest_keys().now_or_never().is_some());
        drop(waiting);
        assert!(keys.latest_keys().now_or_never().is_none());
    }
}
