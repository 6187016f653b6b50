//! `cargo xtask walk`: does what the first chapters of the book tell their reader, to the letter, in a clean checkout.
//!
//! What a block is for is told by its language:
//!
//! - `sh`: commands. They run in bash at the top of the checkout, one block after the other, and must succeed. A block that
//!   says `cargo run` and nothing else starts the server, which listens on a free port in place of 8000 and is stopped at the
//!   end of the chapter, or before the next one starts.
//! - `text`: the first one behind the start of the server is what that prints. The output of an example,
//!   `{{#include …/examples/NAME.txt}}`, is what `cargo run --example NAME` printed earlier in the chapter. Any other is for
//!   the eye: a diagram, or commands for which not everybody has the programs, such as those of Docker.
//! - `console`: a line that begins with `$ ` is a command, a `\` at its end continues it, and what follows is its output.
//! - `diff`: an edit, made by `git apply`.
//! - `rust`: with the whole of a file of a folder `tests/first_query/` included, a file that the reader creates, in the same
//!   place without that folder. The text before the block must name it. Any other is for the eye.
//!
//! Blocks of other languages are for the eye, too. What no two runs have in common is masked ([`masks`]). Only what standard
//! output gets is compared, so Cargo may report its progress. The Japanese chapters are not walked: they have the same blocks,
//! which is checked here once more.
//!
//! The checkout is `target/walk/checkout`, of what is committed; with `--uncommitted` also of what is not. Both it and the folder
//! that Cargo builds in, `target/walk/target`, are kept: the next walk cleans the one, so that files which have not changed keep
//! their age, and builds little.

mod checkout;
mod masks;
mod page;
mod server;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use self::checkout::Checkout;
use self::page::{Block, Step};
use self::server::Server;

/// The chapters that are walked, in this order, in one checkout.
const CHAPTERS: [&str; 3] = ["getting-started", "what-async-is", "first-query"];

/// What the path of a file that the reader creates has more where the repository keeps it.
const KEPT_IN: &str = "tests/first_query/";

/// Where the chapters have the server listen.
const ADDRESSES: [&str; 2] = ["localhost:8000", "127.0.0.1:8000"];

/// Options of `cargo xtask walk`.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Also walk what is not committed yet
    #[arg(long)]
    uncommitted: bool,
}

/// Walks, and says how it went.
pub(crate) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    let checkout = Checkout::make(options.uncommitted)?;
    let mut done = Done::default();
    for chapter in CHAPTERS {
        println!("==> {chapter}");
        let path = format!("docs/en/{chapter}.md");
        let blocks = page::blocks(&checkout.read(&path)?);
        let japanese = page::blocks(&checkout.read(&format!("docs/ja/{chapter}.md"))?);
        ensure!(
            page::are_alike(&blocks, &japanese),
            "docs/ja/{chapter}.md has other blocks than {path}"
        );
        let mut walk = Walk {
            checkout: &checkout,
            folder: Path::new("docs/en"),
            printed: HashMap::new(),
            server: None,
            done: &mut done,
        };
        for block in &blocks {
            let place = || format!("{path}:{}", block.line);
            walk.block(block).with_context(place)?;
        }
        walk.stop_server().context(path)?;
    }
    let Done { commands, files, edits } = done;
    println!(
        "\nThe book can be followed: {} chapters, {commands} commands, {files} new files and {edits} edits, in {} s",
        CHAPTERS.len(),
        begin.elapsed().as_secs()
    );
    Ok(())
}

/// What was done so far.
#[derive(Default)]
struct Done {
    commands: usize,
    files: usize,
    edits: usize,
}

/// The walk through one chapter.
struct Walk<'a> {
    checkout: &'a Checkout,
    /// What the paths of includes begin from.
    folder: &'a Path,
    /// What each `cargo run --example NAME` printed, by name.
    printed: HashMap<String, String>,
    server: Option<Server>,
    done: &'a mut Done,
}

impl Walk<'_> {
    fn block(&mut self, block: &Block) -> Result<()> {
        match block.language.as_str() {
            "sh" if block.text.trim() == "cargo run" => {
                self.stop_server()?;
                println!("    $ cargo run");
                self.done.commands += 1;
                self.server = Some(Server::start(self.checkout)?);
            }
            "sh" => drop(self.bash(block.text.trim())?),
            "text" => self.text(block)?,
            "console" => {
                for Step { line, command, output } in page::steps(block)? {
                    let printed = self.bash(&command)?;
                    let shown = self.resolved(&output)?;
                    self.compare(&shown, &printed)
                        .with_context(|| format!("line {line}: $ {command}"))?;
                }
            }
            "diff" => {
                println!("    an edit");
                self.done.edits += 1;
                self.checkout.apply(&self.resolved(&block.text)?)?;
            }
            "rust" => self.create(block)?,
            _ => {}
        }
        Ok(())
    }

    /// Output that the chapter shows, or something for the eye.
    fn text(&mut self, block: &Block) -> Result<()> {
        let is_first = self.server.as_ref().is_some_and(|server| server.greeting.is_none());
        if let (Some(server), true) = (&mut self.server, is_first) {
            // It is compared when the server has ended and all that it printed is known.
            server.greeting = Some(block.text.clone());
            return Ok(());
        }
        let Some(example) = page::include(&block.text).and_then(|path| example_of(&path)) else {
            return Ok(());
        };
        let printed = self.printed.get(&example).with_context(|| {
            format!("the output of the example {example} is shown, which the chapter has not told to run")
        })?;
        self.compare(&self.resolved(&block.text)?, printed)
    }

    /// Creates the file that a block shows, if it is one for the reader to create.
    fn create(&mut self, block: &Block) -> Result<()> {
        let Some(included) = page::include(&block.text) else {
            return Ok(());
        };
        let kept = normal(&self.folder.join(&included));
        let path = kept.replacen(KEPT_IN, "", 1);
        if path == kept || included.contains(':') {
            return Ok(());
        }
        println!("    creates {path}");
        ensure!(
            block.before.contains(&format!("`{path}`")),
            "the text before this file does not say that its path is {path}"
        );
        let file = self.checkout.folder().join(&path);
        ensure!(!file.exists(), "{path} exists already");
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, self.resolved(&block.text)?)?;
        self.done.files += 1;
        Ok(())
    }

    /// Runs commands as the reader would type them, and returns what they print.
    fn bash(&mut self, commands: &str) -> Result<String> {
        println!("    $ {}", commands.replace('\n', "\n      "));
        self.done.commands += 1;
        let mut typed = commands.to_owned();
        if let Some(server) = &self.server {
            for address in ADDRESSES {
                typed = typed.replace(address, server.address());
            }
        }
        let printed = self.checkout.bash(&typed)?;
        if let Some(example) = example_in(commands) {
            self.printed.insert(example.to_owned(), printed.clone());
        }
        Ok(printed)
    }

    fn compare(&self, shown: &str, printed: &str) -> Result<()> {
        let mut real = masks::apply(printed);
        if let Some(server) = &self.server {
            real = real.replace(server.address(), "127.0.0.1:8000");
        }
        let shown = masks::apply(shown);
        if shown != real {
            bail!("the chapter shows\n{shown}\n--- and this was printed\n{real}\n---");
        }
        Ok(())
    }

    /// The text with the files that it includes.
    fn resolved(&self, text: &str) -> Result<String> {
        let mut resolved = String::new();
        for line in text.lines() {
            match page::include(line) {
                Some(path) => {
                    let path = normal(&self.folder.join(path));
                    resolved.push_str(&self.checkout.read(&path)?);
                }
                None => resolved.extend([line, "\n"]),
            }
        }
        Ok(resolved)
    }

    fn stop_server(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let address = server.address().to_owned();
        let greeting = server.greeting.take();
        let printed = server.stop()?.replace(&address, "127.0.0.1:8000");
        greeting.map_or(Ok(()), |shown| self.compare(&shown, &printed))
    }
}

/// The example that a command runs.
fn example_in(commands: &str) -> Option<&str> {
    let (_, rest) = commands.split_once("--example ")?;
    rest.split_whitespace().next()
}

/// The example whose output is kept in this file.
fn example_of(path: &str) -> Option<String> {
    let file = PathBuf::from(path);
    let is_output = file.extension()? == "txt" && file.parent()?.file_name()? == "examples";
    is_output.then(|| file.file_stem()?.to_str().map(str::to_owned))?
}

/// A path without `..`, from the top of the repository.
fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part.as_os_str().to_string_lossy() {
            part if part == ".." => {
                parts.pop();
            }
            part => parts.push(part.into_owned()),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{example_in, example_of, normal};

    #[test]
    fn examples_are_known_by_their_command_and_by_their_output() {
        assert_eq!(example_in("cargo run --quiet --example pools"), Some("pools"));
        assert_eq!(example_in("cargo run"), None);
        assert_eq!(
            example_of("../../crates/a/examples/pools.txt").as_deref(),
            Some("pools")
        );
        assert_eq!(example_of("../../crates/a/tests/pools.txt"), None);
    }

    #[test]
    fn paths_begin_at_the_top_of_the_repository() {
        assert_eq!(normal(Path::new("docs/en/../../crates/a.rs")), "crates/a.rs");
    }
}
