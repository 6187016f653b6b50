//! The server binary, built and run by Cargo: what `migrate`, `seed`, `schema`, `openapi`, `bench` and `drill` are made of.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace;

/// How the binary is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// Soon ready.
    Debug,
    /// Soon done.
    Release,
}

/// Becomes `async-starter COMMAND ARGUMENTS`: terminal, signals, working folder and exit code are the binary's own.
pub(crate) fn hand_over(build: Build, command: &str, arguments: &[OsString]) -> Result<ExitCode> {
    let mut cargo = cargo_run(build);
    cargo.arg(command).args(arguments);
    replace_this_process(&mut cargo)
}

#[cfg(unix)]
fn replace_this_process(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;

    let error = command.exec();
    Err(anyhow::Error::new(error).context(format!("cannot run `{}`", workspace::shown(command))))
}

#[cfg(not(unix))]
fn replace_this_process(command: &mut Command) -> Result<ExitCode> {
    workspace::status(command).map(workspace::exit_code)
}

/// What the binary prints when it is run with these arguments, built first where needed.
pub(crate) fn printed(arguments: &[&str]) -> Result<String> {
    workspace::standard_output(cargo_run(Build::Debug).args(arguments).current_dir(workspace::root()))
}

/// The same from the binary that the tests were run with. A build of the binary alone would choose other features for
/// what it shares with the tests and compile most of it again, which is minutes on a small machine.
pub(crate) fn printed_after_tests(arguments: &[&str]) -> Result<String> {
    match executable_of(&messages_of_tests()?, "bin", "async-starter") {
        Some(binary) => workspace::standard_output(Command::new(binary).args(arguments).current_dir(workspace::root())),
        None => printed(arguments),
    }
}

/// Cargo's messages about a build of all tests, and of the binaries and examples that it builds with them.
pub(crate) fn messages_of_tests() -> Result<String> {
    workspace::standard_output(&mut workspace::cargo_at_root(&[
        "test",
        "--quiet",
        "--workspace",
        "--no-run",
        "--message-format=json",
    ]))
}

/// The binaries of these packages, named like them, built in one go as they are released.
pub(crate) fn built_for_release(packages: &[&str]) -> Result<Vec<PathBuf>> {
    let mut cargo = workspace::cargo_at_root(&["build", "--release", "--message-format=json-render-diagnostics"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let messages = workspace::standard_output(&mut cargo)?;
    let binary = |package: &&str| {
        let path =
            executable_of(&messages, "bin", package).with_context(|| format!("cargo built no binary {package}"))?;
        Ok(PathBuf::from(path))
    };
    packages.iter().map(binary).collect()
}

fn cargo_run(build: Build) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--quiet", "--package", "async-starter"]);
    if matches!(build, Build::Release) {
        cargo.arg("--release");
    }
    cargo.arg("--");
    cargo
}

/// Finds the program of a target (not its unit tests) in Cargo's messages, one JSON object a line. `kind` is `bin` or
/// `example`.
pub(crate) fn executable_of(messages: &str, kind: &str, name: &str) -> Option<String> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| {
            let is_kind = message.pointer("/target/kind/0")?.as_str()? == kind;
            let is_named = message.pointer("/target/name")?.as_str()? == name;
            let is_test = message.pointer("/profile/test")?.as_bool()?;
            (is_kind && is_named && !is_test).then(|| message.get("executable")?.as_str().map(str::to_owned))?
        })
}

#[cfg(test)]
mod tests {
    use super::executable_of;

    #[test]
    fn the_binary_is_found_among_libraries_and_unit_tests() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"api"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"async-starter"},"profile":{"test":true},"executable":"/t/deps/x"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"async-starter"},"profile":{"test":false},"executable":"/t/a"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable_of(messages, "bin", "async-starter").as_deref(), Some("/t/a"));
        assert_eq!(executable_of(messages, "bin", "other"), None);
        assert_eq!(executable_of(messages, "example", "async-starter"), None);
    }
}
