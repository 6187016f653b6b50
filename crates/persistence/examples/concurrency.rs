//! Doing several things at once: in one task or in many, with a limit, and when one of them fails.
//!
//! Run it: `cargo run --example concurrency`

use std::time::{Duration, Instant};

use async_starter_persistence::{Database, DatabaseOptions, Migrations, PersistenceError, UserRepository};
use domain::{Email, NewUser, Timestamp, User, UserName};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use tokio::{sync::oneshot, task::JoinSet, time::sleep};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("concurrency.db").display());
    let database = Database::open(&DatabaseOptions::new(url.into())).await?;
    Migrations::new(&database).up(None).await?;
    at_once(&database).await?;
    tasks().await?;
    failures(&database).await?;
    nobody_waits().await?;
    race(&database).await?;
    Ok(database.close().await?)
}

// ANCHOR: create
/// Asks another service, and creates the user in a transaction of its own.
async fn create(database: &Database, number: u32) -> anyhow::Result<User> {
    sleep(Duration::from_millis(50)).await;
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    let user = users.insert(new_user(&number.to_string())?, Timestamp::now()).await?;
    transaction.commit().await?;
    Ok(user)
}
// ANCHOR_END: create

// ANCHOR: at-once
async fn at_once(database: &Database) -> anyhow::Result<()> {
    println!("Five users");
    let (start, mut users) = (Instant::now(), Vec::new());
    for number in 1..=5 {
        users.push(create(database, number).await?);
    }
    report("one after another", &users, start);

    let start = Instant::now();
    let users = try_join_all((6..=10).map(|number| create(database, number))).await?;
    report("at once", &users, start);

    let start = Instant::now();
    let creations = (11..=15).map(|number| create(database, number));
    let users: Vec<User> = stream::iter(creations).buffered(2).try_collect().await?;
    report("at most two at once", &users, start);
    Ok(())
}
// ANCHOR_END: at-once

// ANCHOR: tasks
/// Tasks run by themselves, on any thread, and are collected as they finish.
async fn tasks() -> anyhow::Result<()> {
    println!("Tasks");
    let (may_go_on, waits) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(async { waits.await.map_or("the first, alone", |()| "the first") });
    tasks.spawn(async { "the second" });
    let earlier = tasks.join_next().await.transpose()?;
    may_go_on.send(()).ok();
    let later = tasks.join_next().await.transpose()?;
    println!("  finished: {earlier:?}, then {later:?}");
    Ok(())
}
// ANCHOR_END: tasks

// ANCHOR: failures
/// One of the two fails at once. What becomes of the other?
async fn failures(database: &Database) -> anyhow::Result<()> {
    println!("One of two fails");
    let both = tokio::try_join!(async { new_user("no address") }, create(database, 16));
    println!("  try_join: stopped {}, the other was dropped", both.is_err());
    let (failed, created) = tokio::join!(async { new_user("no address") }, create(database, 16));
    println!(
        "  join: failed {}, the other was created {}",
        failed.is_err(),
        created.is_ok()
    );
    Ok(())
}
// ANCHOR_END: failures

// ANCHOR: nobody-waits
/// The sender is dropped with its task: whoever listens hears that nothing will come.
async fn nobody_waits() -> anyhow::Result<()> {
    println!("Nobody waits");
    let (sender, heard) = oneshot::channel();
    drop(tokio::spawn(async {
        sleep(Duration::from_millis(10)).await;
        sender.send("done")
    }));
    println!("  its handle was dropped: {}", heard.await.unwrap_or("aborted"));

    let (sender, heard) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async {
        sleep(Duration::from_mins(1)).await;
        sender.send("done")
    });
    drop(tasks);
    println!("  its JoinSet was dropped: {}", heard.await.unwrap_or("aborted"));
    Ok(())
}
// ANCHOR_END: nobody-waits

// ANCHOR: race
/// Twenty tasks want one address. None asks whether it is free.
async fn race(database: &Database) -> anyhow::Result<()> {
    println!("Twenty want one address");
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let (database, racer) = (database.clone(), new_user("racer")?);
        tasks.spawn(async move {
            UserRepository::new(database.writer())
                .insert(racer, Timestamp::now())
                .await
        });
    }
    let (mut created, mut taken) = (0, 0);
    for outcome in tasks.join_all().await {
        match outcome {
            Ok(_) => created += 1,
            Err(PersistenceError::EmailTaken) => taken += 1,
            Err(error) => return Err(error.into()),
        }
    }
    println!("  {created} got it, {taken} were told that it is taken");
    Ok(())
}
// ANCHOR_END: race

fn report(how: &str, users: &[User], start: Instant) {
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    println!("  {how}: {} after {} ms", names.join(" "), start.elapsed().as_millis());
}

fn new_user(name: &str) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(name)?,
        email: Email::parse(&format!("{name}@example.com"))?,
    })
}
