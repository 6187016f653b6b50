//! The program that is measured, and how it is set up: everything that production has is on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::database::Database;
use crate::process::{self, START_PATIENCE, Server, free_port};

/// How the product is set up in every measurement. The rest is as it is by default in production.
const SETTINGS: [(&str, &str); 9] = [
    ("ENVIRONMENT", "production"),
    ("AUTH_MODE", "none"),
    // The highest there is: each request is counted, and none refused.
    ("RATE_LIMIT", "1000000/s"),
    ("LOG_LEVEL", "info"),
    ("LOG_FORMAT", "json"),
    ("READ_COALESCING", "true"),
    ("WRITE_COALESCING", "true"),
    ("HOST", "127.0.0.1"),
    // There is nobody who would have to notice.
    ("SHUTDOWN_DRAIN", "0"),
];

/// The product's binary and the folder it works in.
#[derive(Debug)]
pub(crate) struct Product {
    binary: PathBuf,
    folder: PathBuf,
    settings: BTreeMap<String, String>,
}

impl Product {
    /// The binary at `path`. `overrides` are settings as `NAME=VALUE`, stronger than those of the benchmark.
    ///
    /// # Errors
    /// When there is no such file, or an override has no `=`.
    pub(crate) fn new(path: &Path, folder: &Path, overrides: &[String]) -> Result<Self> {
        let mut settings: BTreeMap<_, _> = SETTINGS
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for setting in overrides {
            let Some((name, value)) = setting.split_once('=') else {
                bail!("--set takes NAME=VALUE, not {setting:?}");
            };
            settings.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self {
            binary: path
                .canonicalize()
                .with_context(|| format!("there is no product at {}", path.display()))?,
            folder: folder.to_owned(),
            settings,
        })
    }

    /// The settings that differ from the defaults, without secrets.
    pub(crate) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Its version.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(crate) fn version(&self) -> Result<String> {
        let printed = process::run(Command::new(&self.binary).arg("--version"), &self.log("version"))?;
        Ok(printed.split_whitespace().last().unwrap_or_default().to_owned())
    }

    /// Runs one of its commands to the end.
    ///
    /// # Errors
    /// When that fails; what it said is part of the message.
    pub(crate) fn run(&self, database: &Database, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(database);
        command.args(arguments);
        process::run(&mut command, &self.log("command")).map(|_| ())
    }

    /// Starts it as a server and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn serve(&self, database: &Database) -> Result<Server> {
        self.serve_at(database, free_port()?).await
    }

    /// The same at a given port.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn serve_at(&self, database: &Database, port: u16) -> Result<Server> {
        self.start(self.command(database), port, START_PATIENCE).await
    }

    /// Starts it as a server under the program of `command`, which takes the product's command line behind its own
    /// arguments, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within `patience`.
    pub(crate) async fn serve_under(
        &self,
        mut command: Command,
        database: &Database,
        port: u16,
        patience: Duration,
    ) -> Result<Server> {
        with_database(&mut command, database);
        command.arg(&self.binary);
        self.start(command, port, patience).await
    }

    async fn start(&self, mut command: Command, port: u16, patience: Duration) -> Result<Server> {
        command.arg("serve").env("PORT", port.to_string());
        Server::start_within(patience, command, port, "/health/ready", &self.log("serve"))
            .await
            .context("the product")
    }

    /// Another program, found where this one finds its own, in the folder and with the settings of the product.
    pub(crate) fn other_program(&self, program: &str) -> Command {
        let mut command = self.with_settings(Command::new(program));
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Where it works and writes its logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self, database: &Database) -> Command {
        let mut command = self.with_settings(Command::new(&self.binary));
        with_database(&mut command, database);
        command
    }

    fn with_settings(&self, mut command: Command) -> Command {
        // No setting of this shell, and no settings file of the folder we are in, reaches it.
        command.env_clear().current_dir(&self.folder).envs(&self.settings);
        command
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("product-{name}.log"))
    }
}

fn with_database(command: &mut Command, database: &Database) {
    command.env("DATABASE_URL", &database.url);
    command.env("SECRET_KEY", "a key of the benchmark, for nothing else");
}

/// Starts the hand-written server, which is this program's own, on the same database.
///
/// # Errors
/// When it does not answer.
pub(crate) async fn serve_baseline(binary: &Path, database: &Database, folder: &Path) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.env_clear().current_dir(folder);
    command.args(["baseline", "--database-url", &database.url, "--port", &port.to_string()]);
    let log = folder.join("baseline.log");
    Server::start(command, port, "/users?per_page=1", &log)
        .await
        .context("the hand-written server")
}
