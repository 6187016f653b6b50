//! A real primary with two real replicas: what is read where, and what becomes of a replica that lags or is down.

use std::time::Duration;

use persistence::{
    Database, DatabaseOptions,
    test_db::{TestDatabase, TestEngine, variable},
};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use url::Url;

use crate::{
    monitoring::text_of,
    proxy::{Door, Proxy},
    support::{Answer, Server, eventually},
};

/// The variable that names a MariaDB primary and its replicas, separated by commas.
pub(crate) const REPLICAS: &str = "TEST_REPLICAS_URLS";

/// The id of a user whom only the replicas have: whoever sees it has asked one of them.
const MARK: &str = "/api/v1/users/4000000000";

const NO_CACHE: &[(&str, &str)] = &[("Cache-Control", "no-cache")];

/// Who stops the replication of a server stops it for the databases of all tests.
static REPLICATION: RwLock<()> = RwLock::const_new(());

/// A primary with its replicas, a proxy before each of these, and the service over all.
struct Setting {
    primary: TestDatabase,
    replicas: Vec<Database>,
    proxies: Vec<Proxy>,
    server: Server,
}

impl Setting {
    async fn start() -> Self {
        let urls = variable(REPLICAS).unwrap();
        let mut urls = urls.split(',');
        let primary = TestDatabase::create_at(TestEngine::MariaDb, urls.next().unwrap()).await;
        let (mut replicas, mut proxies) = (Vec::new(), Vec::new());
        for url in urls {
            let whole_server = open(&primary, url).await;
            eventually("the replica has the schema", || has_schema(&primary, &whole_server)).await;
            whole_server.close().await.unwrap();
            let url = primary.url_on(url);
            proxies.push(Proxy::start(&url, Door::Open));
            let replica = open(&primary, &url).await;
            let mark = "INSERT INTO users (id, name, email) VALUES (4000000000, 'Mark', 'mark@example.com')";
            for statement in ["SET SESSION sql_log_bin = 0", mark] {
                primary.query(replica.writer(), statement).await;
            }
            replicas.push(replica);
        }
        let replica_urls: Vec<_> = proxies.iter().map(Proxy::url).collect();
        let settings = [
            ("DATABASE_URL", primary.url()),
            ("DATABASE_REPLICA_URLS", &replica_urls.join(",")),
            ("REPLICA_MAX_LAG", "2"),
            ("DB_POOL_TIMEOUT", "2"),
        ];
        let server = Server::start(&settings).await;
        let setting = Self {
            primary,
            replicas,
            proxies,
            server,
        };
        eventually("both replicas are used", || setting.used([1, 1])).await;
        setting
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.get(path).await
    }

    /// Whether the metrics say of each replica that it is used.
    async fn used(&self, expected: [u32; 2]) -> bool {
        let metrics = text_of(&self.server, "/metrics").await;
        (1..).zip(expected).all(|(number, used)| {
            metrics.contains(&format!("db_replica_used{{replica=\"replica-{number}\"}} {used}\n"))
        })
    }

    /// Whether each of many reads goes to a replica.
    async fn asks_replicas(&self) -> bool {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(self.get(MARK).await.status);
        }
        assert!(
            statuses.iter().all(|status| [200, 404].contains(status)),
            "{statuses:?}"
        );
        statuses.iter().all(|status| *status == 200)
    }

    async fn on_replicas(&self, sql: &str) {
        for replica in &self.replicas {
            self.primary.query(replica.writer(), sql).await;
        }
    }

    async fn end(self) -> String {
        let log = self.server.stop().await;
        for replica in self.replicas {
            replica.close().await.unwrap();
        }
        self.primary.remove().await;
        log
    }
}

/// A single connection, so that what is set in its session holds for what follows.
async fn open(primary: &TestDatabase, url: &str) -> Database {
    let options = DatabaseOptions {
        url: url.into(),
        max_connections: 1,
        ..primary.options()
    };
    Database::open(&options).await.unwrap()
}

/// Whether the last table of the schema has come through.
async fn has_schema(primary: &TestDatabase, replica: &Database) -> bool {
    let (_, name) = primary.url().rsplit_once('/').unwrap();
    let tables = format!(
        "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.tables \
         WHERE table_schema = '{name}' AND table_name = 'replication_beats'"
    );
    primary.query(replica.writer(), &tables).await.concat().concat() == "1"
}

fn emails(list: &Answer) -> Vec<&Value> {
    let users = list.body["users"].as_array().unwrap().iter();
    users.map(|user| &user["email"]).collect()
}

pub(crate) async fn reads_go_to_replicas_and_writes_and_what_must_be_current_to_the_primary(_: TestDatabase) {
    let _goes_on = REPLICATION.read().await;
    let setting = Setting::start().await;
    let server = &setting.server;
    assert!(setting.asks_replicas().await);
    let list = setting.get("/api/v1/users").await;
    assert_eq!(
        (emails(&list), &list.body["total"]),
        (vec![&json!("mark@example.com")], &json!(1))
    );
    assert!(
        text_of(server, "/api/v1/users/export")
            .await
            .contains("mark@example.com")
    );
    assert_eq!(
        setting.get("/api/v1/users?cursor=").await.body["users"][0]["name"],
        "Mark"
    );
    assert_eq!(
        setting.get("/api/v1/users?email=mark@example.com").await.body["total"],
        1
    );

    assert_eq!(server.get_with(MARK, NO_CACHE).await.status, 404);
    let list = server.get_with("/api/v1/users", NO_CACHE).await;
    assert_eq!((emails(&list).len(), &list.body["total"]), (0, &json!(0)));
    let walk = server.get_with("/api/v1/users?cursor=", NO_CACHE).await;
    assert_eq!(emails(&walk).len(), 0);

    let change = json!({"name": "Somebody"});
    assert_eq!(server.send("PATCH", MARK, Some(change)).await.status, 404);
    assert_eq!(server.send("DELETE", MARK, None).await.status, 404);
    // Whoever was just created is found, whether or not a replica has heard of it.
    for number in 0..50 {
        let new = json!({"name": "Ann", "email": format!("ann{number}@example.com")});
        let created = server.send("POST", "/api/v1/users", Some(new)).await;
        assert_eq!(created.status, 201);
        assert_eq!(setting.get(created.header("location")).await.status, 200);
    }
    setting.end().await;
}

pub(crate) async fn a_replica_that_lags_is_left_out_until_it_has_caught_up(_: TestDatabase) {
    let _is_stopped = REPLICATION.write().await;
    let setting = Setting::start().await;
    setting.on_replicas("STOP SLAVE SQL_THREAD").await;
    eventually("both are left out", || setting.used([0, 0])).await;
    // That is seen at the next look, if they have not caught up by then.
    let line = "the replica lags; reads go elsewhere";
    eventually(line, || async { setting.server.log().matches(line).count() >= 2 }).await;
    // Nothing is as old as what they have.
    let new = json!({"name": "Ann", "email": "ann@example.com"});
    assert_eq!(
        setting.server.send("POST", "/api/v1/users", Some(new)).await.status,
        201
    );
    assert_eq!(setting.get("/api/v1/users").await.body["total"], 1);
    assert_eq!(setting.get(MARK).await.status, 404);
    setting.on_replicas("START SLAVE SQL_THREAD").await;
    eventually("both are used again", || setting.used([1, 1])).await;
    eventually("reads go to them", || setting.asks_replicas()).await;
    eventually("they have caught up", || async {
        setting.get("/api/v1/users").await.body["total"] == 2
    })
    .await;
    let log = setting.end().await;
    assert!(log.matches("reads go to the replica").count() >= 4, "{log}");
}

pub(crate) async fn a_replica_that_is_down_fails_no_read_and_comes_back_by_itself(_: TestDatabase) {
    let _goes_on = REPLICATION.read().await;
    let setting = Setting::start().await;
    for door in [Door::Shut, Door::Silent] {
        for proxy in &setting.proxies {
            proxy.set(door);
        }
        // From the first moment on. The first to ask a silent one wait until that is noticed.
        for _ in 0..50 {
            let read = setting.get("/api/v1/users").await;
            assert_eq!(read.status, 200, "{read:?}");
        }
        eventually("both are left out", || setting.used([0, 0])).await;
        assert_eq!(setting.get(MARK).await.status, 404);
        for proxy in &setting.proxies {
            proxy.set(Door::Open);
        }
        eventually("both are used again", || setting.used([1, 1])).await;
        eventually("reads go to them", || setting.asks_replicas()).await;
    }
    // One of two is enough.
    setting.proxies[0].set(Door::Shut);
    eventually("the first is left out", || setting.used([0, 1])).await;
    assert!(setting.asks_replicas().await);
    let log = setting.end().await;
    assert!(log.contains("the replica cannot be asked; reads go elsewhere"), "{log}");
}

pub(crate) async fn what_is_no_replica_of_the_primary_is_never_read_and_the_log_says_why(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    // It has the schema, and no beat will ever come through.
    let stranger = TestDatabase::create(db.engine()).await;
    let shut = Proxy::start(db.url(), Door::Shut);
    let nobody = at_a_port_of_nobody(db.url());
    let settings = [
        ("DATABASE_URL", db.url()),
        (
            "DATABASE_REPLICA_URLS",
            &[stranger.url(), shut.url(), &nobody].join(","),
        ),
        ("REPLICA_MAX_LAG", "0.5"),
    ];
    let server = Server::start(&settings).await;
    for expected in [
        "the replica lags; reads go elsewhere; check that it replicates the primary",
        "the replica cannot be asked; reads go elsewhere; check that it runs, and its address in DATABASE_REPLICA_URLS",
        // And not that a pool was waited for in vain.
        "Connection refused",
    ] {
        eventually(expected, || async { server.log().contains(expected) }).await;
    }
    let new = json!({"name": "Ann", "email": "ann@example.com"});
    assert_eq!(server.send("POST", "/api/v1/users", Some(new)).await.status, 201);
    for _ in 0..10 {
        assert_eq!(server.get("/api/v1/users").await.body["total"], 1);
    }
    let log = server.stop().await;
    assert!(!log.contains("reads go to the replica"), "{log}");
    // None is told again and again: only what has changed, as when the machine is too busy for an answer in time.
    for replica in ["replica-1", "replica-2", "replica-3"] {
        let mut told: Vec<&str> = log.lines().filter(|line| line.contains(replica)).collect();
        assert!(!told.is_empty(), "{log}");
        let count = told.len();
        told.dedup_by_key(|line| line.contains("the replica lags"));
        assert_eq!(told.len(), count, "{log}");
    }
    stranger.remove().await;
}

pub(crate) async fn a_primary_that_takes_no_beats_is_named_and_no_replica_is_blamed(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let replica = TestDatabase::create(db.engine()).await;
    let settings = [
        ("DATABASE_URL", db.url()),
        ("DATABASE_REPLICA_URLS", replica.url()),
        ("REPLICA_MAX_LAG", "0.2"),
    ];
    db.execute("DROP TABLE replication_beats").await;
    let server = Server::start(&settings).await;
    let expected = "no beat can be written to the primary";
    eventually(expected, || async { server.log().contains(expected) }).await;
    // By then it would have been blamed, and the primary more than once.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.get("/api/v1/users").await.status, 200);
    let log = server.stop().await;
    assert!(!log.contains("the replica lags"), "{log}");
    assert_eq!(log.matches(expected).count(), 1, "{log}");
    replica.remove().await;
}

/// The address of a database, at a port on which nobody listens.
fn at_a_port_of_nobody(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    // For the multiplexer of TCP ports (RFC 1078), which nobody runs.
    url.set_port(Some(1)).unwrap();
    url.into()
}
