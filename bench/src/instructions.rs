//! `instructions`: how many instructions the product executes for a request, held against a kept baseline.
//!
//! Times differ from run to run on a machine that does other work too; the number of executed instructions hardly does. It
//! is therefore what can guard against a regression where nothing else is steady. It says nothing about waiting, caches or
//! the kernel: a request of more instructions may well be the faster one. `run` measures what a client sees.
//!
//! # How it counts
//!
//! For each path the product serves a private SQLite database under valgrind's callgrind, with one worker. One connection
//! sends requests one after the other: first those that warm the process up and are not counted, then, after callgrind was
//! told to begin at zero, those that are. Then callgrind writes its total, and that divided by the number of requests is the
//! count. What the start and the end of the process cost is in none of it.
//!
//! The other way is to run two processes, one with more requests than the other, and to divide the difference of their
//! totals. It needs no `vgdb` to speak to callgrind, but whatever differs between two starts is in it, and it takes a third
//! more time. Three repetitions of each, with 200 and 1200 requests on a busy machine, lay apart by this much:
//!
//! | path | one process | two processes |
//! | --- | ---: | ---: |
//! | `get` | 0.3 % | 0.2 % |
//! | `post` | 0.5 % | 0.4 % |
//! | `list` | 0.2 % | 0.4 % |
//! | `not_found` | 0.1 % | 1.3 % |
//!
//! Three repetitions do not rank them: six runs of the finished command, two of them at the same time, lay 0.7 %, 1.4 %,
//! 0.3 % and 1.1 % apart. Either way is far steadier than the 10 % that a check allows, so the shorter one was chosen.
//!
//! # What is counted, and what is not
//!
//! - Instructions in user mode only, those of all threads of the process; SQLite and the writing of the log are in it.
//!   What the kernel does for a system call is not.
//! - `rep movsb` and `rep stosb`, with which libraries copy and fill memory, count once for each byte under valgrind; for
//!   the processor they are one instruction. A longer copy looks more expensive here than it is.
//! - Work in the background, such as timers, goes on meanwhile and is in it. It grows with the time that a run takes.
//! - Libraries choose their routines by the features of the processor, and a compiler its instructions. A baseline is
//!   therefore only held against counts of the same compiler, architecture and generation of valgrind.

mod baseline;
mod callgrind;
mod table;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::database::{Databases, Engine};
use crate::load::{Connection, Requests};
use crate::product::Product;
use crate::report;
use baseline::{Baseline, Comparison, Toolchain};
use callgrind::Callgrind;

/// The file of the baseline in the folder of the report.
const BASELINE: &str = "instructions.json";
/// The exit code of `--check` when there is a baseline that these counts cannot be held against.
const NOTHING_COMPARED: u8 = 3;
/// Users in the database.
const USERS: u64 = 1000;
/// Requests before callgrind counts: they open the connections to the database and prepare statements on them.
const WARM_UP_REQUESTS: u64 = 200;
/// Requests that are counted.
const COUNTED_REQUESTS: u64 = 1000;
/// A setting of the product on top of the benchmark's: threads that wake each other would add noise.
const ONE_WORKER: &str = "WORKERS=1";

/// Options of `instructions`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The product's binary, built for release
    #[arg(long, value_name = "FILE")]
    product: PathBuf,
    /// A folder for databases and logs, in a folder of their own that is deleted
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    folder: PathBuf,
    /// Fail if a path takes over 10 % more than in the baseline, or there is no baseline; the exit code is 3 if there is
    /// one of another compiler, architecture or valgrind, so that nothing could be compared
    #[arg(long, conflicts_with = "save")]
    check: bool,
    /// Keep the counts as the new baseline in docs/benchmarks
    #[arg(long)]
    save: bool,
}

/// What is asked of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Path {
    /// One user by id.
    Get,
    /// A new user.
    Post,
    /// The 20 newest users with the number of all.
    List,
    /// A user that does not exist.
    NotFound,
    /// One user by id, while the console watches. Production has no console, so this is what it costs a developer; what it
    /// costs where it is off is in all the others.
    GetWithConsole,
}

impl Path {
    const ALL: [Self; 5] = [Self::Get, Self::Post, Self::List, Self::NotFound, Self::GetWithConsole];

    /// The name for people, and in the file.
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::List => "list",
            Self::NotFound => "not_found",
            Self::GetWithConsole => "get_with_console",
        }
    }

    /// The status that each answer must have.
    fn status(self) -> u16 {
        match self {
            Self::Get | Self::List | Self::GetWithConsole => 200,
            Self::Post => 201,
            Self::NotFound => 404,
        }
    }

    /// What is set on top of the benchmark's settings.
    fn settings(self) -> Vec<String> {
        let own: &[&str] = match self {
            Self::Get | Self::Post | Self::List | Self::NotFound => &[],
            Self::GetWithConsole => &["ENVIRONMENT=staging", "CONSOLE=on"],
        };
        [ONE_WORKER].iter().chain(own).map(ToString::to_string).collect()
    }

    /// The same requests in every run.
    fn requests(self, ids: &[i64]) -> Requests {
        let requests = match self {
            Self::Get | Self::GetWithConsole => Requests::get(ids.iter().map(|id| format!("/api/v1/users/{id}"))),
            Self::Post => Requests::post_user("/api/v1/users", &Rc::new(Cell::new(0))),
            Self::List => Requests::get(["/api/v1/users?page=1&per_page=20".to_owned()]),
            Self::NotFound => {
                let missing = ids.iter().max().copied().unwrap_or_default() + 1_000_000;
                Requests::get([format!("/api/v1/users/{missing}")])
            }
        };
        requests.for_connection(0)
    }
}

/// Instructions for each request.
type Counts = BTreeMap<Path, u64>;

/// Counts, shows the table and keeps or judges the counts if that is wanted.
///
/// # Errors
/// When valgrind is missing, the product fails, or an answer is not the expected one.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let file = report::folder().join(BASELINE);
    // Before the long part: a file that cannot be read should not be found at its end.
    let kept = Baseline::read(&file)?;
    let folder = tempfile::Builder::new()
        .prefix("async-starter-instructions-")
        .tempdir_in(&options.folder);
    let folder = folder.with_context(|| format!("cannot make a folder in {}", options.folder.display()))?;
    let work_folder = folder.path().canonicalize()?;
    let product = |path: Path| Product::new(&options.product, &work_folder, &path.settings());
    let now = Baseline::new(
        product(Path::Get)?.version()?,
        Toolchain {
            rustc: rustc_version()?,
            architecture: std::env::consts::ARCH.to_owned(),
            valgrind: callgrind::valgrind_version()?,
        },
        count_all(product, &folder).await?,
    );
    let comparison = Comparison::of(kept.as_ref(), &now);
    print!("\n{}", table::text(kept.as_ref(), &now, &comparison));
    if options.save {
        now.write(&file)?;
        println!("wrote docs/benchmarks/{BASELINE}");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(match comparison {
        _ if !options.check => ExitCode::SUCCESS,
        Comparison::OtherToolchain(_) => ExitCode::from(NOTHING_COMPARED),
        comparison if comparison.fails() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

async fn count_all(product: impl Fn(Path) -> Result<Product>, folder: &TempDir) -> Result<Counts> {
    let databases = Databases::new(Engine::Sqlite, None, &folder.path().canonicalize()?)?;
    let mut counts = Counts::new();
    for path in Path::ALL {
        println!("counting the instructions of {}", path.name());
        let product = product(path)?;
        let database = databases.make(&product, USERS).await?;
        let mut requests = path.requests(&database.ids().await?);
        let callgrind = Callgrind::start(&product, &database).await?;
        let mut connection = Connection::open(callgrind.address()).await?;
        send(&mut connection, &mut requests, path, WARM_UP_REQUESTS).await?;
        callgrind.begin_at_zero().await?;
        send(&mut connection, &mut requests, path, COUNTED_REQUESTS).await?;
        counts.insert(path, per_request(callgrind.total().await?, COUNTED_REQUESTS));
    }
    databases.drop_all().await?;
    Ok(counts)
}

/// Sends requests one after the other.
async fn send(connection: &mut Connection, requests: &mut Requests, path: Path, count: u64) -> Result<()> {
    for _ in 0..count {
        let status = connection.status_of(requests.next()).await?;
        ensure!(
            status == path.status(),
            "{} is answered with {status} and not {}",
            path.name(),
            path.status()
        );
    }
    Ok(())
}

/// The instructions for each of so many requests, rounded.
fn per_request(instructions: u64, requests: u64) -> u64 {
    (instructions + requests / 2) / requests.max(1)
}

/// The version of the compiler that builds the repository.
fn rustc_version() -> Result<String> {
    let output = Command::new("rustc")
        .arg("--version")
        .current_dir(report::root())
        .output();
    let output = output.context("cannot ask rustc for its version")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = printed.split_whitespace().nth(1);
    version
        .map(str::to_owned)
        .with_context(|| format!("rustc does not tell its version: {printed:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_request_is_rounded() {
        assert_eq!(per_request(288_549_499, 1000), 288_549);
        assert_eq!(per_request(288_549_500, 1000), 288_550);
        assert_eq!(per_request(0, 1000), 0);
    }

    #[test]
    fn every_run_sends_the_same_requests() {
        for path in Path::ALL {
            let sent = || {
                let mut requests = path.requests(&[1, 2, 3, 4]);
                (0..20).map(|_| requests.next().to_vec()).collect::<Vec<_>>()
            };
            assert_eq!(sent(), sent(), "{}", path.name());
            assert!(!sent().concat().is_empty(), "{}", path.name());
        }
    }

    #[test]
    fn a_user_that_does_not_exist_is_none_of_the_users() {
        let request = Path::NotFound.requests(&[1, 7]).next().to_vec();
        let request = String::from_utf8(request).unwrap();
        assert!(
            request.starts_with("GET /api/v1/users/1000007 HTTP/1.1\r\n"),
            "{request}"
        );
    }
}
