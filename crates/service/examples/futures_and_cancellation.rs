//! Futures, tasks and cancellation: what runs when, what stops where, and what becomes of a transaction on the way.
//!
//! Run it: `cargo run --example futures_and_cancellation`

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_starter_service::{Caller, DatabaseRuntime, UserError};
use domain::{Email, NewUser, Timestamp, UserFilter, UserName};
use persistence::{Database, DatabaseOptions, Migrations, PersistenceError, UserRepository};
use tokio::{runtime::Handle, sync::mpsc, sync::oneshot, task::spawn_blocking, time::timeout};

const A_MOMENT: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("futures.db").display());
    let database = Database::open(&DatabaseOptions::new(url.into())).await?;
    Migrations::new(&database).up(None).await?;
    println!("A future is lazy");
    let users = UserRepository::new(database.writer());
    let creation = users.insert(new_user("ann@example.com")?, Timestamp::now());
    println!("  insert() was called: {} in the table", count(&database).await?);
    creation.await?;
    println!("  and awaited: {} in the table", count(&database).await?);
    println!("A future is polled");
    println!("  then it is ready with {:?}", Countdown(2).await);
    println!("A future that is dropped stops at its await");
    timeout(A_MOMENT, wait_with_guard()).await.ok();

    println!("What it had taken is lost");
    lose_a_message().await?;

    println!("Work that nobody waits for");
    give_up(&database).await?;
    println!("  {} in the table", count(&database).await?);

    println!("Work for the processor");
    let here = std::thread::current().id();
    let there = spawn_blocking(|| std::thread::current().id()).await?;
    println!("  spawn_blocking ran it on another thread: {}", here != there);
    Ok(database.close().await?)
}

// ANCHOR: countdown
/// A future by hand: it is ready when it has been polled often enough.
struct Countdown(u32);

impl Future for Countdown {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        println!("  polled, {} to go", self.0);
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready("lift-off");
        };
        self.0 = left;
        // Whoever returns `Pending` sees to it that it is polled again, or it sleeps for ever.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
// ANCHOR_END: countdown

// ANCHOR: guard
/// Does something when it is dropped, whichever way the function is left.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        println!("  the guard is dropped");
    }
}

async fn wait_with_guard() {
    let _guard = Guard;
    println!("  before the await");
    std::future::pending::<()>().await;
    println!("  after the await: never printed");
}
// ANCHOR_END: guard

// ANCHOR: lose
/// Not safe to cancel: a message that it has taken is in a local variable when it waits for the next.
async fn next_two(messages: &mut mpsc::Receiver<&str>) -> Option<[String; 2]> {
    let first = messages.recv().await?.to_owned();
    let second = messages.recv().await?.to_owned();
    Some([first, second])
}

async fn lose_a_message() -> anyhow::Result<()> {
    let (sender, mut messages) = mpsc::channel(3);
    sender.send("one").await?;
    println!(
        "  cancelled: {}",
        timeout(A_MOMENT, next_two(&mut messages)).await.is_err()
    );
    sender.send("two").await?;
    sender.send("three").await?;
    println!("  asked again: {:?}", next_two(&mut messages).await.unwrap_or_default());
    Ok(())
}
// ANCHOR_END: lose

// ANCHOR: give-up
/// Waits for a creation for a moment. The work learns of it only when it is about to commit.
async fn give_up(database: &Database) -> anyhow::Result<()> {
    let runtime = DatabaseRuntime::new(Handle::current());
    let (gone, is_gone) = oneshot::channel::<()>();
    let (end, has_ended) = oneshot::channel::<()>();
    let (database, bob) = (database.clone(), new_user("bob@example.com")?);
    let work = |caller: Caller| async move {
        let transaction = database.begin().await?;
        UserRepository::new(&transaction).insert(bob, Timestamp::now()).await?;
        is_gone.await.ok();
        let outcome = caller.commit(transaction).await;
        println!("  the work came to its end, and its commit said: {}", said(&outcome));
        drop(end);
        Ok::<_, UserError>(())
    };
    let outcome = timeout(A_MOMENT, runtime.run_for_caller(work)).await;
    println!("  the caller gave up: {}", outcome.is_err());
    gone.send(()).ok();
    has_ended.await.ok();
    Ok(())
}
// ANCHOR_END: give-up

fn said(outcome: &Result<(), PersistenceError>) -> String {
    outcome
        .as_ref()
        .map_or_else(ToString::to_string, |()| "done".to_owned())
}

/// Waits for the one connection that writes, and so for whoever still works with it.
async fn count(database: &Database) -> Result<u64, PersistenceError> {
    let everybody = UserFilter { email: None };
    UserRepository::new(database.writer()).count(&everybody).await
}

fn new_user(email: &str) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse("Somebody")?,
        email: Email::parse(email)?,
    })
}
