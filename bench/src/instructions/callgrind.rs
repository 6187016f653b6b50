//! The product under valgrind's callgrind, and how callgrind is told when to count.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::process::{Server, free_port};
use crate::product::Product;

/// How long the product may take to be ready: valgrind slows it down many times.
const START_PATIENCE: Duration = Duration::from_mins(3);
/// How long callgrind may take to do what it is told.
const COMMAND_PATIENCE: Duration = Duration::from_mins(1);
/// How often we look whether it has.
const COMMAND_PROBE: Duration = Duration::from_millis(20);
/// The name of callgrind's files: the first dump has `.1` behind it.
const OUTPUT: &str = "callgrind";
/// The name of the pipes over which vgdb speaks to valgrind.
const PIPES: &str = "vgdb";

/// A product that serves under callgrind, killed when it is dropped. Nothing of its end is counted, so it may be sudden.
pub(super) struct Callgrind<'a> {
    product: &'a Product,
    server: Server,
}

impl<'a> Callgrind<'a> {
    /// Starts the product and waits until it is ready.
    ///
    /// # Errors
    /// When valgrind is not installed, or the product does not become ready.
    pub(super) async fn start(product: &'a Product, database: &Database) -> Result<Self> {
        let output = product.folder().join(OUTPUT);
        let dump = output.with_extension("1");
        if dump.exists() {
            // That of the path before.
            fs::remove_file(&dump).with_context(|| format!("cannot delete {}", dump.display()))?;
        }
        let mut command = product.other_program("valgrind");
        command
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", output.display()))
            .arg(pipes(product));
        let port = free_port()?;
        let server = product.serve_under(command, database, port, START_PATIENCE).await?;
        Ok(Self { product, server })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Forgets what was counted so far.
    ///
    /// # Errors
    /// When callgrind cannot be told.
    pub(super) async fn begin_at_zero(&self) -> Result<()> {
        self.tell("zero").await
    }

    /// The instructions since then. The product is stopped.
    ///
    /// # Errors
    /// When callgrind cannot be told, or what it writes cannot be understood.
    pub(super) async fn total(self) -> Result<u64> {
        self.tell("dump").await?;
        let file = self.product.folder().join(OUTPUT).with_extension("1");
        let text = fs::read_to_string(&file).with_context(|| format!("callgrind wrote no {}", file.display()))?;
        total_in(&text)
    }

    /// Has vgdb tell callgrind, and waits until that is done.
    async fn tell(&self, what: &str) -> Result<()> {
        // The names of the pipes end with the variables USER and HOST, and HOST is a setting of the product. So vgdb
        // gets the same environment as valgrind.
        let mut command = self.product.other_program("vgdb");
        command
            .arg(pipes(self.product))
            .arg(format!("--pid={}", self.server.id()));
        command.arg(what).stdin(Stdio::null()).stdout(Stdio::null());
        let log = self.product.folder().join("vgdb.log");
        command.stderr(fs::File::create(&log)?);
        let mut child = command.spawn().context("cannot start vgdb, which valgrind brings")?;
        let ended = timeout(COMMAND_PATIENCE, async {
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok::<_, std::io::Error>(status);
                }
                sleep(COMMAND_PROBE).await;
            }
        });
        let Ok(status) = ended.await else {
            // Nothing can be done about a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
            bail!("callgrind does not do `{what}` within {COMMAND_PATIENCE:?}");
        };
        let status = status?;
        if !status.success() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("`vgdb {what}` failed ({status}); it must be allowed to trace processes:\n{said}");
        }
        Ok(())
    }
}

fn pipes(product: &Product) -> String {
    format!("--vgdb-prefix={}", product.folder().join(PIPES).display())
}

/// The version of valgrind, such as `3.19.0`.
///
/// # Errors
/// When it is not installed.
pub(super) fn valgrind_version() -> Result<String> {
    let output = Command::new("valgrind").arg("--version").output();
    let output = output.context("cannot start valgrind; on Debian it is the package `valgrind`")?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

fn version_in(printed: &str) -> Result<String> {
    let version = printed.trim().strip_prefix("valgrind-");
    version
        .map(str::to_owned)
        .with_context(|| format!("valgrind does not tell its version: {printed:?}"))
}

/// The total in a dump of callgrind that counts instructions and nothing else.
fn total_in(dump: &str) -> Result<u64> {
    let value = |name: &str| dump.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if value("events:") != Some("Ir") {
        bail!("callgrind counted {:?} and not instructions (Ir)", value("events:"));
    }
    let total = value("totals:").context("a dump of callgrind has no total")?;
    total.parse().with_context(|| format!("callgrind's total is {total:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  ./product serve\npart: 1\n\n\n\
        desc: Trigger: dump\n\npositions: line\nevents: Ir\nsummary: 288473806\n\n\nob=(1) /product\nfn=(2) main\n0 3\n\n\
        totals: 288473806\n";

    #[test]
    fn the_total_of_a_dump_is_found() {
        assert_eq!(total_in(DUMP).unwrap(), 288_473_806);
    }

    #[test]
    fn a_dump_that_breaks_off_or_counts_something_else_is_refused() {
        let (broken, _) = DUMP.split_once("totals:").unwrap();
        for dump in [
            "",
            broken,
            &DUMP.replace("events: Ir", "events: Ir Dr"),
            &DUMP.replace("totals: ", "totals: x"),
        ] {
            assert!(total_in(dump).is_err(), "{dump}");
        }
    }

    #[test]
    fn the_version_of_valgrind_is_found() {
        assert_eq!(version_in("valgrind-3.19.0\n").unwrap(), "3.19.0");
        assert!(version_in("").is_err());
    }
}
