//! Where the experiments are made: SQLite in a temporary folder, or a database on a server that the reader names, and that
//! nobody uses.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sqlx::mysql::MySqlDatabaseError;

use crate::database::{Database, Databases, Engine};
use crate::product::Product;
use crate::session::Session;

/// Tells a database that the lab made from one that was there before.
const MARKER: &str = "async_starter_lab";
/// The product's tables.
const PRODUCT_TABLES: [&str; 4] = ["idempotency_keys", "replication_beats", "seaql_migrations", "users"];
/// MySQL's number for a database that does not exist, and PostgreSQL's code.
const MYSQL_UNKNOWN_DATABASE: u16 = 1049;
const POSTGRES_UNKNOWN_DATABASE: &str = "3D000";

/// The address that the environment names, if it is that of a server.
pub(super) fn url_of_environment() -> Option<String> {
    let url = std::env::var_os("DATABASE_URL")?.into_string().ok()?;
    Database::given(&url).is_ok().then_some(url)
}

/// Where the experiments are made.
#[derive(Debug)]
pub(super) enum Place {
    /// Files in a temporary folder.
    Folder(Databases),
    /// A database on a server.
    Server {
        database: Database,
        /// Whether the lab made it, and drops it.
        is_ours: bool,
    },
}

impl Place {
    /// The database at `url`, made if it does not exist, or a place for files in `folder`.
    ///
    /// # Errors
    /// When the database is in use, or its server does not answer or refuses.
    pub(super) async fn find(url: Option<&str>, folder: &Path) -> Result<Self> {
        let Some(url) = url else {
            return Ok(Self::Folder(Databases::new(Engine::Sqlite, None, folder)?));
        };
        let database = Database::given(url)?;
        let is_ours = if exists(&database).await? {
            Seen::in_database(&database).await?.claim(database.given_name())?
        } else {
            make(&database).await?;
            true
        };
        let database = database.recognized().await?;
        Ok(Self::Server { database, is_ours })
    }

    /// What the lab does with it and leaves behind.
    pub(super) fn terms(&self) -> String {
        match self {
            Self::Folder(_) => "SQLite in a temporary folder, which is deleted at the end.".to_owned(),
            Self::Server {
                database,
                is_ours: true,
            } => format!(
                "The database {} on {}, which the lab made, and drops at the end.",
                database.given_name(),
                database.engine().title()
            ),
            Self::Server {
                database,
                is_ours: false,
            } => format!(
                "The database {} on {}, which is empty. The lab makes the product's tables in it, and drops them at the end.",
                database.given_name(),
                database.engine().title()
            ),
        }
    }

    /// The database with the product's tables and `users` generated users.
    ///
    /// # Errors
    /// When the server or the product refuses.
    pub(super) async fn prepare(&self, product: &Product, users: u64) -> Result<Database> {
        match self {
            Self::Folder(databases) => databases.make(product, users).await,
            Self::Server { database, .. } => {
                product.run(database, &["migrate", "up"])?;
                empty(database).await?;
                if users > 0 {
                    product.run(database, &["seed", "--count", &users.to_string()])?;
                    database.analyze().await?;
                }
                Ok(database.clone())
            }
        }
    }

    /// Leaves it as [`Self::terms`] says.
    ///
    /// # Errors
    /// When the server refuses or a file cannot be deleted.
    pub(super) async fn leave(&self) -> Result<()> {
        match self {
            Self::Folder(databases) => databases.drop_all().await,
            Self::Server {
                database,
                is_ours: true,
            } => {
                // Alone PostgreSQL refuses while anybody is connected.
                let force = if database.engine() == Engine::Postgres {
                    " WITH (FORCE)"
                } else {
                    ""
                };
                on_server(database, format!("DROP DATABASE {}{force}", database.given_name())).await
            }
            Self::Server {
                database,
                is_ours: false,
            } => {
                let mut session = Session::open(&database.url).await?;
                for table in PRODUCT_TABLES {
                    session.execute(format!("DROP TABLE IF EXISTS {table}")).await?;
                }
                Ok(())
            }
        }
    }
}

async fn exists(database: &Database) -> Result<bool> {
    match Session::open(&database.url).await {
        Ok(_) => Ok(true),
        Err(error) if is_unknown_database(&error) => Ok(false),
        Err(error) => Err(error.context("cannot reach the database; is its address right?")),
    }
}

fn is_unknown_database(error: &anyhow::Error) -> bool {
    let error = error
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error);
    error.is_some_and(|error| {
        let mysql = error.try_downcast_ref::<MySqlDatabaseError>();
        mysql.map_or(error.code().as_deref() == Some(POSTGRES_UNKNOWN_DATABASE), |mysql| {
            mysql.number() == MYSQL_UNKNOWN_DATABASE
        })
    })
}

async fn make(database: &Database) -> Result<()> {
    let name = database.given_name();
    // It stands in a statement without quotes, which the engines write in different ways.
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        bail!(
            "there is no database {name}, and the lab makes only such as have small letters, digits and _ in their names"
        );
    }
    let options = if database.engine() == Engine::Postgres {
        ""
    } else {
        " CHARACTER SET utf8mb4"
    };
    on_server(database, format!("CREATE DATABASE {name}{options}"))
        .await
        .with_context(|| {
            format!("there is no database {name}, and it cannot be made: make it, or let this account do so")
        })?;
    let mut session = Session::open(&database.url).await?;
    session.execute(format!("CREATE TABLE {MARKER} (made INT)")).await
}

/// Runs a statement outside the database.
async fn on_server(database: &Database, statement: String) -> Result<()> {
    let first = if database.engine() == Engine::Postgres {
        "postgres"
    } else {
        ""
    };
    Session::open(&database.beside(first).url)
        .await?
        .execute(statement)
        .await
}

async fn empty(database: &Database) -> Result<()> {
    let mut session = Session::open(&database.url).await?;
    session.execute("TRUNCATE TABLE users".to_owned()).await
}

/// What is in a database.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    has_tables: bool,
    /// The lab made it, and was cut off.
    has_marker: bool,
}

impl Seen {
    async fn in_database(database: &Database) -> Result<Self> {
        let [tables, marker] = if database.engine() == Engine::Postgres {
            [
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()",
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() \
                 AND table_name = 'async_starter_lab'",
            ]
        } else {
            [
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()",
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_name = 'async_starter_lab'",
            ]
        };
        let mut session = Session::open(&database.url).await?;
        let is_any = |counts: Vec<i64>| counts.iter().any(|count| *count > 0);
        Ok(Self {
            has_tables: is_any(session.numbers(tables).await?),
            has_marker: is_any(session.numbers(marker).await?),
        })
    }

    /// Whether the lab made it; an error if it belongs to somebody else. The product's own tables count as somebody else's, also
    /// without rows: a service may be about to fill them.
    fn claim(self, name: &str) -> Result<bool> {
        if self.has_tables && !self.has_marker {
            bail!(
                "the database {name} has tables, and nothing in it was touched. The lab fills and empties the table of \
                 users, so it takes a database without tables, or one that does not exist yet, which it makes and drops: \
                 please name another"
            );
        }
        Ok(self.has_marker)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::report;

    #[test]
    fn a_database_with_tables_is_refused_by_name() {
        let used = Seen {
            has_tables: true,
            has_marker: false,
        };
        let refusal = used.claim("shop").unwrap_err().to_string();
        assert!(refusal.contains("the database shop has tables"), "{refusal}");
    }

    #[test]
    fn an_empty_database_is_left_and_one_that_the_lab_made_is_dropped() {
        assert!(!Seen::default().claim("empty").unwrap());
        let cut_off = Seen {
            has_tables: true,
            has_marker: true,
        };
        assert!(cut_off.claim("lab").unwrap());
    }

    #[test]
    fn every_table_of_the_product_is_dropped_from_a_database_that_is_left() {
        let script = fs::read_to_string(report::root().join("init.sql")).unwrap();
        let tables: BTreeSet<&str> = script
            .split("CREATE TABLE `")
            .skip(1)
            .filter_map(|rest| rest.split('`').next())
            .collect();
        assert_eq!(tables, BTreeSet::from(PRODUCT_TABLES));
    }
}
