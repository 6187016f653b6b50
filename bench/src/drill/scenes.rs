//! The drills: what is broken, in which order, and how soon all must be well again.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use super::Name;
use super::report::Outcome;
use super::stage::{Limits, Place, Setup, Stage};
use super::tally::End;
use super::workload::Mix;
use crate::database::Engine;

/// What a machine that is busy with the drill itself may add to a bound.
const SLACK: Duration = Duration::from_millis(500);
/// Requests that were under way when the fault ended may fail at their own limit; those sent later must not.
const BACK_AT_ONCE: Duration = Limits::SHORT.request.saturating_add(SLACK);
/// Connections that answer nothing are given up after both limits.
const BACK_AFTER_SILENCE: Duration = BACK_AT_ONCE.saturating_add(Limits::SHORT.statement);
/// Nothing of a product that was killed is left to be waited for.
const BACK_AFTER_START: Duration = Duration::from_secs(1);
/// How long answers stay away before the wire is cut: COMMIT arrives then, and who sent it cannot know.
const UNANSWERED: Duration = Duration::from_millis(30);
/// How often the product is killed.
const KILLS: usize = 4;
/// How often the database is killed.
const DATABASE_KILLS: usize = 2;
/// Instances in a rolling restart, and over a cluster.
const INSTANCES: usize = 2;
/// The product follows a cluster that takes writes again within this time.
const BACK_AFTER_FAIL_OVER: Duration = Duration::from_secs(2);
/// A pool whose connections are all to be kept open: what the driver does to keep them must not be in the way.
const FULL_POOL: &[&str] = &["DB_POOL_MIN_SIZE=8", "DB_POOL_MAX_SIZE=8"];
/// A node that comes back first in the order of the address is used again within this time.
const RETURN: Duration = Duration::from_secs(12);

/// Why a drill means nothing on an engine, if so.
pub(super) fn does_not_apply(name: Name, engine: Engine) -> Option<&'static str> {
    match (name, engine) {
        (Name::DatabaseOutage, Engine::Sqlite) => Some("SQLite is embedded: there is no wire to cut"),
        (Name::KillDatabase, Engine::Sqlite) => {
            Some("SQLite is embedded: it dies with the product, which is the drill kill-server")
        }
        (Name::NodeLoss, Engine::Sqlite) => Some("SQLite is embedded: there is no node to lose"),
        (Name::NodeLoss, Engine::Postgres) => Some("there is no cluster of PostgreSQL here"),
        _ => None,
    }
}

/// Plays a drill. Must be called within a `LocalSet`.
///
/// # Errors
/// When it cannot be played to its end.
pub(super) async fn play(name: Name, setup: &Setup<'_>) -> Result<Outcome> {
    match name {
        Name::DatabaseOutage => database_outage(setup).await,
        Name::KillDatabase => kill_database(setup).await,
        Name::KillServer => kill_server(setup).await,
        Name::PoolExhaustion => pool_exhaustion(setup).await,
        Name::SlowDatabase => slow_database(setup).await,
        Name::LostUpdate => lost_update(setup).await,
        Name::RollingRestart => rolling_restart(setup).await,
        Name::NodeLoss => node_loss(setup).await,
    }
}

/// The wire is cut and mended; then nothing comes through for a while, and another machine takes the place of the database.
async fn database_outage(setup: &Setup<'_>) -> Result<Outcome> {
    let mut stage = Stage::start(setup, Limits::SHORT, &[], 1, Mix::All).await?;
    stage.healthy().await;

    let felt = stage.fault_begins();
    stage.proxy()?.withhold_answers();
    sleep(UNANSWERED).await;
    stage.proxy()?.shut();
    sleep(setup.fault).await;
    stage.proxy()?.open(Duration::ZERO);
    stage.fault_ended("cut", &felt, BACK_AT_ONCE).await;

    let felt = stage.fault_begins();
    stage.proxy()?.silence();
    sleep(setup.fault).await;
    stage.proxy()?.lose();
    stage
        .fault_ended("silent, connections lost", &felt, BACK_AFTER_SILENCE)
        .await;

    stage.healthy().await;
    stage.end().await
}

/// The database is killed and started again.
async fn kill_database(setup: &Setup<'_>) -> Result<Outcome> {
    let Place::Server(server) = setup.place else {
        bail!("there is no server to kill");
    };
    let mut stage = Stage::start(setup, Limits::SHORT, &[], 1, Mix::All).await?;
    stage.healthy().await;
    for _ in 0..DATABASE_KILLS {
        let felt = stage.fault_begins();
        stage.proxy()?.withhold_answers();
        sleep(UNANSWERED).await;
        server.kill().await?;
        // What it had answered by then is never heard.
        stage.proxy()?.shut();
        sleep(UNANSWERED).await;
        stage.proxy()?.open(Duration::ZERO);
        sleep(setup.fault / 2).await;
        server.start_again().await?;
        stage.fault_ended("database killed", &felt, BACK_AT_ONCE).await;
    }
    stage.healthy().await;
    stage.end().await
}

/// The product is killed and started again at the same address.
async fn kill_server(setup: &Setup<'_>) -> Result<Outcome> {
    let mut stage = Stage::start(setup, Limits::USUAL, &[], 1, Mix::All).await?;
    for _ in 0..KILLS {
        stage.healthy().await;
        let felt = stage.fault_begins();
        let port = stage.kill_instance().context("there is no instance to kill")?;
        sleep(setup.fault / 4).await;
        let instance = stage.start_instance(port).await?;
        stage.instances.push(instance);
        stage.fault_ended("product killed", &felt, BACK_AFTER_START).await;
    }
    stage.healthy().await;
    stage.end().await
}

/// Far more clients than connections, and a database that keeps each of them long.
async fn pool_exhaustion(setup: &Setup<'_>) -> Result<Outcome> {
    let settings = ["DB_POOL_MIN_SIZE=1", "DB_POOL_MAX_SIZE=2", "DB_POOL_TIMEOUT=1"];
    let mut stage = Stage::start(setup, Limits::SHORT, &settings, 1, Mix::All).await?;
    stage.healthy().await;
    for _ in 0..2 {
        let felt = stage.fault_begins();
        if setup.engine == Engine::Sqlite {
            let lock = stage.database().lock_writes().await?;
            sleep(setup.fault * 3 / 2).await;
            lock.release().await?;
        } else {
            stage.proxy()?.open(Duration::from_millis(150));
            sleep(setup.fault * 3 / 2).await;
            stage.proxy()?.open(Duration::ZERO);
        }
        stage.fault_ended("pool exhausted", &felt, BACK_AT_ONCE).await;
    }
    if stage.tally.count(End::Unavailable) == 0 {
        stage
            .tally
            .wrong("no request was told by 503 that there was no connection".to_owned());
    }
    stage.healthy().await;
    stage.end().await
}

/// The database gets slower and slower, until no request can end in time, and recovers.
async fn slow_database(setup: &Setup<'_>) -> Result<Outcome> {
    let mut stage = Stage::start(setup, Limits::SHORT, &[], 1, Mix::All).await?;
    stage.healthy().await;
    let felt = stage.fault_begins();
    if setup.engine == Engine::Sqlite {
        let lock = stage.database().lock_writes().await?;
        sleep(Limits::SHORT.request + setup.fault).await;
        lock.release().await?;
    } else {
        for delay_millis in [50, 200, 500] {
            stage.proxy()?.open(Duration::from_millis(delay_millis));
            sleep(setup.fault / 2).await;
        }
        // A single statement now takes longer than a request may.
        stage.proxy()?.open(Limits::SHORT.request * 2 / 3);
        sleep(Limits::SHORT.request).await;
        stage.proxy()?.open(Duration::ZERO);
    }
    stage.fault_ended("slow", &felt, BACK_AFTER_SILENCE).await;
    stage.healthy().await;
    stage.end().await
}

/// Nothing is broken: all clients change the same few users, over two instances, as fast as they can.
async fn lost_update(setup: &Setup<'_>) -> Result<Outcome> {
    let stage = Stage::start(setup, Limits::USUAL, &[], INSTANCES, Mix::SharedUpdates).await?;
    stage.healthy_for(setup.fault * 2).await;
    if stage.tally.count(End::Refused) == 0 {
        stage
            .tally
            .wrong("nobody was ever too late, so nothing was tested".to_owned());
    }
    stage.end().await
}

/// One instance after the other is replaced while the clients use those that are ready.
async fn rolling_restart(setup: &Setup<'_>) -> Result<Outcome> {
    let mut stage = Stage::start(setup, Limits::USUAL, &["SHUTDOWN_DRAIN=2"], INSTANCES, Mix::All).await?;
    let balancer = std::rc::Rc::clone(&stage.balancer);
    let played = async {
        stage.healthy().await;
        for _ in 0..INSTANCES {
            let instance = stage.start_instance(crate::database_server::steady_port()?).await?;
            stage.instances.push(instance);
            if let Err(error) = stage.stop_oldest().await {
                stage.tally.wrong(format!("{error:#}"));
            }
            stage.healthy().await;
        }
        Ok(())
    };
    let played: Result<()> = tokio::select! {
        played = played => played,
        watched = balancer.watch() => watched,
    };
    played?;
    let failures = stage.tally.failures();
    if failures > 0 {
        stage.tally.wrong(format!(
            "{failures} requests failed in a restart that nobody should notice"
        ));
    }
    stage.end().await
}

/// How the node of a cluster is lost.
#[derive(Clone, Copy)]
enum Loss {
    /// Its connections break.
    Killed,
    /// It keeps silent, and ends at last.
    Silent,
    /// It keeps silent, and then goes on as if nothing had happened.
    Frozen,
}

/// The node that takes the writes is lost while two instances use it; it comes back, and the next one is lost.
async fn node_loss(setup: &Setup<'_>) -> Result<Outcome> {
    let Place::Cluster(cluster) = setup.place else {
        bail!("there is no cluster to lose a node of");
    };
    let mut stage = Stage::start(setup, Limits::SHORT, FULL_POOL, INSTANCES, Mix::All).await?;
    for loss in [Loss::Killed, Loss::Silent, Loss::Frozen] {
        stage.healthy().await;
        let node = cluster.writer().await?;
        let felt = stage.fault_begins();
        let fault = match loss {
            Loss::Killed => {
                cluster.kill(node).await?;
                "node killed"
            }
            Loss::Silent => {
                cluster.freeze(node)?;
                "node silent"
            }
            Loss::Frozen => {
                cluster.freeze(node)?;
                "node frozen"
            }
        };
        cluster.written_without(node).await?;
        stage.fault_ended(fault, &felt, BACK_AFTER_FAIL_OVER).await;
        // A cluster that takes a node in may keep all writes waiting for longer than a request may take here.
        let felt = stage.fault_begins();
        let return_of = match loss {
            Loss::Killed => "node comes back",
            Loss::Silent => {
                cluster.kill(node).await?;
                "node comes back"
            }
            Loss::Frozen => {
                cluster.thaw(node)?;
                "node goes on"
            }
        };
        cluster.heal().await?;
        stage.calmed(return_of, &felt, BACK_AFTER_FAIL_OVER).await;
        // Nobody notices that the instances go back to it.
        stage.healthy_for(RETURN).await;
        // All nodes of Galera take writes, so the first is the one to be used; of a group it is the primary.
        let expected = cluster.host(cluster.writer().await?);
        for used in stage.nodes_in_use().await? {
            if used != expected {
                stage
                    .tally
                    .wrong(format!("an instance uses node {used:?}, not {expected}"));
            }
        }
    }
    stage.healthy().await;
    stage.end().await
}
