//! The commands other than `serve`, `import` and `export`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use api::DevelopmentToken;
use indicatif::{ProgressBar, ProgressStyle};
use persistence::{Database, Durability, MigrationStatus, Migrations, SeedPlan, lint_migrations, truncate};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    cli::{MigrateCommand, SeedArguments, TokenArguments},
    config::{AuthMode, Config, Environment, reference_table},
    lint_report, print,
    startup::database_options,
};

/// How long the server may take to answer a health check.
const HEALTHCHECK_PATIENCE: Duration = Duration::from_secs(4);

/// `migrate …`
pub(crate) async fn migrate(config: &Config, command: MigrateCommand) -> anyhow::Result<ExitCode> {
    let durability = Durability::Full;
    match command {
        MigrateCommand::Script => print(&persistence::mysql_script()),
        MigrateCommand::Up { limit } => {
            let work = async |database: &Database| report("applied", &Migrations::new(database).up(limit).await?);
            with_database(config, durability, work).await
        }
        MigrateCommand::Down { count } => {
            let work = async |database: &Database| report("reverted", &Migrations::new(database).down(count).await?);
            with_database(config, durability, work).await
        }
        MigrateCommand::Fresh => {
            refuse_in_production(config, "migrate fresh drops all data")?;
            let work = async |database: &Database| report("applied", &Migrations::new(database).fresh().await?);
            with_database(config, durability, work).await
        }
        MigrateCommand::Lint { pending: false, json } => lint_report::print(&lint_migrations(), json),
        MigrateCommand::Lint { pending: true, json } => {
            let work =
                async |database: &Database| lint_report::print(&Migrations::new(database).lint_pending().await?, json);
            with_database(config, durability, work).await
        }
        MigrateCommand::Status { json } => {
            let work = async |database: &Database| report_status(&Migrations::new(database).status().await?, json);
            with_database(config, durability, work).await
        }
    }
}

fn report(what: &str, steps: &[String]) -> anyhow::Result<ExitCode> {
    if steps.is_empty() {
        return print("nothing to do");
    }
    let lines: Vec<_> = steps.iter().map(|step| format!("{what} {step}")).collect();
    print(&lines.join("\n"))
}

fn report_status(steps: &[MigrationStatus], json: bool) -> anyhow::Result<ExitCode> {
    print(&if json { status_json(steps)? } else { status_table(steps) })?;
    let any_pending = steps.iter().any(MigrationStatus::is_pending);
    Ok(if any_pending {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn status_table(steps: &[MigrationStatus]) -> String {
    let lines: Vec<_> = steps
        .iter()
        .map(|step| match (step.applied, step.known) {
            (false, _) => format!("pending  {}", step.name),
            (true, true) => format!("applied  {}", step.name),
            (true, false) => format!("applied  {} (by a newer release)", step.name),
        })
        .collect();
    lines.join("\n")
}

fn status_json(steps: &[MigrationStatus]) -> serde_json::Result<String> {
    let step =
        |step: &MigrationStatus| serde_json::json!({"name": step.name, "applied": step.applied, "known": step.known});
    let pending = steps.iter().filter(|step| step.is_pending()).count();
    let migrations: Vec<_> = steps.iter().map(step).collect();
    serde_json::to_string_pretty(&serde_json::json!({"pending": pending, "migrations": migrations}))
}

/// `seed`
pub(crate) async fn seed(config: &Config, arguments: SeedArguments) -> anyhow::Result<ExitCode> {
    if arguments.truncate {
        refuse_in_production(config, "seed --truncate deletes all users")?;
    }
    // Lost seeds are sown again by the same command, so they need not wait for the disk.
    with_database(config, Durability::Relaxed, async |database: &Database| {
        run_seed(database, arguments).await
    })
    .await
}

async fn run_seed(database: &Database, arguments: SeedArguments) -> anyhow::Result<ExitCode> {
    require_schema(database).await?;
    if arguments.truncate {
        truncate(database).await?;
    }
    let style = "{bar:40} {pos}/{len} users, {per_sec}, {eta} left";
    let bar = ProgressBar::new(arguments.count).with_style(ProgressStyle::with_template(style)?);
    let plan = SeedPlan {
        count: arguments.count,
        rng_seed: arguments.rng,
    };
    let done = persistence::seed(database, plan, |progress| {
        bar.set_position(progress.created + progress.existing);
    })
    .await;
    bar.finish_and_clear();
    let done = done?;
    print(&format!(
        "created {} users; {} existed already",
        done.created, done.existing
    ))
}

/// Refuses to work on a database whose schema is not up to date.
pub(crate) async fn require_schema(database: &Database) -> anyhow::Result<()> {
    if Migrations::new(database).any_pending().await? {
        bail!("the database lacks steps of the schema; run `async-starter migrate up` first");
    }
    Ok(())
}

/// `openapi`
pub(crate) fn openapi(config: &Config) -> anyhow::Result<String> {
    Ok(api::openapi_document(&config.api.title).to_pretty_json()?)
}

/// `token`: stands in for an issuer while somebody develops.
pub(crate) fn token(config: &Config, arguments: TokenArguments) -> anyhow::Result<String> {
    refuse_in_production(config, "token makes callers up")?;
    if let Some(file) = &config.auth.jwks_file {
        bail!(
            "tokens are checked with the keys in `{}` (AUTH_JWKS_FILE), so whoever has their private parts issues tokens; \
             unset AUTH_JWKS_FILE to use tokens of this command",
            file.display()
        );
    }
    let Some(secret_key) = &config.api.secret_key else {
        bail!(
            "tokens are signed with SECRET_KEY, which is not set; set it to {} bytes or more, for example from `openssl rand \
             -hex 32`, for this command and for the server",
            api::SHORTEST_SECRET_KEY_BYTES
        );
    };
    if config.auth.mode == AuthMode::None {
        tracing::warn!("AUTH_MODE is none: a server with this configuration asks for no token");
    }
    let token = DevelopmentToken {
        subject: arguments.subject,
        scope: arguments.scope,
        lifetime: arguments.expires_in,
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
    };
    Ok(token.sign(secret_key.expose_secret().as_bytes())?)
}

/// `config --reference`: the page `docs/configuration.md`.
pub(crate) fn configuration_reference() -> String {
    format!(
        "# Configuration\n\n\
         Settings come from built-in defaults, `async-starter.toml` (or `--config FILE`), `.env`, the environment and \
         command-line flags; each is stronger than the one before. `async-starter config` shows what is in force and where \
         it came from. Times are in seconds unless a unit follows, as in `500ms` or `24h`.\n\n\
         This page is written by `async-starter config --reference`; a test compares the two. The book includes its \
         tables.\n\n<!-- ANCHOR: reference -->\n{}<!-- ANCHOR_END: reference -->\n",
        reference_table()
    )
}

/// `healthcheck`: asks the server on this machine over plain HTTP, so that a container image needs no other program for it.
pub(crate) async fn healthcheck(config: &Config) -> anyhow::Result<ExitCode> {
    let host = match config.http.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let answer = timeout(HEALTHCHECK_PATIENCE, ask(host, config.http.port))
        .await
        .context("no answer in time")??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    print(&format!("{status}\n{body}"))?;
    Ok(if status.split(' ').nth(1) == Some("200") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The answer to a request for `/health/ready`.
async fn ask(host: &str, port: u16) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((host, port))
        .await
        .with_context(|| format!("nobody listens on {host}:{port}"))?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Opens the database for work that outlasts a request, and closes it when the work has ended, however that was.
pub(crate) async fn with_database(
    config: &Config,
    durability: Durability,
    work: impl AsyncFnOnce(&Database) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let mut options = database_options(&config.database).for_maintenance();
    options.durability = durability;
    let database = Database::open(&options).await.context("cannot open the database")?;
    database
        .try_connection()
        .await
        .context("cannot connect to the database")?;
    let outcome = work(&database).await;
    database.close().await?;
    outcome
}

fn refuse_in_production(config: &Config, what: &str) -> anyhow::Result<()> {
    if config.environment == Environment::Production {
        bail!("{what}, and ENVIRONMENT is production");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_page_is_up_to_date() {
        let page = include_str!("../../../docs/configuration.md");
        let hint = "run `cargo run -- config --reference > docs/configuration.md`";
        assert_eq!(page.trim_end(), configuration_reference().trim_end(), "{hint}");
    }
}
