//! The ledger held against the users that are there.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::{Change, Create, Fate, Pages};
use crate::database::UserRow;

/// Findings of each kind that are told in words; all are counted.
const FINDINGS_TOLD: u64 = 3;

/// A user that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Row {
    pub(in super::super) id: i64,
    pub(in super::super) email: String,
    pub(in super::super) name: String,
    /// How often it was changed, where that is known.
    pub(in super::super) changes: Option<i64>,
}

impl From<UserRow> for Row {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            changes: Some(row.version - 1),
        }
    }
}

/// What came of it. Of everything wrong there must be none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(in super::super) struct Judgement {
    /// Users and changes that were acknowledged.
    pub(in super::super) acknowledged_users: u64,
    pub(in super::super) acknowledged_changes: u64,
    /// Creates and changes of which the client never learned what became of them, and are there or are not.
    pub(in super::super) unclear_there: u64,
    pub(in super::super) unclear_not_there: u64,
    /// Creates that were unclear, and were asked again under their key until they were not: those that had been done the
    /// first time, and those that had not.
    pub(in super::super) cleared_there: u64,
    pub(in super::super) cleared_not_there: u64,

    /// Acknowledged users that are not there.
    pub(in super::super) lost: u64,
    /// Users that are there more than once.
    pub(in super::super) doubled: u64,
    /// Users that are there and were refused, or that nobody asked for.
    pub(in super::super) uncalled_for: u64,
    /// Batches of which some users are there and some are not.
    pub(in super::super) half_batches: u64,
    /// Acknowledged changes that another one overwrote, or that are gone.
    pub(in super::super) lost_updates: u64,
    /// Users with another id or content than was acknowledged.
    pub(in super::super) altered: u64,
    /// Creates with a key that never got a clear answer.
    pub(in super::super) never_clear: u64,
    /// The first of these, in words.
    pub(in super::super) findings: Vec<String>,
}

impl Judgement {
    /// How much is wrong.
    pub(in super::super) fn wrong(&self) -> u64 {
        self.lost
            + self.doubled
            + self.uncalled_for
            + self.half_batches
            + self.lost_updates
            + self.altered
            + self.never_clear
    }

    fn find(&mut self, kind: impl FnOnce(&mut Self) -> &mut u64, finding: impl FnOnce() -> String) {
        let count = kind(self);
        *count += 1;
        if *count <= FINDINGS_TOLD {
            self.findings.push(finding());
        }
    }
}

pub(super) fn judge(pages: &Pages, rows: &[Row]) -> Judgement {
    let mut judgement = Judgement::default();
    let mut by_email: HashMap<&str, &Row> = HashMap::new();
    let mut ids = HashSet::new();
    for row in rows {
        let is_new_id = ids.insert(row.id);
        if by_email.insert(&row.email, row).is_some() || !is_new_id {
            judgement.find(
                |it| &mut it.doubled,
                || format!("{} (id {}) is there twice", row.email, row.id),
            );
        }
    }
    let mut asked: HashSet<&str> = HashSet::new();
    for create in &pages.creates {
        asked.extend(create.users.iter().map(|user| user.email.as_str()));
        judge_create(create, &by_email, &pages.changes, &mut judgement);
    }
    for row in rows.iter().filter(|row| !asked.contains(row.email.as_str())) {
        judgement.find(|it| &mut it.uncalled_for, || format!("nobody asked for {}", row.email));
    }
    judgement
}

fn judge_create(
    create: &Create,
    rows: &HashMap<&str, &Row>,
    changes: &BTreeMap<String, Vec<Change>>,
    judgement: &mut Judgement,
) {
    match create.had_been_done {
        Some(true) => judgement.cleared_there += 1,
        Some(false) => judgement.cleared_not_there += 1,
        None => {}
    }
    let there: Vec<Option<&Row>> = create
        .users
        .iter()
        .map(|user| rows.get(user.email.as_str()).copied())
        .collect();
    let count = there.iter().flatten().count();
    if count > 0 && count < there.len() {
        judgement.find(
            |it| &mut it.half_batches,
            || format!("{count} of the {} users of a batch are there", there.len()),
        );
    }
    match &create.fate {
        Fate::Refused => {
            for row in there.iter().flatten() {
                judgement.find(
                    |it| &mut it.uncalled_for,
                    || format!("{} was refused and is there", row.email),
                );
            }
        }
        Fate::Unclear => {
            if count > 0 {
                judgement.unclear_there += 1;
            } else {
                judgement.unclear_not_there += 1;
            }
            if let Some(first) = create.users.first()
                && create.has_key
            {
                judgement.find(
                    |it| &mut it.never_clear,
                    || {
                        format!(
                            "the create of {} was asked again under its key and never clear",
                            first.email
                        )
                    },
                );
            }
        }
        Fate::Acknowledged(_) => {}
    }
    let mut ids = create.fate.ids().iter();
    for (user, row) in create.users.iter().zip(&there) {
        let id = ids.next();
        if id.is_some() {
            judgement.acknowledged_users += 1;
        }
        match (id, row) {
            (Some(id), None) => {
                judgement.find(
                    |it| &mut it.lost,
                    || format!("{} was acknowledged as {id} and is lost", user.email),
                );
            }
            (Some(id), Some(row)) if *id != row.id => judgement.find(
                |it| &mut it.altered,
                || format!("{} was acknowledged as {id} and is {}", user.email, row.id),
            ),
            _ => {}
        }
        if let Some(row) = row {
            let changes = changes.get(&user.email).map(Vec::as_slice).unwrap_or_default();
            judge_changes(row, &user.name, changes, judgement);
        }
    }
}

/// Follows the changes back from the name that is there to the one that was asked for first.
fn judge_changes(row: &Row, first_name: &str, changes: &[Change], judgement: &mut Judgement) {
    let by_name: HashMap<&str, &Change> = changes.iter().map(|change| (change.to.as_str(), change)).collect();
    let mut made: HashSet<&str> = HashSet::new();
    let mut name = row.name.as_str();
    while name != first_name {
        let Some(change) = by_name.get(name).filter(|_| made.insert(name)) else {
            judgement.find(
                |it| &mut it.altered,
                || format!("{} has a name that nobody wrote: {name:?}", row.email),
            );
            break;
        };
        name = &change.from;
    }
    for change in changes {
        let is_made = made.contains(change.to.as_str());
        judgement.acknowledged_changes += u64::from(change.is_done == Some(true));
        match (change.is_done, is_made) {
            (Some(true), true) | (Some(false), false) => {}
            (None, true) => judgement.unclear_there += 1,
            (None, false) => judgement.unclear_not_there += 1,
            (Some(true), false) => judgement.find(
                |it| &mut it.lost_updates,
                || {
                    format!(
                        "the change of {} to {:?} was acknowledged and is lost",
                        row.email, change.to
                    )
                },
            ),
            (Some(false), true) => judgement.find(
                |it| &mut it.uncalled_for,
                || format!("the change of {} to {:?} was refused and made", row.email, change.to),
            ),
        }
    }
    let count = i64::try_from(made.len()).unwrap_or(i64::MAX);
    if row.changes.is_some_and(|changes| changes != count) {
        judgement.find(
            |it| &mut it.altered,
            || {
                format!(
                    "{} was changed {:?} times and not {count}",
                    row.email,
                    row.changes.unwrap_or_default()
                )
            },
        );
    }
}
