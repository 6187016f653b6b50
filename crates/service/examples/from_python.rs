//! What `get_session()`, `expire_on_commit` and `asyncio.gather` become: a transaction, values, and futures that are joined.
//!
//! `cargo run --example from_python`

extern crate async_starter_service as service;

use domain::{Email, NewUser, Precondition, Timestamp, UserChanges, UserFilter, UserName};
use futures_util::future::try_join_all;
use persistence::{Database, DatabaseOptions, Migrations, Transaction, UserRepository};
use secrecy::SecretString;
use service::{DatabaseRuntime, Freshness, UserService, UserServiceOptions};
use tokio::runtime::Handle;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let database = Database::open(&DatabaseOptions::new(SecretString::from(url))).await?;
    Migrations::new(&database).up(None).await?;
    let runtime = DatabaseRuntime::new(Handle::current());
    let users = UserService::new(database.clone(), runtime, UserServiceOptions::default());

    println!("A transaction that is committed, and one that an error leaves by `?`:");
    sessions(&database).await?;
    println!("A user is a value. What others do does not change it:");
    values(&users).await?;
    println!("Five at once:");
    gather(&users).await?;

    println!("In the end there are {} users.", count(&database).await?);
    database.close().await?;
    Ok(())
}

// ANCHOR: in-transaction
/// Commits what `work` does if that succeeds. Otherwise the transaction is dropped, which rolls it back.
async fn in_transaction<T>(
    database: &Database,
    work: impl AsyncFnOnce(&Transaction) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let transaction = database.begin().await?;
    let done = work(&transaction).await?;
    transaction.commit().await?;
    Ok(done)
}
// ANCHOR_END: in-transaction

async fn sessions(database: &Database) -> anyhow::Result<()> {
    // ANCHOR: session
    let ann = in_transaction(database, async |transaction| {
        let users = UserRepository::new(transaction);
        Ok(users.insert(new_user("Ann")?, Timestamp::now()).await?)
    });
    println!("  created {}", ann.await?.name.as_str());

    let bob_and_ann = in_transaction(database, async |transaction| {
        let users = UserRepository::new(transaction);
        users.insert(new_user("Bob")?, Timestamp::now()).await?;
        Ok(users.insert(new_user("Ann")?, Timestamp::now()).await?)
    });
    if let Err(error) = bob_and_ann.await {
        println!("  refused: {error}");
    }
    // ANCHOR_END: session
    println!("  users: {}; Bob went with his transaction", count(database).await?);
    Ok(())
}

async fn values(users: &UserService) -> anyhow::Result<()> {
    let cid = users.create(new_user("Cid")?).await?;
    // ANCHOR: value
    let before = users.get(cid.id, Freshness::Current).await?;
    let rename = UserChanges::new(Some(UserName::parse("Sid")?), None)?;
    let after = users.update(cid.id, rename.clone(), Precondition::None).await?;
    println!("  before: {}, after: {}", before.name.as_str(), after.name.as_str());

    // Who still holds the old value can say so, and is refused.
    let as_before = Precondition::OneOf(vec![before.revision()]);
    if let Err(error) = users.update(cid.id, rename, as_before).await {
        println!("  refused: {error}");
    }
    // ANCHOR_END: value
    Ok(())
}

async fn gather(users: &UserService) -> anyhow::Result<()> {
    // ANCHOR: gather
    let names = ["Dan", "Eve", "Fay", "Gil", "Hal"];
    let new_users: Vec<NewUser> = names.into_iter().map(new_user).collect::<anyhow::Result<_>>()?;
    // Nothing has begun yet: a future does nothing before it is awaited.
    let creations = new_users.into_iter().map(|new_user| users.create(new_user));
    let created = try_join_all(creations).await?;
    // ANCHOR_END: gather
    for user in created {
        println!("  {}", user.name.as_str());
    }
    Ok(())
}

fn new_user(name: &str) -> anyhow::Result<NewUser> {
    Ok(NewUser {
        name: UserName::parse(name)?,
        email: Email::parse(&format!("{name}@example.com"))?,
    })
}

async fn count(database: &Database) -> anyhow::Result<u64> {
    let everybody = UserFilter::default();
    Ok(UserRepository::new(database.writer()).count(&everybody).await?)
}
