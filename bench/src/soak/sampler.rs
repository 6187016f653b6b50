//! Reads what the product holds: from the kernel, from its own metrics, and from the database server.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, MySqlConnection, Row as _};
use tokio::time::{MissedTickBehavior, interval};

use super::series::{Point, Series};
use crate::load::Connection;
use crate::process::Server;

/// The points of every series.
pub(super) type Points = BTreeMap<Series, Vec<Point>>;

/// Where the numbers are read.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    product: &'a Server,
    database_url: String,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(product: &'a Server, database_url: &str) -> Self {
        Self {
            product,
            database_url: database_url.to_owned(),
        }
    }

    /// Reads at each interval until dropped, or until something cannot be read.
    ///
    /// # Errors
    /// When something cannot be read, which mostly means that the product has ended.
    pub(super) async fn watch(&self, begin: Instant, pause: Duration, points: &mut Points) -> Result<()> {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let second = begin.elapsed().as_secs_f64();
            for (series, value) in self.read().await? {
                points.entry(series).or_default().push(Point { second, value });
            }
            self.product.empty_log()?;
        }
    }

    /// Everything as it is now.
    ///
    /// # Errors
    /// As [`Self::watch`].
    pub(super) async fn read(&self) -> Result<BTreeMap<Series, f64>> {
        let process = self.product.id();
        let mut connection = Connection::open(self.product.address).await?;
        let metrics = connection.get("/metrics").await?.successful("GET /metrics")?;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let list = connection
            .get("/api/v1/users?per_page=1")
            .await?
            .successful("the list")?
            .json()?;
        let total = list.get("total").and_then(serde_json::Value::as_f64);
        let sum = |name: &str| sum_of(&metrics, name).with_context(|| format!("/metrics has no {name}"));
        let mut values = BTreeMap::from([
            (Series::ResidentMemoryMib, mib(self.product.usage()?.resident_kib)),
            (Series::OpenHandles, entries(&format!("/proc/{process}/fd"))?),
            (Series::Threads, entries(&format!("/proc/{process}/task"))?),
            (Series::AliveTasks, sum("db_runtime_alive_tasks")?),
            (Series::QueuedTasks, sum("db_runtime_queued_tasks")?),
            (Series::RequestsInProgress, sum("http_requests_in_progress")?),
            (Series::PoolConnections, sum("db_pool_connections")?),
            (Series::Users, total.context("the list has no total")?),
        ]);
        if let Some(statements) = self.prepared_statements().await? {
            values.insert(Series::PreparedStatements, statements);
        }
        Ok(values)
    }

    /// Those of all sessions. MySQL and MariaDB tell; PostgreSQL shows each session only its own, and SQLite has no server.
    async fn prepared_statements(&self) -> Result<Option<f64>> {
        if !self.database_url.starts_with("mysql:") {
            return Ok(None);
        }
        // As plain text: a statement of ours would count.
        let mut connection = MySqlConnection::connect(&self.database_url).await?;
        let row = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")
            .fetch_one(&mut connection)
            .await?;
        let count: String = row.try_get(1)?;
        connection.close().await?;
        Ok(Some(count.parse()?))
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 kibibytes")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 entries")]
fn entries(folder: &str) -> Result<f64> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder} (a soak needs Linux)"))?;
    Ok(entries.count() as f64)
}

/// The sum over all labels of a metric; nothing if there is no such metric.
fn sum_of(metrics: &str, name: &str) -> Option<f64> {
    let values: Vec<f64> = metrics
        .lines()
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let found = series.split('{').next()?;
            (found == name).then(|| value.parse().ok())?
        })
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::sum_of;

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let metrics = "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3\nab 7\n";
        assert_eq!(sum_of(metrics, "a"), Some(5.0));
        assert_eq!(sum_of(metrics, "ab"), Some(7.0));
        assert_eq!(sum_of(metrics, "b"), None);
    }
}
