//! The operations: convert, call, convert. What they have in common is done by extractors, responders and middleware.

use super::{
    dto,
    query::{ListParameters, ListRequest, Part, page_answer, slice_answer},
};
use crate::{
    AppState,
    conditional::{IfMatch, IfMatchHeader, IfNoneMatch, IfNoneMatchHeader},
    created::Created,
    etag::{ETag, TagList},
    extract::Input,
    freshness::CacheControlHeader,
    idempotency::IdempotencyKeyHeader,
    openapi::problems,
    problem::Problem,
    respond::{Linked, NoContent, Tagged},
};
use actix_web::{delete, get, patch, post, web::Data};
use domain::{NewUser, User, UserBatch, UserChanges, UserId};
use service::{Freshness, IdempotentRequest};

problems!(CreateProblems: MalformedRequest, RequestTimeout, EmailTaken, IdempotencyInProgress, PayloadTooLarge, UnsupportedMediaType, IdempotencyKeyReused);
problems!(ListProblems: InvalidCursor);
problems!(GetProblems: MalformedRequest, NotFound);
problems!(UpdateProblems: MalformedRequest, NoFieldsToUpdate, NotFound, RequestTimeout, EmailTaken, PreconditionFailed, PayloadTooLarge, UnsupportedMediaType, PreconditionRequired);
problems!(DeleteProblems: MalformedRequest, NotFound, PreconditionFailed, PreconditionRequired);

/// Create a user
///
/// The address decides: no two users share one, whatever the case of its letters.
#[utoipa::path(
    tag = "users",
    operation_id = "users_create",
    params(IdempotencyKeyHeader),
    request_body(content = dto::CreateUser, content_type = "application/json"),
    responses(
        (
            status = 201,
            description = "The user",
            body = dto::User,
            headers(
                ("Location" = String, description = "The path of the user"),
                ("ETag" = String, description = "The state of the user, for `If-Match` and `If-None-Match`"),
                ("Idempotency-Replayed" = String, description = "`true` when an earlier request with the key created the user"),
            ),
        ),
        CreateProblems,
    )
)]
#[post("/users")]
// ANCHOR: create-user
pub(super) async fn create_user(
    state: Data<AppState>,
    input: Input<(), (), NewUser, Option<IdempotentRequest>>,
) -> Result<Created, Problem> {
    let Some(request) = input.headers else {
        return Ok(created_user(state.users().create(input.body).await?));
    };
    let to_record = |user| created_user(user).into_record();
    let kept = state.users().create_once(request, input.body, to_record).await?;
    Created::from_kept(&kept)
}
// ANCHOR_END: create-user

/// Create many users
///
/// All of them, in one transaction, or none. Either every invalid member is listed (422), or every address that is not free
/// (409).
#[utoipa::path(
    tag = "users",
    operation_id = "users_create_batch",
    params(IdempotencyKeyHeader),
    request_body(content = dto::CreateUsers, content_type = "application/json"),
    responses(
        (
            status = 201,
            description = "The users, in the order of the request",
            body = dto::CreatedUsers,
            headers(("Idempotency-Replayed" = String, description = "`true` when an earlier request with the key created the users")),
        ),
        CreateProblems,
    )
)]
#[post("/users/batch")]
pub(super) async fn create_users(
    state: Data<AppState>,
    input: Input<(), (), UserBatch, Option<IdempotentRequest>>,
) -> Result<Created, Problem> {
    let Some(request) = input.headers else {
        return Ok(created_users(state.users().create_many(input.body).await?));
    };
    let to_record = |users| created_users(users).into_record();
    let kept = state.users().create_many_once(request, input.body, to_record).await?;
    Created::from_kept(&kept)
}

/// List users
///
/// Newest first. `page` reads a page by its number, with the size of the list. `cursor` walks through the list at the same
/// cost to any depth, and repeats and skips nobody while users come and go.
#[utoipa::path(
    tag = "users",
    operation_id = "users_list",
    params(ListParameters, CacheControlHeader),
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
    input: Input<(), ListRequest, (), Freshness>,
) -> Result<Linked<dto::UserList>, Problem> {
    let ListRequest { filter, part } = input.query;
    Ok(match part {
        Part::Page(request) => {
            let page = state.users().page(filter.clone(), request, input.headers).await?;
            page_answer(&state, &filter, request, page)
        }
        Part::After(position, size) => {
            let slice = state
                .users()
                .after(filter.clone(), position, size, input.headers)
                .await?;
            slice_answer(&state, &filter, size, slice)
        }
    })
}

// ANCHOR: get-user
/// Get a user
#[utoipa::path(
    tag = "users",
    operation_id = "users_get",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1), IfNoneMatchHeader, CacheControlHeader),
    responses(
        (
            status = 200,
            description = "The user",
            body = dto::User,
            headers(("ETag" = String, description = "The state of the user, for `If-Match` and `If-None-Match`")),
        ),
        (
            status = 304,
            description = "The user is still as `If-None-Match` says",
            headers(("ETag" = String, description = "The state of the user")),
        ),
        GetProblems,
    )
)]
#[get("/users/{id}")]
pub(super) async fn get_user(
    state: Data<AppState>,
    input: Input<UserId, (), (), (IfNoneMatch, Freshness)>,
) -> Result<Tagged<dto::User>, Problem> {
    let (IfNoneMatch(known), freshness) = input.headers;
    let user = state.users().get(input.path, freshness).await?;
    Ok(tagged(user, known))
}
// ANCHOR_END: get-user

/// Change a user
///
/// A JSON merge patch (RFC 7396): absent members keep their value. No member can be removed, so `null` is refused.
#[utoipa::path(
    tag = "users",
    operation_id = "users_update",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1), IfMatchHeader),
    request_body(content(
        (dto::UpdateUser = "application/json"),
        (dto::UpdateUser = "application/merge-patch+json"),
    )),
    responses(
        (
            status = 200,
            description = "The user as it is now",
            body = dto::User,
            headers(("ETag" = String, description = "The state of the user, for `If-Match` and `If-None-Match`")),
        ),
        UpdateProblems,
    )
)]
#[patch("/users/{id}")]
pub(super) async fn update_user(
    state: Data<AppState>,
    input: Input<UserId, (), UserChanges, IfMatch>,
) -> Result<Tagged<dto::User>, Problem> {
    let precondition = input.headers.into_precondition();
    let user = state.users().update(input.path, input.body, precondition).await?;
    Ok(tagged(user, None))
}

/// Delete a user
#[utoipa::path(
    tag = "users",
    operation_id = "users_delete",
    params(("id" = i64, Path, description = "The id of the user", minimum = 1, example = 1), IfMatchHeader),
    responses((status = 204, description = "The user is gone"), DeleteProblems)
)]
#[delete("/users/{id}")]
pub(super) async fn delete_user(
    state: Data<AppState>,
    input: Input<UserId, (), (), IfMatch>,
) -> Result<NoContent, Problem> {
    let precondition = input.headers.into_precondition();
    state.users().delete(input.path, precondition).await?;
    Ok(NoContent)
}

fn created_user(user: User) -> Created {
    let (location, etag) = (format!("/api/v1/users/{}", user.id), ETag::of(user.revision()));
    Created::new(&dto::User::from(user)).at(location, &etag)
}

fn created_users(users: Vec<User>) -> Created {
    Created::new(&dto::CreatedUsers::from(users))
}

fn tagged(user: User, if_none_match: Option<TagList>) -> Tagged<dto::User> {
    Tagged {
        etag: ETag::of(user.revision()),
        if_none_match,
        body: user.into(),
    }
}
