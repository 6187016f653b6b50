//! The list by cursors.

use std::collections::HashSet;

use persistence::test_db::TestDatabase;
use serde_json::Value;

use crate::support::{TestApp, USERS, emails, path_of};

pub(crate) async fn a_walk_over_users_of_the_same_microsecond_repeats_and_skips_nobody(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(1000)).await;
    let mut expected: Vec<_> = users.iter().map(id).collect();
    expected.reverse();
    // The size of the pieces may change on the way.
    let mut sizes = [100, 1, 7, 64].into_iter().cycle();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let size = sizes.next().unwrap();
        let (ids, next) = step(&app, &cursor, size).await;
        assert!(
            ids.len() == size || next.is_none(),
            "a piece of {} in the middle",
            ids.len()
        );
        seen.extend(ids);
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(seen, expected);
}

pub(crate) async fn a_walk_repeats_and_skips_nobody_while_others_come_and_go(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(60)).await;
    let mut untouched: HashSet<_> = users.iter().map(id).collect();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for round in 0.. {
        let (ids, next) = step(&app, &cursor, 7).await;
        seen.extend(ids);
        let Some(next) = next else { break };
        cursor = next;
        app.create("Latecomer", &format!("latecomer{round}@example.com")).await;
        // One that was seen goes, and one that was not; by the third round even the one that the cursor stands on.
        let (last, first) = (*seen.last().unwrap(), untouched.iter().copied().min().unwrap());
        for gone in [last, first] {
            assert_eq!(app.delete(&format!("{USERS}/{gone}")).await.status, 204);
            untouched.remove(&gone);
        }
    }
    let distinct: HashSet<_> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "somebody was repeated");
    assert!(untouched.is_subset(&distinct), "somebody was skipped");
    assert!(seen.is_sorted_by(|left, right| left > right));
}

pub(crate) async fn the_cursor_of_a_page_continues_as_a_walk(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(25)).await;
    let page = app.get("/api/v1/users?page=2&per_page=10").await.json();
    let (rest, end) = step(&app, page["next_cursor"].as_str().unwrap(), 10).await;
    let expected: Vec<_> = users[..5].iter().rev().map(id).collect();
    assert_eq!((rest, end), (expected, None));
    assert_eq!(
        app.get("/api/v1/users?page=3&per_page=10").await.json()["next_cursor"],
        Value::Null
    );
}

pub(crate) async fn a_cursor_that_was_not_issued_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(emails(3)).await;
    let (_, cursor) = step(&app, "", 1).await;
    let cursor = cursor.unwrap();
    assert!(
        cursor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{cursor}"
    );
    let mut forged = vec![
        "x".to_owned(),
        "%20".to_owned(),
        "AAAA".to_owned(),
        "%F0%9F%A6%80".to_owned(),
    ];
    forged.push(format!("{cursor}A"));
    forged.push(format!("{cursor}="));
    forged.push(cursor[..cursor.len() - 1].to_owned());
    for position in 0..cursor.len() {
        let mut bytes = cursor.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        forged.push(String::from_utf8(bytes).unwrap());
    }
    for forged in forged {
        app.get(&format!("{USERS}?cursor={forged}"))
            .await
            .problem(400, "invalid_cursor");
    }
    // It is no better when the rest is wrong as well.
    app.get("/api/v1/users?cursor=x&per_page=0&page=1&typo")
        .await
        .problem(400, "invalid_cursor");
    let together = app.get(&format!("{USERS}?cursor={cursor}&page=1")).await;
    together.has_faults(&[("query/cursor", "range")]);
}

pub(crate) async fn a_cursor_is_good_for_its_own_filter_only(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(emails(3)).await;
    let (_, cursor) = step(&app, "", 1).await;
    let filtered = format!("{USERS}?cursor={}&email=user1@example.com", cursor.unwrap());
    app.get(&filtered).await.problem(400, "invalid_cursor");
}

pub(crate) async fn cursors_work_on_every_instance_that_shares_the_secret(db: TestDatabase) {
    let secret = |secret: &'static str| move |options: &mut api::ApiOptions| options.secret_key = Some(secret.into());
    let issuer = TestApp::start_with(&db, secret("one secret of thirty-two letters"));
    let second = TestApp::start_with(&db, secret("one secret of thirty-two letters"));
    let stranger = TestApp::start_with(&db, secret("no secret of theirs, but its own"));
    let users = issuer.create_batch(emails(3)).await;
    let cursor = step(&issuer, "", 2).await.1.unwrap();
    assert_eq!(step(&second, &cursor, 2).await, (vec![id(&users[0])], None));
    stranger
        .get(&format!("{USERS}?cursor={cursor}"))
        .await
        .problem(400, "invalid_cursor");
    assert_eq!(second.get(&path_of(&users[1])).await.json(), users[1]);
}

/// The ids of a piece of the walk, and where the next one starts.
async fn step(app: &TestApp, cursor: &str, size: usize) -> (Vec<i64>, Option<String>) {
    let piece = app.get(&format!("{USERS}?cursor={cursor}&per_page={size}")).await;
    let piece = piece.json();
    assert_eq!(piece["per_page"], size);
    let ids = piece["users"].as_array().unwrap().iter().map(id).collect();
    (ids, piece["next_cursor"].as_str().map(str::to_owned))
}

fn id(user: &Value) -> i64 {
    user["id"].as_i64().unwrap()
}
