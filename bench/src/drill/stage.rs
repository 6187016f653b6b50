//! What every drill is played on: a database, the product, its clients, and the account of what happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::time::sleep;

use super::api::{self, Api};
use super::balancer::Balancer;
use super::ledger::{Judgement, Ledger, Row};
use super::proxy::Proxy;
use super::report::{Episode, Outcome};
use super::tally::{End, Tally};
use super::workload::{Mix, Workload};
use crate::cluster::Cluster;
use crate::database::{Database, Databases, Engine};
use crate::database_server::{DatabaseServer, steady_port};
use crate::guardian::Guardian;
use crate::process::Server;
use crate::product::Product;

/// How long a whole export may take.
const EXPORT_LIMIT: Duration = Duration::from_mins(1);
/// How long the product is used before something is broken, and after all is well again.
const HEALTHY: Duration = Duration::from_secs(1);
/// What a panic leaves in the log.
const PANIC: &str = r#""message":"panicked""#;

/// The product's own limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) request: Duration,
    pub(super) statement: Duration,
    pool: Duration,
}

impl Limits {
    /// Those of production, where no drill has to wait for them.
    pub(super) const USUAL: Self = Self {
        request: Duration::from_secs(10),
        statement: Duration::from_secs(10),
        pool: Duration::from_secs(5),
    };
    /// Shorter, so that a drill takes seconds.
    pub(super) const SHORT: Self = Self {
        request: Duration::from_secs(3),
        statement: Duration::from_secs(2),
        pool: Duration::from_secs(2),
    };

    fn settings(self) -> [String; 3] {
        [
            format!("REQUEST_TIMEOUT={}", self.request.as_secs()),
            format!("DB_STATEMENT_TIMEOUT={}", self.statement.as_secs()),
            format!("DB_POOL_TIMEOUT={}", self.pool.as_secs()),
        ]
    }
}

/// Where the database of a drill is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// In a file.
    Embedded,
    Server(&'a DatabaseServer),
    Cluster(&'a Cluster),
}

/// What all drills of a run have in common.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) engine: Engine,
    pub(super) place: Place<'a>,
    pub(super) product: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) clients: u64,
    /// How long each fault lasts.
    pub(super) fault: Duration,
}

/// An instance of the product, killed when it is dropped and also when we end in any other way.
#[derive(Debug)]
pub(super) struct Instance {
    guardian: Guardian,
    server: Server,
}

impl Instance {
    fn ended(&mut self) -> Result<Option<String>> {
        let status = self.server.ended()?;
        Ok(status.map(|status| format!("the product ended ({status}):\n{}", self.server.end_of_log())))
    }

    /// SIGTERM; an error unless it ends in time with exit code 0.
    async fn stop(self) -> Result<()> {
        self.server.stop().await?;
        self.guardian.release();
        Ok(())
    }
}

/// A drill under way.
pub(super) struct Stage<'a> {
    pub(super) setup: &'a Setup<'a>,
    product: Product,
    databases: Databases,
    database: Database,
    proxy: Option<Proxy>,
    pub(super) balancer: Rc<Balancer>,
    pub(super) tally: Rc<Tally>,
    ledger: Rc<Ledger>,
    workload: Option<Workload>,
    pub(super) instances: Vec<Instance>,
    episodes: Vec<Episode>,
}

impl<'a> Stage<'a> {
    /// Makes a database, starts `instances` of the product on it with these limits and settings, and lets the clients
    /// begin. Must be called within a `LocalSet`.
    ///
    /// # Errors
    /// When one of these cannot be had.
    pub(super) async fn start(
        setup: &'a Setup<'a>,
        limits: Limits,
        settings: &[&str],
        instances: usize,
        mix: Mix,
    ) -> Result<Stage<'a>> {
        // The ledger of one drill is nothing to the next.
        let folder = setup.folder;
        for log in ["product-serve.log", "product-command.log"] {
            let _ = fs::remove_file(folder.join(log));
        }
        let settings = settings.iter().map(|setting| (*setting).to_owned());
        let all: Vec<String> = limits.settings().into_iter().chain(settings).collect();
        let product = Product::new(setup.product, folder, &all)?;
        let url = match setup.place {
            Place::Embedded => None,
            Place::Server(server) => Some(server.url().to_owned()),
            Place::Cluster(cluster) => Some(cluster.url()),
        };
        let databases = Databases::new(setup.engine, url.as_deref(), folder)?;
        let database = databases.make(&product, 0).await?;
        let proxy = match (setup.place, database.authority()) {
            (Place::Server(_), Some(authority)) => Some(Proxy::start(authority).await?),
            // Nodes of a cluster are found by their own addresses.
            _ => None,
        };
        let mut stage = Stage {
            setup,
            product,
            databases,
            database,
            proxy,
            balancer: Rc::default(),
            tally: Rc::default(),
            ledger: Rc::default(),
            workload: None,
            instances: Vec::new(),
            episodes: Vec::new(),
        };
        for _ in 0..instances {
            let instance = stage.start_instance(steady_port()?).await?;
            stage.instances.push(instance);
        }
        let api = Api::new(&stage.balancer, &stage.tally, limits.request)?;
        stage.workload = Some(Workload::start(api, &stage.ledger, setup.clients, mix).await?);
        Ok(stage)
    }

    /// Starts another instance of the product, and lets the clients use it when it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) async fn start_instance(&self, port: u16) -> Result<Instance> {
        let database = match &self.proxy {
            Some(proxy) => self.database.through(proxy.address()),
            None => self.database.clone(),
        };
        let server = self.product.serve_at(&database, port).await?;
        let guardian = Guardian::of_process(server.id())?;
        self.balancer.add(server.address);
        Ok(Instance { guardian, server })
    }

    /// The wire to the database; an error for SQLite, which has none.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().context("there is no wire to this database")
    }

    /// The database itself, past the proxy.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Kills an instance; its port, for the one that takes its place. Clients still try to reach it.
    pub(super) fn kill_instance(&mut self) -> Option<u16> {
        let instance = self.instances.pop()?;
        Some(instance.server.address.port())
    }

    /// Asks the oldest instance to end, waits until it has, and forgets it. It is in the balancer until then.
    ///
    /// # Errors
    /// When it does not end with exit code 0.
    pub(super) async fn stop_oldest(&mut self) -> Result<()> {
        if self.instances.is_empty() {
            return Ok(());
        }
        let instance = self.instances.remove(0);
        let address = instance.server.address;
        let stopped = instance.stop().await;
        self.balancer.remove(address);
        stopped
    }

    /// Which node of a cluster each instance says that it uses; empty where it says none.
    ///
    /// # Errors
    /// When an instance does not answer.
    pub(super) async fn nodes_in_use(&self) -> Result<Vec<String>> {
        let client = api::http_client(EXPORT_LIMIT)?;
        let mut nodes = Vec::new();
        for instance in &self.instances {
            let metrics = client
                .get(format!("http://{}/metrics", instance.server.address))
                .send()
                .await?;
            let metrics = metrics.text().await?;
            let used = metrics
                .lines()
                .find_map(|line| line.strip_prefix("db_node_used{node=\"")?.strip_suffix("\"} 1"));
            nodes.push(used.unwrap_or_default().to_owned());
        }
        Ok(nodes)
    }

    /// A while in which nothing may fail.
    pub(super) async fn healthy(&self) {
        self.healthy_for(HEALTHY).await;
    }

    /// The same for so long.
    pub(super) async fn healthy_for(&self, duration: Duration) {
        let before = self.tally.failures();
        sleep(duration).await;
        let failures = self.tally.failures() - before;
        if failures > 0 {
            self.tally
                .wrong(format!("{failures} requests failed while nothing was broken"));
        }
    }

    /// A fault is over: waits until all is well again, which must take at most `bound`. `began` and `failures` tell when
    /// it began and how many requests had failed before it.
    pub(super) async fn fault_ended(&mut self, fault: &str, felt: &Felt, bound: Duration) {
        if self.calmed(fault, felt, bound).await == 0 {
            // A drill that nobody feels proves nothing.
            self.tally
                .wrong(format!("{fault}: no request failed, so nothing was tested"));
        }
    }

    /// The same for something that may go by unnoticed; how many requests failed.
    pub(super) async fn calmed(&mut self, fault: &str, felt: &Felt, bound: Duration) -> u64 {
        let lasted = felt.began.elapsed();
        let clients = usize::try_from(self.setup.clients).unwrap_or(usize::MAX);
        let recovery = self.tally.recovery(clients, bound).await;
        let failures = self.tally.failures() - felt.failures;
        if !recovery.is_calm || recovery.to_last_failure > bound {
            self.tally
                .wrong(format!("{fault}: requests still failed {bound:?} after its end"));
        }
        self.episodes
            .push(Episode::new(fault, lasted, failures, recovery, bound));
        failures
    }

    /// A fault begins.
    pub(super) fn fault_begins(&self) -> Felt {
        Felt {
            began: Instant::now(),
            failures: self.tally.failures(),
        }
    }

    /// Ends the load, asks the product and the database what is there, and holds the ledger against both.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn end(mut self) -> Result<Outcome> {
        if let Some(workload) = self.workload.take() {
            workload.end().await?;
        }
        let mut judgements = BTreeMap::new();
        match self.export().await {
            Ok(rows) => {
                judgements.insert("export", self.ledger.judge(&rows));
            }
            Err(error) => self.tally.wrong(format!("the export failed: {error:#}")),
        }
        for mut instance in std::mem::take(&mut self.instances) {
            let stopped = match instance.ended()? {
                Some(ended) => Err(anyhow::Error::msg(ended)),
                None => instance.stop().await,
            };
            if let Err(error) = stopped {
                self.tally.wrong(format!("{error:#}"));
            }
        }
        // With it end the connections that only the database still knows, and the locks that they hold.
        drop(self.proxy.take());
        let log = fs::read_to_string(self.product.folder().join("product-serve.log")).unwrap_or_default();
        let panics = log.matches(PANIC).count();
        if panics > 0 {
            self.tally.wrong(format!("the log tells of {panics} panics"));
        }
        let users = self.database.users().await?;
        if let Place::Cluster(cluster) = self.setup.place {
            for (node, place) in (1..).zip(["node 1", "node 2", "node 3"]) {
                let users = cluster.users_on(node, self.database.name(), &users).await?;
                let rows: Vec<Row> = users.into_iter().map(Row::from).collect();
                judgements.insert(place, self.ledger.judge(&rows));
            }
        }
        let rows: Vec<Row> = users.into_iter().map(Row::from).collect();
        let judgement = self.ledger.judge(&rows);
        judgements.insert("database", judgement.clone());
        self.databases.drop_all().await?;
        Ok(self.outcome(&judgement, judgements))
    }

    fn outcome(self, judgement: &Judgement, judgements: BTreeMap<&'static str, Judgement>) -> Outcome {
        let mut wrong = self.tally.all_wrong();
        for (place, judgement) in &judgements {
            wrong.extend(judgement.findings.iter().map(|finding| format!("{place}: {finding}")));
        }
        Outcome {
            requests: End::ALL.into_iter().map(|end| (end, self.tally.count(end))).collect(),
            longest: self.tally.longest(),
            episodes: self.episodes,
            // What only one of the two shows counts as well.
            wrong_rows: judgements.values().map(Judgement::wrong).max().unwrap_or_default(),
            judgement: judgement.clone(),
            wrong,
        }
    }

    /// All users, as the product gives them out.
    async fn export(&self) -> Result<Vec<Row>> {
        let address = self.balancer.next().context("no instance is there")?;
        let client = api::http_client(EXPORT_LIMIT)?;
        let answer = client
            .get(format!("http://{address}/api/v1/users/export"))
            .send()
            .await?;
        let text = answer.error_for_status()?.text().await?;
        let row = |line: &str| {
            let user: Value = serde_json::from_str(line).ok()?;
            Some(Row {
                id: user.get("id")?.as_i64()?,
                email: user.get("email")?.as_str()?.to_owned(),
                name: user.get("name")?.as_str()?.to_owned(),
                changes: None,
            })
        };
        let rows: Option<Vec<Row>> = text.lines().map(row).collect();
        rows.context("a line of the export is no user")
    }
}

/// When a fault began, and how many requests had failed until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Felt {
    began: Instant,
    failures: u64,
}
