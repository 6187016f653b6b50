//! The same load on the hand-written server and on the product, in turn, on one database.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Bench, REPEATS};
use crate::load::{Load, Pace, Requests, Sample, drive};
use crate::process::{Server, Usage};
use crate::results::{Comparison, Group, GroupResults, Round, Side};

/// A load before the first round, which opens connections to the database and prepares statements on them.
const WARM_UP: Duration = Duration::from_millis(500);
/// Connections of the groups that are measured at one number only.
const USUAL_CONNECTIONS: u32 = 32;

/// A server and what it is asked.
pub(super) struct Contender<'a> {
    pub(super) server: &'a Server,
    pub(super) requests: Requests,
}

impl Bench {
    /// Measures a group that compares.
    pub(super) async fn compare(&self, group: Group, results: &mut GroupResults) -> Result<()> {
        let (database, baseline, product) = self.both_servers(self.users).await?;
        let (for_baseline, for_product) = match group {
            Group::Post => (self.posts("/users"), self.posts("/api/v1/users")),
            Group::List => (
                Requests::get(["/users?per_page=20".to_owned()]),
                Requests::get(["/api/v1/users?page=1&per_page=20".to_owned()]),
            ),
            _ => {
                let ids = database.ids().await?;
                (
                    Requests::get(ids.iter().map(|id| format!("/users/{id}"))),
                    Requests::get(ids.iter().map(|id| format!("/api/v1/users/{id}"))),
                )
            }
        };
        let baseline = Contender {
            server: &baseline,
            requests: for_baseline,
        };
        let product = Contender {
            server: &product,
            requests: for_product,
        };
        let (connections, pace) = match group {
            Group::Get | Group::Post => (self.connections.clone(), Pace::Closed),
            Group::Latency => {
                let per_second = self.open_loop_per_second;
                (vec![USUAL_CONNECTIONS], Pace::Open { per_second })
            }
            _ => (vec![USUAL_CONNECTIONS], Pace::Closed),
        };
        for connections in connections {
            let load = Load {
                connections,
                duration: self.duration,
                pace,
            };
            let comparison = self.rounds(&baseline, &product, load).await;
            let comparison = comparison.with_context(|| format!("{} at c={connections}", group.name()))?;
            // In an open loop the throughput is given, so it is the latency that tells.
            let (what, ratio) = match pace {
                Pace::Closed | Pace::Counted { .. } => ("throughput", comparison.ratio()),
                Pace::Open { .. } => ("p99 latency", comparison.p99_ratio()),
            };
            if let Some(ratio) = ratio {
                println!(
                    "  c={connections}: {what} {:.2}× ({:.2} to {:.2})",
                    ratio.median, ratio.min, ratio.max
                );
            }
            results.comparisons.push(comparison);
        }
        Ok(())
    }

    async fn rounds(&self, baseline: &Contender<'_>, product: &Contender<'_>, load: Load) -> Result<Comparison> {
        let warm_up = Load {
            duration: WARM_UP.min(load.duration),
            ..load
        };
        for contender in [baseline, product] {
            drive(contender.server.address, &contender.requests, warm_up).await?;
        }
        let mut rounds = Vec::new();
        for number in 0..self.rounds {
            // Who begins changes, so that a machine that grows slower or faster favours neither.
            let round = repeatedly(async || {
                if number % 2 == 0 {
                    let baseline = side(baseline, load).await?;
                    Ok(Round {
                        baseline,
                        product: side(product, load).await?,
                    })
                } else {
                    let product = side(product, load).await?;
                    Ok(Round {
                        baseline: side(baseline, load).await?,
                        product,
                    })
                }
            });
            rounds.push(round.await?);
        }
        Ok(Comparison {
            connections: load.connections,
            rounds,
        })
    }
}

/// Runs a round. One in which anything failed is void and run again, [`REPEATS`] times at most.
pub(super) async fn repeatedly<T>(mut round: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let mut failures = 0;
    loop {
        match round().await {
            Err(error) if failures < REPEATS => {
                failures += 1;
                eprintln!("  a round is void: {error:#}");
            }
            Err(error) => return Err(error.context(format!("{} rounds one after the other are void", failures + 1))),
            done => return done,
        }
    }
}

/// Puts the load on one server.
async fn side(contender: &Contender<'_>, load: Load) -> Result<Side> {
    let server = contender.server;
    server.empty_log()?;
    let (before, own_before) = (server.usage()?, Usage::of("self")?);
    let begin = Instant::now();
    let sample = drive(server.address, &contender.requests, load).await;
    let sample = sample.with_context(|| format!("the end of the server's log:\n{}", server.end_of_log()))?;
    let elapsed = begin.elapsed();
    let (after, own_after) = (server.usage()?, Usage::of("self")?);
    server.empty_log()?;
    Ok(account(
        &sample,
        before,
        after,
        own_after.cpu_micros - own_before.cpu_micros,
        elapsed,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn account(sample: &Sample, before: Usage, after: Usage, generator_micros: u64, elapsed: Duration) -> Side {
    let rounded = |value: f64, digits: i32| {
        let scale = 10_f64.powi(digits);
        (value * scale).round() / scale
    };
    let mib = |kib: u64| rounded(kib as f64 / 1024.0, 1);
    let cpu_micros = after.cpu_micros.saturating_sub(before.cpu_micros) as f64;
    Side {
        requests: sample.requests,
        requests_per_second: rounded(sample.per_second(), 1),
        p50_micros: rounded(sample.latency_micros(0.5), 1),
        p99_micros: rounded(sample.latency_micros(0.99), 1),
        cpu_micros_per_request: rounded(cpu_micros / sample.requests.max(1) as f64, 1),
        resident_mib: mib(after.resident_kib),
        peak_mib: mib(after.peak_kib),
        generator_busy: rounded(generator_micros as f64 / elapsed.as_micros().max(1) as f64, 2),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::bail;

    use super::*;

    async fn after_failures(failures: u32) -> (Result<u32>, u32) {
        let runs = Cell::new(0);
        let outcome = repeatedly(async || {
            runs.set(runs.get() + 1);
            if runs.get() <= failures {
                bail!("an answer 503");
            }
            Ok(runs.get())
        })
        .await;
        (outcome, runs.get())
    }

    #[tokio::test]
    async fn a_void_round_is_run_again_twice_at_most() {
        assert_eq!(after_failures(0).await.0.unwrap(), 1);
        assert_eq!(after_failures(2).await.0.unwrap(), 3);
        let (outcome, runs) = after_failures(3).await;
        assert_eq!(runs, 3);
        assert!(format!("{:#}", outcome.unwrap_err()).contains("503"));
    }
}
