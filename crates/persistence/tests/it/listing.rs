//! Pages, walks and streams.

use std::collections::HashSet;

use domain::{Cursor, UserFilter};
use futures_util::TryStreamExt;
use persistence::{
    Executor, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{EVERYBODY, at, email, insert, new_user, new_users};

pub(crate) async fn a_walk_over_users_of_the_same_microsecond_repeats_and_skips_nobody(db: TestDatabase) {
    let expected = insert_all_at_once(&db, 1000).await;
    let users = UserRepository::new(db.database().reader());
    let (mut seen, mut position) = (Vec::new(), None);
    loop {
        let slice = users.after(&EVERYBODY, position, 73).await.unwrap();
        let Some(last) = slice.last() else { break };
        position = Some(Cursor::from(last));
        seen.extend(slice.into_iter().map(|user| user.id));
    }
    assert_eq!(seen.len(), 1000);
    assert_eq!(seen.iter().copied().collect::<HashSet<_>>(), expected);

    let mut paged = Vec::new();
    for page in 0..14 {
        paged.extend(
            users
                .page(&EVERYBODY, page * 73, 73)
                .await
                .unwrap()
                .into_iter()
                .map(|user| user.id),
        );
    }
    assert_eq!(paged, seen);
}

pub(crate) async fn a_position_deep_in_the_list_is_reached_without_reading_what_precedes_it(db: TestDatabase) {
    // A user a microsecond, so that the middle of the list is a point in time.
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    for (number, new_user) in (0..).zip(new_users(3000)) {
        users.insert(new_user, at(number)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    if db.engine() == TestEngine::Postgres {
        // What autovacuum does after a while: without statistics the planner takes the table for a tiny one.
        db.execute("ANALYZE users").await;
    }
    let middle = UserRepository::new(db.database().reader())
        .page(&EVERYBODY, 1500, 1)
        .await
        .unwrap();
    let position = Some(Cursor::from(&middle[0]));

    let session = db.database().begin().await.unwrap();
    let rows = rows_read(&db, &session, async {
        let slice = UserRepository::new(&session)
            .after(&EVERYBODY, position, 20)
            .await
            .unwrap();
        assert_eq!(slice.len(), 20);
        assert_eq!(slice[0].created_at, at(1498));
    });
    let rows = rows.await;
    assert!((1..=25).contains(&rows), "{rows} rows were read for a page of 20");
}

/// How many rows the engine read for `work`, by its own account. SQLite has no such counter that SQL can reach, so there
/// the plan must be a search of the index from the position.
pub(crate) async fn rows_read(db: &TestDatabase, session: &impl Executor, work: impl Future<Output = ()>) -> u64 {
    match db.engine() {
        TestEngine::Sqlite => {
            work.await;
            let plan = "EXPLAIN QUERY PLAN SELECT * FROM users WHERE created_at <= ? AND (created_at < ? OR id < ?) \
                        ORDER BY created_at DESC, id DESC LIMIT ?";
            let plan = db.query(session, plan).await;
            let detail = plan[0].last().unwrap();
            assert_eq!(
                (plan.len(), detail.as_str()),
                (1, "SEARCH users USING INDEX ix_users_created_at_id (created_at<?)")
            );
            20
        }
        TestEngine::MySql | TestEngine::MariaDb => {
            let counters = "SHOW SESSION STATUS LIKE 'Handler_read%'";
            let sum = |rows: Vec<Vec<String>>| rows.iter().map(|row| row[1].parse::<u64>().unwrap()).sum::<u64>();
            // Reading the counters counts as well, and the same every time.
            let (first, second) = (
                sum(db.query(session, counters).await),
                sum(db.query(session, counters).await),
            );
            work.await;
            sum(db.query(session, counters).await) - second - (second - first)
        }
        TestEngine::Postgres => {
            // Statistics of the session's own transaction, which are exact.
            let counters = "SELECT CAST(pg_stat_get_xact_tuples_returned('ix_users_created_at_id'::regclass) \
                            + pg_stat_get_xact_tuples_returned('users'::regclass) AS TEXT)";
            let before: u64 = db.query(session, counters).await[0][0].parse().unwrap();
            work.await;
            db.query(session, counters).await[0][0].parse::<u64>().unwrap() - before
        }
    }
}

pub(crate) async fn pages_walks_and_the_stream_agree_on_the_order(db: TestDatabase) {
    for (number, new_user) in (0..30).zip(new_users(30)) {
        let users = UserRepository::new(db.database().writer());
        users.insert(new_user, at(number % 7)).await.unwrap();
    }
    let users = UserRepository::new(db.database().reader());
    let streamed: Vec<_> = users.stream(&EVERYBODY).await.unwrap().try_collect().await.unwrap();
    assert_eq!(users.page(&EVERYBODY, 0, 100).await.unwrap(), streamed);
    assert_eq!(users.after(&EVERYBODY, None, 100).await.unwrap(), streamed);
    assert!(streamed.is_sorted_by_key(|user| std::cmp::Reverse(Cursor::from(user))));
    assert_eq!(streamed.len(), 30);
}

pub(crate) async fn the_filter_finds_exactly_one_address(db: TestDatabase) {
    insert(&db, new_user("Ann", "ann@example.com")).await;
    insert(&db, new_user("Anna", "ann%@example.com")).await;
    let users = UserRepository::new(db.database().reader());
    let only = |text: &str| UserFilter {
        email: Some(email(text)),
    };
    assert_eq!(users.count(&only("ann@example.com")).await.unwrap(), 1);
    assert_eq!(
        users.page(&only("ann%@example.com"), 0, 10).await.unwrap()[0]
            .name
            .as_str(),
        "Anna"
    );
    assert_eq!(users.after(&only("nobody@example.com"), None, 10).await.unwrap(), []);
    assert_eq!(users.count(&EVERYBODY).await.unwrap(), 2);
}

async fn insert_all_at_once(db: &TestDatabase, count: usize) -> HashSet<domain::UserId> {
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction)
        .insert_many(&new_users(count), at(0))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    users.into_iter().map(|user| user.id).collect()
}
