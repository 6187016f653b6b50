//! Two ways through a long list: by offset and by position. What each does to the answers, and to the work of the database.
//!
//! Run it: `cargo run --example pagination`

extern crate async_starter_persistence as persistence;

use std::collections::HashSet;

use anyhow::Context;
use domain::{Cursor, Email, NewUser, Precondition, Timestamp, User, UserFilter, UserName};
use persistence::{Connection, Database, DatabaseOptions, Migrations, UserRepository};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use secrecy::SecretString;

const EVERYBODY: UserFilter = UserFilter { email: None };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let database = Database::open(&DatabaseOptions::new(SecretString::from(url.as_str()))).await?;
    Migrations::new(&database).up(None).await?;
    let users = UserRepository::new(database.writer());
    // All of them in the same microsecond: the id has to keep them apart.
    users.insert_many(&people(0, 2000)?, at(0)?).await?;

    println!("Somebody reads page 1 and page 2; in between, a user is created.");
    let first = users.page(&EVERYBODY, 0, 20).await?;
    users.insert_many(&people(2000, 1)?, at(1)?).await?;
    let second = users.page(&EVERYBODY, 20, 20).await?;
    println!(
        "  by offset: {} user of page 1 is on page 2 again",
        in_both(&first, &second)
    );
    let last = first.last().map(Cursor::from);
    let second = users.after(&EVERYBODY, last, 20).await?;
    println!("  by position: {} users are repeated", in_both(&first, &second));

    println!("Then the first user of page 1 and the one after it are deleted.");
    for gone in first.iter().take(2) {
        users.delete(gone.id, &Precondition::None).await?;
    }
    let by_offset = users.page(&EVERYBODY, 20, 20).await?;
    let by_position = users.after(&EVERYBODY, last, 20).await?;
    println!(
        "  by offset: page 2 skips {} user",
        by_position.len() - in_both(&by_position, &by_offset)
    );
    println!("  by position: nothing has moved: {}", by_position == second);

    println!("A walk through the whole list, 73 at a time.");
    let seen = walk(database.reader()).await?;
    let different: HashSet<_> = seen.iter().map(|user| user.id).collect();
    let count = users.count(&EVERYBODY).await?;
    println!(
        "  {} users were seen, {} different ones, of {count}",
        seen.len(),
        different.len()
    );

    // The repository shows its answers and not its plans, so this asks the database directly.
    let database_itself = sea_orm::Database::connect(&url).await?;
    for (what, sql) in PLANS {
        println!("{what}");
        for line in plan(&database_itself, sql).await? {
            println!("  {line}");
        }
    }
    database_itself.close().await?;
    database.close().await?;
    Ok(())
}

// ANCHOR: walk
/// Everybody, a piece at a time. Each piece begins behind the last user of the one before.
async fn walk(connection: &Connection) -> anyhow::Result<Vec<User>> {
    let users = UserRepository::new(connection);
    let (mut seen, mut position) = (Vec::new(), None);
    loop {
        let piece = users.after(&EVERYBODY, position, 73).await?;
        let Some(last) = piece.last() else { return Ok(seen) };
        position = Some(Cursor::from(last));
        seen.extend(piece);
    }
}
// ANCHOR_END: walk

// ANCHOR: plans
/// What is asked for, and how.
const PLANS: [(&str, &str); 8] = [
    (
        "By offset, whole rows:",
        "SELECT * FROM users ORDER BY created_at DESC, id DESC LIMIT 20 OFFSET 1000",
    ),
    (
        "By offset, first the ids and then their rows:",
        "SELECT users.* FROM users INNER JOIN (SELECT id FROM users ORDER BY created_at DESC, id DESC LIMIT 20 OFFSET 1000) \
         AS page ON page.id = users.id ORDER BY created_at DESC, users.id DESC",
    ),
    (
        "By position:",
        "SELECT * FROM users WHERE created_at <= ?1 AND (created_at < ?1 OR id < ?2) ORDER BY created_at DESC, id DESC LIMIT 20",
    ),
    (
        "By position, as a comparison of rows:",
        "SELECT * FROM users WHERE (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC LIMIT 20",
    ),
    (
        "By position, with the OR on the outside:",
        "SELECT * FROM users WHERE created_at < ?1 OR (created_at = ?1 AND id < ?2) ORDER BY created_at DESC, id DESC LIMIT 20",
    ),
    (
        "Ordered by what no index has:",
        "SELECT * FROM users ORDER BY name LIMIT 20",
    ),
    (
        "Filtered by address:",
        "SELECT * FROM users WHERE email = ?1 ORDER BY created_at DESC, id DESC LIMIT 20",
    ),
    ("Counted:", "SELECT COUNT(*) FROM users"),
];

/// How SQLite would go about a statement, in its own words.
async fn plan(database: &DatabaseConnection, sql: &str) -> anyhow::Result<Vec<String>> {
    let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = database.query_all_raw(explain).await?;
    let details = steps.iter().map(|step| step.try_get::<String>("", "detail"));
    details.collect::<Result<_, _>>().context("the plan cannot be read")
}
// ANCHOR_END: plans

fn in_both(some: &[User], others: &[User]) -> usize {
    some.iter().filter(|user| others.contains(user)).count()
}

fn people(from: usize, count: usize) -> anyhow::Result<Vec<NewUser>> {
    let numbered = |number| {
        Ok(NewUser {
            name: UserName::parse(&format!("User {number}"))?,
            email: Email::parse(&format!("user-{number}@example.com"))?,
        })
    };
    (from..from + count).map(numbered).collect()
}

/// So many microseconds after a fixed time.
fn at(micros: i64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_unix_micros(1_763_870_713_000_000 + micros)?)
}
