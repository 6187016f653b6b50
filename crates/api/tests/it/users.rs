//! Creating, reading, changing and deleting single users.

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    contract,
    exporting::EXPORT,
    importing::IMPORT,
    support::{BATCH, JSON, Request, TestApp, USERS, path_of},
};

/// A new operation needs a line here, or this fails.
pub(crate) async fn every_operation_of_the_document_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let ann = json!({"name": "Ann", "email": "second@example.com"});
    let batch = json!({"users": [{"name": "Ann", "email": "third@example.com"}]});
    let requests = [
        ("health", 200, Request::new("GET", "/health")),
        ("health_live", 200, Request::new("GET", "/health/live")),
        ("health_ready", 200, Request::new("GET", "/health/ready")),
        ("users_create", 201, Request::new("POST", USERS).json(&ann)),
        ("users_create_batch", 201, Request::new("POST", BATCH).json(&batch)),
        (
            "users_import",
            200,
            Request::new("POST", IMPORT).body("text/csv", "name,email\nBob,bob@example.com\n"),
        ),
        ("users_export", 200, Request::new("GET", EXPORT)),
        ("users_get", 200, Request::new("GET", &user)),
        ("users_list", 200, Request::new("GET", USERS)),
        (
            "users_update",
            200,
            Request::new("PATCH", &user).json(&json!({"name": "Anna"})),
        ),
        ("users_delete", 204, Request::new("DELETE", &user)),
    ];
    let mut known: Vec<_> = requests.iter().map(|(id, ..)| *id).collect();
    let mut documented: Vec<_> = contract::operations().iter().map(|it| it.id.as_str()).collect();
    known.sort_unstable();
    documented.sort_unstable();
    assert_eq!(known, documented);
    for (id, status, request) in requests {
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{id}: {answer}");
    }
}

pub(crate) async fn a_created_user_is_answered_located_and_found(db: TestDatabase) {
    let app = TestApp::start(&db);
    let created = app
        .post_json(
            USERS,
            &json!({"name": "  田中太郎\u{3000}", "email": " Tanaka@Example.COM "}),
        )
        .await;
    assert_eq!(created.status, 201, "{created}");
    let user = created.json();
    let members: Vec<_> = user.as_object().unwrap().keys().collect();
    assert_eq!(members, ["created_at", "email", "id", "name", "updated_at"]);
    assert_eq!(
        (&user["name"], &user["email"]),
        (&json!("田中太郎"), &json!("tanaka@example.com"))
    );
    assert_eq!(user["created_at"], user["updated_at"]);
    assert_is_microseconds_in_utc(&user["created_at"]);
    let location = created.header("location").unwrap();
    assert_eq!(location, path_of(&user));

    let found = app.get(location).await;
    assert_eq!((found.status, found.header("content-type")), (200, Some(JSON)));
    assert_eq!(found.json(), user);
    assert_eq!(app.get(USERS).await.json()["users"], json!([user]));
}

fn assert_is_microseconds_in_utc(time: &Value) {
    let shape: String = time
        .as_str()
        .unwrap()
        .chars()
        .map(|character| if character.is_ascii_digit() { '0' } else { character })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{time}");
}

pub(crate) async fn times_are_written_with_all_six_digits_even_when_they_are_zero(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    db.execute("UPDATE users SET created_at = '2026-01-02 03:04:05.000000', updated_at = '2026-01-02 03:04:05.100000'")
        .await;
    let user = app.get(&user).await.json();
    assert_eq!(user["created_at"], "2026-01-02T03:04:05.000000Z");
    assert_eq!(user["updated_at"], "2026-01-02T03:04:05.100000Z");
}

pub(crate) async fn names_of_every_script_come_back_as_they_were_sent(db: TestDatabase) {
    let app = TestApp::start(&db);
    let emoji = "🦀".repeat(100);
    let names = [
        "O'Brien \"Bob\" \\ /",
        "Robert'); DROP TABLE users;--",
        "<script>alert(1)</script> &amp;",
        "Ярослав Мудрый",
        "أبو بكر محمد",
        "שלום עליכם",
        "ஸ்ரீநிவாசன்",
        "ไพลิน",
        "한나 + 50% _",
        "👩‍👩‍👧‍👦 👨🏿‍🚀",
        "Zoe\u{301}",
        "ǆ ﬁ ß İ ı",
        "𠮷野家",
        emoji.as_str(),
    ];
    for (number, name) in names.into_iter().enumerate() {
        let user = app.create(name, &format!("user{number}@example.com")).await;
        assert_eq!(user["name"], name);
        assert_eq!(app.get(&path_of(&user)).await.json()["name"], name);
    }
    // The same characters, spelled by escapes.
    let escaped = r#"{"name": "\ud83e\udd80 \u0041\/\"", "email": "escaped@example.com"}"#;
    assert_eq!(app.post_text(USERS, escaped).await.json()["name"], "🦀 A/\"");
}

pub(crate) async fn addresses_with_signs_are_stored_found_and_linked(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = app.create("Ann", "Ann.O'Neil+News&x=1%25#y@Mail.Example.com").await;
    assert_eq!(user["email"], "ann.o'neil+news&x=1%25#y@mail.example.com");
    let found = app
        .get("/api/v1/users?email=ann.o%27neil%2Bnews%26x=1%2525%23y@mail.example.com")
        .await;
    assert_eq!(found.json()["users"], json!([user]));
    let first = found.header("link").unwrap().split('>').next().unwrap();
    assert_eq!(
        app.get(first.trim_start_matches('<')).await.json()["users"],
        json!([user])
    );
}

pub(crate) async fn the_longest_address_is_stored_and_a_longer_one_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let label = "d".repeat(63);
    let longest = format!("{}@{label}.{label}.{}", "l".repeat(64), "e".repeat(61));
    assert_eq!(longest.len(), 254);
    assert_eq!(app.create("Ann", &longest).await["email"], *longest);
    let longer = json!({"name": "Ann", "email": format!("{longest}e")});
    app.post_json(USERS, &longer).await.has_faults(&[("/email", "length")]);
}

pub(crate) async fn an_address_in_other_case_is_the_same_address(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "a@x.example").await;
    for email in ["a@x.example", "A@x.example", " a@X.Example "] {
        let refused = app.post_json(USERS, &json!({"name": "Other", "email": email})).await;
        let problem = refused.problem(409, "email_taken");
        assert_eq!(problem["detail"], "Email already exists");
    }
    assert_eq!(app.count().await, 1);
    // Nothing else makes two addresses equal: neither blanks of collations nor their ideas of letters.
    for email in ["a.@x.example", "aa@x.example", "a_@x.example", "a%@x.example"] {
        let other = app.post_json(USERS, &json!({"name": "Other", "email": email})).await;
        assert_eq!(
            other.status,
            if email.starts_with("a.@") { 422 } else { 201 },
            "{other}"
        );
    }
}

pub(crate) async fn a_patch_changes_what_it_gives_and_keeps_the_rest(db: TestDatabase) {
    let app = TestApp::start(&db);
    let before = app.create("Zoe", "zoe@example.com").await;
    let bystander = app.create("Ann", "ann@example.com").await;
    let path = path_of(&before);
    let renamed = app.patch_json(&path, &json!({"name": " Zoë "})).await;
    assert_eq!((renamed.status, renamed.header("content-type")), (200, Some(JSON)));
    let renamed = renamed.json();
    let mut expected = before.clone();
    expected["name"] = json!("Zoë");
    expected["updated_at"] = renamed["updated_at"].clone();
    assert_eq!(renamed, expected);
    assert!(
        renamed["updated_at"].as_str() > before["updated_at"].as_str(),
        "{renamed}"
    );

    let moved = app
        .patch_json(&path, &json!({"email": "ZOE@other.example"}))
        .await
        .json();
    expected["email"] = json!("zoe@other.example");
    expected["updated_at"] = moved["updated_at"].clone();
    assert_eq!(moved, expected);
    let both = json!({"email": "z@example.com", "name": "Z"});
    let both = app.patch_json(&path, &both).await.json();
    assert_eq!((&both["name"], &both["email"]), (&json!("Z"), &json!("z@example.com")));
    assert_eq!(app.get(&path).await.json(), both);
    assert_eq!(app.get(&path_of(&bystander)).await.json(), bystander);
}

pub(crate) async fn names_that_look_alike_are_a_change(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut last = app.create("Zoe", "zoe@example.com").await;
    let path = path_of(&last);
    for name in ["Zoë", "ZOË", "Zoe\u{308}", "Zoe", "zoe"] {
        let changed = app.patch_json(&path, &json!({"name": name})).await.json();
        assert_eq!(changed["name"], name);
        assert!(
            changed["updated_at"].as_str() > last["updated_at"].as_str(),
            "{name}: {changed}"
        );
        assert_eq!(app.get(&path).await.json(), changed);
        last = changed;
    }
}

pub(crate) async fn a_patch_that_changes_nothing_keeps_the_time(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = app.create("Zoë", "zoe@example.com").await;
    let patches = [
        json!({"name": "Zoë"}),
        json!({"name": " Zoë ", "email": "ZOE@example.com"}),
        json!({"email": "zoe@example.com"}),
    ];
    for patch in patches {
        let answer = app.patch_json(&path_of(&user), &patch).await;
        assert_eq!((answer.status, answer.json()), (200, user.clone()));
    }
}

pub(crate) async fn a_merge_patch_by_its_own_media_type_is_taken(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let patch =
        |name: &str, content_type| Request::new("PATCH", &user).body(content_type, json!({"name": name}).to_string());
    let types = [
        "application/merge-patch+json",
        "Application/JSON; charset=\"UTF-8\"",
        "application/json;profile=x",
    ];
    for (number, content_type) in types.into_iter().enumerate() {
        let name = format!("Ann {number}");
        let answer = app.send(patch(&name, content_type)).await;
        assert_eq!(
            (answer.status, &answer.json()["name"]),
            (200, &json!(name)),
            "{content_type}"
        );
    }
}

pub(crate) async fn a_patch_to_the_address_of_another_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "ann@example.com").await;
    let bob = app.create("Bob", "bob@example.com").await;
    let patch = json!({"name": "Robert", "email": "ANN@example.com"});
    let refused = app.patch_json(&path_of(&bob), &patch).await;
    assert_eq!(refused.problem(409, "email_taken")["detail"], "Email already exists");
    assert_eq!(app.get(&path_of(&bob)).await.json(), bob);
}

pub(crate) async fn a_deleted_user_is_gone_and_its_address_is_free(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = app.create("Ann", "ann@example.com").await;
    let bystander = app.create("Bob", "bob@example.com").await;
    let path = path_of(&user);
    assert_eq!(app.delete(&path).await.status, 204);
    let detail = format!("User with id {} not found", user["id"]);
    let changes = json!({"name": "Anna"});
    for answer in [
        app.delete(&path).await,
        app.get(&path).await,
        app.patch_json(&path, &changes).await,
    ] {
        assert_eq!(answer.problem(404, "not_found")["detail"], *detail);
    }
    assert_eq!(app.get(USERS).await.json()["users"], json!([bystander]));
    app.create("Ann", "ann@example.com").await;
}
