//! Imports: what is counted, what is kept, and what becomes of an import that ends early.

use std::time::Duration;

use domain::NewUser;
use persistence::{
    Database,
    test_db::{TestDatabase, TestEngine},
};
use service::{Import, ImportProgress, ImportReport, Rejected, Rejection, UserError, UserService};

use crate::support::{Objection, attempts, count, eventually, new_user, object, settled, users_of};

/// What stands for the reason why a line cannot be read.
type Unreadable = &'static str;

fn user(number: usize) -> NewUser {
    new_user(&format!("User {number}"), &format!("user{number}@example.com"))
}

async fn add_all(import: &mut Import<Unreadable>, numbers: impl IntoIterator<Item = usize>) {
    for (line, number) in (1..).zip(numbers) {
        import.add(line, Ok(user(number))).await.unwrap();
    }
}

async fn import_all(users: &UserService, numbers: impl IntoIterator<Item = usize>) -> ImportReport<Unreadable> {
    let mut import = users.import();
    add_all(&mut import, numbers).await;
    import.finish().await.unwrap()
}

fn taken(line: u64) -> Rejected<Unreadable> {
    Rejected {
        line,
        reason: Rejection::EmailTaken,
    }
}

#[track_caller]
fn expect_counts(progress: ImportProgress, created: u64, rejected: u64) {
    assert_eq!(
        (progress.created, progress.rejected),
        (created, rejected),
        "{progress:?}"
    );
    assert_eq!(progress.received, created + rejected, "{progress:?}");
}

pub(crate) async fn every_row_is_created_or_rejected_and_counted(db: TestDatabase) {
    let users = users_of(db.database());
    let nothing = users.import::<Unreadable>().finish().await.unwrap();
    assert_eq!(
        (nothing.progress, nothing.rejected),
        (ImportProgress::default(), vec![])
    );

    let mut import = users.import();
    for line in 1..=2345 {
        let row = if line % 10 == 0 {
            Err("unreadable")
        } else {
            Ok(user(line))
        };
        import.add(line as u64, row).await.unwrap();
    }
    let report = import.finish().await.unwrap();
    expect_counts(report.progress, 2111, 234);
    assert_eq!(report.progress.committed_chunks, 3);
    let expected: Vec<_> = (1..=100)
        .map(|number| Rejected {
            line: number * 10,
            reason: Rejection::Unreadable("unreadable"),
        })
        .collect();
    assert_eq!(report.rejected, expected);
    assert_eq!(count(&db).await, 2111);
    assert_eq!(users.counters().users_imported.get(), 2111);

    let mut import = users.import();
    for line in 1..=1500 {
        import.add(line, Err("unreadable")).await.unwrap();
    }
    expect_counts(import.finish().await.unwrap().progress, 0, 1500);
}

pub(crate) async fn an_address_that_exists_or_repeats_is_rejected_on_its_later_line(db: TestDatabase) {
    let users = users_of(db.database());
    users.create(user(2)).await.unwrap();
    users.create(user(1500)).await.unwrap();
    let mut numbers: Vec<_> = (1..=2000).collect();
    // In the chunk of the first, and two chunks behind it.
    numbers[7] = 5;
    numbers.push(6);
    let report = import_all(&users, numbers).await;
    expect_counts(report.progress, 1997, 4);
    assert_eq!(report.rejected, [2, 8, 1500, 2001].map(taken));
    assert_eq!(count(&db).await, 1999);

    // The whole of it once more: that is how an import that ended early is gone on with.
    let report = import_all(&users, 1..=2010).await;
    expect_counts(report.progress, 11, 1999);
    assert_eq!(report.rejected, (1..=7).chain(9..=101).map(taken).collect::<Vec<_>>());
}

pub(crate) async fn imports_of_the_same_users_at_once_create_each_once(db: TestDatabase) {
    let users = users_of(db.database());
    let (one, other, third) = tokio::join!(
        import_all(&users, 1..=1700),
        import_all(&users, 1..=1700),
        import_all(&users, 1000..=2500),
    );
    let created = [&one, &other, &third].map(|report| report.progress.created);
    assert_eq!(created.iter().sum::<u64>(), 2500, "{created:?}");
    for report in [one, other, third] {
        let ImportProgress {
            received,
            created,
            rejected,
            ..
        } = report.progress;
        assert_eq!(received, created + rejected);
    }
    assert_eq!(count(&db).await, 2500);
}

/// Somebody takes an address between the look and the insert, and has deleted it by the next look.
pub(crate) async fn a_row_that_the_index_refuses_is_looked_at_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return; // A trigger there cannot count its attempts.
    }
    let database = object(&db, "INSERT", 2, Objection::Duplicate).await;
    let report = import_all(&users_of(&database), 1..=10).await;
    expect_counts(report.progress, 10, 0);
    assert_eq!(attempts(&db, &database).await, "12");
    database.close().await.unwrap();
}

pub(crate) async fn a_conflict_with_another_transaction_repeats_the_chunk(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return; // A trigger there cannot count its attempts.
    }
    let database = object(&db, "INSERT", 2, Objection::Conflict).await;
    let users = users_of(&database);
    expect_counts(import_all(&users, 1..=10).await.progress, 10, 0);
    assert_eq!(users.counters().retries.conflicts.get(), 2);
    database.close().await.unwrap();
}

pub(crate) async fn an_import_that_is_stopped_tells_exactly_what_is_there(db: TestDatabase) {
    let users = users_of(db.database());
    let mut import = users.import();
    add_all(&mut import, 1..=2500).await;
    let report = import.stop().await.unwrap();
    expect_counts(report.progress, 2000, 0);
    assert_eq!(count(&db).await, 2000);
}

/// Wherever it is dropped, whole chunks are there, and what is counted is there.
pub(crate) async fn an_import_that_is_dropped_leaves_whole_chunks(db: TestDatabase) {
    let users = users_of(db.database());
    for (number, pause) in (0..).zip([0, 1, 3, 10, 30, 100]) {
        let mut import = users.import();
        let first = number * 10_000;
        add_all(&mut import, first..first + 2500).await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drop(import);
        settled(db.database()).await;
        assert_eq!(count(&db).await % 1000, 0, "after {pause} ms");
        eventually("the account is right", || async {
            users.counters().users_imported.get() == count(&db).await
        })
        .await;
    }
}

pub(crate) async fn when_the_database_fails_the_chunks_before_are_kept(db: TestDatabase) {
    let database = Database::open(&db.options()).await.unwrap();
    let users = users_of(&database);
    let mut import = users.import();
    add_all(&mut import, 1..=1000).await;
    // The first chunk is known to be written when the second takes its place.
    for line in 1001..=2000 {
        import.add(line as u64, Ok(user(line))).await.unwrap();
    }
    eventually("the second is written as well", || async { count(&db).await == 2000 }).await;
    database.close().await.unwrap();
    let mut stopped = None;
    for line in 2001..=4001 {
        if let Err(error) = import.add(line as u64, Ok(user(line))).await {
            stopped = Some(error);
            break;
        }
    }
    let stopped = stopped.unwrap();
    assert!(
        matches!(stopped.cause, UserError::DatabaseUnavailable(_)),
        "{stopped:?}"
    );
    expect_counts(stopped.progress, 2000, 0);
    assert_eq!(count(&db).await, 2000);
    // The same again goes on.
    let report = import_all(&users_of(db.database()), 1..=4001).await;
    expect_counts(report.progress, 2001, 2000);
}
