//! A door between the program and its database that a test opens and closes.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// They lead to the database.
    Open,
    /// New ones are ended, and those that were there are too.
    Shut,
    /// Nothing comes through any more, and nobody says so.
    Silent,
    /// Connections that were there stay silent for ever, as if a firewall had forgotten them; new ones lead to the database.
    Forgotten,
}

/// Where a proxy will be: connections are refused there, and nobody else takes the port.
pub(crate) struct Site {
    socket: TcpSocket,
    target: String,
    url: String,
}

/// The proxy. Dropping it ends all connections.
pub(crate) struct Proxy {
    door: watch::Sender<Door>,
    accepting: JoinHandle<()>,
    port: u16,
    target: String,
    url: String,
}

impl Site {
    /// A place before the database at `url`.
    pub(crate) fn before(url: &str) -> Self {
        let mut through = Url::parse(url).unwrap();
        let target = format!("{}:{}", through.host_str().unwrap(), through.port().unwrap());
        let socket = reserve(0);
        let own = socket.local_addr().unwrap();
        through.set_host(Some(&own.ip().to_string())).unwrap();
        through.set_port(Some(own.port())).unwrap();
        Self {
            socket,
            target,
            url: through.into(),
        }
    }

    /// From now on there is a proxy.
    pub(crate) fn open(self, door: Door) -> Proxy {
        let listener = self.socket.listen(1024).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (door, watched) = watch::channel(door);
        let accepting = tokio::spawn(accept(listener, self.target.clone(), watched));
        Proxy {
            door,
            accepting,
            port,
            target: self.target,
            url: self.url,
        }
    }
}

fn reserve(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Connections that have ended keep the port for a while.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    socket
}

impl Proxy {
    /// A proxy before the database at `url`.
    pub(crate) fn start(url: &str, door: Door) -> Self {
        Site::before(url).open(door)
    }

    /// Ends all connections, and refuses new ones.
    pub(crate) async fn close(self) -> Site {
        self.accepting.abort();
        self.accepting.await.ok();
        Site {
            socket: reserve(self.port),
            target: self.target,
            url: self.url,
        }
    }

    /// The address of the database, through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The host and port of the proxy.
    pub(crate) fn host(&self) -> String {
        let url = Url::parse(&self.url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
    }

    /// Changes what happens to connections.
    pub(crate) fn set(&self, door: Door) {
        self.door.send_replace(door);
    }
}

/// Accepts connections until the proxy is dropped.
async fn accept(listener: TcpListener, target: String, watched: watch::Receiver<Door>) {
    while watched.has_changed().is_ok() {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        tokio::spawn(pass(client, target.clone(), watched.clone()));
    }
}

/// Passes on what comes, as long as the door allows.
async fn pass(mut client: TcpStream, target: String, mut door: watch::Receiver<Door>) {
    let mut server: Option<TcpStream> = None;
    loop {
        let now = *door.borrow_and_update();
        let passing = async {
            match now {
                Door::Shut => {}
                Door::Forgotten if server.is_some() => std::future::pending().await,
                Door::Silent => std::future::pending().await,
                Door::Open | Door::Forgotten => {
                    if server.is_none() {
                        server = TcpStream::connect(&target).await.ok();
                    }
                    if let Some(server) = &mut server {
                        copy_bidirectional(&mut client, server).await.ok();
                    }
                }
            }
        };
        // Both ends of a connection close when it has come to its end here.
        tokio::select! {
            () = passing => return,
            changed = door.changed() => if changed.is_err() { return },
        }
    }
}
