//! The server that a chapter starts by `cargo run`, on a port that the system picks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail, ensure};

use super::checkout::Checkout;

/// A running server. Dropping it kills it.
pub(super) struct Server {
    process: Child,
    address: String,
    /// What it has printed, as soon as it has ended.
    printed: Option<JoinHandle<std::io::Result<String>>>,
    /// What the chapter shows as its greeting.
    pub(super) greeting: Option<String>,
}

impl Server {
    /// Builds and starts the server, and waits until it listens.
    pub(super) fn start(checkout: &Checkout) -> Result<Self> {
        let mut command = checkout.command("cargo");
        command.arg("run").env("PORT", "0").stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = process.stderr.take().context("the log is piped")?;
        let mut output = process.stdout.take().context("the output is piped")?;
        // Both are read to their end, or the program would one day wait for room in a pipe.
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(log).lines();
            // Nobody listens any more once the address is known.
            lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let printed = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let mut server = Self {
            process,
            address: String::new(),
            printed: Some(printed),
            greeting: None,
        };
        server.address = announced_address(&lines)?;
        Ok(server)
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Ends the server as Ctrl-C does, which must succeed, and returns what it printed.
    pub(super) fn stop(mut self) -> Result<String> {
        // On Unix `cargo run` becomes the program, so this is its own process.
        let kill = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status()?;
        ensure!(kill.success(), "the server has ended by itself");
        let status = self.process.wait()?;
        ensure!(status.success(), "after Ctrl-C the server ended with {status}");
        let printed = self.printed.take().context("it is read once")?;
        match printed.join() {
            Ok(text) => Ok(text?),
            Err(_) => bail!("the output of the server cannot be read"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails where the process has ended, which is what is wanted.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Waits for the line of the log that says `listening address=…`. The build comes first, so there is no limit of time: a build
/// or a start that fails ends the log.
fn announced_address(lines: &Receiver<String>) -> Result<String> {
    let mut seen = Vec::new();
    for line in lines {
        if let Some((_, rest)) = line.split_once("listening address=") {
            return Ok(rest.split(' ').next().unwrap_or(rest).to_owned());
        }
        seen.push(line);
    }
    bail!("the server did not start to listen:\n{}", seen.join("\n"));
}
