//! The list by pages.

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::support::{JSON, TestApp, USERS, emails};

pub(crate) async fn an_empty_list_has_no_pages(db: TestDatabase) {
    let app = TestApp::start(&db);
    let answer = app.get(USERS).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)));
    let expected = json!({"users": [], "total": 0, "page": 1, "per_page": 20, "total_pages": 0, "next_cursor": null});
    assert_eq!(answer.json(), expected);
    let first = "</api/v1/users?page=1&per_page=20>";
    assert_eq!(
        answer.header("link").unwrap(),
        format!("{first}; rel=\"first\", {first}; rel=\"last\"")
    );
    let walk = app.get("/api/v1/users?cursor=").await;
    assert_eq!(walk.json(), json!({"users": [], "per_page": 20, "next_cursor": null}));
    assert_eq!(walk.header("link"), None);
}

pub(crate) async fn newest_come_first_and_ids_decide_between_equals(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(4)).await;
    for (user, time) in users.iter().zip([
        "12:00:00.000001",
        "12:00:00.000000",
        "12:00:00.000001",
        "11:59:59.999999",
    ]) {
        db.execute(&format!(
            "UPDATE users SET created_at = '2026-01-02 {time}' WHERE id = {}",
            user["id"]
        ))
        .await;
    }
    let newest = app.create("Newest", "newest@example.com").await;
    let expected: Vec<_> = [&newest, &users[2], &users[0], &users[1], &users[3]]
        .map(|user| user["id"].clone())
        .into();
    assert_eq!(ids(&app, USERS).await, expected);
    for (page, pair) in (1..).zip(expected.chunks(2)) {
        assert_eq!(ids(&app, &format!("{USERS}?page={page}&per_page=2")).await, pair);
    }
    assert_eq!(ids(&app, "/api/v1/users?cursor=&per_page=100").await, expected);
}

pub(crate) async fn pages_cover_the_list_and_link_to_each_other(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut expected: Vec<_> = app
        .create_batch(emails(45))
        .await
        .iter()
        .map(|user| user["id"].clone())
        .collect();
    expected.reverse();
    let mut seen = Vec::new();
    let mut next = Some("/api/v1/users?per_page=20".to_owned());
    for page in 1..=3 {
        let answer = app.get(&next.unwrap()).await;
        let body = answer.json();
        let members = ["total", "page", "per_page", "total_pages"].map(|member| body[member].as_u64().unwrap());
        assert_eq!(members, [45, page, 20, 3]);
        assert_eq!(body["next_cursor"].is_null(), page == 3);
        seen.extend(body["users"].as_array().unwrap().iter().map(|user| user["id"].clone()));
        let relations = links(answer.header("link").unwrap());
        let target = |number: u64| Some(format!("/api/v1/users?page={number}&per_page=20"));
        let find = |relation: &str| {
            relations
                .iter()
                .find(|(rel, _)| rel == relation)
                .map(|(_, target)| target.clone())
        };
        assert_eq!(find("first"), target(1));
        assert_eq!(find("last"), target(3));
        assert_eq!(find("prev"), target(page - 1).filter(|_| page > 1));
        assert_eq!(find("next"), target(page + 1).filter(|_| page < 3));
        next = find("next");
    }
    assert_eq!((seen, next), (expected, None));
}

pub(crate) async fn a_page_past_the_end_is_empty_and_leads_back(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(emails(40)).await;
    for page in ["3", "4", "2147483647"] {
        let answer = app.get(&format!("{USERS}?page={page}")).await;
        let number: u64 = page.parse().unwrap();
        let expected =
            json!({"users": [], "total": 40, "page": number, "per_page": 20, "total_pages": 2, "next_cursor": null});
        assert_eq!((answer.status, answer.json()), (200, expected));
        let link =
            |number: u64, relation: &str| format!("</api/v1/users?page={number}&per_page=20>; rel=\"{relation}\"");
        let expected = [link(1, "first"), link(2, "prev"), link(2, "last")].join(", ");
        assert_eq!(answer.header("link").unwrap(), expected);
    }
    // A full last page ends the list as well.
    assert_eq!(app.get("/api/v1/users?page=2").await.json()["next_cursor"], Value::Null);
    let all = app.get("/api/v1/users?per_page=100").await.json();
    assert_eq!(
        (&all["total_pages"], all["users"].as_array().unwrap().len()),
        (&json!(1), 40)
    );
}

pub(crate) async fn the_filter_finds_one_address_in_either_shape(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(30)).await;
    let wanted = &users[7];
    let page = app.get("/api/v1/users?email=%20USER7@Example.com&per_page=5").await;
    let expected =
        json!({"users": [wanted], "total": 1, "page": 1, "per_page": 5, "total_pages": 1, "next_cursor": null});
    assert_eq!(page.json(), expected);
    let link = "</api/v1/users?page=1&per_page=5&email=user7@example.com>";
    assert_eq!(
        page.header("link").unwrap(),
        format!("{link}; rel=\"first\", {link}; rel=\"last\"")
    );
    let walk = app.get("/api/v1/users?cursor=&email=user7@example.com").await;
    assert_eq!(
        walk.json(),
        json!({"users": [wanted], "per_page": 20, "next_cursor": null})
    );

    // Neither a part of an address nor a wildcard finds anyone.
    for email in [
        "user@example.com",
        "user%25@example.com",
        "user_@example.com",
        "user77@example.com",
    ] {
        let page = app.get(&format!("{USERS}?email={email}")).await.json();
        assert_eq!(
            (&page["users"], &page["total"], &page["total_pages"]),
            (&json!([]), &json!(0), &json!(0)),
            "{email}"
        );
        let walk = app.get(&format!("{USERS}?email={email}&cursor=")).await.json();
        assert_eq!(walk["users"], json!([]), "{email}");
    }
    let past = app.get("/api/v1/users?email=user7@example.com&page=2").await.json();
    assert_eq!((&past["users"], &past["total"]), (&json!([]), &json!(1)));
}

pub(crate) async fn the_total_follows_every_write(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(30)).await;
    assert_eq!(app.count().await, 30);
    app.create("Ann", "ann@example.com").await;
    assert_eq!(app.count().await, 31);
    app.delete(&crate::support::path_of(&users[0])).await;
    assert_eq!(app.count().await, 30);
    app.post_json(USERS, &json!({"name": "Ann", "email": "ann@example.com"}))
        .await
        .problem(409, "email_taken");
    assert_eq!(app.count().await, 30);
}

async fn ids(app: &TestApp, path: &str) -> Vec<Value> {
    let listed = app.get(path).await.json();
    listed["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].clone())
        .collect()
}

/// Relations and targets of a `Link` header.
fn links(header: &str) -> Vec<(String, String)> {
    header
        .split(", ")
        .map(|link| {
            let (target, relation) = link.split_once(">; rel=").unwrap();
            (
                relation.trim_matches('"').to_owned(),
                target.trim_start_matches('<').to_owned(),
            )
        })
        .collect()
}
