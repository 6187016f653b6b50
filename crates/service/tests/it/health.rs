//! Whether the service can do its work now, found out seldom and in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use persistence::{
    Database, DatabaseOptions, Migrations,
    test_db::{TestDatabase, TestEngine},
};
use secrecy::SecretString;
use service::{Health, HealthService};
use tokio::{net::TcpListener, time::timeout};

use crate::support::{eventually, runtime};

/// Probes start at least this far apart.
const INTERVAL: Duration = Duration::from_millis(500);

const WELL: Health = Health {
    database_connected: true,
    migrations_applied: true,
};

const UNREACHABLE: Health = Health {
    database_connected: false,
    migrations_applied: false,
};

fn health_of(database: &Database) -> HealthService {
    HealthService::new(database.clone(), runtime())
}

pub(crate) async fn pending_migrations_are_told_from_a_silent_database(db: TestDatabase) {
    let pending = Health {
        migrations_applied: false,
        ..WELL
    };
    let health = health_of(db.database());
    assert_eq!(health.check().await, pending);
    let migrations = Migrations::new(db.database());
    migrations.up(Some(1)).await.unwrap();
    assert_eq!(health_of(db.database()).check().await, pending, "some, not all");
    migrations.up(None).await.unwrap();
    // The service that has been asked finds out too.
    eventually("all is well", || async { health.check().await == WELL }).await;
}

pub(crate) async fn an_answer_is_kept_for_half_a_second_and_no_longer(db: TestDatabase) {
    let own = Database::open(&db.options()).await.unwrap();
    let health = health_of(&own);
    let start = Instant::now();
    assert_eq!(health.check().await, WELL);
    own.close().await.unwrap();
    let kept = AtomicU32::new(0);
    eventually("the probe notices", || async {
        let answer = health.clone().check().await;
        kept.fetch_add(u32::from(answer == WELL), Ordering::Relaxed);
        answer == UNREACHABLE
    })
    .await;
    let noticed = start.elapsed();
    assert!(noticed >= INTERVAL, "asked again after {noticed:?}");
    assert!(kept.into_inner() > 0, "no answer was kept");
}

/// A server that accepts connections and never says a word, and how many it accepted.
async fn silent_server(db: &TestDatabase) -> Option<(Database, Arc<AtomicU32>)> {
    let scheme = match db.engine() {
        TestEngine::Sqlite => return None,
        TestEngine::MySql | TestEngine::MariaDb => "mysql",
        TestEngine::Postgres => "postgres",
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://nobody@{}/nothing", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicU32::new(0));
    let counter = accepted.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    let database = Database::open(&DatabaseOptions::new(SecretString::from(url)))
        .await
        .unwrap();
    Some((database, accepted))
}

pub(crate) async fn a_server_that_keeps_silent_is_given_up_within_two_seconds(db: TestDatabase) {
    let Some((database, _)) = silent_server(&db).await else {
        return;
    };
    let start = Instant::now();
    assert_eq!(health_of(&database).check().await, UNREACHABLE);
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

pub(crate) async fn a_hundred_who_ask_at_once_share_one_probe(db: TestDatabase) {
    let Some((database, accepted)) = silent_server(&db).await else {
        let health = health_of(db.database());
        let answers = join_all(std::iter::repeat_with(|| health.check()).take(100)).await;
        assert!(answers.into_iter().all(|answer| answer == WELL));
        return;
    };
    let health = health_of(&database);
    let start = Instant::now();
    // They are all polled once before the first can end.
    let answers = join_all(std::iter::repeat_with(|| health.check()).take(100)).await;
    assert!(answers.into_iter().all(|answer| answer == UNREACHABLE));
    assert_eq!(accepted.load(Ordering::Relaxed), 1, "each probe is a connection");
    // Whoever goes on asking without waiting starts no more than two probes a second.
    while start.elapsed() < Duration::from_secs(4) {
        timeout(Duration::from_millis(5), health.check()).await.ok();
    }
    let most = start.elapsed().as_millis() / INTERVAL.as_millis() + 1;
    let probes = accepted.load(Ordering::Relaxed);
    assert!(
        (2..=most).contains(&u128::from(probes)),
        "{probes} probes, {most} allowed"
    );
}
