//! Solutions to the exercises of the chapter on request coalescing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{Email, User};
use futures_util::FutureExt;
use persistence::{Database, Histogram, UserRepository, test_db::TestDatabase};
use service::{
    UserError, UserService, UserServiceOptions,
    coalesce::{CoalescingOptions, ReadCoalescer, ReadTogether},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{email, eventually, new_user, runtime};

// ANCHOR: source
/// Reads whether addresses are taken. It waits for a permit before each statement, and notes what each was for.
struct Taken {
    database: Database,
    gate: Arc<Semaphore>,
    statements: Arc<Mutex<Vec<Vec<Email>>>>,
}

impl ReadTogether for Taken {
    type Key = Email;
    type Found = ();
    type Error = UserError;

    async fn read(&self, emails: Vec<Email>) -> Result<HashMap<Email, ()>, UserError> {
        self.statements.lock().unwrap().push(emails.clone());
        self.gate.acquire().await.unwrap().forget();
        let users = UserRepository::new(self.database.reader());
        let taken = users.existing_emails(&emails).await?;
        Ok(taken.into_iter().map(|email| (email, ())).collect())
    }
}
// ANCHOR_END: source

// ANCHOR: fixture
/// A coalescer of addresses, the gate of its statements, and what they were for.
type Fixture = (ReadCoalescer<Taken>, Arc<Semaphore>, Arc<Mutex<Vec<Vec<Email>>>>);

fn coalescer(db: &TestDatabase) -> Fixture {
    let (gate, statements) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
    let source = Taken {
        database: db.database().clone(),
        gate: gate.clone(),
        statements: statements.clone(),
    };
    let options = CoalescingOptions {
        max_batches: 1,
        max_members: 100,
        patience: Duration::from_secs(30),
    };
    let coalescer = ReadCoalescer::new(source, runtime(), options, Histogram::new(&[1.0]));
    (coalescer, gate, statements)
}
// ANCHOR_END: fixture

fn numbered(number: usize) -> Email {
    email(&format!("user-{number}@example.com"))
}

// ANCHOR: exercise-1
pub(crate) async fn fifty_questions_about_ten_addresses_become_two_statements(db: TestDatabase) {
    let users = UserService::new(db.database().clone(), runtime(), UserServiceOptions::default());
    users.create(new_user("Ann", "user-3@example.com")).await.unwrap();
    let (coalescer, gate, statements) = coalescer(&db);
    let mut questions = JoinSet::new();
    for number in 0..50 {
        let coalescer = coalescer.clone();
        let ask = async move { (number % 10, coalescer.get(numbered(number % 10)).await.unwrap()) };
        // The first poll joins the group; the task waits for the answer.
        let mut ask = Box::pin(ask);
        assert!((&mut ask).now_or_never().is_none());
        questions.spawn(ask);
        eventually("the first is on its way", || async {
            !statements.lock().unwrap().is_empty()
        })
        .await;
    }
    gate.add_permits(2);
    for (number, taken) in questions.join_all().await {
        assert_eq!(taken.is_some(), number == 3);
    }
    let sizes: Vec<_> = statements.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(
        sizes,
        [1, 10],
        "the first went alone, and each address of the others once"
    );
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn who_gives_up_before_the_statement_is_built_is_left_out(db: TestDatabase) {
    let (coalescer, gate, statements) = coalescer(&db);
    let mut first = Box::pin(coalescer.get(numbered(1)));
    assert!((&mut first).now_or_never().is_none());
    eventually("the first is on its way", || async {
        !statements.lock().unwrap().is_empty()
    })
    .await;

    let (mut second, mut third) = (
        Box::pin(coalescer.get(numbered(2))),
        Box::pin(coalescer.get(numbered(3))),
    );
    assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
    drop(second);
    gate.add_permits(2);
    assert!(first.await.unwrap().is_none() && third.await.unwrap().is_none());
    assert_eq!(*statements.lock().unwrap(), [[numbered(1)], [numbered(3)]]);
}
// ANCHOR_END: exercise-2

// ANCHOR: exercise-3
pub(crate) async fn of_ten_creates_of_one_address_one_succeeds_shared_or_not(db: TestDatabase) {
    for (shares, address) in [(true, "shared@example.com"), (false, "alone@example.com")] {
        let mut options = UserServiceOptions::default();
        options.coalescing.writes = shares;
        let users = UserService::new(db.database().clone(), runtime(), options);
        let creates = (0..10).map(|_| {
            let users = users.clone();
            async move { users.create(new_user("Ann", address)).await }
        });
        let outcomes: Vec<Result<User, UserError>> = creates.collect::<JoinSet<_>>().join_all().await;
        let refused = |outcome: &&Result<User, UserError>| matches!(outcome, Err(UserError::EmailTaken));
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(outcomes.iter().filter(refused).count(), 9);
        // Two with one key never share a statement: each of the ten was a group of its own.
        let groups = users
            .counters()
            .write_batch_sizes
            .buckets()
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>();
        assert_eq!(groups, if shares { 10 } else { 0 });
    }
}
// ANCHOR_END: exercise-3
