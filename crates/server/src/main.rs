//! The program: reads its configuration, sets up logging, and does what it is told. `async-starter help` lists what that
//! can be.
//!
//! This crate is the one place where all layers meet. What must never appear here: business rules.

mod cli;
mod commands;
mod config;
mod console_watch;
mod database_threads;
mod http_server;
mod lint_report;
mod metrics_listener;
mod replica_watch;
mod startup;
mod sweeper;
mod telemetry;
mod transfer_commands;

use std::{env, io::Write, process::ExitCode};

use clap::Parser;

use cli::{Cli, Command};
use config::{ConfigError, Loaded, LogFormat, Sources};
use telemetry::Telemetry;

/// The exit code for a command line or a configuration that cannot be used.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let loaded = match load_configuration(&cli) {
        Ok(loaded) => loaded,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let command = cli.command.unwrap_or_default();
    let is_serving = matches!(command, Command::Serve);
    let telemetry = match Telemetry::start(&loaded.config, is_serving) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("error: {}", api::error_chain(error.as_ref()));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let outcome = run(command, &loaded, &telemetry);
    let code = match outcome {
        Ok(code) => code,
        Err(error) => {
            let reason = api::error_chain(error.as_ref());
            match loaded.config.log.format {
                LogFormat::Pretty => {
                    // After what was logged before.
                    telemetry.log().flush();
                    eprintln!("error: {reason}");
                }
                LogFormat::Json => tracing::error!(reason, "failed"),
            }
            ExitCode::FAILURE
        }
    };
    telemetry.shut_down();
    code
}

fn load_configuration(cli: &Cli) -> Result<Loaded, ConfigError> {
    config::load(&Sources {
        working_directory: env::current_dir().unwrap_or_default(),
        config_file: cli.config.clone(),
        // A variable that is not UTF-8 is none of ours.
        environment: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags: cli.flags(),
        read_dotenv: true,
    })
}

/// Runs a command on the one runtime of the process, which database sockets live on.
fn run(command: Command, loaded: &Loaded, telemetry: &Telemetry) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    database_threads::runtime()?.block_on(async {
        match command {
            Command::Serve => startup::serve(config, telemetry).await.map(|()| ExitCode::SUCCESS),
            Command::Migrate(command) => commands::migrate(config, command).await,
            Command::Seed(arguments) => commands::seed(config, arguments).await,
            Command::Import(arguments) => transfer_commands::import(config, &arguments).await,
            Command::Export(arguments) => transfer_commands::export(config, &arguments).await,
            Command::Openapi => print(&commands::openapi(config)?),
            Command::Config { reference: true, .. } => print(&commands::configuration_reference()),
            Command::Config { json: true, .. } => print(&serde_json::to_string_pretty(&loaded.to_json())?),
            Command::Config { .. } => print(&loaded.to_table()),
            Command::Token(arguments) => print(&commands::token(config, arguments)?),
            Command::Healthcheck => commands::healthcheck(config).await,
        }
    })
}

/// Prints text on standard output. A reader that has seen enough and closed the pipe is no failure.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
