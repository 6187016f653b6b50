//! The web layer without a network: the application of this project is called in this process, and what each station of
//! it does to a request is printed.
//!
//! `cargo run --example web_layer`

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service},
    web::Bytes,
};
use anyhow::Context;
use async_starter_api::{ApiOptions, AppState, Lifecycle, build_app};
use persistence::{Database, DatabaseOptions, Migrations};
use secrecy::SecretString;
use serde_json::{Value, json};
use service::{DatabaseRuntime, HealthService, UserService, UserServiceOptions};
use tokio::runtime::Handle;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let database = Database::open(&DatabaseOptions::new(SecretString::from("sqlite::memory:"))).await?;
    Migrations::new(&database).up(None).await?;
    let app = init_service(build_app(state(&database, ApiOptions::default())?)).await;

    println!("A request that succeeds passes edge, admission, extractor and handler; a responder writes the answer.");
    let ann = json!({"name": "Ann", "email": "Ann@Example.com"});
    let create = TestRequest::post().uri("/api/v1/users").set_json(&ann);
    let created = send(&app, create.insert_header(("x-request-id", "lesson-1"))).await;
    tell(&created, &["location", "x-request-id", "x-content-type-options"])?;
    let etag = header(&created, "etag")?.to_owned();

    println!("\nThe responder compares entity tags: what the caller has already is not sent again.");
    let get = || TestRequest::get().uri("/api/v1/users/1");
    tell(&send(&app, get()).await, &["content-type"])?;
    tell(&send(&app, get().insert_header(("if-none-match", etag))).await, &[])?;

    println!("\nAdmission knows every documented path and its methods; no handler ran.");
    tell(&send(&app, TestRequest::get().uri("/api/v1/people")).await, &[])?;
    tell(&send(&app, TestRequest::put().uri("/api/v1/users")).await, &["allow"])?;

    println!("\nThe extractor asks for the media type before it reads the body.");
    tell(
        &send(&app, TestRequest::post().uri("/api/v1/users").set_payload("name=Ann")).await,
        &[],
    )?;

    // ANCHOR: state-of-choice
    println!("\nWhat an extractor needs to know is in the state. In this application a body may have eight bytes.");
    let narrow = ApiOptions {
        body_limit_bytes: 8,
        ..ApiOptions::default()
    };
    let narrow = init_service(build_app(state(&database, narrow)?)).await;
    let refused = send(&narrow, TestRequest::post().uri("/api/v1/users").set_json(&ann)).await;
    tell(&refused, &[])?;
    println!("  {}", problem_of(refused).await?);
    // ANCHOR_END: state-of-choice

    println!("\nThe OpenAPI document was read off the same attributes that route the requests.");
    let document = send(&app, TestRequest::get().uri("/openapi.json")).await;
    let document: Value = serde_json::from_slice(&body_of(document).await?)?;
    let operation = document.pointer("/paths/~1api~1v1~1users~1{id}/get/operationId");
    let operation = operation
        .and_then(Value::as_str)
        .context("the operation is documented")?;
    println!("  GET /api/v1/users/{{id}} is {operation}");

    database.close().await?;
    Ok(())
}

// ANCHOR: compose
/// Puts the layers together as the server does: the only place that knows which database it is.
fn state(database: &Database, options: ApiOptions) -> anyhow::Result<AppState> {
    let runtime = DatabaseRuntime::new(Handle::current());
    let users = UserService::new(database.clone(), runtime.clone(), UserServiceOptions::default());
    let health = HealthService::new(database.clone(), runtime);
    Ok(AppState::new(users, health, options, Lifecycle::default())?)
}
// ANCHOR_END: compose

// ANCHOR: send
/// Calls the application. What a middleware refuses comes out as an error, which holds the answer.
async fn send<S>(app: &S, request: TestRequest) -> HttpResponse
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    match app.call(request.to_request()).await {
        Ok(answered) => answered.into_parts().1,
        Err(problem) => problem.error_response(),
    }
}
// ANCHOR_END: send

fn tell(answer: &HttpResponse, headers: &[&str]) -> anyhow::Result<()> {
    println!("  {}", answer.status());
    for name in headers {
        println!("    {name}: {}", header(answer, name)?);
    }
    Ok(())
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> anyhow::Result<&'a str> {
    let value = answer
        .headers()
        .get(name)
        .with_context(|| format!("the answer has no {name}"))?;
    Ok(value.to_str()?)
}

async fn body_of(answer: HttpResponse) -> anyhow::Result<Bytes> {
    let body = to_bytes(answer.into_body()).await;
    body.map_err(|error| anyhow::anyhow!("the body cannot be read: {error}"))
}

async fn problem_of(answer: HttpResponse) -> anyhow::Result<String> {
    let problem: Value = serde_json::from_slice(&body_of(answer).await?)?;
    let text = |member| problem.get(member).and_then(Value::as_str).unwrap_or_default();
    Ok(format!("{}: {}", text("code"), text("detail")))
}
