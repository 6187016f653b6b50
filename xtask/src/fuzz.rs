//! `cargo xtask fuzz`: runs the targets of `fuzz/` one after the other, and tells what each did and found.
//!
//! cargo-fuzz compiles them with sanitizers, which is for a nightly compiler alone. Where there is none, the stable one is told to
//! behave like one; its standard library has no sanitizer then, which costs nothing that these targets look for.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace;

/// The longest input, in bytes. Somewhat more than the longest line of an import, so that its limit is found.
const MAX_INPUT_BYTES: u32 = 80 * 1024;

/// The most memory of a target, in MiB: what a hostile input must not make it take.
const MAX_MEMORY_MIB: u32 = 1024;

/// The longest that one input may take, in seconds. With sanitizers, on a machine that does other things as well.
const MAX_INPUT_SECONDS: u32 = 10;

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Options {
    /// The targets to run; all where none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each is run
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) seconds: u32,
}

impl Options {
    /// Every target, for so long.
    pub(crate) fn all(seconds: u32) -> Self {
        Self {
            targets: Vec::new(),
            seconds,
        }
    }
}

/// How the run ended.
pub(crate) enum Outcome {
    /// Nothing was found.
    Passed,
    /// Something was found; the table tells by which targets.
    Found,
    /// Nothing was run, and why.
    NotRun(String),
}

/// The compiler that cargo-fuzz works with.
#[derive(Clone, Copy)]
enum Compiler {
    Nightly,
    /// The one of the repository, which takes itself for a nightly.
    Stable,
}

/// What became of a target.
struct Report {
    target: String,
    statistics: Statistics,
    has_finding: bool,
}

/// What libFuzzer says at the end, and of its last step.
#[derive(Debug, Default, PartialEq, Eq)]
struct Statistics {
    executions: String,
    executions_per_second: String,
    coverage: String,
    corpus: String,
}

/// Runs the targets and prints what became of them.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match check(options)? {
        Outcome::Passed => Ok(ExitCode::SUCCESS),
        Outcome::Found => Ok(ExitCode::FAILURE),
        Outcome::NotRun(reason) => bail!("{reason}"),
    }
}

/// The same, for whoever goes on where nothing can be run.
pub(crate) fn check(options: &Options) -> Result<Outcome> {
    let Some(compiler) = Compiler::find() else {
        return Ok(Outcome::NotRun(
            "cargo-fuzz is not installed (`cargo install cargo-fuzz --locked`; with `rustup toolchain install nightly` its \
             sanitizers see the most)"
                .to_owned(),
        ));
    };
    let known = compiler.targets()?;
    for target in &options.targets {
        if !known.contains(target) {
            bail!("there is no target `{target}`; there are {}", known.join(", "));
        }
    }
    let chosen = if options.targets.is_empty() {
        &known
    } else {
        &options.targets
    };
    if let Compiler::Stable = compiler {
        println!("There is no nightly toolchain: the stable one is used with RUSTC_BOOTSTRAP=1.");
    }
    workspace::succeed(&mut compiler.cargo_fuzz("build"))?;
    let reports: Vec<Report> = chosen
        .iter()
        .map(|target| fuzz(compiler, target, options.seconds))
        .collect::<Result<_>>()?;
    println!("\n{}", table(&reports));
    if reports.iter().any(|report| report.has_finding) {
        return Ok(Outcome::Found);
    }
    Ok(Outcome::Passed)
}

/// Runs one target.
fn fuzz(compiler: Compiler, target: &str, seconds: u32) -> Result<Report> {
    println!("\n{target}, {seconds} s");
    let folder = fuzz_folder();
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make the folder {}", corpus.display()))?;
    let mut cargo = compiler.cargo_fuzz("run");
    cargo.arg(target).arg(corpus);
    // The inputs that the repository keeps are read, and never written.
    let seeds = folder.join("seeds").join(target);
    if seeds.is_dir() {
        cargo.arg(seeds);
    }
    cargo.arg("--");
    let dictionary = folder.join("dictionaries").join(format!("{target}.txt"));
    if dictionary.is_file() {
        cargo.arg(format!("-dict={}", dictionary.display()));
    }
    cargo
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-rss_limit_mb={MAX_MEMORY_MIB}"))
        .arg(format!("-timeout={MAX_INPUT_SECONDS}"))
        .arg("-print_final_stats=1")
        .stderr(Stdio::piped());
    let output = cargo
        .output()
        .with_context(|| format!("cannot run `{}`", workspace::shown(&cargo)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let has_finding = !output.status.success();
    if has_finding {
        println!("{said}");
    }
    Ok(Report {
        target: target.to_owned(),
        statistics: Statistics::read(&said),
        has_finding,
    })
}

impl Compiler {
    /// The compiler that cargo-fuzz is to work with, if there is a cargo-fuzz.
    fn find() -> Option<Self> {
        [Self::Nightly, Self::Stable].into_iter().find(|compiler| {
            let mut version = compiler.cargo_fuzz("--version");
            version
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    }

    /// `cargo fuzz COMMAND` at the top of the repository.
    fn cargo_fuzz(self, command: &str) -> Command {
        let mut cargo = match self {
            Self::Nightly => {
                let mut rustup = workspace::nested("rustup");
                rustup.args(["run", "nightly", "cargo"]);
                rustup
            }
            Self::Stable => {
                let mut cargo = workspace::cargo();
                cargo.env("RUSTC_BOOTSTRAP", "1");
                cargo
            }
        };
        cargo.args(["fuzz", command]).current_dir(workspace::root());
        cargo
    }

    fn targets(self) -> Result<Vec<String>> {
        let listed = workspace::standard_output(&mut self.cargo_fuzz("list"))?;
        Ok(listed.lines().map(str::to_owned).collect())
    }
}

impl Statistics {
    fn read(said: &str) -> Self {
        let statistic = |name: &str| {
            let line = said.lines().rev().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        // `#4096	pulse  cov: 93 ft: 210 corp: 40/512b lim: 40 exec/s: 2048 rss: 60Mb`
        let last = said
            .lines()
            .rev()
            .find(|line| line.starts_with('#') && line.contains("cov: "));
        let of_last = |name: &str| {
            let mut words = last.unwrap_or_default().split_whitespace();
            words.find(|word| *word == name);
            words.next().unwrap_or_default().to_owned()
        };
        Self {
            executions: statistic("stat::number_of_executed_units:"),
            executions_per_second: statistic("stat::average_exec_per_sec:"),
            coverage: of_last("cov:"),
            corpus: of_last("corp:"),
        }
    }
}

fn fuzz_folder() -> PathBuf {
    workspace::root().join("fuzz")
}

fn table(reports: &[Report]) -> String {
    let header = ["target", "executions", "per second", "coverage", "corpus", "findings"].map(str::to_owned);
    let row = |report: &Report| {
        let Statistics {
            executions,
            executions_per_second,
            coverage,
            corpus,
        } = &report.statistics;
        let finding = if report.has_finding {
            format!("yes: fuzz/artifacts/{}", report.target)
        } else {
            "none".to_owned()
        };
        [
            &report.target,
            executions,
            executions_per_second,
            coverage,
            corpus,
            &finding,
        ]
        .map(Clone::clone)
    };
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(reports.iter().map(row)).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::{Report, Statistics, table};

    const SAID: &str = "INFO: Running with entropic power schedule\n\
        #2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 40Mb\n\
        #4096\tpulse  cov: 93 ft: 210 corp: 40/512b lim: 40 exec/s: 2048 rss: 60Mb\n\
        #5000\tDONE   cov: 94 ft: 211 corp: 41/520b lim: 40 exec/s: 1666 rss: 60Mb\n\
        Done 5000 runs in 3 second(s)\n\
        stat::number_of_executed_units: 5000\n\
        stat::average_exec_per_sec:     1666\n";

    #[test]
    fn the_figures_are_those_of_the_end() {
        let expected = ["5000", "1666", "94", "41/520b"].map(str::to_owned);
        let [executions, executions_per_second, coverage, corpus] = expected;
        let statistics = Statistics {
            executions,
            executions_per_second,
            coverage,
            corpus,
        };
        assert_eq!(Statistics::read(SAID), statistics);
        assert_eq!(Statistics::read("it did not start"), Statistics::default());
    }

    #[test]
    fn the_table_says_where_a_finding_lies() {
        let report = |target: &str, has_finding| Report {
            target: target.to_owned(),
            statistics: Statistics::read(SAID),
            has_finding,
        };
        let table = table(&[report("email", false), report("name", true)]);
        let expected = "target  executions  per second  coverage  corpus   findings\n\
                        email   5000        1666        94        41/520b  none\n\
                        name    5000        1666        94        41/520b  yes: fuzz/artifacts/name\n";
        assert_eq!(table, expected);
    }
}
