//! The OpenAPI document: what no single operation says.

use std::collections::BTreeMap;

use actix_web::{App, http::Method};
use serde_json::json;
use utoipa::{
    OpenApi,
    openapi::{
        Content, ContentBuilder, HeaderBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder,
        Schema,
        example::ExampleBuilder,
        path::Operation,
        schema::AdditionalProperties,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt;

use crate::{
    auth::Scope,
    health,
    problem::{self, Code, Fault, FaultCode, ProblemDocument},
    route_table::{has_deadline, is_api},
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
    require_tokens(&mut document);
    forget_deadlines(&mut document);
    document
}

/// The name of the security scheme.
const BEARER: &str = "bearer";

const BEARER_DESCRIPTION: &str = "A JSON Web Token (RFC 7519) in the `Authorization` header. Its `scope` must name \
    `users:read` for reading and `users:write` for creating, changing and deleting. An instance with `AUTH_MODE=none` asks \
    for no token, so the requirement of each operation also has the alternative of none. For development, \
    `async-starter token` prints a token.";

/// Documents who may call the operations of the API proper. The document is the same whether the instance asks for tokens or
/// not.
fn require_tokens(document: &mut Document) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(BEARER_DESCRIPTION))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    let api = document.paths.paths.iter_mut().filter(|(path, _)| is_api(path));
    for (method, operation) in api.flat_map(|(_, item)| operations_of(item)) {
        let scope = Scope::needed_for(&method).as_str();
        operation.security = Some(vec![
            SecurityRequirement::new(BEARER, [scope]),
            SecurityRequirement::default(),
        ]);
    }
}

/// What has no deadline does not outrun it.
fn forget_deadlines(document: &mut Document) {
    let status = Code::DeadlineExceeded.status();
    let without = document.paths.paths.iter_mut().filter(|(path, _)| !has_deadline(path));
    for (_, operation) in without.flat_map(|(_, item)| operations_of(item)) {
        operation.responses.responses.remove(status.as_str());
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let operations = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    operations
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
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

/// Names the problems that an operation can end with, for the OpenAPI document.
macro_rules! problems {
    ($name:ident: $($code:ident),*) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::openapi::problem_responses(&[$($crate::problem::Code::$code),*])
            }
        }
    };
}

pub(crate) use problems;

/// The answers that stand for these problems, by status, as an operation documents them. Those that any operation under
/// `/api/v1` can end with are added.
pub(crate) fn problem_responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let always = [
        Code::Unauthenticated,
        Code::Forbidden,
        Code::ValidationFailed,
        Code::RateLimited,
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
    if codes.iter().any(|code| [429, 503].contains(&code.status().as_u16())) {
        let header = HeaderBuilder::new().description(Some("Seconds to wait before the next try"));
        response = response.header("Retry-After", header.build());
    }
    if codes
        .iter()
        .any(|code| matches!(code, Code::Unauthenticated | Code::Forbidden))
    {
        let header = HeaderBuilder::new().description(Some("What kind of token is asked for (RFC 6750)"));
        response = response.header("WWW-Authenticate", header.build());
    }
    response.build()
}

fn example(code: Code) -> serde_json::Value {
    let detail = match code {
        Code::NotFound => "User with id 9999 not found",
        Code::EmailTaken => "Email already exists",
        Code::Unauthenticated => "The token has expired (exp)",
        Code::Forbidden => "The token lacks the scope users:write",
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
