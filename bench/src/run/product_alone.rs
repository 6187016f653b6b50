//! Measurements of the product alone: pages deep in a table, batches, memory, and the time to the first answer.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::sleep;

use super::Bench;
use super::compare::repeatedly;
use crate::load::{Connection, Load, Pace, Requests, drive};
use crate::process::Server;
use crate::results::{Figure, GroupResults};

/// Users in a batch, the most that the API takes.
const BATCH_USERS: u16 = 1000;
/// Connections that send batches: a few, because each carries as much as a thousand requests.
const BATCH_CONNECTIONS: u32 = 4;
/// Connections of the hand-written server's single creates that batches are compared with.
const SINGLE_CONNECTIONS: u32 = 32;
/// Rows on a page while the way to the middle of the table is measured.
const DEEP_PAGE_USERS: u64 = 100;
/// Connections under which memory is measured.
const MEMORY_CONNECTIONS: u32 = 128;
/// How long a server is left alone before it counts as being at rest.
const REST: Duration = Duration::from_secs(2);
/// How often the product is started.
const STARTS: u32 = 10;

impl Bench {
    fn closed(&self, connections: u32) -> Load {
        Load {
            connections,
            duration: self.duration,
            pace: Pace::Closed,
        }
    }

    /// Rows a second in batches against those of the hand-written server one by one.
    pub(super) async fn batch(&self, results: &mut GroupResults) -> Result<()> {
        let (_, baseline, product) = self.both_servers(self.users).await?;
        let singles = self.posts("/users");
        let thousands = Requests::post_batch("/api/v1/users/batch", BATCH_USERS.into(), &self.next_user);
        for _ in 0..self.rounds {
            let (single, rows) = repeatedly(async || {
                let single = drive(baseline.address, &singles, self.closed(SINGLE_CONNECTIONS)).await?;
                let batches = drive(product.address, &thousands, self.closed(BATCH_CONNECTIONS)).await?;
                Ok((single.per_second(), batches.per_second() * f64::from(BATCH_USERS)))
            })
            .await?;
            add(results, Figure::BatchRowsPerSecond, rows.round());
            add(results, Figure::BatchRatio, rows / single);
        }
        Ok(())
    }

    /// The latency of a page half way down a large table, reached by cursor, against that of the first page.
    pub(super) async fn keyset(&self, results: &mut GroupResults) -> Result<()> {
        let database = self.databases.make(&self.product, self.keyset_users).await?;
        let product = self.product.serve(&database).await?;
        // A cursor cannot be made up. A page by number, which is slow there, tells the one that follows it.
        let page = self.keyset_users / 2 / DEEP_PAGE_USERS;
        let path = format!("/api/v1/users?page={page}&per_page={DEEP_PAGE_USERS}");
        let answer = Connection::open(product.address)
            .await?
            .get(&path)
            .await?
            .successful(&format!("GET {path}"))?;
        let answer = answer.json()?;
        let cursor = answer.get("next_cursor").and_then(serde_json::Value::as_str);
        let cursor = cursor.with_context(|| format!("GET {path} has no next_cursor"))?;
        let first = Requests::get(["/api/v1/users?cursor=&per_page=20".to_owned()]);
        let deep = Requests::get([format!("/api/v1/users?cursor={cursor}&per_page=20")]);
        for _ in 0..self.rounds {
            let (first, deep) = repeatedly(async || {
                let first = drive(product.address, &first, self.closed(1)).await?;
                let deep = drive(product.address, &deep, self.closed(1)).await?;
                product.empty_log()?;
                Ok((first.latency_micros(0.5), deep.latency_micros(0.5)))
            })
            .await?;
            add(results, Figure::KeysetFirstPageMicros, first.round());
            add(results, Figure::KeysetDeepPageMicros, deep.round());
            add(results, Figure::KeysetDepthRatio, deep / first);
        }
        Ok(())
    }

    /// Resident memory at rest, and its peak under load.
    pub(super) async fn memory(&self, results: &mut GroupResults) -> Result<()> {
        let database = self.databases.make(&self.product, self.users).await?;
        let ids = database.ids().await?;
        ensure!(!ids.is_empty(), "there are no users to read");
        let requests = Requests::get(ids.iter().map(|id| format!("/api/v1/users/{id}")));
        for _ in 0..self.rounds {
            let (rest, load) = repeatedly(async || {
                let product = self.product.serve(&database).await?;
                sleep(REST).await;
                let rest = product.usage()?.resident_kib;
                drive(product.address, &requests, self.closed(MEMORY_CONNECTIONS)).await?;
                let peak = product.usage()?.peak_kib;
                product.empty_log()?;
                product.stop().await?;
                Ok((mib(rest), mib(peak)))
            })
            .await?;
            add(results, Figure::MemoryAtRestMib, rest);
            add(results, Figure::MemoryUnderLoadMib, load);
        }
        Ok(())
    }

    /// The time from the start of the process to its first 200 on `/health/ready`.
    pub(super) async fn start(&self, results: &mut GroupResults) -> Result<()> {
        let database = self.databases.make(&self.product, 0).await?;
        for _ in 0..STARTS {
            let product: Server = self.product.serve(&database).await?;
            add(results, Figure::StartMillis, product.time_to_ready.as_secs_f64() * 1e3);
            product.stop().await?;
        }
        Ok(())
    }
}

/// Kibibytes as mebibytes.
#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 kibibytes")]
pub(super) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Adds the value of a round, with three decimal places.
pub(super) fn add(results: &mut GroupResults, figure: Figure, value: f64) {
    let value = (value * 1e3).round() / 1e3;
    results.figures.entry(figure).or_default().push(value);
}
