//! Tests that the ledger finds what a drill is run for.

use super::{Asked, Judgement, Ledger, Row};

fn asked(names: &[&str]) -> Vec<Asked> {
    let user = |name: &&str| Asked {
        email: format!("{name}@example.com"),
        name: (*name).to_owned(),
    };
    names.iter().map(user).collect()
}

fn row(id: i64, name: &str) -> Row {
    Row {
        id,
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        changes: Some(0),
    }
}

/// `a` with this name, after so many changes.
fn changed(name: &str, changes: i64) -> Row {
    Row {
        name: name.to_owned(),
        changes: Some(changes),
        ..row(1, "a")
    }
}

/// A ledger in which `a` was acknowledged as 1, and the batch of `b` and `c` as 2 and 3.
fn ledger() -> Ledger {
    let ledger = Ledger::default();
    let single = ledger.create(asked(&["a"]), false);
    assert_eq!(ledger.created(single, vec![1]), None);
    let batch = ledger.create(asked(&["b", "c"]), false);
    assert_eq!(ledger.created(batch, vec![2, 3]), None);
    ledger
}

fn wrong_of(judgement: &Judgement) -> [u64; 7] {
    [
        judgement.lost,
        judgement.doubled,
        judgement.uncalled_for,
        judgement.half_batches,
        judgement.lost_updates,
        judgement.altered,
        judgement.never_clear,
    ]
}

#[test]
fn nothing_is_wrong_if_all_is_as_it_was_told() {
    let judgement = ledger().judge(&[row(1, "a"), row(2, "b"), row(3, "c")]);
    assert_eq!(
        (judgement.wrong(), judgement.acknowledged_users),
        (0, 3),
        "{judgement:?}"
    );
}

#[test]
fn a_lost_user_is_found() {
    let judgement = ledger().judge(&[row(2, "b"), row(3, "c")]);
    assert_eq!(wrong_of(&judgement), [1, 0, 0, 0, 0, 0, 0], "{judgement:?}");
}

#[test]
fn a_doubled_user_is_found() {
    let judgement = ledger().judge(&[row(1, "a"), row(2, "b"), row(3, "c"), row(3, "c")]);
    assert_eq!(wrong_of(&judgement), [0, 1, 0, 0, 0, 0, 0], "{judgement:?}");
}

#[test]
fn a_user_that_nobody_asked_for_is_found() {
    let judgement = ledger().judge(&[row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")]);
    assert_eq!(wrong_of(&judgement), [0, 0, 1, 0, 0, 0, 0], "{judgement:?}");
}

#[test]
fn a_user_that_was_refused_and_is_there_is_found() {
    let ledger = ledger();
    let create = ledger.create(asked(&["d"]), false);
    ledger.not_created(create);
    let judgement = ledger.judge(&[row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")]);
    assert_eq!(wrong_of(&judgement), [0, 0, 1, 0, 0, 0, 0], "{judgement:?}");
}

#[test]
fn half_a_batch_is_found_whatever_was_told() {
    let judgement = ledger().judge(&[row(1, "a"), row(2, "b")]);
    assert_eq!(wrong_of(&judgement), [1, 0, 0, 1, 0, 0, 0], "{judgement:?}");
    let unclear = Ledger::default();
    unclear.create(asked(&["b", "c"]), false);
    assert_eq!(wrong_of(&unclear.judge(&[row(2, "b")])), [0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn another_id_or_name_than_was_told_is_found() {
    let rows = [row(1, "a"), row(2, "b"), row(7, "c")];
    assert_eq!(wrong_of(&ledger().judge(&rows)), [0, 0, 0, 0, 0, 1, 0]);
    let rows = [changed("other", 0), row(2, "b"), row(3, "c")];
    assert_eq!(wrong_of(&ledger().judge(&rows)), [0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn an_unclear_create_may_be_there_or_not_and_is_counted() {
    let ledger = Ledger::default();
    ledger.create(asked(&["a"]), false);
    ledger.create(asked(&["b", "c"]), false);
    let judgement = ledger.judge(&[row(2, "b"), row(3, "c")]);
    assert_eq!(judgement.wrong(), 0, "{judgement:?}");
    assert_eq!((judgement.unclear_there, judgement.unclear_not_there), (1, 1));
}

#[test]
fn a_create_with_a_key_has_to_become_clear() {
    let ledger = Ledger::default();
    let create = ledger.create(asked(&["a"]), true);
    assert_eq!(wrong_of(&ledger.judge(&[])), [0, 0, 0, 0, 0, 0, 1]);
    ledger.created(create, vec![1]);
    ledger.cleared(create, true);
    let judgement = ledger.judge(&[row(1, "a")]);
    assert_eq!((judgement.wrong(), judgement.cleared_there), (0, 1), "{judgement:?}");
}

#[test]
fn a_replay_with_another_id_is_told_at_once() {
    let ledger = Ledger::default();
    let create = ledger.create(asked(&["a"]), true);
    assert_eq!(ledger.created(create, vec![1]), None);
    assert_eq!(ledger.created(create, vec![1]), None);
    assert!(ledger.created(create, vec![2]).is_some());
    let batch = ledger.create(asked(&["b", "c"]), true);
    assert!(ledger.created(batch, vec![5]).is_some(), "an id is missing");
}

/// A ledger in which two clients changed `a`: the first from `a` to `x`, the second from `second_from` to `y`.
fn two_changes(second_from: &str, is_second_done: Option<bool>) -> Ledger {
    let ledger = Ledger::default();
    let create = ledger.create(asked(&["a"]), false);
    ledger.created(create, vec![1]);
    let first = ledger.change("a@example.com", "a", "x");
    let second = ledger.change("a@example.com", second_from, "y");
    ledger.changed(&first, true);
    if let Some(is_done) = is_second_done {
        ledger.changed(&second, is_done);
    }
    ledger
}

#[test]
fn changes_that_follow_each_other_are_all_there() {
    let judgement = two_changes("x", Some(true)).judge(&[changed("y", 2)]);
    assert_eq!(
        (judgement.wrong(), judgement.acknowledged_changes),
        (0, 2),
        "{judgement:?}"
    );
}

#[test]
fn a_change_that_overwrote_another_is_a_lost_update() {
    // Both had read `a`, and both were told that theirs was made.
    let judgement = two_changes("a", Some(true)).judge(&[changed("y", 1)]);
    assert_eq!(wrong_of(&judgement), [0, 0, 0, 0, 1, 0, 0], "{judgement:?}");
    // The version gives it away even if the names did not.
    let judgement = two_changes("a", Some(true)).judge(&[changed("y", 2)]);
    assert_eq!(wrong_of(&judgement), [0, 0, 0, 0, 1, 1, 0], "{judgement:?}");
}

#[test]
fn an_acknowledged_change_that_is_gone_is_a_lost_update() {
    let judgement = two_changes("x", Some(true)).judge(&[changed("x", 1)]);
    assert_eq!(wrong_of(&judgement), [0, 0, 0, 0, 1, 0, 0], "{judgement:?}");
}

#[test]
fn an_unclear_change_may_be_made_or_not() {
    for (name, changes, outcome) in [("y", 2, (1, 0)), ("x", 1, (0, 1))] {
        let judgement = two_changes("x", None).judge(&[changed(name, changes)]);
        assert_eq!(judgement.wrong(), 0, "{judgement:?}");
        assert_eq!((judgement.unclear_there, judgement.unclear_not_there), outcome);
    }
}

#[test]
fn a_refused_change_that_was_made_is_found() {
    let judgement = two_changes("x", Some(false)).judge(&[changed("y", 2)]);
    assert_eq!(wrong_of(&judgement), [0, 0, 1, 0, 0, 0, 0], "{judgement:?}");
}
