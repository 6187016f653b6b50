//! Logs, and what else is learned from the events and spans of the program: waits for connections, what the console shows, and
//! traces.

mod acquire;
mod around;
mod lines;
#[cfg(feature = "otel")]
mod otlp;
mod writer;

use std::{io::stderr, thread};

use anyhow::Context;
use api::Console;
use persistence::Histogram;
use tracing::Dispatch;
#[cfg(feature = "otel")]
use tracing::Subscriber;
#[cfg(feature = "otel")]
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Config;
use writer::LineWriter;

/// Libraries whose everyday messages say nothing to an operator. A filter that names them is stronger.
///
/// `actix_http` reports every request line that it cannot read as an error, which any port scan would be.
const QUIET: &str = "actix_server=warn,actix_http=off,sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// What was started, until the program ends.
pub(crate) struct Telemetry {
    acquire_times: Histogram,
    console: Option<Console>,
    log: Log,
    #[cfg(feature = "otel")]
    export: Option<otlp::Export>,
}

/// The log, whose last lines are written before the program ends. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Log(LineWriter);

impl Log {
    /// Waits until what was logged is written, two seconds at most.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }
}

impl Telemetry {
    /// Starts logging, to standard error: standard output stays free for what a command prints. Starts to export traces, and to
    /// watch requests for the console, if that is configured; the latter only where there will be any.
    ///
    /// # Errors
    /// When the system gives no thread to write the log, or traces cannot be exported to the configured address.
    pub(crate) fn start(config: &Config, is_serving: bool) -> anyhow::Result<Self> {
        let writer = LineWriter::start(stderr(), |lines| {
            tracing::error!(lines, "log lines were left out, because nobody took those before them");
        });
        let writer = writer.context("the system gives no thread to write the log")?;
        let telemetry = Self {
            acquire_times: acquire::acquire_times(),
            console: (is_serving && config.observability.console).then(Console::new),
            log: Log(writer.clone()),
            #[cfg(feature = "otel")]
            export: start_export(config)?,
        };
        let lines = lines::Lines::new(config.log.format, writer);
        if let Err(error) = telemetry.subscriber(lines, &config.log.filter).try_init() {
            // A second call in one process would be a defect, and is harmless: the first goes on.
            eprintln!("logging was started already: {error}");
        }
        log_panics(telemetry.log.clone());
        #[cfg(not(feature = "otel"))]
        if config.observability.otlp_endpoint.is_some() {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT: no effect, because this program was built without the feature `otel`"
            );
        }
        Ok(telemetry)
    }

    /// What listens to the program. Each layer has a filter: one without any would want everything, and every span and event would
    /// be looked at again and again. And a layer that has nothing to do is left out: each that is there costs something whenever
    /// work on a request goes on, also where its filter wants nothing.
    fn subscriber(&self, lines: lines::Lines, filter: &str) -> Dispatch {
        let filter = EnvFilter::new(format!("{QUIET},{filter}"));
        // ANCHOR: registry
        let registry = tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(acquire::layer(self.acquire_times.clone()));
        match &self.console {
            Some(console) => self.with_export(registry.with(console.layer())),
            None => self.with_export(registry),
        }
        // ANCHOR_END: registry
    }

    /// The same with the exporter of traces, if there is one.
    #[cfg(feature = "otel")]
    fn with_export<S>(&self, subscriber: S) -> Dispatch
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        match &self.export {
            Some(export) => subscriber.with(export.layer()).into(),
            None => subscriber.into(),
        }
    }

    #[cfg(not(feature = "otel"))]
    #[expect(clippy::unused_self, reason = "with the feature `otel` it is used")]
    fn with_export(&self, subscriber: impl Into<Dispatch>) -> Dispatch {
        subscriber.into()
    }

    /// Where waits for a connection are noted.
    pub(crate) fn acquire_times(&self) -> &Histogram {
        &self.acquire_times
    }

    /// What is shown at `/console`, if that is wanted.
    pub(crate) fn console(&self) -> Option<&Console> {
        self.console.as_ref()
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Sends the last traces and writes the last lines, which takes some seconds at most. Outside of the runtime, for it blocks.
    pub(crate) fn shut_down(self) {
        #[cfg(feature = "otel")]
        if let Some(export) = self.export {
            export.shut_down();
        }
        self.log.flush();
    }
}

#[cfg(feature = "otel")]
fn start_export(config: &Config) -> anyhow::Result<Option<otlp::Export>> {
    use secrecy::ExposeSecret;

    let endpoint = config.observability.otlp_endpoint.as_ref();
    endpoint
        .map(|endpoint| otlp::Export::to(endpoint.expose_secret()))
        .transpose()
}

fn log_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            location,
            panic = panic.payload_as_str().unwrap_or("no message"),
            "panicked"
        );
        // With this thread the program ends.
        if thread::current().name() == Some("main") {
            log.flush();
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::io::sink;

    use tracing::Metadata;

    use super::*;
    use crate::config::LogFormat;

    fn telemetry(console: Option<Console>) -> Telemetry {
        Telemetry {
            acquire_times: acquire::acquire_times(),
            console,
            log: Log(LineWriter::start(sink(), |_| ()).unwrap()),
            #[cfg(feature = "otel")]
            export: None,
        }
    }

    /// A span of the layers, as none but the console and the exporter of traces want it.
    fn span_of_a_layer() -> &'static Metadata<'static> {
        let everything = tracing_subscriber::registry();
        tracing::subscriber::with_default(everything, || {
            let span = tracing::debug_span!(target: "async_starter_api::middleware::admission", "handler");
            span.metadata().unwrap()
        })
    }

    fn is_ever_wanted(telemetry: &Telemetry) -> bool {
        let lines = lines::Lines::new(LogFormat::Json, telemetry.log.0.clone());
        let subscriber = telemetry.subscriber(lines, "info");
        !subscriber.register_callsite(span_of_a_layer()).is_never()
    }

    #[test]
    fn what_nobody_wants_is_not_looked_at_again() {
        assert!(is_ever_wanted(&telemetry(Some(Console::new()))));
        assert!(!is_ever_wanted(&telemetry(None)));
    }
}
