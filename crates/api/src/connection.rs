//! What is known of a connection, by the requests that come over it and by whoever reads it.
//!
//! actix-http (3.20) reads requests ahead and works on them one after the other, also on those behind one that ends the
//! connection, which nobody may (RFC 9112 section 9.6). So a connection keeps in mind that it ends: the edge leaves a request
//! that comes after that alone for ever, and the listener drops both.

use std::{cell::Cell, rc::Rc};

/// The requests of one connection. Cloning shares it. The listener puts it among the data of the connection.
#[derive(Clone, Debug)]
pub struct Connection(Rc<State>);

#[derive(Debug, Default)]
struct State {
    is_for_one: bool,
    in_progress: Cell<usize>,
    begun: Cell<u64>,
    has_ended: Cell<bool>,
    is_refusing: Cell<bool>,
}

/// A request of a connection that is worked on, until it is dropped.
#[derive(Debug)]
pub(crate) struct RequestOnConnection(Connection);

impl Connection {
    /// A connection that is kept for further requests, or ends after one.
    #[must_use]
    pub fn new(is_kept: bool) -> Self {
        Self(Rc::new(State {
            is_for_one: !is_kept,
            ..State::default()
        }))
    }

    /// Whether no request is worked on.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.in_progress.get() == 0
    }

    /// How many requests it has brought.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.begun.get()
    }

    /// Whether a request has come behind the last one. Once all is sent the connection is to be closed.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        self.0.is_refusing.get()
    }

    /// Whether no further request will be worked on.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.has_ended.get()
    }

    /// From now on requests are refused: the one that is worked on is the last.
    pub fn end(&self) {
        self.0.has_ended.set(true);
    }

    /// Counts a request until what is returned is dropped; nothing when it comes behind the last one.
    pub(crate) fn begin_request(&self) -> Option<RequestOnConnection> {
        if self.has_ended() {
            self.0.is_refusing.set(true);
            return None;
        }
        self.0.has_ended.set(self.0.is_for_one);
        self.0.begun.set(self.requests() + 1);
        self.0.in_progress.set(self.0.in_progress.get() + 1);
        Some(RequestOnConnection(self.clone()))
    }
}

impl RequestOnConnection {
    /// The connection.
    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for RequestOnConnection {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.in_progress.set(state.in_progress.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_between_its_requests() {
        let connection = Connection::new(true);
        assert!(connection.is_idle());
        let request = connection.begin_request().unwrap();
        assert!(!connection.is_idle());
        drop(request);
        assert_eq!((connection.is_idle(), connection.requests()), (true, 1));
    }

    #[test]
    fn the_request_behind_the_last_is_refused() {
        let connection = Connection::new(true);
        let last = connection.begin_request().unwrap();
        last.connection().end();
        assert!(!connection.is_refusing(), "the last one is still worked on");
        assert!(connection.begin_request().is_none() && connection.is_refusing());
        let connection = Connection::new(false);
        assert!(connection.begin_request().is_some() && connection.begin_request().is_none());
    }
}
