//! Requests that come at the same time share a statement. This counts how many statements a hundred requests become.
//!
//! Run it: `cargo run --example coalescing`

extern crate async_starter_service as service;

use domain::{Email, NewUser, User, UserName};
use persistence::{Database, DatabaseOptions, Migrations};
use secrecy::SecretString;
use service::{Coalescing, DatabaseRuntime, Freshness, Histogram, UserError, UserService, UserServiceOptions};
use tokio::{runtime::Handle, task::JoinSet};

// One thread: tasks take turns in a fixed order, so the numbers below are the same in every run.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let database = Database::open(&DatabaseOptions::new(SecretString::from(url))).await?;
    Migrations::new(&database).up(None).await?;

    println!("100 users are created, and the first two statements take a while.");
    let users = service(&database, true);
    let created = create_while_busy(&database, &users).await?;
    report("INSERT", 100, &users.counters().write_batch_sizes);
    println!("  each got a user of its own: {}", all_differ(&created));

    println!("The 100 users are read at the same time.");
    read_all(&users, &created).await?;
    report("SELECT", 100, &users.counters().read_batch_sizes);

    println!("The 100 users are read one after the other.");
    let users = service(&database, true);
    for user in &created {
        users.get(user.id, Freshness::Current).await?;
    }
    report("SELECT", 100, &users.counters().read_batch_sizes);

    println!("Two of 100 ask for an address that is taken.");
    let users = service(&database, true);
    let refused = with_two_that_are_taken(&users).await?;
    println!("  {refused} were refused, 98 created: a failure belongs to whoever caused it");

    println!("Sharing is switched off.");
    let users = service(&database, false);
    read_all(&users, &created).await?;
    println!(
        "  nothing was counted: {}",
        statements(&users.counters().read_batch_sizes) == 0
    );

    database.close().await?;
    Ok(())
}

// ANCHOR: service
/// Use cases over `database`, with statements that are shared or not.
fn service(database: &Database, shares: bool) -> UserService {
    let options = UserServiceOptions {
        coalescing: Coalescing {
            reads: shares,
            writes: shares,
        },
        ..UserServiceOptions::default()
    };
    UserService::new(database.clone(), DatabaseRuntime::new(Handle::current()), options)
}
// ANCHOR_END: service

// ANCHOR: busy
/// Creates 100 users, each in a task of its own, as a server does for each request. Somebody else holds the connection that
/// writes until all of them have come.
async fn create_while_busy(database: &Database, users: &UserService) -> anyhow::Result<Vec<User>> {
    let holder = database.begin().await?;
    let mut requests = JoinSet::new();
    for number in 0..100_u32 {
        let (service, new_user) = (users.clone(), numbered(number)?);
        requests.spawn(async move { service.create(new_user).await });
        // Each of the first two goes at once, alone. Wait until it is on its way.
        let on_their_way = f64::from((number + 1).min(2));
        while users.counters().write_batch_sizes.sum() < on_their_way {
            tokio::task::yield_now().await;
        }
    }
    holder.rollback().await?;
    let created: Result<Vec<_>, UserError> = requests.join_all().await.into_iter().collect();
    Ok(created?)
}
// ANCHOR_END: busy

async fn read_all(users: &UserService, known: &[User]) -> anyhow::Result<()> {
    let mut requests = JoinSet::new();
    for user in known {
        let (users, id) = (users.clone(), user.id);
        requests.spawn(async move { users.get(id, Freshness::Current).await });
    }
    for found in requests.join_all().await {
        found?;
    }
    Ok(())
}

/// Creates users 0 (taken), 100 to 197, and 1 (taken); returns how many were refused.
async fn with_two_that_are_taken(users: &UserService) -> anyhow::Result<usize> {
    let mut requests = JoinSet::new();
    for number in [0].into_iter().chain(100..198).chain([1]) {
        let (users, new_user) = (users.clone(), numbered(number)?);
        requests.spawn(async move { users.create(new_user).await });
    }
    let mut refused = 0;
    for outcome in requests.join_all().await {
        match outcome {
            Ok(_) => {}
            Err(UserError::EmailTaken) => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(refused)
}

fn numbered(number: u32) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(&format!("User {number}"))?,
        email: Email::parse(&format!("user-{number}@example.com"))?,
    })
}

// ANCHOR: report
/// Each value in the histogram is a statement; the sum of the values is the number of requests.
fn report(kind: &str, requests: u64, sizes: &Histogram) {
    println!("  {requests} requests became {} {kind} statements", statements(sizes));
    for (up_to, statements) in sizes.buckets().into_iter().filter(|(_, statements)| *statements > 0) {
        println!("    of up to {up_to} requests: {statements}");
    }
}

fn statements(sizes: &Histogram) -> u64 {
    sizes.buckets().iter().map(|(_, statements)| statements).sum()
}
// ANCHOR_END: report

fn all_differ(users: &[User]) -> bool {
    let ids: std::collections::HashSet<_> = users.iter().map(|user| user.id).collect();
    ids.len() == users.len()
}
