//! A listener for metrics alone, so that who may read them is decided by who can reach it.

use std::{io, time::Duration};

use actix_web::{HttpServer, dev::ServerHandle};
use anyhow::Context;
use api::AppState;
use tokio::{task::JoinHandle, time::timeout};

use crate::config::Observability;

/// How long a scrape that is under way at the end may take.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A listener that runs until it is stopped: longer than the main one, so that the end can be watched as well.
pub(crate) struct MetricsListener {
    server: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl MetricsListener {
    /// Listens, if that is configured.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) fn start(config: &Observability, state: &AppState) -> anyhow::Result<Option<Self>> {
        let Some((host, port)) = &config.metrics_address else {
            return Ok(None);
        };
        let state = state.clone();
        let server = HttpServer::new(move || api::build_metrics_app(state.clone()))
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .bind((host.as_str(), *port))
            .with_context(|| format!("cannot listen on {host}:{port} for metrics; choose another METRICS_ADDR"))?;
        for address in server.addrs() {
            tracing::info!(%address, "serving metrics");
        }
        let server = server.run();
        Ok(Some(Self {
            server: server.handle(),
            task: tokio::spawn(server),
        }))
    }

    /// Stops listening and waits for the end, a little.
    pub(crate) async fn stop(mut self) {
        let end = async {
            self.server.stop(true).await;
            (&mut self.task).await
        };
        if timeout(STOP_PATIENCE, end).await.is_err() {
            tracing::warn!("a scrape of the metrics was cut off");
            self.task.abort();
        }
    }
}
