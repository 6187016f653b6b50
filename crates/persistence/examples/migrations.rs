//! The schema as a list of steps: what is pending, eight processes that migrate at once, there and back, the lint, the script.
//!
//! Run it: `cargo run --example migrations`

extern crate async_starter_persistence as persistence;

use persistence::{Database, DatabaseOptions, LintVerdict, Migrations, lint_migrations, mysql_script};
use secrecy::SecretString;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("example.db").display());
    let options = DatabaseOptions::new(SecretString::from(url));
    let database = Database::open(&options).await?;
    let migrations = Migrations::new(&database);

    println!("The database is empty.");
    status(&migrations).await?;

    println!("Eight processes start at the same moment, and each migrates.");
    let applied = migrate_eight_times(&options).await?;
    let workers = applied.iter().filter(|steps| !steps.is_empty()).count();
    println!(
        "  {workers} of them applied {} steps; the others found nothing to do",
        applied.concat().len()
    );

    println!("The last step is reverted, and applied again.");
    println!("  down: {}", migrations.down(1).await?.join(", "));
    println!("  pending: {}", migrations.any_pending().await?);
    println!("  up: {}", migrations.up(None).await?.join(", "));
    println!("  up once more: {} steps", migrations.up(None).await?.len());

    println!("The lint reads every step as SQL, for every engine, and executes nothing.");
    lint();

    println!("The same steps as a script for MySQL and MariaDB (init.sql). Its indexes:");
    for statement in mysql_script().lines().filter(|line| line.starts_with("CREATE INDEX")) {
        println!("  {statement}");
    }
    database.close().await?;
    Ok(())
}

// ANCHOR: status
/// Shows which steps the database has. This reads only, so it may be asked by anybody at any time.
async fn status(migrations: &Migrations<'_>) -> anyhow::Result<()> {
    for step in migrations.status().await? {
        println!(
            "  {} {}",
            if step.is_pending() { "pending" } else { "applied" },
            step.name
        );
    }
    Ok(())
}
// ANCHOR_END: status

// ANCHOR: eight
/// What each of eight processes applied. Each has pools of its own, as instances of a service have.
async fn migrate_eight_times(options: &DatabaseOptions) -> anyhow::Result<Vec<Vec<String>>> {
    let mut processes = JoinSet::new();
    for _ in 0..8 {
        let options = options.for_maintenance();
        processes.spawn(async move {
            let database = Database::open(&options).await?;
            let applied = Migrations::new(&database).up(None).await?;
            database.close().await?;
            Ok(applied)
        });
    }
    processes.join_all().await.into_iter().collect()
}
// ANCHOR_END: eight

// ANCHOR: lint
/// Shows what would break a rolling upgrade.
fn lint() {
    let lint = lint_migrations();
    for warning in &lint.warnings {
        let accepted = matches!(warning.verdict, LintVerdict::Accepted(_));
        println!("  {} {} (accepted: {accepted})", warning.step, warning.what);
    }
    println!(
        "  steps: {}; anything to be warned of: {}",
        lint.steps,
        lint.has_warnings()
    );
}
// ANCHOR_END: lint
