//! A connection pool: who gets a connection, who waits, who is turned away, and how to lock oneself out.
//!
//! Run it: `cargo run --example pools`

use std::time::{Duration, Instant};

use async_starter_persistence::{Database, DatabaseOptions, Migrations, PersistenceError, UserRepository};
use domain::{Email, NewUser, Timestamp, UserFilter, UserName};
use tokio::time::sleep;

const EVERYBODY: UserFilter = UserFilter { email: None };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("pools.db").display());
    // ANCHOR: open
    let database = Database::open(&DatabaseOptions {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(500),
        ..DatabaseOptions::new(url.into())
    })
    .await?;
    // ANCHOR_END: open
    Migrations::new(&database).up(None).await?;
    UserRepository::new(database.writer())
        .insert(new_user("ann@example.com")?, Timestamp::now())
        .await?;

    println!("Two pools");
    for pool in database.pool_status() {
        println!("  {}: {} at most", pool.name, pool.max);
    }

    println!("A full pool");
    exhaust(&database).await?;

    println!("Locked out by oneself");
    need_two(&database).await?;

    println!("Held across a slow wait");
    let (database, start) = (&database, Instant::now());
    let (slow, quick) = tokio::join!(hold_while_waiting(database, start), insert_soon(database, start));
    slow.and(quick)?;
    println!("The same, but waiting first");
    let start = Instant::now();
    let (slow, quick) = tokio::join!(wait_then_hold(database, start), insert_soon(database, start));
    slow.and(quick)?;

    database.close().await?;
    Ok(())
}

// ANCHOR: exhaust
/// A stream holds its connection until it is dropped. Two of them are all that this pool has.
async fn exhaust(database: &Database) -> anyhow::Result<()> {
    let users = UserRepository::new(database.reader());
    let first = users.stream(&EVERYBODY).await?;
    let _second = users.stream(&EVERYBODY).await?;
    for pool in database.pool_status().iter().filter(|pool| pool.name == "reader") {
        println!("  {}: {} of {} in use", pool.name, pool.in_use, pool.max);
    }
    let start = Instant::now();
    let third = users.count(&EVERYBODY).await;
    println!("  a third reader: {} (after {})", outcome(&third), since(start));

    drop(first);
    println!(
        "  after one of them was given back: {}",
        outcome(&users.count(&EVERYBODY).await)
    );
    Ok(())
}
// ANCHOR_END: exhaust

// ANCHOR: need-two
/// The transaction has the only connection that writes, and the insert asks the pool for another one.
async fn need_two(database: &Database) -> anyhow::Result<()> {
    let transaction = database.begin().await?;
    let wrong = UserRepository::new(database.writer());
    let inserted = wrong.insert(new_user("bob@example.com")?, Timestamp::now()).await;
    println!("  an insert through the pool: {}", outcome(&inserted));

    let right = UserRepository::new(&transaction);
    let inserted = right.insert(new_user("bob@example.com")?, Timestamp::now()).await;
    println!("  an insert through the transaction: {}", outcome(&inserted));
    transaction.commit().await?;
    Ok(())
}
// ANCHOR_END: need-two

// ANCHOR: hold
/// Begins, and then waits for something that has nothing to do with the database.
async fn hold_while_waiting(database: &Database, start: Instant) -> anyhow::Result<()> {
    let transaction = database.begin().await?;
    slow_answer_of_another_service().await;
    let users = UserRepository::new(&transaction);
    users.insert(new_user("carol@example.com")?, Timestamp::now()).await?;
    transaction.commit().await?;
    println!("  slow: done after {}", since(start));
    Ok(())
}

/// Waits first, and begins when everything is at hand.
async fn wait_then_hold(database: &Database, start: Instant) -> anyhow::Result<()> {
    slow_answer_of_another_service().await;
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    users.insert(new_user("dave@example.com")?, Timestamp::now()).await?;
    transaction.commit().await?;
    println!("  slow: done after {}", since(start));
    Ok(())
}
// ANCHOR_END: hold

/// Wants a connection a moment later.
async fn insert_soon(database: &Database, start: Instant) -> anyhow::Result<()> {
    sleep(Duration::from_millis(10)).await;
    let email = format!("quick{}@example.com", start.elapsed().as_nanos());
    UserRepository::new(database.writer())
        .insert(new_user(&email)?, Timestamp::now())
        .await?;
    println!("  quick: done after {}", since(start));
    Ok(())
}

async fn slow_answer_of_another_service() {
    sleep(Duration::from_millis(100)).await;
}

fn outcome<T>(outcome: &Result<T, PersistenceError>) -> &'static str {
    match outcome {
        Ok(_) => "done",
        Err(PersistenceError::Unavailable(_)) => "unavailable, no connection could be had in time",
        Err(_) => "failed for another reason",
    }
}

fn since(start: Instant) -> String {
    format!("{} ms", start.elapsed().as_millis())
}

fn new_user(email: &str) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse("Somebody")?,
        email: Email::parse(email)?,
    })
}
