//! Several nodes of one database, of which the pools use one that takes writes.
//!
//! Others build clusters: Galera, whose nodes all take writes; MySQL's Group Replication and PostgreSQL's standbys, where one
//! node does and another takes its place when it fails. A client has to find that node, and to find it again. A router in
//! between would do so, but it is one more thing to run, to watch and to make redundant, and it does not know which of our
//! connections are of use; we do.
//!
//! Once in [`PROBE_INTERVAL`], and at once when a statement lost its connection or was refused because the server takes no
//! writes, the node in use is asked whether it takes them. If it does not, all nodes are asked, and the first in the order of
//! the address that does is used: every connection that is open is then replaced, none is closed in the middle of a statement.
//!
//! Where all nodes take writes, it is looked once in [`RETURN_INTERVAL`] whether one further ahead has come back, so that all
//! instances with the same address end up on the same node. Elsewhere the node in use is kept as long as it takes writes: an old
//! primary that comes back without knowing that it is one no more must not draw anybody to it.
//!
//! Two instances may use different nodes for a while. What that means for Galera, where both can write, stands in `sessions`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{join_all, select_ok},
    stream::FuturesUnordered,
};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use tokio::{
    select,
    sync::{Notify, futures::Notified},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at},
};

use super::sessions::{Server, Standing};
use crate::watched::Trust;

/// How often the node in use is asked.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The least time between two questions, however much fails.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// How long a node may take to be connected to and to answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// How much later than another a node further ahead may answer, and still be preferred.
const ORDER_PATIENCE: Duration = Duration::from_millis(200);

/// How often it is looked whether a node further ahead has come back.
const RETURN_INTERVAL: Duration = Duration::from_secs(10);

/// A node of a database, and whether the pools use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its host and port as they are configured.
    pub host: String,
    /// Whether the pools use it.
    pub is_used: bool,
}

/// The nodes of a database, and which of them is used. Cloning shares them.
pub(super) struct Nodes<DB: Server>(Arc<Inner<DB>>);

struct Inner<DB: Server> {
    first: Node<DB>,
    others: Vec<Node<DB>>,
    progress: Arc<Progress>,
}

struct Node<DB: Server> {
    host: String,
    options: <DB as Server>::Options,
}

/// What can be told of the nodes without knowing what kind they are.
#[derive(Debug, Default)]
struct Progress {
    used: AtomicUsize,
    moves: AtomicU64,
    /// Woken when something was lost or refused.
    trouble: Arc<Notify>,
    /// Woken when another node is used.
    moved: Notify,
}

/// A pool, and what it has seen of broken connections.
pub(super) struct Member<DB: Server> {
    pub(super) pool: sqlx::Pool<DB>,
    pub(super) trust: Trust,
}

/// Keeps pools with the node that takes writes until it is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    task: AbortHandle,
    hosts: Vec<String>,
    progress: Arc<Progress>,
}

/// A connection to a node that takes writes.
struct Found<DB: Server> {
    index: usize,
    connection: DB::Connection,
}

impl<DB: Server> Clone for Nodes<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Server> Nodes<DB> {
    /// Nodes by host and by how they are connected to. The first is used.
    pub(super) fn new(
        first: (String, <DB as Server>::Options),
        others: impl IntoIterator<Item = (String, <DB as Server>::Options)>,
    ) -> Self {
        let node = |(host, options)| Node { host, options };
        Self(Arc::new(Inner {
            first: node(first),
            others: others.into_iter().map(node).collect(),
            progress: Arc::default(),
        }))
    }

    /// How the node in use is connected to.
    pub(super) fn options(&self) -> &<DB as Server>::Options {
        &self.node(self.used()).options
    }

    /// What wakes the follower.
    pub(super) fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.0.progress.trouble)
    }

    /// Completes when another node is used than at the moment of this call.
    pub(super) fn moved(&self) -> Notified<'_> {
        self.0.progress.moved.notified()
    }

    fn are_several(&self) -> bool {
        !self.0.others.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &Node<DB>> {
        std::iter::once(&self.0.first).chain(&self.0.others)
    }

    fn node(&self, index: usize) -> &Node<DB> {
        self.iter().nth(index).unwrap_or(&self.0.first)
    }

    fn used(&self) -> usize {
        self.0.progress.used.load(Ordering::Relaxed)
    }

    /// Before there are pools: uses the first node that takes writes, if there is one. Takes [`PROBE_PATIENCE`] at most, three
    /// times: to ask, and to take leave.
    pub(super) async fn settle(&self) {
        if self.are_several()
            && let Ok(found) = self.look().await
        {
            self.0.progress.used.store(found.index, Ordering::Relaxed);
            close(found.connection).await;
        }
    }

    /// Opens and closes a connection to any node.
    ///
    /// # Errors
    /// Why the last one that refused did so.
    pub(super) async fn open_and_close(&self) -> Result<(), sqlx::Error> {
        // At once: one that keeps silent must not use up the time of the others.
        let attempts = self.iter().map(|node| node.options.connect().boxed());
        let (connection, _) = select_ok(attempts).await?;
        connection.close().await
    }

    /// Begins to follow the node that takes writes; nothing to do where there is but one.
    pub(super) fn follow(self, members: Vec<Member<DB>>) -> Option<Follower> {
        if !self.are_several() {
            return None;
        }
        let hosts = self.iter().map(|node| node.host.clone()).collect();
        let progress = Arc::clone(&self.0.progress);
        let task = tokio::spawn(async move { self.keep_with_the_writable(&members).await }).abort_handle();
        Some(Follower { task, hosts, progress })
    }

    /// Completes when the pools are closed.
    async fn keep_with_the_writable(&self, members: &[Member<DB>]) {
        let mut ticks = interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut in_use: Option<DB::Connection> = None;
        let mut looked_ahead = Instant::now();
        let mut is_reported = false;
        let mut pause = SHORTEST_INTERVAL;
        // They are closed together.
        while members.iter().all(|member| !member.pool.is_closed()) {
            select! {
                _ = ticks.tick() => {}
                () = self.0.progress.trouble.notified() => {}
            }
            let standing = standing::<DB>(in_use.as_mut()).await;
            let may_return = standing == Standing::Peer && self.used() > 0;
            let looks_ahead = may_return && looked_ahead.elapsed() >= RETURN_INTERVAL;
            if standing == Standing::ReadOnly || looks_ahead {
                looked_ahead = Instant::now();
                match self.look().await {
                    Ok(found) if looks_ahead && found.index >= self.used() => close(found.connection).await,
                    Ok(found) => {
                        if found.index != self.used() {
                            self.move_to(found.index, members);
                        } else if is_reported {
                            let node = &self.node(found.index).host;
                            tracing::info!(node, "the database node takes writes again");
                        }
                        is_reported = false;
                        pause = SHORTEST_INTERVAL;
                        if let Some(before) = in_use.replace(found.connection) {
                            close(before).await;
                        }
                    }
                    // The one in use does, or it would not be looked ahead.
                    Err(_) if looks_ahead => {}
                    Err(nodes) => {
                        if !is_reported {
                            tracing::warn!(
                                nodes,
                                "no node in DATABASE_URL takes writes; they are asked until one does"
                            );
                        }
                        is_reported = true;
                        pause = (pause * 2).min(PROBE_INTERVAL);
                    }
                }
            }
            sleep(pause).await;
        }
        if let Some(connection) = in_use {
            close(connection).await;
        }
    }

    /// Asks all nodes at once, and takes the first in their order that takes writes.
    ///
    /// # Errors
    /// What each node said, in words, when none does.
    async fn look(&self) -> Result<Found<DB>, String> {
        let ask = async |(index, node): (usize, &Node<DB>)| (index, node.ask().await);
        let mut answers: FuturesUnordered<_> = self.iter().enumerate().map(ask).collect();
        let mut found: Option<Found<DB>> = None;
        let (mut others, mut reasons) = (Vec::new(), Vec::new());
        let mut until = Instant::now() + PROBE_PATIENCE * 2;
        // The first in order is wanted, but one that keeps silent is not waited for where another is at hand.
        while let Ok(Some((index, answer))) = timeout_at(until, answers.next()).await {
            match answer {
                Ok((connection, Standing::ReadOnly)) => {
                    reasons.push(format!("{}: read-only", self.node(index).host));
                    others.push(connection);
                }
                Ok((connection, Standing::Primary | Standing::Peer)) => match &found {
                    Some(earlier) if earlier.index < index => others.push(connection),
                    _ => {
                        until = Instant::now() + ORDER_PATIENCE;
                        others.extend(found.replace(Found { index, connection }).map(|found| found.connection));
                    }
                },
                Err(reason) => reasons.push(format!("{}: {reason}", self.node(index).host)),
            }
        }
        join_all(others.into_iter().map(close)).await;
        found.ok_or_else(|| reasons.join("; "))
    }

    fn move_to(&self, index: usize, members: &[Member<DB>]) {
        let before = self.0.progress.used.swap(index, Ordering::Relaxed);
        self.0.progress.moves.fetch_add(1, Ordering::Relaxed);
        for member in members {
            // First where new connections go, then which ones are too old.
            member.pool.set_connect_options(self.options().clone());
            member.trust.want_another_server();
        }
        self.0.progress.moved.notify_waiters();
        let (from, to) = (&self.node(before).host, &self.node(index).host);
        tracing::warn!(from, to, "another database node is used from now on");
    }
}

impl<DB: Server> Node<DB> {
    /// A connection to it, and whether it takes writes.
    ///
    /// # Errors
    /// Why it does not say, in words.
    async fn ask(&self) -> Result<(DB::Connection, Standing), String> {
        let answer = async {
            let mut connection = self.options.connect().await?;
            let standing = DB::standing(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, standing))
        };
        match timeout(PROBE_PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {PROBE_PATIENCE:?}")),
        }
    }
}

/// Asks over a connection to the node in use that was opened for that. One that does not answer is of no more use than one that
/// takes no writes.
async fn standing<DB: Server>(in_use: Option<&mut DB::Connection>) -> Standing {
    let Some(connection) = in_use else {
        return Standing::ReadOnly;
    };
    match timeout(PROBE_PATIENCE, DB::standing(connection)).await {
        Ok(Ok(standing)) => standing,
        Ok(Err(_)) | Err(_) => Standing::ReadOnly,
    }
}

/// Takes leave of a server, which would otherwise complain in its log.
async fn close<C: Connection>(connection: C) {
    // If it does not listen any more, dropping the connection has to do.
    let _ = timeout(PROBE_PATIENCE, connection.close()).await;
}

impl Follower {
    /// All nodes, in the order of the address.
    pub(crate) fn status(&self) -> Vec<NodeStatus> {
        let used = self.progress.used.load(Ordering::Relaxed);
        let status = |(index, host): (usize, &String)| NodeStatus {
            host: host.clone(),
            is_used: index == used,
        };
        self.hosts.iter().enumerate().map(status).collect()
    }

    /// How often another node was taken.
    pub(crate) fn moves(&self) -> u64 {
        self.progress.moves.load(Ordering::Relaxed)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Its connection to the node in use ends with it.
        self.task.abort();
    }
}
