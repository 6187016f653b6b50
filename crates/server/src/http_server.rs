//! The HTTP server: the application on its sockets.
//!
//! It is put together from the parts that `actix_web::HttpServer` is made of, because that one lets nobody between the HTTP layer
//! and the socket, and a client that takes for ever can be told only there (`timed_stream`, `send_limit`).

mod send_limit;
mod timed_stream;

use std::{
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_http::{HttpService, KeepAlive};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{Error, dev::AppConfig};
use anyhow::Context;
use api::AppState;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use self::{
    send_limit::end_stalls,
    timed_stream::{Patience, TimedStream},
};
use crate::config;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 2048;

/// How long a client that was told that the connection ends may take to end it as well.
const DISCONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// Binds the sockets. The server accepts connections when it is awaited, until `end` completes.
///
/// # Errors
/// When the address cannot be had.
pub(crate) async fn bind(
    http: &config::Http,
    state: AppState,
    end: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<(Server, Vec<SocketAddr>)> {
    let mut server = Server::build()
        .workers(http.workers)
        .shutdown_timeout(whole_seconds(http.shutdown_timeout))
        .shutdown_signal(end);
    let listeners = listeners(http).await.with_context(|| {
        format!(
            "cannot listen on {}:{}; choose another HOST or PORT",
            http.host, http.port
        )
    })?;
    let mut addresses = Vec::new();
    for listener in listeners {
        let address = listener.local_addr().context("a socket has no address")?;
        server = serve(server, http, state.clone(), listener, address)?;
        addresses.push(address);
    }
    Ok((server.run(), addresses))
}

/// Adds a socket to the server.
fn serve(
    server: ServerBuilder,
    http: &config::Http,
    state: AppState,
    listener: TcpListener,
    address: SocketAddr,
) -> anyhow::Result<ServerBuilder> {
    let shutdown = server.graceful_shutdown_signal();
    let (keep_alive, client_timeout) = (keep_alive(http.keep_alive), http.client_timeout);
    let patience = Patience {
        head: client_timeout,
        idle: http.keep_alive.saturating_add(client_timeout),
    };
    let is_kept = !http.keep_alive.is_zero();
    let connections = move || {
        let shutdown = shutdown.clone();
        let application = api::build_app(state.clone()).into_factory();
        let requests = HttpService::build()
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(client_timeout)
            .client_disconnect_timeout(DISCONNECT_PATIENCE)
            .local_addr(address)
            .on_connect_ext(|stream: &TimedStream, connection| {
                connection.insert(stream.connection().clone());
            })
            .h1(map_config(
                application.map_err(|error: Error| error.error_response()),
                |()| AppConfig::default(),
            ));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            end_stalls(&stream, client_timeout);
            ready(Ok((TimedStream::new(stream, is_kept, patience), peer)))
        })
        .and_then(requests)
    };
    server
        .listen(format!("http-{address}"), listener, connections)
        .context("cannot serve on a socket")
}

/// A socket for each address of the host.
async fn listeners(http: &config::Http) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut refused = None;
    for address in lookup_host((http.host.as_str(), http.port)).await? {
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Or the address of a server that was restarted would be taken for a minute.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Seconds as actix-server takes them, rounded up, since less than a second is not nothing.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn keep_alive(duration: Duration) -> KeepAlive {
    if duration.is_zero() {
        KeepAlive::Disabled
    } else {
        KeepAlive::Timeout(duration)
    }
}
