//! A database that somebody named.

use anyhow::{Context as _, Result, bail};

use super::{Database, Engine, number_of};
use crate::session::Session;

impl Database {
    /// The database at this address, on a server. Whether that answers is not asked.
    ///
    /// # Errors
    /// When the address is not that of a server.
    pub(crate) fn given(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let engines = [Engine::Mysql, Engine::Postgres];
        let engine = engines.into_iter().find(|engine| engine.schemes().contains(&scheme));
        let Some(engine) = engine else {
            bail!("the address of a database on a server begins with mysql:// or postgres://");
        };
        let scheme = engine.schemes().first().copied().unwrap_or(scheme);
        let database = Self {
            engine,
            url: format!("{scheme}://{rest}"),
        };
        if database.given_name().is_empty() {
            bail!("the address of a database ends with its name, as in mysql://user:password@host/name");
        }
        Ok(database)
    }

    /// The same, known to be on MariaDB if its server says so.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn recognized(mut self) -> Result<Self> {
        if self.engine == Engine::Mysql {
            let version = Session::open(&self.url).await?.text("SELECT VERSION()").await?;
            if version.contains("MariaDB") {
                self.engine = Engine::Mariadb;
            }
        }
        Ok(self)
    }

    /// Its name, without the options behind it.
    pub(crate) fn given_name(&self) -> &str {
        let after_host = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        after_host.split('?').next().unwrap_or_default()
    }

    /// Another database on the same server.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let mut parts = self.url.splitn(4, '/');
        let server: Vec<&str> = parts.by_ref().take(3).collect();
        let options = parts.next().and_then(|rest| rest.split_once('?'));
        let options = options.map_or(String::new(), |(_, options)| format!("?{options}"));
        Self {
            engine: self.engine,
            url: format!("{}/{name}{options}", server.join("/")),
        }
    }

    /// Its engine.
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// The version of its engine.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn version(&self) -> Result<String> {
        let version = match self.engine {
            Engine::Sqlite => "SELECT sqlite_version()",
            Engine::Mariadb | Engine::Mysql => "SELECT VERSION()",
            Engine::Postgres => "SHOW server_version",
        };
        let mut session = Session::open(&self.url).await?;
        Ok(number_of(
            &session
                .text(version)
                .await
                .context("the engine does not say its version")?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_a_server_and_a_name() {
        let database = Database::given("postgresql://app:secret@host:1/lab?sslmode=require").unwrap();
        assert_eq!(
            (database.given_name(), database.url.as_str()),
            ("lab", "postgres://app:secret@host:1/lab?sslmode=require")
        );
        assert_eq!(
            database.beside("postgres").url,
            "postgres://app:secret@host:1/postgres?sslmode=require"
        );
        assert_eq!(
            Database::given("mariadb://host/lab").unwrap().beside("").url,
            "mysql://host/"
        );
    }

    #[test]
    fn an_address_without_server_or_name_is_refused() {
        for url in [
            "sqlite://a.db",
            "nonsense",
            "mysql://host",
            "mysql://host/",
            "mysql://host/?a=b",
        ] {
            assert!(Database::given(url).is_err(), "{url}");
        }
    }
}
