//! A door between the program and its database that a test opens and closes.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
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

/// The proxy. Dropping it ends all connections.
pub(crate) struct Proxy {
    door: watch::Sender<Door>,
    url: String,
}

impl Proxy {
    /// A proxy before the database at `url`.
    pub(crate) async fn start(url: &str, door: Door) -> Self {
        let mut through = Url::parse(url).unwrap();
        let target = format!("{}:{}", through.host_str().unwrap(), through.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        through.set_host(Some(&own.ip().to_string())).unwrap();
        through.set_port(Some(own.port())).unwrap();
        let (door, watched) = watch::channel(door);
        tokio::spawn(async move {
            while watched.has_changed().is_ok() {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(pass(client, target.clone(), watched.clone()));
            }
        });
        Self {
            door,
            url: through.into(),
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
