//! Creates the table of users. Its unique index on `email` is what decides duplicates.

use sea_orm::{
    DbBackend,
    sea_query::{ColumnDef, Index, Table},
};

use crate::engine::{new_table, string_column, written_at_column};

pub(super) fn up(backend: DbBackend) -> String {
    let table = new_table(backend, "users")
        .col(
            ColumnDef::new("id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(string_column(backend, "name", 100))
        .col(string_column(backend, "email", 254))
        .col(written_at_column(backend, "created_at"))
        .col(written_at_column(backend, "updated_at"))
        .col(ColumnDef::new("version").big_integer().not_null().default(1))
        .index(Index::create().unique().name("uq_users_email").col("email"))
        .to_owned();
    backend.build(&table).to_string()
}

pub(super) fn down(backend: DbBackend) -> String {
    backend.build(Table::drop().table("users")).to_string()
}
