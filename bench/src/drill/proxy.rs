//! The wire between product and database, to be cut, slowed down and forgotten.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Bytes that are passed on at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They lead to the database, each piece so much later.
    Open { delay: Duration },
    /// What is asked comes through, what is answered does not.
    Unanswered,
    /// New ones are ended, and those that were there are too.
    Shut,
    /// Nothing comes through, and nobody says so.
    Silent,
}

impl Way {
    /// How much later bytes come through; nothing if they do not.
    fn delay(self, direction: Direction) -> Option<Duration> {
        match (self, direction) {
            (Self::Open { delay }, _) => Some(delay),
            (Self::Unanswered, Direction::ToServer) => Some(Duration::ZERO),
            (Self::Unanswered, Direction::ToClient) | (Self::Shut | Self::Silent, _) => None,
        }
    }
}

/// The state of the wire.
#[derive(Clone, Copy, Debug)]
struct Wire {
    way: Way,
    /// Connections that were made before this one are silent for ever, as when another machine has taken the server's place.
    oldest: u64,
}

/// The proxy. Dropping it ends all connections.
#[derive(Debug)]
pub(super) struct Proxy {
    wire: watch::Sender<Wire>,
    /// The number of the next connection.
    next: watch::Receiver<u64>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// An open proxy before the server at `target`.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let address = listener.local_addr()?;
        let (wire, watched) = watch::channel(Wire {
            way: Way::Open { delay: Duration::ZERO },
            oldest: 0,
        });
        let (counted, next) = watch::channel(0);
        let target = target.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        let number = *counted.borrow();
                        counted.send_replace(number + 1);
                        let line = Line { number, wire: watched.clone() };
                        connections.spawn(line.serve(client, target.clone()));
                    }
                    // Those that have ended are forgotten.
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self {
            wire,
            next,
            address,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything comes through, each piece so much later in each direction.
    pub(super) fn open(&self, delay: Duration) {
        self.set(Way::Open { delay });
    }

    /// What is asked reaches the server, and is done; the answer does not come through.
    pub(super) fn withhold_answers(&self) {
        self.set(Way::Unanswered);
    }

    /// Connections end, and new ones do not last.
    pub(super) fn shut(&self) {
        self.set(Way::Shut);
    }

    /// Nothing comes through, and nobody says so.
    pub(super) fn silence(&self) {
        self.set(Way::Silent);
    }

    /// New connections work. Those of before have ended for the server, which the client is never told.
    pub(super) fn lose(&self) {
        let oldest = *self.next.borrow();
        self.wire.send_replace(Wire {
            way: Way::Open { delay: Duration::ZERO },
            oldest,
        });
    }

    fn set(&self, way: Way) {
        self.wire.send_modify(|wire| wire.way = way);
    }
}

/// What a connection sees of the wire.
#[derive(Clone)]
struct Line {
    number: u64,
    wire: watch::Receiver<Wire>,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Line {
    async fn serve(mut self, mut client: TcpStream, target: String) {
        let mut until_shut = self.clone();
        let mut until_lost = self.clone();
        let passing = async {
            if self.open(Direction::ToServer).await.is_none() {
                return;
            }
            let Ok(mut server) = TcpStream::connect(&target).await else {
                return;
            };
            // Delays are those of the wire, not of the kernel.
            if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
                return;
            }
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::join!(
                self.clone().pass(from_client, to_server, Direction::ToServer),
                self.clone().pass(from_server, to_client, Direction::ToClient)
            );
        };
        // Both ends of a connection close when it has come to its end here.
        let is_lost = tokio::select! {
            () = passing => false,
            () = until_shut.until(|line, wire| line >= wire.oldest && wire.way == Way::Shut) => false,
            () = until_lost.until(|line, wire| line < wire.oldest) => true,
        };
        if is_lost {
            // Only the client's end is left.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until something may come through; how much later it does. Nothing if the proxy has gone.
    async fn open(&mut self, direction: Direction) -> Option<Duration> {
        let number = self.number;
        let wire = self
            .wire
            .wait_for(|wire| number >= wire.oldest && wire.way.delay(direction).is_some());
        wire.await.ok()?.way.delay(direction)
    }

    /// Waits until the wire is so for this connection, or the proxy has gone.
    async fn until(&mut self, is_so: impl Fn(u64, &Wire) -> bool) {
        let number = self.number;
        // That the proxy has gone ends the connection as well.
        let _ = self.wire.wait_for(|wire| is_so(number, wire)).await;
    }

    /// Passes on what comes in one direction.
    async fn pass(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, direction: Direction) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or_default();
            let Some(delay) = self.open(direction).await else {
                return;
            };
            if !delay.is_zero() {
                sleep(delay).await;
                if self.open(direction).await.is_none() {
                    return;
                }
            }
            let bytes = buffer.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                // The other end learns of it, and may still answer.
                let _ = to.shutdown().await;
                return;
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const NEVER: Duration = Duration::from_millis(150);

    /// A server that sends back what it receives, and a proxy before it.
    async fn echo() -> (Proxy, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        (Proxy::start(&target).await.unwrap(), tasks)
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    /// Whether a byte comes back; an error if the connection has ended.
    async fn echoed(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        Ok(byte[0])
    }

    #[tokio::test]
    async fn an_open_wire_passes_everything_on() {
        let (proxy, _server) = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(timeout(SOON, echoed(&mut stream)).await.unwrap().unwrap(), b'x');
    }

    #[tokio::test]
    async fn a_shut_wire_ends_old_and_new_connections_until_it_opens() {
        let (proxy, _server) = echo().await;
        let mut old = connect(&proxy).await;
        echoed(&mut old).await.unwrap();
        proxy.shut();
        assert!(timeout(SOON, echoed(&mut old)).await.unwrap().is_err());
        let mut new = connect(&proxy).await;
        assert!(timeout(SOON, echoed(&mut new)).await.unwrap().is_err());
        proxy.open(Duration::ZERO);
        let mut newer = connect(&proxy).await;
        assert!(timeout(SOON, echoed(&mut newer)).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_was_sent_in_silence_arrives_when_the_wire_opens() {
        let (proxy, _server) = echo().await;
        let mut stream = connect(&proxy).await;
        echoed(&mut stream).await.unwrap();
        proxy.silence();
        let mut echo = Box::pin(echoed(&mut stream));
        assert!(timeout(NEVER, &mut echo).await.is_err());
        proxy.open(Duration::ZERO);
        assert!(timeout(SOON, echo).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_lost_connection_stays_silent_and_a_new_one_works() {
        let (proxy, _server) = echo().await;
        let mut old = connect(&proxy).await;
        echoed(&mut old).await.unwrap();
        proxy.silence();
        proxy.lose();
        assert!(timeout(NEVER, echoed(&mut old)).await.is_err());
        let mut new = connect(&proxy).await;
        assert!(timeout(SOON, echoed(&mut new)).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_is_asked_may_arrive_though_the_answer_does_not() {
        let (proxy, _server) = echo().await;
        let mut stream = connect(&proxy).await;
        echoed(&mut stream).await.unwrap();
        proxy.withhold_answers();
        let mut echo = Box::pin(echoed(&mut stream));
        assert!(timeout(NEVER, &mut echo).await.is_err());
        proxy.shut();
        assert!(timeout(SOON, echo).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_slow_wire_delays_each_direction() {
        let (proxy, _server) = echo().await;
        let mut stream = connect(&proxy).await;
        echoed(&mut stream).await.unwrap();
        proxy.open(Duration::from_millis(60));
        let begin = Instant::now();
        echoed(&mut stream).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(120), "{:?}", begin.elapsed());
    }
}
