//! Several nodes of one database, of which the pools use one that takes writes.
//!
//! Others build clusters: Galera, whose nodes all take writes; MySQL's Group Replication and PostgreSQL's standbys, where one
//! node does and another takes its place when it fails. A client has to find that node, and to find it again. A router in
//! between would do so, but it is one more thing to run, to watch and to make redundant, and it does not know which of our
//! connections are of use; we do.
//!
//! Here is what the nodes are; `looking` asks all of them, and `following` keeps the pools with the one that takes writes.
//!
//! Two instances may use different nodes for a while. What that means for Galera, where both can write, stands in `sessions`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::select_ok};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use tokio::{
    sync::{Notify, futures::Notified},
    task::AbortHandle,
    time::timeout,
};

use self::following::Following;
use super::{server_pool::FAREWELL_TIMEOUT, sessions::Server};
use crate::watched::Trust;

mod following;
mod looking;

/// How long nodes may take to be connected to and to answer before it is said that they keep silent.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// Whether the node in use took writes when it was last asked.
    has_writable: AtomicBool,
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

    fn has_writable(&self) -> bool {
        self.0.progress.has_writable.load(Ordering::Relaxed)
    }

    /// Before there are pools: uses the first node that takes writes, if there is one. Takes [`PATIENCE`] at most, and half a
    /// second to take leave.
    pub(super) async fn settle(&self) {
        if self.are_several()
            && let Ok(found) = self.look(PATIENCE).await
        {
            self.0.progress.used.store(found.index, Ordering::Relaxed);
            self.0.progress.has_writable.store(true, Ordering::Relaxed);
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

    /// Begins to follow the node that takes writes; nothing to do where there is but one. Nodes are given up to
    /// `longest_patience` to answer when none has for a while.
    pub(super) fn follow(self, members: Vec<Member<DB>>, longest_patience: Duration) -> Option<Follower> {
        if !self.are_several() {
            return None;
        }
        let hosts = self.iter().map(|node| node.host.clone()).collect();
        let progress = Arc::clone(&self.0.progress);
        let task = tokio::spawn(Following::new(self, members, longest_patience).run()).abort_handle();
        Some(Follower { task, hosts, progress })
    }
}

/// Takes leave of a server, which would otherwise complain in its log.
async fn close<C: Connection>(connection: C) {
    // If it does not listen any more, dropping the connection has to do.
    let _ = timeout(FAREWELL_TIMEOUT, connection.close()).await;
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

    /// Whether the node in use took writes when it was last asked.
    pub(crate) fn has_writable(&self) -> bool {
        self.progress.has_writable.load(Ordering::Relaxed)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Its connection to the node in use ends with it.
        self.task.abort();
    }
}
