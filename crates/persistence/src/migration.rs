//! The schema, as a list of steps that are applied once each, in order.
//!
//! A step holds a single DDL statement, because MySQL commits each by itself: a step has happened or it has not. Steps
//! never use entities: an entity follows the present schema, a step describes the schema of its day. A step that has been
//! released is never changed; the next change is a new step.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryOrder, Schema};
use sea_orm_migration::{
    IntoSchemaManagerConnection, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations,
};

use crate::{
    Database, PersistenceError,
    engine::{self, LockedConnection},
    seed::SAMPLE_USERS,
};

mod beside_others;
mod lint;
mod m20261123_000001_create_users;
mod m20261123_000002_index_users_by_creation;
mod m20261123_000003_create_idempotency_keys;
mod m20261123_000004_index_idempotency_keys_by_expiry;
mod m20261123_000005_create_replication_beats;

use beside_others::apply_beside_others;
use lint::Acceptance;
pub use lint::{LintVerdict, MigrationLint, MigrationWarning};

/// The name of the step that creates the table of users.
pub const CREATE_USERS: &str = "m20261123_000001_create_users";

/// The table in which the steps are recorded.
const BOOKKEEPING: &str = "seaql_migrations";

const STEPS: [Step; 5] = [
    Step {
        name: CREATE_USERS,
        release: "0.1.0",
        up: m20261123_000001_create_users::up,
        down: m20261123_000001_create_users::down,
        accepted: None,
    },
    Step {
        name: "m20261123_000002_index_users_by_creation",
        release: "0.1.0",
        up: m20261123_000002_index_users_by_creation::up,
        down: m20261123_000002_index_users_by_creation::down,
        accepted: None,
    },
    Step {
        name: "m20261123_000003_create_idempotency_keys",
        release: "0.1.0",
        up: m20261123_000003_create_idempotency_keys::up,
        down: m20261123_000003_create_idempotency_keys::down,
        accepted: None,
    },
    Step {
        name: "m20261123_000004_index_idempotency_keys_by_expiry",
        release: "0.1.0",
        up: m20261123_000004_index_idempotency_keys_by_expiry::up,
        down: m20261123_000004_index_idempotency_keys_by_expiry::down,
        accepted: None,
    },
    Step {
        name: "m20261123_000005_create_replication_beats",
        release: "0.1.0",
        up: m20261123_000005_create_replication_beats::up,
        down: m20261123_000005_create_replication_beats::down,
        accepted: None,
    },
];

// ANCHOR: step
/// A change of the schema and its reverse, as one SQL statement each.
#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    /// The release that brings it. Steps of one release are applied in one upgrade.
    release: &'static str,
    up: fn(DbBackend) -> String,
    down: fn(DbBackend) -> String,
    /// Why it may do what the lint warns of, if it does.
    accepted: Option<Acceptance>,
}
// ANCHOR_END: step

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait elides this lifetime, and its macro needs both to agree"
)]
#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Step {
    /// The whole migration is one transaction where DDL can be part of one; a step needs none of its own.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(&(self.up)(manager.get_database_backend()))
            .await
            .map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(&(self.down)(manager.get_database_backend()))
            .await
            .map(|_| ())
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS
            .iter()
            .map(|step| Box::new(*step) as Box<dyn MigrationTrait>)
            .collect()
    }
}

/// A step and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The name under which the step is recorded.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
    /// Whether this program knows it. A newer release may have migrated already: its steps are applied and unknown.
    pub known: bool,
}

impl MigrationStatus {
    /// Whether the step is still to be applied.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.applied
    }
}

/// The migrations of one database. Everything that changes it happens under a lock that other processes respect.
#[derive(Debug)]
pub struct Migrations<'a>(&'a Database);

impl<'a> Migrations<'a> {
    /// The migrations of `database`.
    #[must_use]
    pub fn new(database: &'a Database) -> Self {
        Self(database)
    }

    /// Applies up to `limit` pending steps, all without a limit, and returns their names. With nothing pending it changes
    /// nothing, even when a newer release has applied steps that this program does not know.
    ///
    /// Where the lock does not reach all nodes of a cluster, another process may apply the same steps at the same time. A step
    /// that it was faster with counts as applied as soon as it is recorded.
    ///
    /// # Errors
    /// When the lock is held for too long or the database refuses; on MySQL the steps before the refused one are kept, on
    /// the other engines none is.
    pub async fn up(&self, limit: Option<u32>) -> Result<Vec<String>, PersistenceError> {
        let work = async |connection: LockedConnection<'_>| {
            let pending = pending(&recorded(connection.executor()).await?);
            if pending.is_empty() {
                return Ok(());
            }
            if connection.is_transaction() {
                return Migrator::up(connection.executor(), limit).await;
            }
            Migrator::install(&connection.executor()).await?;
            let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
            for step in pending.iter().take(limit) {
                apply_beside_others(connection, step).await?;
            }
            Ok(())
        };
        self.change(work).await
    }

    /// Reverts the last `count` applied steps and returns their names.
    ///
    /// # Errors
    /// As for [`up`](Self::up).
    pub async fn down(&self, count: u32) -> Result<Vec<String>, PersistenceError> {
        self.change(async |connection| Migrator::down(connection.executor(), Some(count)).await)
            .await
    }

    /// Drops every table with all data, and applies all steps.
    ///
    /// # Errors
    /// As for [`up`](Self::up).
    pub async fn fresh(&self) -> Result<Vec<String>, PersistenceError> {
        self.change(async |connection| Migrator::fresh(connection.executor()).await)
            .await?;
        Ok(STEPS.iter().map(|step| step.name.to_owned()).collect())
    }

    /// All steps, in order, and then those that this program does not know. Reads only: a database without bookkeeping has
    /// none applied.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, PersistenceError> {
        let probe = &self.0.probe().pool;
        let recorded = probe.watch(recorded(probe.unwatched())).await?;
        Ok(steps(&recorded).collect())
    }

    /// Whether any step is pending.
    ///
    /// # Errors
    /// As for [`status`](Self::status).
    pub async fn any_pending(&self) -> Result<bool, PersistenceError> {
        Ok(self.status().await?.iter().any(MigrationStatus::is_pending))
    }

    /// Looks through the pending steps, as SQL of this database's engine, for what would break a rolling upgrade. Reads only.
    ///
    /// # Errors
    /// As for [`status`](Self::status).
    pub async fn lint_pending(&self) -> Result<MigrationLint, PersistenceError> {
        let status = self.status().await?;
        let is_pending = |step: &&Step| status.iter().any(|it| it.name == step.name && it.is_pending());
        let pending: Vec<_> = STEPS.iter().filter(is_pending).copied().collect();
        Ok(lint::examine(&pending, &[self.0.engine()]))
    }

    /// Runs `work` under the lock and returns the names of the steps whose status it changed.
    async fn change(
        &self,
        work: impl AsyncFnOnce(LockedConnection<'_>) -> Result<(), DbErr>,
    ) -> Result<Vec<String>, PersistenceError> {
        engine::with_migration_lock(&self.0.writer().pool, async |connection| {
            let before = recorded(connection.executor()).await?;
            work(connection).await?;
            let after = recorded(connection.executor()).await?;
            Ok(STEPS
                .iter()
                .map(|step| step.name.to_owned())
                .filter(|name| before.contains(name) != after.contains(name))
                .collect())
        })
        .await
    }
}

/// Looks through all steps, as SQL of every engine and release by release, for what would break a rolling upgrade.
#[must_use]
pub fn lint_migrations() -> MigrationLint {
    lint::examine_releases(&STEPS)
}

/// The names of the steps that the database records as applied.
async fn recorded<'c>(connection: impl IntoSchemaManagerConnection<'c>) -> Result<Vec<String>, DbErr> {
    let manager = SchemaManager::new(connection);
    if !manager.has_table(BOOKKEEPING).await? {
        return Ok(Vec::new());
    }
    // Not by the migrator, which would first make sure that the table is there, by DDL.
    let rows = seaql_migrations::Entity::find()
        .order_by_asc(seaql_migrations::Column::Version)
        .all(manager.get_connection())
        .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Our steps that are not recorded.
fn pending(recorded: &[String]) -> Vec<Step> {
    STEPS
        .into_iter()
        .filter(|step| !recorded.iter().any(|name| name == step.name))
        .collect()
}

/// Our steps with their status, and then the recorded ones that are not ours.
fn steps(recorded: &[String]) -> impl Iterator<Item = MigrationStatus> {
    let known = STEPS.iter().map(|step| MigrationStatus {
        name: step.name.to_owned(),
        applied: recorded.iter().any(|name| name == step.name),
        known: true,
    });
    let unknown = recorded
        .iter()
        .filter(|name| STEPS.iter().all(|step| step.name != **name));
    known.chain(unknown.map(|name| MigrationStatus {
        name: name.clone(),
        applied: true,
        known: false,
    }))
}

/// The SQL that brings an empty MySQL or MariaDB database to the present schema: tables, bookkeeping and sample users.
///
/// `init.sql` is this text. It names no database and creates no accounts.
#[must_use]
pub fn mysql_script() -> String {
    let backend = DbBackend::MySql;
    let bookkeeping = backend.build(&Schema::new(backend).create_table_from_entity(seaql_migrations::Entity));
    let bookkeeping = a_line_a_column(&bookkeeping.to_string());
    let steps: Vec<_> = STEPS
        .iter()
        .map(|step| format!("{};\n", a_line_a_column(&(step.up)(backend))))
        .collect();
    let versions: Vec<_> = STEPS
        .iter()
        .map(|step| format!("  ('{}', UNIX_TIMESTAMP())", step.name))
        .collect();
    let users: Vec<_> = SAMPLE_USERS
        .iter()
        .map(|(name, email)| format!("  ('{name}', '{email}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"))
        .collect();
    format!(
        "-- The schema of async-starter for MySQL and MariaDB, with its migrations recorded as applied, and sample users.\n\
         -- Load it into an empty database. Written by `cargo xtask schema dump`: change the migrations, not this file.\n\n\
         SET NAMES utf8mb4;\n\n\
         {}\n\
         {bookkeeping};\n\n\
         INSERT INTO `seaql_migrations` (`version`, `applied_at`) VALUES\n{};\n\n\
         INSERT INTO `users` (`name`, `email`, `created_at`, `updated_at`) VALUES\n{};\n",
        steps.join("\n"),
        versions.join(",\n"),
        users.join(",\n"),
    )
}

/// Breaks CREATE TABLE into lines for people to read. Other statements stay as they are.
fn a_line_a_column(sql: &str) -> String {
    if !sql.starts_with("CREATE TABLE") {
        return sql.to_owned();
    }
    let mut lines = String::new();
    let mut depth = 0;
    for character in sql.chars() {
        match character {
            '(' if depth == 0 => lines.push_str("(\n  "),
            ')' if depth == 1 => lines = lines.trim_end().to_owned() + "\n)",
            ',' if depth == 1 => lines.push_str(",\n  "),
            ' ' if lines.ends_with("\n  ") => {}
            other => lines.push(other),
        }
        depth += i32::from(character == '(') - i32::from(character == ')');
    }
    lines
}
