//! The exercises of the chapter `docs/en/getting-started.md`.

use std::fs;

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Server, run_in};

// ANCHOR: exercise-1
pub(crate) async fn a_user_is_created_followed_and_deleted(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let grace = json!({"name": "Grace", "email": "Grace@Example.com"});
    let created = server.send("POST", "/api/v1/users", Some(grace)).await;
    assert_eq!(created.status, 201);

    let location = created.header("location");
    let found = server.get(location).await;
    assert_eq!((found.status, &found.body), (200, &created.body));
    assert_eq!(found.body["email"], "grace@example.com");

    let deleted = server.send("DELETE", location, None).await;
    assert_eq!(deleted.status, 204);
    let gone = server.get(location).await;
    assert_eq!((gone.status, &gone.body["code"]), (404, &json!("not_found")));
    server.stop().await;
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn a_setting_comes_from_the_strongest_place_that_has_it(_: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("async-starter.toml"),
        "API_TITLE = \"From the file\"\n",
    )
    .unwrap();
    fs::write(folder.path().join(".env"), "API_TITLE='From .env'\n").unwrap();
    let title = async |settings| {
        let printed = run_in(folder.path(), &["config", "--json"], settings).await.success();
        let config: Value = serde_json::from_str(&printed).unwrap();
        config["variables"]["API_TITLE"]["value"].clone()
    };
    assert_eq!(title(&[][..]).await, "From .env");
    assert_eq!(
        title(&[("API_TITLE", "From the environment")]).await,
        "From the environment"
    );
    fs::remove_file(folder.path().join(".env")).unwrap();
    assert_eq!(title(&[]).await, "From the file");
}
// ANCHOR_END: exercise-2
