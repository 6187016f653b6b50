//! Exports traces over OTLP. Everything but the address comes from the standard variables of `OpenTelemetry`
//! (`OTEL_SERVICE_NAME`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER` …), which its SDK reads from the environment of the
//! process by itself.

use std::time::Duration;

use anyhow::Context;
use opentelemetry::{Key, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    registry::LookupSpan,
};

/// What the last spans get to reach the collector when the program ends.
const PATIENCE: Duration = Duration::from_secs(3);

const SERVICE: &str = "async-starter";

/// Sends spans in batches, from a thread of its own.
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// Sends to the collector at `endpoint`, such as `http://127.0.0.1:4318`. Whether one is there shows later.
    pub(super) fn to(endpoint: &str) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            // An address given in code is taken as it is; the standard has signals append their path.
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .context("traces cannot be exported; check OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource())
            .build();
        Ok(Self(provider))
    }

    // ANCHOR: layer
    /// A layer that exports the spans of requests and of their database work, and the statements as events of these.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layers = [
            "async_starter_api",
            "async_starter_service",
            "async_starter_persistence",
            "sqlx::query",
        ];
        let wanted = Targets::new().with_targets(layers.map(|layer| (layer, LevelFilter::DEBUG)));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(wanted)
    }
    // ANCHOR_END: layer

    /// Sends what is left, and ends.
    pub(super) fn shut_down(self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces did not reach their collector");
        }
    }
}

/// What the environment says about the service; its name, unless it has none there.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if is_named {
        found
    } else {
        Resource::builder().with_service_name(SERVICE).build()
    }
}
