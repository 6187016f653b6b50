//! Why every test gets a database of its own: what two tests in one database do to each other, what a transaction that is
//! rolled back cannot show, and what a database each costs.
//!
//! `cargo run --example testing`

use std::time::Instant;

use async_starter_persistence::{
    Executor, PersistenceError, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use domain::{Email, NewUser, Timestamp, UserFilter, UserName};

/// How many are made to see what one costs.
const DATABASES: u32 = 3;

const EVERYBODY: UserFilter = UserFilter { email: None };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("Two tests in one database:");
    let shared = TestDatabase::create(TestEngine::Sqlite).await;
    println!("  the first:  {}", a_user_is_inserted(&shared).await?);
    println!("  the second: {}", a_user_is_inserted(&shared).await?);
    shared.remove().await;

    // ANCHOR: own
    println!("\nTwo tests with a database each, at the same time:");
    let (one, other) = tokio::join!(
        TestDatabase::create(TestEngine::Sqlite),
        TestDatabase::create(TestEngine::Sqlite),
    );
    let (first, second) = tokio::join!(a_user_is_inserted(&one), a_user_is_inserted(&other));
    println!("  the first:  {}", first?);
    println!("  the second: {}", second?);
    // ANCHOR_END: own
    other.remove().await;

    // ANCHOR: rollback
    println!("\nA test within a transaction that is rolled back at its end:");
    let transaction = one.database().begin().await?;
    insert(&transaction, "bob@example.com").await?;
    println!("  the test itself sees {} users", count(&transaction).await?);
    println!(
        "  a request with a connection of its own sees {}",
        count(one.database().reader()).await?
    );
    transaction.rollback().await?;
    println!("  what COMMIT does was not tested, nor what two connections do to each other");
    // ANCHOR_END: rollback
    one.remove().await;

    let started = Instant::now();
    for _ in 0..DATABASES {
        TestDatabase::create(TestEngine::Sqlite).await.remove().await;
    }
    let each = started.elapsed().as_secs_f64() * 1000.0 / f64::from(DATABASES);
    println!("\nA SQLite database with all migrations, made and removed: {each:.1} ms");
    Ok(())
}

/// A test in the making: what became of it.
async fn a_user_is_inserted(db: &TestDatabase) -> Result<&'static str, anyhow::Error> {
    match insert(db.database().writer(), "ann@example.com").await {
        Ok(()) => {}
        Err(PersistenceError::EmailTaken) => return Ok("failed, because Ann is there already"),
        Err(other) => return Err(other.into()),
    }
    Ok(match count(db.database().reader()).await? {
        1 => "passed",
        _ => "failed, because of the rows of another test",
    })
}

async fn insert(executor: &impl Executor, email: &str) -> Result<(), PersistenceError> {
    let (Ok(name), Ok(email)) = (UserName::parse("Ann"), Email::parse(email)) else {
        return Ok(());
    };
    let users = UserRepository::new(executor);
    users
        .insert(NewUser { name, email }, Timestamp::now())
        .await
        .map(|_| ())
}

async fn count(executor: &impl Executor) -> Result<u64, PersistenceError> {
    UserRepository::new(executor).count(&EVERYBODY).await
}
