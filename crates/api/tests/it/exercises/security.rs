//! Security.

use std::time::Duration;

use api::{AuthOptions, DevelopmentToken, JwtOptions};
use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::support::{Request, TestApp, USERS, path_of};

// ANCHOR: exercise-1
pub(crate) async fn text_that_looks_like_sql_is_text(db: TestDatabase) {
    let app = TestApp::start(&db);
    let names = [
        "Robert'); DROP TABLE users; --",
        "\" OR \"\"=\"",
        "?, $1, :name, %s",
        "\\' OR 1=1 #",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let user = app.create(name, &format!("o'neil{number}@example.com")).await;
        assert_eq!(app.get(&path_of(&user)).await.json()["name"], name);
        let changed = app
            .patch_json(&path_of(&user), &json!({"name": format!("{name}!")}))
            .await;
        assert_eq!(changed.json()["name"], format!("{name}!"));
    }
    let found = app.get(&format!("{USERS}?email=o'neil0@example.com")).await.json();
    assert_eq!(found["total"], 1);
    // No address contains a blank, so this never reaches a statement.
    let refused = app.get(&format!("{USERS}?email=x'%20OR%20'1'='1")).await;
    refused.has_faults(&[("query/email", "format")]);
    assert_eq!(app.count().await, 4);
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
const SECRET_KEY: &str = "a secret key for this exercise alone";

fn token(scope: &str, secret_key: &str) -> String {
    let token = DevelopmentToken {
        subject: "ann".to_owned(),
        scope: scope.to_owned(),
        lifetime: Duration::from_mins(1),
        issuer: None,
        audience: None,
    };
    format!("Bearer {}", token.sign(secret_key.as_bytes()).unwrap())
}

pub(crate) async fn a_token_for_reading_changes_nothing(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| {
        options.auth = AuthOptions::Jwt(JwtOptions::default());
        options.secret_key = Some(SECRET_KEY.into());
    });
    let ask = async |method, token: String| {
        let body = json!({"name": "Ann", "email": "ann@example.com"});
        let request = Request::new(method, USERS).header("authorization", token);
        let request = if method == "POST" { request.json(&body) } else { request };
        app.send(request).await
    };
    let (reads, writes) = (token("users:read", SECRET_KEY), token("users:write", SECRET_KEY));
    assert_eq!(ask("GET", reads.clone()).await.json()["total"], 0);
    ask("POST", reads.clone()).await.problem(403, "forbidden");
    ask("GET", writes.clone()).await.problem(403, "forbidden");
    // Signed with another key: the scope is not even looked at.
    let foreign = token("users:read users:write", "some other key of thirty-two bytes");
    ask("POST", foreign).await.problem(401, "unauthenticated");
    assert_eq!(
        ask("GET", reads.clone()).await.json()["total"],
        0,
        "nothing was changed"
    );
    assert_eq!(ask("POST", writes).await.status, 201);
    assert_eq!(ask("GET", reads).await.json()["total"], 1);
}
// ANCHOR_END: exercise-2
