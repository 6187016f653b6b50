//! The mixed load: everything that clients do with the product, the impolite ones included, at a fixed rate.
//!
//! What is created is deleted again, so that the table keeps its size and the memory of the first minutes can be held
//! against that of the last. Clients come from [`CLIENTS`] addresses, as far as the rate limit can tell.

mod operations;
mod transfers;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::load::{Answer, Connection, Pacer, Schedule};

/// Users that the load keeps beside those that are there from the start.
const POPULATION: usize = 3000;
/// Lines of an import.
const IMPORTED: u64 = 300;
/// How often users are imported, and all of them exported.
const TRANSFER_INTERVAL: Duration = Duration::from_secs(30);
/// Users of a batch.
const BATCH: u64 = 20;
/// Pages of a walk.
const WALK_PAGES: u32 = 3;
/// Addresses that requests come from.
const CLIENTS: u64 = 4096;
/// Keys that are kept to be used again.
const KEPT_KEYS: usize = 64;
/// How long any call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that are kept of those that nobody expected.
const KEPT_SURPRISES: usize = 10;
/// The user that is never deleted, whose address is taken.
const KEEPER: &str = "soak-keeper@example.com";
const USERS: &str = "/api/v1/users";

/// Kinds of requests, and how many of a thousand are of each.
const MIX: [(Operation, u64); 10] = [
    (Operation::Get, 300),
    (Operation::List, 70),
    (Operation::Find, 40),
    (Operation::Walk, 40),
    (Operation::Patch, 90),
    (Operation::CreateOrDelete, 306),
    (Operation::Batch, 4),
    (Operation::Bad, 70),
    (Operation::HangUp, 40),
    (Operation::NewConnection, 40),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    List,
    Find,
    Walk,
    Patch,
    /// Whichever brings the table nearer to its size.
    CreateOrDelete,
    Batch,
    Bad,
    HangUp,
    NewConnection,
}

/// What came of the load so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Answers by what was asked and the status.
    pub(super) answers: BTreeMap<(&'static str, u16), u64>,
    /// Answers that have no business to come, and calls that broke.
    pub(super) surprises: u64,
    /// The first of them.
    pub(super) told: Vec<String>,
}

/// All clients together.
pub(super) struct Crowd {
    address: SocketAddr,
    /// Users that may be read, changed and deleted, the oldest first.
    ids: RefCell<VecDeque<u64>>,
    keeper: Cell<u64>,
    next_user: Cell<u64>,
    requests: Cell<u64>,
    random: Cell<u64>,
    /// Keys, with the bodies that they were used with.
    keys: RefCell<VecDeque<(String, String)>>,
    tally: RefCell<Tally>,
    /// When the tally was begun.
    began: Cell<Instant>,
    /// From the moment at which a request was due, in nanoseconds.
    latencies: RefCell<Histogram<u64>>,
}

impl Crowd {
    /// Clients of the product at `address`, with the users that the load needs from the start.
    ///
    /// # Errors
    /// When the product does not take them.
    pub(super) async fn gather(address: SocketAddr) -> Result<Rc<Self>> {
        let crowd = Rc::new(Self {
            address,
            ids: RefCell::default(),
            keeper: Cell::new(0),
            next_user: Cell::new(0),
            requests: Cell::new(0),
            random: Cell::new(0x9E37_79B9_7F4A_7C15),
            keys: RefCell::default(),
            tally: RefCell::default(),
            began: Cell::new(Instant::now()),
            latencies: RefCell::new(Histogram::new_with_max(60_000_000_000, 3)?),
        });
        let mut connection = Connection::open(address).await?;
        let keeper = format!(r#"{{"name":"Keeper","email":"{KEEPER}"}}"#);
        let answer = connection.ask(&crowd.post(USERS, "", &keeper)).await?;
        let id = answer
            .successful("the first create")?
            .json()?
            .get("id")
            .and_then(serde_json::Value::as_u64);
        crowd.keeper.set(id.context("a created user has no id")?);
        let missing = u64::try_from(POPULATION)?;
        crowd.import(missing).await?;
        crowd.export().await?;
        Ok(crowd)
    }

    /// Sends `per_second` requests a second over `connections` for this long.
    ///
    /// # Errors
    /// When the load itself fails. What the product does wrong is in the [`Tally`].
    pub(super) async fn load(self: &Rc<Self>, per_second: f64, connections: u32, duration: Duration) -> Result<()> {
        let begin = Instant::now();
        let (pacer, schedule) = Pacer::start(begin, per_second, duration, connections)?;
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn_local(Rc::clone(self).be_a_client(Rc::clone(&schedule)));
        }
        let transfers = Rc::clone(self).transfer_now_and_then(begin + duration);
        tasks.spawn_local(transfers);
        while let Some(ended) = tasks.join_next().await {
            ended.context("a client of the load ended in an unexpected way")?;
        }
        drop(pacer);
        Ok(())
    }

    /// Deletes what a load has created beyond what is kept.
    ///
    /// # Errors
    /// When the product does not take it.
    pub(super) async fn tidy_up(&self) -> Result<()> {
        self.export().await?;
        let mut connection = Connection::open(self.address).await?;
        while self.ids.borrow().len() > POPULATION {
            self.create_or_delete(&mut connection).await?;
        }
        Ok(())
    }

    /// What came of the load so far, and the latencies that half, 99 % and all of the requests did not exceed.
    pub(super) fn results(&self) -> (Tally, [Duration; 3]) {
        let latencies = self.latencies.borrow();
        let within = [0.5, 0.99, 1.0].map(|share| Duration::from_nanos(latencies.value_at_quantile(share)));
        (self.tally.borrow().clone(), within)
    }

    /// Forgets what came of the load so far.
    pub(super) fn begin_anew(&self) {
        *self.tally.borrow_mut() = Tally::default();
        self.began.set(Instant::now());
        self.latencies.borrow_mut().clear();
    }

    async fn be_a_client(self: Rc<Self>, schedule: Rc<Schedule>) {
        let mut kept = None;
        while let Some(due) = schedule.next().await {
            let operation = self.choose();
            let done = match timeout(PATIENCE, self.perform(operation, &mut kept)).await {
                Ok(done) => done,
                Err(_) => Err(anyhow::anyhow!("no answer in {PATIENCE:?}")),
            };
            if let Err(error) = done {
                kept = None;
                self.surprise(&format!("{operation:?}: {error:#}"));
            }
            let nanos = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latencies.borrow_mut().saturating_record(nanos);
        }
    }

    fn choose(&self) -> Operation {
        let mut left = self.random() % MIX.iter().map(|(_, share)| share).sum::<u64>();
        for (operation, share) in MIX {
            match left.checked_sub(share) {
                Some(rest) => left = rest,
                None => return operation,
            }
        }
        Operation::Get
    }

    fn any_id(&self) -> u64 {
        let ids = self.ids.borrow();
        let index = self.random() % (ids.len().max(1) as u64);
        let id = usize::try_from(index).ok().and_then(|index| ids.get(index));
        id.copied().unwrap_or_else(|| self.keeper.get())
    }

    fn new_user(&self) -> String {
        let number = self.next_user.get();
        self.next_user.set(number + 1);
        format!(r#"{{"name":"Soaked","email":"soak-{number:012}@example.com"}}"#)
    }

    fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", self.client()).into_bytes()
    }

    fn post(&self, path: &str, header: &str, body: &str) -> Vec<u8> {
        self.with_body("POST", path, header, body)
    }

    fn with_body(&self, method: &str, path: &str, header: &str, body: &str) -> Vec<u8> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}{header}",
            self.client()
        );
        // Writing to a String cannot fail.
        let _ = write!(
            request,
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        request.into_bytes()
    }

    /// The header by which the rate limit tells clients apart.
    fn client(&self) -> String {
        let number = self.requests.get();
        self.requests.set(number + 1);
        let number = number % CLIENTS;
        format!("X-Forwarded-For: 10.0.{}.{}\r\n", number / 256, number % 256)
    }

    /// A step of Marsaglia's xorshift64.
    fn random(&self) -> u64 {
        let mut state = self.random.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        // The upper half, whose remainders are spread more evenly.
        state >> 32
    }

    fn note(&self, asked: &'static str, status: u16) {
        *self.tally.borrow_mut().answers.entry((asked, status)).or_default() += 1;
    }

    /// Notes an answer, and that it should not have come if its status is none of these.
    fn check(&self, asked: &'static str, answer: &Answer, expected: &[u16]) {
        self.note(asked, answer.status);
        if !expected.contains(&answer.status) {
            let problem = answer.json().ok();
            let code = problem.as_ref().and_then(|problem| problem.get("code")?.as_str());
            self.surprise(&format!("{asked}: {} {}", answer.status, code.unwrap_or_default()));
        }
    }

    fn surprise(&self, what: &str) {
        let mut tally = self.tally.borrow_mut();
        tally.surprises += 1;
        if tally.told.len() < KEPT_SURPRISES {
            let second = self.began.get().elapsed().as_secs();
            tally.told.push(format!("{what} after {second} s"));
        }
    }
}
