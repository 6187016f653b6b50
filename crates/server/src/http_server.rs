//! The HTTP server: the application on its sockets.
//!
//! It is put together from the parts that `actix_web::HttpServer` is made of, because that one lets nobody between the HTTP layer
//! and the socket, and a client that takes for ever can be told only there (`timed_stream`, `send_limit`).

mod send_limit;
mod timed_stream;

use std::{
    collections::BTreeSet,
    future::ready,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_http::{HttpService, KeepAlive};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{AppConfig, ServiceRequest, ServiceResponse},
};
use anyhow::Context;
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

/// What `App` is made of, as the `api` crate makes it.
pub(crate) trait Application:
    ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
    + 'static
{
}

impl<Routes> Application for Routes where
    Routes: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
        + 'static
{
}

/// Where and how to serve.
#[derive(Clone, Copy)]
pub(crate) struct Listening<'a> {
    /// The variables that say where, for whoever has to choose again.
    pub(crate) variables: &'static str,
    pub(crate) host: &'a str,
    /// 0 for one that is free.
    pub(crate) port: u16,
    pub(crate) workers: usize,
    /// How long a connection may rest between requests; zero for one request each.
    pub(crate) keep_alive: Duration,
    /// How long a client may take for the head of a request, and may stop to read an answer.
    pub(crate) client_timeout: Duration,
    /// How long requests in progress may take at the end.
    pub(crate) shutdown_timeout: Duration,
}

impl<'a> Listening<'a> {
    /// What the configuration says of the HTTP server.
    pub(crate) fn new(http: &'a config::Http) -> Self {
        Self {
            variables: "HOST or PORT",
            host: &http.host,
            port: http.port,
            workers: http.workers,
            keep_alive: http.keep_alive,
            client_timeout: http.client_timeout,
            shutdown_timeout: http.shutdown_timeout,
        }
    }
}

/// Binds the sockets and says where they are. The server accepts connections when it is awaited, until `end` completes.
/// `application` is called once for each worker.
///
/// # Errors
/// When an address cannot be had.
pub(crate) async fn bind<Routes: Application>(
    listening: Listening<'_>,
    application: impl Fn() -> App<Routes> + Clone + Send + 'static,
    end: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<(Server, Vec<SocketAddr>)> {
    // ANCHOR: workers
    let mut server = Server::build()
        .workers(listening.workers)
        .shutdown_timeout(whole_seconds(listening.shutdown_timeout))
        .shutdown_signal(end);
    // ANCHOR_END: workers
    let hosts = lookup_host((listening.host, listening.port)).await;
    let listeners = hosts.and_then(listeners).with_context(|| {
        format!(
            "cannot listen on {}:{}; choose another {}",
            listening.host, listening.port, listening.variables
        )
    })?;
    let mut addresses = Vec::new();
    for listener in listeners {
        let address = listener.local_addr().context("a socket has no address")?;
        server = serve(server, listening, application.clone(), listener, address)?;
        addresses.push(address);
    }
    Ok((server.run(), addresses))
}

/// Adds a socket to the server.
fn serve<Routes: Application>(
    server: ServerBuilder,
    listening: Listening<'_>,
    application: impl Fn() -> App<Routes> + Clone + Send + 'static,
    listener: TcpListener,
    address: SocketAddr,
) -> anyhow::Result<ServerBuilder> {
    let shutdown = server.graceful_shutdown_signal();
    let (keep_alive, client_timeout) = (keep_alive(listening.keep_alive), listening.client_timeout);
    let patience = Patience {
        head: client_timeout,
        idle: listening.keep_alive.saturating_add(client_timeout),
    };
    let is_kept = !listening.keep_alive.is_zero();
    let connections = move || {
        let shutdown = shutdown.clone();
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
                application()
                    .into_factory()
                    .map_err(|error: Error| error.error_response()),
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

/// A socket for each address of a host that this machine has, which may be all but that of IPv6.
///
/// An address that somebody else has already, or that this process may not have, is an error even if there is another: clients
/// that know the host by that address would be served by somebody else, or by nobody.
fn listeners(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut absent = None;
    // A resolver may say the same twice.
    let addresses: BTreeSet<_> = addresses.collect();
    for address in addresses {
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err(io::Error::new(error.kind(), format!("{address}: {error}")));
            }
            Err(error) => {
                tracing::debug!(%address, %error, "cannot listen on this address");
                absent = Some(error);
            }
        }
    }
    match absent {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_the_machine_has_not_is_left_out_and_none_is_taken_twice() {
        // For documentation, so that nobody has it.
        let foreign = address("192.0.2.1:0");
        let own = address("127.0.0.1:0");
        let found = listeners([foreign, own, own].into_iter()).unwrap();
        let found: Vec<_> = found.iter().map(|found| found.local_addr().unwrap().ip()).collect();
        assert_eq!(found, [own.ip()]);
        let error = listeners([foreign].into_iter()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }

    #[tokio::test]
    async fn an_address_that_somebody_has_is_an_error_even_if_there_is_another() {
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = somebody.local_addr().unwrap();
        let error = listeners([taken, address("127.0.0.2:0")].into_iter()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("{taken}: ")), "{error}");
    }
}
