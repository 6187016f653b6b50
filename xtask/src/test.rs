//! `cargo xtask test`: the tests of the whole workspace, on every engine that can be had; the others are named, with the
//! reason, before and after.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::engines::{Engine, Found};
use crate::workspace;

/// Options of `cargo xtask test`.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Fail, before any test, unless these engines are there
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ENGINE,…")]
    pub(crate) require: Vec<Engine>,
    /// Start no server: use only those that run, or that `TEST_MYSQL_URL` and its like name
    #[arg(long)]
    pub(crate) no_start: bool,
    /// Let no two requests share a statement, as with `READ_COALESCING=off` and `WRITE_COALESCING=off`
    #[arg(long)]
    pub(crate) without_sharing: bool,
    /// Use a node of Galera for MariaDB, and the primary of the group for MySQL
    #[arg(long)]
    pub(crate) on_clusters: bool,
    /// Arguments for `cargo test`, after `--`
    #[arg(last = true, value_name = "CARGO TEST ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// The tests of what the feature `otel` adds. All others run as the program is built by default.
const TRACES: [&str; 7] = [
    "test",
    "--package",
    "async-starter-api",
    "--features",
    "otel",
    "--lib",
    "otel::",
];

/// Runs the tests; the exit code is that of `cargo test`.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let found: Vec<Found> = Engine::ALL
        .iter()
        .map(|engine| engine.find(!options.no_start, options.require.contains(engine)))
        .collect();
    println!("{}", table(&found, "will be tested"));
    refuse_missing(&found, &options.require)?;

    let mut cargo = workspace::cargo_at_root(&["test"]);
    // Cargo pays no heed to `--package` beside `--workspace`.
    if !name_a_package(&options.arguments) {
        cargo.arg("--workspace");
    }
    cargo.args(&options.arguments);
    if options.without_sharing {
        cargo.env("TEST_COALESCING", "off");
    }
    for engine in &found {
        engine.tell(&mut cargo);
    }
    if options.on_clusters {
        for (cluster, variable) in [
            (Engine::Galera, "TEST_MARIADB_URL"),
            (Engine::GroupReplication, "TEST_MYSQL_URL"),
        ] {
            cargo.env(variable, first_node(&found, cluster)?);
        }
    }
    let mut status = workspace::status(&mut cargo)?;
    // Arguments choose among the tests, and these are not meant.
    if status.success() && options.arguments.is_empty() {
        status = workspace::status(&mut workspace::cargo_at_root(&TRACES))?;
    }
    let outcome = if status.success() {
        "tested"
    } else {
        "failed, see above"
    };
    println!("\n{}", table(&found, outcome));
    drop(found); // stops what we started
    Ok(workspace::exit_code(status))
}

/// Whether `arguments` choose packages. What stands behind `--` is meant for the tests, not for cargo.
fn name_a_package(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .take_while(|argument| argument != "--")
        .any(|argument| argument.starts_with("-p") || argument == "--package" || argument.starts_with("--package="))
}

/// Where the first node of a cluster is, which is the primary where there is one.
fn first_node(found: &[Found], cluster: Engine) -> Result<String> {
    let urls = found
        .iter()
        .find(|found| found.engine == cluster)
        .and_then(Found::given_url);
    match urls.as_deref().and_then(|urls| urls.split(',').next()) {
        Some(url) => Ok(url.to_owned()),
        None => bail!("{} is not to be had", cluster.title()),
    }
}

fn refuse_missing(found: &[Found], required: &[Engine]) -> Result<()> {
    let missing: Vec<String> = found
        .iter()
        .filter(|found| required.contains(&found.engine))
        .filter_map(|found| Some(format!("{}: {}", found.engine.title(), found.missing()?)))
        .collect();
    if !missing.is_empty() {
        bail!("required but not to be had: {}", missing.join("; "));
    }
    Ok(())
}

fn table(found: &[Found], outcome: &str) -> String {
    let header = ("engine".to_owned(), "server".to_owned(), "tests".to_owned());
    let rows = found.iter().map(|found| {
        let state = found
            .missing()
            .map_or_else(|| outcome.to_owned(), |reason| format!("skipped: {reason}"));
        (found.engine.title().to_owned(), found.origin(), state)
    });
    let rows: Vec<(String, String, String)> = std::iter::once(header).chain(rows).collect();
    let first = rows
        .iter()
        .map(|(engine, _, _)| engine.chars().count())
        .max()
        .unwrap_or_default();
    let second = rows
        .iter()
        .map(|(_, server, _)| server.chars().count())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = rows
        .iter()
        .map(|(engine, server, state)| format!("{engine:first$}  {server:second$}  {state}"))
        .collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{name_a_package, refuse_missing, table};
    use crate::engines::Engine;

    #[test]
    fn packages_that_are_named_are_recognized_however_cargo_lets_them_be_written() {
        let named = |arguments: &str| {
            let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
            name_a_package(&arguments)
        };
        for arguments in [
            "--package xtask",
            "--lib --package=xtask",
            "-p xtask",
            "-pxtask a_filter",
        ] {
            assert!(named(arguments), "{arguments}");
        }
        for arguments in ["", "--test it", "a_filter -- --package", "--test it -- -p"] {
            assert!(!named(arguments), "{arguments}");
        }
    }

    #[test]
    fn the_table_names_engine_server_and_outcome() {
        let table = table(&[Engine::Sqlite.find(false, false)], "tested");
        assert_eq!(table, "engine  server    tests\nSQLite  embedded  tested\n");
    }

    #[test]
    fn an_engine_that_is_there_may_be_required() {
        assert!(refuse_missing(&[Engine::Sqlite.find(false, false)], &[Engine::Sqlite]).is_ok());
    }
}
