//! Creates the table of idempotency keys. Its primary key is what lets one request with a key through.

use sea_orm::{DbBackend, sea_query::Table};

use crate::engine::{bytes_column, new_table, string_column, timestamp_column};

pub(super) fn up(backend: DbBackend) -> String {
    let table = new_table(backend, "idempotency_keys")
        .col(string_column(backend, "key_hash", 64).primary_key())
        .col(string_column(backend, "request_hash", 64))
        .col(bytes_column(backend, "answer"))
        .col(timestamp_column(backend, "expires_at"))
        .to_owned();
    backend.build(&table).to_string()
}

pub(super) fn down(backend: DbBackend) -> String {
    backend.build(Table::drop().table("idempotency_keys")).to_string()
}
