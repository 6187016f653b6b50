//! The pools follow the node that takes writes.
//!
//! Once in [`PROBE_INTERVAL`], and at once when a statement lost its connection or was refused because the server takes no
//! writes, the node in use is asked whether it takes them. If it does not, or does not answer, all nodes are asked. When another
//! one is taken every connection that is open is replaced; none is closed in the middle of a statement.
//!
//! Where all nodes take writes, it is looked once in [`RETURN_INTERVAL`] whether one further ahead has come back, so that all
//! instances with the same address end up on the same node. Elsewhere the node in use is kept as long as it takes writes: an old
//! primary that comes back without knowing that it is one no more must not draw anybody to it.
//!
//! A node that keeps silent accepts connections and says nothing on them, and the driver waits for its greeting as long as a pool
//! may take. So while no node takes writes and the one in use says nothing, the pools open connections to [`Nowhere`], where they
//! are refused at once: the driver takes that for a server that is about to start, and tries again, first after 10 ms and in the
//! end after a fifth of what a pool may take, until there is somewhere to go.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    Member, Nodes, PATIENCE, close,
    looking::{Found, NoneFound},
};
use crate::engine::{
    nowhere::Nowhere,
    sessions::{Server, Standing},
};

/// How often the node in use is asked.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The least time between two questions, however much fails.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is looked whether a node further ahead has come back.
const RETURN_INTERVAL: Duration = Duration::from_secs(10);

/// What [`PATIENCE`] grows to at least, each time that no node is found: there may be one, and the way to it be long.
const GROWN_PATIENCE: Duration = Duration::from_secs(5);

/// What keeps the pools with the node that takes writes.
pub(super) struct Following<DB: Server> {
    nodes: Nodes<DB>,
    members: Vec<Member<DB>>,
    /// What asks the node in use; absent until one is found, and when it does not answer.
    in_use: Option<DB::Connection>,
    looked_ahead: Instant,
    /// The next look takes so long at most.
    patience: Duration,
    longest_patience: Duration,
    pause: Duration,
    /// Whether it was said that no node takes writes.
    is_reported: bool,
    /// Where connections lead while there is no node to lead them to.
    nowhere: Option<Nowhere>,
}

impl<DB: Server> Following<DB> {
    /// Whoever waits for a connection may wait for `longest_patience`; so may whoever asks a node.
    pub(super) fn new(nodes: Nodes<DB>, members: Vec<Member<DB>>, longest_patience: Duration) -> Self {
        Self {
            nodes,
            members,
            in_use: None,
            looked_ahead: Instant::now(),
            patience: PATIENCE,
            longest_patience: longest_patience.max(GROWN_PATIENCE),
            pause: SHORTEST_INTERVAL,
            is_reported: false,
            nowhere: None,
        }
    }

    /// Completes when the pools are closed.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let trouble = self.nodes.trouble();
        // They are closed together.
        while self.members.iter().all(|member| !member.pool.is_closed()) {
            select! {
                _ = ticks.tick() => {}
                () = trouble.notified() => {}
            }
            match self.ask().await {
                Some(Standing::Primary) if self.nodes.has_writable() => {}
                Some(Standing::Peer) if self.nodes.has_writable() => self.look_ahead().await,
                // Also if it takes writes again: all that was done without it is to be undone.
                _ => match self.nodes.look(self.patience).await {
                    Ok(found) => self.follow(found).await,
                    Err(none) => self.go_without(&none),
                },
            }
            sleep(self.pause).await;
        }
        if let Some(connection) = self.in_use {
            close(connection).await;
        }
    }

    /// Asks the node in use. A connection that does not answer in time is of no use any more: it may answer too late, and whoever
    /// believed that would not look at the nodes.
    async fn ask(&mut self) -> Option<Standing> {
        let mut connection = self.in_use.take()?;
        match timeout(PATIENCE, DB::standing(&mut connection)).await {
            Ok(Ok(standing)) => {
                self.in_use = Some(connection);
                Some(standing)
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Of nodes that all take writes, looks once in a while whether one further ahead does again.
    async fn look_ahead(&mut self) {
        if self.nodes.used() == 0 || self.looked_ahead.elapsed() < RETURN_INTERVAL {
            return;
        }
        self.looked_ahead = Instant::now();
        match self.nodes.look(PATIENCE).await {
            Ok(found) if found.index < self.nodes.used() => self.follow(found).await,
            Ok(found) => close(found.connection).await,
            // The one in use will be asked again, and then it shows.
            Err(_) => {}
        }
    }

    /// A node takes writes: it is the one to use.
    async fn follow(&mut self, found: Found<DB>) {
        let progress = &self.nodes.0.progress;
        progress.has_writable.store(true, Ordering::Relaxed);
        let before = progress.used.swap(found.index, Ordering::Relaxed);
        let (from, to) = (&self.nodes.node(before).host, &self.nodes.node(found.index).host);
        // First where new connections go, then which ones are too old.
        self.lead_to(self.nodes.options());
        if before != found.index {
            progress.moves.fetch_add(1, Ordering::Relaxed);
            for member in &self.members {
                member.trust.want_another_server();
            }
            progress.moved.notify_waiters();
            tracing::warn!(from, to, "another database node is used from now on");
        } else if self.is_reported {
            tracing::info!(node = to, "the database node takes writes again");
        }
        self.is_reported = false;
        self.nowhere = None;
        self.looked_ahead = Instant::now();
        self.patience = PATIENCE;
        self.pause = SHORTEST_INTERVAL;
        if let Some(connection) = self.in_use.replace(found.connection) {
            close(connection).await;
        }
    }

    /// No node takes writes. The one in use can still be read from, if it answers.
    fn go_without(&mut self, none: &NoneFound) {
        if !none.used_is_silent {
            self.nowhere = None;
            self.lead_to(self.nodes.options());
        } else if self.nowhere.is_none() {
            self.nowhere = Nowhere::reserve();
            if let Some(nowhere) = &self.nowhere {
                self.lead_to(&DB::at(self.nodes.options(), nowhere.address()));
            }
        }
        self.nodes.0.progress.has_writable.store(false, Ordering::Relaxed);
        if !self.is_reported {
            tracing::warn!(nodes = %none, "no node in DATABASE_URL takes writes; they are asked until one does");
        }
        self.is_reported = true;
        self.patience = (self.patience * 2).min(self.longest_patience);
        self.pause = (self.pause * 2).min(PROBE_INTERVAL);
    }

    /// New connections are opened in this way.
    fn lead_to(&self, options: &<DB as Server>::Options) {
        for member in &self.members {
            member.pool.set_connect_options(options.clone());
        }
    }
}
