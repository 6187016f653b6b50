//! The commands that change the schema.

use std::time::Duration;

use futures_util::future::join;
use persistence::{
    ServerAddress, UserRepository,
    test_db::{TestDatabase, TestEngine, variable},
};
use serde_json::Value;
use tokio::{sync::Mutex, time::sleep};

use crate::support::{Outcome, run};

async fn migrate(db: &TestDatabase, arguments: &[&str]) -> Outcome {
    migrate_at(db.url(), arguments).await
}

pub(crate) async fn migrate_at(url: &str, arguments: &[&str]) -> Outcome {
    run(&[&["migrate"], arguments].concat(), &[("DATABASE_URL", url)]).await
}

/// The recorded steps.
async fn recorded(db: &TestDatabase) -> Vec<String> {
    let sql = "SELECT version FROM seaql_migrations ORDER BY version";
    db.query(db.database().writer(), sql).await.concat()
}

/// The names of all steps, and whether they are applied.
async fn status(db: &TestDatabase) -> Vec<(String, bool)> {
    let printed = migrate(db, &["status", "--json"]).await;
    let status: Value = serde_json::from_str(&printed.stdout).unwrap();
    let steps: Vec<_> = status["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["name"].as_str().unwrap().to_owned(),
                step["applied"].as_bool().unwrap(),
            )
        })
        .collect();
    let pending = steps.iter().filter(|(_, applied)| !applied).count();
    assert_eq!(status["pending"], pending);
    assert_eq!(printed.code, Some(i32::from(pending > 0)), "{printed:?}");
    steps
}

async fn count(db: &TestDatabase) -> u64 {
    let users = UserRepository::new(db.database().writer());
    users.count(&domain::UserFilter::default()).await.unwrap()
}

pub(crate) async fn eight_processes_at_once_apply_each_step_once(db: TestDatabase) {
    let processes = (0..8).map(|_| migrate(&db, &["up"]));
    let outcomes = futures_util::future::join_all(processes).await;
    let printed: Vec<_> = outcomes.into_iter().map(Outcome::success).collect();
    let steps: Vec<_> = status(&db).await.into_iter().map(|(name, _)| name).collect();
    assert!(steps.len() > 1);
    assert_eq!(recorded(&db).await, steps);
    for step in steps {
        let line = format!("applied {step}");
        let times: usize = printed.iter().map(|text| text.matches(&line).count()).sum();
        assert_eq!(times, 1, "{line}: {printed:?}");
    }
    assert!(printed.iter().any(|text| text == "nothing to do\n"), "{printed:?}");
}

/// A process may die, or be slower than another on another node, between a step and its record, where DDL is its own transaction.
pub(crate) async fn a_step_that_is_done_and_not_recorded_is_waited_for_and_then_named(db: TestDatabase) {
    if !matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb) {
        // There a step and its record are one transaction.
        return;
    }
    migrate(&db, &["up", "2"]).await.success();
    let steps = recorded(&db).await;
    let second = &steps[1];
    db.execute(&format!("DELETE FROM seaql_migrations WHERE version = '{second}'"))
        .await;
    let record = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{second}', UNIX_TIMESTAMP())");

    // Nobody records it.
    let left = migrate(&db, &["up"]).await;
    assert_eq!(left.code, Some(1), "{left:?}");
    assert!(left.stderr.contains(&record), "{left:?}");
    assert_eq!(recorded(&db).await, steps[..1]);

    // Somebody does, a little later.
    let recording = async {
        sleep(Duration::from_secs(1)).await;
        db.execute(&record).await;
    };
    let (up, ()) = join(migrate(&db, &["up"]), recording).await;
    assert!(up.stderr.contains("waiting until it is recorded"), "{up:?}");
    up.success();
    assert!(status(&db).await.iter().all(|(_, applied)| *applied));
}

/// The variables that name the nodes of clusters, separated by commas.
pub(crate) const GALERA: &str = "TEST_GALERA_URLS";
pub(crate) const GROUP: &str = "TEST_GROUP_URLS";

/// Held by tests that change the primary of the group, or do what a change would break off.
pub(crate) static GROUP_IN_USE: Mutex<()> = Mutex::const_new(());

/// The address that names all nodes of the group.
pub(crate) fn group_address() -> String {
    let nodes: Vec<_> = variable(GROUP).unwrap().split(',').map(str::to_owned).collect();
    let hosts: Vec<_> = nodes.iter().map(|node| ServerAddress::parse(node).hosts()[0]).collect();
    ServerAddress::parse(&nodes[0]).with_host(&hosts.join(","))
}

/// The lock of one node of Galera is nothing to the others: what keeps the processes apart is the order in which the cluster
/// executes DDL.
pub(crate) async fn processes_on_all_nodes_of_galera_apply_each_step_once(_: TestDatabase) {
    let nodes = variable(GALERA).unwrap();
    let nodes: Vec<_> = nodes.split(',').collect();
    for _ in 0..3 {
        let db = TestDatabase::create_unmigrated_at(TestEngine::MariaDb, nodes[0]).await;
        let urls: Vec<_> = nodes.iter().cycle().take(6).map(|node| db.url_on(node)).collect();
        let processes = urls.iter().map(|url| migrate_at(url, &["up"]));
        for outcome in futures_util::future::join_all(processes).await {
            outcome.success();
        }
        let steps: Vec<_> = status(&db).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(recorded(&db).await, steps);
        db.remove().await;
    }
}

/// Whatever node stands first in the address, it is the primary that is migrated, and its lock holds.
pub(crate) async fn processes_that_list_the_nodes_of_a_group_in_any_order_apply_each_step_once(_: TestDatabase) {
    let _alone = GROUP_IN_USE.lock().await;
    let db = TestDatabase::create_unmigrated_at(TestEngine::MySql, &group_address()).await;
    let address = ServerAddress::parse(db.url());
    let urls: Vec<_> = (0..6)
        .map(|turn| {
            let mut hosts = address.hosts().to_vec();
            hosts.rotate_left(turn % 3);
            address.with_host(&hosts.join(","))
        })
        .collect();
    let processes = urls.iter().map(|url| migrate_at(url, &["up"]));
    let outcomes = futures_util::future::join_all(processes).await;
    let printed: Vec<_> = outcomes.into_iter().map(Outcome::success).collect();
    for (step, _) in status(&db).await {
        let line = format!("applied {step}");
        let times: usize = printed.iter().map(|text| text.matches(&line).count()).sum();
        assert_eq!(times, 1, "{line}: {printed:?}");
    }
    db.remove().await;
}

pub(crate) async fn status_tells_by_its_exit_code_whether_anything_is_pending(db: TestDatabase) {
    let empty = migrate(&db, &["status"]).await;
    assert_eq!(empty.code, Some(1), "{empty:?}");
    assert!(
        empty.stdout.lines().all(|line| line.starts_with("pending  m")),
        "{empty:?}"
    );
    assert!(status(&db).await.iter().all(|(_, applied)| !applied));
    migrate(&db, &["up"]).await.success();
    let clean = migrate(&db, &["status"]).await.success();
    assert!(clean.lines().all(|line| line.starts_with("applied  m")), "{clean}");
    assert!(status(&db).await.iter().all(|(_, applied)| *applied));
}

pub(crate) async fn steps_are_applied_and_reverted_one_by_one(db: TestDatabase) {
    let names: Vec<_> = status(&db).await.into_iter().map(|(name, _)| name).collect();
    let (first, rest) = names.split_first().unwrap();
    let last = rest.last().unwrap();
    assert_eq!(migrate(&db, &["up", "1"]).await.success(), format!("applied {first}\n"));
    assert_eq!(recorded(&db).await, names[..1]);
    let applied = format!("applied {}\n", rest.join("\napplied "));
    assert_eq!(migrate(&db, &["up"]).await.success(), applied);
    assert_eq!(migrate(&db, &["up"]).await.success(), "nothing to do\n");
    assert_eq!(migrate(&db, &["down"]).await.success(), format!("reverted {last}\n"));
    assert_eq!(recorded(&db).await, names[..names.len() - 1]);
    migrate(&db, &["down", "99"]).await.success();
    assert_eq!(recorded(&db).await, Vec::<String>::new());
    assert_eq!(migrate(&db, &["down"]).await.success(), "nothing to do\n");
    migrate(&db, &["up"]).await.success();
    assert_eq!(recorded(&db).await, names);
}

pub(crate) async fn fresh_starts_over_but_not_in_production(db: TestDatabase) {
    migrate(&db, &["up"]).await.success();
    db.execute("INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')")
        .await;
    let production = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "production"),
        ("AUTH_MODE", "none"),
    ];
    let refused = run(&["migrate", "fresh"], &production).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("production"), "{refused:?}");
    assert_eq!(count(&db).await, 1, "refused, and dropped all the same");
    migrate(&db, &["fresh"]).await.success();
    assert_eq!(count(&db).await, 0);
    assert!(status(&db).await.iter().all(|(_, applied)| *applied));
}

pub(crate) async fn lint_tells_by_its_exit_code_whether_an_upgrade_would_hurt(db: TestDatabase) {
    // All steps, release by release. It needs no database, and leaves none behind.
    let all = run(
        &["migrate", "lint"],
        &[("DATABASE_URL", "mysql://nobody@127.0.0.1:1/nothing")],
    )
    .await;
    assert!(all.success().ends_with("; warnings: 0; accepted: 0\n"));
    let clean = migrate(&db, &["lint", "--pending"]).await.success();
    assert!(clean.ends_with("; warnings: 0; accepted: 0\n"), "{clean}");
    assert!(
        status(&db).await.iter().all(|(_, applied)| !applied),
        "lint applied a step"
    );
    // With the table in use, its index is built under the eyes of those who write.
    migrate(&db, &["up", "1"]).await.success();
    let pending = migrate(&db, &["lint", "--pending", "--json"]).await;
    let found: Value = serde_json::from_str(&pending.stdout).unwrap();
    let step = "m20261123_000002_index_users_by_creation";
    if db.engine() == TestEngine::Postgres {
        assert_eq!(pending.code, Some(3), "{pending:?}");
        let warning = &found["warnings"][0];
        assert_eq!(
            (&warning["step"], &warning["engines"][0]),
            (&step.into(), &"PostgreSQL".into())
        );
        assert_eq!(found["warnings"].as_array().unwrap().len(), 1, "{found}");
    } else {
        assert_eq!((pending.code, &found["warnings"]), (Some(0), &Value::Array(Vec::new())));
    }
    assert_eq!(recorded(&db).await.len(), 1);
    migrate(&db, &["up"]).await.success();
    let nothing = migrate(&db, &["lint", "--pending"]).await.success();
    assert_eq!(nothing, "steps: 0; warnings: 0; accepted: 0\n");
}
