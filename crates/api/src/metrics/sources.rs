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
    fn counters(&self) -> [(&'static str, &'static str, u64); 5] {
        [
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

    /// How often what was run again, by reason.
    fn encode_retries(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Transactions and reads that were run again, because nothing of them had happened";
        let mut retries = encoder.encode_descriptor("transaction_retries", help, None, MetricType::Counter)?;
        let counters = &self.counters.retries;
        let by_reason = [
            ("conflict", &counters.conflicts),
            ("lock_timeout", &counters.lock_timeouts),
            ("connection", &counters.lost_connections),
        ];
        for (reason, counter) in by_reason {
            retries
                .encode_family(&[("reason", reason)])?
                .encode_counter::<NoLabelSet, u64, f64>(&counter.get(), None)?;
        }
        Ok(())
    }

    /// What is known of read replicas; nothing where there are none.
    fn encode_replicas(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let replicas = self.health.replicas();
        if replicas.is_empty() {
            return Ok(());
        }
        let help = "Whether reads go to the replica; it is left out while it is down or lags";
        let mut used = encoder.encode_descriptor("db_replica_used", help, None, MetricType::Gauge)?;
        for replica in &replicas {
            used.encode_family(&[("replica", replica.name.as_str())])?
                .encode_gauge(&i64::from(replica.is_used))?;
        }
        let help = "How old the data of the replica is at most; missing where that is not known";
        let mut ages = encoder.encode_descriptor("db_replica_age_seconds", help, None, MetricType::Gauge)?;
        for replica in &replicas {
            let Some(age) = replica.age else { continue };
            ages.encode_family(&[("replica", replica.name.as_str())])?
                .encode_gauge(&age.as_secs_f64())?;
        }
        Ok(())
    }

    /// Which node of the database is used, and whether any takes writes; nothing where there is but one.
    fn encode_nodes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let nodes = self.health.nodes();
        if nodes.is_empty() {
            return Ok(());
        }
        let help = "Whether the database node is the one that is used";
        let mut used = encoder.encode_descriptor("db_node_used", help, None, MetricType::Gauge)?;
        for node in &nodes {
            used.encode_family(&[("node", node.host.as_str())])?
                .encode_gauge(&i64::from(node.is_used))?;
        }
        let help = "Whether any database node takes writes";
        encoder
            .encode_descriptor("db_node_writable", help, None, MetricType::Gauge)?
            .encode_gauge(&i64::from(self.health.has_writable_node()))?;
        let help = "How often another database node was taken";
        encoder
            .encode_descriptor("db_node_moves", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, f64>(&self.health.node_moves(), None)
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
                let labels = [("pool", &*pool.name), ("state", state)];
                connections.encode_family(&labels)?.encode_gauge(&i64::from(count))?;
            }
        }
        let help = "The most connections that the pool opens";
        let mut most = encoder.encode_descriptor("db_pool_max_connections", help, None, MetricType::Gauge)?;
        for pool in &pools {
            most.encode_family(&[("pool", &*pool.name)])?
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

    /// What the runtime has to do that database work runs on.
    fn encode_runtime(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let load = self.health.runtime_load();
        let gauges = [
            (
                "db_runtime_alive_tasks",
                "Pieces of database work that have not ended, and the tasks of the service itself",
                load.alive_tasks,
            ),
            (
                "db_runtime_queued_tasks",
                "Those among them that wait for a thread",
                load.queued_tasks,
            ),
        ];
        for (name, help, count) in gauges {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&count)?;
        }
        Ok(())
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
        self.encode_retries(&mut encoder)?;
        self.encode_batch_sizes(&mut encoder)?;
        self.encode_nodes(&mut encoder)?;
        self.encode_replicas(&mut encoder)?;
        self.encode_runtime(&mut encoder)?;
        self.encode_pools(&mut encoder)
    }
}
