//! Solutions of the exercises at the end of the chapter.

use domain::{Timestamp, User};
use persistence::test_db::TestDatabase;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use crate::{
    Executor, PersistenceError, UserRepository,
    entity::user,
    support::{at, new_user},
};

// ANCHOR: exercise-1
impl<E: Executor> UserRepository<'_, E> {
    /// The users who were created at `start` or later, and before `end`, newest first.
    pub async fn created_between(&self, start: Timestamp, end: Timestamp) -> Result<Vec<User>, PersistenceError> {
        let rows = user::Entity::find()
            .filter(user::Column::CreatedAt.gte(start.to_utc().naive_utc()))
            .filter(user::Column::CreatedAt.lt(end.to_utc().naive_utc()))
            .order_by_desc(user::Column::CreatedAt)
            .order_by_desc(user::Column::Id)
            .all(self.0.inner())
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

pub(crate) async fn the_users_of_a_day_are_those_from_its_start_to_before_the_next(db: TestDatabase) {
    let users = UserRepository::new(db.database().writer());
    for (name, micros) in [("Before", -1), ("First", 0), ("Last", 9), ("After", 10)] {
        let new_user = new_user(name, &format!("{name}@example.com"));
        users.insert(new_user, at(micros)).await.unwrap();
    }
    let of_the_day = users.created_between(at(0), at(10)).await.unwrap();
    let names: Vec<&str> = of_the_day.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["Last", "First"]);
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
impl<E: Executor> UserRepository<'_, E> {
    /// How many users were created at `start` or later.
    pub async fn count_created_since(&self, start: Timestamp) -> Result<u64, PersistenceError> {
        let since = user::Column::CreatedAt.gte(start.to_utc().naive_utc());
        Ok(user::Entity::find().filter(since).count(self.0.inner()).await?)
    }
}

pub(crate) async fn a_count_knows_no_limit(db: TestDatabase) {
    let users = UserRepository::new(db.database().writer());
    for number in 0..5 {
        let new_user = new_user("Somebody", &format!("{number}@example.com"));
        users.insert(new_user, at(number)).await.unwrap();
    }
    assert_eq!(users.count_created_since(at(2)).await.unwrap(), 3);
    assert_eq!(users.created_since(at(2), 2).await.unwrap().len(), 2);
}
// ANCHOR_END: exercise-2

// ANCHOR: exercise-3
use sea_orm::{ExprTrait, sea_query::LikeExpr};

impl<E: Executor> UserRepository<'_, E> {
    /// The users whose address is at `domain`, in the order of their ids.
    pub async fn at_domain(&self, domain: &str) -> Result<Vec<User>, PersistenceError> {
        // `%` and `_` stand for other characters in a pattern. Behind a `!` they stand for themselves.
        let mut pattern = String::from("%@");
        for character in domain.chars() {
            if matches!(character, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(character);
        }
        let rows = user::Entity::find()
            .filter(user::Column::Email.into_expr().like(LikeExpr::new(pattern).escape('!')))
            .order_by_asc(user::Column::Id)
            .all(self.0.inner())
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

pub(crate) async fn a_domain_is_text_and_no_pattern(db: TestDatabase) {
    let users = UserRepository::new(db.database().writer());
    for email in ["ann@example.com", "ben@example.org", "eve@notexample.com"] {
        users.insert(new_user("Somebody", email), at(0)).await.unwrap();
    }
    let found = users.at_domain("example.com").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].email.as_str(), "ann@example.com");
    for pattern in ["%", "example._om", "%.com", "!", ""] {
        assert!(users.at_domain(pattern).await.unwrap().is_empty(), "{pattern}");
    }
}
// ANCHOR_END: exercise-3
