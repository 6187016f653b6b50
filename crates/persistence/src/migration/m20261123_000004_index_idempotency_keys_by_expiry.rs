//! Indexes the expiry of idempotency keys, so that sweeping reads only what it deletes.

use sea_orm::{DbBackend, sea_query::Index};

pub(super) fn up(backend: DbBackend) -> String {
    let index = Index::create()
        .name("ix_idempotency_keys_expires_at")
        .table("idempotency_keys")
        .col("expires_at")
        .to_owned();
    backend.build(&index).to_string()
}

pub(super) fn down(backend: DbBackend) -> String {
    backend
        .build(
            Index::drop()
                .name("ix_idempotency_keys_expires_at")
                .table("idempotency_keys"),
        )
        .to_string()
}
