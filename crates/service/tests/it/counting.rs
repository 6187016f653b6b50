//! The number of users in a list, which is not counted for every request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{PageNumber, PageRequest, PageSize, Precondition};
use persistence::test_db::TestDatabase;
use service::{Freshness, UserService};
use tokio::task::JoinSet;

use crate::{
    sharing::{numbered, sharing},
    support::{EVERYBODY, batch},
};

/// The number of users as the list tells it.
pub(crate) async fn total(users: &UserService) -> u64 {
    let one_user = PageRequest {
        number: PageNumber::FIRST,
        size: PageSize::new(1).unwrap(),
    };
    users.page(EVERYBODY, one_user, Freshness::MayLag).await.unwrap().total
}

pub(crate) async fn who_was_told_of_a_change_is_counted_right(db: TestDatabase) {
    let users = sharing(db.database());
    let mut expected = 3;
    users.create_many(batch(&["a", "b", "c"])).await.unwrap();
    for number in 0..20 {
        let user = users.create(numbered(number)).await.unwrap();
        expected += 1;
        assert_eq!(total(&users).await, expected);
        users.create(numbered(number)).await.unwrap_err();
        assert_eq!(total(&users).await, expected);
        if number % 3 == 0 {
            users.delete(user.id, Precondition::None).await.unwrap();
            users.delete(user.id, Precondition::None).await.unwrap_err();
            expected -= 1;
            assert_eq!(total(&users).await, expected);
        }
    }
    let counts = users.counters().count_batch_sizes.sum();
    assert!(counts < 10.0, "the table was counted {counts} times");
}

pub(crate) async fn whatever_goes_on_a_total_lies_between_what_was_told_and_what_was_asked_for(db: TestDatabase) {
    let users = sharing(db.database());
    users.create_many(batch(&["a", "b"])).await.unwrap();
    let (asked, told) = (Arc::new(AtomicI64::new(2)), Arc::new(AtomicI64::new(2)));
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let (users, asked, told) = (users.clone(), asked.clone(), told.clone());
        tasks.spawn(async move {
            for number in 0..25 {
                asked.fetch_add(1, Ordering::SeqCst);
                users.create(numbered(task * 100 + number)).await.unwrap();
                told.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..4 {
        let (users, asked, told) = (users.clone(), asked.clone(), told.clone());
        tasks.spawn(async move {
            for _ in 0..25 {
                let least = told.load(Ordering::SeqCst);
                let found = i64::try_from(total(&users).await).unwrap();
                let most = asked.load(Ordering::SeqCst);
                assert!((least..=most).contains(&found), "{least} {found} {most}");
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(total(&users).await, 102);
}

pub(crate) async fn what_another_instance_creates_is_counted_within_a_second(db: TestDatabase) {
    let (here, there) = (sharing(db.database()), sharing(db.database()));
    here.create_many(batch(&["a", "b", "c"])).await.unwrap();
    assert_eq!(total(&here).await, 3);
    there.create(numbered(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(total(&here).await, 4);
}

pub(crate) async fn a_page_does_not_disprove_its_own_total(db: TestDatabase) {
    let (here, there) = (sharing(db.database()), sharing(db.database()));
    here.create_many(batch(&["a", "b", "c"])).await.unwrap();
    assert_eq!(total(&here).await, 3);
    for number in 0..10 {
        there.create(numbered(number)).await.unwrap();
    }
    let page = |number| {
        let request = PageRequest {
            number: PageNumber::new(number).unwrap(),
            size: PageSize::new(5).unwrap(),
        };
        here.page(EVERYBODY, request, Freshness::MayLag)
    };
    let first = page(1).await.unwrap();
    assert!(
        first.users.len() == 5 && first.next.is_some() && first.total >= 6,
        "{}",
        first.total
    );
    // A page beyond the end shows nobody, and so nothing about the total.
    assert!(page(1000).await.unwrap().total <= 13);
}
