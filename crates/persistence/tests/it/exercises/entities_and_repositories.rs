//! Solutions of the exercises in the chapter on entities and repositories.

use domain::{Timestamp, User, UserId};
use persistence::{Executor, PersistenceError, UserRepository, test_db::TestDatabase};

use crate::support::{insert, new_user, new_users};

// ANCHOR: newtype
/// What a user is called among friends: 2 to 20 letters or digits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Nickname(String);

/// It is no nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NoNickname;

impl Nickname {
    /// The only way to one. Blanks around it are left out.
    fn parse(text: &str) -> Result<Self, NoNickname> {
        let text = text.trim();
        let is_of_length = (2..=20).contains(&text.chars().count());
        if is_of_length && text.chars().all(char::is_alphanumeric) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoNickname)
        }
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}
// ANCHOR_END: newtype

pub(crate) async fn a_nickname_is_proof_that_its_rules_hold(_db: TestDatabase) {
    for text in ["Al", " Al ", "田中", "x".repeat(20).as_str(), "R2D2"] {
        let nickname = Nickname::parse(text).unwrap();
        assert_eq!(nickname.as_str(), text.trim());
        assert_eq!(Nickname::parse(nickname.as_str()), Ok(nickname));
    }
    for text in ["", "A", " A ", "two words", "Al\n2", "x".repeat(21).as_str()] {
        assert_eq!(Nickname::parse(text), Err(NoNickname), "{text:?}");
    }
}

// ANCHOR: in-order
/// The users with these ids in the order of the ids, with one statement, over a pool or in a transaction.
async fn in_order(executor: &impl Executor, ids: &[UserId]) -> Result<Vec<Option<User>>, PersistenceError> {
    let mut by_id = UserRepository::new(executor).find_each(ids).await?;
    ids.iter().map(|id| by_id.remove(id).transpose()).collect()
}
// ANCHOR_END: in-order

pub(crate) async fn users_come_in_the_order_in_which_they_are_asked_for(db: TestDatabase) {
    let mut users = Vec::new();
    for user in new_users(3) {
        users.push(insert(&db, user).await);
    }
    let nobody = UserId::new(1_000_000).unwrap();
    let ids = [users[2].id, nobody, users[0].id];
    let expected = [Some(users[2].clone()), None, Some(users[0].clone())];
    assert_eq!(in_order(db.database().reader(), &ids).await.unwrap(), expected);

    // One who has not been committed is there for the transaction alone.
    let transaction = db.database().begin().await.unwrap();
    let own = UserRepository::new(&transaction)
        .insert(new_user("Own", "own@example.com"), Timestamp::now())
        .await;
    let own = own.unwrap();
    assert_eq!(in_order(&transaction, &[own.id]).await.unwrap(), [Some(own.clone())]);
    assert_eq!(in_order(db.database().reader(), &[own.id]).await.unwrap(), [None]);
    transaction.commit().await.unwrap();
    assert_eq!(in_order(db.database().reader(), &[own.id]).await.unwrap(), [Some(own)]);
}
