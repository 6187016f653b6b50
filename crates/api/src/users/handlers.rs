//! The operations: convert, call, convert. What they have in common is done by extractors, responders and middleware.

use std::collections::BTreeMap;

use actix_web::{delete, get, patch, post, web::Data};
use domain::{NewUser, UserBatch, UserChanges, UserId};
use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response},
};

use super::{
    dto,
    query::{ListParameters, ListRequest, Part, page_answer, slice_answer},
};
use crate::{
    AppState,
    extract::Input,
    openapi::problem_responses,
    problem::{Code, Problem},
    respond::{Created, Json, Linked, NoContent},
};

/// Names the problems that an operation can end with, for the OpenAPI document.
macro_rules! problems {
    ($name:ident: $($code:ident),*) => {
        struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_responses(&[$(Code::$code),*])
            }
        }
    };
}

problems!(CreateProblems: MalformedRequest, RequestTimeout, EmailTaken, PayloadTooLarge, UnsupportedMediaType);
problems!(ListProblems: InvalidCursor);
problems!(GetProblems: MalformedRequest, NotFound);
problems!(UpdateProblems: MalformedRequest, NoFieldsToUpdate, NotFound, RequestTimeout, EmailTaken, PayloadTooLarge, UnsupportedMediaType);

/// Create a user
///
/// The address decides: no two users share one, whatever the case of its letters.
#[utoipa::path(
    tag = "users",
    operation_id = "users_create",
    request_body(content = dto::CreateUser, content_type = "application/json"),
    responses(
        (status = 201, description = "The user", body = dto::User, headers(("Location" = String, description = "The path of the user"))),
        CreateProblems,
    )
)]
#[post("/users")]
pub(super) async fn create_user(
    state: Data<AppState>,
    input: Input<(), (), NewUser>,
) -> Result<Created<dto::User>, Problem> {
    let user = state.users().create(input.body).await?;
    Ok(Created {
        location: Some(format!("/api/v1/users/{}", user.id)),
        body: user.into(),
    })
}

/// Create many users
///
/// All of them, in one transaction, or none. Either every invalid member is listed (422), or every address that is not free
/// (409).
#[utoipa::path(
    tag = "users",
    operation_id = "users_create_batch",
    request_body(content = dto::CreateUsers, content_type = "application/json"),
    responses((status = 201, description = "The users, in the order of the request", body = dto::CreatedUsers), CreateProblems)
)]
#[post("/users/batch")]
pub(super) async fn create_users(
    state: Data<AppState>,
    input: Input<(), (), UserBatch>,
) -> Result<Created<dto::CreatedUsers>, Problem> {
    let users = state.users().create_many(input.body).await?;
    Ok(Created {
        location: None,
        body: users.into(),
    })
}

/// List users
///
/// Newest first. `page` reads a page by its number, with the size of the list. `cursor` walks through the list at the same
/// cost to any depth, and repeats and skips nobody while users come and go.
#[utoipa::path(
    tag = "users",
    operation_id = "users_list",
    params(ListParameters),
    responses(
        (
            status = 200,
            description = "A page, or with `cursor` a piece of a walk",
            body = dto::UserList,
            headers(("Link" = String, description = "RFC 8288: `first`, `prev`, `next` and `last` page; not with `cursor`")),
        ),
        ListProblems,
    )
)]
#[get("/users")]
pub(super) async fn list_users(
    state: Data<AppState>,
    input: Input<(), ListRequest, ()>,
) -> Result<Linked<dto::UserList>, Problem> {
    let ListRequest { filter, part } = input.query;
    Ok(match part {
        Part::Page(request) => {
            let page = state.users().page(filter.clone(), request).await?;
            page_answer(&state, &filter, request, page)
        }
        Part::After(position, size) => {
            let slice = state.users().after(filter.clone(), position, size).await?;
            slice_answer(&state, &filter, size, slice)
        }
    })
}

/// Get a user
#[utoipa::path(
    tag = "users",
    operation_id = "users_get",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1)),
    responses((status = 200, description = "The user", body = dto::User), GetProblems)
)]
#[get("/users/{id}")]
pub(super) async fn get_user(state: Data<AppState>, input: Input<UserId, (), ()>) -> Result<Json<dto::User>, Problem> {
    let user = state.users().get(input.path).await?;
    Ok(Json(user.into()))
}

/// Change a user
///
/// A JSON merge patch (RFC 7396): absent members keep their value. No member can be removed, so `null` is refused.
#[utoipa::path(
    tag = "users",
    operation_id = "users_update",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1)),
    request_body(content(
        (dto::UpdateUser = "application/json"),
        (dto::UpdateUser = "application/merge-patch+json"),
    )),
    responses((status = 200, description = "The user as it is now", body = dto::User), UpdateProblems)
)]
#[patch("/users/{id}")]
pub(super) async fn update_user(
    state: Data<AppState>,
    input: Input<UserId, (), UserChanges>,
) -> Result<Json<dto::User>, Problem> {
    let user = state.users().update(input.path, input.body).await?;
    Ok(Json(user.into()))
}

/// Delete a user
#[utoipa::path(
    tag = "users",
    operation_id = "users_delete",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1)),
    responses((status = 204, description = "The user is gone"), GetProblems)
)]
#[delete("/users/{id}")]
pub(super) async fn delete_user(state: Data<AppState>, input: Input<UserId, (), ()>) -> Result<NoContent, Problem> {
    state.users().delete(input.path).await?;
    Ok(NoContent)
}
