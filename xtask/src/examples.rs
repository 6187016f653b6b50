//! `cargo xtask examples`: runs the examples of the crates, and holds what each prints against the file of its name that ends
//! in `.txt`. The chapters of the book show these files, so what a reader sees is what happens.

pub(crate) mod masks;
mod programs;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::masks::masked;
use self::programs::Ended;
use crate::{generated, product, workspace};

/// Options of `cargo xtask examples`.
#[derive(Args)]
pub(crate) struct Options {
    /// Keep what the examples print, instead of comparing it
    #[arg(long)]
    write: bool,
    /// Only these examples; all of them by default
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// An example: `crates/CRATE/examples/NAME.rs`.
struct Example {
    name: String,
    folder: String,
    /// The file that keeps what it prints.
    kept: PathBuf,
}

/// How an example did.
enum Verdict {
    Ok,
    Written,
    Differs(String),
    NotKept,
    Failed(String),
}

impl Verdict {
    fn is_good(&self) -> bool {
        matches!(self, Self::Ok | Self::Written)
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Written => "written",
            Self::Differs(_) => "differs",
            Self::NotKept => "nothing kept",
            Self::Failed(_) => "failed",
        }
    }
}

/// Builds and runs the examples that are asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut examples = all()?;
    for name in &options.names {
        if !examples.iter().any(|example| example.name == *name) {
            bail!("there is no example {name}");
        }
    }
    examples.retain(|example| options.names.is_empty() || options.names.contains(&example.name));
    let messages = built(options)?;
    act(&examples, &messages, options.write)
}

/// Runs all examples as they were built with the tests, so that nothing is compiled again.
pub(crate) fn check_after_tests() -> Result<ExitCode> {
    act(&all()?, &product::messages_of_tests()?, false)
}

fn act(examples: &[Example], messages: &str, write: bool) -> Result<ExitCode> {
    if examples.is_empty() {
        println!("there are no examples");
        return Ok(ExitCode::SUCCESS);
    }
    let mut verdicts = Vec::new();
    for example in examples {
        let binary = product::executable_of(messages, "example", &example.name)
            .with_context(|| format!("cargo built no example {}", example.name))?;
        let verdict = judged(example, Command::new(binary), write)?;
        match &verdict {
            Verdict::Differs(difference) => println!(
                "{} prints the lines with +, {} has those with -:\n\n{difference}",
                example.name,
                example.kept_shown()
            ),
            Verdict::Failed(reason) => println!("{}: {reason}\n", example.name),
            Verdict::NotKept => println!("{} does not exist\n", example.kept_shown()),
            Verdict::Ok | Verdict::Written => {}
        }
        verdicts.push(verdict);
    }
    println!("{}", table(examples, &verdicts));
    if verdicts.iter().all(Verdict::is_good) {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n`cargo xtask examples --write NAME` keeps what an example prints; numbers with units may differ.");
    Ok(ExitCode::FAILURE)
}

impl Example {
    fn kept_shown(&self) -> String {
        format!("crates/{}/examples/{}.txt", self.folder, self.name)
    }
}

/// The examples of all crates, by crate and name.
fn all() -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for folder in fs::read_dir(workspace::root().join("crates"))? {
        let folder = folder?;
        let Ok(entries) = fs::read_dir(folder.path().join("examples")) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
            if let Some(name) = name.filter(|_| path.extension().is_some_and(|extension| extension == "rs")) {
                examples.push(Example {
                    name,
                    folder: folder.file_name().to_string_lossy().into_owned(),
                    kept: path.with_extension("txt"),
                });
            }
        }
    }
    examples.sort_by(|one, other| (&one.folder, &one.name).cmp(&(&other.folder, &other.name)));
    Ok(examples)
}

/// Cargo's messages about a build of the examples, of all crates at once: so they have the features that the tests have, and
/// what is compiled serves both.
fn built(options: &Options) -> Result<String> {
    let mut cargo = workspace::cargo_at_root(&["build", "--workspace", "--message-format=json-render-diagnostics"]);
    if options.names.is_empty() {
        cargo.arg("--examples");
    }
    for name in &options.names {
        cargo.args(["--example", name]);
    }
    workspace::standard_output(&mut cargo)
}

fn judged(example: &Example, command: Command, write: bool) -> Result<Verdict> {
    let printed = match programs::run(&example.name, command)? {
        Ended::Well { printed } => printed,
        Ended::Badly { reason } => return Ok(Verdict::Failed(reason)),
    };
    if write {
        fs::write(&example.kept, printed).with_context(|| format!("cannot write {}", example.kept_shown()))?;
        return Ok(Verdict::Written);
    }
    let Ok(kept) = fs::read_to_string(&example.kept) else {
        return Ok(Verdict::NotKept);
    };
    let difference = generated::difference(&masked(&kept), &masked(&printed));
    Ok(difference.map_or(Verdict::Ok, Verdict::Differs))
}

fn table(examples: &[Example], verdicts: &[Verdict]) -> String {
    let width = |title: &str, of: fn(&Example) -> &str| {
        let names = examples.iter().map(|example| of(example).len());
        names.chain([title.len()]).max().unwrap_or_default()
    };
    let name_width = width("example", |example| &example.name);
    let crate_width = width("crate", |example| &example.folder);
    let mut lines = vec![format!("{:name_width$}  {:crate_width$}  output", "example", "crate")];
    lines.extend(examples.iter().zip(verdicts).map(|(example, verdict)| {
        let Example { name, folder, .. } = example;
        format!("{name:name_width$}  {folder:crate_width$}  {}", verdict.word())
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::{Example, Verdict, judged, table};

    fn example(kept: &str) -> Example {
        Example {
            name: "pools".to_owned(),
            folder: "persistence".to_owned(),
            kept: PathBuf::from(kept),
        }
    }

    #[test]
    fn the_table_names_example_crate_and_verdict() {
        assert_eq!(
            table(&[example("pools.txt")], &[Verdict::Differs(String::new())]),
            "example  crate        output\npools    persistence  differs"
        );
    }

    #[test]
    fn an_example_without_a_file_to_compare_is_not_good() {
        let mut echo = Command::new("echo");
        echo.arg("hello");
        let verdict = judged(&example("/nowhere/pools.txt"), echo, false).unwrap();
        assert!(matches!(verdict, Verdict::NotKept));
        assert!(!verdict.is_good());
    }
}
