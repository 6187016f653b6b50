//! Bearer tokens, as they open and close the API.

use std::{fs, time::Duration};

use api::{AuthOptions, DevelopmentToken, JwtOptions};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    contract::operations,
    support::{BATCH, Request, TestApp, USERS, path_of},
    wire::Wire,
};

const SECRET_KEY: &str = "the secret key of the tests only";

/// The service where it asks for tokens under the secret key.
fn guarded(db: &TestDatabase) -> TestApp {
    TestApp::start_with(db, |options| {
        options.auth = AuthOptions::Jwt(JwtOptions::default());
        options.secret_key = Some(SECRET_KEY.into());
    })
}

/// A token that allows `scope`.
fn token(scope: &str) -> String {
    let token = DevelopmentToken {
        subject: "ann".to_owned(),
        scope: scope.to_owned(),
        lifetime: Duration::from_mins(5),
        issuer: None,
        audience: None,
    };
    token.sign(SECRET_KEY.as_bytes()).unwrap()
}

impl TestApp {
    async fn send_with(&self, token: &str, request: Request) -> Answer {
        self.send(request.header("authorization", format!("Bearer {token}")))
            .await
    }
}

/// A request for each operation of the API proper, with the scope that it needs. None would succeed, nor change anything.
fn requests() -> Vec<(Request, &'static str)> {
    let guarded = operations()
        .iter()
        .filter(|operation| operation.template.starts_with("/api/v1/"));
    let requests: Vec<_> = guarded
        .map(|operation| {
            let request = Request::new(
                operation.method.clone().leak(),
                operation.template.replace("{id}", "77"),
            );
            match operation.method.as_str() {
                "GET" => (request, "users:read"),
                "DELETE" => (request, "users:write"),
                _ => (request.json(&json!({})), "users:write"),
            }
        })
        .collect();
    assert!(requests.len() >= 6);
    requests
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap()
}

pub(crate) async fn without_a_token_no_operation_is_open(db: TestDatabase) {
    let app = guarded(&db);
    for (request, _) in requests() {
        let answer = app.send(request).await;
        answer.problem(401, "unauthenticated");
        // No error, since nothing was wrong with what was sent (RFC 6750 section 3.1).
        assert_eq!(challenge(&answer), "Bearer realm=\"async-starter\"");
    }
    let head = app.send(Request::new("HEAD", USERS)).await;
    assert_eq!((head.status, challenge(&head)), (401, "Bearer realm=\"async-starter\""));
}

pub(crate) async fn each_operation_asks_for_its_own_scope(db: TestDatabase) {
    let app = guarded(&db);
    for (request, needed) in requests() {
        let other = if needed == "users:read" {
            "users:write"
        } else {
            "users:read"
        };
        for scope in [other, "", "users", "users:*"] {
            let asked = Request {
                method: request.method,
                path: request.path.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
            };
            let answer = app.send_with(&token(scope), asked).await;
            let problem = answer.problem(403, "forbidden");
            assert_eq!(problem["detail"], format!("The token lacks the scope {needed}"));
            assert_eq!(
                challenge(&answer),
                format!("Bearer realm=\"async-starter\", error=\"insufficient_scope\", scope=\"{needed}\"")
            );
        }
        let answer = app.send_with(&token(needed), request).await;
        assert!(![401, 403].contains(&answer.status), "{answer}");
    }
    let head = Request::new("HEAD", USERS);
    assert_eq!(app.send_with(&token("users:read"), head).await.status, 200);
    let head = Request::new("HEAD", USERS);
    assert_eq!(app.send_with(&token("users:write"), head).await.status, 403);
}

pub(crate) async fn a_token_for_everything_opens_everything(db: TestDatabase) {
    let app = guarded(&db);
    let token = token("users:read users:write");
    let new = json!({"name": "Ann", "email": "ann@example.com"});
    let created = app.send_with(&token, Request::new("POST", USERS).json(&new)).await;
    assert_eq!(created.status, 201, "{created}");
    let path = path_of(&created.json());
    let more = json!({"users": [{"name": "Bob", "email": "bob@example.com"}]});
    for (request, status) in [
        (Request::new("POST", BATCH).json(&more), 201),
        (Request::new("GET", USERS), 200),
        (Request::new("GET", &path), 200),
        (Request::new("PATCH", &path).json(&json!({"name": "Anna"})), 200),
        (Request::new("DELETE", &path), 204),
    ] {
        let answer = app.send_with(&token, request).await;
        assert_eq!(answer.status, status, "{answer}");
    }
}

pub(crate) async fn an_unknown_path_and_a_wrong_method_are_told_without_a_token(db: TestDatabase) {
    let app = guarded(&db);
    let mut wire = Wire::open(&app).await;
    for path in ["/nothing", "/api/v1/nothing", "/api/v1/users/1/posts"] {
        wire.ask("GET", path).await.problem(404, "not_found");
    }
    wire.ask("PUT", USERS).await.problem(405, "method_not_allowed");
    wire.ask("GET", BATCH).await.problem(405, "method_not_allowed");
    wire.ask("GET", "/api/v1/%zz").await.problem(400, "malformed_request");
}

pub(crate) async fn whoever_is_refused_learns_nothing_about_the_request(db: TestDatabase) {
    let app = guarded(&db);
    for (token, status, code) in [("nonsense", 401, "unauthenticated"), (&token(""), 403, "forbidden")] {
        for request in [
            Request::new("POST", USERS).body("text/plain", "x"),
            Request::new("POST", USERS).json(&json!({"name": ""})),
            Request::new("GET", "/api/v1/users/not-an-id"),
            Request::new("GET", "/api/v1/users?page=0&unknown=1"),
            Request::new("DELETE", "/api/v1/users/1"),
        ] {
            app.send_with(token, request).await.problem(status, code);
        }
    }
}

pub(crate) async fn whoever_watches_or_reads_about_the_service_needs_no_token(db: TestDatabase) {
    let app = guarded(&db);
    for (path, status) in [
        ("/health", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/openapi.json", 200),
        ("/docs", 200),
        ("/docs/swagger-ui.css", 200),
        ("/", 303),
    ] {
        assert_eq!(app.get(path).await.status, status, "{path}");
        let with_nonsense = app.send_with("nonsense", Request::new("GET", path)).await;
        assert_eq!(with_nonsense.status, status, "{path}");
    }
    assert_eq!(
        app.send_with("nonsense", Request::new("POST", "/health")).await.status,
        405
    );
}

pub(crate) async fn a_refused_token_is_told_why(db: TestDatabase) {
    let app = guarded(&db);
    let expired = json!({"sub": "ann", "scope": "users:read", "exp": get_current_timestamp() - 120});
    let key = EncodingKey::from_secret(SECRET_KEY.as_bytes());
    let expired = encode(&Header::new(Algorithm::HS256), &expired, &key).unwrap();
    let too_long = "x".repeat(8193);
    for (token, reason) in [
        ("nonsense", "The token is not a signed JSON Web Token (RFC 7519)"),
        (&expired, "The token has expired (exp)"),
        (&too_long, "The token is longer than 8192 bytes"),
    ] {
        let answer = app.send_with(token, Request::new("GET", USERS)).await;
        assert_eq!(answer.problem(401, "unauthenticated")["detail"], reason);
        let expected =
            format!("Bearer realm=\"async-starter\", error=\"invalid_token\", error_description=\"{reason}\"");
        assert_eq!(challenge(&answer), expected);
    }
    let twice = format!("Authorization: Bearer {}\r\n", token("users:read")).repeat(2);
    let mut wire = Wire::open(&app).await;
    wire.write(format!("GET {USERS} HTTP/1.1\r\nHost: test\r\n{twice}\r\n"))
        .await;
    wire.answer("GET", USERS).await.problem(401, "unauthenticated");
    let by_address = format!("{USERS}?access_token={}", token("users:read"));
    app.get(&by_address).await.problem(401, "unauthenticated");
}

pub(crate) async fn where_no_token_is_asked_for_none_is_looked_at(db: TestDatabase) {
    let app = TestApp::start(&db);
    assert_eq!(app.get(USERS).await.status, 200);
    assert_eq!(app.send_with("nonsense", Request::new("GET", USERS)).await.status, 200);
}

pub(crate) async fn tokens_of_an_issuer_are_checked_with_its_public_keys(db: TestDatabase) {
    let pem: [&[u8]; 2] = [
        include_bytes!("../keys/p256.pem"),
        include_bytes!("../keys/p256_other.pem"),
    ];
    let [old, new] = pem.map(|pem| EncodingKey::from_ec_pem(pem).unwrap());
    let set = |id: &str, key: &EncodingKey| {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = Value::from(id);
        json!({"keys": [jwk]}).to_string()
    };
    let token = |id: &str, key: &EncodingKey| {
        let claims = json!({
            "iss": "https://issuer.example",
            "aud": ["users-api", "mail-api"],
            "sub": "ann",
            "scope": "users:read",
            "exp": get_current_timestamp() + 300,
        });
        let header = Header {
            kid: Some(id.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, &claims, key).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, set("old", &old)).unwrap();
    let app = TestApp::start_with(&db, |options| {
        options.auth = AuthOptions::Jwt(JwtOptions {
            jwks_file: Some(file.clone()),
            issuer: Some("https://issuer.example".to_owned()),
            audience: Some("users-api".to_owned()),
        });
    });
    let status = async |token: String| app.send_with(&token, Request::new("GET", USERS)).await.status;
    assert_eq!(status(token("old", &old)).await, 200);
    assert_eq!(status(token("old", &new)).await, 401);
    assert_eq!(status(token("new", &new)).await, 401);
    fs::write(&file, set("new", &new)).unwrap();
    assert_eq!(status(token("new", &new)).await, 200);
    assert_eq!(status(token("old", &old)).await, 401);
}
