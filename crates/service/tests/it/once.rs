//! Requests with an idempotency key.

use std::time::Duration;

use domain::{PageSize, Precondition, Timestamp, User, UserBatch};
use persistence::{
    HexHash, IdempotencyRepository, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use service::{Freshness, IdempotentRequest, KeptOnce, UserError, UserService, UserServiceOptions};
use tokio::{task::JoinSet, time::timeout};

use crate::support::{
    EVERYBODY, Objection, attempts, batch, count, new_user, object, options, rename, runtime, settled, stored, users_of,
};

const REQUEST: IdempotentRequest = IdempotentRequest {
    key: [1; 32],
    fingerprint: [2; 32],
};

const OTHER_REQUEST: IdempotentRequest = IdempotentRequest {
    fingerprint: [3; 32],
    ..REQUEST
};

fn id_and_name(user: User) -> Vec<u8> {
    format!("{} {}", user.id, user.name.as_str()).into_bytes()
}

fn ids(users: Vec<User>) -> Vec<u8> {
    let ids: Vec<_> = users.iter().map(|user| user.id.to_string()).collect();
    ids.join(" ").into_bytes()
}

/// A long answer, as a large batch has.
fn megabytes(_: Vec<User>) -> Vec<u8> {
    b"0123456789abcdef".repeat(1 << 16).repeat(3)
}

async fn create_ann(users: &UserService, request: IdempotentRequest) -> Result<KeptOnce, UserError> {
    users
        .create_once(request, new_user("Ann", "ann@example.com"), id_and_name)
        .await
}

fn replay(kept: KeptOnce) -> KeptOnce {
    KeptOnce {
        is_replay: true,
        ..kept
    }
}

pub(crate) async fn what_was_done_is_not_done_again_and_is_answered_as_before(db: TestDatabase) {
    let users = users_of(db.database());
    let first = create_ann(&users, REQUEST).await.unwrap();
    let ann = users
        .after(EVERYBODY, None, PageSize::DEFAULT, Freshness::MayLag)
        .await
        .unwrap()
        .users
        .remove(0);
    assert_eq!(
        (first.answer.clone(), first.is_replay),
        (id_and_name(ann.clone()), false)
    );
    // Neither a change of the user nor another instance makes a difference, nor that the address is taken by now.
    users.update(ann.id, rename("Anna"), Precondition::None).await.unwrap();
    for users in [&users, &users_of(db.database())] {
        assert_eq!(create_ann(users, REQUEST).await.unwrap(), replay(first.clone()));
    }
    assert_eq!((count(&db).await, stored(&db, ann.id).await.unwrap().version), (1, 2));
}

pub(crate) async fn a_key_is_good_for_one_request_only(db: TestDatabase) {
    let users = users_of(db.database());
    create_ann(&users, REQUEST).await.unwrap();
    let bob = new_user("Bob", "bob@example.com");
    let refused = users.create_once(OTHER_REQUEST, bob.clone(), id_and_name).await;
    assert!(matches!(refused, Err(UserError::IdempotencyKeyReused)), "{refused:?}");
    let refused = users.create_many_once(OTHER_REQUEST, batch(&["carol"]), ids).await;
    assert!(matches!(refused, Err(UserError::IdempotencyKeyReused)), "{refused:?}");
    assert_eq!(count(&db).await, 1);
    let other_key = IdempotentRequest {
        key: [9; 32],
        ..REQUEST
    };
    assert!(!users.create_once(other_key, bob, id_and_name).await.unwrap().is_replay);
}

pub(crate) async fn what_was_refused_leaves_no_key(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Other", "ann@example.com")).await.unwrap();
    let refused = create_ann(&users, REQUEST).await;
    assert!(matches!(refused, Err(UserError::EmailTaken)), "{refused:?}");
    let refused = users.create_many_once(REQUEST, batch(&["bob", "ann"]), ids).await;
    assert!(
        matches!(refused, Err(UserError::EmailsTaken(ref taken)) if taken == &[1]),
        "{refused:?}"
    );
    users.delete(ann.id, Precondition::None).await.unwrap();
    assert!(!create_ann(&users, REQUEST).await.unwrap().is_replay);
    assert_eq!(count(&db).await, 1);
}

pub(crate) async fn a_batch_is_created_once_and_its_long_answer_is_kept(db: TestDatabase) {
    let users = users_of(db.database());
    let create = || users.create_many_once(REQUEST, batch(&["ann", "bob"]), megabytes);
    let first = create().await.unwrap();
    assert!(!first.is_replay);
    let second = create().await.unwrap();
    assert!(second == replay(first), "{} bytes", second.answer.len());
    assert_eq!(count(&db).await, 2);
}

pub(crate) async fn of_a_stampede_with_one_key_over_two_instances_one_creates(db: TestDatabase) {
    let instances = [users_of(db.database()), users_of(db.database())];
    for round in 0..10_u8 {
        let request = IdempotentRequest {
            key: [round; 32],
            ..REQUEST
        };
        let mut requests = JoinSet::new();
        for number in 0..20 {
            let users = instances[number % 2].clone();
            let new = new_user("Someone", &format!("user{round}@example.com"));
            requests.spawn(async move { users.create_once(request, new, id_and_name).await });
        }
        let answers: Vec<_> = requests.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|kept| !kept.is_replay).count(), 1);
        assert!(
            answers.iter().all(|kept| kept.answer == answers[0].answer),
            "{answers:?}"
        );
    }
    assert_eq!(count(&db).await, 10);
}

pub(crate) async fn stampedes_of_batches_and_single_creates_with_crossing_addresses_end(db: TestDatabase) {
    let users = users_of(db.database());
    let mut requests = JoinSet::new();
    for number in 0..20_u8 {
        let users = users.clone();
        let request = IdempotentRequest {
            key: [number / 5; 32],
            fingerprint: [number / 5; 32],
        };
        let locals = if number / 5 % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
        requests.spawn(async move { users.create_many_once(request, batch(&locals), ids).await });
    }
    let (mut created, mut taken) = (0, 0);
    for outcome in requests.join_all().await {
        match outcome {
            Ok(kept) => created += u32::from(!kept.is_replay),
            Err(UserError::EmailsTaken(_)) => taken += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((created, taken), (1, 15));
    assert_eq!(count(&db).await, 2);
}

pub(crate) async fn who_waits_too_long_for_the_first_is_told_so(db: TestDatabase) {
    let (here, there) = (users_of(db.database()), users_of(db.database()));
    waits_in_vain(&db, &here, &here, "ann@example.com").await;
    if db.engine() != TestEngine::Sqlite {
        // With SQLite the other instance waits for the one writer there is, and not for the key.
        waits_in_vain(&db, &here, &there, "bob@example.com").await;
    }
    settled(db.database()).await;
}

/// Of two requests with one key that come at once, one comes to a stop behind a row that somebody else holds, and the other
/// behind the first.
async fn waits_in_vain(db: &TestDatabase, here: &UserService, there: &UserService, address: &str) {
    let before = count(db).await;
    let holder = db.database().begin().await.unwrap();
    UserRepository::new(&holder)
        .insert(new_user("Other", address), Timestamp::now())
        .await
        .unwrap();
    let request = IdempotentRequest {
        key: [u8::try_from(before).unwrap(); 32],
        ..REQUEST
    };
    let mut requests = JoinSet::new();
    for users in [here.clone(), there.clone()] {
        let new = new_user("Ann", address);
        requests.spawn(async move { users.create_once(request, new, id_and_name).await });
    }
    let waited = requests.join_next().await.unwrap().unwrap();
    assert!(matches!(waited, Err(UserError::IdempotencyInProgress)), "{waited:?}");
    holder.rollback().await.unwrap();
    let first = requests.join_next().await.unwrap().unwrap().unwrap();
    assert!(!first.is_replay);
    let new = new_user("Ann", address);
    assert!(there.create_once(request, new, id_and_name).await.unwrap().is_replay);
    assert_eq!(count(db).await, before + 1);
}

pub(crate) async fn an_expired_key_is_as_good_as_new(db: TestDatabase) {
    let options = UserServiceOptions {
        idempotency_time_to_live: Duration::ZERO,
        ..options()
    };
    let users = UserService::new(db.database().clone(), runtime(), options);
    create_ann(&users, REQUEST).await.unwrap();
    let bob = new_user("Bob", "bob@example.com");
    let second = users.create_once(OTHER_REQUEST, bob, id_and_name).await.unwrap();
    assert!(!second.is_replay);
    assert_eq!(count(&db).await, 2);
}

pub(crate) async fn sweeping_forgets_what_has_expired_and_nothing_else(db: TestDatabase) {
    let users = users_of(db.database());
    let kept = create_ann(&users, REQUEST).await.unwrap();
    // More than one statement deletes.
    let rows: Vec<_> = (0..2100)
        .map(|number| format!("('{number:064}', '', '', '2001-01-01 00:00:00')"))
        .collect();
    db.execute(&format!(
        "INSERT INTO idempotency_keys (key_hash, request_hash, answer, expires_at) VALUES {}",
        rows.join(",")
    ))
    .await;
    let other = users_of(db.database());
    let (one, two) = tokio::join!(users.sweep_idempotency_keys(), other.sweep_idempotency_keys());
    assert_eq!(one.unwrap() + two.unwrap(), 2100);
    assert_eq!(users.sweep_idempotency_keys().await.unwrap(), 0);
    assert_eq!(create_ann(&users, REQUEST).await.unwrap(), replay(kept));
}

pub(crate) async fn a_request_that_is_given_up_at_any_point_is_done_whole_or_not_at_all(db: TestDatabase) {
    let users = users_of(db.database());
    for number in 0..40_u8 {
        let request = IdempotentRequest {
            key: [number; 32],
            fingerprint: [number; 32],
        };
        let locals = [format!("a{number}"), format!("b{number}")];
        let both: UserBatch = batch(&[&locals[0], &locals[1]]);
        let patience = Duration::from_micros(400 * u64::from(number));
        let given_up = timeout(patience, users.create_many_once(request, both.clone(), ids)).await;
        let again = users.create_many_once(request, both, ids).await.unwrap();
        if let Ok(first) = given_up {
            assert_eq!(again, replay(first.unwrap()));
        }
        assert_eq!(count(&db).await, 2 * (u64::from(number) + 1));
    }
    settled(db.database()).await;
}

pub(crate) async fn a_conflict_with_another_transaction_is_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // No trigger can raise a conflict there; what SQLite raises by itself is tested under `retrying`.
        return;
    }
    let database = object(&db, "INSERT", 2, Objection::Conflict).await;
    let created = create_ann(&users_of(&database), REQUEST).await.unwrap();
    assert!(!created.is_replay);
    assert_eq!(attempts(&db, &database).await, "3");
    assert_eq!(count(&db).await, 1);
}

pub(crate) async fn a_key_that_was_claimed_and_not_committed_is_free(db: TestDatabase) {
    let transaction = db.database().begin().await.unwrap();
    let key = HexHash::new(REQUEST.key);
    let claimed = IdempotencyRepository::new(&transaction)
        .claim(&key, &key, Timestamp::now())
        .await;
    assert!(claimed.unwrap());
    // As when the process dies: nobody rolls back by intention.
    drop(transaction);
    assert!(!create_ann(&users_of(db.database()), REQUEST).await.unwrap().is_replay);
}
