//! How a session with a server is set up, and whether the server it is with takes writes.

use std::{net::SocketAddr, str::FromStr, sync::Once, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use sea_orm::{
    DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions, Connection, Executor, MySqlConnection, Row,
        mysql::MySqlConnectOptions,
        postgres::{PgConnectOptions, PgConnection},
    },
};

use super::{InsertReturning, errors::is_not_known_there};

/// A wait for a row lasts this part of what a statement may take. A transaction runs four times at most, and whoever waits for
/// it should hear that the row was locked before they give up.
const LOCK_WAITS: u32 = 5;

/// Which statements on a Galera node first wait until it has what the other nodes had committed before: reads and BEGIN (1),
/// UPDATE and DELETE (2), INSERT (4). Without the last, an address that was freed on another node a moment ago is still taken.
const GALERA_WAITS: u32 = 7;

/// Galera's number for a node that is part of its cluster and up to date.
const GALERA_SYNCED: &str = "4";

/// It is told once that an account may not see the members of its group.
static MAY_NOT_LOOK: Once = Once::new();

/// Whether a server takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It takes none, or keeps them waiting.
    ReadOnly,
    /// It does, and no other should.
    Primary,
    /// It does, and so do the others of its cluster.
    Peer,
}

/// A kind of server, as its driver sees it.
pub(super) trait Server: sqlx::Database<Connection: Connection<Options = <Self as Server>::Options>> {
    /// How a connection is opened.
    type Options: ConnectOptions<Connection = Self::Connection> + FromStr;

    /// What else there is to say when a connection is opened.
    fn adapt(options: <Self as Server>::Options) -> <Self as Server>::Options {
        options
    }

    /// The same with another address.
    fn at(options: &<Self as Server>::Options, address: SocketAddr) -> <Self as Server>::Options;

    /// Sets up a session: how long a statement may take, and how it sees what others wrote.
    fn set_up(
        connection: &mut Self::Connection,
        limit: Option<Duration>,
        insert_returning: InsertReturning,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>>;

    /// Whether the server takes writes at the moment.
    fn standing(connection: &mut Self::Connection) -> BoxFuture<'_, Result<Standing, sqlx::Error>>;

    /// The pool as SeaORM takes it.
    fn for_sea_orm(pool: sqlx::Pool<Self>) -> DatabaseConnection;
}

impl Server for sqlx::MySql {
    type Options = MySqlConnectOptions;

    /// Without the modes that the driver would add: Vitess refuses `PIPES_AS_CONCAT` and with it the whole connection, and the
    /// other one is the default of every server that has it.
    fn adapt(options: MySqlConnectOptions) -> MySqlConnectOptions {
        options.pipes_as_concat(false).no_engine_substitution(false)
    }

    fn at(options: &MySqlConnectOptions, address: SocketAddr) -> MySqlConnectOptions {
        options.clone().host(&address.ip().to_string()).port(address.port())
    }

    fn set_up(
        connection: &mut MySqlConnection,
        limit: Option<Duration>,
        insert_returning: InsertReturning,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        set_up_mysql(connection, limit, insert_returning).boxed()
    }

    /// A replica, a secondary of Group Replication and a server that is being taken out of service are `read_only`, a reader of
    /// Aurora is `innodb_read_only`. A member of a group that hears too few of the others answers and commits nothing, and one that
    /// has not joined yet is a server of its own. A Galera node that has lost its cluster, or lends its data to another node, is
    /// not synced. A database that has nothing of that (TiDB, Vitess) is asked by its writes.
    fn standing(connection: &mut MySqlConnection) -> BoxFuture<'_, Result<Standing, sqlx::Error>> {
        async move {
            let variables = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
                             ('read_only', 'innodb_read_only', 'group_replication_group_name')";
            let mut is_in_group = false;
            for (name, value) in named_values(connection, variables).await? {
                match name.as_str() {
                    "group_replication_group_name" => is_in_group = !value.is_empty(),
                    _ if value != "OFF" => return Ok(Standing::ReadOnly),
                    _ => {}
                }
            }
            if is_in_group {
                let group = "SELECT 'is of use', IF(SUM(member_id = @@server_uuid AND member_state = 'ONLINE') = 1 \
                             AND 2 * SUM(member_state <> 'UNREACHABLE') > COUNT(*), 'yes', 'no') \
                             FROM performance_schema.replication_group_members";
                let group = named_values(connection, group).await?;
                if group.is_empty() {
                    MAY_NOT_LOOK.call_once(|| {
                        tracing::warn!(
                            "the account may not see the members of its group, so one without a majority counts as one that \
                             takes writes: GRANT SELECT ON performance_schema.replication_group_members"
                        );
                    });
                }
                if group.iter().any(|(_, is_of_use)| is_of_use == "no") {
                    return Ok(Standing::ReadOnly);
                }
            }
            let galera = named_values(connection, "SHOW GLOBAL STATUS LIKE 'wsrep_local_state'").await?;
            Ok(match galera.first() {
                None => Standing::Primary,
                Some((_, state)) if state == GALERA_SYNCED => Standing::Peer,
                Some(_) => Standing::ReadOnly,
            })
        }
        .boxed()
    }

    fn for_sea_orm(pool: sqlx::Pool<Self>) -> DatabaseConnection {
        SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
    }
}

impl Server for sqlx::Postgres {
    type Options = PgConnectOptions;

    fn adapt(options: PgConnectOptions) -> PgConnectOptions {
        options.application_name("async-starter")
    }

    fn at(options: &PgConnectOptions, address: SocketAddr) -> PgConnectOptions {
        options.clone().host(&address.ip().to_string()).port(address.port())
    }

    fn set_up(
        connection: &mut PgConnection,
        limit: Option<Duration>,
        _: InsertReturning,
    ) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        async move {
            if let Some(limit) = limit {
                let (statement, lock) = (limit.as_millis().max(1), (limit / LOCK_WAITS).as_millis().max(1));
                let limits = format!(
                    "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
                     SET idle_in_transaction_session_timeout = {statement}"
                );
                connection.execute(sqlx::AssertSqlSafe(limits)).await?;
            }
            Ok(())
        }
        .boxed()
    }

    /// What libpq asks for `target_session_attrs=read-write`: a standby says on.
    fn standing(connection: &mut PgConnection) -> BoxFuture<'_, Result<Standing, sqlx::Error>> {
        async move {
            let is_read_only: String = connection.fetch_one("SHOW transaction_read_only").await?.try_get(0)?;
            Ok(match is_read_only.as_str() {
                "off" => Standing::Primary,
                _ => Standing::ReadOnly,
            })
        }
        .boxed()
    }

    fn for_sea_orm(pool: sqlx::Pool<Self>) -> DatabaseConnection {
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
    }
}

/// Notes whether the server is MariaDB, which returns rows that are inserted (from 10.5), and limits how long a statement
/// runs. MariaDB and MySQL have a variable each for that, in different units, and MySQL's covers SELECT only; a write mostly
/// waits for a row lock, and that wait has a limit on both, in whole seconds. A transaction that does nothing for so long has
/// lost its process, and MariaDB then lets its rows go; MySQL has no limit for that.
///
/// In a cluster, a session sees what any other session was told before is committed, whichever node that was on.
async fn set_up_mysql(
    connection: &mut MySqlConnection,
    limit: Option<Duration>,
    insert_returning: InsertReturning,
) -> Result<(), sqlx::Error> {
    let version: String = connection.fetch_one("SELECT VERSION()").await?.try_get(0)?;
    let is_mariadb = version.contains("MariaDB");
    insert_returning.set_supported(is_mariadb);
    let cluster = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_consistency')";
    for (name, value) in named_values(connection, cluster).await? {
        match (name.as_str(), value.as_str()) {
            ("wsrep_on", "ON") => {
                let wait = format!("SET SESSION wsrep_sync_wait = @@SESSION.wsrep_sync_wait | {GALERA_WAITS}");
                set_where_allowed(connection, wait).await?;
            }
            // A new primary first applies what the last one had committed. The default since MySQL 8.4; what is stricter stays.
            ("group_replication_consistency", "EVENTUAL") => {
                let wait = "SET SESSION group_replication_consistency = 'BEFORE_ON_PRIMARY_FAILOVER'".to_owned();
                set_where_allowed(connection, wait).await?;
            }
            _ => {}
        }
    }
    let Some(limit) = limit else { return Ok(()) };
    let limit_statements = if is_mariadb {
        let idle = limit.as_secs().max(1);
        format!(
            "SET SESSION max_statement_time = {}, idle_transaction_timeout = {idle}",
            limit.as_secs_f64()
        )
    } else {
        format!("SET SESSION max_execution_time = {}", limit.as_millis().max(1))
    };
    let lock_wait = limit / LOCK_WAITS;
    let limit_lock_waits = format!("SET SESSION innodb_lock_wait_timeout = {}", lock_wait.as_secs().max(1));
    connection.execute(sqlx::AssertSqlSafe(limit_statements)).await?;
    connection.execute(sqlx::AssertSqlSafe(limit_lock_waits)).await?;
    Ok(())
}

/// Sets what a session can do without: an account may not be allowed to.
async fn set_where_allowed(connection: &mut MySqlConnection, set: String) -> Result<(), sqlx::Error> {
    match connection.execute(sqlx::AssertSqlSafe(set.as_str())).await {
        Err(error) if is_not_known_there(&error) => {
            tracing::warn!(set, %error, "the server refuses a setting of its cluster; a read may miss what another node committed");
            Ok(())
        }
        outcome => outcome.map(|_| ()),
    }
}

/// What a statement answers in two columns of text, such as SHOW VARIABLES: nothing for what the server does not have, or if it does not know how to.
async fn named_values(
    connection: &mut MySqlConnection,
    show: &'static str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    match connection.fetch_all(show).await {
        Ok(rows) => rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect(),
        Err(error) if is_not_known_there(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
