//! The benchmark: a hand-written server to beat, a load generator, the measurements and their report; and the drills, which
//! break something while the product is used, and count what was lost.
//!
//! `cargo xtask bench` and `cargo xtask drill` build and run it. It speaks HTTP to the product's binary and uses no crate of the product, so that
//! nothing is measured but what a client sees.

mod baseline;
mod cluster;
mod database;
mod database_server;
mod drill;
mod guardian;
mod instructions;
mod lab;
mod load;
mod machine;
mod metrics;
mod process;
mod product;
mod report;
mod results;
mod run;
mod scaling;
mod session;
mod soak;
mod statistics;
mod targets;
mod try_load;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// The benchmark of async-starter; `cargo xtask bench` builds everything and runs it
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the product against the hand-written server
    Run(Box<run::Options>),
    /// Write tables and plots in docs/benchmarks again from results.json
    Report {
        /// Write nothing; fail if they differ from what would be written
        #[arg(long)]
        check: bool,
    },
    /// Count the instructions of a request, and hold them against docs/benchmarks/instructions.json
    Instructions(instructions::Options),
    /// Break something while the product is used, and hold what it acknowledged against the database
    Drill(drill::Options),
    /// Measure what a request costs with one, two and three instances over one database cluster
    Scaling(scaling::Options),
    /// Show on this machine what concurrency, the pool, shared statements and cursors do
    Lab(lab::Options),
    /// Serve the hand-written server
    Baseline(baseline::Options),
    /// Put a load on any URL, to compare the generator with others
    Load(try_load::Options),
    /// Use the product for a long time, and fail if anything that it holds keeps growing
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Baseline(options) => baseline::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Report { check: false } => report::rewrite().map(|()| ExitCode::SUCCESS),
        Command::Report { check: true } => report::check().map(|()| ExitCode::SUCCESS),
        Command::Run(options) => on_one_thread(run::run(&options)),
        Command::Instructions(options) => on_one_thread(instructions::run(&options)),
        Command::Drill(options) => on_one_thread(drill::run(&options)),
        Command::Scaling(options) => on_one_thread(scaling::run(&options)),
        Command::Lab(options) => on_one_thread(lab::run(&options)),
        Command::Load(options) => on_one_thread(try_load::run(&options)).map(|()| ExitCode::SUCCESS),
        Command::Soak(options) => on_one_thread(soak::run(&options)),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The generator shares the machine with the servers, so it must not spread.
fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}
