//! What may be run again, and how to make it so that everything may: conflicts, idempotency keys, a stampede, expiry.
//!
//! Run it: `cargo run --example retries_and_idempotency`

extern crate async_starter_service as service;

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use domain::{Email, NewUser, Timestamp, User, UserFilter, UserName, Violation};
use persistence::{Database, DatabaseOptions, Migrations, UserRepository};
use secrecy::SecretString;
use service::{DatabaseRuntime, IdempotentRequest, KeptOnce, Retries, RetryCounters, UserService, UserServiceOptions};
use tokio::{runtime::Handle, task::JoinSet};

/// An idempotency key of a client's choice, and what the client sends with it. A server makes both from the request.
const REQUEST: IdempotentRequest = IdempotentRequest {
    key: [1; 32],
    fingerprint: [2; 32],
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let options = DatabaseOptions::new(SecretString::from(url));
    let database = Database::open(&options).await?;
    Migrations::new(&database).up(None).await?;

    println!("Another process holds the lock of the database while a transaction tries to begin.");
    let other_process = Database::open(&options).await?;
    conflict(&options, &other_process).await?;
    other_process.close().await?;

    println!("A client creates Bob, hears nothing, and sends the same request with the same key again.");
    let users = service(&database, Duration::from_hours(24));
    tell(&create_once(&users, REQUEST, "bob").await?);
    tell(&create_once(&users, REQUEST, "bob").await?);
    let other_request = IdempotentRequest {
        fingerprint: [3; 32],
        ..REQUEST
    };
    if let Err(error) = create_once(&users, other_request, "carol").await {
        println!("  another request with that key: {error}");
    }

    println!("Twenty requests with one key come at the same time.");
    let (created, replayed) = stampede(&users).await?;
    println!("  {created} created, {replayed} got its answer again");

    println!("A key has expired, and the same request comes once more.");
    let forgetful = service(&database, Duration::ZERO);
    let key = IdempotentRequest {
        key: [9; 32],
        ..REQUEST
    };
    tell(&create_once(&forgetful, key, "erin").await?);
    if let Err(error) = create_once(&forgetful, key, "erin").await {
        println!("  again: {error}. The key is forgotten, the unique index is not");
    }

    let all = UserRepository::new(database.reader())
        .count(&UserFilter::default())
        .await?;
    println!("There are {all} users: Ann, Bob, Dave and Erin, each once.");
    database.close().await?;
    Ok(())
}

// ANCHOR: conflict
/// Runs a transaction while another process holds the lock, and lets go of the lock before the third run.
async fn conflict(options: &DatabaseOptions, other_process: &Database) -> anyhow::Result<()> {
    // SQLite waits for the lock for a quarter of this time before it reports a conflict.
    let impatient = DatabaseOptions {
        acquire_timeout: Duration::from_secs(1),
        ..options.clone()
    };
    let database = Database::open(&impatient).await?;
    let lock = RefCell::new(Some(other_process.begin().await?));
    let (ann, counters, runs) = (person("ann")?, RetryCounters::default(), Cell::new(0));
    let retries = Retries::new(counters.clone(), Duration::from_secs(10));
    let transaction = async || {
        runs.set(runs.get() + 1);
        if runs.get() == 3
            && let Some(lock) = lock.take()
        {
            lock.rollback().await?;
        }
        let transaction = database.begin().await?;
        let users = UserRepository::new(&transaction);
        let created = users.insert(ann.clone(), Timestamp::now()).await?;
        transaction.commit().await?;
        Ok(created)
    };
    let created = retries.run(transaction).await?;
    println!("  {} was created in run {}", created.email.as_str(), runs.get());
    println!(
        "  {} conflicts were counted; nothing of those runs is left",
        counters.conflicts.get()
    );
    database.close().await?;
    Ok(())
}
// ANCHOR_END: conflict

fn service(database: &Database, time_to_live: Duration) -> UserService {
    let options = UserServiceOptions {
        idempotency_time_to_live: time_to_live,
        ..UserServiceOptions::default()
    };
    UserService::new(database.clone(), DatabaseRuntime::new(Handle::current()), options)
}

// ANCHOR: create-once
/// Creates a user once. What is kept for the next time is the answer, as bytes.
async fn create_once(users: &UserService, request: IdempotentRequest, name: &str) -> anyhow::Result<KeptOnce> {
    let to_answer = |user: User| format!("id {}, {}", user.id, user.email.as_str()).into_bytes();
    Ok(users.create_once(request, person(name)?, to_answer).await?)
}

/// Twenty requests with one key at once: how many created somebody, and how many were given the answer of that.
async fn stampede(users: &UserService) -> anyhow::Result<(usize, usize)> {
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let users = users.clone();
        let request = IdempotentRequest {
            key: [7; 32],
            ..REQUEST
        };
        requests.spawn(async move { create_once(&users, request, "dave").await });
    }
    let answers: Vec<KeptOnce> = requests.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let replayed = answers.iter().filter(|kept| kept.is_replay).count();
    Ok((answers.len() - replayed, replayed))
}
// ANCHOR_END: create-once

fn tell(kept: &KeptOnce) {
    let how = if kept.is_replay { "given again" } else { "done" };
    println!("  {how}: {}", String::from_utf8_lossy(&kept.answer));
}

fn person(name: &str) -> Result<NewUser, Violation> {
    Ok(NewUser {
        name: UserName::parse(name)?,
        email: Email::parse(&format!("{name}@example.com"))?,
    })
}
