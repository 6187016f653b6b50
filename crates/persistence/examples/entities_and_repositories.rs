//! From a row to a value whose rules hold, and back, over a pool or within a transaction.
//!
//! Run it: `cargo run --example entities_and_repositories`

use std::time::Instant;

use async_starter_persistence::{Database, DatabaseOptions, Executor, Migrations, PersistenceError, UserRepository};
use domain::{Email, NewUser, Timestamp, User, UserFilter, UserId, UserName};
use sea_orm::ConnectionTrait;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("entities.db").display());
    let database = Database::open(&DatabaseOptions::new(url.clone().into())).await?;
    Migrations::new(&database).up(None).await?;

    println!("Values whose rules hold");
    rules();

    println!("The same repository over a pool and in a transaction");
    let transaction = database.begin().await?;
    let ann = UserRepository::new(&transaction)
        .insert(new_user(1)?, Timestamp::now())
        .await?;
    println!("  in the transaction: {}", describe(&transaction, ann.id).await?);
    println!("  over the pool: {}", describe(database.reader(), ann.id).await?);
    transaction.commit().await?;
    println!("  after the commit: {}", describe(database.reader(), ann.id).await?);

    println!("What comes back is what was sent");
    let found = UserRepository::new(database.reader()).find(ann.id).await?;
    println!(
        "  the user that was inserted equals the one that is read: {}",
        found.as_ref() == Some(&ann)
    );

    println!("A row that somebody wrote past the program");
    write_past_the_program(&url).await?;
    let users = UserRepository::new(database.reader());
    match users.page(&UserFilter { email: None }, 0, 10).await {
        Ok(page) => println!("  read {} users", page.len()),
        Err(error) => println!("  {error}"),
    }

    println!("A hundred users by id");
    let ids = insert_hundred(&database).await?;
    one_by_one(&database, &ids).await?;
    all_at_once(&database, &ids).await?;
    Ok(database.close().await?)
}

// ANCHOR: rules
fn rules() {
    for text in ["Ann@Example.COM", "nobody", "ann@localhost"] {
        match Email::parse(text) {
            Ok(email) => println!("  {text}: an address, {}", email.as_str()),
            Err(violation) => println!("  {text}: {violation}"),
        }
    }
}
// ANCHOR_END: rules

// ANCHOR: describe
/// Works over a pool and in a transaction alike.
async fn describe(executor: &impl Executor, id: UserId) -> Result<&'static str, PersistenceError> {
    let found = UserRepository::new(executor).find(id).await?;
    Ok(if found.is_some() {
        "the user is there"
    } else {
        "nobody is there"
    })
}
// ANCHOR_END: describe

/// With a connection of its own and SQL by hand, as somebody at a console would.
async fn write_past_the_program(url: &str) -> anyhow::Result<()> {
    let console = sea_orm::Database::connect(url).await?;
    let sql = "INSERT INTO users (name, email) VALUES ('   ', 'blank@example.com')";
    console.execute_unprepared(sql).await?;
    console.close().await?;
    Ok(())
}

async fn insert_hundred(database: &Database) -> anyhow::Result<Vec<UserId>> {
    let new_users: Vec<NewUser> = (100..200).map(new_user).collect::<Result<_, _>>()?;
    let inserted: Vec<User> = UserRepository::new(database.writer())
        .insert_many(&new_users, Timestamp::now())
        .await?;
    Ok(inserted.iter().map(|user| user.id).collect())
}

// ANCHOR: n-plus-one
/// A statement for each.
async fn one_by_one(database: &Database, ids: &[UserId]) -> Result<(), PersistenceError> {
    let (users, start) = (UserRepository::new(database.reader()), Instant::now());
    let mut found = 0;
    for id in ids {
        found += usize::from(users.find(*id).await?.is_some());
    }
    println!("  {found} in as many statements: {}", since(start));
    Ok(())
}

/// One statement for all.
async fn all_at_once(database: &Database, ids: &[UserId]) -> Result<(), PersistenceError> {
    let (users, start) = (UserRepository::new(database.reader()), Instant::now());
    let found = users.find_each(ids).await?;
    println!("  {} in one statement: {}", found.len(), since(start));
    Ok(())
}
// ANCHOR_END: n-plus-one

fn since(start: Instant) -> String {
    format!("{:.1} ms", start.elapsed().as_secs_f64() * 1000.0)
}

fn new_user(number: u32) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(&format!("User {number}"))?,
        email: Email::parse(&format!("user{number}@example.com"))?,
    })
}
