//! All nodes are asked at once which of them takes writes.

use std::{collections::BTreeMap, fmt, io, time::Duration};

use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use sea_orm::sqlx::{self, ConnectOptions};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Nodes, close};
use crate::engine::sessions::{Server, Standing};

/// After how long a node that is of no use is asked again while others have not answered yet.
const ASK_AGAIN_INTERVAL: Duration = Duration::from_millis(100);

/// How much later than another a node that is preferred may answer.
const ORDER_PATIENCE: Duration = Duration::from_millis(200);

/// A connection to a node that takes writes.
pub(super) struct Found<DB: Server> {
    pub(super) index: usize,
    pub(super) connection: DB::Connection,
    standing: Standing,
}

/// What all nodes said, when none takes writes.
pub(super) struct NoneFound {
    nodes: Vec<(String, Said)>,
    patience: Duration,
    /// Whether nothing was heard of the node in use.
    pub(super) used_is_silent: bool,
}

/// What a node said last.
enum Said {
    Nothing,
    TakesWrites,
    ReadOnly,
    /// The server answers, but not this; in its words.
    Refusal(String),
    /// The machine answers that there is no server; in the driver's words.
    NoServer(String),
    /// Nobody can be heard; why, in the driver's words.
    Unreachable(String),
}

impl Said {
    fn of(error: &sqlx::Error) -> Self {
        let words = error.to_string();
        match error {
            sqlx::Error::Database(_) => Self::Refusal(words),
            sqlx::Error::Io(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => Self::NoServer(words),
            // The network may say so in the place of a machine that is switched off, after a while.
            _ => Self::Unreachable(words),
        }
    }
}

/// The question to a node under way: over the connection of last time, if there is one.
async fn ask<DB: Server>(
    connection: Option<DB::Connection>,
    options: <DB as Server>::Options,
) -> Result<(DB::Connection, Standing), sqlx::Error> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => options.connect().await?,
    };
    let standing = DB::standing(&mut connection).await?;
    Ok((connection, standing))
}

impl<DB: Server> Nodes<DB> {
    /// Asks all nodes at once, and takes one that takes writes; within `patience`, and a little to take leave of the others.
    ///
    /// The node in use is taken if it is the only one that should take writes: another that says the same may be an old primary
    /// that nobody told. Otherwise it is the first in the order of the address. A node that is of no use is asked again and again
    /// while others keep silent, since it may be the next to take writes.
    ///
    /// # Errors
    /// What each node said, when none does.
    pub(super) async fn look(&self, patience: Duration) -> Result<Found<DB>, NoneFound> {
        let question = |index, connection, delay| {
            let answer = ask::<DB>(connection, self.node(index).options.clone());
            async move {
                sleep(delay).await;
                (index, answer.await)
            }
            .boxed()
        };
        let count = self.iter().count();
        let mut answers: FuturesUnordered<_> = (0..count).map(|index| question(index, None, Duration::ZERO)).collect();
        let mut said = BTreeMap::new();
        let (mut best, mut others) = (None, Vec::new());
        let mut until = Instant::now() + patience;
        while let Ok(Some((index, answer))) = timeout_at(until, answers.next()).await {
            let (connection, what) = match answer {
                Ok((connection, Standing::ReadOnly)) => (Some(connection), Said::ReadOnly),
                Err(error) => (None, Said::of(&error)),
                Ok((connection, standing)) => {
                    let found = Found {
                        index,
                        connection,
                        standing,
                    };
                    others.extend(self.prefer(&mut best, found).map(|other| other.connection));
                    (None, Said::TakesWrites)
                }
            };
            let is_of_no_use = !matches!(what, Said::TakesWrites);
            said.insert(index, what);
            // The one in use is worth a longer wait, unless there was none that took writes.
            let used_may_answer =
                self.has_writable() && matches!(said.get(&self.used()), None | Some(Said::Refusal(_)));
            let goes_on = match &best {
                None => said.len() < count,
                Some(best) if self.is_used_alone(best) => break,
                Some(best) => best.standing == Standing::Primary && used_may_answer && index == self.used(),
            };
            if is_of_no_use && goes_on {
                answers.push(question(index, connection, ASK_AGAIN_INTERVAL));
            } else {
                others.extend(connection);
            }
            if let Some(best) = &best
                && (best.standing == Standing::Peer || !used_may_answer)
            {
                until = until.min(Instant::now() + ORDER_PATIENCE);
            }
        }
        join_all(others.into_iter().map(close)).await;
        best.ok_or_else(|| NoneFound {
            used_is_silent: matches!(said.get(&self.used()), None | Some(Said::Unreachable(_))),
            nodes: self
                .iter()
                .enumerate()
                .map(|(index, node)| (node.host.clone(), said.remove(&index).unwrap_or(Said::Nothing)))
                .collect(),
            patience,
        })
    }

    /// Puts the better of two into `best`; the other one.
    fn prefer(&self, best: &mut Option<Found<DB>>, found: Found<DB>) -> Option<Found<DB>> {
        let rank = |found: &Found<DB>| (!self.is_used_alone(found), found.index);
        match best {
            Some(earlier) if rank(earlier) < rank(&found) => Some(found),
            _ => best.replace(found),
        }
    }

    /// Whether it is the node in use, and no other should take writes.
    fn is_used_alone(&self, found: &Found<DB>) -> bool {
        found.index == self.used() && found.standing == Standing::Primary
    }
}

impl fmt::Display for NoneFound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (host, said)) in self.nodes.iter().enumerate() {
            let separator = if position > 0 { "; " } else { "" };
            write!(formatter, "{separator}{host}: ")?;
            match said {
                Said::Nothing => write!(formatter, "no answer within {:?}", self.patience)?,
                Said::TakesWrites => formatter.write_str("takes writes")?,
                Said::ReadOnly => formatter.write_str("read-only")?,
                Said::Refusal(words) | Said::NoServer(words) | Said::Unreachable(words) => {
                    formatter.write_str(words)?;
                }
            }
        }
        Ok(())
    }
}
