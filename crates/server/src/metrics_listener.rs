//! A listener for metrics alone, so that who may read them is decided by who can reach it.

use std::{io, time::Duration};

use api::AppState;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    config::Config,
    http_server::{self, Listening},
};

/// How long a scrape that is under way at the end may take.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A listener that runs until it is stopped: longer than the main one, so that the end can be watched as well.
pub(crate) struct MetricsListener {
    /// Dropped to end it.
    end: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl MetricsListener {
    /// Listens, if that is configured.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) async fn start(config: &Config, state: &AppState) -> anyhow::Result<Option<Self>> {
        let Some((host, port)) = &config.observability.metrics_address else {
            return Ok(None);
        };
        // Clients get as much time as those of the API.
        let listening = Listening {
            variables: "METRICS_ADDR",
            host,
            port: *port,
            workers: 1,
            shutdown_timeout: Duration::from_secs(1),
            ..Listening::new(&config.http)
        };
        let (end, ended) = oneshot::channel();
        let state = state.clone();
        let application = move || api::build_metrics_app(state.clone());
        let (server, addresses) = http_server::bind(listening, application, async {
            // Its sender is only dropped.
            let _ = ended.await;
        })
        .await?;
        for address in addresses {
            tracing::info!(%address, "serving metrics");
        }
        Ok(Some(Self {
            end,
            server: tokio::spawn(server),
        }))
    }

    /// Stops listening and waits for the end, a little.
    pub(crate) async fn stop(mut self) {
        drop(self.end);
        if timeout(STOP_PATIENCE, &mut self.server).await.is_err() {
            tracing::warn!("a scrape of the metrics was cut off");
            self.server.abort();
        }
    }
}
