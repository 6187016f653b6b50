//! A database cluster of our own with three nodes, to be broken and healed: MariaDB with Galera, or MySQL with Group Replication.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::database::{Engine, UserRow};
use crate::database_server::{Tool, ensure_unpacked, steady_ports};
use crate::guardian::Guardian;
use crate::session::Session;

/// How many nodes a cluster has.
pub(crate) const NODES: u16 = 3;
/// What a script adds to its port for the nodes, and for what they say to each other.
const PORT_OFFSETS: [u16; 12] = [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32];
/// How long a cluster may take to take writes again after a node was lost.
const FAIL_OVER_LIMIT: Duration = Duration::from_mins(1);
/// How long one try to write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How often it is tried on each node.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);
/// How often it is looked whether a node has what the others have.
const SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// How long a node may take to show what the others have.
const SYNC_LIMIT: Duration = Duration::from_secs(20);

/// A running cluster, stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    tool: Tool,
    port: u16,
    _guardian: Guardian,
}

impl Cluster {
    /// Starts a new cluster of this engine in a folder of its own below `folders`. Only if it is `required` what that takes is
    /// downloaded.
    ///
    /// # Errors
    /// When it cannot be had, with a reason of one line.
    pub(crate) async fn start(engine: Engine, folders: &Path, required: bool) -> Result<Self> {
        let name = match engine {
            Engine::Mariadb => "galera",
            Engine::Mysql => "group-replication",
            Engine::Sqlite | Engine::Postgres => bail!("there is no cluster of {} here", engine.title()),
        };
        let folder = folders.join(name);
        if engine == Engine::Mysql && !required {
            ensure_unpacked()?;
        }
        let tool = Tool::new(name, folder)?;
        let port = steady_ports(&PORT_OFFSETS)?;
        let (_, guardian) = tool.start(port).await?;
        let cluster = Self {
            tool,
            port,
            _guardian: guardian,
        };
        let mut session = Session::open(&cluster.url()).await?;
        session
            .execute("CREATE TABLE app.probe (id INT PRIMARY KEY, written BIGINT NOT NULL)".to_owned())
            .await?;
        Ok(cluster)
    }

    /// Where all nodes are, with their password.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = (1..=NODES).map(|node| self.host(node)).collect();
        url_of(&hosts.join(","))
    }

    /// Where one node is, counted from 1.
    pub(crate) fn url_of_node(&self, node: u16) -> String {
        url_of(&self.host(node))
    }

    /// The host and port of a node.
    pub(crate) fn host(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.port + node - 1)
    }

    /// The process of a node, found by the port in its command line.
    ///
    /// # Errors
    /// When there is none, or the system is not Linux.
    pub(crate) fn process_of(&self, node: u16) -> Result<String> {
        let option = format!("--port={}", self.port + node - 1);
        for process in fs::read_dir("/proc").context("the benchmark needs Linux")? {
            let process = process?;
            // It may end while we look.
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if command
                .split(|byte| *byte == 0)
                .any(|argument| argument == option.as_bytes())
            {
                return Ok(process.file_name().to_string_lossy().into_owned());
            }
        }
        bail!("node {node} does not run")
    }

    /// The first node that takes writes.
    ///
    /// # Errors
    /// When none does.
    pub(crate) async fn writer(&self) -> Result<u16> {
        for node in 1..=NODES {
            if let Ok(mut session) = Session::open(&self.url_of_node(node)).await
                && session.takes_writes().await.unwrap_or(false)
            {
                return Ok(node);
            }
        }
        bail!("no node takes writes")
    }

    /// Ends a node as the failure of its machine does.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn kill(&self, node: u16) -> Result<()> {
        self.tool.run("kill", Some(node.to_string())).await.map(|_| ())
    }

    /// Lets a node fall silent, as the failure of its network does: its connections stay open, and nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn freeze(&self, node: u16) -> Result<()> {
        self.signal(node, "STOP")
    }

    /// Lets a node that fell silent go on as if nothing had happened.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn thaw(&self, node: u16) -> Result<()> {
        self.signal(node, "CONT")
    }

    fn signal(&self, node: u16, signal: &str) -> Result<()> {
        let process = self.process_of(node)?;
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$0""#, &process, signal])
            .status();
        ensure!(
            sent.context("cannot run sh")?.success(),
            "node {node} cannot be sent SIG{signal}"
        );
        Ok(())
    }

    /// Starts the nodes that do not run, and waits until all are part of the cluster.
    ///
    /// # Errors
    /// When they are not in time.
    pub(crate) async fn heal(&self) -> Result<()> {
        self.tool.run("heal", None).await.map(|_| ())
    }

    /// Waits until a write succeeds on another node than `lost`: that is the fail-over of the cluster itself.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn written_without(&self, lost: u16) -> Result<()> {
        let begin = Instant::now();
        let mut tries = JoinSet::new();
        let mut next_round = interval(WRITE_INTERVAL);
        while begin.elapsed() < FAIL_OVER_LIMIT {
            // A try may hang in a cluster that looks for its members, and its answer come late; others go on beside it.
            select! {
                _ = next_round.tick() => for node in (1..=NODES).filter(|node| *node != lost) {
                    let url = self.url_of_node(node);
                    let number = begin.elapsed().as_millis();
                    tries.spawn_local(timeout(WRITE_LIMIT, async move {
                        let mut session = Session::open(&url).await?;
                        session.execute(format!("REPLACE INTO app.probe VALUES ({node}, {number})")).await
                    }));
                },
                Some(written) = tries.join_next() => if matches!(written, Ok(Ok(Ok(())))) {
                    return Ok(());
                },
            }
        }
        bail!("no node takes writes {FAIL_OVER_LIMIT:?} after another was lost")
    }

    /// All users that a node has, as soon as it has `expected`; what it has in the end, if it never does.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn users_on(&self, node: u16, database: &str, expected: &[UserRow]) -> Result<Vec<UserRow>> {
        let url = format!("{}/{database}", self.url_of_node(node).trim_end_matches("/app"));
        let begin = Instant::now();
        loop {
            let users = Session::open(&url).await?.users().await?;
            if users == expected || begin.elapsed() > SYNC_LIMIT {
                return Ok(users);
            }
            sleep(SYNC_INTERVAL).await;
        }
    }
}

/// The address of database `app` with these hosts.
fn url_of(hosts: &str) -> String {
    format!("mysql://app:app-secret@{hosts}/app")
}
