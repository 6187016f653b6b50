//! What a newcomer meets: a database that is made on the first start.

use serde_json::{Value, json};

use crate::support::{Server, run_in};

/// The names in the list of users, oldest first.
async fn names(server: &Server) -> Vec<String> {
    let list = server.get("/api/v1/users?per_page=100").await;
    assert_eq!(list.status, 200, "{list:?}");
    let users = list.body["users"].as_array().unwrap();
    assert_eq!(list.body["total"], json!(users.len()));
    let mut names: Vec<_> = users.iter().map(|user| (user["id"].as_i64(), &user["name"])).collect();
    names.sort_unstable_by_key(|(id, _)| *id);
    names
        .into_iter()
        .map(|(_, name)| name.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_first_start_makes_a_database_with_alice_bob_and_charlie() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder.path(), &[]).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    assert_eq!(names(&server).await, ["Alice", "Bob", "Charlie"]);
    let bob = server.get("/api/v1/users?email=bob@example.com").await.body["users"][0].clone();
    assert_eq!(bob["email"], "bob@example.com");
    let printed = server.log();
    for part in ["/docs", "/api/v1/users", "/health", "Ctrl-C"] {
        assert!(printed.contains(part), "the banner lacks {part}:\n{printed}");
    }
    let bob_path = format!("/api/v1/users/{}", bob["id"]);
    assert_eq!(server.send("DELETE", &bob_path, None).await.status, 204);
    server.stop().await;
    assert!(folder.path().join("async-starter.db").is_file());

    // Whoever was deleted stays deleted.
    let server = Server::start_in(folder.path(), &[]).await;
    assert_eq!(names(&server).await, ["Alice", "Charlie"]);
    server.stop().await;
}

#[tokio::test]
async fn outside_of_development_nobody_is_added() {
    let server = Server::start(&[("ENVIRONMENT", "staging"), ("DB_AUTO_MIGRATE", "true")]).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    assert_eq!(names(&server).await, Vec::<String>::new());
    assert!(
        !server.log().contains("Ctrl-C"),
        "a banner for people outside of development"
    );
    let settings = [
        ("ENVIRONMENT", "production"),
        ("AUTH_MODE", "none"),
        ("DB_AUTO_MIGRATE", "true"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(names(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn without_its_migrations_a_server_starts_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENVIRONMENT", "staging")];
    let server = Server::start_in(folder.path(), &settings).await;
    let ready = server.get("/health/ready").await;
    assert_eq!(
        (ready.status, &ready.body["checks"]["migrations"]),
        (503, &json!("failed"))
    );
    assert_eq!(ready.body["checks"]["database"], "ok");
    assert_eq!(server.get("/health").await.status, 200);
    run_in(folder.path(), &["migrate", "up"], &settings).await.success();
    crate::support::eventually("ready after the migration", async || {
        server.get("/health/ready").await.status == 200
    })
    .await;
    assert_eq!(names(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_database_in_memory_serves_all_connections() {
    let server = Server::start(&[("DATABASE_URL", "sqlite::memory:")]).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    assert_eq!(names(&server).await, ["Alice", "Bob", "Charlie"]);
    let create = |number: u32| {
        let user = json!({"name": format!("User {number}"), "email": format!("user{number}@example.com")});
        server.try_send("POST", "/api/v1/users", Some(user))
    };
    let created = futures_util::future::join_all((0..20).map(create)).await;
    for answer in created {
        let answer = answer.unwrap();
        let location = answer.header("location");
        assert_eq!(
            (answer.status, server.get(location).await.body),
            (201, answer.body.clone())
        );
    }
    assert_eq!(names(&server).await.len(), 23);
    server.stop().await;
}

#[tokio::test]
async fn two_servers_share_a_database_file() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = tokio::join!(
        Server::start_in(folder.path(), &[]),
        Server::start_in(folder.path(), &[])
    );
    assert_eq!(names(&one).await, ["Alice", "Bob", "Charlie"], "started at once");
    let create = |server: &Server, number: u32| {
        let user = json!({"name": "User", "email": format!("user{number}@example.com")});
        server.try_send("POST", "/api/v1/users", Some(user))
    };
    let creates = (0..30).map(|number| create(if number % 2 == 0 { &one } else { &other }, number));
    for answer in futures_util::future::join_all(creates).await {
        assert_eq!(answer.unwrap().status, 201);
    }
    assert_eq!(names(&other).await.len(), 33);
}

#[tokio::test]
async fn a_server_that_cannot_have_its_port_says_so() {
    let first = Server::start(&[("DATABASE_URL", "sqlite::memory:")]).await;
    let port = first.address().rsplit_once(':').unwrap().1;
    let refused = crate::support::run(&[], &[("PORT", port), ("DATABASE_URL", "sqlite::memory:")]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in ["cannot listen on", port, "choose another HOST or PORT"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn openapi_prints_what_the_server_serves() {
    let server = Server::start(&[("API_TITLE", "Mine")]).await;
    let printed = crate::support::run(&["openapi"], &[("API_TITLE", "Mine")])
        .await
        .success();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["info"]["title"], "Mine");
    assert_eq!(server.get("/openapi.json").await.body, printed);
}
