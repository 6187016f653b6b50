//! From text to values that obey every rule, and from whatever goes wrong to one problem document.
//!
//! `cargo run --example validation_and_errors`

use actix_web::{
    Error,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service},
};
use anyhow::Context;
use async_starter_api::{ApiOptions, AppState, Lifecycle, build_app, error_chain};
use domain::{Email, NewUser, UserId, UserName};
use persistence::{Database, DatabaseOptions, Migrations};
use secrecy::SecretString;
use serde_json::{Value, json};
use service::{DatabaseRuntime, Freshness, HealthService, UserError, UserService, UserServiceOptions};
use tokio::runtime::Handle;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    parse_once();

    let database = Database::open(&DatabaseOptions::new(SecretString::from("sqlite::memory:"))).await?;
    Migrations::new(&database).up(None).await?;
    let users = users(&database);
    let app = init_service(build_app(state(&database, &users)?)).await;

    println!("\nOne request with five faults, and all five are told:");
    let body = json!({"users": [
        {"name": "Ann", "email": "ann@example.com"},
        {"name": "   ", "email": "ann"},
        {"name": "B\u{7}b", "mail": "bob@example.com"},
    ]});
    let refused = send(&app, TestRequest::post().uri("/api/v1/users/batch").set_json(&body)).await?;
    println!("  {} {}", member(&refused, "status"), member(&refused, "detail"));
    let faults = refused.pointer("/errors").and_then(Value::as_array);
    for fault in faults.into_iter().flatten() {
        println!("  {} {}", member(fault, "pointer"), member(fault, "code"));
    }

    println!("\nOne cause, told at two levels:");
    let ann = NewUser {
        name: UserName::parse("Ann")?,
        email: Email::parse("ann@example.com")?,
    };
    users.create(ann.clone()).await?;
    match users.create(ann).await {
        Err(UserError::EmailTaken) => println!("  the use case: {}", UserError::EmailTaken),
        other => println!("  unexpected: {other:?}"),
    }
    let again = json!({"name": "Another Ann", "email": " ANN@example.com"});
    let conflict = send(&app, TestRequest::post().uri("/api/v1/users").set_json(&again)).await?;
    println!(
        "  the caller: {} {} ({})",
        member(&conflict, "status"),
        member(&conflict, "detail"),
        member(&conflict, "type")
    );

    defect().await?;
    database.close().await?;

    println!("\nThe database is closed. The fault passes, so the caller is told to come back:");
    let gone = send(&app, TestRequest::get().uri("/api/v1/users/1")).await?;
    println!(
        "  {} {}: {}",
        member(&gone, "status"),
        member(&gone, "code"),
        member(&gone, "detail")
    );
    Ok(())
}

// ANCHOR: parse-once
/// A value of these types was checked when it was made. Nobody behind that asks again.
fn parse_once() {
    println!("A parser takes text and gives a type, or says which rule is broken:");
    for text in ["  Zoë ", "", "a\nb"] {
        match UserName::parse(text) {
            Ok(name) => println!("  {text:?} is the name {:?}; in a log it is {name:?}", name.as_str()),
            Err(violation) => println!("  {text:?} is refused: {:?}, {violation}", violation.rule()),
        }
    }
    let (one, other) = (Email::parse("Ann@Example.com"), Email::parse(" ann@example.COM\t"));
    println!("  two spellings of an address are one address: {}", one == other);
}
// ANCHOR_END: parse-once

// ANCHOR: defect
/// A database that lacks its tables: a defect of whoever runs the service, and none of the caller's business.
async fn defect() -> anyhow::Result<()> {
    let empty = Database::open(&DatabaseOptions::new(SecretString::from("sqlite::memory:"))).await?;
    let users = users(&empty);
    let id = UserId::new(1)?;
    println!("\nA table is missing. The log is told everything, the caller nothing:");
    if let Err(error) = users.get(id, Freshness::Current).await {
        println!("  the log: {}", error_chain(&error));
    }
    let app = init_service(build_app(state(&empty, &users)?)).await;
    let failed = send(&app, TestRequest::get().uri("/api/v1/users/1")).await?;
    println!(
        "  the caller: {} {}",
        member(&failed, "status"),
        member(&failed, "detail")
    );
    empty.close().await?;
    Ok(())
}
// ANCHOR_END: defect

fn users(database: &Database) -> UserService {
    let runtime = DatabaseRuntime::new(Handle::current());
    UserService::new(database.clone(), runtime, UserServiceOptions::default())
}

fn state(database: &Database, users: &UserService) -> anyhow::Result<AppState> {
    let health = HealthService::new(database.clone(), DatabaseRuntime::new(Handle::current()));
    Ok(AppState::new(
        users.clone(),
        health,
        ApiOptions::default(),
        Lifecycle::default(),
    )?)
}

/// Calls the application, and reads the JSON that it answers.
async fn send<S>(app: &S, request: TestRequest) -> anyhow::Result<Value>
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let answer = match app.call(request.to_request()).await {
        Ok(answered) => answered.into_parts().1,
        Err(problem) => problem.error_response(),
    };
    let body = to_bytes(answer.into_body()).await;
    let body = body.map_err(|error| anyhow::anyhow!("the body cannot be read: {error}"))?;
    serde_json::from_slice(&body).context("the answer is JSON")
}

/// A member of an object, as text.
fn member(object: &Value, name: &str) -> String {
    match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "nothing".to_owned(),
    }
}
