//! Many users at once: seeding, export and import.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Bench;
use super::product_alone::{add, mib};
use crate::load::{Answer, Connection, import_line, upload};
use crate::process::Server;
use crate::results::{Figure, GroupResults};

const EXPORT: &str = "/api/v1/users/export";
const IMPORT: &str = "/api/v1/users/import";
/// How long an import may take.
const IMPORT_PATIENCE: Duration = Duration::from_mins(15);
/// How much of an export is kept: it may be the problem that was answered in its place.
const LONGEST_PROBLEM_BYTES: usize = 4096;
/// Lines of an import that are sent at once.
const LINES_AT_ONCE: u64 = 500;

impl Bench {
    /// Seeds, exports and imports. Each is measured even if one before it fails.
    pub(super) async fn bulk(&self, results: &mut GroupResults) -> Result<()> {
        let database = self.databases.make(&self.product, 0).await?;
        let begin = Instant::now();
        self.product
            .run(&database, &["seed", "--count", &self.bulk_users.to_string()])?;
        add(results, Figure::SeedSeconds, begin.elapsed().as_secs_f64());

        let product = self.product.serve(&database).await?;
        if let Err(error) = self.export(&product, results).await {
            results.failures.push(format!("export: {error:#}"));
        }
        product.stop().await?;

        let database = self.databases.make(&self.product, 0).await?;
        let product = self.product.serve(&database).await?;
        if let Err(error) = self.import(&product, results).await {
            results.failures.push(format!("import: {error:#}"));
        } else {
            let stored = u64::try_from(database.count().await?).unwrap_or_default();
            ensure!(
                stored == self.bulk_users,
                "import: {stored} users are stored, not {}",
                self.bulk_users
            );
        }
        product.stop().await
    }

    async fn export(&self, product: &Server, results: &mut GroupResults) -> Result<()> {
        let mut connection = Connection::open(product.address).await?;
        let memory = Memory::before(product)?;
        let (mut rows, mut beginning) = (0, Vec::new());
        let begin = Instant::now();
        let status = connection
            .stream(EXPORT, |part| {
                rows += memchr::memchr_iter(b'\n', part).count() as u64;
                if beginning.len() < LONGEST_PROBLEM_BYTES {
                    beginning.extend_from_slice(part);
                }
            })
            .await?;
        let elapsed = begin.elapsed();
        let answer = Answer {
            status,
            body: beginning,
        };
        answer.successful(&format!("GET {EXPORT}"))?;
        ensure!(
            rows == self.bulk_users,
            "GET {EXPORT} has {rows} lines, not {}",
            self.bulk_users
        );
        add(results, Figure::ExportRowsPerSecond, per_second(rows, elapsed));
        add(results, Figure::ExportGrowthMib, memory.growth_mib()?);
        Ok(())
    }

    async fn import(&self, product: &Server, results: &mut GroupResults) -> Result<()> {
        let memory = Memory::before(product)?;
        let users = self.bulk_users;
        let mut sent = 0;
        let begin = Instant::now();
        let answer = upload(
            product.address,
            IMPORT,
            "application/x-ndjson",
            IMPORT_PATIENCE,
            |piece| {
                let end = users.min(sent + LINES_AT_ONCE);
                (sent..end).for_each(|number| import_line(piece, number));
                sent = end;
            },
        );
        let answer = answer.await?.successful(&format!("POST {IMPORT}"))?.json()?;
        let elapsed = begin.elapsed();
        let created = answer.get("created").and_then(serde_json::Value::as_u64);
        let created = created.with_context(|| format!("POST {IMPORT} does not say what it created: {answer}"))?;
        ensure!(
            created == users,
            "POST {IMPORT} created {created} users, not {users}: {answer}"
        );
        add(results, Figure::ImportRowsPerSecond, per_second(users, elapsed));
        add(results, Figure::ImportGrowthMib, memory.growth_mib()?);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn per_second(rows: u64, elapsed: Duration) -> f64 {
    (rows as f64 / elapsed.as_secs_f64()).round()
}

/// The memory of a server before something large is asked of it.
struct Memory<'a> {
    server: &'a Server,
    resident_kib: u64,
}

impl<'a> Memory<'a> {
    fn before(server: &'a Server) -> Result<Self> {
        server.reset_peak_memory()?;
        let resident_kib = server.usage()?.resident_kib;
        Ok(Self { server, resident_kib })
    }

    /// How far the peak since then lies above it.
    fn growth_mib(&self) -> Result<f64> {
        Ok(mib(self.server.usage()?.peak_kib.saturating_sub(self.resident_kib)))
    }
}
