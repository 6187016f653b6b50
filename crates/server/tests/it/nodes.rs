//! A database with several nodes. Here they are proxies before one server, so that any of them can fail on every engine; real
//! clusters are lost in the drill `node-loss`.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use persistence::{
    ServerAddress,
    test_db::{TestDatabase, TestEngine, variable},
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    migrating::{GROUP_IN_USE, group_address, migrate_at},
    monitoring::text_of,
    proxy::{Door, Proxy},
    support::{Server, eventually},
};

/// The variable that names a MariaDB primary and its replicas, separated by commas.
pub(crate) use crate::replicas::REPLICAS;

/// A lost node is found out and left within this time: half a second until it is asked again, a second for its answer, another
/// to ask all of them, and room for a busy machine.
const MOVE: Duration = Duration::from_secs(4);

/// Two nodes of a database, and the address that names both.
fn two_nodes(db: &TestDatabase, first: Door, second: Door) -> (Proxy, Proxy, String) {
    let (first, second) = (Proxy::start(db.url(), first), Proxy::start(db.url(), second));
    let hosts = format!("{},{}", first.host(), second.host());
    let address = ServerAddress::parse(db.url()).with_host(&hosts);
    (first, second, address)
}

async fn create(server: &Server, name: &str) -> u16 {
    let new = json!({"name": name, "email": format!("{name}@example.com")});
    server.send("POST", "/api/v1/users", Some(new)).await.status
}

async fn uses(server: &Server, host: &str) -> bool {
    let metrics = text_of(server, "/metrics").await;
    metrics.contains(&format!("db_node_used{{node=\"{host}\"}} 1\n"))
}

async fn has_none(server: &Server) -> bool {
    text_of(server, "/metrics").await.contains("\ndb_node_writable 0\n")
}

async fn node_in_use(server: &Server) -> String {
    let metrics = text_of(server, "/metrics").await;
    let node = metrics
        .lines()
        .find_map(|line| line.strip_prefix("db_node_used{node=\"")?.strip_suffix("\"} 1"));
    node.unwrap().to_owned()
}

pub(crate) async fn the_next_node_is_used_when_one_is_lost_and_kept_when_the_first_is_back(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no nodes.
        return;
    }
    let (first, second, address) = two_nodes(&db, Door::Open, Door::Open);
    let server = Server::start(&[("DATABASE_URL", &address), ("DB_POOL_TIMEOUT", "2")]).await;
    assert_eq!(create(&server, "ann").await, 201);
    assert!(uses(&server, &first.host()).await);

    first.set(Door::Shut);
    let lost = Instant::now();
    eventually("the second node serves", || async {
        [201, 409].contains(&create(&server, "bob").await)
    })
    .await;
    assert!(lost.elapsed() < MOVE, "{:?}", lost.elapsed());
    assert!(uses(&server, &second.host()).await);

    // These nodes do not say that others beside them take writes: going back could mean an old primary that nobody told.
    first.set(Door::Open);
    for name in ["cem", "dan", "eva"] {
        assert_eq!(create(&server, name).await, 201);
    }
    assert!(uses(&server, &second.host()).await);

    // Not even when the node in use does not answer those who ask it, and all nodes are looked at again.
    second.set(Door::Forgotten);
    sleep(MOVE).await;
    eventually("the second node serves on new connections", || async {
        [201, 409].contains(&create(&server, "fay").await)
    })
    .await;
    assert!(uses(&server, &second.host()).await);
    let log = server.stop().await;
    let moves: Vec<_> = log
        .lines()
        .filter(|line| line.contains("another database node"))
        .collect();
    assert_eq!(moves.len(), 1, "{log}");
    assert!(moves[0].contains(&second.host()), "{log}");
    assert!(!log.contains("app-secret"), "the password is in the log");
}

pub(crate) async fn a_node_that_falls_silent_is_left(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no nodes.
        return;
    }
    let (first, second, address) = two_nodes(&db, Door::Open, Door::Open);
    let settings = [
        ("DATABASE_URL", address.as_str()),
        ("DB_POOL_TIMEOUT", "2"),
        ("DB_STATEMENT_TIMEOUT", "1"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(create(&server, "ann").await, 201);

    first.set(Door::Silent);
    let lost = Instant::now();
    eventually("the second node is used", || async {
        uses(&server, &second.host()).await
    })
    .await;
    assert!(lost.elapsed() < MOVE, "{:?}", lost.elapsed());
    eventually("the second node serves", || async {
        [201, 409].contains(&create(&server, "bob").await)
    })
    .await;
}

/// Whoever is about to be connected does not wait for the greeting of a silent node, but for a node that is of use.
pub(crate) async fn who_waits_for_a_connection_is_served_as_soon_as_a_node_takes_writes(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no nodes.
        return;
    }
    let (_first, second, address) = two_nodes(&db, Door::Silent, Door::Shut);
    let settings = [
        ("DATABASE_URL", address.as_str()),
        ("DB_AUTO_MIGRATE", "false"),
        ("DB_POOL_TIMEOUT", "10"),
    ];
    let server = Server::start(&settings).await;
    eventually("it is known that no node takes writes", || has_none(&server)).await;

    let waiting = join_all(["ann", "bob", "cem"].map(|name| create(&server, name)));
    let opened = async {
        // They are sent, and wait.
        sleep(Duration::from_millis(500)).await;
        second.set(Door::Open);
        Instant::now()
    };
    let (answers, opened) = join(waiting, opened).await;
    assert_eq!(answers, [201, 201, 201]);
    assert!(opened.elapsed() < MOVE, "{:?}", opened.elapsed());
    assert!(uses(&server, &second.host()).await);
}

/// A machine that was frozen for a while goes on where it was: it answers late, but on the connections that it had.
pub(crate) async fn a_node_that_was_silent_for_a_while_is_connected_to_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no nodes.
        return;
    }
    let (first, _second, address) = two_nodes(&db, Door::Open, Door::Shut);
    let settings = [("DATABASE_URL", address.as_str()), ("DB_POOL_TIMEOUT", "2")];
    let server = Server::start(&settings).await;
    assert_eq!(create(&server, "ann").await, 201);
    for _ in 0..2 {
        first.set(Door::Silent);
        eventually("it is known that no node takes writes", || has_none(&server)).await;
        first.set(Door::Open);
        eventually("it is known that a node takes writes", || async {
            !has_none(&server).await
        })
        .await;
        // More than there are connections that rest.
        let lists = join_all((0..20).map(|_| server.get("/api/v1/users"))).await;
        for list in lists {
            assert_eq!(list.status, 200, "{list:?}");
        }
    }
    let log = server.stop().await;
    assert!(
        log.matches("no node in DATABASE_URL takes writes").count() >= 2,
        "{log}"
    );
}

/// Whether it refuses connections or keeps silent.
pub(crate) async fn a_node_that_is_down_at_the_start_is_passed_over(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no nodes.
        return;
    }
    for (door, name) in [(Door::Shut, "ann"), (Door::Silent, "bob")] {
        let (_first, second, address) = two_nodes(&db, door, Door::Open);
        let server = Server::start(&[("DATABASE_URL", &address)]).await;
        assert_eq!(create(&server, name).await, 201);
        assert!(uses(&server, &second.host()).await);
    }
}

/// What can be read may not be written: here the account of the tests could do so even there, and still does not.
pub(crate) async fn a_node_that_is_read_only_is_passed_over(_: TestDatabase) {
    let servers = variable(REPLICAS).unwrap();
    let [primary, replica] = [0, 1].map(|index| servers.split(',').nth(index).unwrap());
    let db = TestDatabase::create_at(TestEngine::MariaDb, primary).await;
    let [primary, replica] = [primary, replica].map(|url| ServerAddress::parse(url).hosts()[0]);
    let address = ServerAddress::parse(db.url()).with_host(&format!("{replica},{primary}"));
    let server = Server::start(&[("DATABASE_URL", &address)]).await;
    assert_eq!(create(&server, "ann").await, 201);
    assert!(uses(&server, primary).await);
    server.stop().await;
    db.remove().await;
}

/// Nothing breaks: the connections to the former primary stay open, and only their writes are refused.
pub(crate) async fn a_planned_change_of_the_primary_is_followed(_: TestDatabase) {
    let _alone = GROUP_IN_USE.lock().await;
    let db = TestDatabase::create_at(TestEngine::MySql, &group_address()).await;
    let server = Server::start(&[("DATABASE_URL", db.url()), ("DB_POOL_TIMEOUT", "2")]).await;
    assert_eq!(create(&server, "ann").await, 201);
    let before = node_in_use(&server).await;

    let secondary =
        "SELECT member_id FROM performance_schema.replication_group_members WHERE member_role = 'SECONDARY' LIMIT 1";
    let secondary = db.query(db.database().writer(), secondary).await.concat().concat();
    let change = format!("SELECT group_replication_set_as_primary('{secondary}')");
    db.query(db.database().writer(), &change).await;
    let changed = Instant::now();
    eventually("the new primary takes writes", || async {
        [201, 409].contains(&create(&server, "bob").await)
    })
    .await;
    assert!(changed.elapsed() < MOVE, "{:?}", changed.elapsed());
    assert_ne!(node_in_use(&server).await, before);
    for name in ["cem", "dan", "eva"] {
        assert_eq!(
            create(&server, name).await,
            201,
            "no connection to the former primary is left"
        );
    }
    server.stop().await;
    db.remove().await;
}

/// With the rights that the guide names for who migrates and for who serves. Only who may look at the members of a group can
/// tell one that hears too few of the others.
pub(crate) async fn an_account_needs_few_rights_and_is_told_which_it_lacks_in_a_group(_: TestDatabase) {
    let _alone = GROUP_IN_USE.lock().await;
    let db = TestDatabase::create_unmigrated_at(TestEngine::MySql, &group_address()).await;
    let database = db.url().rsplit('/').next().unwrap();
    let account = format!("plain-{}", &database[database.len() - 8..]);
    let hosts = ServerAddress::parse(db.url()).hosts().join(",");
    let address = format!("mysql://{account}:plain-secret@{hosts}/{database}");
    for statement in [
        format!("CREATE USER '{account}'@'%' IDENTIFIED BY 'plain-secret'"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO '{account}'@'%'"),
        format!("GRANT CREATE, ALTER, INDEX, DROP ON `{database}`.* TO '{account}'@'%'"),
    ] {
        db.execute(&statement).await;
    }
    for arguments in [["up", "99"], ["down", "99"], ["up", "99"]] {
        migrate_at(&address, &arguments).await.success();
    }
    db.execute(&format!(
        "REVOKE CREATE, ALTER, INDEX, DROP ON `{database}`.* FROM '{account}'@'%'"
    ))
    .await;
    let warning = "GRANT SELECT ON performance_schema.replication_group_members";
    let settings = [("DATABASE_URL", address.as_str()), ("DB_AUTO_MIGRATE", "false")];
    let log_of = async |name| {
        let server = Server::start(&settings).await;
        assert_eq!(create(&server, name).await, 201);
        server.stop().await
    };
    assert_eq!(log_of("ann").await.matches(warning).count(), 1);
    db.execute(&format!("{warning} TO '{account}'@'%'")).await;
    assert_eq!(log_of("bob").await.matches(warning).count(), 0);
    db.execute(&format!("DROP USER '{account}'@'%'")).await;
    db.remove().await;
}

/// Nothing breaks, so it is the connection that asks the node which sees first that it takes writes again.
pub(crate) async fn a_node_that_takes_writes_again_is_known_to(_: TestDatabase) {
    let _alone = GROUP_IN_USE.lock().await;
    let db = TestDatabase::create_at(TestEngine::MySql, &group_address()).await;
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    for name in ["ann", "bob"] {
        db.execute("SET GLOBAL read_only = ON").await;
        eventually("it is known that no node takes writes", || has_none(&server)).await;
        db.execute("SET GLOBAL read_only = OFF").await;
        eventually("it is known that the node takes writes", || async {
            !has_none(&server).await
        })
        .await;
        assert_eq!(create(&server, name).await, 201);
    }
    let log = server.stop().await;
    assert_eq!(log.matches("no node in DATABASE_URL takes writes").count(), 2, "{log}");
    assert_eq!(log.matches("the database node takes writes again").count(), 2, "{log}");
    db.remove().await;
}
