//! Indexes the order of the list, so that a page is read from the index however deep it lies.

use sea_orm::{DbBackend, sea_query::Index};

// ANCHOR: step
pub(super) fn up(backend: DbBackend) -> String {
    let index = Index::create()
        .name("ix_users_created_at_id")
        .table("users")
        .col("created_at")
        .col("id")
        .to_owned();
    backend.build(&index).to_string()
}
// ANCHOR_END: step

pub(super) fn down(backend: DbBackend) -> String {
    backend
        .build(Index::drop().name("ix_users_created_at_id").table("users"))
        .to_string()
}
