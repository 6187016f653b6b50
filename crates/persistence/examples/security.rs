//! SQL injection: the same hostile text, once pasted into a statement and once bound to it.
//!
//! `cargo run --example security`

use async_starter_persistence::{Database, DatabaseOptions, Migrations, UserRepository};
use domain::{Email, UserFilter};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, Statement,
    sea_query::Values,
    sqlx::{SqlitePool, sqlite::SqlitePoolOptions},
};
use secrecy::{ExposeSecret, SecretString};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    let connection = DatabaseConnection::from(pool);
    connection
        .execute_unprepared("CREATE TABLE users (name TEXT NOT NULL)")
        .await?;
    connection
        .execute_unprepared("INSERT INTO users (name) VALUES ('Ann'), ('Bob')")
        .await?;

    let hostile = "nobody' OR '1'='1";
    println!("Somebody asks for the user called {hostile}");
    println!("  pasted: {} rows", pasted(&connection, hostile).await?);
    println!("  bound:  {} rows", bound(&connection, hostile).await?);

    println!("\nAn apostrophe that means no harm:");
    let outcome = pasted(&connection, "O'Neil").await;
    println!(
        "  pasted: {}",
        if outcome.is_err() { "a syntax error" } else { "found" }
    );
    println!("  bound:  {} rows", bound(&connection, "O'Neil").await?);

    println!("\nText that is executed without being prepared may be several statements:");
    let hostile = "nobody'; DELETE FROM users; --";
    let sql = format!("SELECT name FROM users WHERE name = '{hostile}'");
    connection.execute_unprepared(&sql).await?;
    println!("  rows left: {}", all(&connection).await?);
    connection.close().await?;

    repository().await?;
    secrets();
    Ok(())
}

// ANCHOR: pasted
/// What a value says becomes part of the statement. Never do this.
async fn pasted(connection: &DatabaseConnection, name: &str) -> Result<usize, DbErr> {
    let sql = format!("SELECT name FROM users WHERE name = '{name}'");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Ok(connection.query_all_raw(statement).await?.len())
}
// ANCHOR_END: pasted

// ANCHOR: bound
/// The statement is fixed when it is prepared. The value travels beside it, whatever it says.
async fn bound(connection: &DatabaseConnection, name: &str) -> Result<usize, DbErr> {
    let sql = "SELECT name FROM users WHERE name = ?";
    let values = Values(vec![name.into()]);
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(connection.query_all_raw(statement).await?.len())
}
// ANCHOR_END: bound

async fn all(connection: &DatabaseConnection) -> Result<usize, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), "SELECT name FROM users");
    Ok(connection.query_all_raw(statement).await?.len())
}

// ANCHOR: repository
/// The repository takes types of the domain: there is no way to hand it text that nobody has looked at.
async fn repository() -> anyhow::Result<()> {
    let database = Database::open(&DatabaseOptions::new(SecretString::from("sqlite::memory:"))).await?;
    Migrations::new(&database).up(None).await?;
    println!("\nThe repository of this project binds every value, and takes none that its type refuses:");
    println!(
        "  {:?}",
        Email::parse("x' OR '1'='1").map_err(|violation| violation.to_string())
    );
    let quoted = UserFilter {
        email: Some(Email::parse("o'neil@example.com")?),
    };
    let found = UserRepository::new(database.reader()).count(&quoted).await?;
    println!("  o'neil@example.com is an address, and {found} users have it");
    database.close().await?;
    Ok(())
}
// ANCHOR_END: repository

// ANCHOR: secrets
/// A secret has to be asked for by name. Whatever prints a struct that holds one prints this instead.
fn secrets() {
    let options = DatabaseOptions::new(SecretString::from("postgres://app:correct-horse@db/app"));
    println!("\nThe address of a database in a log: {:?}", options.url);
    println!(
        "  who opens the pool asks for it: {} characters",
        options.url.expose_secret().len()
    );
}
// ANCHOR_END: secrets
