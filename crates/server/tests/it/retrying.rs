//! Clients that send a request again because they heard nothing.

use domain::Email;
use persistence::{UserRepository, test_db::TestDatabase};
use serde_json::json;

use crate::support::{Server, eventually};

const USERS: &str = "/api/v1/users";

fn request(server: &Server, key: &str) -> reqwest::RequestBuilder {
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client
        .post(format!("http://{}{USERS}", server.address()))
        .header("idempotency-key", key)
        .json(&ann)
}

// ANCHOR: killed-after-commit
pub(crate) async fn a_create_whose_server_was_killed_after_its_commit_is_answered_as_it_would_have_been(
    db: TestDatabase,
) {
    let settings = [("DATABASE_URL", db.url())];
    let mut killed = Server::start(&settings).await;
    let unheard = tokio::spawn(request(&killed, "key").send());
    // Nobody waits for the answer: as soon as the row is there, the process is not.
    let email = Email::parse("ann@example.com").unwrap();
    let users = UserRepository::new(db.database().writer());
    eventually("the user is committed", || async {
        users.find_by_email(&email).await.unwrap().is_some()
    })
    .await;
    killed.signal("KILL");
    killed.ended_within(std::time::Duration::from_secs(30)).await;
    drop(unheard);

    let user = users.find_by_email(&email).await.unwrap().unwrap();
    let server = Server::start(&settings).await;
    let again = request(&server, "key").send().await.unwrap();
    assert_eq!(again.status(), 201);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let location = format!("{USERS}/{}", user.id);
    assert_eq!(again.headers()["location"], location.as_str());
    let body: serde_json::Value = again.json().await.unwrap();
    assert_eq!((&body["id"], &body["name"]), (&json!(user.id.get()), &json!("Ann")));
    assert_eq!(server.get(USERS).await.body["total"], 1);
}
// ANCHOR_END: killed-after-commit

pub(crate) async fn a_key_holds_across_two_servers_on_one_database(db: TestDatabase) {
    let settings = [("DATABASE_URL", db.url())];
    let servers = [Server::start(&settings).await, Server::start(&settings).await];
    let requests = (0..20).map(|number| request(&servers[number % 2], "key").send());
    let answers = futures_util::future::join_all(requests).await;
    let mut replayed = 0;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 201, "{answer:?}");
        replayed += usize::from(answer.headers().contains_key("idempotency-replayed"));
    }
    assert_eq!(replayed, 19);
    assert_eq!(servers[0].get(USERS).await.body["total"], 1);
}

pub(crate) async fn a_key_that_has_expired_is_swept(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url()), ("IDEMPOTENCY_TTL", "1s")]).await;
    assert_eq!(request(&server, "key").send().await.unwrap().status(), 201);
    eventually("the key is swept", || async {
        db.query(db.database().writer(), "SELECT key_hash FROM idempotency_keys")
            .await
            .is_empty()
    })
    .await;
    server.stop().await;
}
