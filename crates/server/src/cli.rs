//! The command line.

use std::{path::PathBuf, time::Duration};

use api::TransferFormat;
use clap::{Args, Parser, Subcommand};

use crate::config::token_lifetime;

/// A users service on SQLite, MySQL, MariaDB or PostgreSQL.
///
/// Settings come from async-starter.toml, .env, the environment and these flags, each stronger than the one before.
/// `async-starter config` shows what is in force and where it came from.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// A settings file in place of async-starter.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The database: sqlite:…, mysql://… or postgres://…
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// development, staging or production
    #[arg(long, global = true, value_name = "NAME")]
    environment: Option<String>,
    /// debug, info, warn, error or a filter such as info,sqlx=debug
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// The address to listen on
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen on; 0 takes any
    #[arg(long, global = true)]
    port: Option<String>,
    /// Threads that serve HTTP
    #[arg(long, global = true, value_name = "COUNT")]
    workers: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Default, Subcommand)]
pub(crate) enum Command {
    /// Serve HTTP until told to stop (the default)
    #[default]
    Serve,
    /// Bring the schema up to date, or back, or tell how it stands
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Add generated users; the same flags always generate the same users
    Seed(SeedArguments),
    /// Create users from a file; exit code 3 if lines were skipped
    Import(ImportArguments),
    /// Write all users to a file
    Export(ExportArguments),
    /// Print the OpenAPI document
    Openapi,
    /// Print the settings in force and where they came from, without secrets
    Config {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Explain every setting instead, as the Markdown page docs/configuration.md
        #[arg(long, conflicts_with = "json")]
        reference: bool,
    },
    /// Print a token to try the API with, signed with `SECRET_KEY`; refused in production
    Token(TokenArguments),
    /// Ask the running server whether it is ready; exit code 0 if so, 1 if not
    Healthcheck,
}

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Apply pending steps
    Up {
        /// At most this many; all without it
        #[arg(value_name = "N")]
        limit: Option<u32>,
    },
    /// Revert applied steps, the last first
    Down {
        /// How many
        #[arg(value_name = "N", default_value_t = 1)]
        count: u32,
    },
    /// List all steps; exit code 1 while any is pending
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Look through the steps for what would break a rolling upgrade or lock a table; exit code 3 for any that is not accepted
    ///
    /// Nothing is executed. Without --pending no database is needed: every step is read as SQL for every engine, and those of
    /// each release are taken for one upgrade. A table that the same upgrade has created is nobody's yet, so that what
    /// happens to it harms nobody.
    ///
    /// A step that does what it was warned of at the right time says so in its code: `accepted` names the reason, and the step
    /// that has to be in place before. It is then shown as accepted.
    ///
    /// Exit codes: 0 when nothing was found or all of it is accepted, 3 when there are warnings, 1 when the database cannot
    /// be asked, 2 for a command line that cannot be used.
    Lint {
        /// Only the steps that the database lacks, for its engine, as one upgrade
        #[arg(long)]
        pending: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Drop all tables with their data, and apply all steps; refused in production
    Fresh,
    /// Print the SQL that sets up an empty MySQL or MariaDB database, as in init.sql
    Script,
}

/// Flags of `seed`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SeedArguments {
    /// How many users
    #[arg(long, default_value_t = 1000)]
    pub(crate) count: u64,
    /// What the generator starts from
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    pub(crate) rng: u64,
    /// Delete all users first; refused in production
    #[arg(long)]
    pub(crate) truncate: bool,
}

/// Flags of `import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file; - reads standard input
    pub(crate) file: PathBuf,
    /// ndjson or csv; by the end of the file's name without it
    #[arg(long, value_parser = transfer_format)]
    pub(crate) format: Option<TransferFormat>,
}

/// Flags of `export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArguments {
    /// The file; - writes to standard output
    pub(crate) file: PathBuf,
    /// ndjson or csv; by the end of the file's name without it
    #[arg(long, value_parser = transfer_format)]
    pub(crate) format: Option<TransferFormat>,
    /// Overwrite the file if there is one
    #[arg(long)]
    pub(crate) force: bool,
}

fn transfer_format(text: &str) -> Result<TransferFormat, String> {
    TransferFormat::parse(text).ok_or_else(|| "accepted: ndjson, csv".to_owned())
}

/// Flags of `token`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenArguments {
    /// Who the bearer is
    #[arg(long, default_value = "developer", value_parser = token_subject)]
    pub(crate) subject: String,
    /// What the bearer may do
    #[arg(long, value_name = "SCOPES", default_value = "users:read users:write")]
    pub(crate) scope: String,
    /// How long the token is good for: 90, 15m, 24h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = token_lifetime)]
    pub(crate) expires_in: Duration,
}

fn token_subject(text: &str) -> Result<String, String> {
    if (1..=api::LONGEST_SUBJECT_CHARS).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(format!("accepted: 1 to {} characters", api::LONGEST_SUBJECT_CHARS))
    }
}

impl Cli {
    /// The settings that flags give, under the names of their variables.
    pub(crate) fn flags(&self) -> Vec<(String, String)> {
        let flags = [
            ("DATABASE_URL", &self.database_url),
            ("ENVIRONMENT", &self.environment),
            ("LOG_LEVEL", &self.log_level),
            ("HOST", &self.host),
            ("PORT", &self.port),
            ("WORKERS", &self.workers),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        given.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let cli = Cli::parse_from([
            "async-starter",
            "serve",
            "--port",
            "0",
            "--database-url",
            "sqlite::memory:",
        ]);
        let expected = [("DATABASE_URL", "sqlite::memory:"), ("PORT", "0")];
        assert_eq!(
            cli.flags(),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
