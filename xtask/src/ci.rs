//! `cargo xtask ci`: what CI runs, step for step. The first step that fails ends the run.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::engines::Engine;
use crate::{browser, drill, examples, fuzz, instructions, lab, layers, openapi, schema, test, walk, workspace};

/// Options of `cargo xtask ci`.
#[derive(Args)]
pub(crate) struct Options {
    /// Also what takes long or needs the network: known vulnerabilities, requests made up from the OpenAPI document, hostile
    /// input for the parsers, the instructions of a request against their baseline, the pages in a browser, the lab in short, the
    /// drills, and the walk through the book
    #[arg(long)]
    full: bool,
}

/// How a step ended, if it did not fail.
enum Outcome {
    Passed,
    Skipped(String),
}

struct Step {
    name: &'static str,
    run: fn() -> Result<Outcome>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "layers",
        run: check_layers,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "examples",
        run: check_examples,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "schema",
        run: check_schema,
    },
    Step {
        name: "openapi",
        run: check_openapi,
    },
    Step {
        name: "licences",
        run: licences,
    },
];

const FULL_STEPS: &[Step] = &[
    Step {
        name: "unshared",
        run: tests_without_sharing,
    },
    Step {
        name: "clusters",
        run: tests_on_clusters,
    },
    Step {
        name: "advisories",
        run: advisories,
    },
    Step {
        name: "browser",
        run: browsers,
    },
    Step {
        name: "schemathesis",
        run: schemathesis,
    },
    Step {
        name: "fuzz",
        run: fuzz,
    },
    Step {
        name: "instructions",
        run: check_instructions,
    },
    Step {
        name: "lab",
        run: lab_in_short,
    },
    Step {
        name: "drills",
        run: drills,
    },
    Step {
        name: "walk",
        run: walk_the_book,
    },
];

/// Runs the steps in order and prints what each took.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let steps: Vec<&Step> = if options.full {
        STEPS.iter().chain(FULL_STEPS).collect()
    } else {
        STEPS.iter().collect()
    };
    let begin = Instant::now();
    let mut summary = Vec::new();
    let mut failure = None;
    for (number, step) in (1..).zip(&steps) {
        println!(
            "\n==> [{number}/{}] {}, {} into the run",
            steps.len(),
            step.name,
            shown(begin.elapsed())
        );
        let step_begin = Instant::now();
        let outcome = (step.run)();
        let state = match &outcome {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        println!("==> {} {state}", step.name);
        summary.push(format!("{:12} {:>8}  {state}", step.name, shown(step_begin.elapsed())));
        if let Err(error) = outcome {
            failure = Some(error.context(format!("step `{}` failed", step.name)));
            break;
        }
    }
    summary.extend(
        steps
            .iter()
            .skip(summary.len())
            .map(|step| format!("{:12} {:>8}  not reached", step.name, "")),
    );
    println!(
        "\n{}\n{:12} {:>8}",
        summary.join("\n"),
        "in all",
        shown(begin.elapsed())
    );
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    }
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    workspace::succeed(&mut workspace::cargo_at_root(arguments))?;
    Ok(Outcome::Passed)
}

fn format() -> Result<Outcome> {
    cargo(&["fmt", "--all", "--check"]).context("`cargo fmt --all` corrects this")
}

fn clippy() -> Result<Outcome> {
    // All features: the test support of persistence is one.
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ])
}

fn check_layers() -> Result<Outcome> {
    layers::run()?;
    Ok(Outcome::Passed)
}

/// The README's test command, `cargo xtask test`, where in addition no engine may be missing.
fn tests() -> Result<Outcome> {
    let code = test::run(&test::Options {
        require: Engine::WITH_SERVER.into(),
        ..test::Options::default()
    })?;
    if code != ExitCode::SUCCESS {
        bail!("see the failures above");
    }
    Ok(Outcome::Passed)
}

/// The tests of the layers that share statements, with sharing switched off: nobody may be able to tell.
fn tests_without_sharing() -> Result<Outcome> {
    let packages = ["--package", "async-starter-service", "--package", "async-starter-api"];
    let code = test::run(&test::Options {
        require: Engine::WITH_SERVER.into(),
        arguments: packages.into_iter().chain(["--test", "it"]).map(Into::into).collect(),
        without_sharing: true,
        ..test::Options::default()
    })?;
    if code != ExitCode::SUCCESS {
        bail!("see the failures above");
    }
    Ok(Outcome::Passed)
}

/// The tests of the layers that speak to the database, on clusters: nothing may depend on there being one server.
fn tests_on_clusters() -> Result<Outcome> {
    let packages = [
        "--package",
        "async-starter-persistence",
        "--package",
        "async-starter-service",
    ];
    let code = test::run(&test::Options {
        require: Engine::WITH_SERVER.into(),
        arguments: packages.into_iter().chain(["--test", "it"]).map(Into::into).collect(),
        on_clusters: true,
        ..test::Options::default()
    })?;
    if code != ExitCode::SUCCESS {
        bail!("see the failures above");
    }
    Ok(Outcome::Passed)
}

fn check_examples() -> Result<Outcome> {
    if examples::check_after_tests()? != ExitCode::SUCCESS {
        bail!("see what is said above the table");
    }
    Ok(Outcome::Passed)
}

fn docs() -> Result<Outcome> {
    let mut cargo = workspace::cargo_at_root(&["doc", "--workspace", "--no-deps"]);
    workspace::succeed(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

fn check_schema() -> Result<Outcome> {
    schema::check_after_tests()?;
    Ok(Outcome::Passed)
}

fn check_openapi() -> Result<Outcome> {
    openapi::check_after_tests()?;
    Ok(Outcome::Passed)
}

fn licences() -> Result<Outcome> {
    if !has_cargo_deny() {
        return Ok(no_cargo_deny());
    }
    cargo(&["deny", "check", "licenses", "bans", "sources"])
}

fn advisories() -> Result<Outcome> {
    if !has_cargo_deny() {
        return Ok(no_cargo_deny());
    }
    if !workspace::status(&mut workspace::cargo_at_root(&["deny", "fetch", "db"]))?.success() {
        return Ok(Outcome::Skipped("the advisory database cannot be reached".to_owned()));
    }
    cargo(&["deny", "check", "advisories"])
}

fn has_cargo_deny() -> bool {
    let mut version = workspace::cargo_at_root(&["deny", "--version"]);
    version
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn no_cargo_deny() -> Outcome {
    Outcome::Skipped("cargo-deny is not installed (`cargo install cargo-deny --locked`)".to_owned())
}

fn browsers() -> Result<Outcome> {
    match browser::check_all()? {
        browser::Outcome::Passed => Ok(Outcome::Passed),
        browser::Outcome::NotRun => Ok(Outcome::Skipped(
            "a browser cannot be driven here; the reason is above".to_owned(),
        )),
    }
}

/// The exit code of `tools/schemathesis` when its programs cannot be had.
const UNAVAILABLE: i32 = 3;

fn schemathesis() -> Result<Outcome> {
    let mut script = Command::new(workspace::root().join("tools/schemathesis"));
    // Held until the script has ended: what was started for it is stopped then.
    let databases = [Engine::Mysql, Engine::Mariadb, Engine::Postgres].map(|engine| engine.find(true, true));
    for found in &databases {
        if let Some(reason) = found.missing() {
            bail!(
                "{} is to be asked as well, and cannot be had: {reason}",
                found.engine.title()
            );
        }
        found.tell(&mut script);
    }
    let status = workspace::status(script.current_dir(workspace::root()))?;
    if status.code() == Some(UNAVAILABLE) {
        return Ok(Outcome::Skipped(
            "schemathesis cannot be had; the reason is above".to_owned(),
        ));
    }
    if !status.success() {
        bail!("`{}` failed ({status})", workspace::shown(&script));
    }
    Ok(Outcome::Passed)
}

/// How long each target is fuzzed, in seconds.
const FUZZ_SECONDS: u32 = 30;

fn fuzz() -> Result<Outcome> {
    match fuzz::check(&fuzz::Options::all(FUZZ_SECONDS))? {
        fuzz::Outcome::Passed => Ok(Outcome::Passed),
        fuzz::Outcome::Found => bail!("see the table and what is said above it"),
        fuzz::Outcome::NotRun(reason) => Ok(Outcome::Skipped(reason)),
    }
}

fn check_instructions() -> Result<Outcome> {
    match instructions::check()? {
        instructions::Outcome::Counted => Ok(Outcome::Passed),
        instructions::Outcome::NotChecked(reason) => Ok(Outcome::Skipped(reason)),
        instructions::Outcome::Failed(_) => bail!("see the table or the error above"),
    }
}

fn lab_in_short() -> Result<Outcome> {
    lab::check()?;
    Ok(Outcome::Passed)
}

fn drills() -> Result<Outcome> {
    if drill::run(&drill::Options::all())? != ExitCode::SUCCESS {
        bail!("see what was lost or wrong above");
    }
    Ok(Outcome::Passed)
}

fn walk_the_book() -> Result<Outcome> {
    walk::run(&walk::Options::default())?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::shown;

    #[test]
    fn times_are_shown_in_seconds_up_to_a_minute() {
        assert_eq!(shown(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(shown(Duration::from_secs(185)), "3:05 min");
    }
}
