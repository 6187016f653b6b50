//! Exports: everybody, once, in order, and nothing held for those who read slowly.

use std::collections::HashSet;

use domain::{Precondition, User};
use persistence::{UserRepository, test_db::TestDatabase};
use service::{Export, Freshness, UserError, UserService};

use crate::support::{EVERYBODY, new_user, settled, users_of};

/// Creates users of chunks of equal times.
async fn fill(users: &UserService, count: usize) {
    let mut import = users.import::<()>();
    for number in 1..=count {
        let user = new_user(&format!("User {number}"), &format!("user{number}@example.com"));
        import.add(number as u64, Ok(user)).await.unwrap();
    }
    assert_eq!(import.finish().await.unwrap().progress.created, count as u64);
}

async fn rest_of(export: &mut Export) -> Vec<User> {
    let mut users = Vec::new();
    while let Some(page) = export.next_page().await.unwrap() {
        users.extend(page);
    }
    users
}

pub(crate) async fn everybody_is_exported_once_in_the_order_of_the_list(db: TestDatabase) {
    let users = users_of(db.database());
    assert_eq!(rest_of(&mut users.export(Freshness::MayLag)).await, []);
    for (more, pages) in [(1, 1), (999, 1), (1, 2), (1500, 3)] {
        let before = users.counters().users_exported.get();
        let offset = UserRepository::new(db.database().writer())
            .count(&EVERYBODY)
            .await
            .unwrap();
        let mut import = users.import::<()>();
        for number in offset..offset + more {
            let user = new_user("Someone", &format!("user{number}@example.com"));
            import.add(number, Ok(user)).await.unwrap();
        }
        import.finish().await.unwrap();
        let total = offset + more;
        let mut export = users.export(Freshness::MayLag);
        let exported = rest_of(&mut export).await;
        let stored = UserRepository::new(db.database().writer())
            .page(&EVERYBODY, 0, 10_000)
            .await;
        assert_eq!(exported, stored.unwrap());
        assert_eq!((exported.len() as u64, export.users()), (total, total));
        assert_eq!(users.counters().users_exported.get() - before, total);
        assert_eq!(total.div_ceil(1000), pages);
        assert_eq!(export.next_page().await.unwrap(), None, "the end stays the end");
    }
}

pub(crate) async fn an_export_repeats_and_skips_nobody_who_stays_while_others_come_and_go(db: TestDatabase) {
    let users = users_of(db.database());
    fill(&users, 3500).await;
    let mut export = users.export(Freshness::MayLag);
    let mut seen = export.next_page().await.unwrap().unwrap();
    assert_eq!(seen.len(), 1000);
    let far_behind = UserRepository::new(db.database().writer())
        .page(&EVERYBODY, 2600, 140)
        .await
        .unwrap();
    // The page that is fetched ahead is not touched by what comes now.
    settled(db.database()).await;
    for number in 0..20 {
        users
            .create(new_user("Late", &format!("late{number}@example.com")))
            .await
            .unwrap();
    }
    let gone: Vec<_> = far_behind.iter().step_by(7).map(|user| user.id).collect();
    for id in [seen[0].id, seen[999].id].iter().chain(&gone) {
        users.delete(*id, Precondition::None).await.unwrap();
    }
    seen.extend(rest_of(&mut export).await);
    let ids: HashSet<_> = seen.iter().map(|user| user.id).collect();
    assert_eq!(ids.len(), seen.len(), "somebody was repeated");
    assert_eq!(seen.len(), 3480);
    assert!(gone.iter().all(|id| !ids.contains(id)));
}

pub(crate) async fn no_connection_is_held_for_a_slow_reader(db: TestDatabase) {
    let users = users_of(db.database());
    fill(&users, 2500).await;
    let mut export = users.export(Freshness::MayLag);
    for _ in 0..3 {
        assert!(export.next_page().await.unwrap().is_some());
        // Includes the page that was fetched ahead.
        settled(db.database()).await;
    }
    assert_eq!(export.next_page().await.unwrap(), None);
}

pub(crate) async fn an_export_ends_with_the_page_that_cannot_be_read(db: TestDatabase) {
    let users = users_of(db.database());
    fill(&users, 2500).await;
    db.execute("UPDATE users SET email = 'Not An Address' WHERE email = 'user1@example.com'")
        .await;
    let mut export = users.export(Freshness::MayLag);
    for _ in 0..2 {
        assert_eq!(export.next_page().await.unwrap().unwrap().len(), 1000);
    }
    let failed = export.next_page().await.unwrap_err();
    assert!(matches!(failed, UserError::Internal(_)), "{failed:?}");
    assert_eq!((export.next_page().await.unwrap(), export.users()), (None, 2000));
}
