//! Tests with a database each.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use persistence::test_db::TestDatabase;
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::json;

use crate::support::{TestApp, USERS, path_of};

// ANCHOR: exercise-1
pub(crate) async fn of_a_deletion_and_twenty_creations_at_once_at_most_one_creation_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let ann = path_of(&app.create("Ann", "ann@example.com").await);
    let body = json!({"name": "Another Ann", "email": "ann@example.com"});
    let creations = join_all((0..20).map(|_| app.post_json(USERS, &body)));
    let (deleted, created) = join(app.delete(&ann), creations).await;
    assert_eq!(deleted.status, 204);
    let successes = created.iter().filter(|answer| answer.status == 201).count();
    for answer in created.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "email_taken");
    }
    // Who comes first is open. What was answered and what is there must agree.
    assert!(successes <= 1, "{successes}");
    assert_eq!(app.count().await, successes as u64);
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Delete(u8),
}

pub(crate) async fn whatever_is_done_to_the_list_it_agrees_with_a_map(db: TestDatabase) {
    let app = TestApp::start(&db);
    let step = prop_oneof![(0..4_u8).prop_map(Step::Create), (0..4_u8).prop_map(Step::Delete)];
    let steps = vec(step, 40)
        .new_tree(&mut TestRunner::deterministic())
        .unwrap()
        .current();
    let mut expected = BTreeMap::new();
    for step in steps {
        match step {
            Step::Create(number) => {
                let email = format!("user{number}@example.com");
                let answer = app.post_json(USERS, &json!({"name": "Someone", "email": email})).await;
                assert_eq!(answer.status == 201, !expected.contains_key(&email), "{answer}");
                if answer.status == 201 {
                    expected.insert(email, path_of(&answer.json()));
                }
            }
            Step::Delete(number) => {
                let email = format!("user{number}@example.com");
                let path = expected.remove(&email);
                let answer = app.delete(path.as_deref().unwrap_or("/api/v1/users/999999")).await;
                assert_eq!(answer.status, if path.is_some() { 204 } else { 404 }, "{answer}");
            }
        }
        let listed = app.get(USERS).await.json();
        let mut listed: Vec<_> = listed["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| &user["email"])
            .collect();
        listed.sort_by_key(|email| email.as_str());
        assert!(
            listed.iter().copied().eq(expected.keys()),
            "{listed:?} is not {expected:?}"
        );
    }
}
// ANCHOR_END: exercise-2
