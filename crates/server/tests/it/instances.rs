//! Two instances on one database, asked in turns: to a client they are one service.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use persistence::test_db::{TestDatabase, variable};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    rate_limit::REDIS,
    support::{Answer, Server, Settings},
};

const USERS: &str = "/api/v1/users";
const SECRET: (&str, &str) = ("SECRET_KEY", "the key of both instances, of 32 bytes or more");

/// Two instances with the same settings, and the settings.
async fn two(db: &TestDatabase, more: Settings<'_>) -> [Server; 2] {
    let settings = [&[("DATABASE_URL", db.url()), SECRET], more].concat();
    let (one, other) = tokio::join!(Server::start(&settings), Server::start(&settings));
    [one, other]
}

async fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("http://{}{path}", server.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn create(server: &Server, email: &str) -> Answer {
    let new = json!({"name": "Someone", "email": email});
    let created = server.send("POST", USERS, Some(new)).await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}

pub(crate) async fn a_batch_with_a_key_sent_to_both_at_once_is_created_once_and_told_alike(db: TestDatabase) {
    let servers = two(&db, &[]).await;
    let users: Vec<_> = (0..50)
        .map(|number| json!({"name": "Someone", "email": format!("user{number}@example.com")}))
        .collect();
    let batch = json!({"users": users});
    let path = format!("{USERS}/batch");
    let requests = (0..12).map(|number| {
        let headers = [("idempotency-key", "batch")];
        let (server, path, batch) = (&servers[number % 2], &path, &batch);
        async move { ask(server, "POST", path, &headers, Some(batch)).await }
    });
    let answers = futures_util::future::join_all(requests).await;
    let told = &answers[0].body;
    assert_eq!(told["created"], 50, "{told}");
    let mut replayed = 0;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, told));
        replayed += usize::from(answer.header("idempotency-replayed") == "true");
    }
    assert_eq!(replayed, 11);
    let rows = db.query(db.database().writer(), "SELECT email FROM users").await;
    assert_eq!(rows.len(), 50);
    // The key belongs to this batch on either instance, whichever wrote it.
    let other = json!({"users": [{"name": "Someone", "email": "other@example.com"}]});
    for server in &servers {
        let reused = ask(server, "POST", &path, &[("idempotency-key", "batch")], Some(&other)).await;
        assert_eq!(
            (reused.status, &reused.body["code"]),
            (422, &json!("idempotency_key_reused"))
        );
    }
}

/// How many of 30 requests, in turns to both instances, each of them lets through.
async fn admitted(servers: &[Server; 2]) -> [u32; 2] {
    // Buckets in a shared Redis outlive the test, so its client must be one that never was: a network by chance.
    let network = RandomState::new().hash_one(());
    let groups: Vec<_> = [48, 32, 16, 0]
        .map(|shift| format!("{:x}", (network >> shift) & 0xffff))
        .to_vec();
    let client = format!("{}::1", groups.join(":"));
    let mut admitted = [0; 2];
    for number in 0..30 {
        let answer = servers[number % 2]
            .get_with(USERS, &[("x-forwarded-for", client.as_str())])
            .await;
        match answer.status {
            200 => admitted[number % 2] += 1,
            429 => assert_eq!(answer.body["code"], "rate_limited", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    admitted
}

// ANCHOR: two-limits
/// None of it comes back within the test.
const TEN: (&str, &str) = ("RATE_LIMIT", "10/day");
const BEHIND_A_PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1/32");

pub(crate) async fn a_limit_in_a_shared_store_is_one_limit_over_two_instances(db: TestDatabase) {
    let redis = variable(REDIS).unwrap();
    let store = ("RATE_LIMIT_STORE", redis.as_str());
    let [one, other] = admitted(&two(&db, &[TEN, BEHIND_A_PROXY, store]).await).await;
    assert_eq!((one, other), (5, 5), "in turns, until the ten are used up");
}

pub(crate) async fn a_limit_in_memory_is_one_for_each_instance(db: TestDatabase) {
    assert_eq!(admitted(&two(&db, &[TEN, BEHIND_A_PROXY]).await).await, [10, 10]);
}
// ANCHOR_END: two-limits

/// The first page of the list, which shows all users there are in this test. It proves their number, so `total` must not
/// say otherwise, however old the count is that it rests on.
async fn total(server: &Server) -> usize {
    let list = server.get(USERS).await;
    assert_eq!(list.status, 200, "{list:?}");
    let shown = list.body["users"].as_array().unwrap().len();
    assert_eq!(list.body["total"], shown, "{list:?}");
    shown
}

pub(crate) async fn the_total_knows_of_another_instances_writes_within_a_second(db: TestDatabase) {
    let [writer, reader] = two(&db, &[]).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        // A count of before the write, as fresh as can be.
        assert_eq!(total(&reader).await, ids.len());
        let created = create(&writer, &format!("user{number}@example.com")).await;
        ids.push(created.body["id"].clone());
        assert_eq!(total(&writer).await, ids.len(), "its own writes are counted at once");
        assert_eq!(total(&reader).await, ids.len());
    }
    // A page behind the last shows nobody and proves nothing: there the count alone speaks, a second old at most.
    let beyond = format!("{USERS}?page=9");
    assert_eq!(reader.get(&beyond).await.body["total"], 5);
    let deleted = writer.send("DELETE", &format!("{USERS}/{}", ids[0]), None).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(writer.get(&beyond).await.body["total"], 4);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.get(&beyond).await.body["total"], 4);
    // The reader's count is fresh and soon wrong. A full page that goes on proves more users than it knew of.
    for number in 5..12 {
        create(&writer, &format!("user{number}@example.com")).await;
    }
    let full = reader.get(&format!("{USERS}?per_page=8")).await;
    assert!(full.body["next_cursor"].is_string(), "{full:?}");
    let told = full.body["total"].as_u64().unwrap();
    assert!((9..=11).contains(&told), "{full:?}");
}

// ANCHOR: walk-over-two
pub(crate) async fn a_walk_begun_at_one_instance_goes_on_at_the_other_with_the_same_key(db: TestDatabase) {
    let servers = two(&db, &[]).await;
    let mut expected = Vec::new();
    for number in 0..7 {
        let created = create(&servers[number % 2], &format!("user{number}@example.com")).await;
        expected.insert(0, created.body["id"].clone());
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    for turn in 0.. {
        let page = servers[turn % 2]
            .get(&format!("{USERS}?cursor={cursor}&per_page=2"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        seen.extend(
            page.body["users"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["id"].clone()),
        );
        match page.body["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    let stranger = [
        ("DATABASE_URL", db.url()),
        ("SECRET_KEY", "another key, which also has 32 bytes or more"),
    ];
    let stranger = Server::start(&stranger).await;
    let refused = stranger.get(&format!("{USERS}?cursor={cursor}")).await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("invalid_cursor")));
}
// ANCHOR_END: walk-over-two

pub(crate) async fn an_etag_of_one_instance_guards_against_a_change_through_the_other(db: TestDatabase) {
    let [one, other] = two(&db, &[]).await;
    let created = create(&one, "ann@example.com").await;
    let path = created.header("location").to_owned();
    let etag = created.header("etag").to_owned();
    let elsewhere = other.get(&path).await;
    assert_eq!(
        (elsewhere.header("etag"), &elsewhere.body),
        (etag.as_str(), &created.body)
    );
    let unchanged = other.get_with(&path, &[("if-none-match", etag.as_str())]).await;
    assert_eq!(unchanged.status, 304);
    let rename = |name: &str| json!({"name": name});
    let changed = ask(&other, "PATCH", &path, &[("if-match", &etag)], Some(&rename("Anna"))).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    for (method, body) in [("PATCH", Some(rename("Lost"))), ("DELETE", None)] {
        let late = ask(&one, method, &path, &[("if-match", &etag)], body.as_ref()).await;
        assert_eq!((late.status, &late.body["code"]), (412, &json!("precondition_failed")));
    }
    let fresh = one.get_with(&path, &[("if-none-match", etag.as_str())]).await;
    assert_eq!((fresh.status, &fresh.body["name"]), (200, &json!("Anna")));
    assert_eq!(fresh.header("etag"), changed.header("etag"));
    let in_time = [("if-match", changed.header("etag"))];
    let again = ask(&one, "PATCH", &path, &in_time, Some(&rename("Annika"))).await;
    assert_eq!(again.status, 200, "{again:?}");
}
