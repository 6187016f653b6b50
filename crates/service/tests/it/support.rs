//! Shorthand for the services under test, values that obey the rules, and a database that objects on demand.

use std::time::Duration;

use domain::{Email, NewUser, User, UserBatch, UserChanges, UserFilter, UserId, UserName};
use persistence::{
    Database, DatabaseOptions, UserRepository,
    test_db::{TestDatabase, TestEngine, variable},
};
use service::{Coalescing, DatabaseRuntime, Retries, RetryCounters, UserService, UserServiceOptions};
use tokio::runtime::Handle;

pub(crate) const EVERYBODY: UserFilter = UserFilter { email: None };

/// Work on the runtime of the test.
pub(crate) fn runtime() -> DatabaseRuntime {
    DatabaseRuntime::new(Handle::current())
}

/// The use cases as they are by default. With `TEST_COALESCING=off` none shares a statement: the answers must be the same.
pub(crate) fn users_of(database: &Database) -> UserService {
    UserService::new(database.clone(), runtime(), options())
}

/// The options of [`users_of`].
pub(crate) fn options() -> UserServiceOptions {
    let shares = variable("TEST_COALESCING").as_deref() != Some("off");
    let coalescing = Coalescing {
        reads: shares,
        writes: shares,
    };
    UserServiceOptions {
        coalescing,
        ..UserServiceOptions::default()
    }
}

/// Repetitions as the use cases have them, and what they count.
pub(crate) fn retries() -> (Retries, RetryCounters) {
    let counters = RetryCounters::default();
    (Retries::new(counters.clone(), options().request_timeout), counters)
}

pub(crate) fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(crate) fn new_user(name_text: &str, email_text: &str) -> NewUser {
    NewUser {
        name: name(name_text),
        email: email(email_text),
    }
}

pub(crate) fn rename(text: &str) -> UserChanges {
    UserChanges::new(Some(name(text)), None).unwrap()
}

/// A batch of users with these addresses at example.com.
pub(crate) fn batch(locals: &[&str]) -> UserBatch {
    let users = locals
        .iter()
        .map(|local| new_user(local, &format!("{local}@example.com")));
    UserBatch::new(users.collect()).unwrap()
}

/// What the database holds, past the service.
pub(crate) async fn stored(db: &TestDatabase, id: UserId) -> Option<User> {
    UserRepository::new(db.database().writer()).find(id).await.unwrap()
}

pub(crate) async fn count(db: &TestDatabase) -> u64 {
    UserRepository::new(db.database().writer())
        .count(&EVERYBODY)
        .await
        .unwrap()
}

/// Waits until `condition` holds, and fails when it takes too long.
pub(crate) async fn eventually<Condition>(what: &str, mut condition: impl FnMut() -> Condition)
where
    Condition: Future<Output = bool>,
{
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}

/// Waits until nobody uses a connection: what was given up on has been undone.
pub(crate) async fn settled(database: &Database) {
    eventually("the pools are at rest", || async {
        database.pool_status().iter().all(|pool| pool.in_use == 0)
    })
    .await;
}

/// What the database answers to a statement that it objects to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Objection {
    /// That an address is taken.
    Duplicate,
    /// That the transaction was ended in favour of another.
    Conflict,
}

/// Makes a server object to the first `times` rows that `event` (`INSERT`, `UPDATE`) writes to the table of users. A
/// trigger does it, and counts where no rollback reaches: in the session, and so there is one.
pub(crate) async fn object(db: &TestDatabase, event: &str, times: u32, objection: Objection) -> Database {
    match db.engine() {
        TestEngine::Sqlite => panic!("SQLite keeps no count outside of transactions"),
        TestEngine::Postgres => {
            let code = match objection {
                Objection::Duplicate => "23505",
                Objection::Conflict => "40001",
            };
            db.execute("CREATE SEQUENCE attempts").await;
            db.execute(&format!(
                "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('attempts') <= {times} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}', CONSTRAINT = 'uq_users_email'; END IF; \
                 RETURN NEW; END $$"
            ))
            .await;
            let trigger =
                format!("CREATE TRIGGER objection BEFORE {event} ON users FOR EACH ROW EXECUTE FUNCTION object()");
            db.execute(&trigger).await;
        }
        TestEngine::MySql | TestEngine::MariaDb => {
            let (state, code) = match objection {
                Objection::Duplicate => ("23000", 1062),
                Objection::Conflict => ("40001", 1213),
            };
            db.execute(&format!(
                "CREATE TRIGGER objection BEFORE {event} ON users FOR EACH ROW BEGIN \
                 SET @attempts = COALESCE(@attempts, 0) + 1; \
                 IF @attempts <= {times} THEN \
                 SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'for key ''uq_users_email'''; END IF; END"
            ))
            .await;
        }
    }
    let options = DatabaseOptions {
        max_connections: 1,
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

/// How many rows the trigger of [`object`] has seen.
pub(crate) async fn attempts(db: &TestDatabase, database: &Database) -> String {
    let sql = match db.engine() {
        TestEngine::Postgres => "SELECT last_value FROM attempts",
        _ => "SELECT CAST(@attempts AS CHAR)",
    };
    db.query(database.writer(), sql).await.concat().concat()
}
