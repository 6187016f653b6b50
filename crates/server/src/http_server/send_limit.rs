//! How long a client may take nothing of what it is sent.
//!
//! actix-web waits for ever: while a connection takes nothing, it neither writes nor asks the body for more, so nothing above
//! the socket can end it. The operating system can (`TCP_USER_TIMEOUT`, RFC 5482): it resets a connection on which bytes wait
//! for that long, whether the client is silent or keeps saying that it has no room. Only Linux is told so.

use std::time::Duration;

use tokio::net::TcpStream;

/// How many times longer than in the middle of its own body a client may stall while it reads. It may have to put away
/// what it got.
const PATIENCE_FACTOR: u32 = 6;

/// The least patience, however short that of the operator is: lost packets have to be sent again.
const LEAST_PATIENCE: Duration = Duration::from_secs(3);

/// Has a connection ended that takes nothing, where a client that sends may stall for `client_timeout`.
pub(super) fn end_stalls(stream: &TcpStream, client_timeout: Duration) {
    let patience = client_timeout.saturating_mul(PATIENCE_FACTOR).max(LEAST_PATIENCE);
    set_patience(stream, patience);
}

#[cfg(target_os = "linux")]
fn set_patience(stream: &TcpStream, patience: Duration) {
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(patience)) {
        tracing::debug!(%error, "a connection has no limit for a client that takes nothing");
    }
}

#[cfg(not(target_os = "linux"))]
fn set_patience(_: &TcpStream, _: Duration) {}
