//! Any number of users in memory that does not grow: imports, streams, exports, bounded channels, and a stream that is dropped.
//!
//! Run it: `cargo run --example streams`

extern crate async_starter_service as service;

use anyhow::Context;
use domain::{Email, NewUser, UserFilter, UserName};
use futures_util::TryStreamExt;
use persistence::{Database, DatabaseOptions, Migrations, UserRepository};
use secrecy::SecretString;
use service::{DatabaseRuntime, Freshness, Rejection, UserService, UserServiceOptions};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, Receiver},
    task::yield_now,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let database = Database::open(&DatabaseOptions::new(SecretString::from(url))).await?;
    Migrations::new(&database).up(None).await?;
    let runtime = DatabaseRuntime::new(Handle::current());
    let users = UserService::new(database.clone(), runtime, UserServiceOptions::default());

    println!("An import of 4500 lines, two of which are of no use.");
    import(&users).await?;

    until_at_rest(&database).await;
    println!("A cursor that streams: every row as it arrives.");
    stream_rows(&database).await?;

    println!("An export: pages of 1000, each a statement of its own.");
    let mut export = users.export(Freshness::Current);
    while let Some(page) = export.next_page().await? {
        // The reader is slow: the page that is fetched ahead arrives meanwhile.
        until_at_rest(&database).await;
        println!("  {} users; connections in use: {}", page.len(), in_use(&database));
    }

    println!("A channel with room for two pages, and a reader that has not begun.");
    let mut pages = send_pages(&users);
    while pages.len() < 2 {
        yield_now().await;
    }
    println!(
        "  pages in the channel: {}; the sender waits with the next in its hand",
        pages.len()
    );
    let first = pages.recv().await.context("the sender has gone")?;
    println!("  the reader takes {first} users, and drops the channel: the sender ends");
    drop(pages);

    until_at_rest(&database).await;
    database.close().await?;
    Ok(())
}

// ANCHOR: import
/// Adds lines one by one. Every 1000 of them are written by one transaction, while the next are gathered.
async fn import(users: &UserService) -> anyhow::Result<()> {
    let mut import = users.import();
    for line in 1..=4500 {
        let row = match line {
            2000 => Err("no user can be read here"),
            // The address of line 1.
            4000 => Ok(numbered(1)?),
            _ => Ok(numbered(line)?),
        };
        import.add(line, row).await?;
    }
    let report = import.finish().await?;
    let progress = report.progress;
    println!(
        "  {} lines, {} users, {} transactions",
        progress.received, progress.created, progress.committed_chunks
    );
    for rejected in report.rejected {
        let reason = match rejected.reason {
            Rejection::Unreadable(reason) => reason,
            Rejection::EmailTaken => "the address is taken",
        };
        println!("  line {}: {reason}", rejected.line);
    }
    Ok(())
}
// ANCHOR_END: import

// ANCHOR: rows
/// Reads three users of a stream, and drops it.
async fn stream_rows(database: &Database) -> anyhow::Result<()> {
    let users = UserRepository::new(database.reader());
    let everybody = UserFilter::default();
    let mut rows = Box::pin(users.stream(&everybody).await?);
    for _ in 0..3 {
        rows.try_next().await?.context("the list has ended")?;
    }
    println!("  three rows were read; connections in use: {}", in_use(database));
    drop(rows);
    until_at_rest(database).await;
    println!("  the stream was dropped; connections in use: {}", in_use(database));
    Ok(())
}
// ANCHOR_END: rows

// ANCHOR: channel
/// Exports into a channel with room for two pages, and hands out its other end.
fn send_pages(users: &UserService) -> Receiver<usize> {
    let (sender, receiver) = mpsc::channel(2);
    let mut export = users.export(Freshness::Current);
    tokio::spawn(async move {
        // Waits while the channel is full, so the database is asked no faster than pages are taken.
        while let Ok(Some(page)) = export.next_page().await {
            if sender.send(page.len()).await.is_err() {
                // Nobody reads any more. Dropping the export ends it.
                break;
            }
        }
    });
    receiver
}
// ANCHOR_END: channel

fn in_use(database: &Database) -> u32 {
    database.pool_status().iter().map(|pool| pool.in_use).sum()
}

/// A connection goes back to its pool in a task of its own, a moment after it was dropped.
async fn until_at_rest(database: &Database) {
    while in_use(database) > 0 {
        yield_now().await;
    }
}

fn numbered(number: u64) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(&format!("User {number}"))?,
        email: Email::parse(&format!("user-{number}@example.com"))?,
    })
}
