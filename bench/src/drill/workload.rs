//! The clients of a drill: they create, change and read users without a pause worth mentioning, and keep the ledger.

mod creates;
mod reads;
mod updates;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::api::{Api, Outcome};
use super::ledger::{Asked, Ledger};

/// Users that all clients change.
const SHARED_USERS: u64 = 3;
/// Users in a batch.
const BATCH_SIZE: u64 = 20;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(2);
/// The same after a request that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// How long after the end of a load a create with a key may be asked again.
const PATIENCE_FOR_KEYS: Duration = Duration::from_secs(10);

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// Everything, in turn.
    All,
    /// Change the shared users, as fast as it goes.
    SharedUpdates,
}

/// A user as a client was told of it.
#[derive(Clone, Debug)]
struct Known {
    id: i64,
    email: String,
}

/// What the clients share.
struct Shared {
    api: Api,
    ledger: Rc<Ledger>,
    users: RefCell<Vec<Known>>,
    /// When the load was ended.
    ended: Cell<Option<Instant>>,
}

/// The clients. Dropping it ends them in the middle of what they do.
pub(super) struct Workload {
    shared: Rc<Shared>,
    clients: JoinSet<()>,
}

impl Workload {
    /// Creates the shared users, and starts so many clients. Must be called within a `LocalSet`.
    ///
    /// # Errors
    /// When the product does not create the shared users: nothing is broken yet.
    pub(super) async fn start(api: Api, ledger: &Rc<Ledger>, clients: u64, mix: Mix) -> Result<Self> {
        let shared = Rc::new(Shared {
            api,
            ledger: Rc::clone(ledger),
            users: RefCell::default(),
            ended: Cell::default(),
        });
        let mut preparing = RoundOfClient::new(&shared, u64::MAX);
        for _ in 0..SHARED_USERS {
            let known = preparing.create_single(None).await;
            let known = known.context("the product does not create a user though nothing is broken yet")?;
            shared.users.borrow_mut().push(known);
        }
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let client = RoundOfClient::new(&shared, number);
            tasks.spawn_local(client.work(mix));
        }
        Ok(Self { shared, clients: tasks })
    }

    /// Lets the clients finish what they are at. A create with a key is asked again until it is clear.
    ///
    /// # Errors
    /// When a client panicked.
    pub(super) async fn end(mut self) -> Result<()> {
        self.shared.ended.set(Some(Instant::now()));
        while let Some(ended) = self.clients.join_next().await {
            ensure!(ended.is_ok(), "a client of the drill ended in an unexpected way");
        }
        Ok(())
    }
}

/// A client and what it knows.
struct RoundOfClient {
    shared: Rc<Shared>,
    number: u64,
    /// Makes names, keys and addresses of this client unique.
    turn: u64,
    /// The last user that it created, which nobody else changes.
    own: Option<Known>,
}

impl RoundOfClient {
    fn new(shared: &Rc<Shared>, number: u64) -> Self {
        Self {
            shared: Rc::clone(shared),
            number,
            turn: 0,
            own: None,
        }
    }

    async fn work(mut self, mix: Mix) {
        while !self.has_ended() {
            match mix {
                Mix::All => self.round().await,
                Mix::SharedUpdates => self.update_shared().await,
            }
        }
    }

    /// Everything once. The end of the load is noticed between two requests.
    async fn round(&mut self) {
        for step in 0..9 {
            if self.has_ended() {
                return;
            }
            match step {
                0 => self.create_and_read(None).await,
                1 => {
                    let key = self.next_key();
                    self.create_and_read(Some(key)).await;
                }
                2 | 8 => self.update_own().await,
                3 => self.update_shared().await,
                4 => self.create_batch(None).await,
                5 => self.list().await,
                6 => {
                    let key = self.next_key();
                    self.create_batch(Some(key)).await;
                }
                _ => self.walk().await,
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.shared.ended.get().is_some()
    }

    /// Whether a create with a key may still be asked again.
    fn may_ask_again(&self) -> bool {
        let ended = self.shared.ended.get();
        ended.is_none_or(|ended| ended.elapsed() < PATIENCE_FOR_KEYS)
    }

    /// Text that no other request contains.
    fn next_text(&mut self) -> String {
        self.turn += 1;
        match self.number {
            u64::MAX => format!("shared.{}", self.turn),
            number => format!("c{number}.{}", self.turn),
        }
    }

    fn next_key(&mut self) -> String {
        format!("drill-{}", self.next_text())
    }

    /// A user of its own name and address. Addresses of neighbours lie far apart in an index, as those of people do.
    fn next_user(&mut self) -> Asked {
        let text = self.next_text();
        let scattered = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Asked {
            email: format!("{scattered:016x}.{text}@example.com"),
            name: format!("{text} 新規"),
        }
    }

    async fn pause_after(&self, outcome: &Outcome) {
        let has_failed = match outcome {
            Outcome::Done(_) => false,
            Outcome::NotDone(answer) => answer.as_ref().is_none_or(|answer| answer.status >= 500),
            Outcome::Unclear => true,
        };
        sleep(if has_failed { PAUSE_AFTER_FAILURE } else { PAUSE }).await;
    }

    fn wrong(&self, what: String) {
        self.shared.api.wrong(what);
    }
}

/// The body of a create.
fn body_of(users: &[Asked], is_batch: bool) -> Value {
    let json = |user: &Asked| json!({"name": user.name, "email": user.email});
    match users {
        [user] if !is_batch => json(user),
        users => json!({"users": users.iter().map(json).collect::<Vec<_>>()}),
    }
}

/// A text in a JSON document, empty if it is not there.
fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
