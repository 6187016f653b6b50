//! How long a client may take nothing of what it is sent.
//!
//! actix-web waits for ever: while a connection takes nothing, it neither writes nor asks the body for more, so nothing above
//! the socket can end it. The operating system can (`TCP_USER_TIMEOUT`, RFC 5482): it resets a connection on which bytes wait
//! for that long, whether the client is silent or keeps saying that it has no room. Only Linux is told so.

use std::{any::Any, time::Duration};

use actix_web::dev::Extensions;

/// How many times longer than in the middle of its own body a client may stall while it reads. It may have to put away
/// what it got.
const PATIENCE_FACTOR: u32 = 6;

/// The least patience, however short that of the operator is: lost packets have to be sent again.
const LEAST_PATIENCE: Duration = Duration::from_secs(3);

/// What is to be done with each new connection, where a client that sends may stall for `client_timeout`.
pub(crate) fn end_stalls(client_timeout: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + Sync {
    let patience = client_timeout.saturating_mul(PATIENCE_FACTOR).max(LEAST_PATIENCE);
    move |connection, _| set_patience(connection, patience)
}

#[cfg(target_os = "linux")]
fn set_patience(connection: &dyn Any, patience: Duration) {
    let Some(stream) = connection.downcast_ref::<tokio::net::TcpStream>() else {
        return;
    };
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(patience)) {
        tracing::debug!(%error, "a connection has no limit for a client that takes nothing");
    }
}

#[cfg(not(target_os = "linux"))]
fn set_patience(_: &dyn Any, _: Duration) {}
