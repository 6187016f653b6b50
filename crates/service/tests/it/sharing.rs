//! Requests that come at the same time share statements, and nobody can tell by the answers.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use domain::{NewUser, Precondition, Timestamp, User, UserId};
use persistence::{
    Database, DatabaseOptions, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use service::{Coalescing, Freshness, UserError, UserService, UserServiceOptions};
use tokio::task::JoinSet;

use crate::support::{batch, count, eventually, new_user, rename, runtime, settled, stored};

/// Use cases that share what can be shared, whatever the other tests do.
pub(crate) fn sharing(database: &Database) -> UserService {
    UserService::new(database.clone(), runtime(), UserServiceOptions::default())
}

pub(crate) fn numbered(number: usize) -> NewUser {
    new_user(&format!("User {number}"), &format!("user-{number}@example.com"))
}

/// How many statements were for more than one request.
fn shared(sizes: &persistence::Histogram) -> u64 {
    sizes
        .buckets()
        .iter()
        .filter(|(bound, _)| *bound > 1.0)
        .map(|(_, count)| count)
        .sum()
}

async fn outcomes(creates: JoinSet<(NewUser, Result<User, UserError>)>) -> Vec<(NewUser, Result<User, UserError>)> {
    creates.join_all().await
}

fn create_all(
    users: &UserService,
    new_users: impl IntoIterator<Item = NewUser>,
) -> JoinSet<(NewUser, Result<User, UserError>)> {
    let mut creates = JoinSet::new();
    for new_user in new_users {
        let users = users.clone();
        creates.spawn(async move { (new_user.clone(), users.create(new_user).await) });
    }
    creates
}

/// Ids of one statement need not be consecutive: clusters leave gaps of their own. One connection, so that the session with
/// the gaps is the one that inserts.
pub(crate) async fn of_creates_at_once_each_gets_the_id_of_its_own_address(db: TestDatabase) {
    let options = DatabaseOptions {
        max_connections: 1,
        ..db.options()
    };
    let database = Database::open(&options).await.unwrap();
    if matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb) {
        // Executed through a query, because the helper for statements has another pool.
        db.query(database.writer(), "SET SESSION auto_increment_increment = 7")
            .await;
    }
    let users = sharing(&database);
    let created = outcomes(create_all(&users, (0..300).map(numbered))).await;
    assert!(
        shared(&users.counters().write_batch_sizes) > 0,
        "no statement was shared"
    );
    let mut ids = HashSet::new();
    for (asked, user) in created {
        let user = user.unwrap();
        assert_eq!((&user.name, &user.email), (&asked.name, &asked.email));
        assert_eq!(stored(&db, user.id).await.unwrap(), user);
        assert!(ids.insert(user.id));
    }
    if matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb) {
        // A cluster makes gaps of its own size.
        let has_next = |id: &UserId| ids.iter().any(|other| other.get() == id.get() + 1);
        assert!(!ids.iter().any(has_next), "the gaps were not made: {ids:?}");
    }
    assert_eq!(count(&db).await, 300);
    database.close().await.unwrap();
}

pub(crate) async fn of_creates_at_once_with_shared_addresses_one_succeeds_for_each(db: TestDatabase) {
    let users = sharing(db.database());
    users.create(numbered(0)).await.unwrap();
    let created = outcomes(create_all(&users, (0..120).map(|number| numbered(number % 12)))).await;
    let mut successes = HashMap::new();
    for (asked, outcome) in created {
        match outcome {
            Ok(user) => *successes.entry(user.email).or_insert(0) += 1,
            Err(refused) => assert!(matches!(refused, UserError::EmailTaken), "{refused:?} for {asked:?}"),
        }
    }
    assert_eq!(successes.len(), 11, "all but the one that existed");
    assert!(successes.values().all(|successes| *successes == 1));
    assert_eq!(count(&db).await, 12);
}

/// A row that the database refuses for reasons of its own, and which no look-up finds.
pub(crate) async fn a_poisoned_row_fails_alone(db: TestDatabase) {
    let is_poison = "NEW.email = 'user-13@example.com'";
    let trigger = match db.engine() {
        TestEngine::Sqlite => format!(
            "CREATE TRIGGER poison BEFORE INSERT ON users WHEN {is_poison} BEGIN SELECT RAISE(ABORT, 'no'); END"
        ),
        TestEngine::Postgres => format!(
            "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF {is_poison} THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION object()"
        ),
        TestEngine::MySql | TestEngine::MariaDb => format!(
            "CREATE TRIGGER poison BEFORE INSERT ON users FOR EACH ROW BEGIN \
             IF {is_poison} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END"
        ),
    };
    db.execute(&trigger).await;
    let users = sharing(db.database());
    for (asked, outcome) in outcomes(create_all(&users, (0..60).map(numbered))).await {
        if asked == numbered(13) {
            assert!(matches!(outcome, Err(UserError::Internal(_))), "{outcome:?}");
        } else {
            assert_eq!(outcome.unwrap().email, asked.email);
        }
    }
    assert!(
        shared(&users.counters().write_batch_sizes) > 0,
        "no statement was shared"
    );
    assert_eq!(count(&db).await, 59);
}

/// As many batches as there may be wait for rows that somebody else holds. Those that come later go without them; on SQLite,
/// where the holder has the only connection that writes, they gather until it is back.
pub(crate) async fn locked_addresses_hold_up_only_those_that_went_with_them(db: TestDatabase) {
    let users = sharing(db.database());
    // MySQL locks the gap before a row as well, so these stand apart from the others.
    let locked = ["a-0@example.com", "a-1@example.com"].map(|email| new_user("Ann", email));
    let holder = db.database().begin().await.unwrap();
    UserRepository::new(&holder)
        .insert_many(&locked, Timestamp::now())
        .await
        .unwrap();
    let mut blocked = Vec::new();
    for (on_its_way, new_user) in [1.0, 2.0].into_iter().zip(locked) {
        blocked.push(create_all(&users, [new_user]));
        eventually("another batch is on its way", || async {
            users.counters().write_batch_sizes.sum() >= on_its_way
        })
        .await;
    }
    let mut others = create_all(&users, (2..32).map(numbered));
    if db.engine() != TestEngine::Sqlite {
        while let Some(created) = others.join_next().await {
            let (asked, outcome) = created.unwrap();
            assert_eq!(outcome.unwrap().email, asked.email);
        }
        assert!(blocked.iter_mut().all(|creates| creates.try_join_next().is_none()));
    }
    holder.rollback().await.unwrap();
    for creates in blocked.into_iter().chain([others]) {
        for (asked, outcome) in outcomes(creates).await {
            assert_eq!(outcome.unwrap().email, asked.email);
        }
    }
    settled(db.database()).await;
    assert_eq!(count(&db).await, 32);
    assert!(shared(&users.counters().write_batch_sizes) > 0, "nothing gathered");
}

/// Nobody is told of a success that did not happen, and nobody's row is written twice.
pub(crate) async fn when_the_connection_of_a_batch_breaks_its_members_are_told_and_the_next_are_served(
    db: TestDatabase,
) {
    if db.engine() == TestEngine::Sqlite {
        // There is no connection to break.
        return;
    }
    let users = sharing(db.database());
    let holder = db.database().begin().await.unwrap();
    for number in [0, 1] {
        UserRepository::new(&holder)
            .insert(numbered(number), Timestamp::now())
            .await
            .unwrap();
    }
    let creates = create_all(&users, (0..40).map(numbered));
    let (waiting, kill) = match db.engine() {
        TestEngine::Postgres => (
            "SELECT CAST(pid AS TEXT) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
            "SELECT CAST(pg_terminate_backend({}) AS TEXT)",
        ),
        _ => (
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
             WHERE db = DATABASE() AND info LIKE 'INSERT INTO `users`%'",
            "KILL {}",
        ),
    };
    eventually("a batch waits for the holder", || async {
        !db.query(db.database().writer(), waiting).await.is_empty()
    })
    .await;
    for session in db.query(db.database().writer(), waiting).await.concat() {
        db.execute(&kill.replace("{}", &session)).await;
    }
    holder.rollback().await.unwrap();
    let mut told = HashSet::new();
    let mut broken = 0;
    for (asked, outcome) in outcomes(creates).await {
        match outcome {
            Ok(user) => assert!(told.insert(user.email)),
            Err(UserError::DatabaseUnavailable(_)) => broken += 1,
            Err(other) => panic!("{other:?} for {asked:?}"),
        }
    }
    // A batch that is a transaction left nothing, and is run again; one that is a single statement may have been committed.
    let run_again = users.counters().retries.lost_connections.get();
    assert!(broken > 0 || run_again > 0, "no batch was hit");
    settled(db.database()).await;
    let stored = db
        .query(db.database().writer(), "SELECT email FROM users")
        .await
        .concat();
    let stored: HashSet<_> = stored.into_iter().collect();
    assert_eq!(stored, told.iter().map(|email| email.as_str().to_owned()).collect());
    users.create(numbered(100)).await.unwrap();
}

pub(crate) async fn a_row_that_breaks_the_rules_fails_only_who_asks_for_it(db: TestDatabase) {
    let users = sharing(db.database());
    let all = users.create_many(batch(&["a", "b", "c", "d"])).await.unwrap();
    db.execute("UPDATE users SET name = '  ' WHERE email = 'b@example.com'")
        .await;
    let mut gets = JoinSet::new();
    for round in 0..100 {
        let (users, user) = (users.clone(), all[round % all.len()].clone());
        gets.spawn(async move { (users.get(user.id, Freshness::MayLag).await, user) });
    }
    for (outcome, user) in gets.join_all().await {
        match outcome {
            Ok(found) => assert_eq!(found, user),
            Err(error) => {
                assert!(matches!(error, UserError::Internal(_)), "{error:?}");
                assert_eq!(user, all[1]);
            }
        }
    }
    assert!(
        shared(&users.counters().read_batch_sizes) > 0,
        "no statement was shared"
    );
}

/// A history of changes and reads of a few users by many tasks. Who was told of a change must find it, and nobody may find
/// what was not asked for yet.
pub(crate) async fn who_was_told_of_a_change_finds_it_under_a_hundred_schedules(db: TestDatabase) {
    let users = sharing(db.database());
    for seed in 0..100 {
        let locals = [0, 1, 2].map(|number| format!("s{seed}-{number}"));
        let created = users
            .create_many(batch(&locals.each_ref().map(String::as_str)))
            .await
            .unwrap();
        let histories: Vec<_> = created.iter().map(|user| History::of(user.id)).collect();
        let mut tasks = JoinSet::new();
        for (number, history) in histories.iter().enumerate() {
            tasks.spawn(change_often(users.clone(), history.clone(), seed * 100 + number as u64));
        }
        for reader in 0..5 {
            tasks.spawn(read_often(users.clone(), histories.clone(), seed * 100 + 50 + reader));
        }
        tasks.join_all().await;
    }
    assert!(
        shared(&users.counters().read_batch_sizes) > 0,
        "no statement was shared"
    );
}

/// How often a user was changed: as far as was asked for, and as far as was told.
#[derive(Clone)]
struct History {
    id: UserId,
    asked: Arc<AtomicI64>,
    told: Arc<AtomicI64>,
}

impl History {
    fn of(id: UserId) -> Self {
        Self {
            id,
            asked: Arc::new(AtomicI64::new(1)),
            told: Arc::new(AtomicI64::new(1)),
        }
    }
}

async fn change_often(users: UserService, history: History, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    for version in 2..6 {
        history.asked.store(version, Ordering::SeqCst);
        let changed = users
            .update(history.id, rename(&format!("v{version}")), Precondition::None)
            .await
            .unwrap();
        assert_eq!(changed.version, version);
        history.told.store(version, Ordering::SeqCst);
        pause(&mut rng).await;
    }
}

async fn read_often(users: UserService, histories: Vec<History>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..8 {
        let history = &histories[rng.random_range(0..histories.len())];
        let told = history.told.load(Ordering::SeqCst);
        let found = users.get(history.id, Freshness::MayLag).await.unwrap().version;
        let asked = history.asked.load(Ordering::SeqCst);
        assert!(
            (told..=asked).contains(&found),
            "told {told}, found {found}, asked {asked}"
        );
        pause(&mut rng).await;
    }
}

async fn pause(rng: &mut StdRng) {
    for _ in 0..rng.random_range(0..3) {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn nothing_is_shared_where_that_is_switched_off(db: TestDatabase) {
    let off = Coalescing {
        reads: false,
        writes: false,
    };
    let options = UserServiceOptions {
        coalescing: off,
        ..UserServiceOptions::default()
    };
    let users = UserService::new(db.database().clone(), runtime(), options);
    let created = outcomes(create_all(&users, (0..50).map(numbered))).await;
    let mut gets = JoinSet::new();
    for (_, user) in created {
        let (users, user) = (users.clone(), user.unwrap());
        gets.spawn(async move { assert_eq!(users.get(user.id, Freshness::MayLag).await.unwrap(), user) });
    }
    gets.join_all().await;
    assert_eq!(crate::counting::total(&users).await, 50);
    let counters = users.counters();
    for sizes in [
        &counters.read_batch_sizes,
        &counters.write_batch_sizes,
        &counters.count_batch_sizes,
    ] {
        assert!(sizes.sum() < 1.0);
    }
}
