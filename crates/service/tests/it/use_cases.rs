//! What can be done with users, one at a time and many at once.

use domain::{PageNumber, PageRequest, PageSize, Precondition, UserChanges, UserFilter, UserId};
use persistence::test_db::TestDatabase;
use service::{Freshness, UserError};
use tokio::task::JoinSet;

use crate::support::{EVERYBODY, batch, count, email, name, new_user, rename, stored, users_of};

fn size(users: u64) -> PageSize {
    PageSize::new(users).unwrap()
}

fn request(number: u64, users: u64) -> PageRequest {
    PageRequest {
        number: PageNumber::new(number).unwrap(),
        size: size(users),
    }
}

pub(crate) async fn a_user_is_created_read_changed_and_deleted(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "Ann@Example.com")).await.unwrap();
    assert_eq!((ann.name.as_str(), ann.email.as_str()), ("Ann", "ann@example.com"));
    assert_eq!((ann.version, ann.created_at), (1, ann.updated_at));
    assert_eq!(users.get(ann.id, Freshness::MayLag).await.unwrap(), ann);
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);

    let changes = UserChanges::new(Some(name("Anna")), Some(email("anna@example.com"))).unwrap();
    let anna = users.update(ann.id, changes.clone(), Precondition::None).await.unwrap();
    assert_eq!((anna.name.as_str(), anna.email.as_str()), ("Anna", "anna@example.com"));
    assert_eq!((anna.id, anna.created_at, anna.version), (ann.id, ann.created_at, 2));
    assert!(anna.updated_at > ann.updated_at);
    assert_eq!(users.get(ann.id, Freshness::MayLag).await.unwrap(), anna);
    // A change to what is there already is none.
    assert_eq!(users.update(ann.id, changes, Precondition::None).await.unwrap(), anna);

    users.delete(ann.id, Precondition::None).await.unwrap();
    assert_eq!(count(&db).await, 0);
}

pub(crate) async fn nobody_cannot_be_read_changed_or_deleted(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    users.delete(ann.id, Precondition::None).await.unwrap();
    let nobody = ann.id;
    let is_refused = |error: UserError| matches!(error, UserError::NotFound(id) if id == nobody);
    assert!(is_refused(users.get(nobody, Freshness::MayLag).await.unwrap_err()));
    assert!(is_refused(
        users.update(nobody, rename("X"), Precondition::None).await.unwrap_err()
    ));
    assert!(is_refused(users.delete(nobody, Precondition::None).await.unwrap_err()));
    let largest = UserId::new(i64::MAX).unwrap();
    let refused = users.get(largest, Freshness::MayLag).await.unwrap_err();
    assert_eq!(refused.to_string(), "User with id 9223372036854775807 not found");
}

// ANCHOR: address
pub(crate) async fn an_address_belongs_to_one_user(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let bob = users.create(new_user("Bob", "bob@example.com")).await.unwrap();
    let refused = users.create(new_user("Ann", "ANN@example.com")).await.unwrap_err();
    assert!(matches!(refused, UserError::EmailTaken), "{refused:?}");
    let take = UserChanges::new(Some(name("Robert")), Some(ann.email.clone())).unwrap();
    let refused = users.update(bob.id, take, Precondition::None).await.unwrap_err();
    assert!(matches!(refused, UserError::EmailTaken), "{refused:?}");
    assert_eq!(stored(&db, bob.id).await.unwrap(), bob);
    // An address that became free can be had.
    users.delete(ann.id, Precondition::None).await.unwrap();
    users.create(new_user("Ann", "ann@example.com")).await.unwrap();
}
// ANCHOR_END: address

pub(crate) async fn of_fifty_creates_of_one_address_at_once_one_succeeds(db: TestDatabase) {
    let users = users_of(db.database());
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let users = users.clone();
        let new = new_user(&format!("Ann {number}"), "ann@example.com");
        tasks.spawn(async move { users.create(new).await });
    }
    let outcomes = tasks.join_all().await;
    let created: Vec<_> = outcomes.iter().flatten().collect();
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(UserError::EmailTaken)));
    assert_eq!((created.len(), refused.count()), (1, 49), "{outcomes:?}");
    assert_eq!(count(&db).await, 1);
    assert_eq!(&stored(&db, created[0].id).await.unwrap(), created[0]);
}

pub(crate) async fn five_users_are_created_at_once(db: TestDatabase) {
    let users = users_of(db.database());
    let mut tasks = JoinSet::new();
    for number in 0..5 {
        let users = users.clone();
        let new = new_user(&format!("User {number}"), &format!("user{number}@example.com"));
        tasks.spawn(async move { users.create(new).await });
    }
    let mut created = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        created.push(outcome.unwrap().unwrap());
    }
    for user in &created {
        assert_eq!(&users.get(user.id, Freshness::MayLag).await.unwrap(), user);
    }
    assert_eq!((created.len(), count(&db).await), (5, 5));
}

pub(crate) async fn changes_of_one_user_at_once_are_all_counted(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let mut updates = JoinSet::new();
    for number in 0..20 {
        let users = users.clone();
        updates.spawn(async move {
            users
                .update(ann.id, rename(&format!("Ann {number}")), Precondition::None)
                .await
        });
    }
    let mut versions: Vec<_> = updates
        .join_all()
        .await
        .into_iter()
        .map(|user| user.unwrap().version)
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());
}

pub(crate) async fn pages_and_the_walk_show_the_newest_first_and_count_everybody(db: TestDatabase) {
    let users = users_of(db.database());
    let empty = users.page(EVERYBODY, request(1, 3), Freshness::MayLag).await.unwrap();
    assert!((empty.users.is_empty(), empty.total, empty.next) == (true, 0, None));
    users.create_many(batch(&["a", "b", "c"])).await.unwrap();
    users.create(new_user("d", "d@example.com")).await.unwrap();

    // Sizes and positions where the list ends in a page, at its edge and before it.
    for (number, per_page, shown, goes_on) in [
        (1, 3, "dcb", true),
        (2, 3, "a", false),
        (3, 3, "", false),
        (1, 4, "dcba", false),
        (2, 4, "", false),
        (1, 100, "dcba", false),
        (2, 2, "ba", false),
        (1000, 100, "", false),
    ] {
        let page = users
            .page(EVERYBODY, request(number, per_page), Freshness::MayLag)
            .await
            .unwrap();
        let names: String = page.users.iter().map(|user| user.name.as_str()).collect();
        let found = (names.as_str(), page.total, page.next.is_some());
        assert_eq!(found, (shown, 4, goes_on), "page {number} of {per_page}");
    }

    let mut walked = String::new();
    let mut position = None;
    loop {
        let slice = users
            .after(EVERYBODY, position, size(2), Freshness::MayLag)
            .await
            .unwrap();
        walked.extend(slice.users.iter().map(|user| user.name.as_str()));
        position = slice.next;
        if position.is_none() {
            break;
        }
    }
    assert_eq!(walked, "dcba");

    for (address, total) in [("b@example.com", 1), ("x@example.com", 0)] {
        let filter = UserFilter {
            email: Some(email(address)),
        };
        let page = users
            .page(filter.clone(), request(1, 3), Freshness::MayLag)
            .await
            .unwrap();
        assert_eq!((page.total, page.users.len() as u64), (total, total));
        assert_eq!(
            users
                .after(filter, None, size(3), Freshness::MayLag)
                .await
                .unwrap()
                .users,
            page.users
        );
    }
}
