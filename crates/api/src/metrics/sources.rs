//! What other parts of the service keep, collected when somebody asks.
//!
//! A new counter of `service` gets a line in [`Sources::counters`]; a new part of the service a field.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};
use service::{Counters, HealthService};

use crate::{Lifecycle, RateLimitCounters};

/// Where the numbers are.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) counters: Counters,
    pub(crate) health: HealthService,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) rate_limit: RateLimitCounters,
}

impl Sources {
    /// What is only ever counted: name without `_total`, meaning, count.
    fn counters(&self) -> [(&'static str, &'static str, u64); 6] {
        [
            (
                "transaction_retries",
                "Transactions that were run again because they were in conflict with another",
                self.counters.transaction_retries.get(),
            ),
            (
                "idempotent_replays",
                "Requests with an idempotency key that were given the answer of an earlier one",
                self.counters.idempotent_replays.get(),
            ),
            (
                "users_imported",
                "Users that imports created",
                self.counters.users_imported.get(),
            ),
            (
                "users_exported",
                "Users that exports read",
                self.counters.users_exported.get(),
            ),
            (
                "rate_limit_refused",
                "Requests beyond the rate limit",
                self.rate_limit.refused(),
            ),
            (
                "rate_limit_store_failures",
                "How often the shared store of the rate limit was asked in vain; requests are let through then",
                self.rate_limit.store_failures(),
            ),
        ]
    }

    /// How many requests shared a statement, by what it did.
    fn encode_batch_sizes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "How many requests shared a statement; 1 where there was nobody to share it with";
        let mut sizes = encoder.encode_descriptor("coalesced_batch_size", help, None, MetricType::Histogram)?;
        let by_kind = [
            ("read", &self.counters.read_batch_sizes),
            ("count", &self.counters.count_batch_sizes),
            ("create", &self.counters.write_batch_sizes),
        ];
        for (kind, histogram) in by_kind {
            let buckets = histogram.buckets();
            let count = buckets.iter().map(|(_, count)| count).sum();
            sizes.encode_family(&[("kind", kind)])?.encode_histogram::<NoLabelSet>(
                histogram.sum(),
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn encode_pools(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let pools = self.health.pools();
        let help = "Open connections to the database";
        let mut connections = encoder.encode_descriptor("db_pool_connections", help, None, MetricType::Gauge)?;
        for pool in &pools {
            for (state, count) in [("idle", pool.idle), ("in_use", pool.in_use)] {
                let labels = [("pool", pool.name), ("state", state)];
                connections.encode_family(&labels)?.encode_gauge(&i64::from(count))?;
            }
        }
        let help = "The most connections that the pool opens";
        let mut most = encoder.encode_descriptor("db_pool_max_connections", help, None, MetricType::Gauge)?;
        for pool in &pools {
            most.encode_family(&[("pool", pool.name)])?
                .encode_gauge(&i64::from(pool.max))?;
        }
        let Some(times) = self.health.acquire_times() else {
            return Ok(());
        };
        let help = "Time until a connection to the database was had; waits in vain end in problems instead";
        let buckets = times.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder
            .encode_descriptor("db_pool_acquire_seconds", help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(times.sum(), count, &buckets, None)
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encoder
            .encode_descriptor(
                "async_starter_build_info",
                "Which version runs; always 1",
                None,
                MetricType::Gauge,
            )?
            .encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?
            .encode_gauge(&1_i64)?;
        let in_progress = i64::try_from(self.lifecycle.requests_in_progress()).unwrap_or(i64::MAX);
        encoder
            .encode_descriptor(
                "http_requests_in_progress",
                "Requests that are being worked on, this one included",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&in_progress)?;
        for (name, help, count) in self.counters() {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
        self.encode_batch_sizes(&mut encoder)?;
        self.encode_pools(&mut encoder)
    }
}
