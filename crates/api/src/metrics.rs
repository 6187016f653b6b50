//! What is counted and measured, and how Prometheus gets to read it.
//!
//! - [`http`](self::http): what the edge notes of every request
//! - [`sources`]: what other parts of the service keep, collected when somebody asks
//! - [`process`]: what the operating system knows of the process
//! - [`exposition`]: the two forms in which it is told
//! - [`endpoint`]: `GET /metrics`
//!
//! Labels take few values, none of which a client can make up: no path, no id, no name.

mod endpoint;
mod exposition;
mod http;
mod process;
mod sources;

use std::fmt;

use prometheus_client::registry::Registry;

pub(crate) use endpoint::configure;
pub(crate) use exposition::Exposition;
pub(crate) use http::{HttpMetrics, method_label};
pub(crate) use sources::Sources;

/// Every metric of one application.
#[derive(Debug)]
pub(crate) struct Metrics {
    http: HttpMetrics,
    registry: Registry,
}

impl Metrics {
    /// Metrics that start at zero, and those that `sources` keep.
    pub(crate) fn new(sources: Sources) -> Self {
        let mut registry = Registry::default();
        let http = HttpMetrics::register(&mut registry);
        registry.register_collector(Box::new(sources));
        registry.register_collector(Box::new(process::Process::default()));
        Self { http, registry }
    }

    /// Where requests are noted.
    pub(crate) fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// Everything as it is now. It reads files of the operating system, so it may block for a moment.
    ///
    /// # Errors
    /// When a metric cannot be written, which is a defect.
    pub(crate) fn render(&self, exposition: Exposition) -> Result<String, fmt::Error> {
        exposition.render(&self.registry)
    }
}
