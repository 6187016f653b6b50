//! Who has come since Monday? A first query of one's own, on a database that exists for as long as the program runs.
//!
//! Run it: `cargo run --example newcomers`

use async_starter_persistence::{Database, DatabaseOptions, Migrations, UserRepository};
use domain::{Email, NewUser, Timestamp, UserName};

/// Who comes, and at what second after the start of Monday.
const ARRIVALS: [(&str, &str, i64); 4] = [
    ("Ann", "ann@example.com", -60),
    ("Ben", "ben@example.com", 0),
    ("千春", "chiharu@example.com", 3_600),
    ("Dora", "dora@example.com", 86_400),
];

/// Monday, 2 November 2026, 00:00 UTC, in seconds from the Unix epoch.
const MONDAY: i64 = 1_793_577_600;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("newcomers.db").display());
    let database = Database::open(&DatabaseOptions::new(url.into())).await?;
    Migrations::new(&database).up(None).await?;

    let users = UserRepository::new(database.writer());
    for (name, email, second) in ARRIVALS {
        let new_user = NewUser {
            name: UserName::parse(name)?,
            email: Email::parse(email)?,
        };
        users.insert(new_user, at(second)?).await?;
    }

    println!("since Monday, newest first:");
    for user in users.created_since(at(0)?, 10).await? {
        println!("  {}  {}", user.created_at, user.name.as_str());
    }
    println!("the newest alone:");
    for user in users.created_since(at(0)?, 1).await? {
        println!("  {}  {}", user.created_at, user.name.as_str());
    }

    database.close().await?;
    Ok(())
}

/// The time `second` seconds after the start of Monday.
fn at(second: i64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_unix_micros((MONDAY + second) * 1_000_000)?)
}
