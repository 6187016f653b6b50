//! The OpenAPI document: what no single operation says.

use std::collections::BTreeMap;

use actix_web::App;
use serde_json::json;
use utoipa::{
    OpenApi,
    openapi::{
        Content, ContentBuilder, HeaderBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, Schema,
        example::ExampleBuilder, schema::AdditionalProperties,
    },
};
use utoipa_actix_web::AppExt;

use crate::{
    health,
    problem::{self, Code, Fault, FaultCode, ProblemDocument},
    users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Users, on SQLite, MySQL, MariaDB or PostgreSQL. Errors are problem details (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact(),
    ),
    tags(
        (name = "users", description = "Creating, reading, changing and deleting users"),
        (name = "health", description = "Whether the service lives and is ready"),
    ),
    components(schemas(ProblemDocument<'_>, Fault, Code, FaultCode)),
)]
struct Base;

/// The OpenAPI 3.1 document of the API under this title.
#[must_use]
pub fn document(title: &str) -> Document {
    let mut base = Base::openapi();
    title.clone_into(&mut base.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut base.info.version);
    base.info.contact = None;
    let app = App::new()
        .into_utoipa_app()
        .openapi(base)
        .configure(users::configure)
        .configure(health::configure);
    let mut document = app.split_for_parts().1;
    close_schemas(&mut document);
    document
}

/// Schemas whose objects have no other members than those described: what the service refuses to read otherwise, and the
/// two shapes of the list, which differ by their members alone.
const CLOSED_SCHEMAS: [&str; 5] = ["CreateUser", "CreateUsers", "UpdateUser", "UserPage", "UserSlice"];

fn close_schemas(document: &mut Document) {
    let schemas = document
        .components
        .iter_mut()
        .flat_map(|components| &mut components.schemas);
    for (name, schema) in schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && CLOSED_SCHEMAS.contains(&name.as_str())
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            // Every member of a patch may be absent, but not all of them.
            object.min_properties = (name == "UpdateUser").then_some(1);
        }
    }
}

/// The answers that stand for these problems, by status, as an operation documents them. Those that any operation under
/// `/api/v1` can end with are added.
pub(crate) fn problem_responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let always = [
        Code::ValidationFailed,
        Code::Internal,
        Code::Overloaded,
        Code::DatabaseUnavailable,
        Code::ShuttingDown,
        Code::DeadlineExceeded,
    ];
    let mut by_status: BTreeMap<String, Vec<Code>> = BTreeMap::new();
    for code in codes.iter().chain(&always) {
        by_status
            .entry(code.status().as_str().to_owned())
            .or_default()
            .push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status, problem_response(&codes).into()))
        .collect()
}

fn problem_response(codes: &[Code]) -> Response {
    let names: Vec<_> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let examples = codes
        .iter()
        .map(|code| (code.as_str(), ExampleBuilder::new().value(Some(example(*code))).build()));
    let content: Content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(names.join(" or "))
        .content(problem::CONTENT_TYPE, content);
    if codes.iter().any(|code| code.status() == 503) {
        let header = HeaderBuilder::new().description(Some("Seconds to wait before the next try"));
        response = response.header("Retry-After", header.build());
    }
    response.build()
}

fn example(code: Code) -> serde_json::Value {
    let detail = match code {
        Code::NotFound => "User with id 9999 not found",
        Code::EmailTaken => "Email already exists",
        Code::ValidationFailed => "1 field is invalid",
        Code::NoFieldsToUpdate => "No fields to update",
        _ => code.title(),
    };
    let mut example = json!({
        "type": code.uri(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": detail,
        "instance": "/api/v1/users",
        "code": code.as_str(),
        "request_id": "0193fd2a-6f0e-7c3b-9d53-0b6a3f1e2c4d",
    });
    if let (Code::ValidationFailed, Some(members)) = (code, example.as_object_mut()) {
        let fault = json!({"pointer": "/name", "code": "length", "message": "must be 1 to 100 characters"});
        members.insert("errors".to_owned(), json!([fault]));
    }
    example
}
