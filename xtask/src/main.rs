//! Development tasks: `cargo xtask help` lists them.
//!
//! One file per command. This crate drives the server binary and the tools of the repository; nothing that the product
//! does is implemented here a second time, and no crate of the product is imported, so that it compiles in seconds.

mod bench;
mod book;
mod browser;
mod ci;
mod cluster;
mod drill;
mod engines;
mod examples;
mod fuzz;
mod generated;
mod instructions;
mod lab;
mod layers;
mod manifests;
mod openapi;
mod product;
mod scaling;
mod schema;
mod soak;
mod test;
#[cfg(test)]
mod tidy;
mod walk;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Development tasks of async-starter
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Change, show or check the database schema: `async-starter migrate …` with the same arguments
    #[command(disable_help_flag = true)]
    Migrate(PassedOn),
    /// Fill the database with users: `async-starter seed …` with the same arguments, built for speed
    #[command(disable_help_flag = true)]
    Seed(PassedOn),
    /// Write init.sql from the migrations, or check that it is what they say
    Schema {
        #[command(subcommand)]
        action: generated::Action,
    },
    /// Write docs/openapi.json from the code, or check that it is what the code says
    Openapi {
        #[command(subcommand)]
        action: generated::Action,
    },
    /// Run every test on every database engine that can be had
    Test(test::Options),
    /// Check the book in docs/en and docs/ja, or make it into pages for a browser
    Book {
        #[command(subcommand)]
        action: book::Action,
    },
    /// Run the examples of the crates, and hold what they print against what is kept beside them
    Examples(examples::Options),
    /// Run what CI runs, step for step
    Ci(ci::Options),
    /// Measure the product against a hand-written server
    Bench(bench::Options),
    /// Run a database cluster of three nodes on this machine, and break and heal it
    Cluster(cluster::Options),
    /// Break something while the product is used, and hold what it acknowledged against the database
    Drill(drill::Options),
    /// Measure what a request costs with one, two and three instances over one database cluster
    Scaling(scaling::Options),
    /// Show on this machine what concurrency, the pool, shared statements and cursors do
    Lab(lab::Options),
    /// Count the instructions of a request under valgrind, and hold them against a baseline
    Instructions(instructions::Options),
    /// Feed the parsers with what nobody would send, and check that they keep their promises
    Fuzz(fuzz::Options),
    /// Use the product for a long time, and fail if anything that it holds keeps growing
    Soak(soak::Options),
    /// Look at the console, Swagger UI and the book in a headless browser
    Browser(browser::Options),
    /// Check that the crates use only what their layer may use
    Layers,
    /// Do what the first chapters of the book say, in a clean checkout
    Walk(walk::Options),
}

/// Arguments that belong to another program, `--help` included.
#[derive(Args)]
struct PassedOn {
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Migrate(PassedOn { arguments }) => product::hand_over(product::Build::Debug, "migrate", &arguments),
        Task::Seed(PassedOn { arguments }) => product::hand_over(product::Build::Release, "seed", &arguments),
        Task::Schema { action } => schema::run(action).map(|()| ExitCode::SUCCESS),
        Task::Openapi { action } => openapi::run(action).map(|()| ExitCode::SUCCESS),
        Task::Test(options) => test::run(&options),
        Task::Book { action } => book::run(&action),
        Task::Examples(options) => examples::run(&options),
        Task::Ci(options) => ci::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Cluster(options) => cluster::run(&options),
        Task::Drill(options) => drill::run(&options),
        Task::Instructions(options) => instructions::run(&options),
        Task::Lab(options) => lab::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Scaling(options) => scaling::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Browser(options) => browser::run(&options),
        Task::Layers => layers::run().map(|()| ExitCode::SUCCESS),
        Task::Walk(options) => walk::run(&options).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
