//! `cargo xtask cluster`: a database cluster of three nodes on this machine, to try the product on.

use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};

use crate::workspace;

/// Options of `cargo xtask cluster`.
#[derive(Args)]
#[command(
    after_help = "The cluster goes on running until `down`. Needs mariadb-server, galera-4 and rsync for Galera; MySQL is unpacked once (about 400 MB)."
)]
pub(crate) struct Options {
    /// What kind of cluster
    #[arg(value_enum)]
    kind: Kind,
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// MariaDB with Galera: every node takes writes
    Galera,
    /// MySQL with Group Replication: one node takes writes, and another when that one is lost
    Mysql,
}

#[derive(Subcommand)]
enum Action {
    /// Start a cluster, or the nodes of it that do not run
    Up {
        /// Forget what was there, and make a new one
        #[arg(long)]
        new: bool,
    },
    /// Show what each node is doing
    Status,
    /// End a node as the failure of its machine does
    Kill {
        /// 1, 2 or 3
        #[arg(value_parser = clap::value_parser!(u8).range(1..=3))]
        node: u8,
    },
    /// Start the nodes that do not run, and let them join the cluster again
    Heal,
    /// Stop the cluster; its data stays for the next `up`
    Down,
}

impl Kind {
    /// The script in `tools`, the folder for its data, and the first port: others than those of tests, which may run meanwhile.
    fn tool(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::Galera => ("tools/real-galera", "target/cluster/galera", 15_980),
            Self::Mysql => ("tools/real-group-replication", "target/cluster/mysql", 16_020),
        }
    }
}

/// Hands over to the script that manages such a cluster.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let (script, folder, port) = options.kind.tool();
    let root = workspace::root();
    let run = |action: &str, argument: Option<String>| {
        let mut command = Command::new(root.join(script));
        command.arg(action).arg(root.join(folder)).args(argument);
        workspace::status(&mut command).map(workspace::exit_code)
    };
    match &options.action {
        Action::Up { new } => {
            // `start` makes a cluster anew unless all of it runs.
            let is_there = root.join(folder).join("port").exists();
            if *new && is_there {
                run("stop", None)?;
            }
            let started = if is_there && !*new {
                run("heal", None)?
            } else {
                run("start", Some(port.to_string()))?
            };
            if started == ExitCode::SUCCESS {
                let hosts: Vec<_> = (port..port + 3).map(|port| format!("127.0.0.1:{port}")).collect();
                let url = format!("mysql://app:app-secret@{}/app", hosts.join(","));
                println!("\nThe product on it:\n\n  DATABASE_URL={url} cargo run");
            }
            Ok(started)
        }
        Action::Status => run("nodes", None),
        Action::Kill { node } => run("kill", Some(node.to_string())),
        Action::Heal => run("heal", None),
        Action::Down => run("stop", None),
    }
}
