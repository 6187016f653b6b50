//! Creates the table by which the age of read replicas is measured: a row for each process that asks replicas.

use sea_orm::{
    DbBackend,
    sea_query::{ColumnDef, Table},
};

use crate::engine::{new_table, timestamp_column};

pub(super) fn up(backend: DbBackend) -> String {
    let table = new_table(backend, "replication_beats")
        .col(ColumnDef::new("instance").big_integer().not_null().primary_key())
        .col(ColumnDef::new("beat").big_integer().not_null())
        .col(timestamp_column(backend, "written_at"))
        .to_owned();
    backend.build(&table).to_string()
}

pub(super) fn down(backend: DbBackend) -> String {
    backend.build(Table::drop().table("replication_beats")).to_string()
}
