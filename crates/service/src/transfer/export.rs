//! Reading all users, page by page.

use std::fmt;

use domain::{Cursor, User, UserFilter};
use futures_util::{FutureExt, future::BoxFuture};
use persistence::{Freshness, UserRepository};
use tracing::Span;

use super::Resources;
use crate::{Counters, DatabaseRuntime, UserError, users::Reading};

/// How many users a page holds.
const PAGE_USERS: usize = 1000;

/// All users, newest first, a page at a time.
///
/// The walk goes by keyset, so it costs the same at any depth, and repeats and skips nobody who stays while others come and
/// go. The page behind the one that was handed out is fetched ahead, and rests in memory until it is asked for: no
/// connection to the database is held meanwhile, however slow the reader is.
///
/// How many users were read is logged when the export has come to its end or is dropped.
pub struct Export {
    reading: Reading,
    freshness: Freshness,
    runtime: DatabaseRuntime,
    counters: Counters,
    span: Span,
    /// The page that is being fetched, or waits to be handed out; absent behind the last.
    ahead: Option<BoxFuture<'static, Result<Vec<User>, UserError>>>,
    users: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotStarted,
    Under,
    Complete,
    Failed,
}

impl fmt::Debug for Export {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Export")
            .field("users", &self.users)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Export {
    pub(super) fn new(resources: Resources, freshness: Freshness) -> Self {
        Self {
            reading: resources.reading,
            freshness,
            runtime: resources.runtime,
            counters: resources.counters,
            span: Span::current(),
            ahead: None,
            users: 0,
            state: State::NotStarted,
        }
    }

    /// How many users were handed out.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.users
    }

    /// The next page; nothing behind the last. Whoever drops the future may ask again and gets the same page.
    ///
    /// # Errors
    /// When the database cannot serve it. The export is over then.
    // ANCHOR: next-page
    pub async fn next_page(&mut self) -> Result<Option<Vec<User>>, UserError> {
        if self.state == State::NotStarted {
            self.state = State::Under;
            self.fetch_ahead(None);
        }
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        let fetched = ahead.await;
        self.ahead = None;
        let page = fetched.inspect_err(|_| self.state = State::Failed)?;
        self.users += page.len() as u64;
        self.counters.users_exported.add(page.len() as u64);
        match page.last().map(Cursor::from) {
            Some(last) if page.len() == PAGE_USERS => self.fetch_ahead(Some(last)),
            _ => self.complete(),
        }
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
    // ANCHOR_END: next-page

    fn complete(&mut self) {
        self.state = State::Complete;
        let users = self.users;
        self.span.in_scope(|| tracing::info!(users, "export read to its end"));
    }

    // ANCHOR: fetch-ahead
    fn fetch_ahead(&mut self, position: Option<Cursor>) {
        let (reading, runtime) = (self.reading.clone(), self.runtime.clone());
        let freshness = reading.behind(position, self.freshness);
        let page = async move {
            let read = async move {
                let page = reading.read(freshness, move |connection| async move {
                    let users = UserRepository::new(&connection);
                    users.after(&UserFilter::default(), position, PAGE_USERS as u64).await
                });
                Ok(page.await?)
            };
            runtime.run(read).await
        };
        let mut page = page.boxed();
        // The first poll sends it off; it belongs to the span of whoever asked for the export.
        let ready = self.span.in_scope(|| (&mut page).now_or_never());
        self.ahead = Some(match ready {
            Some(ready) => std::future::ready(ready).boxed(),
            None => page,
        });
    }
    // ANCHOR_END: fetch-ahead
}

impl Drop for Export {
    fn drop(&mut self) {
        if self.state == State::Under {
            let users = self.users;
            self.span
                .in_scope(|| tracing::info!(users, "export ended early, because nobody reads it any more"));
        }
    }
}
