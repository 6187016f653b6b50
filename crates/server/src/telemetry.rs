//! Logging: to standard error, for people or for machines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Libraries whose everyday messages say nothing to an operator. A filter that names them is stronger.
///
/// `actix_http` reports every request line that it cannot read as an error, which any port scan would be.
const QUIET: &str = "actix_server=warn,actix_http=off,sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// Starts logging. Standard output stays free for what a command prints.
pub(crate) fn init(log: &Log) {
    let layer = fmt::layer().with_writer(stderr);
    let registry = tracing_subscriber::registry().with(EnvFilter::new(format!("{QUIET},{}", log.filter)));
    // A second call in one process would be a defect, and is harmless: the first goes on.
    let started = match log.format {
        LogFormat::Pretty => registry
            .with(layer.with_ansi(stderr().is_terminal()).with_target(false))
            .try_init(),
        LogFormat::Json => registry
            .with(
                layer
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false),
            )
            .try_init(),
    };
    if let Err(error) = started {
        eprintln!("logging was started already: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            location,
            panic = panic.payload_as_str().unwrap_or("no message"),
            "panicked"
        );
    }));
}
