//! Seeing the SQL: the events of the driver, taken up by a layer of twenty lines, with the request that caused each.
//!
//! `cargo run --example sql_logging`

use std::{fmt, time::Duration};

use async_starter_persistence::{Database, DatabaseOptions, Migrations, PersistenceError, UserRepository};
use domain::{Email, NewUser, Timestamp, UserName};
use secrecy::SecretString;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{
    Event, Instrument, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (sender, mut events) = unbounded_channel();
    let database = open(Duration::from_millis(200)).await?;
    // ANCHOR: subscribe
    let what = Targets::new().with_targets([("sqlx::query", LevelFilter::DEBUG), ("sql_logging", LevelFilter::INFO)]);
    let layer = Statements(sender).with_filter(what);
    tracing_subscriber::registry().with(layer).init();
    // ANCHOR_END: subscribe

    println!("Every statement is an event of the target sqlx::query. Its values are not in it:");
    let ann = NewUser {
        name: UserName::parse("Ann")?,
        email: Email::parse("ann@example.com")?,
    };
    // ANCHOR: span
    let request = tracing::info_span!("request", request_id = "lesson-1");
    insert(&database, ann.clone()).instrument(request).await?;
    // ANCHOR_END: span
    tell(&mut events, "INSERT").await;

    println!("\nA statement that fails is an event too. Why it failed is in the error alone:");
    let outcome = insert(&database, ann.clone()).await;
    tell(&mut events, "INSERT").await;
    if let Err(error) = outcome {
        println!("  outcome: {error}");
    }

    println!("\nA transaction: this driver tells of the statement in it, and not of BEGIN and COMMIT:");
    let request = tracing::info_span!("request", request_id = "lesson-2");
    look_up_in_transaction(&database, &ann.email)
        .instrument(request)
        .await?;
    tell(&mut events, "").await;
    database.close().await?;

    println!("\nWhat takes longer than the threshold is a warning. Here the threshold is zero:");
    let impatient = open(Duration::ZERO).await?;
    insert(&impatient, ann).await?;
    tell(&mut events, "INSERT INTO \"users\"").await;
    impatient.close().await?;
    Ok(())
}

async fn open(slow: Duration) -> Result<Database, PersistenceError> {
    let options = DatabaseOptions {
        slow_statement_threshold: slow,
        ..DatabaseOptions::new(SecretString::from("sqlite::memory:"))
    };
    let database = Database::open(&options).await?;
    Migrations::new(&database).up(None).await?;
    Ok(database)
}

async fn insert(database: &Database, user: NewUser) -> Result<(), PersistenceError> {
    let users = UserRepository::new(database.writer());
    users.insert(user, Timestamp::now()).await.map(|_| ())
}

async fn look_up_in_transaction(database: &Database, email: &Email) -> Result<(), PersistenceError> {
    let transaction = database.begin().await?;
    UserRepository::new(&transaction).find_by_email(email).await?;
    transaction.commit().await
}

/// Prints the next event of a statement that begins like this. The thread of SQLite tells of it a little after its result.
async fn tell(events: &mut UnboundedReceiver<String>, begins_with: &str) {
    while let Some(line) = events.recv().await {
        if line.contains(&format!("\n    {begins_with}")) {
            println!("{line}");
            return;
        }
    }
}

// ANCHOR: layer
/// Sends a line for each event. The fields of a span are kept with the span when it begins.
struct Statements(UnboundedSender<String>);

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Statements {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.iter().cloned());
            }
        }
        // Nobody may be listening any more.
        let _ = self.0.send(fields.line(event));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.trim().to_owned()));
    }

    /// Numbers come here as well.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
// ANCHOR_END: layer

impl Fields {
    fn line(&self, event: &Event<'_>) -> String {
        let value = |name| self.0.iter().find(|(known, value)| *known == name && !value.is_empty());
        let text = |name| value(name).map_or("none", |(_, value)| value);
        let millis = text("elapsed_secs").parse::<f64>().unwrap_or_default() * 1000.0;
        // A short statement is told as its summary alone.
        let sql = value("db.statement").map_or_else(|| text("summary"), |(_, sql)| sql);
        let (level, request_id) = (event.metadata().level(), text("request_id"));
        format!("  {level} request_id={request_id} after {millis:.2} ms\n    {sql}")
    }
}
