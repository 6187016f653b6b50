//! The ledger that the clients of a drill keep: what they asked for, and what they were told.
//!
//! It knows every address that was ever attempted, and every change of a name. Each name is written by one request only, so
//! that a row tells who wrote it last, and the chain of changes can be followed back from there: a change that was
//! acknowledged and is not in the chain was lost.

mod judgement;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub(super) use judgement::{Judgement, Row};

/// A user that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) email: String,
    pub(super) name: String,
}

/// A create that was sent, with one user or many.
#[derive(Debug)]
struct Create {
    users: Vec<Asked>,
    /// With an `Idempotency-Key`, under which it is asked again until the answer is clear.
    has_key: bool,
    fate: Fate,
    /// If it was unclear first and asked again: whether it had been done the first time.
    had_been_done: Option<bool>,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The client does not know: no answer, or one that leaves it open.
    Unclear,
    /// The client was told that nothing was made.
    Refused,
    /// The client was told these ids, in the order of the users.
    Acknowledged(Vec<i64>),
}

/// A change of a name that was sent, with the `ETag` of the name before it.
#[derive(Debug)]
struct Change {
    /// The name that the client had read.
    from: String,
    /// The name that it asked for, which nobody else asks for.
    to: String,
    /// `None` while the client does not know.
    is_done: Option<bool>,
}

/// A create in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CreateId(usize);

/// A change in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChangeId {
    email: String,
    index: usize,
}

/// What was asked for and what was told.
#[derive(Debug, Default)]
pub(super) struct Ledger(RefCell<Pages>);

#[derive(Debug, Default)]
struct Pages {
    creates: Vec<Create>,
    /// By the address of the user.
    changes: BTreeMap<String, Vec<Change>>,
}

impl Ledger {
    /// A create is about to be sent. Until more is known its outcome is unclear.
    pub(super) fn create(&self, users: Vec<Asked>, has_key: bool) -> CreateId {
        let mut pages = self.0.borrow_mut();
        pages.creates.push(Create {
            users,
            has_key,
            fate: Fate::Unclear,
            had_been_done: None,
        });
        CreateId(pages.creates.len() - 1)
    }

    /// The client was told that the users are there, under these ids. What is wrong with that, if something is: a create
    /// that is asked again must be told the same.
    pub(super) fn created(&self, create: CreateId, ids: Vec<i64>) -> Option<String> {
        let mut pages = self.0.borrow_mut();
        let create = pages.creates.get_mut(create.0)?;
        let before = std::mem::replace(&mut create.fate, Fate::Acknowledged(ids));
        match (before, &create.fate) {
            (Fate::Acknowledged(before), Fate::Acknowledged(now)) if before != *now => Some(format!(
                "a create was told ids {before:?} first and {now:?} when it was asked again"
            )),
            (Fate::Refused, _) => {
                Some("a create was refused first and acknowledged when it was asked again".to_owned())
            }
            _ if create.users.len() != create.fate.ids().len() => Some(format!(
                "a create of {} users was told {} ids",
                create.users.len(),
                create.fate.ids().len()
            )),
            _ => None,
        }
    }

    /// A create that was unclear was asked again under its key, and is clear now.
    pub(super) fn cleared(&self, create: CreateId, had_been_done: bool) {
        if let Some(create) = self.0.borrow_mut().creates.get_mut(create.0) {
            create.had_been_done = Some(had_been_done);
        }
    }

    /// The client was told, or knows, that nothing was made.
    pub(super) fn not_created(&self, create: CreateId) {
        if let Some(create) = self.0.borrow_mut().creates.get_mut(create.0)
            && create.fate == Fate::Unclear
        {
            create.fate = Fate::Refused;
        }
    }

    /// A change is about to be sent.
    pub(super) fn change(&self, email: &str, from: &str, to: &str) -> ChangeId {
        let mut pages = self.0.borrow_mut();
        let changes = pages.changes.entry(email.to_owned()).or_default();
        changes.push(Change {
            from: from.to_owned(),
            to: to.to_owned(),
            is_done: None,
        });
        ChangeId {
            email: email.to_owned(),
            index: changes.len() - 1,
        }
    }

    /// The client was told whether the change was made.
    pub(super) fn changed(&self, change: &ChangeId, is_done: bool) {
        let mut pages = self.0.borrow_mut();
        let changes = pages.changes.get_mut(&change.email);
        if let Some(change) = changes.and_then(|changes| changes.get_mut(change.index)) {
            change.is_done = Some(is_done);
        }
    }

    /// Holds the ledger against what is there.
    pub(super) fn judge(&self, rows: &[Row]) -> Judgement {
        judgement::judge(&self.0.borrow(), rows)
    }
}

impl Fate {
    fn ids(&self) -> &[i64] {
        match self {
            Self::Acknowledged(ids) => ids,
            Self::Unclear | Self::Refused => &[],
        }
    }
}
