//! How long a client may take for the head of a request, on a connection that it has kept.
//!
//! actix-http (3.20) times the head of the first request of a connection and the silence between two requests. The first byte of
//! a later head ends that silence, and from then on nothing is timed: a client that sends a byte now and then would keep its
//! connection for ever. So would one that goes on with the body of a request that has been answered. What is read while no
//! request is worked on is therefore timed here, where the connection is read. Here, too, a connection is dropped that has ended
//! and still brings requests (see [`Connection`]).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use api::Connection;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// How long a client may keep a connection without a request that is worked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a head to its end.
    pub(super) head: Duration,
    /// From the end of a request to the end of the next head, whatever is sent.
    pub(super) idle: Duration,
}

/// A connection that is over when its client takes too long for the head of a request.
#[derive(Debug)]
pub(super) struct TimedStream {
    stream: TcpStream,
    connection: Connection,
    patience: Patience,
    waiting: Option<Waiting>,
    /// Whether the client still has to take something. It is then the system that ends its patience (`send_limit`).
    is_sending: bool,
    /// Set at most once in the time that a head may take, and not for each request: it may be early, and then is set again.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The wait for a head.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Instant,
    /// The requests that the connection had brought before.
    requests: u64,
    has_begun: bool,
}

impl TimedStream {
    /// `is_kept` tells whether the connection is kept for further requests.
    pub(super) fn new(stream: TcpStream, is_kept: bool, patience: Patience) -> Self {
        Self {
            stream,
            connection: Connection::new(is_kept),
            patience,
            waiting: None,
            is_sending: false,
            timer: None,
        }
    }

    /// What the requests of the connection are counted by.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes note of what was read, or that there is nothing to read.
    fn note(&mut self, has_bytes: bool) {
        if self.is_sending || !self.connection.is_idle() {
            self.waiting = None;
            return;
        }
        let requests = self.connection.requests();
        let goes_on = |waiting: &Waiting| waiting.requests == requests && (waiting.has_begun || !has_bytes);
        if !self.waiting.as_ref().is_some_and(goes_on) {
            self.waiting = Some(Waiting {
                since: Instant::now(),
                requests,
                has_begun: has_bytes,
            });
        }
    }

    /// Whether the client has taken too long. If not, the task is woken when that is to be asked again.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(Waiting { since, has_begun, .. }) = self.waiting else {
            return false;
        };
        let is_last = has_begun || self.connection.has_ended();
        let patience = if is_last {
            self.patience.head
        } else {
            self.patience.idle
        };
        let deadline = since + patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        match outcome {
            Poll::Ready(Ok(())) if buffer.filled().len() > filled => self.note(true),
            Poll::Ready(_) => {}
            Poll::Pending => {
                self.note(false);
                if self.is_over(context) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        outcome
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_sending = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_sending = true;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // The HTTP layer flushes when all is written, and need not read again before something comes.
        self.is_sending = false;
        self.note(false);
        // The HTTP layer may never read again, for instance when the client has closed its side: it is told here.
        if self.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.connection.is_refusing() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
