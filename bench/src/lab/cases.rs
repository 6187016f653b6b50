//! What each experiment measures: one thing changes from case to case.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result};

use super::rows::Key;
use super::{Experiment, Extent};
use crate::load::{Connection, Requests};
use crate::report::grouped;

/// Connections of the load, or of the pool.
const STEPS: [u32; 6] = [1, 2, 4, 8, 16, 32];
/// Connections of the load while the pool is tried.
const POOL_LOAD: u32 = 32;
/// Connections of the load while sharing is tried.
const SHARING_STEPS: [u32; 4] = [1, 8, 32, 128];
/// How far down the list, in hundredths of it.
const DEPTHS: [u64; 5] = [0, 25, 50, 75, 100];
/// Users on a page.
const PAGE_USERS: u64 = 20;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A user, by a random id.
    Read,
    /// A new user.
    Create,
    /// A page.
    List { path: String },
}

/// A load on a product that is set up in some way.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) key: Key,
    pub(super) work: Work,
    pub(super) connections: u32,
    /// On top of the benchmark's own.
    pub(super) settings: Vec<String>,
    /// Whether all cases of the group send as many requests, and not for as long.
    pub(super) is_counted: bool,
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Self::Read => "read a user",
            Self::Create => "create a user",
            Self::List { .. } => "list 20 users",
        }
    }

    pub(super) fn requests(&self, ids: &[i64], next_user: &Rc<Cell<u64>>) -> Requests {
        match self {
            Self::Read => Requests::get(ids.iter().map(|id| format!("/api/v1/users/{id}"))),
            Self::Create => Requests::post_user("/api/v1/users", next_user),
            Self::List { path } => Requests::get([path.clone()]),
        }
    }

    /// How the metrics call its shared statements.
    pub(super) fn shared_kind(&self) -> Option<&'static str> {
        match self {
            Self::Read => Some("read"),
            Self::Create => Some("create"),
            Self::List { .. } => None,
        }
    }
}

/// The cases of an experiment, in the order of its table.
///
/// # Errors
/// When a page that a case needs to begin at is not to be had from the product at `address`.
pub(super) async fn cases(experiment: Experiment, extent: Extent, address: SocketAddr) -> Result<Vec<Case>> {
    Ok(match experiment {
        Experiment::Concurrency => concurrency(),
        Experiment::Pool => pool(),
        Experiment::Coalescing => coalescing(),
        Experiment::Pagination => pagination(extent, address).await?,
    })
}

/// Without sharing: each request is a statement of its own, and nothing changes but how many come at once.
fn concurrency() -> Vec<Case> {
    let mut cases = Vec::new();
    for work in [Work::Read, Work::Create] {
        cases.extend(STEPS.map(|connections| Case {
            key: Key {
                name: format!("{}, {connections} at once", work.name()),
                group: work.name().to_owned(),
                line: work.name().to_owned(),
                panel: String::new(),
                at: connections.into(),
            },
            work: work.clone(),
            connections,
            settings: sharing(false),
            is_counted: true,
        }));
    }
    cases
}

/// Without sharing, so that each request needs a connection of the pool.
fn pool() -> Vec<Case> {
    let list = Work::List {
        path: format!("/api/v1/users?cursor=&per_page={PAGE_USERS}"),
    };
    let mut cases = Vec::new();
    for work in [Work::Read, list] {
        cases.extend(STEPS.map(|size| {
            let mut settings = sharing(false);
            settings.push(format!("DB_POOL_MAX_SIZE={size}"));
            Case {
                key: Key {
                    name: format!("{}, pool of {size}", work.name()),
                    group: work.name().to_owned(),
                    line: work.name().to_owned(),
                    panel: String::new(),
                    at: size.into(),
                },
                work: work.clone(),
                connections: POOL_LOAD,
                settings,
                is_counted: false,
            }
        }));
    }
    cases
}

fn coalescing() -> Vec<Case> {
    let mut cases = Vec::new();
    for work in [Work::Read, Work::Create] {
        for connections in SHARING_STEPS {
            cases.extend([false, true].map(|is_shared| {
                let line = if is_shared { "shared" } else { "alone" };
                Case {
                    key: Key {
                        name: format!("{}, {connections} at once, {line}", work.name()),
                        group: format!("{}, {connections} at once", work.name()),
                        line: line.to_owned(),
                        panel: work.name().to_owned(),
                        at: connections.into(),
                    },
                    work: work.clone(),
                    connections,
                    settings: sharing(is_shared),
                    is_counted: false,
                }
            }));
        }
    }
    cases
}

async fn pagination(extent: Extent, address: SocketAddr) -> Result<Vec<Case>> {
    let last = extent.long_list.saturating_sub(PAGE_USERS);
    // Where pages begin.
    let depths = DEPTHS.map(|percent| last * percent / 100 / PAGE_USERS * PAGE_USERS);
    let mut cases = Vec::new();
    for (line, is_by_cursor) in [("by number", false), ("by cursor", true)] {
        for depth in depths {
            let start = if is_by_cursor {
                format!("cursor={}", cursor(address, depth).await?)
            } else {
                format!("page={}", depth / PAGE_USERS + 1)
            };
            cases.push(Case {
                key: Key {
                    name: format!("{line}, {} users down", number(depth)),
                    group: line.to_owned(),
                    line: line.to_owned(),
                    panel: String::new(),
                    at: depth,
                },
                work: Work::List {
                    path: format!("/api/v1/users?{start}&per_page={PAGE_USERS}"),
                },
                connections: 1,
                settings: Vec::new(),
                is_counted: false,
            });
        }
    }
    Ok(cases)
}

/// The cursor of what follows the first `depth` users. It cannot be made up: the page before tells it.
async fn cursor(address: SocketAddr, depth: u64) -> Result<String> {
    let page = depth / PAGE_USERS;
    if page == 0 {
        return Ok(String::new());
    }
    let path = format!("/api/v1/users?page={page}&per_page={PAGE_USERS}");
    let answer = Connection::open(address).await?.get(&path).await?;
    let answer = answer.successful(&format!("GET {path}"))?.json()?;
    let cursor = answer.get("next_cursor").and_then(serde_json::Value::as_str);
    let cursor = cursor.with_context(|| format!("GET {path} has no next_cursor"))?;
    Ok(cursor.to_owned())
}

fn sharing(is_on: bool) -> Vec<String> {
    let value = if is_on { "on" } else { "off" };
    ["READ_COALESCING", "WRITE_COALESCING"]
        .map(|name| format!("{name}={value}"))
        .to_vec()
}

/// A count with its digits in groups of three.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn number(count: u64) -> String {
    grouped(count as f64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn in_an_experiment_one_thing_changes() {
        for case in concurrency() {
            assert_eq!(case.settings, sharing(false));
            assert_eq!(case.key.at, u64::from(case.connections));
        }
        for case in pool() {
            let size = format!("DB_POOL_MAX_SIZE={}", case.key.at);
            assert_eq!((case.connections, case.settings.last()), (POOL_LOAD, Some(&size)));
        }
        for pair in coalescing().chunks(2) {
            let load = |case: &Case| (case.key.group.clone(), case.work.clone(), case.connections);
            assert_eq!(load(&pair[0]), load(&pair[1]));
            assert_eq!(
                [&pair[0].settings, &pair[1].settings],
                [&sharing(false), &sharing(true)]
            );
        }
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        for cases in [concurrency(), pool(), coalescing()] {
            let names: HashSet<_> = cases.iter().map(|case| &case.key.name).collect();
            assert_eq!(names.len(), cases.len());
        }
    }
}
