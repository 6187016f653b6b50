//! `load`: the generator by itself, to hold it against other generators.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::load::{Load, Pace, Requests, drive};
use crate::process::Usage;

/// Options of `load`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where the server listens, such as 127.0.0.1:8000
    address: SocketAddr,
    /// The path to get; {} stands for a random number from 1 to `--ids`
    path: String,
    /// The largest number for {}
    #[arg(long, default_value_t = 10_000)]
    ids: u64,
    /// Connections
    #[arg(long, short, default_value_t = 32)]
    connections: u32,
    /// How long
    #[arg(long, short, default_value_t = 5)]
    seconds: u64,
    /// Requests a second, in an open loop; without it each connection sends when it was answered
    #[arg(long)]
    per_second: Option<f64>,
}

/// Puts the load on the server and prints what came of it.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let paths = (1..=options.ids).map(|id| options.path.replace("{}", &id.to_string()));
    let load = Load {
        connections: options.connections,
        duration: Duration::from_secs(options.seconds),
        pace: options
            .per_second
            .map_or(Pace::Closed, |per_second| Pace::Open { per_second }),
    };
    let sample = drive(options.address, &Requests::get(paths), load).await?;
    let busy = Duration::from_micros(Usage::of("self")?.cpu_micros).as_secs_f64() / sample.elapsed.as_secs_f64();
    println!("{} answers, {:.0} a second", sample.requests, sample.per_second());
    for share in [0.5, 0.9, 0.99, 0.999, 1.0] {
        println!("{:>6} % within {:>9.1} µs", share * 100.0, sample.latency_micros(share));
    }
    println!("the generator kept {:.0} % of a core busy", busy * 100.0);
    Ok(())
}
