//! Reading and writing single users and batches.

use std::collections::HashSet;

use domain::{Precondition, Timestamp, UserChanges};
use persistence::{
    PersistenceError, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{EVERYBODY, at, count, email, insert, name, new_user, new_users};

pub(crate) async fn an_inserted_user_is_found_as_it_was_returned(db: TestDatabase) {
    let user = insert(&db, new_user("田中太郎", "tanaka@example.com")).await;
    let users = UserRepository::new(db.database().reader());
    assert_eq!(users.find(user.id).await.unwrap(), Some(user.clone()));
    assert_eq!(users.find_by_email(&user.email).await.unwrap(), Some(user.clone()));
    assert!(users.exists(user.id).await.unwrap());
    assert_eq!(
        users.find_each(&[user.id]).await.unwrap()[&user.id].as_ref().unwrap(),
        &user
    );
    assert_eq!(
        users
            .existing_emails([&user.email, &email("other@example.com")])
            .await
            .unwrap(),
        HashSet::from([user.email])
    );
}

pub(crate) async fn a_second_user_with_the_same_address_is_refused(db: TestDatabase) {
    insert(&db, new_user("Ann", "ann@example.com")).await;
    let users = UserRepository::new(db.database().writer());
    let refused = users.insert(new_user("Other", "ANN@example.com"), at(1)).await;
    assert!(matches!(refused, Err(PersistenceError::EmailTaken)), "{refused:?}");
    assert_eq!(count(&db).await, 1);
}

/// A row that was given an id by hand gets in the way of the sequence on PostgreSQL. That is nobody's address.
pub(crate) async fn an_id_that_is_taken_is_not_mistaken_for_an_address(db: TestDatabase) {
    db.execute("INSERT INTO users (id, name, email) VALUES (1, 'By hand', 'by-hand@example.com')")
        .await;
    let users = UserRepository::new(db.database().writer());
    let inserted = users.insert(new_user("Ann", "ann@example.com"), at(0)).await;
    match db.engine() {
        TestEngine::Postgres => assert!(matches!(inserted, Err(PersistenceError::Other(_))), "{inserted:?}"),
        _ => assert_ne!(inserted.unwrap().id.get(), 1),
    }
}

pub(crate) async fn names_are_compared_byte_for_byte(db: TestDatabase) {
    let user = insert(&db, new_user("Zoe", "zoe@example.com")).await;
    for changed in ["Zoë", "zoe", "Zoe\u{301}"] {
        let before = UserRepository::new(db.database().writer())
            .find(user.id)
            .await
            .unwrap()
            .unwrap();
        let after = update(&db, &user, Some(changed), None).await;
        assert_eq!((after.name.as_str(), after.version), (changed, before.version + 1));
    }
}

pub(crate) async fn a_name_of_a_hundred_emoji_is_stored_and_returned(db: TestDatabase) {
    let emoji = "🦀".repeat(100);
    let user = insert(&db, new_user(&emoji, "crab@example.com")).await;
    let found = UserRepository::new(db.database().reader())
        .find(user.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.name.as_str(), emoji);
}

pub(crate) async fn an_update_changes_only_what_is_given_and_counts_the_version(db: TestDatabase) {
    let user = insert(&db, new_user("Ann", "ann@example.com")).await;
    let bystander = insert(&db, new_user("Bob", "bob@example.com")).await;
    let renamed = update(&db, &user, Some("Anna"), None).await;
    assert_eq!(
        (renamed.name.as_str(), &renamed.email, renamed.version),
        ("Anna", &user.email, 2)
    );
    assert_eq!((renamed.created_at, renamed.updated_at), (at(0), at(5)));
    let moved = update(&db, &user, None, Some("anna@example.com")).await;
    assert_eq!(
        (moved.name.as_str(), moved.email.as_str(), moved.version),
        ("Anna", "anna@example.com", 3)
    );
    let users = UserRepository::new(db.database().writer());
    assert_eq!(users.find(user.id).await.unwrap(), Some(moved));
    assert_eq!(users.find(bystander.id).await.unwrap(), Some(bystander));
}

pub(crate) async fn an_update_to_the_same_values_keeps_version_and_time(db: TestDatabase) {
    let user = insert(&db, new_user("Ann", "ann@example.com")).await;
    assert_eq!(update(&db, &user, Some("Ann"), Some("ann@example.com")).await, user);
    assert_eq!(
        update(&db, &user, Some("Ann"), Some("new@example.com")).await.version,
        2
    );
}

pub(crate) async fn an_update_to_the_address_of_another_user_is_refused(db: TestDatabase) {
    insert(&db, new_user("Ann", "ann@example.com")).await;
    let user = insert(&db, new_user("Bob", "bob@example.com")).await;
    let changes = UserChanges::new(None, Some(email("ann@example.com"))).unwrap();
    let refused = UserRepository::new(db.database().writer())
        .update(user.id, &changes, &Precondition::None, at(5))
        .await;
    assert!(matches!(refused, Err(PersistenceError::EmailTaken)), "{refused:?}");
}

pub(crate) async fn an_update_or_deletion_of_nobody_says_so(db: TestDatabase) {
    let user = insert(&db, new_user("Ann", "ann@example.com")).await;
    let users = UserRepository::new(db.database().writer());
    assert!(users.delete(user.id, &Precondition::None).await.unwrap());
    assert!(!users.delete(user.id, &Precondition::None).await.unwrap());
    let changes = UserChanges::new(Some(name("Anna")), None).unwrap();
    assert_eq!(
        users
            .update(user.id, &changes, &Precondition::None, at(5))
            .await
            .unwrap(),
        None
    );
}

pub(crate) async fn a_deleted_user_is_gone(db: TestDatabase) {
    let user = insert(&db, new_user("Ann", "ann@example.com")).await;
    let users = UserRepository::new(db.database().writer());
    users.delete(user.id, &Precondition::None).await.unwrap();
    assert_eq!(users.find(user.id).await.unwrap(), None);
    assert!(!users.exists(user.id).await.unwrap());
    insert(&db, new_user("Ann", "ann@example.com")).await;
}

pub(crate) async fn a_batch_returns_every_user_with_its_own_id_in_input_order(db: TestDatabase) {
    let batch = new_users(1000);
    let transaction = db.database().begin().await.unwrap();
    let inserted = UserRepository::new(&transaction)
        .insert_many(&batch, at(0))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(inserted.len(), 1000);
    let users = UserRepository::new(db.database().reader());
    for (new, user) in batch.iter().zip(&inserted) {
        assert_eq!((&new.name, &new.email), (&user.name, &user.email));
    }
    for user in inserted.iter().step_by(97) {
        assert_eq!(users.find(user.id).await.unwrap().as_ref(), Some(user));
    }
    assert!(
        UserRepository::new(db.database().writer())
            .insert_many(&[], at(0))
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn a_batch_with_a_known_address_leaves_nothing_behind(db: TestDatabase) {
    insert(&db, new_user("Ann", "user500@example.com")).await;
    let transaction = db.database().begin().await.unwrap();
    let refused = UserRepository::new(&transaction)
        .insert_many(&new_users(1000), at(0))
        .await;
    assert!(matches!(refused, Err(PersistenceError::EmailTaken)), "{refused:?}");
    drop(transaction);
    assert_eq!(count(&db).await, 1);
}

pub(crate) async fn a_row_that_breaks_the_rules_is_reported_by_id_and_column(db: TestDatabase) {
    let user = insert(&db, new_user("Ann", "ann@example.com")).await;
    db.execute("UPDATE users SET email = 'Not An Address'").await;
    let error = UserRepository::new(db.database().writer())
        .find(user.id)
        .await
        .unwrap_err();
    let expected = format!(
        "column email of users row {} holds a value that the rules refuse",
        user.id
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(!error.to_string().contains("Not An Address"), "{error}");
}

pub(crate) async fn timestamps_come_back_to_the_microsecond(db: TestDatabase) {
    for micros in [0, 1, 876_543, 876_544, 1_000_000] {
        let users = UserRepository::new(db.database().writer());
        let new = new_user("Ann", &format!("ann{micros}@example.com"));
        let user = users.insert(new, at(micros)).await.unwrap();
        assert_eq!(users.find(user.id).await.unwrap().unwrap().created_at, at(micros));
    }
}

/// The text in SQLite is what is compared, so who writes a time must not show in it.
pub(crate) async fn a_time_is_stored_alike_by_an_insert_and_by_an_update(db: TestDatabase) {
    for micros in [0, 1, 120_000, 876_543, 999_999, 1_000_000, 1_763_867_113_123_456] {
        let time = Timestamp::from_unix_micros(micros).unwrap();
        let transaction = db.database().begin().await.unwrap();
        let users = UserRepository::new(&transaction);
        let new = new_user("Ann", &format!("ann{micros}@example.com"));
        let user = users.insert(new, time).await.unwrap();
        let changes = UserChanges::new(Some(name("Bob")), None).unwrap();
        let updated = users.update(user.id, &changes, &Precondition::None, time).await;
        assert_eq!(updated.unwrap().unwrap().version, 2);
        transaction.commit().await.unwrap();
    }
    let alike = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM users WHERE created_at = updated_at";
    assert_eq!(db.query(db.database().writer(), alike).await[0][0].trim(), "7");
}

/// Rows written by hand may spell times as SQLite's own functions do.
pub(crate) async fn a_time_in_sqlite_is_read_in_every_form_that_the_driver_knows(db: TestDatabase) {
    if db.engine() != TestEngine::Sqlite {
        return;
    }
    let users = UserRepository::new(db.database().writer());
    let user = users.insert(new_user("Ann", "ann@example.com"), at(5)).await.unwrap();
    let expected = Timestamp::from_unix_micros(1_763_867_113_500_000).unwrap();
    for text in [
        "2025-11-23 03:05:13.5",
        "2025-11-23T03:05:13.500",
        "2025-11-23 03:05:13.500000Z",
        "2025-11-23T03:05:13.5+00:00",
    ] {
        db.execute(&format!("UPDATE users SET created_at = '{text}'")).await;
        assert_eq!(
            users.find(user.id).await.unwrap().unwrap().created_at,
            expected,
            "{text}"
        );
        assert_eq!(
            users.page(&EVERYBODY, 0, 1).await.unwrap()[0].created_at,
            expected,
            "{text}"
        );
    }
}

/// Else it would be right, but slower: `.cargo/config.toml` tells why.
pub(crate) async fn the_sqlite_that_is_built_in_is_compiled_as_it_should_be(db: TestDatabase) {
    if db.engine() != TestEngine::Sqlite {
        return;
    }
    let options = db.query(db.database().writer(), "PRAGMA compile_options").await;
    let options: Vec<_> = options.into_iter().flatten().collect();
    let has = |option: &str| options.iter().any(|it| it == option);
    assert!(has("ENABLE_QPSG") && has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

async fn update(
    db: &TestDatabase,
    user: &domain::User,
    new_name: Option<&str>,
    new_email: Option<&str>,
) -> domain::User {
    let changes = UserChanges::new(new_name.map(name), new_email.map(email)).unwrap();
    let transaction = db.database().begin().await.unwrap();
    let updated = UserRepository::new(&transaction)
        .update(user.id, &changes, &Precondition::None, at(5))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    updated.unwrap()
}
