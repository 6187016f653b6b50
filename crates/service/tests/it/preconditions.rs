//! Changes that are wanted only while a user is as somebody knows it.

use domain::{PageSize, Precondition, Revision, UserId};
use persistence::test_db::TestDatabase;
use service::{Freshness, UserError};
use tokio::task::JoinSet;

use crate::support::{EVERYBODY, email, new_user, rename, stored, users_of};

pub(crate) async fn a_change_happens_only_in_a_state_that_was_asked_for(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let bob = users.create(new_user("Bob", "bob@example.com")).await.unwrap();
    let now = ann.revision();
    let stale = Revision { version: 2, ..now };
    let of_a_former_owner = Revision {
        created_at: bob.created_at,
        ..now
    };
    for outdated in [vec![], vec![stale], vec![of_a_former_owner], vec![bob.revision()]] {
        let outdated = Precondition::OneOf(outdated);
        let refused = users.update(ann.id, rename("Anna"), outdated.clone()).await;
        assert!(
            matches!(refused, Err(UserError::PreconditionFailed)),
            "{outdated:?}: {refused:?}"
        );
        // A state that is not met goes before an address that is taken.
        let take = domain::UserChanges::new(None, Some(email("bob@example.com"))).unwrap();
        let refused = users.update(ann.id, take, outdated.clone()).await;
        assert!(
            matches!(refused, Err(UserError::PreconditionFailed)),
            "{outdated:?}: {refused:?}"
        );
        let refused = users.delete(ann.id, outdated.clone()).await;
        assert!(
            matches!(refused, Err(UserError::PreconditionFailed)),
            "{outdated:?}: {refused:?}"
        );
        assert_eq!(stored(&db, ann.id).await, Some(ann.clone()));
    }
    let one_of_them = Precondition::OneOf(vec![stale, now]);
    let anna = users.update(ann.id, rename("Anna"), one_of_them.clone()).await.unwrap();
    // The second of them is what the user is now.
    assert_eq!(anna.revision(), stale);
    users.delete(ann.id, one_of_them.clone()).await.unwrap();
    for refused in [
        users
            .update(ann.id, rename("Ann"), one_of_them.clone())
            .await
            .unwrap_err(),
        users.delete(ann.id, one_of_them).await.unwrap_err(),
        users
            .delete(UserId::new(999).unwrap(), Precondition::OneOf(vec![]))
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(refused, UserError::NotFound(_)), "{refused:?}");
    }
}

// ANCHOR: parallel-changes
pub(crate) async fn of_parallel_changes_based_on_one_state_one_happens(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let mut changes = JoinSet::new();
    for number in 0..20 {
        let (users, precondition) = (users.clone(), Precondition::OneOf(vec![ann.revision()]));
        changes.spawn(async move {
            users
                .update(ann.id, rename(&format!("Ann {number}")), precondition)
                .await
        });
    }
    let (happened, refused): (Vec<_>, Vec<_>) = changes.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((happened.len(), refused.len()), (1, 19), "{refused:?}");
    assert!(
        refused
            .iter()
            .all(|refused| matches!(refused, Err(UserError::PreconditionFailed))),
        "{refused:?}"
    );
    assert_eq!(stored(&db, ann.id).await.as_ref(), happened[0].as_ref().ok());
    assert_eq!(happened[0].as_ref().unwrap().version, 2);
}
// ANCHOR_END: parallel-changes

/// SQLite compares times as text, and `strftime` writes zeros that the driver leaves out.
pub(crate) async fn a_row_written_by_hand_can_be_guarded(db: TestDatabase) {
    for (local, time) in [
        ("a", "12:00:00.000"),
        ("b", "12:00:00"),
        ("c", "12:00:00.120000"),
        ("d", "12:00:00.123456"),
    ] {
        db.execute(&format!(
            "INSERT INTO users (name, email, created_at, updated_at) \
             VALUES ('By hand', '{local}@example.com', '2026-11-23 {time}', '2026-11-23 {time}')"
        ))
        .await;
    }
    let users = users_of(db.database());
    let page = users
        .after(EVERYBODY, None, PageSize::DEFAULT, Freshness::MayLag)
        .await
        .unwrap();
    assert_eq!(page.users.len(), 4);
    for user in page.users {
        let precondition = Precondition::OneOf(vec![user.revision()]);
        users.update(user.id, rename("Guarded"), precondition).await.unwrap();
    }
}
