//! Shorthand for values that obey the rules.

use domain::{Email, NewUser, Timestamp, User, UserFilter, UserName};
use persistence::{UserRepository, test_db::TestDatabase};

pub(crate) const EVERYBODY: UserFilter = UserFilter { email: None };

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

/// `count` users with addresses of their own.
pub(crate) fn new_users(count: usize) -> Vec<NewUser> {
    (0..count)
        .map(|number| new_user(&format!("User {number}"), &format!("user{number}@example.com")))
        .collect()
}

/// A time `micros` microseconds after a fixed one.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_763_870_713_123_456 + micros).unwrap()
}

pub(crate) async fn insert(db: &TestDatabase, new_user: NewUser) -> User {
    UserRepository::new(db.database().writer())
        .insert(new_user, at(0))
        .await
        .unwrap()
}

pub(crate) async fn count(db: &TestDatabase) -> u64 {
    UserRepository::new(db.database().writer())
        .count(&EVERYBODY)
        .await
        .unwrap()
}
