//! Entity tags, and requests that depend on them.

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::{
    answer::Answer,
    support::{Request, TestApp, USERS, path_of},
};

const NOBODY: &str = "/api/v1/users/999999";

async fn rename(app: &TestApp, path: &str, name: &str, if_match: &str) -> Answer {
    let request = Request::new("PATCH", path).json(&json!({"name": name}));
    app.send(request.header("if-match", if_match)).await
}

async fn delete(app: &TestApp, path: &str, if_match: &str) -> Answer {
    app.send(Request::new("DELETE", path).header("if-match", if_match))
        .await
}

async fn etag(app: &TestApp, path: &str) -> String {
    app.get(path).await.header("etag").unwrap().to_owned()
}

pub(crate) async fn the_tag_of_a_user_changes_with_the_user_and_only_then(db: TestDatabase) {
    let app = TestApp::start(&db);
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    let created = app.post_json(USERS, &ann).await;
    let first = created.header("etag").unwrap().to_owned();
    assert!(
        first.starts_with('"') && first.ends_with('"') && first.len() > 2,
        "{first}"
    );
    let path = path_of(&created.json());
    assert_eq!(etag(&app, &path).await, first);
    let unchanged = app.patch_json(&path, &json!({"name": "Ann"})).await;
    assert_eq!(unchanged.header("etag"), Some(first.as_str()));
    let changed = app.patch_json(&path, &json!({"name": "Anna"})).await;
    let second = changed.header("etag").unwrap().to_owned();
    assert_ne!(second, first);
    assert_eq!(etag(&app, &path).await, second);
    // Back to the same name is another state all the same.
    let back = app.patch_json(&path, &json!({"name": "Ann"})).await;
    assert!(![first.as_str(), &second].contains(&back.header("etag").unwrap()));
    let bob = app
        .post_json(USERS, &json!({"name": "Bob", "email": "bob@example.com"}))
        .await;
    assert_ne!(bob.header("etag"), Some(first.as_str()));
    assert_eq!(app.get(USERS).await.header("etag"), None);
}

pub(crate) async fn what_the_caller_has_already_is_not_sent_again(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    let tag = etag(&app, &path).await;
    let get = |method, tags: &str| app.send(Request::new(method, &path).header("if-none-match", tags));
    for tags in [&tag, "*", &format!("W/{tag}"), &format!("\"other\" , {tag}")] {
        for method in ["GET", "HEAD"] {
            let answer = get(method, tags).await;
            assert_eq!(
                (answer.status, answer.header("etag")),
                (304, Some(tag.as_str())),
                "{tags}: {answer}"
            );
        }
    }
    for tags in ["\"other\"", "W/\"other\"", "\"\""] {
        assert_eq!(get("GET", tags).await.status, 200, "{tags}");
    }
    app.patch_json(&path, &json!({"name": "Anna"})).await;
    assert_eq!(get("GET", &tag).await.json()["name"], "Anna");
    let missing = app.send(Request::new("GET", NOBODY).header("if-none-match", "*")).await;
    missing.problem(404, "not_found");
}

pub(crate) async fn a_change_based_on_an_outdated_state_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    let outdated = etag(&app, &path).await;
    assert_eq!(rename(&app, &path, "Anna", &outdated).await.status, 200);
    let current = etag(&app, &path).await;
    for tags in [
        &outdated,
        "\"foreign\"",
        &format!("W/{current}"),
        &format!("{outdated}, \"x\""),
    ] {
        rename(&app, &path, "Lost", tags)
            .await
            .problem(412, "precondition_failed");
        delete(&app, &path, tags).await.problem(412, "precondition_failed");
    }
    let user = app.get(&path).await;
    assert_eq!(
        (user.json()["name"].as_str(), user.header("etag")),
        (Some("Anna"), Some(current.as_str()))
    );
    assert_eq!(
        rename(&app, &path, "Annette", &format!("{outdated}, {current}"))
            .await
            .status,
        200
    );
    assert_eq!(rename(&app, &path, "Anne", "*").await.status, 200);
    assert_eq!(delete(&app, &path, &etag(&app, &path).await).await.status, 204);
    for if_match in ["*", "\"foreign\"", &current] {
        rename(&app, &path, "Nobody", if_match).await.problem(404, "not_found");
        delete(&app, &path, if_match).await.problem(404, "not_found");
    }
}

pub(crate) async fn of_twenty_parallel_patches_with_one_tag_one_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    let tag = etag(&app, &path).await;
    let names: Vec<_> = (0..20).map(|number| format!("Ann {number}")).collect();
    let answers = join_all(names.iter().map(|name| rename(&app, &path, name, &tag))).await;
    let (succeeded, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((succeeded.len(), refused.len()), (1, 19));
    for answer in refused {
        answer.problem(412, "precondition_failed");
    }
    let user = app.get(&path).await;
    assert_eq!(user.json(), succeeded[0].json());
    assert_eq!(user.header("etag"), succeeded[0].header("etag"));
    let version = db
        .query(db.database().writer(), "SELECT CAST(version AS CHAR) FROM users")
        .await;
    assert_eq!(version.concat().concat().trim(), "2");
}

pub(crate) async fn preconditions_are_asked_for_in_their_place(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.require_if_match = true);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    app.create("Bob", "bob@example.com").await;
    let change = |path: &str, body: &str| Request::new("PATCH", path).body("application/json", body);
    let rename = r#"{"name": "Anna"}"#;
    let take = r#"{"email": "bob@example.com"}"#;
    // 415, 400, 422, 428, 404, 412, 409.
    let plain = Request::new("PATCH", &path).body("text/plain", rename);
    app.send(plain).await.problem(415, "unsupported_media_type");
    app.send(change(&path, "{")).await.problem(400, "malformed_request");
    app.send(change(&path, "{}")).await.problem(400, "no_fields_to_update");
    app.send(change(&path, r#"{"name": ""}"#))
        .await
        .problem(422, "validation_failed");
    app.send(change(&path, rename))
        .await
        .problem(428, "precondition_required");
    app.send(change(NOBODY, rename))
        .await
        .problem(428, "precondition_required");
    app.delete(&path).await.problem(428, "precondition_required");
    app.send(change(NOBODY, rename).header("if-match", "\"x\""))
        .await
        .problem(404, "not_found");
    app.send(change(&path, take).header("if-match", "\"x\""))
        .await
        .problem(412, "precondition_failed");
    app.send(change(&path, take).header("if-match", "*"))
        .await
        .problem(409, "email_taken");
    app.send(change(&path, rename).header("if-match", "*")).await;
    assert_eq!(app.get(&path).await.json()["name"], "Anna");
    assert_eq!(delete(&app, &path, "*").await.status, 204);
}

pub(crate) async fn a_header_that_is_no_list_of_tags_is_malformed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    for malformed in ["", "1", "\"1", "W/1", "\"1\" \"2\"", "*, \"1\""] {
        rename(&app, &path, "Anna", malformed)
            .await
            .problem(400, "malformed_request");
        delete(&app, &path, malformed).await.problem(400, "malformed_request");
        let get = Request::new("GET", &path).header("if-none-match", malformed);
        app.send(get).await.problem(400, "malformed_request");
    }
    assert_eq!(app.get(&path).await.json()["name"], "Ann");
}
