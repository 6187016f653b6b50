//! Transactions: what is kept, what is undone, and how nobody overwrites what they have not seen.
//!
//! Run it: `cargo run --example transactions`

use std::{future::pending, time::Duration};

use async_starter_persistence::{Database, DatabaseOptions, Migrations, PersistenceError, UserRepository};
use domain::{Email, NewUser, Precondition, Timestamp, User, UserChanges, UserFilter, UserName};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("transactions.db").display());
    let database = Database::open(&DatabaseOptions::new(url.into())).await?;
    Migrations::new(&database).up(None).await?;

    println!("Commit, or nothing");
    let ann = commit(&database).await?;
    println!("  committed: {} in the table", count(&database).await?);
    let refused = insert_both(&database).await;
    println!("  Bob was inserted, the second Ann was not: {}", reason(&refused));
    println!(
        "  the function returned early with `?`: {} in the table",
        count(&database).await?
    );

    println!("Cancelled half-way");
    let outcome = timeout(Duration::from_millis(20), insert_and_never_commit(&database)).await;
    println!("  the future was dropped at its await: {}", outcome.is_err());
    println!(
        "  and with it the transaction: {} in the table",
        count(&database).await?
    );

    println!("A lost update");
    save_twice(&database, &ann, &Precondition::None).await?;
    println!("The same with a precondition");
    let current = UserRepository::new(database.writer()).find(ann.id).await?;
    let as_seen = Precondition::OneOf(current.iter().map(User::revision).collect());
    save_twice(&database, &ann, &as_seen).await?;

    database.close().await?;
    println!("Values, not objects of a session");
    println!(
        "  the database is closed, and {} <{}> is still here",
        ann.name.as_str(),
        ann.email.as_str()
    );
    Ok(())
}

// ANCHOR: commit
/// Inserts a user, and keeps the insert.
async fn commit(database: &Database) -> anyhow::Result<User> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    let ann = users
        .insert(new_user("Ann", "ann@example.com")?, Timestamp::now())
        .await?;
    transaction.commit().await?;
    Ok(ann)
}
// ANCHOR_END: commit

// ANCHOR: insert-both
/// The second insert is refused. The `?` leaves the function, `transaction` is dropped, and Bob is gone again.
async fn insert_both(database: &Database) -> anyhow::Result<()> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    users
        .insert(new_user("Bob", "bob@example.com")?, Timestamp::now())
        .await?;
    users
        .insert(new_user("Another Ann", "ann@example.com")?, Timestamp::now())
        .await?;
    transaction.commit().await?;
    Ok(())
}
// ANCHOR_END: insert-both

// ANCHOR: never-commit
/// Inserts a user and then waits for something that never comes, with the transaction open.
async fn insert_and_never_commit(database: &Database) -> anyhow::Result<()> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    users
        .insert(new_user("Carol", "carol@example.com")?, Timestamp::now())
        .await?;
    pending::<()>().await;
    transaction.commit().await?;
    Ok(())
}
// ANCHOR_END: never-commit

/// Two people have seen the same user, and save one after the other.
async fn save_twice(database: &Database, seen: &User, precondition: &Precondition) -> anyhow::Result<()> {
    for name in ["Ann Lee", "Ann Smith"] {
        match rename(database, seen, name, precondition).await? {
            Some(user) => println!("  saved: {} is version {}", user.name.as_str(), user.version),
            None => println!("  {name} was not saved: the user has changed since"),
        }
    }
    Ok(())
}

async fn rename(
    database: &Database,
    user: &User,
    name: &str,
    precondition: &Precondition,
) -> anyhow::Result<Option<User>> {
    let changes = UserChanges::new(Some(UserName::parse(name)?), None)?;
    let transaction = database.begin().await?;
    let saved = UserRepository::new(&transaction)
        .update(user.id, &changes, precondition, Timestamp::now())
        .await?;
    transaction.commit().await?;
    Ok(saved)
}

fn reason(outcome: &anyhow::Result<()>) -> &'static str {
    let error = outcome.as_ref().err().and_then(|error| error.downcast_ref());
    match error {
        Some(PersistenceError::EmailTaken) => "the address is taken",
        _ => "for another reason",
    }
}

/// Asks the connection that writes, which on SQLite is the only one that could show what is not committed.
async fn count(database: &Database) -> Result<u64, PersistenceError> {
    UserRepository::new(database.writer())
        .count(&UserFilter { email: None })
        .await
}

fn new_user(name: &str, email: &str) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(name)?,
        email: Email::parse(email)?,
    })
}
