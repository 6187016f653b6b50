//! The command that adds generated users.

use domain::UserFilter;
use persistence::{Database, DatabaseOptions, UserRepository, test_db::TestDatabase};
use secrecy::SecretString;

use crate::support::{Outcome, run};

const COUNT: u64 = 2500;

async fn seed(url: &str, arguments: &[&str]) -> Outcome {
    let all = [&["seed", "--count", "2500", "--rng", "7"], arguments].concat();
    run(&all, &[("DATABASE_URL", url)]).await
}

/// All that is generated of all users, in the order of their creation times.
async fn generated(database: &Database) -> Vec<String> {
    let users = UserRepository::new(database.writer());
    let mut users = users.page(&UserFilter::default(), 0, 2 * COUNT).await.unwrap();
    users.sort_by(|a, b| a.email.as_str().cmp(b.email.as_str()));
    let line = |user: &domain::User| {
        format!(
            "{} {} {} {}",
            user.name.as_str(),
            user.email.as_str(),
            user.created_at,
            user.updated_at
        )
    };
    users.iter().map(line).collect()
}

pub(crate) async fn seeding_again_adds_nothing_and_truncating_starts_over(db: TestDatabase) {
    let first = seed(db.url(), &[]).await.success();
    assert_eq!(first, "created 2500 users; 0 existed already\n");
    let users = generated(db.database()).await;
    let ids = "SELECT MIN(id), MAX(id) FROM users";
    let before = db.query(db.database().writer(), ids).await;
    assert_eq!(users.len() as u64, COUNT);
    let second = seed(db.url(), &[]).await.success();
    assert_eq!(second, "created 0 users; 2500 existed already\n");
    assert_eq!(db.query(db.database().writer(), ids).await, before);
    // What is missing is added again, and what was changed is left alone.
    db.execute("DELETE FROM users WHERE email LIKE 'user-7-1%'").await;
    let missing = COUNT - generated(db.database()).await.len() as u64;
    let third = seed(db.url(), &[]).await.success();
    let expected = format!("created {missing} users; {} existed already\n", COUNT - missing);
    assert_eq!(third, expected);
    assert_eq!(generated(db.database()).await, users);
    db.execute("INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')")
        .await;
    let fourth = seed(db.url(), &["--truncate"]).await.success();
    assert_eq!(fourth, "created 2500 users; 0 existed already\n");
    assert_eq!(generated(db.database()).await, users);
}

pub(crate) async fn a_plan_gives_the_same_users_on_every_engine(db: TestDatabase) {
    seed(db.url(), &[]).await.success();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("other.db").display());
    run(&["migrate", "up"], &[("DATABASE_URL", &url)]).await.success();
    seed(&url, &[]).await.success();
    let other = Database::open(&DatabaseOptions::new(SecretString::from(url)))
        .await
        .unwrap();
    assert_eq!(generated(db.database()).await, generated(&other).await);
    other.close().await.unwrap();
    // Another seed shares no address with it.
    let more = run(&["seed", "--count", "10", "--rng", "8"], &[("DATABASE_URL", db.url())]).await;
    assert_eq!(more.success(), "created 10 users; 0 existed already\n");
}

pub(crate) async fn production_data_is_not_deleted(db: TestDatabase) {
    db.execute("INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')")
        .await;
    let production = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "production"),
        ("AUTH_MODE", "none"),
    ];
    let refused = run(&["seed", "--count", "5", "--truncate"], &production).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("production"), "{refused:?}");
    let names = db.query(db.database().writer(), "SELECT name FROM users").await;
    assert_eq!(names, [["Ann"]]);
}
