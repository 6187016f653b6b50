//! Pools of connections to a server, which mistrust connections that may be broken.

use std::time::Duration;

use futures_util::FutureExt;
use sea_orm::sqlx::{self, ConnectOptions, Connection, pool::PoolOptions};
use tokio::{
    select,
    time::{sleep, timeout},
};
use tracing::log::LevelFilter;

use super::{InsertReturning, nodes::Nodes, sessions::Server};
use crate::{DatabaseOptions, watched::Trust};

/// How long a connection that rested may take to answer before it is taken for dead. A firewall that forgot it drops
/// packets without a word.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection to a server that is not wanted any more may take to say that it hears the farewell. Whoever waits for
/// another connection waits for this first.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_millis(250);

/// How long one attempt to replace a connection may take.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause after the first attempt in vain; it doubles with each.
const FIRST_RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: a server that comes back is noticed within this time.
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Pools of a server. A connection that is not trusted is asked before it is used, one that a statement was given up on does
/// not come back to its pool, and one to a server that is not wanted any more is not used again.
///
/// A connection whose other side may be gone is not closed but replaced: over TLS the driver waits for the other side when it
/// closes one.
pub(super) fn server_pool<DB: Server>(
    options: &DatabaseOptions,
    nodes: &Nodes<DB>,
    trust: &Trust,
    insert_returning: &InsertReturning,
) -> sqlx::Pool<DB> {
    let (asking, condemning) = (trust.clone(), trust.clone());
    let (to_ask, to_condemn) = (nodes.clone(), nodes.clone());
    let limit = options.statement_timeout;
    let (of_first, of_replacement) = (insert_returning.clone(), insert_returning.clone());
    pool_options::<DB>(options)
        .min_connections(kept_open(options))
        .max_lifetime(options.max_lifetime)
        .after_connect(move |connection, _| DB::set_up(connection, limit, of_first.clone()))
        // ANCHOR: before-acquire
        .before_acquire(move |connection, state| {
            let (has_moved, must_ask) = (asking.has_moved(state.age), asking.must_ask(state.idle_for));
            let (nodes, insert_returning) = (to_ask.clone(), of_replacement.clone());
            async move {
                if !has_moved && !must_ask {
                    return Ok(true);
                }
                let patience = if has_moved { FAREWELL_TIMEOUT } else { PING_TIMEOUT };
                match timeout(patience, connection.ping()).await {
                    // Whoever answers listens to a farewell as well; the pool then opens another connection.
                    Ok(_) if has_moved => Ok(false),
                    Ok(Ok(())) => Ok(true),
                    Ok(Err(_)) | Err(_) => {
                        // Whoever waits for a connection does not wait for ever, and then drops this.
                        replace(connection, &nodes).await?;
                        DB::set_up(connection, limit, insert_returning).await?;
                        Ok(true)
                    }
                }
            }
            .boxed()
        })
        // ANCHOR_END: before-acquire
        .after_release(move |connection, state| {
            let is_condemned = condemning.is_condemned(state.age);
            let has_moved = condemning.has_moved(state.age);
            let nodes = to_condemn.clone();
            async move {
                if has_moved && timeout(FAREWELL_TIMEOUT, connection.ping()).await.is_ok() {
                    return Ok(false);
                }
                if is_condemned || has_moved {
                    // As long as the server cannot be reached, there is no use for the place in the pool anyway.
                    replace(connection, &nodes).await?;
                    return Ok(false);
                }
                Ok(true)
            }
            .boxed()
        })
        .connect_lazy_with(nodes.options().clone())
}

/// How many connections the driver keeps open: as many as are wanted, but half of the pool at most. It tries for minutes to
/// replace one that was lost (sqlx 0.9, `min_connections_maintenance`), with pauses that double up to a fifth of that or without
/// end where the server is silent, and holds a place of the pool meanwhile. After an outage there would be no place left for
/// whoever could be served.
fn kept_open(options: &DatabaseOptions) -> u32 {
    options.min_connections.min(options.max_connections / 2)
}

/// Puts a new connection in the place of one that cannot be used any more, as soon as the server can be reached.
///
/// # Errors
/// What the server answers when it does not want another connection. It can be heard then, so the old one may be closed.
async fn replace<DB: Server>(connection: &mut DB::Connection, nodes: &Nodes<DB>) -> Result<(), sqlx::Error> {
    let mut pause = FIRST_RECONNECT_PAUSE;
    loop {
        // Not always the same: another node may have been found meanwhile, and then this one is not waited for.
        let moved = nodes.moved();
        let attempt = select! {
            attempt = timeout(RECONNECT_TIMEOUT, nodes.options().connect()) => attempt,
            () = moved => continue,
        };
        match attempt {
            Ok(Ok(fresh)) => {
                *connection = fresh;
                return Ok(());
            }
            Ok(Err(refused @ sqlx::Error::Database(_))) => return Err(refused),
            Ok(Err(_)) | Err(_) => {
                nodes.trouble().notify_one();
                select! {
                    () = sleep(pause) => {}
                    () = nodes.moved() => {}
                }
            }
        }
        pause = (pause * 2).min(LONGEST_RECONNECT_PAUSE);
    }
}

/// What all pools have in common, those of SQLite included.
pub(super) fn pool_options<DB: sqlx::Database>(options: &DatabaseOptions) -> PoolOptions<DB> {
    let pool = PoolOptions::new();
    let pool = match options.acquire_times {
        Some(_) => pool.acquire_time_level(LevelFilter::Trace),
        // A slow one would otherwise be told all the same.
        None => pool.acquire_slow_level(LevelFilter::Off),
    };
    pool.max_connections(options.max_connections.max(1))
        .min_connections(options.min_connections.min(options.max_connections.max(1)))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
}
