//! An address on this machine where every connection is refused at once.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine that belongs to us and that nobody listens on: the kernel refuses whoever connects to it, and gives it to
/// nobody else as long as this lives.
#[derive(Debug)]
pub(super) struct Nowhere {
    address: SocketAddr,
    _port: TcpSocket,
}

impl Nowhere {
    /// Nothing, where the system has no port left or no loopback address.
    pub(super) fn reserve() -> Option<Self> {
        let port = TcpSocket::new_v4().ok()?;
        port.bind((Ipv4Addr::LOCALHOST, 0).into()).ok()?;
        let address = port.local_addr().ok()?;
        Some(Self { address, _port: port })
    }

    /// Its address, port included.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::TcpStream;

    use super::*;

    /// The driver of the databases tries again after this error, and after no other.
    #[tokio::test]
    async fn whoever_connects_is_refused() {
        let nowhere = Nowhere::reserve().unwrap();
        for _ in 0..3 {
            let refused = TcpStream::connect(nowhere.address()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    }
}
